/* Conformance cases of gm_mcmc_run. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <genmath/mcmc.h>

#include "host/cli/cases.h"
#include "host/cli/ensemble_case.h"

/* Of an odd dimension, with parameters, and none of the library's. */
GM_DENSITY(
    tilted, 3, 2,
    {
        const real tail = gm_log(1 + y[2] * y[2]);
        logp[0] = p[0] * gm_sin(y[0]) - (real)0.5 * (y[0] * y[0] + p[1] * y[1] * y[1]) - 2 * tail;
    },
    {
        grad[0] = p[0] * gm_cos(y[0]) - y[0];
        grad[1] = -p[1] * y[1];
        grad[2] = -4 * y[2] / (1 + y[2] * y[2]);
    })

/* Over data, with a sine, which lanes know in part of its range only. */
GM_DENSITY_DATA(
    fitted, 3, 2, 2, { logp[0] = -(real)0.5 * p[0] * (y[0] * y[0] + y[1] * y[1] + y[2] * y[2]); },
    {
        GM_UNROLL for (int c = 0; c < 3; ++c) {
            grad[c] = -p[0] * y[c];
        }
    },
    {
        const real rest = d[1] - y[0] - y[1] * d[0] - gm_sin(y[2] * d[0]);
        logp[0] = -0.5 * p[1] * rest * rest;
    },
    {
        const real push = p[1] * (d[1] - y[0] - y[1] * d[0] - gm_sin(y[2] * d[0]));
        grad[0] = push;
        grad[1] = push * d[0];
        grad[2] = push * d[0] * gm_cos(y[2] * d[0]);
    })

enum { STEPS = 10, DATA_ROWS = CASE_N, DATA_COLUMNS = 2 };

typedef struct mcmc_spec {
    const char *density; /* NULL: tilted; "fitted" */
    gm_dtype dtype;
    gm_mcmc_method method;
    double step;
    int32_t leapfrogs, jitter;
    bool dense; /* in a scale of all coordinates, a factor of each chain's own */
} mcmc_spec;

/* What came back, floats widened. */
typedef struct mcmc_output {
    double state[CASE_DIM * CASE_N];
    int32_t accepted[CASE_N], status[CASE_N];
} mcmc_output;

static void widen(gm_dtype dtype, const void *from, int64_t n, double *to) {
    for (int64_t i = 0; i < n; ++i) {
        to[i] = dtype == GM_F64 ? ((const double *)from)[i] : (double)((const float *)from)[i];
    }
}

static const gm_density *density_of(const mcmc_spec *spec) {
    return spec->density == NULL                  ? &tilted
           : strcmp(spec->density, "fitted") == 0 ? &fitted
                                                  : gm_density_builtin(spec->density);
}

/* STEPS steps of all chains from states and parameters between 1/2 and 3/2. */
static gm_status run_chains(gm_context *context, const mcmc_spec *spec, const double *start,
                            mcmc_output *out) {
    const gm_density *density = density_of(spec);
    const gm_mcmc_options options = {.dtype = spec->dtype,
                                     .method = spec->method,
                                     .steps = STEPS,
                                     .leapfrogs = spec->leapfrogs,
                                     .jitter = spec->jitter,
                                     .seed = 0x5eed,
                                     .first_index = 12345678901};
    const int64_t dim = density->dim, n = CASE_N, shape[] = {dim, n};
    double params[2 * CASE_N], steps[CASE_N], raw[CASE_DIM * CASE_N];
    uint64_t random = 3;
    for (int i = 0; i < 2 * CASE_N; ++i) {
        params[i] = case_random(&random, 0.5, 1.5);
    }
    for (int i = 0; i < CASE_N; ++i) {
        steps[i] = spec->step;
    }
    double factors[CASE_DIM * CASE_DIM * CASE_N];
    for (int i = 0; i < CASE_DIM * CASE_DIM * CASE_N; ++i) {
        factors[i] = case_random(&random, 0.5, 0.9);
    }
    double table[DATA_COLUMNS * DATA_ROWS]; /* column by column */
    for (int i = 0; i < DATA_COLUMNS * DATA_ROWS; ++i) {
        table[i] = case_random(&random, 0, 2);
    }
    gm_tensor y = {0}, p = {0}, h = {0}, f = {0}, d = {0}, accepted = {0}, chain_status = {0};
    gm_mcmc_plan *plan = NULL;
    gm_status status = gm_mcmc_plan_create(context, density, &options, &plan);
    if (status == GM_STATUS_OK) {
        status = case_upload(context, spec->dtype, start, dim, 0, n, &y);
    }
    if (status == GM_STATUS_OK) {
        status = case_upload(context, spec->dtype, params, density->params, 0, n, &p);
    }
    if (status == GM_STATUS_OK) {
        status = case_upload(context, spec->dtype, steps, 1, 0, n, &h);
    }
    if (status == GM_STATUS_OK) {
        status = case_upload(context, spec->dtype, factors, dim * dim, 0, n, &f);
    }
    if (status == GM_STATUS_OK) {
        status = case_upload(context, spec->dtype, table, DATA_COLUMNS, 0, DATA_ROWS, &d);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_alloc(context, GM_I32, 1, &shape[1], &accepted);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_alloc(context, GM_I32, 1, &shape[1], &chain_status);
    }
    if (status == GM_STATUS_OK) {
        const gm_tensor step = gm_tensor_1d(h.data, spec->dtype, n);
        const gm_tensor factor = gm_tensor_3d(f.data, spec->dtype, dim, dim, n);
        const gm_tensor data = {d.data, spec->dtype, 2, {DATA_ROWS, DATA_COLUMNS}, {1, DATA_ROWS}};
        const gm_mcmc_input input = {.state = &y,
                                     .params = &p,
                                     .step = &step,
                                     .factor = spec->dense ? &factor : NULL,
                                     .data = density->columns > 0 ? &data : NULL};
        const gm_mcmc_result result = {.state = &y, .accepted = &accepted, .status = &chain_status};
        status = gm_mcmc_run(plan, 77, &input, &result);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_download(context, &y, raw);
        widen(spec->dtype, raw, dim * n, out->state);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_download(context, &accepted, out->accepted);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_download(context, &chain_status, out->status);
    }
    gm_mcmc_plan_destroy(plan);
    gm_case_free(context, &y);
    gm_case_free(context, &p);
    gm_case_free(context, &h);
    gm_case_free(context, &f);
    gm_case_free(context, &d);
    gm_case_free(context, &accepted);
    gm_case_free(context, &chain_status);
    return status;
}

/*
 * Chains that differ from the reference's. The acceptance compares floats: a chain may part from it
 * where a ratio is within rounding of the noise, which in double has a probability of 1e-11 for all
 * of them and in float of 1e-3, so that one of 70 may.
 */
static gm_status compare(gm_context *reference, gm_context *subject, gm_case_result *result,
                         const mcmc_spec *spec) {
    const double allowed = spec->dtype == GM_F64 ? 1e-11 : 3e-3;
    double start[CASE_DIM * CASE_N];
    mcmc_output exact, out;
    uint64_t random = 9;
    for (int i = 0; i < CASE_DIM * CASE_N; ++i) {
        start[i] = case_random(&random, 0.5, 1.5);
    }
    start[3] = NAN; /* this chain fails alone */
    gm_status status = run_chains(reference, spec, start, &exact);
    if (status == GM_STATUS_OK) {
        status = run_chains(subject, spec, start, &out);
    }
    const int dim = density_of(spec)->dim;
    for (int i = 0; i < CASE_N && status == GM_STATUS_OK; ++i) {
        bool same = out.accepted[i] == exact.accepted[i] &&
                    out.status[i] == (i == 3 ? GM_STATUS_NON_FINITE : GM_STATUS_OK);
        for (int c = 0; c < dim; ++c) {
            const double a = out.state[c * CASE_N + i], b = exact.state[c * CASE_N + i];
            same = same && (isnan(a) ? isnan(b) && i == 3 : fabs(a - b) <= allowed * (1 + fabs(b)));
        }
        result->error += !same;
    }
    result->bound = spec->dtype == GM_F64 ? 0 : 1;
    snprintf(result->detail, sizeof result->detail,
             "chains of %d that are elsewhere after %d steps", CASE_N, STEPS);
    return status;
}

#define COMPARE(name, ...)                                                                         \
    static gm_status name(gm_context *reference, gm_context *subject, gm_case_result *result) {    \
        static const mcmc_spec spec = {__VA_ARGS__};                                               \
        return compare(reference, subject, result, &spec);                                         \
    }
COMPARE(rwm_f64, "funnel", GM_F64, GM_MCMC_RWM, 0.4, 0, 0, false)
COMPARE(rwm_f32, "funnel", GM_F32, GM_MCMC_RWM, 0.4, 0, 0, false)
COMPARE(ula_f64, "banana", GM_F64, GM_MCMC_ULA, 0.01, 0, 0, false)
COMPARE(ula_f32, "banana", GM_F32, GM_MCMC_ULA, 0.01, 0, 0, false)
COMPARE(mala_f64, "banana", GM_F64, GM_MCMC_MALA, 0.05, 0, 0, false)
COMPARE(mala_f32, "banana", GM_F32, GM_MCMC_MALA, 0.05, 0, 0, false)
COMPARE(hmc_f64, "funnel", GM_F64, GM_MCMC_HMC, 0.2, 6, 0, false)
COMPARE(hmc_f32, "funnel", GM_F32, GM_MCMC_HMC, 0.2, 6, 0, false)
COMPARE(user_f64, NULL, GM_F64, GM_MCMC_HMC, 0.3, 6, 1, false)
COMPARE(user_f32, NULL, GM_F32, GM_MCMC_HMC, 0.3, 6, 1, false)
COMPARE(dense_f64, NULL, GM_F64, GM_MCMC_HMC, 0.3, 6, 0, true)
COMPARE(dense_f32, NULL, GM_F32, GM_MCMC_HMC, 0.3, 6, 0, true)
COMPARE(component_f64, "banana", GM_F64, GM_MCMC_COMPONENT, 0.7, 0, 1, false)
COMPARE(component_f32, "banana", GM_F32, GM_MCMC_COMPONENT, 0.7, 0, 1, false)
COMPARE(data_f64, "fitted", GM_F64, GM_MCMC_HMC, 0.05, 6, 1, false)
COMPARE(data_f32, "fitted", GM_F32, GM_MCMC_HMC, 0.05, 6, 1, false)

/* A diagonal and a dense scale from the states of CASE_N chains as two draws, one point of them
 * NaN: sums of 70 numbers, then a factor of three rows. */
static gm_status compare_mass(gm_context *reference, gm_context *subject, gm_case_result *result,
                              gm_dtype dtype) {
    enum { HALF = CASE_N / 2, OUT = CASE_DIM * (CASE_DIM + 1) };
    const int64_t shape[] = {CASE_DIM + 1, CASE_DIM};
    double points[CASE_DIM * CASE_N], found[2][OUT] = {{0}};
    uint64_t random = 21;
    for (int i = 0; i < CASE_DIM * CASE_N; ++i) {
        points[i] = case_random(&random, 0, 3) + (i >= CASE_N ? points[i - CASE_N] / 2 : 0);
    }
    points[5] = NAN;
    gm_status status = GM_STATUS_OK;
    for (int k = 0; k < 2 && status == GM_STATUS_OK; ++k) {
        gm_context *context = k == 0 ? reference : subject;
        gm_tensor y = {0}, out = {0};
        double raw[OUT];
        status = case_upload(context, dtype, points, CASE_DIM, 0, CASE_N, &y);
        if (status == GM_STATUS_OK) {
            status = gm_case_alloc(context, dtype, 2, shape, &out);
        }
        if (status == GM_STATUS_OK) {
            const gm_tensor draws = {y.data, dtype, 3, {2, CASE_DIM, HALF}, {HALF, CASE_N, 1}};
            const gm_tensor scale = gm_tensor_1d(out.data, dtype, CASE_DIM);
            const gm_tensor factor = gm_tensor_2d(
                (char *)out.data + CASE_DIM * gm_dtype_size(dtype), dtype, CASE_DIM, CASE_DIM);
            status = gm_mcmc_mass(context, &draws, &scale, &factor);
        }
        if (status == GM_STATUS_OK) {
            status = gm_case_download(context, &out, raw);
            widen(dtype, raw, OUT, found[k]);
        }
        gm_case_free(context, &y);
        gm_case_free(context, &out);
    }
    for (int i = 0; i < OUT; ++i) {
        result->error = fmax(result->error, fabs(found[0][i] - found[1][i]));
        result->error = isnan(found[1][i]) ? INFINITY : result->error;
    }
    result->bound = 100 * case_unit(dtype);
    snprintf(result->detail, sizeof result->detail, "largest difference of an entry");
    return status;
}

static gm_status mass_f64(gm_context *reference, gm_context *subject, gm_case_result *result) {
    return compare_mass(reference, subject, result, GM_F64);
}

static gm_status mass_f32(gm_context *reference, gm_context *subject, gm_case_result *result) {
    return compare_mass(reference, subject, result, GM_F32);
}

const gm_case gm_mcmc_cases[] = {
    {"mcmc_run/f64/random walk", rwm_f64},
    {"mcmc_run/f32/random walk", rwm_f32},
    {"mcmc_run/f64/unadjusted Langevin", ula_f64},
    {"mcmc_run/f32/unadjusted Langevin", ula_f32},
    {"mcmc_run/f64/adjusted Langevin", mala_f64},
    {"mcmc_run/f32/adjusted Langevin", mala_f32},
    {"mcmc_run/f64/Hamiltonian", hmc_f64},
    {"mcmc_run/f32/Hamiltonian", hmc_f32},
    {"mcmc_run/f64/Hamiltonian, jittered, user's", user_f64},
    {"mcmc_run/f32/Hamiltonian, jittered, user's", user_f32},
    {"mcmc_run/f64/Hamiltonian, dense", dense_f64},
    {"mcmc_run/f32/Hamiltonian, dense", dense_f32},
    {"mcmc_run/f64/component by component", component_f64},
    {"mcmc_run/f32/component by component", component_f32},
    {"mcmc_run/f64/Hamiltonian, over data", data_f64},
    {"mcmc_run/f32/Hamiltonian, over data", data_f32},
    {"mcmc_mass/f64", mass_f64},
    {"mcmc_mass/f32", mass_f32},
};
const int gm_mcmc_cases_count = sizeof gm_mcmc_cases / sizeof gm_mcmc_cases[0];

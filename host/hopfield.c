/* gm_hopfield_*: checks, the couplings of the rules, dispatch. */
#include <genmath/hopfield.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/contract.h>

#include "host/hopfield_args.h"
#include "host/internal.h"

enum { MOST_NEURONS = 1 << 14, MOST_PATTERNS = 1 << 15, FIXED_BITS = 29 };

struct gm_hopfield_plan {
    gm_context *context;
    const gm_backend *backend;
    int32_t neurons;
    int64_t patterns, probes;
    gm_hopfield_info info;
    int32_t *coupling, *bias;  /* (neurons, neurons), (neurons): in quanta, on the host */
    int32_t *ends;             /* of the Ising model */
    double *ising, *field;     /* its J and h */
    int64_t edges;             /* its number */
    void *on_device[3];        /* coupling, bias, patterns, as I32 */
    gm_contract_plan *product; /* states with couplings */
    gm_contract_plan *overlap; /* states with patterns */
};

/* ---- the couplings --------------------------------------------------------------------------- */

static gm_status check_model(gm_context *context, const gm_hopfield_model *m) {
    GM_CHECK(context, m->neurons >= 1 && m->neurons <= MOST_NEURONS, GM_STATUS_INVALID_ARGUMENT,
             "model.neurons = %lld: must be in 1 .. 2^14", (long long)m->neurons);
    GM_CHECK(context, m->patterns >= 0 && m->patterns <= MOST_PATTERNS, GM_STATUS_INVALID_ARGUMENT,
             "model.patterns = %lld: must be in 0 .. 2^15", (long long)m->patterns);
    GM_CHECK(context, m->patterns * m->neurons < 1 << 29, GM_STATUS_INVALID_ARGUMENT,
             "model.patterns = %lld: fewer than 2^29 / neurons are allowed",
             (long long)m->patterns);
    GM_CHECK(context, m->probes >= 0 && m->probes <= 1 << 30, GM_STATUS_INVALID_ARGUMENT,
             "model.probes = %lld: must be in 0 .. 2^30", (long long)m->probes);
    GM_CHECK(context, m->patterns == 0 || m->pattern != NULL, GM_STATUS_INVALID_ARGUMENT,
             "model.pattern is NULL");
    GM_CHECK(context, (unsigned)m->rule <= GM_HOPFIELD_PSEUDO_INVERSE, GM_STATUS_INVALID_ARGUMENT,
             "model.rule = %d is none", (int)m->rule);
    for (int64_t k = 0; k < m->patterns * m->neurons; ++k) {
        GM_CHECK(context, m->pattern[k] == 1 || m->pattern[k] == -1, GM_STATUS_INVALID_ARGUMENT,
                 "model.pattern[%lld] = %d: must be -1 or +1", (long long)k, (int)m->pattern[k]);
    }
    for (int64_t i = 0; i < m->neurons && m->bias != NULL; ++i) {
        GM_CHECK(context, isfinite(m->bias[i]), GM_STATUS_INVALID_ARGUMENT,
                 "model.bias[%lld] = %g: must be finite", (long long)i, m->bias[i]);
    }
    return GM_STATUS_OK;
}

/* right: (patterns, neurons), the patterns times the inverse of what they share with each other. */
static gm_status solve_correlations(gm_context *context, const gm_hopfield_model *m, double *right,
                                    double *rcond) {
    const int64_t n = m->neurons, patterns = m->patterns;
    gm_context *host;
    GM_TRY(
        gm_context_create(&(gm_context_options){.backend = GM_BACKEND_CPU, .threads = 1}, &host));
    double *shared = malloc((size_t)(patterns * patterns) * sizeof *shared);
    double *given = malloc((size_t)(patterns * n) * sizeof *given);
    gm_status status = shared != NULL && given != NULL ? GM_STATUS_OK : GM_STATUS_OUT_OF_MEMORY;
    gm_workspace w = {0};
    if (status == GM_STATUS_OK) {
        for (int64_t k = 0; k < patterns * n; ++k) {
            given[k] = m->pattern[k];
        }
        const gm_tensor xi = gm_tensor_2d(given, GM_F64, patterns, n);
        const gm_tensor q = gm_tensor_2d(shared, GM_F64, patterns, patterns);
        const gm_tensor out = gm_tensor_2d(right, GM_F64, patterns, n);
        const gm_tensor condition = {rcond, GM_F64, 0, {0}, {0}};
        const gm_linalg_report report = {.rcond = &condition};
        status = gm_contract(host, "pi,qi->pq", 2, (const gm_tensor[]){xi, xi}, &q);
        status =
            status == GM_STATUS_OK ? gm_linalg_solve(host, &q, &xi, &out, &report, &w) : status;
        w.data = status == GM_STATUS_OK ? aligned_alloc(64, (w.bytes + 63) / 64 * 64) : NULL;
        if (status == GM_STATUS_OK) {
            status = w.data != NULL ? gm_linalg_solve(host, &q, &xi, &out, &report, &w)
                                    : GM_STATUS_OUT_OF_MEMORY;
        }
    }
    status =
        status == GM_STATUS_OK ? GM_STATUS_OK : gm_fail(context, status, "%s", gm_last_error(host));
    free(w.data);
    free(given);
    free(shared);
    gm_context_destroy(host);
    GM_TRY(status);
    GM_CHECK(context, *rcond > (double)patterns * DBL_EPSILON, GM_STATUS_INVALID_ARGUMENT,
             "model.pattern: the %lld patterns are linearly dependent (condition number %.3g)",
             (long long)patterns, 1 / *rcond);
    return GM_STATUS_OK;
}

/* w: (neurons, neurons). right: as above, or NULL for HEBB, whose W comes times N. */
static void couple(const gm_hopfield_model *m, const double *right, double *w) {
    const int64_t n = m->neurons;
    memset(w, 0, (size_t)(n * n) * sizeof *w);
    for (int64_t p = 0; p < m->patterns; ++p) {
        const int8_t *xi = m->pattern + p * n;
        for (int64_t i = 0; i < n; ++i) {
            for (int64_t j = 0; j < i; ++j) {
                w[i * n + j] += xi[i] * (right != NULL ? right[p * n + j] : xi[j]);
            }
        }
    }
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < i; ++j) {
            w[j * n + i] = w[i * n + j];
        }
    }
}

/* The quantum of W = unit * w and of the biases, and all of them in quanta. */
static gm_status quantise(gm_context *context, const gm_hopfield_model *m, const double *w,
                          double unit, gm_hopfield_plan *made) {
    const int64_t n = m->neurons;
    bool exact = m->rule == GM_HOPFIELD_HEBB;
    double largest = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double b = m->bias != NULL ? m->bias[i] / unit : 0;
        double sum = fabs(b);
        exact = exact && fabs(b - nearbyint(b)) <= 4 * DBL_EPSILON * fabs(b);
        for (int64_t j = 0; j < n; ++j) {
            sum += fabs(w[i * n + j]);
        }
        largest = fmax(largest, sum);
    }
    GM_CHECK(context, largest * unit < DBL_MAX / 4, GM_STATUS_INVALID_ARGUMENT,
             "model.bias: overflows beside the couplings");
    double quantum = 1; /* in units */
    if (!exact || largest >= 0x1p30) {
        int exponent;
        (void)frexp(largest, &exponent);
        quantum = ldexp(1, exponent - FIXED_BITS);
    }
    made->info.quantum = quantum * unit;
    for (int64_t k = 0; k < n * n; ++k) {
        const double count = nearbyint(w[k] / quantum);
        made->coupling[k] = (int32_t)count;
        made->info.rounding = fmax(made->info.rounding, fabs(w[k] - count * quantum) * unit);
    }
    for (int64_t i = 0; i < n && m->bias != NULL; ++i) {
        const double count = nearbyint(m->bias[i] / unit / quantum);
        made->bias[i] = (int32_t)count;
        made->info.rounding =
            fmax(made->info.rounding, fabs(m->bias[i] - count * made->info.quantum));
    }
    return GM_STATUS_OK;
}

static gm_status make_couplings(gm_context *context, const gm_hopfield_model *m,
                                gm_hopfield_plan *made) {
    const size_t n = (size_t)m->neurons, patterns = (size_t)m->patterns;
    const bool solves = m->rule == GM_HOPFIELD_PSEUDO_INVERSE && m->patterns > 0;
    double *w = malloc(n * n * sizeof *w);
    double *right = solves ? malloc(patterns * n * sizeof *right) : NULL;
    made->coupling = malloc(n * n * sizeof *made->coupling);
    made->bias = calloc(n, sizeof *made->bias);
    made->info.rcond = 1;
    gm_status status =
        w != NULL && made->coupling != NULL && made->bias != NULL && (!solves || right != NULL)
            ? GM_STATUS_OK
            : gm_fail(context, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    if (status == GM_STATUS_OK && solves) {
        status = solve_correlations(context, m, right, &made->info.rcond);
    }
    if (status == GM_STATUS_OK) {
        couple(m, right, w);
        const double unit = m->rule == GM_HOPFIELD_HEBB ? 1 / (double)m->neurons : 1;
        status = quantise(context, m, w, unit, made);
    }
    free(right);
    free(w);
    return status;
}

/* ---- the plan -------------------------------------------------------------------------------- */

static gm_status upload(gm_hopfield_plan *made, int which, const int32_t *numbers, size_t count) {
    GM_TRY(gm_memory_alloc(made->context, (count + 1) * sizeof *numbers, &made->on_device[which]));
    return gm_memory_upload(made->context, made->on_device[which], numbers,
                            count * sizeof *numbers);
}

static gm_status upload_all(gm_hopfield_plan *made, const gm_hopfield_model *m) {
    const size_t n = (size_t)m->neurons, patterns = (size_t)m->patterns;
    GM_TRY(upload(made, 0, made->coupling, n * n));
    GM_TRY(upload(made, 1, made->bias, n));
    int32_t *wide = malloc((patterns * n + 1) * sizeof *wide);
    GM_CHECK(made->context, wide != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    for (size_t k = 0; k < patterns * n; ++k) {
        wide[k] = m->pattern[k];
    }
    const gm_status status = upload(made, 2, wide, patterns * n);
    free(wide);
    return status;
}

static gm_tensor states_of(const gm_hopfield_plan *plan, void *data) {
    return gm_tensor_2d(data, GM_I32, plan->probes, plan->neurons);
}

static gm_status plan_products(gm_hopfield_plan *made) {
    const gm_tensor x = states_of(made, NULL);
    const gm_tensor w = gm_tensor_2d(made->on_device[0], GM_I32, made->neurons, made->neurons);
    const gm_tensor xi = gm_tensor_2d(made->on_device[2], GM_I32, made->patterns, made->neurons);
    const gm_tensor m = gm_tensor_2d(NULL, GM_I32, made->probes, made->patterns);
    GM_TRY(gm_contract_plan_create(made->context, "ri,ij->rj", 2, (const gm_tensor[]){x, w}, &x,
                                   NULL, &made->product));
    return gm_contract_plan_create(made->context, "ri,pi->rp", 2, (const gm_tensor[]){x, xi}, &m,
                                   NULL, &made->overlap);
}

/* The edges of the couplings that are not 0. */
static gm_status make_ising(gm_hopfield_plan *made) {
    const int32_t n = made->neurons;
    for (int64_t k = 0; k < (int64_t)n * n; ++k) {
        made->edges += k / n < k % n && made->coupling[k] != 0;
    }
    made->ends = malloc((size_t)(2 * made->edges + 1) * sizeof *made->ends);
    made->ising = malloc((size_t)(made->edges + 1) * sizeof *made->ising);
    made->field = malloc((size_t)n * sizeof *made->field);
    GM_CHECK(made->context, made->ends != NULL && made->ising != NULL && made->field != NULL,
             GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    int64_t e = 0;
    for (int32_t i = 0; i < n; ++i) {
        made->field[i] = made->info.quantum * made->bias[i];
        for (int32_t j = i + 1; j < n; ++j) {
            const int32_t w = made->coupling[(int64_t)i * n + j];
            if (w != 0) {
                made->ends[2 * e] = i;
                made->ends[2 * e + 1] = j;
                made->ising[e++] = made->info.quantum * w;
            }
        }
    }
    return GM_STATUS_OK;
}

static gm_status prepare(gm_hopfield_plan *made, const gm_hopfield_model *model) {
    GM_TRY(check_model(made->context, model));
    made->neurons = (int32_t)model->neurons;
    made->patterns = model->patterns;
    made->probes = model->probes;
    GM_TRY(make_couplings(made->context, model, made));
    GM_TRY(make_ising(made));
    GM_TRY(upload_all(made, model));
    return plan_products(made);
}

gm_status gm_hopfield_plan_create(gm_context *context, const gm_hopfield_model *model,
                                  gm_hopfield_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_CHECK(context, model != NULL, GM_STATUS_INVALID_ARGUMENT, "model is NULL");
    const gm_backend *backend = GM_BACKEND_WITH(context, hopfield_run);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_hopfield_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    made->context = context;
    made->backend = backend;
    const gm_status status = prepare(made, model);
    if (status != GM_STATUS_OK) {
        gm_hopfield_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_hopfield_plan_destroy(gm_hopfield_plan *plan) {
    if (plan == NULL) {
        return;
    }
    gm_contract_plan_destroy(plan->product);
    gm_contract_plan_destroy(plan->overlap);
    for (int i = 0; i < 3; ++i) {
        if (plan->on_device[i] != NULL) {
            (void)gm_memory_free(plan->context, plan->on_device[i]);
        }
    }
    free(plan->coupling);
    free(plan->bias);
    free(plan->ends);
    free(plan->ising);
    free(plan->field);
    free(plan);
}

gm_status gm_hopfield_plan_info(const gm_hopfield_plan *plan, gm_hopfield_info *info) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_CHECK(plan->context, info != NULL, GM_STATUS_INVALID_ARGUMENT, "info is NULL");
    *info = plan->info;
    return GM_STATUS_OK;
}

gm_status gm_hopfield_couplings(const gm_hopfield_plan *plan, double *coupling) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_CHECK(plan->context, coupling != NULL, GM_STATUS_INVALID_ARGUMENT, "coupling is NULL");
    for (int64_t k = 0; k < (int64_t)plan->neurons * plan->neurons; ++k) {
        coupling[k] = plan->info.quantum * plan->coupling[k];
    }
    return GM_STATUS_OK;
}

gm_status gm_hopfield_ising(const gm_hopfield_plan *plan, gm_ising_model *model) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_CHECK(plan->context, model != NULL, GM_STATUS_INVALID_ARGUMENT, "model is NULL");
    *model = (gm_ising_model){.sites = plan->neurons,
                              .edges = plan->edges,
                              .ends = plan->ends,
                              .coupling = plan->ising,
                              .field = plan->field,
                              .order = GM_ISING_RASTER};
    return GM_STATUS_OK;
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* The tensors of a run, by the names the user knows them by. */
enum { STATES, ENERGY, OVERLAP, SWEEPS, STATUS, WORKSPACE, TENSORS };
static const char *const names[TENSORS] = {"states",        "result.energy", "result.overlap",
                                           "result.sweeps", "result.status", "workspace"};

static gm_status check_disjoint(gm_context *context, const gm_tensor *const *tensors) {
    for (int a = 0; a < TENSORS; ++a) {
        for (int b = 0; b < a && tensors[a] != NULL; ++b) {
            GM_TRY(gm_check_disjoint(context, names[a], tensors[a], names[b], tensors[b], false));
        }
    }
    return GM_STATUS_OK;
}

/* A result of one number a probe. */
static gm_status check_numbers(const gm_hopfield_plan *plan, const gm_tensor *const *tensors,
                               int which, gm_dtype dtype) {
    if (tensors[which] == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_output(plan->context, names[which], tensors[which], 1, GM_DTYPE_BIT(dtype)));
    return gm_check_size(plan->context, names[which], tensors[which], 0, plan->probes,
                         "the model's probes");
}

static gm_status check_overlap(const gm_hopfield_plan *plan, const gm_tensor *overlap) {
    gm_context *context = plan->context;
    if (overlap == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_output(context, names[OVERLAP], overlap, 2, GM_DTYPE_BIT(GM_I32)));
    GM_TRY(gm_check_size(context, names[OVERLAP], overlap, 0, plan->probes, "the model's probes"));
    GM_TRY(
        gm_check_size(context, names[OVERLAP], overlap, 1, plan->patterns, "the model's patterns"));
    const gm_tensor rows = gm_tensor_2d(NULL, GM_I32, plan->probes, plan->patterns);
    GM_CHECK(context, overlap->stride[0] == rows.stride[0] && overlap->stride[1] == rows.stride[1],
             GM_STATUS_INVALID_ARGUMENT, "result.overlap: must be row-major");
    return GM_STATUS_OK;
}

/* How the workspace is shared out: states, fields, what the products need. */
typedef struct scratch_layout {
    size_t state, field, product, bytes;
} scratch_layout;

static scratch_layout lay_out(const gm_hopfield_plan *plan) {
    const size_t rows =
        ((size_t)plan->probes * (size_t)plan->neurons * sizeof(int32_t) + 63) / 64 * 64;
    const size_t a = gm_contract_workspace(plan->product), b = gm_contract_workspace(plan->overlap);
    const scratch_layout l = {0, rows, 2 * rows, 2 * rows + ((a > b ? a : b) + 64) / 64 * 64};
    return l;
}

static gm_status run_all(const gm_hopfield_plan *plan, const gm_hopfield_args *args,
                         const gm_tensor *overlap, const scratch_layout *l, char *scratch) {
    gm_call *call = &plan->context->call;
    const int64_t n = plan->neurons;
    const gm_tensor x = states_of(plan, args->state), f = states_of(plan, args->field);
    const gm_tensor w = gm_tensor_2d(plan->on_device[0], GM_I32, n, n);
    const gm_tensor xi = gm_tensor_2d(plan->on_device[2], GM_I32, plan->patterns, n);
    gm_tensor bias = gm_tensor_2d(plan->on_device[1], GM_I32, plan->probes, n);
    bias.stride[0] = 0;
    const gm_contract_scale scale = {.alpha = 1, .beta = 1};
    void *product = scratch + l->product;
    GM_TRY(plan->backend->hopfield_begin(call, args));
    GM_TRY(gm_contract_execute(plan->product, &scale, (const gm_tensor[]){x, w}, &bias, &f, product,
                               l->bytes - l->product));
    GM_TRY(plan->backend->hopfield_run(call, args));
    if (overlap != NULL) {
        const char *kernel = call->kernel;
        GM_TRY(gm_contract_execute(plan->overlap, NULL, (const gm_tensor[]){x, xi}, NULL, overlap,
                                   product, l->bytes - l->product));
        call->kernel = kernel;
    }
    return GM_STATUS_OK;
}

static void set_results(const gm_tensor *const *tensors, gm_hopfield_args *args) {
    if (tensors[ENERGY] != NULL) {
        args->energy = tensors[ENERGY]->data;
        args->energy_stride = tensors[ENERGY]->stride[0];
    }
    if (tensors[SWEEPS] != NULL) {
        args->swept = tensors[SWEEPS]->data;
        args->swept_stride = tensors[SWEEPS]->stride[0];
    }
    if (tensors[STATUS] != NULL) {
        args->status = tensors[STATUS]->data;
        args->status_stride = tensors[STATUS]->stride[0];
    }
}

gm_status gm_hopfield_run(const gm_hopfield_plan *plan, const gm_hopfield_run_options *options,
                          const gm_tensor *states, const gm_hopfield_result *result,
                          gm_workspace *workspace) {
    static const gm_hopfield_run_options defaults = {.sweeps = 100};
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    const gm_hopfield_run_options *o = options != NULL ? options : &defaults;
    GM_CHECK(context, o->sweeps >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.sweeps = %lld is negative", (long long)o->sweeps);
    GM_TRY(gm_check_output(context, names[STATES], states, 2, GM_DTYPE_BIT(GM_I8)));
    GM_TRY(gm_check_size(context, names[STATES], states, 0, plan->probes, "the model's probes"));
    GM_TRY(gm_check_size(context, names[STATES], states, 1, plan->neurons, "the model's neurons"));
    const gm_hopfield_result none = {0};
    const gm_hopfield_result *r = result != NULL ? result : &none;
    const gm_tensor *tensors[TENSORS] = {states, r->energy, r->overlap, r->sweeps, r->status};
    GM_TRY(check_numbers(plan, tensors, ENERGY, GM_F64));
    GM_TRY(check_numbers(plan, tensors, SWEEPS, GM_I32));
    GM_TRY(check_numbers(plan, tensors, STATUS, GM_I32));
    GM_TRY(check_overlap(plan, r->overlap));
    const scratch_layout l = lay_out(plan);
    gm_tensor scratch;
    if (workspace->data != NULL) {
        GM_TRY(gm_check_workspace(context, "the plan", l.bytes, workspace->data, workspace->bytes,
                                  &scratch));
        tensors[WORKSPACE] = &scratch;
    }
    GM_TRY(check_disjoint(context, tensors));
    if (workspace->data == NULL) {
        workspace->bytes = l.bytes;
        return GM_STATUS_OK;
    }
    char *memory = workspace->data;
    gm_hopfield_args args = {.probes = plan->probes,
                             .sweeps = o->sweeps,
                             .neurons = plan->neurons,
                             .synchronous = o->synchronous != 0,
                             .tie_is_up = o->tie_is_up != 0,
                             .quantum = plan->info.quantum,
                             .coupling = plan->on_device[0],
                             .bias = plan->on_device[1],
                             .state = (int32_t *)(void *)(memory + l.state),
                             .field = (int32_t *)(void *)(memory + l.field),
                             .user = states->data,
                             .probe_stride = states->stride[0],
                             .neuron_stride = states->stride[1]};
    set_results(tensors, &args);
    return plan->probes == 0 ? GM_STATUS_OK : run_all(plan, &args, r->overlap, &l, memory);
}

/*
 * What genmath itself does on the cases that tests/bench/peers run, through the public API and with
 * systems defined here, as a user would. Prints JSON, one object a line.
 *
 *     measure reference FILE   the reference end states that every program here is compared with
 *     measure rates FILE       steps, attempts and normals per second
 *     measure precision FILE   adaptive methods: seconds a trajectory against error, per tolerance
 *     measure memory           peak memory for 1e7 trajectories, end state only
 *
 * The cases: Lorenz, sigma 10, beta 8/3, rho = linspace(0, 21, 4096) repeated as often as the
 * ensemble is long, y0 = (1, 0, 0), t from 0 to 1. Errors are the median over 4096 trajectories of
 * |y - reference|_2 / |reference|_2. "Shuffled": the same parameters, neighbours having little in
 * common. $GENMATH_BACKEND, $GENMATH_ISA and --threads N choose what runs.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <genmath/genmath.h>

/* Written apart from the library's own: on a GPU a body of the same text would not be compiled
 * anew. */
GM_SYSTEM(user_lorenz, 3, 3, {
    const real a = y[0], b = y[1], c = y[2];
    dydt[0] = p[0] * (b - a);
    dydt[1] = a * (p[1] - c) - b;
    dydt[2] = a * b - p[2] * c;
})

GM_SYSTEM(user_gbm, 1, 2, {
    const real price = y[0];
    dydt[0] = p[0] * price;
})
GM_DIFFUSION_DIAGONAL(user_gbm, 1, 2, {
    const real price = y[0];
    g[0] = p[1] * price;
})

enum { SAMPLES = 4096, REPEATS = 7 };

static gm_context *context;
static double reference[3 * SAMPLES]; /* (3, SAMPLES) */
static bool shuffled;

/* The number of the parameter that trajectory i has. */
static int64_t place(int64_t i) {
    return shuffled ? i % SAMPLES * 2531 % SAMPLES : i % SAMPLES;
}

static void require(gm_status status, const gm_context *where, const char *doing) {
    if (status != GM_STATUS_OK) {
        fprintf(stderr, "measure: %s: %s: %s\n", doing, gm_status_string(status),
                gm_last_error(where));
        exit(3);
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void print_head(const char *kind, const char *what, const char *dtype) {
    printf("{\"peer\": \"genmath\", \"version\": \"%s\", \"kind\": \"%s\", \"case\": \"%s\", "
           "\"dtype\": \"%s\", \"backend\": \"%s\", \"isa\": \"%s\", \"threads\": %d, \"kernel\": "
           "\"%s\"",
           GM_VERSION_STRING, kind, what, dtype, gm_context_backend_name(context),
           gm_isa_name(gm_context_isa(context)), (int)gm_context_threads(context),
           gm_last_kernel(context));
}

/* ---- an ensemble in the backend's memory ---- */

typedef struct ensemble {
    gm_dtype dtype;
    int64_t n;
    void *memory[5]; /* y0, params, end, accepted, rejected */
    gm_tensor tensor[5];
} ensemble;

static void store(void *array, gm_dtype dtype, int64_t i, double value) {
    if (dtype == GM_F64) {
        ((double *)array)[i] = value;
    } else {
        ((float *)array)[i] = (float)value;
    }
}

static double load(const void *array, gm_dtype dtype, int64_t i) {
    return dtype == GM_F64 ? ((const double *)array)[i] : (double)((const float *)array)[i];
}

static void allocate(gm_context *where, ensemble *e, int slot, gm_dtype dtype, int64_t rows) {
    require(gm_memory_alloc(where, (size_t)(rows * e->n) * gm_dtype_size(dtype), &e->memory[slot]),
            where, "memory");
    e->tensor[slot] = rows == 1 ? gm_tensor_1d(e->memory[slot], dtype, e->n)
                                : gm_tensor_2d(e->memory[slot], dtype, rows, e->n);
}

static void fill(gm_context *where, ensemble *e, int slot, int64_t rows, const double *row_value,
                 int64_t varied_row) {
    const size_t bytes = (size_t)(rows * e->n) * gm_dtype_size(e->dtype);
    void *host = malloc(bytes);
    if (host == NULL) {
        require(GM_STATUS_OUT_OF_MEMORY, NULL, "inputs");
    }
    for (int64_t i = 0; i < rows * e->n; ++i) {
        const double rho = 21.0 * (double)place(i % e->n) / (SAMPLES - 1);
        store(host, e->dtype, i, i / e->n == varied_row ? rho : row_value[i / e->n]);
    }
    require(gm_memory_upload(where, e->memory[slot], host, bytes), where, "upload");
    free(host);
}

static ensemble lorenz_ensemble(gm_context *where, gm_dtype dtype, int64_t n) {
    ensemble e = {.dtype = dtype, .n = n};
    for (int slot = 0; slot < 3; ++slot) {
        allocate(where, &e, slot, dtype, 3);
    }
    allocate(where, &e, 3, GM_I32, 1);
    allocate(where, &e, 4, GM_I32, 1);
    fill(where, &e, 0, 3, (const double[]){1, 0, 0}, -1);
    fill(where, &e, 1, 3, (const double[]){10, 0, 8.0 / 3}, 1);
    return e;
}

static void release(gm_context *where, ensemble *e) {
    for (int slot = 0; slot < 5; ++slot) {
        gm_memory_free(where, e->memory[slot]);
    }
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_error(const ensemble *e) {
    const size_t bytes = (size_t)(3 * e->n) * gm_dtype_size(e->dtype);
    void *end = malloc(bytes);
    double *errors = malloc(SAMPLES * sizeof *errors);
    if (end == NULL || errors == NULL) {
        require(GM_STATUS_OUT_OF_MEMORY, NULL, "errors");
    }
    require(gm_memory_download(context, end, e->memory[2], bytes), context, "download");
    for (int i = 0; i < SAMPLES; ++i) {
        double difference = 0, size = 0;
        for (int c = 0; c < 3; ++c) {
            const double right = reference[c * SAMPLES + place(i)];
            const double d = load(end, e->dtype, c * e->n + i) - right;
            difference += d * d;
            size += right * right;
        }
        errors[i] = sqrt(difference / size);
    }
    qsort(errors, SAMPLES, sizeof *errors, compare_doubles);
    const double median = 0.5 * (errors[SAMPLES / 2 - 1] + errors[SAMPLES / 2]);
    free(errors);
    free(end);
    return median;
}

/* The least time of several calls, each waited for. */
static double least_solve_time(const gm_ode_plan *plan, const ensemble *e,
                               const gm_ode_result *result, int repeats) {
    double best = INFINITY;
    for (int r = 0; r <= repeats; ++r) {
        const double begin = seconds();
        require(gm_ode_solve(plan, &e->tensor[0], &e->tensor[1], result), context, "ode_solve");
        require(gm_context_synchronize(context), context, "synchronise");
        const double taken = seconds() - begin;
        best = r > 0 && taken < best ? taken : best; /* the first one warms up */
    }
    return best;
}

static double attempts(const ensemble *e) {
    const size_t bytes = (size_t)e->n * sizeof(int32_t);
    int32_t *counts = malloc(bytes);
    double sum = 0;
    for (int slot = 3; counts != NULL && slot < 5; ++slot) {
        require(gm_memory_download(context, counts, e->memory[slot], bytes), context, "download");
        for (int64_t i = 0; i < e->n; ++i) {
            sum += counts[i];
        }
    }
    free(counts);
    return sum;
}

/* ---- the sub-commands ---- */

static void write_reference(const char *path) {
    gm_context *oracle;
    gm_ode_plan *plan;
    require(gm_context_create(&(gm_context_options){.backend = GM_BACKEND_REF}, &oracle), NULL,
            "context");
    ensemble e = lorenz_ensemble(oracle, GM_F64, SAMPLES);
    const gm_ode_options options = {.t1 = 1, .rtol = 1e-13, .atol = 1e-15};
    require(gm_ode_plan_create(oracle, &user_lorenz, &options, &plan), oracle, "plan");
    const gm_ode_result result = {.end = &e.tensor[2]};
    require(gm_ode_solve(plan, &e.tensor[0], &e.tensor[1], &result), oracle, "reference");
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(e.memory[2], sizeof(double), 3 * SAMPLES, file) != 3 * SAMPLES ||
        fclose(file) != 0) {
        perror(path);
        exit(3);
    }
    gm_ode_plan_destroy(plan);
    release(oracle, &e);
    gm_context_destroy(oracle);
}

static void read_reference(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(reference, sizeof(double), 3 * SAMPLES, file) != 3 * SAMPLES) {
        fprintf(stderr, "measure: %s: not a reference file\n", path);
        exit(3);
    }
    fclose(file);
}

static void rate_rk4(gm_dtype dtype, int64_t n) {
    gm_ode_plan *plan;
    ensemble e = lorenz_ensemble(context, dtype, n);
    const gm_ode_options options = {.dtype = dtype, .method = GM_ODE_RK4, .t1 = 1, .steps = 1000};
    const gm_ode_result result = {.end = &e.tensor[2]};
    require(gm_ode_plan_create(context, &user_lorenz, &options, &plan), context, "plan");
    const double taken = least_solve_time(plan, &e, &result, REPEATS);
    print_head("rate", "rk4_lorenz", gm_dtype_name(dtype));
    printf(", \"n\": %lld, \"seconds\": %.6g, \"rate\": %.6g, \"unit\": \"steps/s\", \"error\": "
           "%.3g}\n",
           (long long)n, taken, 1000 * (double)n / taken, median_error(&e));
    gm_ode_plan_destroy(plan);
    release(context, &e);
}

static void rate_adaptive(const char *kind, gm_ode_method method, gm_dtype dtype, double rtol,
                          int64_t n, int repeats) {
    gm_ode_plan *plan;
    ensemble e = lorenz_ensemble(context, dtype, n);
    const gm_ode_options options = {.dtype = dtype,
                                    .method = method,
                                    .t1 = 1,
                                    .rtol = rtol,
                                    .atol = 1e-3 * rtol,
                                    .first_step = 0.01};
    const gm_ode_result timed = {.end = &e.tensor[2]};
    const gm_ode_result counted = {
        .end = &e.tensor[2], .accepted = &e.tensor[3], .rejected = &e.tensor[4]};
    require(gm_ode_plan_create(context, &user_lorenz, &options, &plan), context, "plan");
    const double taken = least_solve_time(plan, &e, &timed, repeats);
    require(gm_ode_solve(plan, &e.tensor[0], &e.tensor[1], &counted), context, "ode_solve");
    require(gm_context_synchronize(context), context, "synchronise");
    const double count = attempts(&e);
    char what[64];
    snprintf(what, sizeof what, "%s_lorenz%s", method == GM_ODE_TSIT5 ? "tsit5" : "dopri5",
             shuffled ? "_shuffled" : "");
    print_head(kind, what, gm_dtype_name(dtype));
    printf(", \"n\": %lld, \"rtol\": %g, \"seconds\": %.6g, \"seconds_per_trajectory\": %.6g, "
           "\"attempts_per_trajectory\": %.4g, \"rate\": %.6g, \"unit\": \"attempts/s\", "
           "\"error\": %.3g}\n",
           (long long)n, rtol, taken, taken / (double)n, count / (double)n, count / taken,
           median_error(&e));
    gm_ode_plan_destroy(plan);
    release(context, &e);
}

static void rate_gbm(gm_dtype dtype, int64_t n) {
    enum { STEPS = 256 };
    gm_sde_plan *plan;
    ensemble e = {.dtype = dtype, .n = n};
    allocate(context, &e, 0, dtype, 1);
    allocate(context, &e, 1, dtype, 2);
    allocate(context, &e, 2, dtype, 1);
    fill(context, &e, 0, 1, (const double[]){1}, -1);
    fill(context, &e, 1, 2, (const double[]){0.05, 0.2}, -1);
    gm_tensor y0 = gm_tensor_2d(e.memory[0], dtype, 1, n),
              end = gm_tensor_2d(e.memory[2], dtype, 1, n);
    const gm_sde_options options = {.dtype = dtype, .t1 = 1, .steps = STEPS, .seed = 1};
    const gm_sde_result result = {.end = &end};
    require(gm_sde_plan_create(context, &user_gbm_sde, &options, &plan), context, "plan");
    double best = INFINITY;
    for (int r = 0; r <= REPEATS; ++r) {
        const double begin = seconds();
        require(gm_sde_solve(plan, &y0, &e.tensor[1], &result), context, "sde_solve");
        require(gm_context_synchronize(context), context, "synchronise");
        const double taken = seconds() - begin;
        best = r > 0 && taken < best ? taken : best;
    }
    print_head("rate", "em_gbm", gm_dtype_name(dtype));
    printf(", \"n\": %lld, \"seconds\": %.6g, \"rate\": %.6g, \"unit\": \"normals/s\"}\n",
           (long long)n, best, STEPS * (double)n / best);
    gm_sde_plan_destroy(plan);
    release(context, &e);
}

static void rate_normals(gm_dtype dtype, int64_t n) {
    void *memory;
    const gm_random_stream stream = {.seed = 1};
    require(gm_memory_alloc(context, (size_t)n * gm_dtype_size(dtype), &memory), context, "memory");
    const gm_tensor out = gm_tensor_1d(memory, dtype, n);
    double best = INFINITY;
    for (int r = 0; r <= REPEATS; ++r) {
        const double begin = seconds();
        require(gm_random_fill_normal(context, &stream, 0, 1, &out), context, "fill_normal");
        require(gm_context_synchronize(context), context, "synchronise");
        const double taken = seconds() - begin;
        best = r > 0 && taken < best ? taken : best;
    }
    print_head("rate", "fill_normal", gm_dtype_name(dtype));
    printf(", \"n\": %lld, \"seconds\": %.6g, \"rate\": %.6g, \"unit\": \"normals/s\"}\n",
           (long long)n, best, (double)n / best);
    gm_memory_free(context, memory);
}

/* Everything separate, in double: what a user who takes no care of memory allocates. */
static void measure_memory(void) {
    const int64_t n = 10000000;
    ensemble e = {.dtype = GM_F64, .n = n};
    for (int slot = 0; slot < 3; ++slot) {
        allocate(context, &e, slot, GM_F64, 3);
    }
    for (int64_t i = 0; i < n; ++i) {
        double *y0 = e.memory[0], *p = e.memory[1];
        y0[i] = 1, y0[n + i] = 0, y0[2 * n + i] = 0;
        p[i] = 10, p[n + i] = 21 * (double)i / (double)(n - 1), p[2 * n + i] = 8.0 / 3;
    }
    const gm_ode_options options[] = {{.method = GM_ODE_RK4, .t1 = 0.1, .steps = 100},
                                      {.method = GM_ODE_TSIT5, .t1 = 1, .rtol = 1e-3}};
    for (int m = 0; m < 2; ++m) {
        gm_ode_plan *plan;
        const gm_ode_result result = {.end = &e.tensor[2]};
        require(gm_ode_plan_create(context, &user_lorenz, &options[m], &plan), context, "plan");
        const double taken = least_solve_time(plan, &e, &result, 1);
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        print_head("memory", m == 0 ? "rk4_lorenz" : "tsit5_lorenz", "f64");
        printf(", \"n\": %lld, \"seconds\": %.3g, \"peak_bytes\": %lld}\n", (long long)n, taken,
               1024LL * usage.ru_maxrss);
        gm_ode_plan_destroy(plan);
    }
    release(context, &e);
}

static void usage(FILE *stream) {
    fputs("usage: measure [--threads N] reference FILE | rates FILE | precision FILE | memory\n",
          stream);
}

int main(int argc, char **argv) {
    int at = 1;
    gm_context_options options = {0};
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        usage(stdout);
        return 0;
    }
    if (argc > 3 && strcmp(argv[1], "--threads") == 0) {
        options.threads = (int32_t)strtol(argv[2], NULL, 10);
        at = 3;
    }
    const char *command = at < argc ? argv[at] : "", *path = at + 1 < argc ? argv[at + 1] : NULL;
    require(gm_context_create(&options, &context), NULL, "context");
    const bool gpu = gm_context_backend(context) == GM_BACKEND_CUDA;
    if (strcmp(command, "reference") == 0 && path != NULL) {
        write_reference(path);
    } else if (strcmp(command, "rates") == 0 && path != NULL) {
        read_reference(path);
        for (int d = 0; d < 2; ++d) {
            const gm_dtype dtype = d == 0 ? GM_F64 : GM_F32;
            rate_rk4(dtype, gpu ? 1 << 23 : 1 << 16);
            rate_adaptive("rate", GM_ODE_TSIT5, dtype, d == 0 ? 1e-6 : 1e-4,
                          gpu ? 1 << 19 : 1 << 16, REPEATS);
            /* Without a fused multiply-add instruction noise takes thirty times as long. */
            const int less = gm_context_isa(context) == GM_ISA_BASE ? 5 : 0;
            rate_gbm(dtype, gpu ? 1 << 23 : 1 << (18 - less));
            rate_normals(dtype, gpu ? 1 << 28 : 1 << (22 - less));
        }
    } else if (strcmp(command, "precision") == 0 && path != NULL) {
        read_reference(path);
        for (int order = 0; order < 2; ++order) {
            shuffled = order == 1;
            const double first = shuffled ? 1e-5 : 1e-3, last = shuffled ? 1e-7 : 1e-9;
            for (int method = GM_ODE_TSIT5; method <= GM_ODE_DOPRI5; ++method) {
                for (double rtol = first; rtol > 0.9 * last; rtol *= 0.1) {
                    rate_adaptive("precision", (gm_ode_method)method, GM_F64, rtol,
                                  gpu ? 1 << 19 : 1 << 15, 5);
                }
            }
        }
    } else if (strcmp(command, "memory") == 0 && !gpu) {
        measure_memory();
    } else {
        usage(stderr);
        return 2;
    }
    gm_context_destroy(context);
    return 0;
}

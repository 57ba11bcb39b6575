/*
 * What a call of the public API costs over the kernel it runs, on data that is already where the
 * backend's kernels can reach it. Prints JSON, one object a line.
 *
 *     call     one solve and the wait for it, as a caller who needs the result sees it
 *     queued   a solve out of many that were queued before one wait
 *     kernel   between two events around one solve on the device, by the driver, which is opened at
 * run time: no CUDA header or library is needed; absent where there is no driver
 *
 * The target of 1.2 is call / kernel, or call / queued where there are no events. $GENMATH_BACKEND
 * chooses what runs; sizes that would take the emulator hours are cut there.
 */
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <genmath/genmath.h>

GM_SYSTEM(user_lorenz, 3, 3, {
    const real a = y[0], b = y[1], c = y[2];
    dydt[0] = p[0] * (b - a);
    dydt[1] = a * (p[1] - c) - b;
    dydt[2] = a * b - p[2] * c;
})

static gm_context *context;

static void require(gm_status status, const char *doing) {
    if (status != GM_STATUS_OK) {
        fprintf(stderr, "api_overhead: %s: %s: %s\n", doing, gm_status_string(status),
                gm_last_error(context));
        exit(3);
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- events of the driver ---- */

typedef struct events {
    int (*create)(void **event, unsigned flags);
    int (*record)(void *event, void *stream);
    int (*synchronize)(void *event);
    int (*elapsed)(float *milliseconds, void *begin, void *end);
    void *begin, *end;
} events;

/* The module has made the device's context current in this thread by now. */
static bool open_events(events *e) {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (driver == NULL) {
        return false;
    }
    *(void **)&e->create = dlsym(driver, "cuEventCreate");
    *(void **)&e->record = dlsym(driver, "cuEventRecord");
    *(void **)&e->synchronize = dlsym(driver, "cuEventSynchronize");
    *(void **)&e->elapsed = dlsym(driver, "cuEventElapsedTime");
    return e->create != NULL && e->record != NULL && e->synchronize != NULL && e->elapsed != NULL &&
           e->create(&e->begin, 0) == 0 && e->create(&e->end, 0) == 0;
}

/* ---- one ensemble ---- */

typedef struct solve {
    gm_ode_plan *plan;
    void *memory[3];
    gm_tensor y0, params, end;
} solve;

static void run(const solve *s) {
    const gm_ode_result result = {.end = &s->end};
    require(gm_ode_solve(s->plan, &s->y0, &s->params, &result), "ode_solve");
}

static solve prepare(gm_dtype dtype, gm_ode_method method, int64_t n) {
    solve s = {0};
    const size_t size = gm_dtype_size(dtype), bytes = (size_t)(3 * n) * size;
    char *host = malloc(bytes);
    for (int slot = 0; slot < 3; ++slot) {
        require(gm_memory_alloc(context, bytes, &s.memory[slot]), "memory");
        for (int64_t i = 0; slot < 2 && host != NULL && i < 3 * n; ++i) {
            const double start[] = {1, 0, 0};
            const double p[] = {10, 21 * (double)(i % n) / (double)n, 8.0 / 3};
            const double value = slot == 0 ? start[i / n] : p[i / n];
            if (dtype == GM_F64) {
                ((double *)host)[i] = value;
            } else {
                ((float *)host)[i] = (float)value;
            }
        }
        require(host == NULL ? GM_STATUS_OUT_OF_MEMORY
                             : gm_memory_upload(context, s.memory[slot], host, bytes),
                "upload");
    }
    free(host);
    s.y0 = gm_tensor_2d(s.memory[0], dtype, 3, n);
    s.params = gm_tensor_2d(s.memory[1], dtype, 3, n);
    s.end = gm_tensor_2d(s.memory[2], dtype, 3, n);
    const gm_ode_options fixed = {.dtype = dtype, .method = GM_ODE_RK4, .t1 = 1, .steps = 1000};
    const gm_ode_options adaptive = {
        .dtype = dtype, .method = method, .t1 = 1, .rtol = 1e-6, .atol = 1e-9, .first_step = 0.01};
    require(gm_ode_plan_create(context, &user_lorenz, method == GM_ODE_RK4 ? &fixed : &adaptive,
                               &s.plan),
            "plan");
    return s;
}

static void release(solve *s) {
    gm_ode_plan_destroy(s->plan);
    for (int slot = 0; slot < 3; ++slot) {
        gm_memory_free(context, s->memory[slot]);
    }
}

static double median_call(const solve *s, int repeats, events *e, double *kernel) {
    double call[64], device[64];
    for (int r = 0; r < repeats; ++r) {
        require(gm_context_synchronize(context), "synchronise");
        const double begin = seconds();
        run(s);
        require(gm_context_synchronize(context), "synchronise");
        call[r] = seconds() - begin;
    }
    for (int r = 0; e != NULL && r < repeats; ++r) {
        float milliseconds = NAN;
        e->record(e->begin, NULL);
        run(s);
        e->record(e->end, NULL);
        if (e->synchronize(e->end) != 0 || e->elapsed(&milliseconds, e->begin, e->end) != 0) {
            milliseconds = NAN;
        }
        device[r] = 1e-3 * (double)milliseconds;
    }
    qsort(call, (size_t)repeats, sizeof *call, compare_doubles);
    *kernel = NAN;
    if (e != NULL) {
        qsort(device, (size_t)repeats, sizeof *device, compare_doubles);
        *kernel = device[repeats / 2];
    }
    return call[repeats / 2];
}

static void measure(const char *what, gm_dtype dtype, gm_ode_method method, int64_t n, events *e) {
    solve s = prepare(dtype, method, n);
    run(&s);
    require(gm_context_synchronize(context), "synchronise");
    const double probe = seconds();
    run(&s);
    require(gm_context_synchronize(context), "synchronise");
    /* About a second in all, of at least 3 and at most 63 calls. */
    const double fit = 0.3 / (seconds() - probe);
    const int repeats = fit < 3 ? 3 : fit > 63 ? 63 : (int)fit;
    double kernel;
    const double call = median_call(&s, repeats, e, &kernel);
    const double begin = seconds();
    for (int r = 0; r < repeats; ++r) {
        run(&s);
    }
    require(gm_context_synchronize(context), "synchronise");
    const double queued = (seconds() - begin) / repeats;
    const double floor = isfinite(kernel) ? kernel : queued;
    printf("{\"peer\": \"genmath\", \"kind\": \"overhead\", \"case\": \"%s\", \"dtype\": \"%s\", "
           "\"backend\": \"%s\", \"kernel_name\": \"%s\", \"n\": %lld, \"call_seconds\": %.6g, "
           "\"queued_seconds\": %.6g, ",
           what, gm_dtype_name(dtype), gm_context_backend_name(context), gm_last_kernel(context),
           (long long)n, call, queued);
    if (isfinite(kernel)) {
        printf("\"kernel_seconds\": %.6g, ", kernel);
    }
    printf("\"ratio\": %.4g, \"target\": 1.2}\n", call / floor);
    release(&s);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        fputs("usage: api_overhead (no arguments; $GENMATH_BACKEND chooses what runs)\n", stdout);
        return strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    require(gm_context_create(NULL, &context), "context");
    const gm_backend_id backend = gm_context_backend(context);
    events e = {0};
    const bool timed = backend == GM_BACKEND_CUDA && open_events(&e);
    const int64_t rk4 = backend == GM_BACKEND_CUDA  ? 8388608
                        : backend == GM_BACKEND_CPU ? 65536
                                                    : 64;
    const int64_t erk = backend == GM_BACKEND_CUDA  ? 524288
                        : backend == GM_BACKEND_CPU ? 65536
                                                    : 64;
    for (int d = 0; d < 2; ++d) {
        const gm_dtype dtype = d == 0 ? GM_F32 : GM_F64;
        measure("rk4_lorenz", dtype, GM_ODE_RK4, rk4, timed ? &e : NULL);
        measure("rk4_lorenz", dtype, GM_ODE_RK4, 2048 < rk4 ? 2048 : rk4, timed ? &e : NULL);
    }
    measure("tsit5_lorenz", GM_F64, GM_ODE_TSIT5, erk, timed ? &e : NULL);
    measure("tsit5_lorenz", GM_F64, GM_ODE_TSIT5, 2048 < erk ? 2048 : erk, timed ? &e : NULL);
    gm_context_destroy(context);
    return 0;
}

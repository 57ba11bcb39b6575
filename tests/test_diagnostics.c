/*
 * Convergence diagnostics: fixed draws whose values tests/data/diagnostics.txt holds, draws that
 * say nothing, any layout and type, and errors.
 */
#include "tests/support.h"

#include <float.h>
#include <math.h>

#include <genmath/diagnostics.h>

#include "host/quantile.h"

typedef struct target {
    const char *name;
    gm_context *context;
    bool is_kernel;
    gm_workspace kept; /* the largest so far: what a call leaves there is the next one's dirt */
} target;
static target targets[5];
static int target_count;

static int open_targets(void **state) {
    (void)state;
    static const gm_context_options options[] = {{.backend = GM_BACKEND_REF},
                                                 {.backend = GM_BACKEND_CPU, .threads = 1},
                                                 {.backend = GM_BACKEND_CPU, .threads = 3},
                                                 {.backend = GM_BACKEND_EMU},
                                                 {.backend = GM_BACKEND_CUDA}};
    static const char *const names[] = {"ref", "cpu, 1 thread", "cpu, 3 threads", "emu", "cuda"};
    for (int i = 0; i < 5; ++i) {
        target *t = &targets[target_count];
        *t = (target){.name = names[i], .is_kernel = i > 2};
        if (gm_context_create(&options[i], &t->context) == GM_STATUS_OK) {
            ++target_count;
        } else {
            assert_true(t->is_kernel);
            print_message("skip: %s: %s\n", names[i], gm_last_error(NULL));
        }
    }
    return 0;
}

static int close_targets(void **state) {
    (void)state;
    for (int i = 0; i < target_count; ++i) {
        gm_memory_free(targets[i].context, targets[i].kept.data);
        gm_context_destroy(targets[i].context);
    }
    return 0;
}

#define FOR_EACH_TARGET(t) for (target *t = targets; t < targets + target_count; ++t)

/* A host tensor's memory, from its lowest element to its highest, in the target's. */
typedef struct there {
    gm_tensor tensor;
    char *low;
    void *memory;
    size_t bytes;
} there;

static there bring(const target *t, const gm_tensor *host) {
    const int64_t size = (int64_t)gm_dtype_size(host->dtype);
    there made = {.tensor = *host, .low = host->data, .bytes = (size_t)size};
    for (int32_t axis = 0; axis < host->ndim; ++axis) {
        const int64_t reach = (host->shape[axis] - 1) * host->stride[axis] * size;
        if (host->shape[axis] == 0) {
            made.bytes = 0;
            return made;
        }
        made.low += reach < 0 ? reach : 0;
        made.bytes += (size_t)llabs(reach);
    }
    ASSERT_OK(t->context, gm_memory_alloc(t->context, made.bytes, &made.memory));
    ASSERT_OK(t->context, gm_memory_upload(t->context, made.memory, made.low, made.bytes));
    made.tensor.data = (char *)made.memory + ((char *)host->data - made.low);
    return made;
}

/* What gm_diagnose says of draws. The workspace has exactly the bytes asked for where it is new. */
static void diagnose(target *t, const gm_diagnose_options *options, const gm_tensor *draws,
                     const gm_tensor *out) {
    there in = bring(t, draws), results = bring(t, out);
    gm_workspace needed = {0};
    ASSERT_OK(t->context, gm_diagnose(t->context, options, &in.tensor, &results.tensor, &needed));
    assert_true(needed.bytes > 0);
    if (needed.bytes > t->kept.bytes) {
        ASSERT_OK(t->context, gm_memory_free(t->context, t->kept.data));
        ASSERT_OK(t->context, gm_memory_alloc(t->context, needed.bytes, &t->kept.data));
        t->kept.bytes = needed.bytes;
        char *poison = malloc(needed.bytes);
        assert_non_null(poison);
        memset(poison, 0xff, needed.bytes);
        ASSERT_OK(t->context, gm_memory_upload(t->context, t->kept.data, poison, needed.bytes));
        free(poison);
    }
    ASSERT_OK(t->context, gm_diagnose(t->context, options, &in.tensor, &results.tensor, &t->kept));
    ASSERT_OK(t->context,
              gm_memory_download(t->context, results.low, results.memory, results.bytes));
    ASSERT_OK(t->context, gm_memory_free(t->context, in.memory));
    ASSERT_OK(t->context, gm_memory_free(t->context, results.memory));
}

/* n iterations of m chains, row-major. */
static double diagnose_one(target *t, gm_diagnostic diagnostic, double probability,
                           int64_t superchains, double *draws, int64_t n, int64_t m) {
    double result = 12345;
    const gm_tensor in = gm_tensor_2d(draws, GM_F64, n, m);
    const gm_tensor out = {&result, GM_F64, 0, {0}, {0}};
    diagnose(t, &(gm_diagnose_options){diagnostic, probability, superchains}, &in, &out);
    return result;
}

static bool is_close(double a, double b, double relative) {
    return isnan(a) ? isnan(b) : fabs(a - b) <= relative * fabs(b);
}

/* ---- known answers --------------------------------------------------------------------------- */

/* splitmix64 as a number in [0, 1). */
static double next_uniform(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

typedef struct fixed_case {
    char name[32];
    long n, m, levels, superchains;
    unsigned long seed;
    double phi, shift, scale, probability;
} fixed_case;

static double *make_draws(const fixed_case *c) {
    double *x = malloc((size_t)(c->n * c->m) * sizeof *x);
    assert_non_null(x);
    uint64_t random = c->seed;
    for (long chain = 0; chain < c->m; ++chain) {
        double y = 0;
        for (long t = 0; t < c->n; ++t) {
            y = c->phi * y + (next_uniform(&random) - 0.5);
            const double v = y * (1 + c->scale * (double)chain) + c->shift * (double)chain;
            x[t * c->m + chain] = c->levels != 0 ? floor((double)c->levels * v) : v;
        }
    }
    return x;
}

/* The sums are of up to 4000 terms of one size; 1e-12 is the precision asked for. */
static void known_answers(void **state) {
    (void)state;
    FILE *file = fopen("tests/data/diagnostics.txt", "r");
    assert_non_null(file);
    char line[256], name[64];
    fixed_case c = {.n = 0};
    double *draws = NULL;
    int compared = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        double wanted;
        if (line[0] == '#') {
            continue;
        }
        if (sscanf(line, "case %31s %ld %ld %lf %lf %lf %ld %lu %lf %ld", c.name, &c.n, &c.m,
                   &c.phi, &c.shift, &c.scale, &c.levels, &c.seed, &c.probability,
                   &c.superchains) == 10) {
            free(draws);
            draws = make_draws(&c);
            continue;
        }
        assert_int_equal(sscanf(line, "%63s %lf", name, &wanted), 2);
        int diagnostic = 0;
        while (strcmp(name, gm_diagnostic_name((gm_diagnostic)diagnostic)) != 0) {
            assert_non_null(gm_diagnostic_name((gm_diagnostic)++diagnostic));
        }
        FOR_EACH_TARGET(t) {
            const double got = diagnose_one(t, (gm_diagnostic)diagnostic, c.probability,
                                            c.superchains, draws, c.n, c.m);
            if (!is_close(got, wanted, 1e-12)) {
                fail_msg("%s: %s of %s: %.17g, not %.17g", t->name, name, c.name, got, wanted);
            }
        }
        ++compared;
    }
    free(draws);
    fclose(file);
    assert_int_equal(compared, 11 * GM_DIAGNOSTIC_COUNT);
}

/* Negative correlation cannot make an effective sample size exceed S log10(S): 4000 draws of an
 * autoregression at -0.9 are at that bound. */
static void the_cap(void **state) {
    (void)state;
    const fixed_case c = {"", 1000, 4, 0, 1, 3, -0.9, 0, 0, 0.5};
    double *draws = make_draws(&c);
    FOR_EACH_TARGET(t) {
        const double ess = diagnose_one(t, GM_DIAGNOSTIC_ESS_MEAN, 0, 1, draws, c.n, c.m);
        assert_true(is_close(ess, 4000 * log10(4000), 1e-14));
    }
    free(draws);
}

/* Chains at rest in two places have no variance within; the others are worked out beside them. */
static void by_hand(void **state) {
    (void)state;
    double steps[] = {1, 1, 1, 1, 2, 2, 2, 2};      /* two chains of four */
    double line[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; /* one chain */
    double nested[] = {0, 2, 4, 6};                 /* one iteration, four chains */
    double signs[] = {-0.0, -0.0, -0.0, -0.0, 1, 2, 0, 0, 0, 0, 1, 2};
    FOR_EACH_TARGET(t) {
        assert_true(isinf(diagnose_one(t, GM_DIAGNOSTIC_RHAT_BASIC, 0, 1, steps, 4, 2)));
        /* Halves 0..4 and 5..9: n = 5, B / n = 12.5, W = 2.5: sqrt(5 + 4 / 5). */
        assert_true(is_close(diagnose_one(t, GM_DIAGNOSTIC_RHAT_BASIC, 0, 1, line, 10, 1),
                             sqrt(12.5 / 2.5 + 0.8), 1e-15));
        /* Superchains {0, 2} and {4, 6}: means 1 and 5, B = 8; W = 2. */
        assert_true(is_close(diagnose_one(t, GM_DIAGNOSTIC_RHAT_NESTED, 0, 2, nested, 1, 4),
                             sqrt(5), 1e-15));
        /* Five iterations have no second pair: tau = -1 + 1, which the bound of 10 draws lifts. */
        assert_true(diagnose_one(t, GM_DIAGNOSTIC_ESS_MEAN, 0, 1, line, 10, 1) == 10);
        assert_true(diagnose_one(t, GM_DIAGNOSTIC_QUANTILE, 0.25, 1, line, 10, 1) == 2.25);
        /* -0 and 0 are equal draws, so both halves are: B = 0, n = 6. */
        assert_true(is_close(diagnose_one(t, GM_DIAGNOSTIC_RHAT, 0, 1, signs, 12, 1), sqrt(5.0 / 6),
                             1e-15));
        assert_true(diagnose_one(t, GM_DIAGNOSTIC_QUANTILE, 0, 1, line, 10, 1) == 0);
        assert_true(diagnose_one(t, GM_DIAGNOSTIC_QUANTILE, 1, 1, line, 10, 1) == 9);
    }
}

/* ---- draws that say nothing ------------------------------------------------------------------ */

static void silent_draws(void **state) {
    (void)state;
    enum { N = 20, M = 2 };
    static const double spoils[] = {NAN, INFINITY, -INFINITY, 0};
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < 4 * GM_DIAGNOSTIC_COUNT; ++i) {
            const gm_diagnostic diagnostic = (gm_diagnostic)(i / 4);
            double draws[N * M];
            uint64_t random = 1;
            for (int k = 0; k < N * M; ++k) {
                draws[k] = i % 4 == 3 ? 7 : next_uniform(&random);
            }
            if (i % 4 != 3) {
                draws[13] = spoils[i % 4];
            }
            const double got = diagnose_one(t, diagnostic, 0.5, 2, draws, N, M);
            const bool equal = i % 4 == 3 && diagnostic == GM_DIAGNOSTIC_QUANTILE;
            assert_true(equal ? got == 7 : isnan(got));
        }
        double none[1];
        for (int d = 0; d < GM_DIAGNOSTIC_COUNT; ++d) {
            assert_true(isnan(diagnose_one(t, (gm_diagnostic)d, 0.5, 1, none, 0, 3)));
        }
    }
}

/* ---- layouts, types, batches ----------------------------------------------------------------- */

/* A batch in f32 with the chains outermost and the iterations backward gives, quantity by quantity,
 * the bits of each alone. */
static void any_layout(void **state) {
    (void)state;
    enum { Q = 5, N = 40, M = 3 };
    static float stored[M][Q][N];
    double alone[N * M], results[2 * Q];
    uint64_t random = 21;
    for (int i = 0; i < M * Q * N; ++i) {
        (&stored[0][0][0])[i] = (float)next_uniform(&random);
    }
    const gm_tensor draws = {&stored[0][0][N - 1], GM_F32, 3, {Q, N, M}, {N, -1, Q * N}};
    const gm_tensor out = {results, GM_F64, 1, {Q}, {2}};
    FOR_EACH_TARGET(t) {
        for (int d = 0; d < GM_DIAGNOSTIC_COUNT; ++d) {
            for (int i = 0; i < 2 * Q; ++i) {
                results[i] = -1;
            }
            diagnose(t, &(gm_diagnose_options){(gm_diagnostic)d, 0.2, 3}, &draws, &out);
            for (int q = 0; q < Q; ++q) {
                for (int k = 0; k < N * M; ++k) {
                    alone[k] = (double)stored[k % M][q][N - 1 - k / M];
                }
                const double one = diagnose_one(t, (gm_diagnostic)d, 0.2, 3, alone, N, M);
                assert_memory_equal(&one, &results[2 * q], sizeof one);
                assert_true(results[2 * q + 1] == -1);
            }
        }
    }
}

/* Shapes that the kernels treat in different ways: long chains and many short ones, more draws than
 * a sorted tile or group of tiles has, ties; and more quantities than one launch takes, of which
 * one is spoiled. ref sums in order, so that S terms may cost it S units in the last place. */
static void as_the_reference(void **state) {
    (void)state;
    static const struct {
        long q, n, m, levels;
        unsigned diagnostics; /* bit by bit */
    } shapes[] = {
        {1, 2049, 3, 0, (1u << GM_DIAGNOSTIC_COUNT) - 1},
        {3, 2600, 2, 9, 1u << GM_DIAGNOSTIC_RHAT},
        {2, 7, 400, 0, (1u << GM_DIAGNOSTIC_COUNT) - 1},
        {1, 1, 300, 5, (1u << GM_DIAGNOSTIC_COUNT) - 1},
        {257, 8, 3, 6, 1u << GM_DIAGNOSTIC_ESS_MEAN | 1u << GM_DIAGNOSTIC_RHAT_NESTED},
        {1, 33333, 4, 0, 1u << GM_DIAGNOSTIC_ESS_BULK},
    };
    for (int i = 0; i < (int)(sizeof shapes / sizeof shapes[0]); ++i) {
        const long q = shapes[i].q, n = shapes[i].n, m = shapes[i].m, all = q * n * m;
        const fixed_case c = {"", n, q * m, shapes[i].levels, 1, 77, 0.8, 0, 0, 0.3};
        double *draws = make_draws(&c), *wanted = malloc((size_t)q * sizeof *wanted);
        double *got = malloc((size_t)q * sizeof *got);
        assert_true(wanted != NULL && got != NULL);
        draws[all / 2] = q > 100 ? NAN : draws[all / 2];
        /* Chains side by side: quantity k has m of them. */
        const gm_tensor in = {draws, GM_F64, 3, {q, n, m}, {m, q * m, 1}};
        const gm_tensor expected = gm_tensor_1d(wanted, GM_F64, q);
        const gm_tensor out = gm_tensor_1d(got, GM_F64, q);
        for (int d = 0; d < GM_DIAGNOSTIC_COUNT; ++d) {
            const gm_diagnose_options options = {(gm_diagnostic)d, 0.3, m % 3 == 0 ? 3 : 1};
            if ((shapes[i].diagnostics >> d & 1u) == 0) {
                continue;
            }
            diagnose(&targets[0], &options, &in, &expected);
            for (target *t = targets + 2; t < targets + target_count; ++t) {
                diagnose(t, &options, &in, &out);
                for (long k = 0; k < q; ++k) {
                    if (!is_close(got[k], wanted[k],
                                  1e-12 + 4 * (double)(n * m) * DBL_EPSILON / 2)) {
                        fail_msg("%s: %s of shape %d, quantity %ld: %.17g, not %.17g", t->name,
                                 gm_diagnostic_name((gm_diagnostic)d), i, k, got[k], wanted[k]);
                    }
                }
            }
        }
        free(draws);
        free(wanted);
        free(got);
    }
}

/* ---- the laws' quantiles --------------------------------------------------------------------- */

static void quantiles_of_laws(void **state) {
    (void)state;
    /* Tables: Abramowitz and Stegun 26.1; the distribution function back by erfc. */
    assert_true(fabs(gm_normal_quantile(0.975) - 1.959963984540054) < 1e-15);
    assert_true(gm_normal_quantile(0.5) == 0 || fabs(gm_normal_quantile(0.5)) < 1e-16);
    assert_true(isinf(gm_normal_quantile(0)) && isinf(gm_normal_quantile(1)));
    assert_true(isnan(gm_normal_quantile(-0.1)) && isnan(gm_normal_quantile(NAN)));
    for (double p = 1e-300; p < 0.5; p *= 1.7) {
        const double x = gm_normal_quantile(p);
        assert_true(is_close(0.5 * erfc(-x * M_SQRT1_2), p, 4 * (1 + x * x) * DBL_EPSILON));
        assert_true(p < 1e-15 || gm_normal_quantile(1 - p) == -gm_normal_quantile(1 - (1 - p)));
    }
    /* Closed forms: P(X <= x) = x^a for b = 1, 1 - (1 - x)^b for a = 1; symmetric for a = b. */
    for (double a = 1; a < 3000; a *= 2.3) {
        for (double p = 0.01; p < 1; p += 0.07) {
            /* The header's error of p, over how fast p changes with log x: at least p. */
            const double rough = 8 * (2 * a + 1) * log(2 * a + 1) * DBL_EPSILON / p;
            assert_true(is_close(gm_beta_quantile(p, a, 1), pow(p, 1 / a), rough));
            assert_true(is_close(gm_beta_quantile(p, 1, a), -expm1(log1p(-p) / a), rough));
            assert_true(
                is_close(1 - gm_beta_quantile(1 - p, a, a), gm_beta_quantile(p, a, a), rough));
        }
    }
    assert_true(isnan(gm_beta_quantile(0.5, -1, 1)));
    assert_true(gm_beta_quantile(0, 2, 3) == 0 && gm_beta_quantile(1, 2, 3) == 1);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void refusals(void **state) {
    (void)state;
    double x[64] = {0}, y[8] = {0};
    const gm_tensor draws = gm_tensor_3d(x, GM_F64, 2, 8, 4), out = gm_tensor_1d(y, GM_F64, 2);
    const gm_tensor flat = gm_tensor_1d(x, GM_F64, 8), single = gm_tensor_1d(y, GM_F32, 2);
    const gm_tensor longer = gm_tensor_1d(y, GM_F64, 3), inside = gm_tensor_1d(x + 5, GM_F64, 2);
    const gm_tensor integers = gm_tensor_3d(x, GM_I32, 2, 8, 4);
    const gm_diagnose_options good = {GM_DIAGNOSTIC_RHAT, 0, 0}, none = {GM_DIAGNOSTIC_COUNT, 0, 0};
    const gm_diagnose_options far = {GM_DIAGNOSTIC_QUANTILE, 1.5, 0};
    const gm_diagnose_options unordered = {GM_DIAGNOSTIC_ESS_QUANTILE, NAN, 0};
    const gm_diagnose_options three = {GM_DIAGNOSTIC_RHAT_NESTED, 0, 3};
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT, mismatch = GM_STATUS_SHAPE_MISMATCH;
    assert_null(gm_diagnostic_name(GM_DIAGNOSTIC_COUNT));
    FOR_EACH_TARGET(t) {
        gm_context *c = t->context;
        gm_workspace w = {0};
        if (t->is_kernel) { /* the same checks, and memory of the host is out of its reach */
            ASSERT_FAILS(c, gm_diagnose(c, &good, &draws, &out, &w), invalid, "draws");
            continue;
        }
        assert_int_equal(gm_diagnose(NULL, &good, &draws, &out, &w), invalid);
        ASSERT_FAILS(c, gm_diagnose(c, NULL, &draws, &out, &w), invalid, "options is NULL");
        ASSERT_FAILS(c, gm_diagnose(c, &good, &draws, &out, NULL), invalid, "workspace is NULL");
        ASSERT_FAILS(c, gm_diagnose(c, &none, &draws, &out, &w), invalid, "diagnostic = 13");
        ASSERT_FAILS(c, gm_diagnose(c, &far, &draws, &out, &w), invalid, "probability = 1.5");
        ASSERT_FAILS(c, gm_diagnose(c, &unordered, &draws, &out, &w), invalid, "probability");
        ASSERT_FAILS(c, gm_diagnose(c, &three, &draws, &out, &w), invalid, "superchains = 3");
        ASSERT_FAILS(c, gm_diagnose(c, &good, NULL, &out, &w), invalid, "draws is NULL");
        ASSERT_FAILS(c, gm_diagnose(c, &good, &flat, &out, &w), mismatch, "draws.ndim = 1");
        ASSERT_FAILS(c, gm_diagnose(c, &good, &integers, &out, &w), invalid, "draws.dtype");
        ASSERT_FAILS(c, gm_diagnose(c, &good, &draws, &single, &w), invalid, "out.dtype");
        ASSERT_FAILS(c, gm_diagnose(c, &good, &draws, &longer, &w), mismatch, "out.shape[0] = 3");
        ASSERT_FAILS(c, gm_diagnose(c, &good, &draws, &inside, &w), invalid, "overlap");
        ASSERT_OK(c, gm_diagnose(c, &good, &draws, &out, &w));
        gm_workspace small = {x, w.bytes - 1};
        ASSERT_FAILS(c, gm_diagnose(c, &good, &draws, &out, &small), GM_STATUS_WORKSPACE_TOO_SMALL,
                     "workspace.bytes");
        _Alignas(64) static char room[1 << 16];
        gm_workspace skewed = {room + 8, sizeof room - 8};
        ASSERT_FAILS(c, gm_diagnose(c, &good, &draws, &out, &skewed), invalid, "aligned");
        for (int i = 0; i < 8; ++i) {
            assert_true(y[i] == 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),     cmocka_unit_test(the_cap),
        cmocka_unit_test(by_hand),           cmocka_unit_test(silent_draws),
        cmocka_unit_test(any_layout),        cmocka_unit_test(as_the_reference),
        cmocka_unit_test(quantiles_of_laws), cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}

/* Exponentials, powers, phi functions and time-ordered exponentials against closed forms. */
#include <float.h>
#include <math.h>

#include "linalg.h"

#define FOR_EACH_HOST(s)                                                                           \
    FOR_EACH_BACKEND(s, "exp", "exp_apply", "power", "phi", "magnus 2", "determinant")

/* One problem in double: the views of contiguous memory as the backend reaches it, the call with
 * them, and what it made of them. `status` is how it went. */
static int32_t status;

enum { OPERANDS = 3 };
typedef struct operands {
    const host *s;
    gm_tensor view[OPERANDS], status;
    void *memory[OPERANDS];
    size_t bytes[OPERANDS];
    gm_linalg_report report;
    gm_workspace workspace;
    void *scratch; /* that the workspace is in, aligned */
} operands;

static void place(operands *o, const host *s, const gm_tensor *const *tensors) {
    *o = (operands){.s = s};
    status = 77;
    for (int i = 0; i < OPERANDS && tensors[i] != NULL; ++i) {
        int64_t elements;
        ASSERT_OK(NULL, gm_tensor_elements(tensors[i], &elements));
        o->view[i] = *tensors[i];
        o->memory[i] = tensors[i]->data;
        o->bytes[i] = (size_t)elements * gm_dtype_size(tensors[i]->dtype);
        o->view[i].data = place_on(s, o->memory[i], o->bytes[i]);
    }
    o->status = (gm_tensor){place_on(s, &status, sizeof status), GM_I32, 0, {0}, {0}};
    o->report.status = &o->status;
}

static void allocate(operands *o) {
    ASSERT_OK(o->s->context, gm_memory_alloc(o->s->context, o->workspace.bytes + 64, &o->scratch));
    o->workspace.data = (void *)(((uintptr_t)o->scratch + 63) / 64 * 64);
}

static void take(operands *o) {
    for (int i = 0; i < OPERANDS && o->memory[i] != NULL; ++i) {
        take_from(o->s, o->view[i].data, o->memory[i], o->bytes[i]);
    }
    take_from(o->s, o->status.data, &status, sizeof status);
    ASSERT_OK(o->s->context, gm_memory_free(o->s->context, o->scratch));
}

#define RUN(s, call, ...)                                                                          \
    do {                                                                                           \
        operands o;                                                                                \
        gm_context *const c = (s)->context;                                                        \
        place(&o, s, (const gm_tensor *const[OPERANDS + 1]){__VA_ARGS__, NULL});                   \
        const gm_linalg_report *report = &o.report;                                                \
        gm_workspace *workspace = &o.workspace;                                                    \
        ASSERT_OK(c, call);                                                                        \
        allocate(&o);                                                                              \
        ASSERT_OK(c, call);                                                                        \
        take(&o);                                                                                  \
    } while (0)
#define REST &o.view[0], &o.view[1], report, workspace

static gm_tensor square(double *x, int64_t n) {
    return gm_tensor_2d(x, GM_F64, n, n);
}

static void exp_of(const host *s, double t, int64_t n, double *a, double *out) {
    const gm_tensor from = square(a, n), to = square(out, n);
    RUN(s, gm_linalg_exp(c, t, REST), &from, &to);
}

static void assert_near(const double *got, const double *expected, int64_t count, double within) {
    for (int64_t i = 0; i < count; ++i) {
        if (!(fabs(got[i] - expected[i]) <= within)) {
            fail_msg("element %lld is %.17g, not %.17g", (long long)i, got[i], expected[i]);
        }
    }
}

static void exponentials_in_closed_form(void **state) {
    (void)state;
    double a[] = {2, 1, 1, -1}, nilpotent[] = {0, 3, 0, 0}, rotation[] = {0, -0.5, 0.5, 0};
    double huge[] = {1e5, 0, 0, 1e5}, out[4];
    static const double expected[] = {9.18481945825857, 2.69865229841308, 2.69865229841308,
                                      1.08886256301933};
    static const double shear[] = {1, 6, 0, 1};
    const double turn[] = {cos(10), -sin(10), sin(10), cos(10)};
    FOR_EACH_HOST(s) {
        exp_of(s, 1, 2, a, out);
        assert_near(out, expected, 4, 2e-14);
        assert_true(fabs(out[0] * out[3] - out[1] * out[2] - exp(1)) < 4e-14);
        exp_of(s, 2, 2, nilpotent, out);
        assert_near(out, shear, 4, 4e-15);
        exp_of(s, 20, 2, rotation, out);
        assert_near(out, turn, 4, 1e-14);
        exp_of(s, 0, 2, huge, out);
        assert_true(out[0] == 1 && out[1] == 0 && out[2] == 0 && out[3] == 1);
        exp_of(s, 1, 2, huge, out);
        assert_true(status == GM_STATUS_NON_FINITE && isnan(out[0]));
        exp_of(s, -1, 2, huge, out);
        assert_true(status == GM_STATUS_OK && out[0] == 0);
    }
}

/* exp(t A) for the chain of n sites: -2 on the diagonal, 1 beside it; `ends` on both ends. */
static void chain(int64_t n, double ends, double *a) {
    for (int64_t e = 0; e < n * n; ++e) {
        const int64_t i = e / n, j = e % n;
        a[e] = i == j ? (i == 0 || i == n - 1 ? ends : -2) : llabs(i - j) == 1;
    }
}

/*
 * Heat on 20 sites from a spike at site 10, where the ends are far enough for the infinite line's
 * e^{-2t} I_j(2t); insulated ends conserve the sum, cold ends leak.
 */
static void the_heat_kernel(void **state) {
    (void)state;
    enum { N = 20 };
    static const struct {
        double t, at, beside;
    } line[] = {{.1, .826938551634329, .0822831235288},
                {.5, .46575960759364, .20791041535},
                {1, .308508322553671, .215269289249}};
    double a[N * N], out[N * N], spike[N] = {0}, moved[N];
    spike[10] = 1;
    const gm_tensor b = gm_tensor_2d(spike, GM_F64, N, 1), x = gm_tensor_2d(moved, GM_F64, N, 1);
    const gm_tensor matrix = square(a, N);
    FOR_EACH_HOST(s) {
        chain(N, -2, a);
        for (int i = 0; i < 3; ++i) {
            exp_of(s, line[i].t, N, a, out);
            assert_true(fabs(out[10 * N + 10] - line[i].at) < 1e-11);
            assert_true(fabs(out[9 * N + 10] - line[i].beside) < 1e-11);
            RUN(s,
                gm_linalg_exp_apply(c, line[i].t, &o.view[0], &o.view[1], &o.view[2], report,
                                    workspace),
                &matrix, &b, &x);
            assert_true(fabs(moved[10] - line[i].at) < 1e-11);
        }
        double cold = 0, insulated = 0;
        exp_of(s, 2, N, a, out);
        chain(N, -1, a);
        RUN(s, gm_linalg_exp_apply(c, 2, &o.view[0], &o.view[1], &o.view[2], report, workspace),
            &matrix, &b, &x);
        for (int i = 0; i < N; ++i) {
            cold += out[i * N + 10];
            insulated += moved[i];
        }
        assert_true(fabs(cold - .999987688262167) < 1e-14 && fabs(insulated - 1) < 1e-14);
        /* Stiff: |t A| = 400. The mean is all that stays. A plain Taylor series has terms of e^400.
         */
        RUN(s, gm_linalg_exp_apply(c, 100, &o.view[0], &o.view[1], &o.view[2], report, workspace),
            &matrix, &b, &x);
        exp_of(s, 100, N, a, out);
        double slowest = 0;
        for (int k = 0; k < N; ++k) { /* the cosine modes at site 10 */
            const double rate = -4 * pow(sin(acos(-1) * k / (2 * N)), 2);
            const double mode = cos(acos(-1) * k * 10.5 / N);
            slowest += (k == 0 ? 1. : 2.) / N * exp(100 * rate) * mode * mode;
        }
        assert_true(fabs(moved[10] - slowest) < 1e-12 && fabs(out[10 * N + 10] - slowest) < 1e-12);
    }
}

static void consensus_on_graphs(void **state) {
    (void)state;
    double triangle[] = {2, -1, -1, -1, 2, -1, -1, -1, 2}, ring[25] = {0}, out[25];
    const double one = exp(-3.);
    const double first[] = {(1 + 2 * one) / 3, (1 - one) / 3, (1 - one) / 3};
    static const double around[] = {.3111679264026, .222351630222166, .122064406576534,
                                    .122064406576534, .222351630222166};
    for (int i = 0; i < 5; ++i) {
        ring[i * 6] = 2;
        ring[i * 5 + (i + 1) % 5] = ring[(i + 1) % 5 * 5 + i] = -1;
    }
    FOR_EACH_HOST(s) {
        exp_of(s, -1, 3, triangle, out);
        assert_near(out, first, 3, 1e-15);
        exp_of(s, -1, 5, ring, out);
        assert_near(out, around, 5, 1e-13);
    }
}

/* exp(A) exp(-A) = I, exp(P A P^-1) = P exp(A) P^-1, det exp A = exp tr A at several norms. */
static void identities_of_the_exponential(void **state) {
    (void)state;
    enum { N = 9 };
    double a[N * N], up[N * N], down[N * N], shifted[N * N], moved[N * N];
    FOR_EACH_HOST(s) {
        for (int norm = -6; norm < 5; ++norm) {
            uint64_t seed = 3;
            for (int i = 0; i < N * N; ++i) {
                a[i] = ((double)(next_random(&seed) >> 11) * 0x1p-52 - 1) * ldexp(1, norm) / N;
                shifted[(i / N + 1) % N * N + (i % N + 1) % N] = a[i];
            }
            exp_of(s, 1, N, a, up);
            exp_of(s, -1, N, a, down);
            exp_of(s, 1, N, shifted, moved);
            double size = 0, back = 0, trace = 0, error = 0;
            for (int i = 0; i < N * N; ++i) {
                double sum = 0;
                for (int l = 0; l < N; ++l) {
                    sum += up[i / N * N + l] * down[l * N + i % N];
                }
                error = fmax(error, fabs(sum - (i / N == i % N)));
                error = fmax(error, fabs(moved[(i / N + 1) % N * N + (i % N + 1) % N] - up[i]));
                size = fmax(size, fabs(up[i]));
                back = fmax(back, fabs(down[i]));
                trace += i / N == i % N ? a[i] : 0;
            }
            assert_true(error < THRESHOLD * N * DBL_EPSILON * size * fmax(1, back));
            double log_abs;
            const gm_tensor result = {&log_abs, GM_F64, 0, {0}, {0}}, from = square(up, N);
            RUN(s,
                gm_linalg_determinant(c, &o.view[0],
                                      &(gm_determinant_result){.log_abs = &o.view[1]}, report,
                                      workspace),
                &from, &result);
            assert_true(fabs(log_abs - trace) < THRESHOLD * N * DBL_EPSILON * size * fmax(1, back));
        }
    }
}

/* x' = A x + b from x = 0 is t phi_1(t A) b; phi_k(0) = 1 / k!. */
static void phi_functions(void **state) {
    (void)state;
    double a[] = {-1, .5, 0, 0, -.5, .3, 0, 0, -.2}, out[17 * 9], zero[9] = {0};
    static const double b[] = {1, .5, -.5}, times[] = {1, 5, 20};
    static const double x[][3] = {
        {.701243156893004, .333765563269688, -.453173117305045},
        {1.15853602114537, .255528605680808, -1.58030139707139},
        {.778527385260012, -.45430170263769, -2.45421090277816},
    };
    const gm_tensor matrix = square(a, 3), nothing = square(zero, 3);
    const gm_tensor two = gm_tensor_3d(out, GM_F64, 2, 3, 3),
                    all = gm_tensor_3d(out, GM_F64, 17, 3, 3);
    FOR_EACH_HOST(s) {
        for (int i = 0; i < 3; ++i) {
            RUN(s, gm_linalg_phi(c, times[i], REST), &matrix, &two);
            double got[3] = {0};
            for (int e = 0; e < 9; ++e) {
                got[e / 3] += times[i] * out[9 + e] * b[e % 3];
            }
            assert_near(got, x[i], 3, 1e-13);
        }
        RUN(s, gm_linalg_phi(c, 3, REST), &nothing, &all);
        for (int e = 0; e < 17 * 9; ++e) {
            const double expected = e % 9 % 4 == 0 ? 1 / tgamma(e / 9 + 1) : 0;
            assert_true(fabs(out[e] - expected) <= 4 * DBL_EPSILON); /* of the largest */
        }
    }
}

static void powers_of_integers(void **state) {
    (void)state;
    double fibonacci[] = {1, 1, 1, 0}, out[4], diagonal[] = {2, 0, 0, 4}, singular[] = {1, 1, 1, 1};
    double swap[] = {0, 1, 1, 0};
    const gm_tensor a = square(fibonacci, 2), to = square(out, 2), d = square(diagonal, 2);
    const gm_tensor none = square(singular, 2), p = square(swap, 2);
    static const double forty[] = {165580141, 102334155, 102334155, 63245986};
    static const double eighth[] = {.125, 0, 0, 1. / 64}, one[] = {1, 0, 0, 1};
    FOR_EACH_HOST(s) {
        RUN(s, gm_linalg_power(c, 40, REST), &a, &to);
        assert_near(out, forty, 4, 0);
        RUN(s, gm_linalg_power(c, -3, REST), &d, &to);
        assert_near(out, eighth, 4, 0);
        RUN(s, gm_linalg_power(c, 0, REST), &none, &to);
        assert_near(out, one, 4, 0);
        RUN(s, gm_linalg_power(c, INT64_MIN, REST), &p, &to);
        assert_near(out, one, 4, 0);
        RUN(s, gm_linalg_power(c, INT64_MAX, REST), &p, &to);
        assert_near(out, swap, 4, 0);
        RUN(s, gm_linalg_power(c, -1, REST), &none, &to);
        assert_int_equal(status, GM_STATUS_SINGULAR);
        RUN(s, gm_linalg_power(c, 5000, REST), &d, &to);
        assert_int_equal(status, GM_STATUS_NON_FINITE);
    }
}

enum { MOST_STEPS = 64 };

/* The time-ordered exponential of ((0, 1), (t, 0)) from 0 to t1. */
static void airy(const host *s, double t1, int64_t steps, int32_t samples, double *out) {
    static double times[2 * MOST_STEPS], a[2 * MOST_STEPS * 4];
    ASSERT_OK(NULL, gm_linalg_magnus_times(0, t1, steps, samples, times));
    for (int64_t i = 0; i < steps * samples; ++i) {
        memcpy(a + 4 * i, (double[]){0, 1, times[i], 0}, 4 * sizeof *a);
    }
    gm_tensor from = {a, GM_F64, 4, {steps, samples, 2, 2}, {4 * samples, 4, 2, 1}};
    const gm_tensor to = square(out, 2);
    RUN(s, gm_linalg_magnus(c, t1 / (double)steps, REST), &from, &to);
}

static void the_time_ordered_exponential_of_airy(void **state) {
    (void)state;
    static const double phi[][4] = {
        {1.17229997005793, 1.08533964808298, .534034834285835, 1.34744452738473},
        {2.73088301789015, 3.61107374144847, 3.25951636161052, 4.67627278780315}};
    double out[4];
    FOR_EACH_HOST(s) {
        for (int order = 2; order <= 4; order += 2) {
            double last = 0;
            for (int64_t steps = 8; steps <= MOST_STEPS; steps *= 2) {
                airy(s, 2, steps, order / 2, out);
                double error = 0;
                for (int i = 0; i < 4; ++i) {
                    error = fmax(error, fabs(out[i] - phi[1][i]));
                }
                /* halving the step divides the error by 2^order */
                assert_true(last == 0 || fabs(log2(last / error) - order) < 0.1);
                assert_true(fabs(out[0] * out[3] - out[1] * out[2] - 1) < 1e-13);
                last = error;
            }
            assert_true(last < (order == 2 ? 2e-3 : 1e-6));
        }
        airy(s, 1, MOST_STEPS, 2, out);
        assert_near(out, phi[0], 4, 1e-8);
    }
}

/* A(t) = omega(t) J commutes with itself: order 2 turns by the midpoint rule's integral of omega,
 * order 4 by Gauss's, which has converged here. */
static void commuting_generators(void **state) {
    (void)state;
    double times[2 * MOST_STEPS], a[2 * MOST_STEPS * 4], out[4];
    const double theta = 8.57275001690431;
    const double turn[] = {cos(theta), -sin(theta), sin(theta), cos(theta)};
    ASSERT_OK(NULL, gm_linalg_magnus_times(0, 8, MOST_STEPS, 2, times));
    for (int64_t i = 0; i < 2 * MOST_STEPS; ++i) {
        const double omega = 1 + 0.5 * sin(times[i]);
        memcpy(a + 4 * i, (double[]){0, -omega, omega, 0}, 4 * sizeof *a);
    }
    const gm_tensor from = {a, GM_F64, 4, {MOST_STEPS, 2, 2, 2}, {8, 4, 2, 1}}, to = square(out, 2);
    FOR_EACH_HOST(s) {
        RUN(s, gm_linalg_magnus(c, 8. / MOST_STEPS, REST), &from, &to);
        assert_near(out, turn, 4, 1e-7);
        assert_true(fabs(out[0] * out[0] + out[2] * out[2] - 1) < 1e-13);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponentials_in_closed_form),
        cmocka_unit_test(the_heat_kernel),
        cmocka_unit_test(consensus_on_graphs),
        cmocka_unit_test(identities_of_the_exponential),
        cmocka_unit_test(phi_functions),
        cmocka_unit_test(powers_of_integers),
        cmocka_unit_test(the_time_ordered_exponential_of_airy),
        cmocka_unit_test(commuting_generators),
    };
    return cmocka_run_group_tests(tests, open_hosts, close_hosts);
}

/* gm_correlations_add and gm_multispin_correlations against the exact laws of rings, small lattices
 * and the infinite square lattice, and gm_ising_square_correlations against closed forms. */
#include "tests/correlations_fixture.h"
#include "tests/ising_law.h"

/* ---- every state as a chain ------------------------------------------------------------------ */

/* The mean of each group's sum over all states, which are measured as so many chains, with weights
 * exp(beta pairs of group 0): nothing is drawn. */
static void weigh_states(const subject *s, const groups *g, int base, double beta, double *means) {
    const gm_correlations_model *m = &g->model;
    int64_t chains = 1;
    for (int64_t i = 0; i < m->sites; ++i) {
        chains *= base;
    }
    uint8_t *states = malloc((size_t)(chains * m->sites));
    int64_t *sums = calloc((size_t)(chains * m->groups), sizeof *sums);
    for (int64_t c = 0; c < chains; ++c) {
        for (int64_t i = 0, rest = c; i < m->sites; ++i, rest /= base) {
            const bool signs = m->q == 0 && m->spins == GM_ISING_SIGNS;
            states[c * m->sites + i] = (uint8_t)(signs ? (rest % 2 != 0 ? 1 : 255) : rest % base);
        }
    }
    const measurement r = {.chains = chains, .states = states, .sums = sums};
    add_measurement(s, m, &r);
    long double z = 0;
    long double *total = calloc((size_t)m->groups, sizeof *total);
    for (int64_t c = 0; c < chains; ++c) {
        const long double weight = expl(beta * (double)sums[c * m->groups]);
        z += weight;
        for (int64_t k = 0; k < m->groups; ++k) {
            total[k] += weight * sums[c * m->groups + k];
        }
    }
    for (int64_t k = 0; k < m->groups; ++k) {
        means[k] = (double)(total[k] / z);
    }
    free(total);
    free(states);
    free(sums);
}

/* A ring's pairs at distances 1 .. sites - 1. */
static groups ring_groups(int64_t sites, int32_t q, gm_ising_spins spins) {
    groups g = no_groups(sites, q, spins);
    const int32_t periodic = 1;
    for (int64_t r = 1; r < sites; ++r) {
        add_lattice_group(&g, GM_LATTICE_CUBIC, 1, &sites, &periodic, 0, r);
    }
    return g;
}

/* C(r) = (t^r + t^(N - r)) / (1 + t^N), t = tanh(beta). The bound is of 2^8 additions' rounding in
 * 64 bits of mantissa and the exponentials', generously. */
static void rings_of_spins_are_exact(void **state) {
    (void)state;
    enum { N = 8 };
    FOR_EACH_SUBJECT(s) {
        for (double beta = -0.7; beta < 1; beta += 0.8) {
            groups g = ring_groups(N, 0, GM_ISING_SIGNS);
            double means[N];
            weigh_states(s, &g, 2, beta, means);
            const double t = tanh(beta);
            for (int r = 1; r < N; ++r) {
                const double exact = (pow(t, r) + pow(t, N - r)) / (1 + pow(t, N));
                ASSERT_NEAR(s, means[r - 1] / N, exact, 1e-13);
            }
            free_groups(&g);
        }
    }
}

/* x_i in 0, 1: traces of powers of T = ((1, 1), (1, e)), e = exp(beta), of which the corner is the
 * sites that are 1: <x_0 x_r> = (T^r)_11 (T^(N - r))_11 / Tr T^N. */
static void rings_of_bits_are_exact(void **state) {
    (void)state;
    enum { N = 7 };
    FOR_EACH_SUBJECT(s) {
        const double beta = 0.9;
        groups g = ring_groups(N, 0, GM_ISING_BITS);
        double means[N], power[N + 1][2][2] = {{{1, 0}, {0, 1}}};
        weigh_states(s, &g, 2, beta, means);
        for (int k = 1; k <= N; ++k) {
            for (int i = 0; i < 2; ++i) {
                power[k][i][0] = power[k - 1][i][0] + power[k - 1][i][1];
                power[k][i][1] = power[k - 1][i][0] + power[k - 1][i][1] * exp(beta);
            }
        }
        for (int r = 1; r < N; ++r) {
            const double exact =
                power[r][1][1] * power[N - r][1][1] / (power[N][0][0] + power[N][1][1]);
            ASSERT_NEAR(s, means[r - 1] / N, exact, 1e-13);
        }
        free_groups(&g);
    }
}

/* The transfer matrix has the eigenvalues e + q - 1 and, q - 1 times, e - 1, e = exp(beta):
 * P(x_0 = x_r) = q t_r t_(N - r) / Z with t_k = (a^k + (q - 1) b^k) / q. */
static void rings_of_labels_are_exact(void **state) {
    (void)state;
    enum { N = 6, Q = 3 };
    FOR_EACH_SUBJECT(s) {
        const double beta = 0.8, a = exp(beta) + Q - 1, b = exp(beta) - 1;
        groups g = ring_groups(N, Q, GM_ISING_SIGNS);
        double means[N];
        weigh_states(s, &g, Q, beta, means);
        for (int r = 1; r < N; ++r) {
            const double t = (pow(a, r) + (Q - 1) * pow(b, r)) / Q;
            const double u = (pow(a, N - r) + (Q - 1) * pow(b, N - r)) / Q;
            ASSERT_NEAR(s, means[r - 1] / N, Q * t * u / (pow(a, N) + (Q - 1) * pow(b, N)), 1e-13);
        }
        free_groups(&g);
    }
}

/* A 3 x 3 lattice with free boundaries: corner with edge, and edge with centre, to the 12 digits
 * that are known of it; with the 8 and 4 such edges they give the known energies. */
static void three_by_three_is_exact(void **state) {
    (void)state;
    static const double known[][3] = {
        {0.2, 0.205346353180, 0.212678383587}, {0.3, 0.317754852412, 0.339527310983},
        {0.4, 0.439462959511, 0.481298514296}, {0.4406867935, 0.490910434313, 0.540858450214},
        {0.5, 0.566052390732, 0.625984521933}, {0.6, 0.685744698561, 0.754154395390},
        {1.0, 0.943499908957, 0.974916086933}};
    FOR_EACH_SUBJECT(s) {
        const int64_t size[2] = {3, 3};
        groups g = no_groups(9, 0, GM_ISING_SIGNS);
        int64_t edges;
        ASSERT_OK(NULL, gm_lattice_edges(GM_LATTICE_CUBIC, 2, size, NULL, NULL, &edges));
        ASSERT_OK(NULL,
                  gm_lattice_edges(GM_LATTICE_CUBIC, 2, size, NULL, add_group(&g, edges), &edges));
        memcpy(add_group(&g, 1), (const int32_t[]){0, 1}, 2 * sizeof(int32_t));
        memcpy(add_group(&g, 1), (const int32_t[]){1, 4}, 2 * sizeof(int32_t));
        for (int k = 0; k < COUNT(known); k += s->is_slow ? 4 : 1) {
            double means[3];
            weigh_states(s, &g, 2, known[k][0], means);
            ASSERT_NEAR(s, means[1], known[k][1], 6e-13);
            ASSERT_NEAR(s, means[2], known[k][2], 6e-13);
        }
        free_groups(&g);
    }
}

/* The 4 x 4 torus: the two axes are alike, and together, at distance 1, they are Kaufman's energy,
 * whose difference quotient is off by 1e-8; distances 1 and 3 are the same pairs. */
static void a_torus_is_exact(void **state) {
    (void)state;
    const int64_t size[2] = {4, 4};
    const int32_t periodic[2] = {1, 1};
    const double beta = 0.4;
    groups g = no_groups(16, 0, GM_ISING_SIGNS);
    int64_t edges;
    ASSERT_OK(NULL, gm_lattice_edges(GM_LATTICE_CUBIC, 2, size, periodic, NULL, &edges));
    ASSERT_OK(NULL,
              gm_lattice_edges(GM_LATTICE_CUBIC, 2, size, periodic, add_group(&g, edges), &edges));
    for (int32_t axis = 0; axis < 2; ++axis) {
        add_lattice_group(&g, GM_LATTICE_CUBIC, 2, size, periodic, axis, 1);
        add_lattice_group(&g, GM_LATTICE_CUBIC, 2, size, periodic, axis, 3);
    }
    double means[5];
    weigh_states(fastest(), &g, 2, beta, means);
    ASSERT_NEAR(fastest(), means[0], -(double)energy_of_torus(4, beta), 1e-7);
    for (int k = 1; k < 5; ++k) {
        ASSERT_NEAR(fastest(), means[k], means[0] / 2, 1e-12);
    }
    free_groups(&g);
}

/* Strips of three rows with free sides, five columns around: with the transfer matrix T between
 * columns, S the spin of the first row and R that of the second,
 * <x_0,0 x_0,r> = Tr(S T^r S T^(5 - r)) / Tr T^5, and <x_0,0 x_1,r> with R for the second S. */
static void strips_are_exact(void **state) {
    (void)state;
    enum { W = 3, N = 5, STATES = 1 << W };
    const int64_t size[2] = {W, N};
    const int32_t periodic[2] = {0, 1};
    const double beta = 0.55;
    double power[N + 1][STATES][STATES] = {{{0}}};
    for (int a = 0; a < STATES; ++a) {
        power[0][a][a] = 1;
        for (int b = 0; b < STATES; ++b) {
            double bonds = W - 2.0 * __builtin_popcount((unsigned)(a ^ b));
            for (int i = 0; i + 1 < W; ++i) {
                bonds += (a >> i & 1) == (a >> (i + 1) & 1) ? 1 : -1;
            }
            power[1][a][b] = exp(beta * bonds);
        }
    }
    for (int k = 2; k <= N; ++k) {
        for (int i = 0; i < STATES * STATES * STATES; ++i) {
            const int a = i / STATES / STATES, b = i / STATES % STATES, c = i % STATES;
            power[k][a][c] += power[k - 1][a][b] * power[1][b][c];
        }
    }
    groups g = no_groups(W * N, 0, GM_ISING_SIGNS);
    int64_t edges;
    ASSERT_OK(NULL, gm_lattice_edges(GM_LATTICE_CUBIC, 2, size, periodic, NULL, &edges));
    ASSERT_OK(NULL,
              gm_lattice_edges(GM_LATTICE_CUBIC, 2, size, periodic, add_group(&g, edges), &edges));
    for (int32_t r = 1; r < N; ++r) {
        memcpy(add_group(&g, 1), (const int32_t[]){0, r}, 2 * sizeof(int32_t));
        memcpy(add_group(&g, 1), (const int32_t[]){0, N + r}, 2 * sizeof(int32_t));
    }
    double means[2 * N];
    weigh_states(fastest(), &g, 2, beta, means);
    for (int r = 1; r < N; ++r) {
        double same = 0, other = 0, z = 0;
        for (int i = 0; i < STATES * STATES; ++i) {
            const int a = i / STATES, b = i % STATES, up = 2 * (a & 1) - 1;
            const double weight = power[r][a][b] * power[N - r][b][a];
            z += weight;
            same += up * (2 * (b & 1) - 1) * weight;
            other += up * (2 * (b >> 1 & 1) - 1) * weight;
        }
        ASSERT_NEAR(fastest(), means[2 * r - 1], same / z, 1e-13);
        ASSERT_NEAR(fastest(), means[2 * r], other / z, 1e-13);
    }
    free_groups(&g);
}

/* ---- the infinite square lattice ------------------------------------------------------------- */

/* Onsager's energy of a bond; the elliptic integral is pi / 2 over an arithmetic-geometric mean. */
static double onsager(double k) {
    const double th = tanh(2 * k), c = 2 * th * th - 1;
    double a = 1, b = fabs(c);
    for (int i = 0; i < 40; ++i) {
        const double mean = (a + b) / 2;
        b = sqrt(a * b);
        a = mean;
    }
    return (1 + c / a) / th / 2;
}

static void the_square_lattice_is_exact(void **state) {
    (void)state;
    const subject *s = subjects;
    const double critical = log1p(sqrt(2)) / 2, pi = acos(-1);
    double c[257];
    /* at the critical point: McCoy and Wu, chapter VIII */
    ASSERT_OK(NULL, gm_ising_square_correlations(critical, 64, c));
    ASSERT_NEAR(s, c[1], sqrt(0.5), 1e-13);
    ASSERT_NEAR(s, c[2], 1 - 4 / (pi * pi), 1e-13);
    const double slope = log(c[64] / c[32]) / log(2); /* -1/4 + O(1 / r^2) */
    ASSERT_NEAR(s, slope, -0.25, 2e-4);
    /* a bond's energy, and the square of Yang's magnetisation far apart: 1e-12 of rounding */
    static const double couplings[] = {0.05, 0.2, 0.35, 0.43, 0.45, 0.6, 1.1};
    for (int k = 0; k < COUNT(couplings); ++k) {
        const double x = couplings[k];
        const int most = k % 3 == 2 ? 128 : 32; /* of 0.35, 0.6 */
        ASSERT_OK(NULL, gm_ising_square_correlations(x, most, c));
        ASSERT_NEAR(s, c[0], 1, 0);
        ASSERT_NEAR(s, c[1], onsager(x), 1e-13);
        const double m2 = x > critical ? pow(1 - pow(sinh(2 * x), -4), 0.25) : 0;
        if (most == 128) { /* a correlation length of 2.6 at the most */
            ASSERT_NEAR(s, c[most], m2, 1e-11);
        }
        for (int r = 1; r < most && x > 0.5; ++r) {
            assert_true(c[r] > m2 - 1e-11 && c[r] < c[r - 1] + 1e-11);
        }
        double negative[4];
        ASSERT_OK(NULL, gm_ising_square_correlations(-x, 3, negative));
        for (int r = 0; r < 4; ++r) {
            ASSERT_NEAR(s, negative[r], r % 2 != 0 ? -c[r] : c[r], 1e-14);
        }
    }
    /* high temperature: one path of two bonds, two detours of four */
    ASSERT_OK(NULL, gm_ising_square_correlations(1e-3, 2, c));
    ASSERT_NEAR(s, c[2] * 1e6, 1 + 6e-6, 1e-8 + 1e-5);
    ASSERT_OK(NULL, gm_ising_square_correlations(0, 2, c));
    assert_true(c[0] == 1 && c[1] == 0 && c[2] == 0);
    ASSERT_OK(NULL, gm_ising_square_correlations(1000, 2, c));
    assert_true(c[0] == 1 && c[1] == 1 && c[2] == 1);
    c[0] = -7;
    ASSERT_FAILS(NULL, gm_ising_square_correlations(NAN, 2, c), GM_STATUS_INVALID_ARGUMENT,
                 "coupling = nan");
    ASSERT_FAILS(NULL, gm_ising_square_correlations(1, -1, c), GM_STATUS_INVALID_ARGUMENT,
                 "most = -1");
    ASSERT_FAILS(NULL, gm_ising_square_correlations(1, 257, c), GM_STATUS_INVALID_ARGUMENT,
                 "most = 257");
    ASSERT_FAILS(NULL, gm_ising_square_correlations(1, 2, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "values is NULL");
    assert_true(c[0] == -7);
}

/* ---- chains ---------------------------------------------------------------------------------- */

enum { CHAINS = 128, SIDE = 64, REACH = 6 };

/* Packed chains far above the critical temperature, measured between short runs: the correlation
 * length is 2.6, so that the torus is infinite to e^-20. Their averages are compared with the exact
 * values by the spread of 128 chains: |t| with 127 degrees of freedom is larger than 6 with
 * probability 2e-8, of twelve 2e-7. The last states are counted by gm_correlations_add as well. */
static void chains_have_the_exact_correlations(void **state) {
    (void)state;
    enum { measurements = 40, between = 6 };
    const subject *s = fastest();
    gm_context *c = s->context;
    const double coupling = 0.35;
    const gm_multispin_model model = {.axes = 2, .size = {SIDE, SIDE}, .periodic = {1, 1}};
    const int64_t words = multispin_info(&model).words;
    uint32_t *packed = malloc((size_t)(CHAINS * words) * sizeof *packed);
    int8_t *spins = malloc((size_t)CHAINS * SIDE * SIDE);
    double beta[CHAINS], exact[REACH + 1];
    static int64_t sums[2][CHAINS * REACH], last[CHAINS * REACH], other[CHAINS * REACH];
    draw_packed(5, packed, CHAINS * words);
    for (int i = 0; i < CHAINS; ++i) {
        beta[i] = coupling;
    }
    gm_multispin_plan *plan;
    ASSERT_OK(c, gm_multispin_plan_create(c, &model, &plan));
    packed_run run = {
        .chains = CHAINS, .sweeps = {.seed = 3, .sweeps = 120}, .beta = beta, .packed = packed};
    run_packed(s, plan, &run);
    run.sweeps.first_sweep = 120;
    run.sweeps.sweeps = between;
    const gm_tensor x = gm_tensor_2d(packed, GM_U32, CHAINS, words);
    gm_workspace workspace = {0};
    for (int k = 0; k < 2 * measurements; ++k) {
        const gm_multispin_distances d = {k % 2, 1, REACH};
        const gm_tensor y = gm_tensor_2d(sums[k % 2], GM_I64, CHAINS, REACH);
        memcpy(last, sums[k % 2], sizeof last);
        if (k % 2 == 0) {
            run_packed(s, plan, &run);
            run.sweeps.first_sweep += between;
        }
        if (k == 0) { /* the rows, which need more */
            const gm_multispin_distances rows = {1, 1, REACH};
            ASSERT_OK(c, gm_multispin_correlations(plan, &rows, &x, &y, &workspace));
            ASSERT_OK(c, gm_memory_alloc(c, workspace.bytes, &workspace.data));
        }
        ASSERT_OK(c, gm_multispin_correlations(plan, &d, &x, &y, &workspace));
    }
    ASSERT_OK(NULL, gm_ising_square_correlations(coupling, REACH, exact));
    for (int k = 0; k < 2 * REACH; ++k) {
        double mean = 0, square = 0;
        const double unit = 1.0 / ((double)SIDE * SIDE * measurements);
        for (int i = 0; i < CHAINS; ++i) {
            const double v = (double)sums[k % 2][i * REACH + k / 2] * unit;
            mean += v / CHAINS;
            square += v * v / CHAINS;
        }
        const double error = sqrt((square - mean * mean) / (CHAINS - 1));
        ASSERT_NEAR(s, mean, exact[k / 2 + 1], 6 * error);
        assert_true(error < 2e-3);
    }
    /* the last measurement again, of spins a byte each */
    groups g = no_groups(SIDE * SIDE, 0, GM_ISING_SIGNS);
    for (int64_t r = 1; r <= REACH; ++r) {
        add_lattice_group(&g, GM_LATTICE_CUBIC, 2, model.size, model.periodic, 1, r);
    }
    const gm_tensor bytes = gm_tensor_2d(spins, GM_I8, CHAINS, SIDE * SIDE);
    ASSERT_OK(c, gm_multispin_unpack(plan, &x, &bytes));
    const measurement r = {.chains = CHAINS, .states = (const uint8_t *)spins, .sums = other};
    add_measurement(s, &g.model, &r);
    for (int i = 0; i < CHAINS * REACH; ++i) {
        assert_true(sums[1][i] - last[i] == other[i]);
    }
    free_groups(&g);
    ASSERT_OK(c, gm_memory_free(c, workspace.data));
    gm_multispin_plan_destroy(plan);
    free(packed);
    free(spins);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings_of_spins_are_exact),
        cmocka_unit_test(rings_of_bits_are_exact),
        cmocka_unit_test(rings_of_labels_are_exact),
        cmocka_unit_test(three_by_three_is_exact),
        cmocka_unit_test(a_torus_is_exact),
        cmocka_unit_test(strips_are_exact),
        cmocka_unit_test(the_square_lattice_is_exact),
        cmocka_unit_test(chains_have_the_exact_correlations),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}

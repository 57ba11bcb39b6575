/*
 * Tempering and annealing of Potts models: the same bits on every subject, and the law at every
 * level, log Z and ground states against all q^n states.
 *
 * Ladders and chains are independent and start from the stationary law itself, so the mean over
 * them is a standard normal in units of its standard error; |z| > 5.2 has probability 2e-7, and
 * there are 14 comparisons: a false alarm has probability below 3e-6 for a seed that is drawn, and
 * the seeds are fixed.
 */
#include "tests/potts_fixture.h"

#include <genmath/annealing.h>
#include <genmath/tempering.h>

#define Z_BOUND 5.2
enum { Q = 3, SITES = 6, STATES = 729, EDGES = 7 }; /* two rows of three */
enum { LEVELS = 4, SWAPS = 3, LADDERS = 4000, CHAINS = LADDERS * LEVELS };

static const double ladder[LEVELS] = {0.2, 0.6, 1.0, 1.5};

/* A piece of the square lattice with couplings of both signs and fields; its plan on a subject. */
static gm_potts_plan *make_plan(const subject *s) {
    static const int32_t ends[EDGES][2] = {{0, 1}, {1, 2}, {3, 4}, {4, 5}, {0, 3}, {1, 4}, {2, 5}};
    static const double coupling[EDGES] = {1, -0.5, 1, 1, -1, 0.5, 1};
    static const double field[SITES][Q] = {{0.5, 0, 0}, {0}, {0, 0.25, 0}, {0}, {0, 0, -0.5}, {0}};
    const gm_potts_model model = {.sites = SITES,
                                  .edges = EDGES,
                                  .ends = &ends[0][0],
                                  .q = Q,
                                  .coupling = coupling,
                                  .field = &field[0][0]};
    gm_potts_plan *plan;
    ASSERT_OK(s->context, gm_potts_plan_create(s->context, &model, &plan));
    return plan;
}

static int label_of(int state, int site) {
    static const int power[SITES] = {1, 3, 9, 27, 81, 243};
    return state / power[site] % Q;
}

/* E of a state, worked out from the model once more. */
static double energy_of(int state) {
    const int x[SITES] = {label_of(state, 0), label_of(state, 1), label_of(state, 2),
                          label_of(state, 3), label_of(state, 4), label_of(state, 5)};
    return -(1.0 * (x[0] == x[1]) - 0.5 * (x[1] == x[2]) + (x[3] == x[4]) + (x[4] == x[5]) -
             (x[0] == x[3]) + 0.5 * (x[1] == x[4]) + (x[2] == x[5]) + 0.5 * (x[0] == 0) +
             0.25 * (x[2] == 1) - 0.5 * (x[4] == 2));
}

static double order_of(int state) {
    int count[Q] = {0}, most = 0;
    for (int i = 0; i < SITES; ++i) {
        const int n = ++count[label_of(state, i)];
        most = n > most ? n : most;
    }
    return Q * most - SITES;
}

static double partition(double beta) {
    double z = 0;
    for (int x = 0; x < STATES; ++x) {
        z += exp(-beta * energy_of(x));
    }
    return z;
}

/* States drawn from the law at beta. */
static void draw_law(double beta, uint64_t seed, int64_t chains, int64_t step, uint8_t *labels) {
    const double z = partition(beta);
    for (int64_t c = 0; c < chains; ++c) {
        double rest = (double)(next_random(&seed) >> 11) * 0x1p-53 * z;
        int x = 0;
        while (x < STATES - 1 && (rest -= exp(-beta * energy_of(x))) >= 0) {
            ++x;
        }
        for (int i = 0; i < SITES; ++i) {
            labels[c * step * SITES + i] = (uint8_t)label_of(x, i);
        }
    }
}

/* ---- tempering ------------------------------------------------------------------------------- */

typedef struct ladders {
    uint8_t labels[CHAINS * SITES];
    int32_t level[CHAINS], label[CHAINS];
    uint64_t sums[CHAINS][GM_POTTS_SUMS][2];
    int64_t swaps[LADDERS * (LEVELS - 1) * GM_TEMPERING_COUNTS], energy[CHAINS];
} ladders;

static void begin_ladders(ladders *l) {
    memset(l, 0, sizeof *l);
    for (int k = 0; k < LEVELS; ++k) {
        draw_law(ladder[k], 40 + (uint64_t)k, LADDERS, LEVELS, l->labels + k * SITES);
    }
    for (int i = 0; i < CHAINS; ++i) {
        l->level[i] = i % LEVELS;
    }
}

static void temper(const subject *s, int64_t count, bool sums, ladders *l) {
    gm_potts_plan *potts = make_plan(s);
    gm_tempering_plan *plan;
    const gm_tempering tempering = {.potts = potts, .temperatures = LEVELS, .beta = ladder};
    ASSERT_OK(s->context, gm_tempering_plan_create(s->context, &tempering, &plan));
    const int64_t chains = count * LEVELS;
    void *const host[6] = {l->labels, l->level, l->label, l->sums, l->swaps, l->energy};
    const struct {
        gm_dtype dtype;
        int32_t ndim;
        int64_t shape[4];
    } kind[6] = {{GM_U8, 2, {chains, SITES}},
                 {GM_I32, 2, {count, LEVELS}},
                 {GM_I32, 2, {count, LEVELS}},
                 {GM_U64, 4, {count, LEVELS, GM_POTTS_SUMS, 2}},
                 {GM_I64, 3, {count, LEVELS - 1, GM_TEMPERING_COUNTS}},
                 {GM_I64, 1, {chains}}};
    gm_tensor view[6];
    size_t bytes[6];
    for (int i = 0; i < 6; ++i) {
        int64_t elements;
        ASSERT_OK(NULL, gm_tensor_view(NULL, kind[i].dtype, kind[i].ndim, kind[i].shape, &view[i]));
        ASSERT_OK(NULL, gm_tensor_elements(&view[i], &elements));
        bytes[i] = (size_t)elements * gm_dtype_size(kind[i].dtype);
        view[i].data = uploaded(s, host[i], bytes[i]);
    }
    const gm_tempering_swaps run = {.seed = 5, .swaps = SWAPS, .sweeps = 1};
    const gm_tempering_state state = {&view[0], &view[1], &view[2]};
    const gm_tempering_result result = {
        .sums = sums ? &view[3] : NULL, .swaps = &view[4], .energy = &view[5]};
    gm_workspace workspace = {0};
    ASSERT_OK(s->context, gm_tempering_run(plan, &run, &state, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_alloc(s->context, workspace.bytes, &workspace.data));
    ASSERT_OK(s->context, gm_tempering_run(plan, &run, &state, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_free(s->context, workspace.data));
    for (int i = 0; i < 6; ++i) {
        ASSERT_OK(s->context, gm_memory_download(s->context, host[i], view[i].data, bytes[i]));
        ASSERT_OK(s->context, gm_memory_free(s->context, view[i].data));
    }
    gm_tempering_plan_destroy(plan);
    gm_potts_plan_destroy(potts);
}

static void ladders_have_the_same_bits(void **state) {
    (void)state;
    ladders *l = malloc(sizeof *l), *expected = malloc(sizeof *l);
    assert_true(l != NULL && expected != NULL);
    FOR_EACH_SUBJECT(s) {
        begin_ladders(l);
        temper(s, 19, true, l);
        if (s->is_reference) {
            memcpy(expected, l, sizeof *l);
        } else if (memcmp(l, expected, sizeof *l) != 0) {
            fail_msg("%s: other ladders", s->name);
        }
        begin_ladders(l);
        temper(s, 19, false, l);
        memcpy(l->sums, expected->sums, sizeof l->sums);
        assert_memory_equal(l, expected, sizeof *l);
    }
    for (int i = 0; i < 19 * LEVELS; ++i) { /* and the energies are those of the states */
        int x = 0;
        for (int site = SITES; site-- > 0;) {
            x = Q * x + l->labels[i * SITES + site];
        }
        ASSERT_NEAR(&subjects[0], 0.25 * (double)l->energy[i], energy_of(x), 0);
    }
    free(l);
    free(expected);
}

static void every_level_has_its_law(void **state) {
    (void)state;
    ladders *l = malloc(sizeof *l);
    double *values = malloc(LADDERS * sizeof *values);
    assert_true(l != NULL && values != NULL);
    begin_ladders(l);
    temper(fastest(), LADDERS, true, l);
    static const int which[3] = {GM_POTTS_E, GM_POTTS_E2, GM_POTTS_M};
    for (int k = 0; k < LEVELS; ++k) {
        double exact[3] = {0};
        for (int x = 0; x < STATES; ++x) {
            const double p = exp(-ladder[k] * energy_of(x)) / partition(ladder[k]);
            exact[0] += p * energy_of(x);
            exact[1] += p * energy_of(x) * energy_of(x);
            exact[2] += p * order_of(x);
        }
        for (int q = 0; q < 3; ++q) {
            const double unit = q == 0 ? 0.25 : q == 1 ? 0.0625 : 1; /* the quantum is 1/4 */
            for (int i = 0; i < LADDERS; ++i) {
                values[i] = unit * gm_ising_sum_value(l->sums[i * LEVELS + k][which[q]]) / SWAPS;
            }
            const double z = deviation_of_mean(values, LADDERS, exact[q]);
            if (!(fabs(z) < Z_BOUND)) {
                fail_msg("level %d: sum %d is off by %.1f standard errors", k, which[q], z);
            }
        }
    }
    free(values);
    free(l);
}

/* ---- annealing ------------------------------------------------------------------------------- */

enum { STEPS = 12, ANNEALED = 4000 };

static void weights_estimate_the_partition_function(void **state) {
    (void)state;
    const subject *s = fastest();
    gm_potts_plan *potts = make_plan(s);
    double beta[STEPS], best = 0;
    for (int t = 0; t < STEPS; ++t) {
        beta[t] = 1.2 * t / (STEPS - 1);
    }
    for (int x = 0; x < STATES; ++x) {
        best = fmin(best, energy_of(x));
    }
    gm_annealing_plan *plan;
    const gm_annealing annealing = {.potts = potts, .steps = STEPS, .beta = beta};
    ASSERT_OK(s->context, gm_annealing_plan_create(s->context, &annealing, &plan));
    uint8_t *labels = malloc(ANNEALED * SITES), *lowest = malloc(ANNEALED * SITES);
    double *log_weight = malloc(ANNEALED * sizeof *log_weight);
    int64_t *energy = malloc(ANNEALED * sizeof *energy);
    assert_true(labels && lowest && log_weight && energy);
    draw_law(0, 77, ANNEALED, 1, labels);
    const gm_tensor spins =
        gm_tensor_2d(uploaded(s, labels, ANNEALED * SITES), GM_U8, ANNEALED, SITES);
    const gm_tensor states =
        gm_tensor_2d(uploaded(s, labels, ANNEALED * SITES), GM_U8, ANNEALED, SITES);
    const gm_tensor energies =
        gm_tensor_1d(uploaded(s, log_weight, ANNEALED * 8), GM_I64, ANNEALED);
    const gm_tensor weights = gm_tensor_1d(uploaded(s, log_weight, ANNEALED * 8), GM_F64, ANNEALED);
    const gm_annealing_result result = {
        .best = &states, .best_energy = &energies, .log_weight = &weights};
    const gm_annealing_steps run = {.seed = 3, .steps = STEPS, .sweeps = 1};
    gm_workspace workspace = {0};
    ASSERT_OK(s->context, gm_annealing_run(plan, &run, &spins, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_alloc(s->context, workspace.bytes, &workspace.data));
    ASSERT_OK(s->context, gm_annealing_run(plan, &run, &spins, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_download(s->context, log_weight, weights.data, ANNEALED * 8));
    ASSERT_OK(s->context, gm_memory_download(s->context, energy, energies.data, ANNEALED * 8));
    ASSERT_OK(s->context, gm_memory_download(s->context, lowest, states.data, ANNEALED * SITES));
    int grounds = 0;
    for (int i = 0; i < ANNEALED; ++i) {
        int x = 0;
        for (int site = SITES; site-- > 0;) {
            x = Q * x + lowest[i * SITES + site];
        }
        assert_true(0.25 * (double)energy[i] == energy_of(x));
        grounds += energy_of(x) == best;
        log_weight[i] = exp(log_weight[i]);
    }
    const double z = deviation_of_mean(log_weight, ANNEALED, partition(1.2) / STATES);
    if (!(fabs(z) < Z_BOUND)) {
        fail_msg("the mean weight is off by %.1f standard errors", z);
    }
    /* The last states have nearly the law at the last beta, so that at least about so many. */
    assert_true(grounds > 0.8 * ANNEALED * exp(-1.2 * best) / partition(1.2));
    void *const all[] = {spins.data, states.data, energies.data, weights.data, workspace.data};
    for (int i = 0; i < COUNT(all); ++i) {
        ASSERT_OK(s->context, gm_memory_free(s->context, all[i]));
    }
    free(labels);
    free(lowest);
    free(log_weight);
    free(energy);
    gm_annealing_plan_destroy(plan);
    gm_potts_plan_destroy(potts);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void one_model_is_wanted(void **state) {
    (void)state;
    const subject *s = &subjects[0];
    gm_potts_plan *potts = make_plan(s);
    const gm_ising_model model = {.sites = 4};
    gm_ising_plan *ising;
    ASSERT_OK(s->context, gm_ising_plan_create(s->context, &model, &ising));
    gm_tempering_plan *plan;
    gm_annealing_plan *other;
    gm_tempering tempering = {.temperatures = LEVELS, .beta = ladder};
    gm_annealing annealing = {.steps = LEVELS, .beta = ladder};
    ASSERT_FAILS(s->context, gm_tempering_plan_create(s->context, &tempering, &plan),
                 GM_STATUS_INVALID_ARGUMENT, "tempering.potts");
    ASSERT_FAILS(s->context, gm_annealing_plan_create(s->context, &annealing, &other),
                 GM_STATUS_INVALID_ARGUMENT, "annealing.potts");
    tempering.potts = annealing.potts = potts;
    tempering.ising = annealing.ising = ising;
    ASSERT_FAILS(s->context, gm_tempering_plan_create(s->context, &tempering, &plan),
                 GM_STATUS_INVALID_ARGUMENT, "only one may be given");
    ASSERT_FAILS(s->context, gm_annealing_plan_create(s->context, &annealing, &other),
                 GM_STATUS_INVALID_ARGUMENT, "only one may be given");
    tempering.ising = NULL;
    ASSERT_OK(s->context, gm_tempering_plan_create(s->context, &tempering, &plan));
    int8_t spins[LEVELS * SITES] = {0};
    int32_t level[LEVELS] = {0, 1, 2, 3}, label[LEVELS] = {0};
    const gm_tensor x = gm_tensor_2d(spins, GM_I8, LEVELS, SITES);
    const gm_tensor y = gm_tensor_2d(level, GM_I32, 1, LEVELS);
    const gm_tensor w = gm_tensor_2d(label, GM_I32, 1, LEVELS);
    const gm_tempering_state given = {&x, &y, &w};
    const gm_tempering_swaps run = {.sweeps = 1};
    gm_workspace workspace = {0};
    ASSERT_FAILS(s->context, gm_tempering_run(plan, &run, &given, NULL, &workspace),
                 GM_STATUS_INVALID_ARGUMENT, "state.spins.dtype");
    gm_tempering_plan_destroy(plan);
    gm_ising_plan_destroy(ising);
    gm_potts_plan_destroy(potts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ladders_have_the_same_bits),
        cmocka_unit_test(every_level_has_its_law),
        cmocka_unit_test(weights_estimate_the_partition_function),
        cmocka_unit_test(one_model_is_wanted),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}

/*
 * A glass under tempering: couplings of +1 and -1 at random on a cubic lattice of 6 x 6 x 6, whose
 * cold states lie in valleys that a chain at one temperature does not leave. 16 ladders of 14
 * temperatures exchange them after every 4 sweeps. First on a geometric ladder, which measures the
 * energies; then on the one that these say has equal acceptance.
 *
 * The second run is judged: the pairs of its ladder are alike; every chain is seen at both ends;
 * and the fall of the energy from one temperature to the next is that of its fluctuations, dE /
 * dbeta = -(mean of E^2 - (mean of E)^2), which holds in equilibrium only. The same number of
 * sweeps without exchanges leaves the coldest chains at a higher energy.
 *
 * Picture: acceptance along the ladder, geometric (orange) and adapted (black); energy per spin at
 * each level, with exchanges (black) and without (orange); the level of one chain in the course of
 * the run.
 *
 * usage: 13_glass_tempering [PICTURE.png]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/genmath.h>
#include <genmath/philox.h>

#include "picture.h"
#include "try.h"

enum {
    L = 6,
    SITES = L * L * L,
    EDGES = 3 * SITES,
    LEVELS = 14,
    LADDERS = 16,
    CHAINS = LADDERS * LEVELS,
    SWEEPS = 4,
    PIECE = 5, /* swaps of a call */
    PIECES = 160,
    BURN_IN = 40 /* pieces */
};
static const double COLD = 0.7, HOT = 2.5;

/* What is kept of a run; means over the pieces after the burn-in. */
typedef struct summary {
    double energy[LEVELS], error[LEVELS], variance[LEVELS]; /* of the whole lattice */
    double acceptance[LEVELS - 1];
    double path[PIECES]; /* the level of chain 0 */
    double trips;
} summary;

/* Host copies of a run's arrays, and where the backend has them. */
static int8_t spins[CHAINS * SITES];
static int32_t level[LADDERS][LEVELS], label[LADDERS][LEVELS];
static uint64_t sums[LADDERS][LEVELS][GM_ISING_SUMS][2];
static int64_t swaps[LADDERS][LEVELS - 1][GM_TEMPERING_COUNTS], trips[LADDERS][LEVELS];
enum { ARRAYS = 6 };
static void *const host[ARRAYS] = {spins, level, label, sums, swaps, trips};
static const size_t bytes[ARRAYS] = {sizeof spins, sizeof level, sizeof label,
                                     sizeof sums,  sizeof swaps, sizeof trips};

static int random_sign(uint64_t seed, uint64_t index) {
    return gm_philox_block(seed, index, GM_STREAM_USER, 0).w0 >> 31 != 0 ? 1 : -1;
}

static void draw_spins(void) {
    for (uint64_t i = 0; i < CHAINS * SITES; ++i) {
        spins[i] = (int8_t)random_sign(1, i);
    }
}

/* Adds up what a call gave. */
static void add_piece(summary *s, double quantum, double ladder_energy[LADDERS][LEVELS]) {
    const double pieces = PIECES - BURN_IN, count = pieces * PIECE * SWEEPS;
    for (int l = 0; l < LADDERS; ++l) {
        for (int k = 0; k < LEVELS; ++k) {
            const double e = quantum * gm_ising_sum_value(sums[l][k][GM_ISING_E]) / count;
            const double e2 = gm_ising_sum_value(sums[l][k][GM_ISING_E2]) / count;
            ladder_energy[l][k] += e;
            s->energy[k] += e / LADDERS;
            s->variance[k] += quantum * quantum * e2 / LADDERS;
            s->trips += (double)trips[l][k];
            if (k + 1 < LEVELS) {
                const double p = (double)swaps[l][k][GM_TEMPERING_PROBABILITY] * 0x1p-32;
                s->acceptance[k] += p / (LADDERS * pieces * PIECE / 2);
            }
        }
    }
}

static void finish(summary *s, double ladder_energy[LADDERS][LEVELS]) {
    for (int k = 0; k < LEVELS; ++k) {
        s->variance[k] -= s->energy[k] * s->energy[k];
        for (int l = 0; l < LADDERS; ++l) {
            const double away = ladder_energy[l][k] - s->energy[k];
            s->error[k] += away * away;
        }
        s->error[k] = sqrt(s->error[k] / (LADDERS - 1) / LADDERS);
    }
}

/* Tempering from random spins on a ladder of temperatures. */
static int run_ladders(gm_context *context, const gm_ising_plan *ising, const double *beta,
                       summary *s) {
    static double ladder_energy[LADDERS][LEVELS];
    gm_ising_info info;
    TRY(gm_ising_plan_info(ising, &info));
    gm_tempering_plan *plan;
    const gm_tempering tempering = {.ising = ising, .temperatures = LEVELS, .beta = beta};
    TRY(gm_tempering_plan_create(context, &tempering, &plan));
    memset(s, 0, sizeof *s);
    memset(ladder_energy, 0, sizeof ladder_energy);
    memset(label, 0, sizeof label);
    draw_spins();
    for (int i = 0; i < CHAINS; ++i) {
        level[i / LEVELS][i % LEVELS] = i % LEVELS;
    }
    void *memory[ARRAYS];
    for (int i = 0; i < ARRAYS; ++i) {
        TRY(gm_memory_alloc(context, bytes[i], &memory[i]));
        TRY(gm_memory_upload(context, memory[i], host[i], bytes[i]));
    }
    const gm_tensor x = gm_tensor_2d(memory[0], GM_I8, CHAINS, SITES);
    const gm_tensor levels = gm_tensor_2d(memory[1], GM_I32, LADDERS, LEVELS);
    const gm_tensor labels = gm_tensor_2d(memory[2], GM_I32, LADDERS, LEVELS);
    const int64_t shape[4] = {LADDERS, LEVELS, GM_ISING_SUMS, 2};
    gm_tensor all_sums;
    TRY(gm_tensor_view(memory[3], GM_U64, 4, shape, &all_sums));
    const gm_tensor counts =
        gm_tensor_3d(memory[4], GM_I64, LADDERS, LEVELS - 1, GM_TEMPERING_COUNTS);
    const gm_tensor all_trips = gm_tensor_2d(memory[5], GM_I64, LADDERS, LEVELS);
    const gm_tempering_state state = {&x, &levels, &labels};
    const gm_tempering_result result = {.sums = &all_sums, .swaps = &counts, .trips = &all_trips};
    gm_workspace workspace = {0};
    for (int p = 0; p < PIECES; ++p) { /* one run, cut into calls */
        const gm_tempering_swaps run = {
            .seed = 3, .first_swap = (uint64_t)p * PIECE, .swaps = PIECE, .sweeps = SWEEPS};
        if (p == 0) {
            TRY(gm_tempering_run(plan, &run, &state, &result, &workspace)); /* only asks */
            TRY(gm_memory_alloc(context, workspace.bytes, &workspace.data));
        }
        TRY(gm_tempering_run(plan, &run, &state, &result, &workspace));
        for (int i = 1; i < ARRAYS; ++i) {
            TRY(gm_memory_download(context, host[i], memory[i], bytes[i]));
        }
        s->path[p] = level[0][0];
        if (p >= BURN_IN) {
            add_piece(s, info.quantum, ladder_energy);
        }
    }
    finish(s, ladder_energy);
    gm_tempering_plan_destroy(plan);
    for (int i = 0; i < ARRAYS; ++i) {
        TRY(gm_memory_free(context, memory[i]));
    }
    TRY(gm_memory_free(context, workspace.data));
    return EXIT_SUCCESS;
}

static int make_glass(gm_context *context, gm_ising_plan **plan) {
    static const int64_t size[3] = {L, L, L};
    static const int32_t periodic[3] = {1, 1, 1};
    static int32_t ends[2 * EDGES];
    static double coupling[EDGES];
    gm_ising_model model = {.sites = SITES, .ends = ends, .coupling = coupling};
    TRY(gm_ising_lattice(3, size, periodic, ends, &model.edges));
    for (uint64_t e = 0; e < EDGES; ++e) {
        coupling[e] = random_sign(2, e);
    }
    TRY(gm_ising_plan_create(context, &model, plan));
    return EXIT_SUCCESS;
}

/* The same sweeps at the same temperatures, each chain at its own. */
static int run_alone(gm_context *context, const gm_ising_plan *ising, const double *beta,
                     double *energy) {
    static double chain_beta[CHAINS];
    draw_spins();
    for (int i = 0; i < CHAINS; ++i) {
        chain_beta[i] = beta[i % LEVELS];
    }
    void *memory[3];
    TRY(gm_memory_alloc(context, sizeof spins, &memory[0]));
    TRY(gm_memory_alloc(context, sizeof chain_beta, &memory[1]));
    TRY(gm_memory_alloc(context, sizeof sums, &memory[2]));
    TRY(gm_memory_upload(context, memory[0], spins, sizeof spins));
    TRY(gm_memory_upload(context, memory[1], chain_beta, sizeof chain_beta));
    const gm_tensor x = gm_tensor_2d(memory[0], GM_I8, CHAINS, SITES),
                    b = gm_tensor_1d(memory[1], GM_F64, CHAINS);
    const int64_t shape[3] = {CHAINS, GM_ISING_SUMS, 2};
    gm_tensor chain_sums;
    TRY(gm_tensor_view(memory[2], GM_U64, 3, shape, &chain_sums));
    const gm_ising_result result = {.sums = &chain_sums};
    gm_ising_sweeps run = {.seed = 3, .sweeps = BURN_IN * PIECE * SWEEPS};
    gm_workspace workspace = {0};
    TRY(gm_ising_run(ising, &run, &b, &x, &result, &workspace)); /* only asks */
    TRY(gm_memory_alloc(context, workspace.bytes, &workspace.data));
    TRY(gm_ising_run(ising, &run, &b, &x, NULL, &workspace));
    run.first_sweep = (uint64_t)run.sweeps;
    run.sweeps = (PIECES - BURN_IN) * PIECE * SWEEPS;
    TRY(gm_ising_run(ising, &run, &b, &x, &result, &workspace));
    TRY(gm_memory_download(context, sums, memory[2], sizeof sums));
    gm_ising_info info;
    TRY(gm_ising_plan_info(ising, &info));
    for (int k = 0; k < LEVELS; ++k) {
        energy[k] = 0;
        for (int l = 0; l < LADDERS; ++l) {
            energy[k] += info.quantum * gm_ising_sum_value(sums[l][k][GM_ISING_E]) /
                         ((double)run.sweeps * LADDERS);
        }
    }
    for (int i = 0; i < 3; ++i) {
        TRY(gm_memory_free(context, memory[i]));
    }
    TRY(gm_memory_free(context, workspace.data));
    return EXIT_SUCCESS;
}

static double spread(const double *acceptance) {
    double low = 1, high = 0;
    for (int k = 0; k + 1 < LEVELS; ++k) {
        low = fmin(low, acceptance[k]);
        high = fmax(high, acceptance[k]);
    }
    return high - low;
}

static void draw(const char *path, const summary *geometric, const summary *adapted,
                 const double *alone) {
    double tempered[LEVELS], plain[LEVELS];
    for (int k = 0; k < LEVELS; ++k) {
        tempered[k] = adapted->energy[k] / SITES;
        plain[k] = alone[k] / SITES;
    }
    canvas c = canvas_make(640, 520);
    if (c.pixels != NULL) {
        canvas_plot(&c, 20, 20, 600, 140, LEVELS - 1, geometric->acceptance, 0, 1, 0xe07000);
        canvas_plot(&c, 20, 20, 600, 140, LEVELS - 1, adapted->acceptance, 0, 1, 0x000000);
        canvas_plot(&c, 20, 190, 600, 140, LEVELS, plain, -1.85, -1, 0xe07000);
        canvas_plot(&c, 20, 190, 600, 140, LEVELS, tempered, -1.85, -1, 0x000000);
        canvas_plot(&c, 20, 360, 600, 140, PIECES, adapted->path, 0, LEVELS - 1, 0x000000);
    }
    (void)canvas_save(&c, path);
}

/* The fall of the energy between levels against the mean of its fluctuations there, in a tenth of
 * it (the rule of two points) and five standard errors. */
static int check_fall(const double *beta, const summary *s) {
    int wrong = 0;
    for (int k = 0; k + 1 < LEVELS; ++k) {
        const double fall = s->energy[k] - s->energy[k + 1];
        const double expected = (beta[k + 1] - beta[k]) * (s->variance[k] + s->variance[k + 1]) / 2;
        const double error = 0.1 * fabs(expected) + 5 * hypot(s->error[k], s->error[k + 1]);
        const int bad = !(fabs(fall - expected) <= error);
        printf("T = %.3f  energy %8.5f +- %.5f  accepted %.3f  falls by %7.3f, by fluctuations "
               "%7.3f  %s\n",
               1 / beta[k], s->energy[k] / SITES, s->error[k] / SITES, s->acceptance[k], -fall,
               -expected, bad ? "WRONG" : "ok");
        wrong += bad;
    }
    return wrong;
}

int main(int argc, char **argv) {
    gm_context *context = NULL;
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */
    gm_ising_plan *glass;
    if (make_glass(context, &glass) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    static summary geometric, adapted;
    double beta[LEVELS], even[LEVELS], alone[LEVELS], predicted;
    TRY(gm_ladder_geometric(LEVELS, 1 / HOT, 1 / COLD, beta));
    if (run_ladders(context, glass, beta, &geometric) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    TRY(gm_ladder_adapt(LEVELS, beta, geometric.energy, LEVELS, even, &predicted));
    if (run_ladders(context, glass, even, &adapted) != EXIT_SUCCESS ||
        run_alone(context, glass, even, alone) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    printf("%d ladders of %d temperatures, %d swaps on %s\n", LADDERS, LEVELS, PIECES * PIECE,
           gm_context_backend_name(context));
    int wrong = check_fall(even, &adapted);
    const double before = spread(geometric.acceptance), after = spread(adapted.acceptance);
    printf("acceptance: spread %.3f geometric, %.3f adapted; %.3f predicted\n", before, after,
           predicted);
    printf("round trips: %g geometric, %g adapted\n", geometric.trips, adapted.trips);
    printf("coldest level: energy %.5f, of chains alone %.5f\n", adapted.energy[LEVELS - 1] / SITES,
           alone[LEVELS - 1] / SITES);
    wrong += !(after < before / 2) + !(adapted.trips > LADDERS) +
             !(alone[LEVELS - 1] > adapted.energy[LEVELS - 1] + 5 * adapted.error[LEVELS - 1]);
    draw(argc > 1 ? argv[1] : "build/glass_tempering.png", &geometric, &adapted, alone);
    gm_ising_plan_destroy(glass);
    gm_context_destroy(context);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

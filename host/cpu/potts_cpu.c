/*
 * gm_potts_run on vectors and threads: 32 chains go through the sweep side by side, one lane each,
 * so that a site's neighbours, couplings and Philox block number are the same in all lanes. A
 * thread takes one group of chains after another. Few chains are run by potts_sites_cpu.c; the
 * random order, in which each chain is at another site, as the reference does it, a thread a chain.
 *
 * Local fields: for up to FEW_LABELS labels every neighbour's label is compared with every one of
 * them, in vectors; for more, each lane adds to the field of the label that it finds.
 */
#include <math.h>
#include <string.h>

#include "host/cpu/cpu.h"
#include "host/cpu/potts_cpu.h"
#include "host/ref/ref.h"

enum {
    LANES = 32,
    FEWEST_LANES = 4, /* below, a chain by itself is faster */
    FEW_LABELS = 12,
    TRANSPOSED = 256,
    LINE = 64
};

/* A group of chains; arrays of LANES numbers by lane. */
typedef struct group {
    const gm_potts_problem *problem;
    uint8_t *labels;  /* (positions, LANES) */
    int32_t *field;   /* (q, LANES) of the position at hand */
    uint64_t *weight; /* (q, LANES) likewise */
    int32_t *count;   /* (q, LANES) sites of each label */
    uint64_t *table;  /* (span + 1, LANES) weights; NULL: computed */
    uint64_t seed;
    uint64_t chain[LANES];
    double beta[LANES];
    int32_t sign[LANES];
    int64_t energy[LANES], flips[LANES], order[LANES];
} group;

typedef struct job {
    const gm_potts_problem *problem;
    const gm_potts_arrays *arrays;
    gm_isa isa;
    size_t scratch; /* of a thread */
} job;

static size_t padded(size_t bytes) {
    return (bytes + LINE - 1) / LINE * LINE;
}

static size_t rows_of(const gm_potts_problem *p) {
    return gm_potts_has_table(p) ? (size_t)p->span + 1 : 0;
}

static size_t scratch_of(const gm_potts_problem *p) {
    const size_t q = (size_t)p->q * LANES;
    return padded((size_t)p->graph.positions * LANES) + 2 * q * sizeof(int32_t) +
           (q + rows_of(p) * LANES) * sizeof(uint64_t);
}

/* Fewer chains than this are faster one by one: where its threads can share a chain, they are. */
static bool runs_in_lanes(const gm_potts_problem *p, int64_t chains) {
    return p->order != GM_ISING_RANDOM && chains >= FEWEST_LANES;
}

size_t gm_cpu_potts_workspace(gm_call *call, const gm_potts_problem *problem, void *state,
                              int64_t chains) {
    (void)state;
    if (runs_in_lanes(problem, chains)) {
        return scratch_of(problem) * (size_t)gm_pool_threads(call->pool);
    }
    return problem->order == GM_ISING_COLOURED ? gm_cpu_potts_sites_workspace(call, problem) : 0;
}

/* ---- an update ------------------------------------------------------------------------------- */

/* The fields of every label at a position. */
GM_INLINE void find_fields(const group *g, int32_t at) {
    const gm_chain_graph *graph = &g->problem->graph;
    const int32_t q = g->problem->q;
    for (int32_t k = 0; k < q; ++k) {
        const int32_t field = graph->labels > 0 ? graph->field[(int64_t)at * q + k] : 0;
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            g->field[k * LANES + l] = field;
        }
    }
    for (int32_t n = graph->first[at]; n < graph->first[at + 1]; ++n) {
        const int32_t coupling = graph->coupling[n];
        const uint8_t *labels = g->labels + (int64_t)graph->neighbour[n] * LANES;
        for (int l = 0; l < LANES && q > FEW_LABELS; ++l) {
            g->field[labels[l] * LANES + l] += coupling;
        }
        for (int32_t k = 0; k < q && q <= FEW_LABELS; ++k) {
            int32_t *field = g->field + k * LANES;
            GM_LANE_LOOP
            for (int l = 0; l < LANES; ++l) {
                field[l] += labels[l] == k ? coupling : 0;
            }
        }
    }
}

/* The labels that the heat bath draws. */
GM_INLINE void draw_labels(const group *g, const uint32_t *words, bool table, int32_t *drawn) {
    const int32_t q = g->problem->q;
    const double quantum = g->problem->graph.quantum;
    int32_t best[LANES];
    uint64_t total[LANES] = {0}, point[LANES], sum[LANES] = {0};
    for (int l = 0; l < LANES; ++l) {
        best[l] = INT32_MIN;
        drawn[l] = 0;
    }
    for (int32_t k = 0; k < q; ++k) {
        const int32_t *field = g->field + k * LANES;
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            const int32_t aligned = g->sign[l] * field[l];
            best[l] = aligned > best[l] ? aligned : best[l];
        }
    }
    for (int32_t k = 0; k < q; ++k) {
        const int32_t *field = g->field + k * LANES;
        uint64_t *weight = g->weight + k * LANES;
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            const uint32_t gap = gm_potts_gap(best[l], g->sign[l] * field[l]);
            weight[l] = table ? g->table[gap * LANES + (uint32_t)l]
                              : gm_potts_weight(quantum, g->beta[l], gap);
            total[l] += weight[l];
        }
    }
    GM_LANE_LOOP
    for (int l = 0; l < LANES; ++l) {
        point[l] = gm_potts_point(total[l], words[l]);
    }
    for (int32_t k = 0; k < q - 1; ++k) {
        const uint64_t *weight = g->weight + k * LANES;
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            sum[l] += weight[l];
            drawn[l] += sum[l] <= point[l];
        }
    }
}

/* As draw_labels, by Metropolis, and what it gains in field. */
GM_INLINE void propose_labels(const group *g, int32_t at, const uint32_t *words, bool table,
                              int32_t *drawn, int32_t *gain) {
    const gm_chain_graph *graph = &g->problem->graph;
    const int32_t q = g->problem->q;
    const uint8_t *old = g->labels + (int64_t)at * LANES;
    for (int l = 0; l < LANES; ++l) {
        drawn[l] = gm_potts_propose(q, old[l], words[l]);
        gain[l] = 0;
    }
    for (int l = 0; l < LANES && graph->labels > 0; ++l) {
        const int32_t *field = graph->field + (int64_t)at * q;
        gain[l] = field[drawn[l]] - field[old[l]];
    }
    for (int32_t n = graph->first[at]; n < graph->first[at + 1]; ++n) {
        const int32_t coupling = graph->coupling[n];
        const uint8_t *labels = g->labels + (int64_t)graph->neighbour[n] * LANES;
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            gain[l] +=
                (labels[l] == drawn[l] ? coupling : 0) - (labels[l] == old[l] ? coupling : 0);
        }
    }
    GM_LANE_LOOP
    for (int l = 0; l < LANES; ++l) {
        const int32_t aligned = g->sign[l] * gain[l];
        const uint32_t gap = aligned < 0 ? 0u - (uint32_t)aligned : 0;
        const uint64_t weight = table ? g->table[gap * LANES + (uint32_t)l]
                                      : gm_potts_weight(graph->quantum, g->beta[l], gap);
        const uint32_t taken = gm_potts_accept(q, words[l], weight);
        drawn[l] = taken ? drawn[l] : old[l];
        gain[l] = taken ? gain[l] : 0;
    }
}

GM_INLINE void update_lanes(group *g, int32_t at, const uint32_t *words, bool metropolis,
                            bool table) {
    const int32_t q = g->problem->q;
    uint8_t *labels = g->labels + (int64_t)at * LANES;
    int32_t drawn[LANES], gain[LANES];
    if (metropolis) {
        propose_labels(g, at, words, table, drawn, gain);
    } else {
        find_fields(g, at);
        draw_labels(g, words, table, drawn);
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            gain[l] = g->field[drawn[l] * LANES + l] - g->field[labels[l] * LANES + l];
        }
    }
    GM_LANE_LOOP
    for (int l = 0; l < LANES; ++l) {
        g->energy[l] -= gain[l];
        g->flips[l] += drawn[l] != labels[l];
    }
    for (int32_t k = 0; k < q && q <= FEW_LABELS; ++k) {
        int32_t *count = g->count + k * LANES;
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            count[l] += (drawn[l] == k) - (labels[l] == k);
        }
    }
    for (int l = 0; l < LANES && q > FEW_LABELS; ++l) {
        g->count[labels[l] * LANES + l] -= 1;
        g->count[drawn[l] * LANES + l] += 1;
    }
    for (int l = 0; l < LANES; ++l) {
        labels[l] = (uint8_t)drawn[l];
    }
}

/* Positions first to last - 1 of one colour; first is a multiple of four. */
GM_INLINE void update_run(group *g, uint64_t sweep, int32_t first, int32_t last, bool metropolis,
                          bool table) {
    for (int32_t at = first; at < last; at += 4) {
        uint32_t words[4][LANES];
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            const gm_words w =
                gm_ising_words(g->seed, g->chain[l], sweep, g->problem->graph.blocks, at / 4);
            words[0][l] = w.w0;
            words[1][l] = w.w1;
            words[2][l] = w.w2;
            words[3][l] = w.w3;
        }
        for (int32_t i = 0; i < 4 && at + i < last; ++i) {
            update_lanes(g, at + i, words[i], metropolis, table);
        }
    }
}

#define DEFINE_RUN(isa, target)                                                                    \
    target static void run_##isa(group *g, uint64_t sweep, int32_t first, int32_t last) {          \
        if (g->problem->update == GM_POTTS_METROPOLIS) {                                           \
            if (g->table != NULL) {                                                                \
                update_run(g, sweep, first, last, true, true);                                     \
            } else {                                                                               \
                update_run(g, sweep, first, last, true, false);                                    \
            }                                                                                      \
        } else if (g->table != NULL) {                                                             \
            update_run(g, sweep, first, last, false, true);                                        \
        } else {                                                                                   \
            update_run(g, sweep, first, last, false, false);                                       \
        }                                                                                          \
    }
DEFINE_RUN(base, GM_TARGET_BASE)
DEFINE_RUN(avx2, GM_TARGET_AVX2)
DEFINE_RUN(avx512, GM_TARGET_AVX512)

/* ---- a group of chains ----------------------------------------------------------------------- */

/* Runs body for every position and lane, a few positions at a time, so that neither the lanes'
 * labels nor those of a chain leave the first-level cache between. */
#define FOR_EACH_LABEL(g, lanes, at, l)                                                            \
    for (int32_t start = 0; start < (g)->problem->graph.positions; start += TRANSPOSED)            \
        for (int l = 0; l < (lanes); ++l)                                                          \
            for (int32_t at = start;                                                               \
                 at < (g)->problem->graph.positions && at < start + TRANSPOSED; ++at)

/* The labels of chains first on into the lanes, of the last one into those that are left. good: set
 * false where one is q or more; it becomes 0. */
static void load_lanes(group *g, const gm_potts_arrays *a, int64_t first, int lanes, bool *good) {
    const int32_t q = g->problem->q;
    FOR_EACH_LABEL(g, LANES, at, l) {
        const int64_t site = g->problem->graph.site[at];
        const int64_t chain = first + (l < lanes ? l : lanes - 1);
        const uint8_t x = site < 0 ? 0 : a->labels[chain * a->chain_stride + site * a->site_stride];
        g->labels[(int64_t)at * LANES + l] = x < q ? x : 0;
        good[l] = good[l] && x < q;
        g->count[(x < q ? x : 0) * LANES + l] += site >= 0;
    }
}

static void store_lanes(const group *g, const gm_potts_arrays *a, int64_t first, int lanes,
                        const gm_status *status) {
    FOR_EACH_LABEL(g, lanes, at, l) {
        const int64_t site = g->problem->graph.site[at];
        if (site >= 0 && status[l] == GM_STATUS_OK) {
            a->labels[(first + l) * a->chain_stride + site * a->site_stride] =
                g->labels[(int64_t)at * LANES + l];
        }
    }
}

static void fill_table(group *g) {
    for (uint32_t gap = 0; gap <= g->problem->span && g->table != NULL; ++gap) {
        for (uint32_t l = 0; l < LANES; ++l) {
            g->table[gap * LANES + l] = gm_potts_weight(g->problem->graph.quantum, g->beta[l], gap);
        }
    }
}

static void find_energy(group *g) {
    const gm_chain_graph *graph = &g->problem->graph;
    int64_t twice[LANES] = {0};
    for (int32_t at = 0; at < graph->positions; ++at) {
        const uint8_t *own = g->labels + (int64_t)at * LANES;
        for (int32_t n = graph->first[at]; n < graph->first[at + 1]; ++n) {
            const uint8_t *labels = g->labels + (int64_t)graph->neighbour[n] * LANES;
            for (int l = 0; l < LANES; ++l) {
                twice[l] += labels[l] == own[l] ? graph->coupling[n] : 0;
            }
        }
        for (int l = 0; l < LANES && graph->labels > 0; ++l) {
            g->energy[l] -= graph->field[(int64_t)at * graph->labels + own[l]];
        }
    }
    for (int l = 0; l < LANES; ++l) {
        g->energy[l] -= twice[l] / 2;
    }
}

static void find_order(group *g) {
    for (int l = 0; l < LANES; ++l) {
        int32_t most = 0;
        for (int32_t k = 0; k < g->problem->q; ++k) {
            most = g->count[k * LANES + l] > most ? g->count[k * LANES + l] : most;
        }
        g->order[l] = gm_potts_order(g->problem, most);
    }
}

static void run_sweeps(group *g, const job *j, int lanes, uint64_t sums[][2 * GM_POTTS_SUMS]) {
    const gm_chain_graph *graph = &g->problem->graph;
    const gm_potts_arrays *a = j->arrays;
    find_order(g);
    for (int64_t s = 0; s < a->sweeps; ++s) {
        int64_t energy[LANES], order[LANES];
        memcpy(energy, g->energy, sizeof energy);
        memcpy(order, g->order, sizeof order);
        for (int32_t c = 0; c < graph->colours; ++c) {
            const int32_t first = graph->colour[2 * c], last = graph->colour[2 * c + 1];
            const uint64_t sweep = a->first_sweep + (uint64_t)s;
            if (j->isa == GM_ISA_AVX512) {
                run_avx512(g, sweep, first, last);
            } else if (j->isa == GM_ISA_AVX2) {
                run_avx2(g, sweep, first, last);
            } else {
                run_base(g, sweep, first, last);
            }
        }
        if (a->sums == NULL) {
            continue;
        }
        find_order(g);
        for (int l = 0; l < lanes; ++l) {
            gm_potts_measure(sums[l], energy[l], order[l], g->energy[l], g->order[l]);
        }
    }
}

static void run_group(void *argument, int64_t number, int32_t thread) {
    const job *j = argument;
    const gm_potts_arrays *a = j->arrays;
    const gm_potts_problem *p = j->problem;
    const int64_t first = number * LANES;
    const int lanes = (int)(a->chains - first < LANES ? a->chains - first : LANES);
    const size_t q = (size_t)p->q * LANES;
    char *scratch = (char *)a->workspace + (size_t)thread * j->scratch;
    group g = {.problem = p, .labels = (uint8_t *)scratch, .seed = a->seed};
    g.field = (int32_t *)(void *)(scratch + padded((size_t)p->graph.positions * LANES));
    g.count = g.field + q;
    g.weight = (uint64_t *)(void *)(g.count + q);
    g.table = gm_potts_has_table(p) ? g.weight + q : NULL;
    memset(g.count, 0, q * sizeof *g.count);
    gm_status status[LANES];
    bool good[LANES];
    memset(good, 1, sizeof good);
    load_lanes(&g, a, first, lanes, good);
    for (int l = 0; l < LANES; ++l) { /* the last chain fills the lanes that are left */
        const int64_t chain = first + (l < lanes ? l : lanes - 1);
        const double beta = a->beta[chain * a->beta_stride];
        status[l] = !isfinite(beta) ? GM_STATUS_NON_FINITE
                    : !good[l]      ? GM_STATUS_INVALID_ARGUMENT
                                    : GM_STATUS_OK;
        g.chain[l] = a->first_chain + (uint64_t)chain;
        g.beta[l] = isfinite(beta) ? beta : 0;
        g.sign[l] = gm_ising_sign(g.beta[l]);
    }
    fill_table(&g);
    find_energy(&g);
    uint64_t sums[LANES][2 * GM_POTTS_SUMS] = {{0}};
    run_sweeps(&g, j, lanes, sums);
    store_lanes(&g, a, first, lanes, status);
    for (int l = 0; l < lanes; ++l) {
        gm_ising_add_product(sums[l] + 2 * GM_POTTS_FLIPS, g.flips[l], 1);
        gm_potts_store(a, first + l, status[l], sums[l], g.energy[l]);
    }
}

static void run_chain(void *argument, int64_t chain, int32_t thread) {
    (void)thread;
    const job *j = argument;
    gm_ref_potts_chain(j->problem, j->arrays, chain);
}

gm_status gm_cpu_potts_run(gm_call *call, const gm_potts_problem *problem, void *state,
                           const gm_potts_arrays *arrays) {
    (void)state;
    job j = {problem, arrays, call->isa, scratch_of(problem)};
    if (runs_in_lanes(problem, arrays->chains)) {
        call->kernel = "potts_lanes";
        gm_parallel_for(call->pool, (arrays->chains + LANES - 1) / LANES, run_group, &j);
    } else if (problem->order == GM_ISING_COLOURED) {
        call->kernel = "potts_sites";
        gm_cpu_potts_sites(call, problem, arrays);
    } else {
        call->kernel = "potts_chains";
        gm_parallel_for(call->pool, arrays->chains, run_chain, &j);
    }
    return GM_STATUS_OK;
}

/*
 * gm_factor_graph_run on vectors and threads: 16 chains go through the sweep side by side, one lane
 * each, so that a variable's factors and its Philox block number are the same in all lanes, and
 * tables are gathered from. A thread takes one group of chains after another. Few chains are run by
 * factor_sites_cpu.c; the random order, in which each chain is at another variable, as the
 * reference does it, a thread a chain.
 */
#include <math.h>
#include <string.h>

#include "host/cpu/cpu.h"
#include "host/cpu/factor_cpu.h"
#include "host/ref/ref.h"

enum {
    LANES = 16,
    FEWEST_LANES = 4, /* below, a chain by itself is faster */
    MOST_LABELS = 256
};

/* A group of chains; arrays of LANES numbers by lane. */
typedef struct group {
    const gm_factor_problem *problem;
    uint8_t *labels; /* (positions, LANES) */
    int64_t *sums;   /* (MOST_LABELS, LANES), then weights */
    uint64_t seed;
    uint64_t chain[LANES];
    double beta[LANES], scale[LANES];
    uint8_t runs[LANES];
    uint8_t stuck[LANES];
} group;

typedef struct job {
    const gm_factor_problem *problem;
    const gm_factor_arrays *arrays;
    gm_isa isa;
    size_t scratch; /* of a thread */
} job;

static size_t round_up(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

/* Of a thread: its sums of counts, then a group's sums and labels. */
static size_t scratch_of(const gm_factor_problem *p) {
    return round_up((size_t)p->states * sizeof(uint64_t)) + MOST_LABELS * LANES * sizeof(int64_t) +
           round_up((size_t)p->positions * LANES);
}

/* Whether the threads share each chain. */
static bool takes_sites(const gm_factor_problem *p, int64_t chains) {
    return p->order == GM_ISING_COLOURED && chains < FEWEST_LANES;
}

size_t gm_cpu_factor_workspace(gm_call *call, const gm_factor_problem *problem, void *state,
                               int64_t chains) {
    (void)state;
    return takes_sites(problem, chains) ? gm_cpu_factor_sites_workspace(call, problem)
                                        : scratch_of(problem) * (size_t)gm_pool_threads(call->pool);
}

/* ---- a sweep --------------------------------------------------------------------------------- */

/* The indices into the table of a factor, as its variables are. */
GM_INLINE void index_lanes(const group *g, int32_t factor, int32_t *index) {
    const gm_factor_problem *p = g->problem;
    for (int l = 0; l < LANES; ++l) {
        index[l] = p->base[factor];
    }
    for (int32_t k = p->first_member[factor]; k < p->first_member[factor + 1]; ++k) {
        const int32_t step = p->member[k].step;
        const uint8_t *labels = g->labels + (int64_t)p->member[k].place * LANES;
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            index[l] += step * labels[l];
        }
    }
}

/* The sums of all labels of a position, and the likeliest of each lane. */
GM_INLINE void sum_lanes(group *g, int32_t at, int64_t *likeliest) {
    const gm_factor_problem *p = g->problem;
    const int32_t cardinality = p->cardinality[at];
    const uint8_t *labels = g->labels + (int64_t)at * LANES;
    memset(g->sums, 0, (size_t)cardinality * LANES * sizeof *g->sums);
    for (int32_t k = p->first[at]; k < p->first[at + 1]; ++k) {
        const int32_t step = p->link[k].step;
        int32_t index[LANES];
        index_lanes(g, p->link[k].factor, index);
        for (int l = 0; l < LANES; ++l) {
            index[l] -= step * labels[l];
        }
        for (int32_t v = 0; v < cardinality; ++v) {
            int64_t *sums = g->sums + v * LANES;
            const int64_t *entries = p->table + (int64_t)v * step;
            GM_LANE_LOOP
            for (int l = 0; l < LANES; ++l) {
                sums[l] = gm_factor_add(sums[l], entries[index[l]]);
            }
        }
    }
    for (int l = 0; l < LANES; ++l) {
        likeliest[l] = GM_FACTOR_FORBIDDEN;
    }
    for (int32_t v = 0; v < cardinality; ++v) {
        const int64_t *sums = g->sums + v * LANES;
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            likeliest[l] = gm_factor_likelier(likeliest[l], sums[l], g->beta[l]);
        }
    }
}

GM_INLINE void update_lanes(group *g, int32_t at, const uint64_t *random) {
    const int32_t cardinality = g->problem->cardinality[at];
    uint8_t *labels = g->labels + (int64_t)at * LANES;
    int64_t likeliest[LANES];
    uint64_t total[LANES] = {0}, target[LANES], below[LANES] = {0};
    int32_t label[LANES] = {0};
    sum_lanes(g, at, likeliest);
    for (int32_t v = 0; v < cardinality; ++v) {
        int64_t *sums = g->sums + v * LANES;
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            const uint64_t weight = gm_factor_weight(sums[l], likeliest[l], g->scale[l]);
            sums[l] = (int64_t)weight;
            total[l] += weight;
        }
    }
    GM_LANE_LOOP
    for (int l = 0; l < LANES; ++l) {
        target[l] = gm_factor_target(total[l], random[l]);
    }
    for (int32_t v = 0; v + 1 < cardinality; ++v) {
        const int64_t *weights = g->sums + v * LANES;
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            below[l] += (uint64_t)weights[l];
            label[l] += below[l] <= target[l];
        }
    }
    GM_LANE_LOOP
    for (int l = 0; l < LANES; ++l) {
        const int none = likeliest[l] == GM_FACTOR_FORBIDDEN;
        labels[l] = g->runs[l] && !none ? (uint8_t)label[l] : labels[l];
        g->stuck[l] = (uint8_t)(g->stuck[l] | (g->runs[l] & none));
    }
}

GM_INLINE void update_run(group *g, uint64_t sweep, int32_t first, int32_t last) {
    for (int32_t at = first; at < last; at += 2) {
        uint64_t random[2][LANES];
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            const gm_words words =
                gm_factor_words(g->seed, g->chain[l], sweep, g->problem->blocks, at / 2);
            random[0][l] = gm_factor_random(words, 0);
            random[1][l] = gm_factor_random(words, 1);
        }
        for (int32_t i = 0; i < 2 && at + i < last; ++i) {
            update_lanes(g, at + i, random[i]);
        }
    }
}

#define DEFINE_RUN(isa, target)                                                                    \
    target static void run_##isa(group *g, uint64_t sweep, int32_t first, int32_t last) {          \
        update_run(g, sweep, first, last);                                                         \
    }
DEFINE_RUN(base, GM_TARGET_BASE)
DEFINE_RUN(avx2, GM_TARGET_AVX2)
DEFINE_RUN(avx512, GM_TARGET_AVX512)

static void sweep_once(group *g, uint64_t sweep, gm_isa isa) {
    const gm_factor_problem *p = g->problem;
    for (int32_t c = 0; c < p->colours; ++c) {
        const int32_t first = p->colour[2 * c], last = p->colour[2 * c + 1];
        if (isa == GM_ISA_AVX512) {
            run_avx512(g, sweep, first, last);
        } else if (isa == GM_ISA_AVX2) {
            run_avx2(g, sweep, first, last);
        } else {
            run_base(g, sweep, first, last);
        }
    }
}

/* ---- results --------------------------------------------------------------------------------- */

/* The arrays with counts of a thread's own where those of all chains are added. */
static gm_factor_arrays own_counts(const job *j, int32_t thread) {
    gm_factor_arrays mine = *j->arrays;
    if (mine.counts != NULL && mine.reduced) {
        mine.counts = (uint64_t *)(void *)((char *)mine.workspace + (size_t)thread * j->scratch);
        mine.count_stride = 1;
        memset(mine.counts, 0, (size_t)j->problem->states * sizeof *mine.counts);
    }
    return mine;
}

/* Adds them to the user's: sums of integers, so the order of the threads does not show. */
static void add_counts(const job *j, const gm_factor_arrays *mine) {
    const gm_factor_arrays *a = j->arrays;
    for (int64_t k = 0; mine->counts != a->counts && k < j->problem->states; ++k) {
        __atomic_fetch_add(&a->counts[k * a->count_stride], mine->counts[k], __ATOMIC_RELAXED);
    }
}

static void count_labels(const group *g, const gm_factor_arrays *a, int64_t first, int lanes) {
    const gm_factor_problem *p = g->problem;
    for (int32_t at = 0; at < p->positions; ++at) {
        for (int l = 0; l < lanes && p->variable[at] >= 0; ++l) {
            const int64_t column = p->state[at] + g->labels[(int64_t)at * LANES + l];
            a->counts[(first + l) * a->count_chain_stride + column * a->count_stride] += g->runs[l];
        }
    }
}

static void store_potentials(const group *g, const gm_factor_arrays *a, int64_t first, int lanes,
                             int64_t sweep) {
    const gm_factor_problem *p = g->problem;
    int64_t sums[LANES] = {0};
    for (int32_t f = 0; f < p->factors; ++f) {
        int32_t index[LANES];
        index_lanes(g, f, index);
        for (int l = 0; l < LANES; ++l) {
            sums[l] = gm_factor_add(sums[l], p->table[index[l]]);
        }
    }
    for (int l = 0; l < lanes; ++l) {
        a->log_potential[(first + l) * a->potential_stride[0] + sweep * a->potential_stride[1]] =
            g->runs[l] ? gm_factor_potential(p, sums[l]) : NAN;
    }
}

/* ---- a group of chains ----------------------------------------------------------------------- */

/* The last chain fills the lanes that are left; its results are those of the first such lane. */
static void load_lane(group *g, const gm_factor_arrays *a, int64_t chain, int l,
                      gm_status *status) {
    const gm_factor_problem *p = g->problem;
    const double beta = a->beta[chain * a->beta_stride];
    const bool fine = gm_factor_beta_is_fine(p, beta);
    *status = fine ? GM_STATUS_OK : GM_STATUS_NON_FINITE;
    for (int32_t at = 0; at < p->positions; ++at) {
        uint8_t x = 0;
        if (p->variable[at] >= 0) {
            x = a->labels[chain * a->chain_stride + p->variable[at] * a->variable_stride];
            if (x >= p->cardinality[at]) {
                *status = fine ? GM_STATUS_INVALID_ARGUMENT : *status;
                x = 0;
            }
        }
        g->labels[(int64_t)at * LANES + l] = x;
    }
    g->chain[l] = a->first_chain + (uint64_t)chain;
    g->beta[l] = fine ? beta : 0;
    g->scale[l] = fabs(g->beta[l]) * p->quantum;
    g->runs[l] = *status == GM_STATUS_OK;
    g->stuck[l] = 0;
}

static void store_lane(const group *g, const gm_factor_arrays *a, int64_t chain, int l,
                       gm_status status) {
    const gm_factor_problem *p = g->problem;
    for (int32_t at = 0; at < p->positions && status == GM_STATUS_OK; ++at) {
        if (p->variable[at] >= 0) {
            a->labels[chain * a->chain_stride + p->variable[at] * a->variable_stride] =
                g->labels[(int64_t)at * LANES + l];
        }
    }
    if (a->status != NULL) {
        const gm_status last = g->stuck[l] ? GM_STATUS_NON_FINITE : status;
        a->status[chain * a->status_stride] = last;
    }
}

static void run_group(void *argument, int64_t number, int32_t thread) {
    const job *j = argument;
    const gm_factor_problem *p = j->problem;
    const gm_factor_arrays a = own_counts(j, thread);
    const int64_t first = number * LANES;
    const int lanes = (int)(a.chains - first < LANES ? a.chains - first : LANES);
    char *scratch = (char *)a.workspace + (size_t)thread * j->scratch +
                    round_up((size_t)p->states * sizeof(uint64_t));
    group g = {.problem = p, .seed = a.seed, .sums = (int64_t *)(void *)scratch};
    g.labels = (uint8_t *)(g.sums + MOST_LABELS * LANES);
    gm_status status[LANES];
    for (int l = 0; l < LANES; ++l) {
        load_lane(&g, &a, first + (l < lanes ? l : lanes - 1), l, &status[l]);
    }
    for (int64_t s = 0; s < a.sweeps; ++s) {
        sweep_once(&g, a.first_sweep + (uint64_t)s, j->isa);
        for (int l = 0; l < LANES; ++l) {
            g.runs[l] = g.runs[l] && !g.stuck[l];
        }
        if (a.counts != NULL) {
            count_labels(&g, &a, first, lanes);
        }
        if (a.log_potential != NULL) {
            store_potentials(&g, &a, first, lanes, s);
        }
    }
    for (int l = 0; l < lanes; ++l) {
        store_lane(&g, &a, first + l, l, status[l]);
    }
    add_counts(j, &a);
}

static void run_chain(void *argument, int64_t chain, int32_t thread) {
    const job *j = argument;
    const gm_factor_arrays mine = own_counts(j, thread);
    gm_ref_factor_chain(j->problem, &mine, chain);
    add_counts(j, &mine);
}

gm_status gm_cpu_factor_run(gm_call *call, const gm_factor_problem *problem, void *state,
                            const gm_factor_arrays *arrays) {
    (void)state;
    job j = {problem, arrays, call->isa, scratch_of(problem)};
    gm_ref_factor_clear(problem, arrays);
    if (takes_sites(problem, arrays->chains)) {
        call->kernel = "factor_graph_sites";
        gm_cpu_factor_sites(call, problem, arrays);
    } else if (problem->order != GM_ISING_RANDOM && arrays->chains >= FEWEST_LANES) {
        call->kernel = "factor_graph_lanes";
        gm_parallel_for(call->pool, (arrays->chains + LANES - 1) / LANES, run_group, &j);
    } else {
        call->kernel = "factor_graph_chains";
        gm_parallel_for(call->pool, arrays->chains, run_chain, &j);
    }
    return GM_STATUS_OK;
}

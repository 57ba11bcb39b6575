/* What the tests of factor graphs share: models put together factor by factor, runs from host
 * arrays on any subject. */
#ifndef GENMATH_TESTS_FACTOR_FIXTURE_H
#define GENMATH_TESTS_FACTOR_FIXTURE_H

#include "tests/ensemble.h"

#include <genmath/factor_graph.h>

enum { NET_VARIABLES = 128, NET_FACTORS = 512, NET_ENTRIES = 1 << 14 };

/* A model with room for its arrays. */
typedef struct net {
    gm_factor_graph_model model;
    int32_t cardinality[NET_VARIABLES];
    int64_t first[NET_FACTORS + 1];
    int32_t member[4 * NET_FACTORS];
    double table[NET_ENTRIES];
    uint8_t clamped[NET_VARIABLES];
    int64_t entries;
} net;

static net *new_net(int variables, const int32_t *cardinality) {
    net *n = calloc(1, sizeof *n);
    assert_non_null(n);
    assert_true(variables <= NET_VARIABLES);
    n->model = (gm_factor_graph_model){.variables = variables,
                                       .cardinality = n->cardinality,
                                       .first = n->first,
                                       .member = n->member,
                                       .table = n->table,
                                       .clamped = n->clamped};
    for (int i = 0; i < variables; ++i) {
        n->cardinality[i] = cardinality != NULL ? cardinality[i] : 2;
    }
    return n;
}

/* Adds a factor of up to four variables (-1: no more); returns its table, to be filled. */
static double *add_factor(net *n, int a, int b, int c, int d) {
    const int members[4] = {a, b, c, d};
    int64_t entries = 1, k = n->first[n->model.factors];
    for (int i = 0; i < 4 && members[i] >= 0; ++i) {
        n->member[k++] = members[i];
        entries *= n->cardinality[members[i]];
    }
    assert_true(n->model.factors < NET_FACTORS && n->entries + entries <= NET_ENTRIES);
    n->first[++n->model.factors] = k;
    double *table = n->table + n->entries;
    n->entries += entries;
    memset(table, 0, (size_t)entries * sizeof *table);
    return table;
}

/* The logarithms of `count` numbers as the table of a factor; log 0 is -INFINITY. */
__attribute__((unused)) static void add_logs(net *n, int a, int b, int c, int d,
                                             const double *numbers) {
    const int64_t before = n->entries;
    double *table = add_factor(n, a, b, c, d);
    for (int64_t k = 0; k < n->entries - before; ++k) {
        table[k] = log(numbers[k]);
    }
}

/* A -> B, A -> C, B -> D. */
__attribute__((unused)) static net *bayes_net(void) {
    static const double of_a[] = {0.7, 0.3}, b_of_a[] = {0.8, 0.2, 0.2, 0.8};
    static const double c_of_a[] = {0.6, 0.4, 0.3, 0.7}, d_of_b[] = {0.9, 0.1, 0.1, 0.9};
    net *n = new_net(4, NULL);
    add_logs(n, 0, -1, -1, -1, of_a);
    add_logs(n, 0, 1, -1, -1, b_of_a);
    add_logs(n, 0, 2, -1, -1, c_of_a);
    add_logs(n, 1, 3, -1, -1, d_of_b);
    return n;
}

/* Loops, factors of one to four variables, 2 to 5 labels, some entries forbidden. */
__attribute__((unused)) static net *tangled_net(double forbidden) {
    static const int32_t cardinality[6] = {2, 3, 5, 4, 2, 3};
    static const int members[8][4] = {{0, 1, -1, -1}, {1, 2, 3, -1}, {3, 0, -1, -1},
                                      {4, 2, -1, -1}, {5, 4, 0, 1},  {5, -1, -1, -1},
                                      {2, 1, -1, -1}, {2, 5, -1, -1}};
    net *n = new_net(6, cardinality);
    uint64_t random = 5;
    for (int a = 0; a < 8; ++a) {
        const int64_t before = n->entries;
        double *table = add_factor(n, members[a][0], members[a][1], members[a][2], members[a][3]);
        for (int64_t k = 0; k < n->entries - before; ++k) {
            const bool out = random_between(&random, 0, 1) < forbidden && a != 5;
            table[k] = out ? -INFINITY : random_between(&random, -1, 1);
        }
    }
    return n;
}

/* L of a state, in the order of the formula. */
__attribute__((unused)) static double potential_of(const gm_factor_graph_model *m,
                                                   const uint8_t *labels) {
    double sum = 0;
    int64_t entry = 0;
    for (int64_t a = 0; a < m->factors; ++a) {
        int64_t index = 0, entries = 1;
        for (int64_t k = m->first[a]; k < m->first[a + 1]; ++k) {
            index = index * m->cardinality[m->member[k]] + labels[m->member[k]];
            entries *= m->cardinality[m->member[k]];
        }
        sum += m->table[entry + index];
        entry += entries;
    }
    return sum;
}

typedef struct factor_run {
    int64_t chains;
    gm_ising_sweeps sweeps;
    const double *beta;    /* (chains) */
    uint8_t *labels;       /* (chains, variables), replaced */
    uint64_t *counts;      /* (chains, states) or (states); NULL: not wanted */
    bool reduced;          /* counts is (states) */
    double *log_potential; /* (chains, sweeps); NULL: not wanted */
    int32_t *status;       /* (chains); NULL: all must be OK */
    bool by_variable; /* in memory the chains of a variable are side by side, every third byte */
} factor_run;

static void *sent(const subject *s, const void *host, size_t bytes) {
    void *memory;
    ASSERT_OK(s->context, gm_memory_alloc(s->context, bytes > 0 ? bytes : 64, &memory));
    if (host != NULL) {
        ASSERT_OK(s->context, gm_memory_upload(s->context, memory, host, bytes));
    }
    return memory;
}

static size_t label_offset(const factor_run *r, int64_t variables, int64_t chain, int64_t i) {
    return (size_t)(r->by_variable ? 3 * (i * r->chains + chain) : chain * variables + i);
}

/* Runs a plan. Every byte of memory that is no label must stay as it is. */
__attribute__((unused)) static void run_factor_plan(const subject *s,
                                                    const gm_factor_graph_plan *plan,
                                                    int64_t variables, const factor_run *r) {
    gm_factor_graph_info info;
    ASSERT_OK(s->context, gm_factor_graph_plan_info(plan, &info));
    const size_t n = (size_t)r->chains;
    const size_t label_bytes = n * (size_t)variables * (r->by_variable ? 3 : 1);
    const size_t count_bytes = (r->reduced ? 1 : n) * (size_t)info.states * 8;
    const size_t potential_bytes = n * (size_t)r->sweeps.sweeps * 8;
    uint8_t *packed = malloc(label_bytes + 1);
    int32_t *status = malloc(n * 4 + 1);
    assert_true(packed != NULL && status != NULL);
    memset(packed, 0x5a, label_bytes);
    for (int64_t c = 0; c < r->chains; ++c) {
        for (int64_t i = 0; i < variables; ++i) {
            packed[label_offset(r, variables, c, i)] = r->labels[c * variables + i];
        }
    }
    void *memory[] = {sent(s, r->beta, n * 8),    sent(s, packed, label_bytes),
                      sent(s, NULL, count_bytes), sent(s, NULL, potential_bytes),
                      sent(s, NULL, n * 4),       NULL};
    const gm_tensor beta = gm_tensor_1d(memory[0], GM_F64, r->chains);
    gm_tensor labels = gm_tensor_2d(memory[1], GM_U8, r->chains, variables);
    if (r->by_variable) {
        labels.stride[0] = 3;
        labels.stride[1] = 3 * r->chains;
    }
    const gm_tensor counts = r->reduced ? gm_tensor_1d(memory[2], GM_U64, info.states)
                                        : gm_tensor_2d(memory[2], GM_U64, r->chains, info.states);
    const gm_tensor potential = gm_tensor_2d(memory[3], GM_F64, r->chains, r->sweeps.sweeps);
    const gm_tensor state = gm_tensor_1d(memory[4], GM_I32, r->chains);
    const gm_factor_graph_result result = {r->counts != NULL ? &counts : NULL,
                                           r->log_potential != NULL ? &potential : NULL, &state};
    gm_workspace w = {0};
    ASSERT_OK(s->context, gm_factor_graph_run(plan, &r->sweeps, &beta, &labels, &result, &w));
    memory[5] = w.data = sent(s, NULL, w.bytes);
    ASSERT_OK(s->context, gm_factor_graph_run(plan, &r->sweeps, &beta, &labels, &result, &w));
    ASSERT_OK(s->context, gm_memory_download(s->context, packed, memory[1], label_bytes));
    ASSERT_OK(s->context, gm_memory_download(s->context, status, memory[4], n * 4));
    if (r->counts != NULL) {
        ASSERT_OK(s->context, gm_memory_download(s->context, r->counts, memory[2], count_bytes));
    }
    if (r->log_potential != NULL) {
        ASSERT_OK(s->context,
                  gm_memory_download(s->context, r->log_potential, memory[3], potential_bytes));
    }
    for (int i = 0; i < COUNT(memory); ++i) {
        ASSERT_OK(s->context, gm_memory_free(s->context, memory[i]));
    }
    for (int64_t c = 0; c < r->chains; ++c) {
        if (r->status != NULL) {
            r->status[c] = status[c];
        } else {
            assert_int_equal(status[c], GM_STATUS_OK);
        }
        for (int64_t i = 0; i < variables; ++i) {
            uint8_t *label = &packed[label_offset(r, variables, c, i)];
            r->labels[c * variables + i] = *label;
            *label = 0x5a;
        }
    }
    for (size_t i = 0; i < label_bytes; ++i) {
        assert_int_equal(packed[i], 0x5a);
    }
    free(packed);
    free(status);
}

__attribute__((unused)) static void run_net(const subject *s, const net *n, const factor_run *r) {
    gm_factor_graph_plan *plan;
    ASSERT_OK(s->context, gm_factor_graph_plan_create(s->context, &n->model, &plan));
    run_factor_plan(s, plan, n->model.variables, r);
    gm_factor_graph_plan_destroy(plan);
}

#endif

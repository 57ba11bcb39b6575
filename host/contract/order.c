/*
 * Contraction orders.
 *
 * Exact: dynamic programming over the subsets of operands. The partial product of a subset keeps
 * the labels that the output or an operand outside needs, whatever the order inside it, so the best
 * way to make it is the best split in two over the best ways to make those. 3^n splits are looked
 * at.
 *
 * Greedy: the pair next whose product adds least to memory, size(product) - alpha (size(a) +
 * size(b)), among the pairs that share a label while there are any; once as it is and many times
 * with alpha and the scores disturbed, and the best path is kept.
 */
#include <math.h>
#include <stdlib.h>

#include "host/contract/order.h"
#include "host/internal.h"

enum { RESTARTS = 256 };

static double largest(double a, double b) {
    return a > b ? a : b;
}

/* A candidate with this cost and peak is better than the best so far. */
static bool is_better(gm_path_goal goal, double limit, double cost, double peak, double best_cost,
                      double best_peak) {
    if (goal == GM_PATH_COST_WITHIN && (peak <= limit) != (best_peak <= limit)) {
        return peak <= limit;
    }
    const double first = goal == GM_PATH_PEAK ? peak : cost;
    const double second = goal == GM_PATH_PEAK ? cost : peak;
    const double best_first = goal == GM_PATH_PEAK ? best_peak : best_cost;
    const double best_second = goal == GM_PATH_PEAK ? best_cost : best_peak;
    return first < best_first || (first == best_first && second < best_second);
}

/* ---- exact ----------------------------------------------------------------------------------- */

/* What is known of a subset of the operands. */
typedef struct subset {
    gm_labels any, kept; /* labels of its operands, of its product */
    double bytes;        /* of its product in the workspace: 0 for an operand and for the output */
    double cost, peak;
    uint32_t first; /* one half of the best split, the one to make first */
} subset;

/* gm_expression_size by bytes of the set: the inner loop asks for it 3^n times. */
typedef struct size_table {
    double size[4][256];
} size_table;

static void fill_sizes(const gm_expression *e, size_table *t) {
    for (int byte = 0; byte < 4; ++byte) {
        t->size[byte][0] = 1;
        for (uint32_t set = 1; set < 256; ++set) {
            const int32_t label = 8 * byte + __builtin_ctz(set);
            t->size[byte][set] = t->size[byte][set & (set - 1)] *
                                 (label < e->labels ? (double)e->extent[label] : 1.0);
        }
    }
}

static inline double size_of(const size_table *t, gm_labels set) {
    return (t->size[0][set & 255u] * t->size[1][set >> 8 & 255u]) *
           (t->size[2][set >> 16 & 255u] * t->size[3][set >> 24]);
}

/* The most memory in use while two products are made, one after the other, and then theirs. */
static double peak_of(const subset *first, const subset *second, double bytes) {
    return largest(largest(first->peak, first->bytes + second->peak),
                   first->bytes + second->bytes + bytes);
}

static void split_best(subset *all, uint32_t set, const size_table *t, gm_path_goal goal,
                       double limit) {
    subset *s = &all[set];
    const uint32_t lowest = set & (~set + 1u);
    s->cost = s->peak = INFINITY;
    for (uint32_t half = (set - 1) & set; half != 0; half = (half - 1) & set) {
        if ((half & lowest) == 0) {
            continue; /* the other half of a split that is looked at */
        }
        const subset *a = &all[half], *b = &all[set ^ half];
        const double cost = a->cost + b->cost + size_of(t, a->kept | b->kept);
        if (goal != GM_PATH_PEAK && cost > s->cost && s->peak <= limit) {
            continue;
        }
        const double a_first = peak_of(a, b, s->bytes), b_first = peak_of(b, a, s->bytes);
        const double peak = a_first <= b_first ? a_first : b_first;
        if (s->first == 0 || is_better(goal, limit, cost, peak, s->cost, s->peak)) {
            s->cost = cost;
            s->peak = peak;
            s->first = a_first <= b_first ? half : set ^ half;
        }
    }
}

/* Appends the steps that make a subset, and returns the number of its term. */
static int32_t emit(const subset *all, uint32_t set, int32_t operands, gm_path *path) {
    if ((set & (set - 1)) == 0) {
        return __builtin_ctz(set);
    }
    const int32_t first = emit(all, all[set].first, operands, path);
    const int32_t second = emit(all, set ^ all[set].first, operands, path);
    path->step[path->steps].a = first < second ? first : second;
    path->step[path->steps].b = first < second ? second : first;
    return operands + path->steps++;
}

static gm_status find_exact(gm_context *context, const gm_expression *e, gm_path_goal goal,
                            double limit, size_t element, gm_path *path) {
    const uint32_t full = (uint32_t)(1ull << e->operands) - 1u;
    subset *all = calloc((size_t)full + 1, sizeof *all);
    size_table table;
    GM_CHECK(context, all != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the search of an order");
    fill_sizes(e, &table);
    for (uint32_t set = 1; set <= full; ++set) {
        all[set].any = all[set & (set - 1)].any | e->used[__builtin_ctz(set)];
    }
    for (uint32_t set = 1; set <= full; ++set) {
        subset *s = &all[set];
        s->kept = s->any & (e->result | all[full ^ set].any);
        if ((set & (set - 1)) != 0) {
            s->bytes = set == full ? 0 : size_of(&table, s->kept) * (double)element;
            split_best(all, set, &table, goal, limit);
        }
    }
    path->steps = 0;
    path->cost = all[full].cost;
    path->peak = all[full].peak;
    emit(all, full, e->operands, path);
    free(all);
    return GM_STATUS_OK;
}

/* ---- one pair after the other ---------------------------------------------------------------- */

/* The terms that are left, and what a product of two of them would keep. */
typedef struct terms {
    const gm_expression *expression;
    int32_t count, number[GM_MAX_OPERANDS];
    gm_labels labels[GM_MAX_OPERANDS];
    double size[GM_MAX_OPERANDS];
    gm_labels in_two, in_more; /* labels of exactly two of the terms, of three or more */
    double live;               /* bytes of those that are partial products */
    size_t element;
} terms;

static void count_labels(terms *t) {
    gm_labels one = 0, two = 0, more = 0;
    for (int32_t i = 0; i < t->count; ++i) {
        more |= two & t->labels[i];
        two |= one & t->labels[i];
        one |= t->labels[i];
    }
    t->in_two = two & ~more;
    t->in_more = more;
}

static void begin_terms(const gm_expression *e, size_t element, terms *t) {
    *t = (terms){.expression = e, .count = e->operands, .element = element};
    for (int32_t i = 0; i < e->operands; ++i) {
        t->number[i] = i;
        t->labels[i] = e->used[i];
    }
    count_labels(t);
    for (int32_t i = 0; i < e->operands; ++i) {
        t->labels[i] &= t->in_two | t->in_more | e->result;
        t->size[i] = gm_expression_size(e, t->labels[i]);
    }
}

static gm_labels product_labels(const terms *t, int32_t i, int32_t j) {
    const gm_labels a = t->labels[i], b = t->labels[j];
    return ((a | b) & (t->in_more | t->expression->result)) | ((a ^ b) & t->in_two);
}

/* Contracts terms i and j, i < j, and counts what that costs. */
static void contract(terms *t, int32_t i, int32_t j, gm_path *path) {
    const gm_expression *e = t->expression;
    const gm_labels both = t->labels[i] | t->labels[j], kept = product_labels(t, i, j);
    const int32_t pair[] = {i, j};
    path->step[path->steps].a = t->number[i];
    path->step[path->steps].b = t->number[j];
    path->cost += gm_expression_size(e, both);
    const double size = gm_expression_size(e, kept);
    t->live += t->count > 2 ? size * (double)t->element : 0;
    path->peak = largest(path->peak, t->live);
    for (int k = 0; k < 2; ++k) {
        t->live -= t->number[pair[k]] >= e->operands ? t->size[pair[k]] * (double)t->element : 0;
    }
    t->number[i] = e->operands + path->steps++;
    t->labels[i] = kept;
    t->size[i] = size;
    --t->count;
    for (int32_t k = j; k < t->count; ++k) { /* the order of the rest stays */
        t->number[k] = t->number[k + 1];
        t->labels[k] = t->labels[k + 1];
        t->size[k] = t->size[k + 1];
    }
    count_labels(t);
}

/* A number in (0, 1), by SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static double next_uniform(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

static void find_greedy(const gm_expression *e, size_t element, double alpha, double disturbance,
                        uint64_t *random, gm_path *path) {
    terms t;
    begin_terms(e, element, &t);
    *path = (gm_path){0};
    while (t.count > 1) {
        double best = INFINITY;
        int32_t best_i = 0, best_j = 1;
        bool best_shares = false;
        for (int32_t i = 0; i < t.count; ++i) {
            for (int32_t j = i + 1; j < t.count; ++j) {
                const bool shares = (t.labels[i] & t.labels[j]) != 0;
                if (best_shares && !shares) {
                    continue;
                }
                double score = gm_expression_size(e, product_labels(&t, i, j)) -
                               alpha * (t.size[i] + t.size[j]);
                if (disturbance > 0) { /* Gumbel noise relative to the score */
                    score -= disturbance * fabs(score) * -log(-log(next_uniform(random)));
                }
                if (score < best || (shares && !best_shares)) {
                    best = score;
                    best_i = i;
                    best_j = j;
                    best_shares = shares;
                }
            }
        }
        contract(&t, best_i, best_j, path);
    }
}

static void find_greedy_best(const gm_expression *e, gm_path_goal goal, double limit,
                             size_t element, gm_path *path) {
    uint64_t random = 1;
    find_greedy(e, element, 1, 0, &random, path);
    for (int restart = 1; restart < RESTARTS; ++restart) {
        gm_path next;
        const double alpha = restart % 2 == 0 ? 1 : next_uniform(&random);
        find_greedy(e, element, alpha, 0.5 * next_uniform(&random), &random, &next);
        if (is_better(goal, limit, next.cost, next.peak, path->cost, path->peak)) {
            *path = next;
        }
    }
}

static void find_left_to_right(const gm_expression *e, size_t element, gm_path *path) {
    terms t;
    begin_terms(e, element, &t);
    *path = (gm_path){0};
    while (t.count > 1) {
        contract(&t, 0, 1, path);
    }
}

gm_status gm_path_find(gm_context *context, const gm_expression *expression,
                       gm_contract_order order, gm_path_goal goal, double limit, size_t element,
                       gm_path *path) {
    if (order == GM_CONTRACT_LEFT_TO_RIGHT || expression->operands < 3) {
        find_left_to_right(expression, element, path);
        return GM_STATUS_OK;
    }
    if (order == GM_CONTRACT_GREEDY) {
        find_greedy_best(expression, goal, limit, element, path);
        return GM_STATUS_OK;
    }
    return find_exact(context, expression, goal, limit, element, path);
}

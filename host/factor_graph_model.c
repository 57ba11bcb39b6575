/*
 * The model of a factor graph: its checks, the quantum of its tables, a colouring, and the
 * positions of its variables.
 */
#include "host/factor_graph_model.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/colouring.h"

enum { MOST_VARIABLES = 1 << 24, MOST_FACTORS = 1 << 28, FIXED_BITS = 61 };
static const int64_t MOST_ENTRIES = 1 << 30;

/* ---- checks ---------------------------------------------------------------------------------- */

int64_t gm_factor_entries(const gm_factor_graph_model *m, int64_t factor, int32_t *steps) {
    const int64_t begin = m->first[factor], end = m->first[factor + 1];
    int64_t entries = 1;
    for (int64_t k = end; k-- > begin;) {
        steps[k - begin] = (int32_t)entries;
        entries *= m->cardinality[m->member[k]];
        if (entries > MOST_ENTRIES) {
            return MOST_ENTRIES + 1;
        }
    }
    return entries;
}

static gm_status check_members(gm_context *context, const gm_factor_graph_model *m, int64_t a) {
    const int64_t begin = m->first[a], end = m->first[a + 1];
    GM_CHECK(context, end > begin && end - begin <= GM_FACTOR_MOST_MEMBERS,
             GM_STATUS_INVALID_ARGUMENT,
             "model.first: factor %lld is of %lld variables: must be 1 to %d", (long long)a,
             (long long)(end - begin), GM_FACTOR_MOST_MEMBERS);
    for (int64_t k = begin; k < end; ++k) {
        GM_CHECK(context, m->member[k] >= 0 && m->member[k] < m->variables,
                 GM_STATUS_INVALID_ARGUMENT, "model.member[%lld] = %d: there are %lld variables",
                 (long long)k, (int)m->member[k], (long long)m->variables);
        for (int64_t j = begin; j < k; ++j) {
            GM_CHECK(context, m->member[j] != m->member[k], GM_STATUS_INVALID_ARGUMENT,
                     "model.member: variable %d is twice in factor %lld", (int)m->member[k],
                     (long long)a);
        }
    }
    return GM_STATUS_OK;
}

static gm_status check_factors(gm_context *context, const gm_factor_graph_model *m) {
    GM_CHECK(context, m->first != NULL, GM_STATUS_INVALID_ARGUMENT, "model.first is NULL");
    GM_CHECK(context, m->first[0] == 0, GM_STATUS_INVALID_ARGUMENT,
             "model.first[0] = %lld: must be 0", (long long)m->first[0]);
    GM_CHECK(context, m->member != NULL, GM_STATUS_INVALID_ARGUMENT, "model.member is NULL");
    GM_CHECK(context, m->table != NULL, GM_STATUS_INVALID_ARGUMENT, "model.table is NULL");
    int64_t entry = 0;
    for (int64_t a = 0; a < m->factors; ++a) {
        int32_t steps[GM_FACTOR_MOST_MEMBERS];
        GM_TRY(check_members(context, m, a));
        const int64_t end = entry + gm_factor_entries(m, a, steps);
        GM_CHECK(context, end <= MOST_ENTRIES, GM_STATUS_INVALID_ARGUMENT,
                 "model.table: more than 2^30 entries with factor %lld", (long long)a);
        for (int64_t k = entry; k < end; ++k) {
            GM_CHECK(context, m->table[k] < INFINITY, GM_STATUS_INVALID_ARGUMENT,
                     "model.table: entry %lld of factor %lld = %g: must be finite or -INFINITY",
                     (long long)(k - entry), (long long)a, m->table[k]);
        }
        entry = end;
    }
    return GM_STATUS_OK;
}

gm_status gm_factor_check(gm_context *context, const gm_factor_graph_model *m) {
    GM_CHECK(context, m->variables >= 0 && m->variables <= MOST_VARIABLES,
             GM_STATUS_INVALID_ARGUMENT, "model.variables = %lld: must be in 0 .. 2^24",
             (long long)m->variables);
    GM_CHECK(context, m->factors >= 0 && m->factors <= MOST_FACTORS, GM_STATUS_INVALID_ARGUMENT,
             "model.factors = %lld: must be in 0 .. 2^28", (long long)m->factors);
    GM_CHECK(context, m->variables == 0 || m->cardinality != NULL, GM_STATUS_INVALID_ARGUMENT,
             "model.cardinality is NULL");
    for (int64_t i = 0; i < m->variables; ++i) {
        GM_CHECK(context, m->cardinality[i] >= 2 && m->cardinality[i] <= 256,
                 GM_STATUS_INVALID_ARGUMENT, "model.cardinality[%lld] = %d: must be in 2 .. 256",
                 (long long)i, (int)m->cardinality[i]);
    }
    return m->factors == 0 ? GM_STATUS_OK : check_factors(context, m);
}

/* ---- the quantum ----------------------------------------------------------------------------- */

/* The sum over factors of the largest finite |theta|, in units of 1 / scale, rounded if asked. */
static double sum_of_largest(const gm_factor_graph_model *m, double scale, bool rounded) {
    double sum = 0;
    const double *entry = m->table;
    for (int64_t a = 0; a < m->factors; ++a) {
        int32_t steps[GM_FACTOR_MOST_MEMBERS];
        const int64_t entries = gm_factor_entries(m, a, steps);
        double largest = 0;
        for (int64_t k = 0; k < entries; ++k) {
            largest = isfinite(entry[k]) ? fmax(largest, fabs(entry[k] * scale)) : largest;
        }
        sum += rounded ? nearbyint(largest) : largest;
        entry += entries;
    }
    return sum;
}

static gm_status choose_quantum(gm_context *context, const gm_factor_graph_model *m,
                                double *quantum) {
    const double most = sum_of_largest(m, 1, false);
    *quantum = 1;
    if (most == 0) {
        return GM_STATUS_OK;
    }
    GM_CHECK(context, most < DBL_MAX / 4, GM_STATUS_INVALID_ARGUMENT,
             "model.table: the sum over factors of the largest |entry| overflows");
    int exponent;
    (void)frexp(most, &exponent);
    *quantum = ldexp(1, exponent - FIXED_BITS);
    GM_CHECK(context, *quantum >= DBL_MIN, GM_STATUS_INVALID_ARGUMENT,
             "model.table: %g at the most is too small to be divided by 2^%d", most, FIXED_BITS);
    return GM_STATUS_OK;
}

/* ---- colours --------------------------------------------------------------------------------- */

/* What is worked out of a model, by variables. */
typedef struct graph {
    const gm_factor_graph_model *model;
    int32_t variables, colours;
    int32_t *first;        /* (variables + 1) into link */
    gm_factor_link *link;  /* by ascending factor */
    int32_t *colour;       /* -1: clamped */
    int32_t *place;        /* position */
    int32_t *next, *count; /* scratch; (colours + 1) of variables, the clamped last */
    int32_t *neighbour, *neighbour_first;
} graph;

static void free_graph(graph *g) {
    free(g->first);
    free(g->link);
    free(g->colour);
    free(g->place);
    free(g->next);
    free(g->count);
    free(g->neighbour);
    free(g->neighbour_first);
}

static void link_variables(graph *g) {
    const gm_factor_graph_model *m = g->model;
    const int64_t members = m->factors > 0 ? m->first[m->factors] : 0;
    for (int64_t k = 0; k < members; ++k) {
        g->first[m->member[k] + 1] += 1;
    }
    for (int32_t i = 0; i < g->variables; ++i) {
        g->first[i + 1] += g->first[i];
        g->next[i] = g->first[i];
    }
    for (int64_t a = 0; a < m->factors; ++a) {
        int32_t steps[GM_FACTOR_MOST_MEMBERS];
        (void)gm_factor_entries(m, a, steps);
        for (int64_t k = m->first[a]; k < m->first[a + 1]; ++k) {
            g->link[g->next[m->member[k]]++] = (gm_factor_link){(int32_t)a, steps[k - m->first[a]]};
        }
    }
}

/* Goes through the neighbours of every variable, each once; writes them where out is not NULL.
 * seen: (variables) scratch. */
static int64_t join_neighbours(const graph *g, int32_t *first, int32_t *out, int32_t *seen) {
    const gm_factor_graph_model *m = g->model;
    int64_t count = 0;
    memset(seen, 0xff, (size_t)g->variables * sizeof *seen);
    for (int32_t i = 0; i < g->variables; ++i) {
        first[i] = (int32_t)count;
        seen[i] = i;
        for (int32_t l = g->first[i]; l < g->first[i + 1]; ++l) {
            const int64_t a = g->link[l].factor;
            for (int64_t k = m->first[a]; k < m->first[a + 1]; ++k) {
                if (seen[m->member[k]] != i) {
                    seen[m->member[k]] = i;
                    if (out != NULL) {
                        out[count] = m->member[k];
                    }
                    ++count;
                }
            }
        }
        if (count > INT32_MAX) {
            return count;
        }
    }
    first[g->variables] = (int32_t)count;
    return count;
}

static gm_status colour_coloured(gm_context *context, graph *g) {
    const int64_t ends = join_neighbours(g, g->neighbour_first, NULL, g->next);
    GM_CHECK(context, ends <= INT32_MAX, GM_STATUS_INVALID_ARGUMENT,
             "model: more than 2^31 pairs of variables share a factor");
    g->neighbour = malloc(((size_t)ends + 1) * sizeof *g->neighbour);
    GM_CHECK(context, g->neighbour != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    (void)join_neighbours(g, g->neighbour_first, g->neighbour, g->next);
    const gm_adjacency adjacency = {g->variables, g->neighbour_first, g->neighbour,
                                    g->model->clamped};
    return gm_colour_sites(context, &adjacency, g->colour, g->next);
}

static gm_status colour(gm_context *context, graph *g) {
    const uint8_t *clamped = g->model->clamped;
    for (int32_t i = 0; i < g->variables; ++i) {
        g->colour[i] = clamped == NULL || clamped[i] == 0 ? 0 : -1;
    }
    if (g->model->order == GM_ISING_COLOURED) {
        GM_TRY(colour_coloured(context, g));
    }
    return gm_count_colours(context, g->colour, g->variables, &g->colours, &g->count);
}

/* ---- the problem ----------------------------------------------------------------------------- */

/* The arrays of a problem while they are filled. */
typedef struct arrays {
    int64_t *table, *state;
    gm_factor_link *link;
    gm_factor_member *member;
    int32_t *variable, *cardinality, *colour, *first, *base, *first_member;
} arrays;

static gm_status make_arrays(gm_context *context, gm_factor_problem *p, arrays *a) {
    const size_t positions = (size_t)p->positions, factors = (size_t)p->factors;
    const size_t longs = (size_t)p->entries + positions;
    const size_t pairs = (size_t)p->links + (size_t)p->members;
    const size_t ints = 3 * positions + 1 + 2 * (size_t)p->colours + 2 * factors + 1;
    p->bytes = 8 * longs + 8 * pairs + 4 * ints;
    p->memory = calloc(p->bytes, 1);
    GM_CHECK(context, p->memory != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    a->table = p->memory;
    a->state = a->table + p->entries;
    a->link = (gm_factor_link *)(void *)(a->state + positions);
    a->member = (gm_factor_member *)(void *)(a->link + p->links);
    a->variable = (int32_t *)(void *)(a->member + p->members);
    a->cardinality = a->variable + positions;
    a->first = a->cardinality + positions;
    a->colour = a->first + positions + 1;
    a->base = a->colour + 2 * p->colours;
    a->first_member = a->base + factors;
    p->table = a->table;
    p->state = a->state;
    p->link = a->link;
    p->member = a->member;
    p->variable = a->variable;
    p->cardinality = a->cardinality;
    p->first = a->first;
    p->colour = a->colour;
    p->base = a->base;
    p->first_member = a->first_member;
    return GM_STATUS_OK;
}

/* Colours begin at multiples of it. */
static int32_t multiple_of(gm_ising_order order) {
    return order == GM_ISING_COLOURED ? 2 : 1;
}

static void place_variables(graph *g, const arrays *a, gm_factor_problem *p) {
    int32_t *next = g->count; /* its counts become positions */
    gm_place_colours(next, g->colours, multiple_of(p->order), a->colour);
    for (int32_t at = 0; at < p->positions; ++at) {
        a->variable[at] = -1;
    }
    for (int32_t i = 0; i < g->variables; ++i) {
        const int32_t at = next[g->colour[i] < 0 ? g->colours : g->colour[i]]++;
        g->place[i] = at;
        a->variable[at] = i;
        a->cardinality[at] = g->model->cardinality[i];
        a->state[at] = p->states;
        p->states += g->model->cardinality[i];
    }
}

static void place_links(const graph *g, const arrays *a, const gm_factor_problem *p) {
    int32_t next = 0;
    for (int32_t at = 0; at < p->positions; ++at) {
        const int32_t i = a->variable[at];
        a->first[at] = next;
        if (i >= 0) {
            const int32_t count = g->first[i + 1] - g->first[i];
            memcpy(a->link + next, g->link + g->first[i], (size_t)count * sizeof *a->link);
            next += count;
        }
    }
    a->first[p->positions] = next;
}

static void place_factors(const graph *g, const arrays *a, const gm_factor_problem *p,
                          double *rounding) {
    const gm_factor_graph_model *m = g->model;
    int64_t entry = 0;
    for (int32_t f = 0; f < p->factors; ++f) {
        int32_t steps[GM_FACTOR_MOST_MEMBERS];
        const int64_t end = entry + gm_factor_entries(m, f, steps);
        a->base[f] = (int32_t)entry;
        a->first_member[f] = (int32_t)m->first[f];
        for (int64_t k = m->first[f]; k < m->first[f + 1]; ++k) {
            a->member[k] = (gm_factor_member){g->place[m->member[k]], steps[k - m->first[f]]};
        }
        for (; entry < end; ++entry) {
            const double theta = m->table[entry], count = nearbyint(theta / p->quantum);
            a->table[entry] = isfinite(theta) ? (int64_t)count : GM_FACTOR_FORBIDDEN;
            if (isfinite(theta)) {
                *rounding = fmax(*rounding, fabs(theta - count * p->quantum));
            }
        }
    }
    a->first_member[p->factors] = p->members;
}

static gm_status plan_graph(gm_context *context, graph *g, gm_factor_problem *p,
                            gm_factor_graph_info *info) {
    const gm_factor_graph_model *m = g->model;
    link_variables(g);
    GM_TRY(choose_quantum(context, m, &p->quantum));
    GM_TRY(colour(context, g));
    p->order = m->order;
    p->variables = g->variables;
    p->free_variables = g->variables - g->count[g->colours];
    p->colours = g->colours;
    p->factors = (int32_t)m->factors;
    p->members = p->links = g->first[g->variables];
    p->reach = sum_of_largest(m, 1 / p->quantum, true);
    for (int64_t a = 0; a < m->factors; ++a) {
        int32_t steps[GM_FACTOR_MOST_MEMBERS];
        p->entries += (int32_t)gm_factor_entries(m, a, steps);
    }
    const int32_t multiple = multiple_of(m->order);
    for (int32_t c = 0; c < g->colours; ++c) {
        p->positions += (g->count[c] + multiple - 1) / multiple * multiple;
    }
    p->blocks = (p->positions + 1) / 2;
    p->positions += g->count[g->colours];
    arrays a = {0};
    GM_TRY(make_arrays(context, p, &a));
    place_variables(g, &a, p);
    place_links(g, &a, p);
    *info = (gm_factor_graph_info){.states = p->states,
                                   .colours = m->order == GM_ISING_COLOURED ? g->colours : 0,
                                   .quantum = p->quantum};
    place_factors(g, &a, p, &info->rounding);
    return GM_STATUS_OK;
}

gm_status gm_factor_plan(gm_context *context, const gm_factor_graph_model *model,
                         gm_factor_problem *problem, gm_factor_graph_info *info) {
    *problem = (gm_factor_problem){.memory = NULL};
    GM_TRY(gm_factor_check(context, model));
    GM_CHECK(context, (unsigned)model->order <= GM_ISING_RASTER, GM_STATUS_INVALID_ARGUMENT,
             "model.order = %d is none", (int)model->order);
    const size_t n = (size_t)model->variables + 1;
    const size_t members = model->factors > 0 ? (size_t)model->first[model->factors] : 0;
    graph g = {.model = model, .variables = (int32_t)model->variables};
    g.first = calloc(n, sizeof *g.first);
    g.link = malloc((members + 1) * sizeof *g.link);
    g.colour = malloc(n * sizeof *g.colour);
    g.place = malloc(n * sizeof *g.place);
    g.next = malloc(n * sizeof *g.next);
    g.neighbour_first = malloc(n * sizeof *g.neighbour_first);
    const bool enough = g.first != NULL && g.link != NULL && g.colour != NULL && g.place != NULL &&
                        g.next != NULL && g.neighbour_first != NULL;
    const gm_status status =
        enough ? plan_graph(context, &g, problem, info)
               : gm_fail(context, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    free_graph(&g);
    return status;
}

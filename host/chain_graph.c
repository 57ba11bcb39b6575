/*
 * The graph of an Ising or Potts model: its checks, the quantum of its couplings and fields, a
 * colouring, and the positions of its sites.
 */
#include "host/chain_graph.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/colouring.h"

enum { MOST_DIVISIONS = 100, FIXED_BITS = 30 };
static const int64_t MOST_SITES = 1 << 30, MOST_EDGES = 1 << 29;

/* The model's graph by sites, and what is worked out from it. */
typedef struct graph {
    const gm_graph_model *model;
    int32_t sites;
    int32_t *first, *neighbour; /* (sites + 1), (2 edges) */
    double *coupling;           /* (2 edges) */
    int32_t *colour;            /* (sites) -1: clamped, or not coloured yet */
    int32_t *place;             /* (sites) position */
    int32_t colours;
    int32_t *count; /* (colours) of sites */
} graph;

static void free_graph(graph *g) {
    free(g->first);
    free(g->neighbour);
    free(g->coupling);
    free(g->colour);
    free(g->place);
    free(g->count);
}

static bool is_free(const graph *g, int32_t site) {
    return g->model->clamped == NULL || g->model->clamped[site] == 0;
}

static double coupling_of(const gm_graph_model *model, int64_t edge) {
    return model->coupling != NULL ? model->coupling[edge] : 1;
}

/* Fields are numbered by site and label. */
static int64_t fields_of(const gm_graph_model *model) {
    return model->sites * model->labels;
}

static double field_of(const gm_graph_model *model, int64_t number) {
    return model->field != NULL ? model->field[number] : 0;
}

static gm_status check_model(gm_context *context, const gm_graph_model *m) {
    GM_CHECK(context, m->sites >= 0 && m->sites <= MOST_SITES, GM_STATUS_INVALID_ARGUMENT,
             "model.sites = %lld: must be in 0 .. 2^30", (long long)m->sites);
    GM_CHECK(context, m->edges >= 0 && m->edges <= MOST_EDGES, GM_STATUS_INVALID_ARGUMENT,
             "model.edges = %lld: must be in 0 .. 2^29", (long long)m->edges);
    GM_CHECK(context, m->edges == 0 || m->ends != NULL, GM_STATUS_INVALID_ARGUMENT,
             "model.ends is NULL");
    for (int64_t e = 0; e < m->edges; ++e) {
        const int32_t a = m->ends[2 * e], b = m->ends[2 * e + 1];
        GM_CHECK(context, a >= 0 && a < m->sites && b >= 0 && b < m->sites,
                 GM_STATUS_INVALID_ARGUMENT, "model.ends[%lld] = (%d, %d): there are %lld sites",
                 (long long)e, (int)a, (int)b, (long long)m->sites);
        GM_CHECK(context, a != b, GM_STATUS_INVALID_ARGUMENT,
                 "model.ends[%lld] = (%d, %d): a site is no neighbour of itself", (long long)e,
                 (int)a, (int)b);
        GM_CHECK(context, isfinite(coupling_of(m, e)), GM_STATUS_INVALID_ARGUMENT,
                 "model.coupling[%lld] = %g: must be finite", (long long)e, coupling_of(m, e));
    }
    for (int64_t i = 0; i < fields_of(m) && m->field != NULL; ++i) {
        GM_CHECK(context, isfinite(m->field[i]), GM_STATUS_INVALID_ARGUMENT,
                 "model.field[%lld] = %g: must be finite", (long long)i, m->field[i]);
    }
    return GM_STATUS_OK;
}

/* ---- neighbours ------------------------------------------------------------------------------ */

typedef struct end_entry {
    int32_t site;
    double coupling;
} end_entry;

static int by_site(const void *a, const void *b) {
    const int32_t left = ((const end_entry *)a)->site, right = ((const end_entry *)b)->site;
    return (left > right) - (left < right);
}

/* The neighbours of each site in ascending order. */
static gm_status join_ends(gm_context *context, graph *g) {
    const gm_graph_model *m = g->model;
    end_entry *entries = malloc((size_t)(2 * m->edges + 1) * sizeof *entries);
    GM_CHECK(context, entries != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    for (int64_t k = 0; k < 2 * m->edges; ++k) {
        ++g->first[m->ends[k] + 1];
    }
    for (int32_t i = 0; i < g->sites; ++i) {
        g->first[i + 1] += g->first[i];
        g->place[i] = g->first[i];
    }
    for (int64_t k = 0; k < 2 * m->edges; ++k) {
        entries[g->place[m->ends[k]]++] = (end_entry){m->ends[k ^ 1], coupling_of(m, k / 2)};
    }
    int32_t twice = -1, with = -1;
    for (int32_t i = 0; i < g->sites; ++i) {
        qsort(entries + g->first[i], (size_t)(g->first[i + 1] - g->first[i]), sizeof *entries,
              by_site);
        for (int32_t k = g->first[i]; k < g->first[i + 1]; ++k) {
            g->neighbour[k] = entries[k].site;
            g->coupling[k] = entries[k].coupling;
            if (k > g->first[i] && entries[k].site == entries[k - 1].site && twice < 0) {
                twice = i;
                with = entries[k].site;
            }
        }
    }
    free(entries);
    GM_CHECK(context, twice < 0, GM_STATUS_INVALID_ARGUMENT,
             "model.ends: the pair (%d, %d) is given twice", (int)twice, (int)with);
    return GM_STATUS_OK;
}

/* ---- the quantum ----------------------------------------------------------------------------- */

/* How far v is from its nearest multiple of q. */
static double distance(double v, double q) {
    return fabs(v - nearbyint(v / q) * q);
}

static bool is_multiple(double v, double q) {
    return fabs(v / q) < 0x1p29 && distance(v, q) <= 4 * DBL_EPSILON * fabs(v);
}

static bool all_are_multiples(const gm_graph_model *m, double q) {
    bool all = true;
    for (int64_t e = 0; e < m->edges && all; ++e) {
        all = is_multiple(coupling_of(m, e), q);
    }
    for (int64_t i = 0; i < fields_of(m) && m->field != NULL && all; ++i) {
        all = is_multiple(m->field[i], q);
    }
    return all;
}

/* The largest sum of |J| and of one |h| at a site, in units of q, each rounded if q is not 0. */
static double largest_sum(const graph *g, double q) {
    double largest = 0;
    for (int32_t i = 0; i < g->sites; ++i) {
        double sum = 0;
        for (int32_t k = 0; k < g->model->labels; ++k) {
            sum = fmax(sum, fabs(field_of(g->model, (int64_t)i * g->model->labels + k)));
        }
        sum = q > 0 ? nearbyint(sum / q) : sum;
        for (int32_t k = g->first[i]; k < g->first[i + 1]; ++k) {
            const double size = fabs(g->coupling[k]);
            sum += q > 0 ? nearbyint(size / q) : size;
        }
        largest = fmax(largest, sum);
    }
    return largest;
}

static double least_size(const gm_graph_model *m) {
    double least = INFINITY;
    for (int64_t e = 0; e < m->edges; ++e) {
        const double size = fabs(coupling_of(m, e));
        least = size > 0 ? fmin(least, size) : least;
    }
    for (int64_t i = 0; i < fields_of(m) && m->field != NULL; ++i) {
        const double size = fabs(m->field[i]);
        least = size > 0 ? fmin(least, size) : least;
    }
    return least;
}

/* Local fields stay below 2^30, or where two labels have one each, below 2^29: so do their
 * differences of 32 bits then. */
static gm_status choose_quantum(gm_context *context, const graph *g, double *quantum) {
    const int bits = g->model->labels > 1 ? FIXED_BITS - 1 : FIXED_BITS;
    const double least = least_size(g->model), most = largest_sum(g, 0);
    GM_CHECK(context, isfinite(most) && most < DBL_MAX / 4, GM_STATUS_INVALID_ARGUMENT,
             "model.coupling, model.field: the sum of their sizes at a site overflows");
    if (!isfinite(least)) {
        *quantum = 1;
        return GM_STATUS_OK;
    }
    for (int d = 1; d <= MOST_DIVISIONS; ++d) {
        const double q = least / d;
        if (q >= DBL_MIN && all_are_multiples(g->model, q) && largest_sum(g, q) < ldexp(1, bits)) {
            *quantum = q;
            return GM_STATUS_OK;
        }
    }
    int exponent;
    (void)frexp(most, &exponent);
    *quantum = ldexp(1, exponent - bits);
    GM_CHECK(context, *quantum >= DBL_MIN, GM_STATUS_INVALID_ARGUMENT,
             "model.coupling, model.field: %g at the most is too small to be divided by 2^%d", most,
             bits);
    return GM_STATUS_OK;
}

/* ---- colours --------------------------------------------------------------------------------- */

static gm_status colour(gm_context *context, graph *g) {
    for (int32_t i = 0; i < g->sites; ++i) {
        g->colour[i] = is_free(g, i) ? 0 : -1;
    }
    if (g->model->coloured) {
        const gm_adjacency adjacency = {g->sites, g->first, g->neighbour, g->model->clamped};
        GM_TRY(gm_colour_sites(context, &adjacency, g->colour, g->place));
    }
    return gm_count_colours(context, g->colour, g->sites, &g->colours, &g->count);
}

/* ---- components ------------------------------------------------------------------------------ */

/* The number of connected components, clamped sites included. Leaves place as scratch. */
static int32_t count_components(const graph *g) {
    int32_t components = 0;
    int32_t *queue = g->place;
    for (int32_t i = 0; i < g->sites; ++i) {
        g->colour[i] = 0;
    }
    for (int32_t start = 0; start < g->sites; ++start) {
        int32_t head = 0, tail = 0;
        if (g->colour[start] == 0) {
            ++components;
            g->colour[start] = 1;
            queue[tail++] = start;
        }
        while (head < tail) {
            const int32_t i = queue[head++];
            for (int32_t k = g->first[i]; k < g->first[i + 1]; ++k) {
                const int32_t j = g->neighbour[k];
                if (g->colour[j] == 0) {
                    g->colour[j] = 1;
                    queue[tail++] = j;
                }
            }
        }
    }
    return components;
}

/* ---- positions ------------------------------------------------------------------------------- */

/* The arrays of a graph, filled while they are made. */
typedef struct arrays {
    int32_t *site, *colour, *first, *neighbour, *coupling, *field;
} arrays;

static gm_status make_arrays(gm_context *context, gm_chain_graph *p, arrays *a) {
    const size_t positions = (size_t)p->positions;
    const size_t counts[] = {positions,
                             2 * (size_t)p->colours,
                             positions + 1,
                             positions * (size_t)p->labels + 1,
                             (size_t)p->neighbours,
                             (size_t)p->neighbours};
    int32_t **const targets[] = {&a->site,  &a->colour,    &a->first,
                                 &a->field, &a->neighbour, &a->coupling};
    size_t total = 0;
    for (int i = 0; i < 6; ++i) {
        total += counts[i];
    }
    int32_t *next = calloc(total, sizeof *next);
    GM_CHECK(context, next != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    p->memory = next;
    for (int i = 0; i < 6; ++i) {
        *targets[i] = next;
        next += counts[i];
    }
    return GM_STATUS_OK;
}

static void place_sites(graph *g, const arrays *a, const gm_chain_graph *p) {
    int32_t *next = g->count; /* its counts become positions */
    gm_place_colours(next, g->colours, g->model->coloured ? 4 : 1, a->colour);
    for (int32_t at = 0; at < p->positions; ++at) {
        a->site[at] = -1;
    }
    for (int32_t i = 0; i < g->sites; ++i) {
        const int32_t at = next[g->colour[i] < 0 ? g->colours : g->colour[i]]++;
        g->place[i] = at;
        a->site[at] = i;
    }
}

/* Neighbours, couplings and fields by positions, in quanta. */
static void quantise(const graph *g, const arrays *a, const gm_chain_graph *p) {
    const int64_t labels = p->labels;
    int32_t next = 0;
    for (int32_t at = 0; at < p->positions; ++at) {
        const int32_t i = a->site[at];
        a->first[at] = next;
        if (i < 0) {
            continue;
        }
        for (int64_t k = 0; k < labels; ++k) {
            a->field[at * labels + k] =
                (int32_t)nearbyint(field_of(g->model, i * labels + k) / p->quantum);
        }
        for (int32_t k = g->first[i]; k < g->first[i + 1]; ++k, ++next) {
            a->neighbour[next] = g->place[g->neighbour[k]];
            a->coupling[next] = (int32_t)nearbyint(g->coupling[k] / p->quantum);
        }
    }
    a->first[p->positions] = next;
}

static void describe(const graph *g, const arrays *a, gm_chain_graph *p) {
    int64_t twice = 0;
    for (int32_t at = 0; at < p->positions; ++at) {
        int64_t reach = 0;
        for (int32_t k = 0; k < p->labels; ++k) {
            const int64_t field = llabs((long long)a->field[(int64_t)at * p->labels + k]);
            reach = field > reach ? field : reach;
        }
        p->energy_bound += reach;
        for (int32_t k = a->first[at]; k < a->first[at + 1]; ++k) {
            reach += llabs((long long)a->coupling[k]);
            twice += llabs((long long)a->coupling[k]);
        }
        p->reach = reach > p->reach ? reach : p->reach;
    }
    p->energy_bound += twice / 2;
    for (int64_t e = 0; e < g->model->edges; ++e) {
        p->rounding = fmax(p->rounding, distance(coupling_of(g->model, e), p->quantum));
    }
    for (int64_t i = 0; i < fields_of(g->model) && g->model->field != NULL; ++i) {
        p->rounding = fmax(p->rounding, distance(g->model->field[i], p->quantum));
    }
}

static gm_status plan_graph(gm_context *context, graph *g, gm_chain_graph *p) {
    const gm_graph_model *m = g->model;
    GM_TRY(join_ends(context, g));
    p->components = count_components(g);
    GM_CHECK(context, m->connected == 0 || p->components <= 1, GM_STATUS_INVALID_ARGUMENT,
             "model.ends: the graph has %d parts that no edge joins, and model.connected asks for "
             "one",
             (int)p->components);
    GM_TRY(choose_quantum(context, g, &p->quantum));
    GM_TRY(colour(context, g));
    const int32_t multiple = m->coloured ? 4 : 1;
    p->labels = m->field != NULL || m->labels == 1 ? m->labels : 0;
    p->sites = g->sites;
    p->free_sites = g->sites - g->count[g->colours];
    p->colours = g->colours;
    p->neighbours = 2 * m->edges;
    for (int32_t c = 0; c < g->colours; ++c) {
        p->positions += (g->count[c] + multiple - 1) / multiple * multiple;
    }
    p->blocks = (p->positions + 3) / 4;
    p->positions += g->count[g->colours];
    arrays a;
    GM_TRY(make_arrays(context, p, &a));
    place_sites(g, &a, p);
    quantise(g, &a, p);
    describe(g, &a, p);
    p->site = a.site;
    p->colour = a.colour;
    p->first = a.first;
    p->neighbour = a.neighbour;
    p->coupling = a.coupling;
    p->field = a.field;
    return GM_STATUS_OK;
}

gm_status gm_chain_graph_make(gm_context *context, const gm_graph_model *model,
                              gm_chain_graph *made) {
    *made = (gm_chain_graph){0};
    GM_TRY(check_model(context, model));
    const size_t sites = (size_t)model->sites, ends = 2 * (size_t)model->edges;
    graph g = {.model = model, .sites = (int32_t)model->sites};
    g.first = calloc(sites + 1, sizeof *g.first);
    g.neighbour = malloc((ends + 1) * sizeof *g.neighbour);
    g.coupling = malloc((ends + 1) * sizeof *g.coupling);
    g.colour = malloc((sites + 1) * sizeof *g.colour);
    g.place = malloc((sites + 1) * sizeof *g.place);
    const bool enough = g.first != NULL && g.neighbour != NULL && g.coupling != NULL &&
                        g.colour != NULL && g.place != NULL;
    const gm_status status =
        enough ? plan_graph(context, &g, made)
               : gm_fail(context, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    free_graph(&g);
    return status;
}

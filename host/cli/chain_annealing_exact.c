/* The exact log Z of a small lattice, as a factor graph of its edges and sites. */
#include <math.h>
#include <stdlib.h>

#include <genmath/factor_graph.h>

#include "host/cli/chain_annealing.h"
#include "host/internal.h"

#define MOST_STATES 0x1p18

/* -E of an edge and of a site. */
static double pair_table(const gm_chain_annealed_model *m, double coupling, int32_t a, int32_t b) {
    return m->ising != NULL ? coupling * (2 * a - 1) * (2 * b - 1) : a == b ? coupling : 0;
}

static void fill(const gm_chain_place *w, const gm_chain_annealed_model *m, int32_t *cardinality,
                 int64_t *first, int32_t *member, double *table) {
    const int32_t q = m->q;
    for (int64_t e = 0; e < w->edges; ++e) {
        first[e] = 2 * e;
        member[2 * e] = w->ends[2 * e];
        member[2 * e + 1] = w->ends[2 * e + 1];
        for (int32_t k = 0; k < q * q; ++k) {
            *table++ = pair_table(m, w->coupling[e], k / q, k % q);
        }
    }
    for (int64_t i = 0; i < w->sites; ++i) {
        first[w->edges + i] = 2 * w->edges + i;
        member[2 * w->edges + i] = (int32_t)i;
        cardinality[i] = q;
        for (int32_t k = 0; k < q; ++k) {
            *table++ = m->ising != NULL ? m->field * (2 * k - 1) : 0;
        }
    }
    first[w->edges + w->sites] = 2 * w->edges + w->sites;
}

gm_status gm_chain_exact_log_z(const gm_chain_place *w, const gm_chain_annealed_model *m,
                               double beta, double *log_z) {
    *log_z = (double)NAN;
    if (pow(m->q, (double)w->sites) > MOST_STATES) {
        return GM_STATUS_OK;
    }
    const size_t sites = (size_t)w->sites, edges = (size_t)w->edges, q = (size_t)m->q;
    int32_t *cardinality = malloc(sites * sizeof *cardinality);
    int64_t *first = malloc((edges + sites + 1) * sizeof *first);
    int32_t *member = malloc((2 * edges + sites) * sizeof *member);
    double *table = malloc((edges * q * q + sites * q) * sizeof *table);
    gm_status status = GM_STATUS_OUT_OF_MEMORY;
    if (cardinality != NULL && first != NULL && member != NULL && table != NULL) {
        fill(w, m, cardinality, first, member, table);
        const gm_factor_graph_model graph = {.variables = w->sites,
                                             .cardinality = cardinality,
                                             .factors = w->edges + w->sites,
                                             .first = first,
                                             .member = member,
                                             .table = table};
        status = gm_factor_graph_enumerate(w->context, &graph, NULL, beta, log_z, NULL);
    } else {
        status = gm_fail(w->context, status, "no memory for the exact sum");
    }
    free(cardinality);
    free(first);
    free(member);
    free(table);
    return status;
}

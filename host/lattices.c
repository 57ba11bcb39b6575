/* gm_lattice_edges: the edges of regular lattices. */
#include <genmath/ising.h>
#include <genmath/lattices.h>

#include "host/internal.h"

enum { MOST_AXES = 8 };

static gm_status check_axes(gm_lattice_kind kind, int32_t axes, const int64_t *size) {
    GM_CHECK(NULL, (unsigned)kind <= GM_LATTICE_HEXAGONAL, GM_STATUS_INVALID_ARGUMENT,
             "kind = %d is none", (int)kind);
    GM_CHECK(NULL, axes >= 1 && axes <= MOST_AXES, GM_STATUS_INVALID_ARGUMENT,
             "axes = %d: must be in 1 .. %d", (int)axes, MOST_AXES);
    GM_CHECK(NULL, kind == GM_LATTICE_CUBIC || axes == 2, GM_STATUS_INVALID_ARGUMENT,
             "axes = %d: a triangular or hexagonal lattice has 2", (int)axes);
    GM_CHECK(NULL, size != NULL, GM_STATUS_INVALID_ARGUMENT, "size is NULL");
    int64_t sites = 1;
    for (int32_t a = 0; a < axes; ++a) {
        GM_CHECK(NULL, size[a] >= 1, GM_STATUS_INVALID_ARGUMENT, "size[%d] = %lld: must be >= 1",
                 (int)a, (long long)size[a]);
        GM_CHECK(NULL, gm_multiply_sizes(sites, size[a], &sites) && sites <= 1 << 30,
                 GM_STATUS_INVALID_ARGUMENT, "size: more than 2^30 sites");
    }
    return GM_STATUS_OK;
}

static gm_status check_periods(gm_lattice_kind kind, int32_t axes, const int64_t *size,
                               const int32_t *periodic) {
    for (int32_t a = 0; a < axes && periodic != NULL; ++a) {
        if (periodic[a] != 0 && kind == GM_LATTICE_HEXAGONAL) {
            const int64_t least = a == 0 ? 2 : 4;
            GM_CHECK(NULL, size[a] % 2 == 0 && size[a] >= least, GM_STATUS_INVALID_ARGUMENT,
                     "size[%d] = %lld: a periodic axis of a hexagonal lattice is even and has %d "
                     "sites or more",
                     (int)a, (long long)size[a], (int)least);
        }
        GM_CHECK(NULL, periodic[a] == 0 || kind == GM_LATTICE_HEXAGONAL || size[a] >= 3,
                 GM_STATUS_INVALID_ARGUMENT,
                 "size[%d] = %lld: a periodic axis has 3 sites or more, or a pair is joined twice",
                 (int)a, (long long)size[a]);
    }
    return GM_STATUS_OK;
}

/* The coordinates of a site and where the lattice ends. */
typedef struct walker {
    int32_t axes;
    const int64_t *size;
    const int32_t *periodic;
    int64_t step[MOST_AXES]; /* from a site to the next along the axis */
    int32_t *ends;           /* NULL: edges are only counted */
    int64_t count;
} walker;

/* The site after another along an axis, -1 where there is none. */
static int64_t after(const walker *w, int64_t site, int32_t axis) {
    if (site < 0) {
        return -1;
    }
    if (site / w->step[axis] % w->size[axis] + 1 < w->size[axis]) {
        return site + w->step[axis];
    }
    return w->periodic != NULL && w->periodic[axis] != 0
               ? site - (w->size[axis] - 1) * w->step[axis]
               : -1;
}

static void join(walker *w, int64_t a, int64_t b) {
    if (b < 0) {
        return;
    }
    if (w->ends != NULL) {
        w->ends[2 * w->count] = (int32_t)a;
        w->ends[2 * w->count + 1] = (int32_t)b;
    }
    w->count += 1;
}

static void join_site(walker *w, gm_lattice_kind kind, int64_t site) {
    if (kind == GM_LATTICE_CUBIC) {
        for (int32_t a = 0; a < w->axes; ++a) {
            join(w, site, after(w, site, a));
        }
        return;
    }
    join(w, site, after(w, site, 1));
    if (kind == GM_LATTICE_TRIANGULAR) {
        join(w, site, after(w, site, 0));
        join(w, site, after(w, after(w, site, 0), 1));
    } else if ((site / w->size[1] + site % w->size[1]) % 2 == 0) {
        join(w, site, after(w, site, 0));
    }
}

gm_status gm_lattice_edges(gm_lattice_kind kind, int32_t axes, const int64_t *size,
                           const int32_t *periodic, int32_t *ends, int64_t *edges) {
    GM_CHECK(NULL, edges != NULL, GM_STATUS_INVALID_ARGUMENT, "edges is NULL");
    GM_TRY(check_axes(kind, axes, size));
    GM_TRY(check_periods(kind, axes, size, periodic));
    walker w = {.axes = axes, .size = size, .periodic = periodic, .ends = ends};
    int64_t sites = 1;
    for (int32_t a = axes; a-- > 0;) {
        w.step[a] = sites;
        sites *= size[a];
    }
    for (int64_t i = 0; i < sites; ++i) {
        join_site(&w, kind, i);
    }
    *edges = w.count;
    return GM_STATUS_OK;
}

gm_status gm_ising_lattice(int32_t axes, const int64_t *size, const int32_t *periodic,
                           int32_t *ends, int64_t *edges) {
    return gm_lattice_edges(GM_LATTICE_CUBIC, axes, size, periodic, ends, edges);
}

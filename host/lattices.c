/* gm_lattice_edges, gm_lattice_pairs: the edges of regular lattices, and sites further apart. */
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

/* The site so many after another along an axis, -1 where there is none. */
static int64_t further(const walker *w, int64_t site, int32_t axis, int64_t distance) {
    if (site < 0) {
        return -1;
    }
    const int64_t at = site / w->step[axis] % w->size[axis];
    if (at + distance < w->size[axis]) {
        return site + distance * w->step[axis];
    }
    return w->periodic != NULL && w->periodic[axis] != 0
               ? site + (distance - w->size[axis]) * w->step[axis]
               : -1;
}

static int64_t after(const walker *w, int64_t site, int32_t axis) {
    return further(w, site, axis, 1);
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

/* Returns the number of sites. */
static int64_t set_steps(walker *w) {
    int64_t sites = 1;
    for (int32_t a = w->axes; a-- > 0;) {
        w->step[a] = sites;
        sites *= w->size[a];
    }
    return sites;
}

gm_status gm_lattice_edges(gm_lattice_kind kind, int32_t axes, const int64_t *size,
                           const int32_t *periodic, int32_t *ends, int64_t *edges) {
    GM_CHECK(NULL, edges != NULL, GM_STATUS_INVALID_ARGUMENT, "edges is NULL");
    GM_TRY(check_axes(kind, axes, size));
    GM_TRY(check_periods(kind, axes, size, periodic));
    walker w = {.axes = axes, .size = size, .periodic = periodic, .ends = ends};
    const int64_t sites = set_steps(&w);
    for (int64_t i = 0; i < sites; ++i) {
        join_site(&w, kind, i);
    }
    *edges = w.count;
    return GM_STATUS_OK;
}

/* Whether the axis, which may be the diagonal, goes along axis a of the coordinates. */
static bool goes_along(int32_t axes, int32_t axis, int32_t a) {
    return axis == a || axis == axes;
}

gm_status gm_lattice_pairs(gm_lattice_kind kind, int32_t axes, const int64_t *size,
                           const int32_t *periodic, int32_t axis, int64_t distance, int32_t *ends,
                           int64_t *pairs) {
    GM_CHECK(NULL, pairs != NULL, GM_STATUS_INVALID_ARGUMENT, "pairs is NULL");
    GM_TRY(check_axes(kind, axes, size));
    GM_TRY(check_periods(kind, axes, size, periodic));
    const int32_t last = kind == GM_LATTICE_TRIANGULAR ? axes : axes - 1;
    GM_CHECK(NULL, axis >= 0 && axis <= last, GM_STATUS_INVALID_ARGUMENT,
             "axis = %d: must be in 0 .. %d", (int)axis, (int)last);
    for (int32_t a = 0; a < axes; ++a) {
        GM_CHECK(NULL, !goes_along(axes, axis, a) || (distance >= 0 && distance < size[a]),
                 GM_STATUS_INVALID_ARGUMENT, "distance = %lld: must be in 0 .. size[%d] - 1 = %lld",
                 (long long)distance, (int)a, (long long)size[a] - 1);
    }
    walker w = {.axes = axes, .size = size, .periodic = periodic, .ends = ends};
    const int64_t sites = set_steps(&w);
    for (int64_t i = 0; i < sites; ++i) {
        int64_t to = i;
        for (int32_t a = 0; a < axes; ++a) {
            to = goes_along(axes, axis, a) ? further(&w, to, a, distance) : to;
        }
        join(&w, i, to);
    }
    *pairs = w.count;
    return GM_STATUS_OK;
}

gm_status gm_ising_lattice(int32_t axes, const int64_t *size, const int32_t *periodic,
                           int32_t *ends, int64_t *edges) {
    return gm_lattice_edges(GM_LATTICE_CUBIC, axes, size, periodic, ends, edges);
}

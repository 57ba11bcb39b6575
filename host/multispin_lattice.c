/* The lattice of multi-spin coded chains: checks, and neighbours as shifts of whole colours. */
#include "host/multispin_lattice.h"

#include <math.h>
#include <stdlib.h>

#include "host/chain_graph.h"

enum { WORD = 32, MOST_SITES = 1 << 30, MASKS = 2 * (GM_MULTISPIN_TERMS + 1) };

/* ---- checks ---------------------------------------------------------------------------------- */

static gm_status check_model(gm_context *context, const gm_multispin_model *m) {
    GM_CHECK(context, m->lattice == GM_MULTISPIN_GRID || m->lattice == GM_MULTISPIN_HONEYCOMB,
             GM_STATUS_INVALID_ARGUMENT, "model.lattice = %d is unknown", (int)m->lattice);
    GM_CHECK(context, (unsigned)m->update <= GM_ISING_LAZY_METROPOLIS, GM_STATUS_INVALID_ARGUMENT,
             "model.update = %d is unknown", (int)m->update);
    GM_CHECK(context, m->axes >= 1 && m->axes <= 3, GM_STATUS_INVALID_ARGUMENT,
             "model.axes = %d: must be 1, 2 or 3", (int)m->axes);
    GM_CHECK(context, m->lattice == GM_MULTISPIN_GRID || m->axes == 2, GM_STATUS_INVALID_ARGUMENT,
             "model.axes = %d: a honeycomb has 2", (int)m->axes);
    GM_CHECK(context, isfinite(m->field), GM_STATUS_INVALID_ARGUMENT,
             "model.field = %g is not finite", m->field);
    int64_t sites = 1;
    for (int a = 0; a < m->axes; ++a) {
        const long long size = m->size[a];
        GM_CHECK(context, size >= 1, GM_STATUS_INVALID_ARGUMENT,
                 "model.size[%d] = %lld: must be >= 1", a, size);
        GM_CHECK(context, gm_multiply_sizes(sites, size, &sites) && sites <= MOST_SITES,
                 GM_STATUS_INVALID_ARGUMENT, "model.size: more than 2^30 sites");
        GM_CHECK(context, m->periodic[a] == 0 || size % 2 == 0, GM_STATUS_INVALID_ARGUMENT,
                 "model.size[%d] = %lld: a periodic axis of odd size has no two colours; "
                 "gm_ising_run takes it",
                 a, size);
        GM_CHECK(context, m->periodic[a] == 0 || size >= 4, GM_STATUS_INVALID_ARGUMENT,
                 "model.size[%d] = %lld: a periodic axis has 4 sites or more, or a pair is joined "
                 "twice",
                 a, size);
    }
    return GM_STATUS_OK;
}

/* ---- masks ----------------------------------------------------------------------------------- */

/* Which places of a colour a mask has. */
typedef enum pattern {
    SITES,        /* that are sites, not holes */
    SAME_PLACE,   /* whose neighbour x + 1 or x - 1 at the same place exists */
    LEFT,         /* of even x, not the row's first: x - 1 is one place back */
    LEFT_AROUND,  /* of even x, the row's first */
    RIGHT,        /* of odd x, not the row's last */
    RIGHT_AROUND, /* of odd x, the row's last */
    UP,           /* not in the first row of a layer */
    UP_AROUND,
    DOWN,
    DOWN_AROUND
} pattern;

/* Rows beyond the lattice's last go on as they would. */
static bool has_place(const gm_multispin_problem *p, int32_t colour, pattern what, int64_t place) {
    const int64_t row = place / p->row, k = place % p->row;
    const int64_t y = row % p->size[1], z = row / p->size[1];
    const int64_t odd = (z + y + colour) % 2, x = 2 * k + odd;
    switch (what) {
    case SITES:
        return x < p->size[2];
    case SAME_PLACE:
        return x < p->size[2] && (odd != 0 || x + 1 < p->size[2]);
    case LEFT:
        return odd == 0 && k > 0;
    case LEFT_AROUND:
        return odd == 0 && k == 0;
    case RIGHT:
        return odd != 0 && x + 1 < p->size[2];
    case RIGHT_AROUND:
        return odd != 0 && x + 1 == p->size[2];
    case UP:
        return y > 0 && x < p->size[2];
    case UP_AROUND:
        return y == 0;
    case DOWN:
        return y + 1 < p->size[1] && x < p->size[2];
    case DOWN_AROUND:
        return y + 1 == p->size[1];
    }
    return false;
}

/* Words after which a pattern of `places` repeats from a multiple of the alignment on; at most
 * those of a colour. */
static int32_t period_of(const gm_multispin_problem *p, int64_t places) {
    const int64_t align = GM_MULTISPIN_MASK_ALIGN;
    const int64_t all = (p->words + align - 1) / align * align;
    int64_t bits = align * WORD;
    while (bits % places != 0 && bits < all * WORD) {
        bits += align * WORD;
    }
    return (int32_t)(bits < all * WORD ? bits / WORD : all);
}

typedef struct builder {
    gm_multispin_problem *problem;
    uint32_t *masks; /* NULL: only counted */
    int32_t used;    /* words */
} builder;

/* Where the mask is, or NO_MASK if it has all places. */
static int32_t add_mask(builder *b, int32_t colour, pattern what) {
    const gm_multispin_problem *p = b->problem;
    const int32_t at = b->used, length = p->period[what >= UP];
    b->used += length;
    for (int64_t i = 0; i < (int64_t)length * WORD && b->masks != NULL; ++i) {
        b->masks[at + i / WORD] |= (uint32_t)has_place(p, colour, what, i) << i % WORD;
    }
    return at;
}

/* ---- terms ----------------------------------------------------------------------------------- */

static void add_term(builder *b, int32_t colour, int64_t offset, int64_t first, int64_t last,
                     int32_t mask, int32_t kind) {
    gm_multispin_problem *p = b->problem;
    const int64_t whole = offset >= 0 ? offset / WORD : -((-offset + WORD - 1) / WORD);
    p->term[colour][p->terms[colour]++] =
        (gm_multispin_term){.whole = (int32_t)whole,
                            .shift = (int32_t)(offset - whole * WORD),
                            .first = (int32_t)first,
                            .last = (int32_t)last,
                            .mask = mask,
                            .kind = kind};
}

static void end_neighbour(builder *b, int32_t colour) {
    gm_multispin_problem *p = b->problem;
    p->term[colour][p->terms[colour] - 1].is_last = 1;
}

/* Along the rows: one neighbour at the same place, the other a place before or after. */
static void add_x(builder *b, int32_t colour) {
    const gm_multispin_problem *p = b->problem;
    const int64_t all = p->places, row = p->row;
    const bool odd = p->size[2] % 2 != 0;
    add_term(b, colour, 0, 0, all, odd ? add_mask(b, colour, SAME_PLACE) : GM_MULTISPIN_NO_MASK, 0);
    end_neighbour(b, colour);
    add_term(b, colour, -1, 1, all, add_mask(b, colour, LEFT), 0);
    add_term(b, colour, 1, 0, all - 1, add_mask(b, colour, RIGHT), 0);
    if (p->periodic[2]) {
        add_term(b, colour, row - 1, 0, all - row + 1, add_mask(b, colour, LEFT_AROUND), 0);
        add_term(b, colour, 1 - row, row - 1, all, add_mask(b, colour, RIGHT_AROUND), 0);
    }
    end_neighbour(b, colour);
}

/* One row up or down a layer; there is one layer or several. */
static void add_y(builder *b, int32_t colour, bool down) {
    const gm_multispin_problem *p = b->problem;
    const int64_t all = p->places, row = p->row, layer = row * p->size[1], step = down ? row : -row;
    const bool layers = p->size[0] > 1;
    const int32_t none = GM_MULTISPIN_NO_MASK;
    add_term(b, colour, step, down ? 0 : row, down ? all - row : all,
             layers ? add_mask(b, colour, down ? DOWN : UP) : none, 1);
    if (p->periodic[1]) {
        const int64_t around = down ? row - layer : layer - row;
        add_term(b, colour, around, down ? layer - row : 0, down ? all : all - layer + row,
                 layers ? add_mask(b, colour, down ? DOWN_AROUND : UP_AROUND) : none, 1);
    }
    end_neighbour(b, colour);
}

static void add_z(builder *b, int32_t colour, bool down) {
    const gm_multispin_problem *p = b->problem;
    const int64_t all = p->places, layer = (int64_t)p->row * p->size[1];
    const int32_t none = GM_MULTISPIN_NO_MASK;
    add_term(b, colour, down ? layer : -layer, down ? 0 : layer, down ? all - layer : all, none, 0);
    if (p->periodic[0]) {
        add_term(b, colour, down ? layer - all : all - layer, down ? all - layer : 0,
                 down ? all : layer, none, 0);
    }
    end_neighbour(b, colour);
}

static void add_terms(builder *b) {
    gm_multispin_problem *p = b->problem;
    b->used = 0;
    for (int32_t colour = 0; colour < 2; ++colour) {
        p->terms[colour] = 0;
        p->valid[colour] = p->size[2] % 2 != 0 ? add_mask(b, colour, SITES) : GM_MULTISPIN_NO_MASK;
        add_x(b, colour);
        if (p->lattice == GM_MULTISPIN_HONEYCOMB) {
            add_y(b, colour, colour == 0);
        } else if (p->neighbours >= 4) {
            add_y(b, colour, false);
            add_y(b, colour, true);
        }
        if (p->neighbours == 6) {
            add_z(b, colour, false);
            add_z(b, colour, true);
        }
    }
    p->mask_words = b->used;
}

/* ---- quanta ---------------------------------------------------------------------------------- */

static bool has_neighbour(const gm_multispin_problem *p, const int32_t *at, int axis, int step) {
    const int32_t to = at[axis] + step;
    const bool joined =
        p->lattice == GM_MULTISPIN_GRID || axis == 2 || ((at[1] + at[2]) % 2 == 0) == (step > 0);
    return joined && (p->periodic[axis] || (to >= 0 && to < p->size[axis]));
}

/* The most neighbours that a site has: one of the first four along each axis has as many. */
static int32_t largest_degree(const gm_multispin_problem *p) {
    int32_t most = 0;
    for (int32_t i = 0; i < 4 * 4 * 4; ++i) {
        const int32_t at[3] = {i / 16, i / 4 % 4, i % 4};
        int32_t degree = 0;
        for (int axis = 0; axis < 3; ++axis) {
            degree += has_neighbour(p, at, axis, -1) + has_neighbour(p, at, axis, 1);
        }
        const bool exists = at[0] < p->size[0] && at[1] < p->size[1] && at[2] < p->size[2];
        most = exists && degree > most ? degree : most;
    }
    return most;
}

/* J and h in the quantum that gm_ising_plan_create would find: it depends on them and on the
 * largest local field, so that of a site with its neighbours alone is the same. */
static gm_status set_quanta(gm_context *context, const gm_multispin_model *model,
                            gm_multispin_problem *p, gm_multispin_info *info) {
    const int32_t degree = largest_degree(p);
    int32_t ends[2 * GM_MULTISPIN_NEIGHBOURS];
    double coupling[GM_MULTISPIN_NEIGHBOURS], field[GM_MULTISPIN_NEIGHBOURS + 1];
    for (int32_t k = 0; k <= degree; ++k) {
        field[k] = model->field;
    }
    for (int32_t k = 0; k < degree; ++k) {
        ends[2 * k] = 0;
        ends[2 * k + 1] = k + 1;
        coupling[k] = model->antiferromagnetic != 0 ? -1 : 1;
    }
    const gm_graph_model star = {.sites = degree + 1,
                                 .edges = degree,
                                 .ends = ends,
                                 .coupling = coupling,
                                 .field = field,
                                 .labels = 1};
    gm_chain_graph g;
    const gm_status status = gm_chain_graph_make(context, &star, &g);
    if (status == GM_STATUS_OK) {
        p->coupling = degree > 0 ? g.coupling[0] : 0;
        p->field = g.field[0];
        p->log_odds = 2 * g.quantum;
        info->quantum = g.quantum;
        info->rounding = g.rounding;
        p->energy_bound = info->energy_bound =
            llabs((long long)p->coupling) * info->edges + llabs((long long)p->field) * p->sites;
    }
    free(g.memory);
    return status;
}

/* ---- the plan -------------------------------------------------------------------------------- */

static int64_t count_edges(const gm_multispin_problem *p) {
    int64_t edges = 0;
    for (int a = 0; a < 3; ++a) {
        const int64_t lines = p->sites / p->size[a];
        edges += lines * (p->size[a] - (p->periodic[a] ? 0 : 1));
    }
    if (p->lattice == GM_MULTISPIN_HONEYCOMB) { /* every other step from row to row */
        const int64_t steps = p->size[1] - (p->periodic[1] ? 0 : 1), x = p->size[2];
        edges -= steps * x;
        for (int64_t y = 0; y < 2 && y < steps; ++y) { /* rows of either parity */
            edges += (steps - y + 1) / 2 * ((x + 1 - y) / 2);
        }
    }
    return edges;
}

gm_status gm_multispin_lattice_plan(gm_context *context, const gm_multispin_model *model,
                                    gm_multispin_problem *problem, gm_multispin_info *info,
                                    uint32_t **masks) {
    *masks = NULL;
    GM_TRY(check_model(context, model));
    *problem = (gm_multispin_problem){
        .lattice = model->lattice,
        .update = model->update,
        .size = {1, 1, 1},
        .neighbours = model->lattice == GM_MULTISPIN_HONEYCOMB ? 3 : 2 * model->axes};
    gm_multispin_problem *p = problem;
    p->sites = 1;
    for (int a = 0; a < model->axes; ++a) {
        const int to = 3 - model->axes + a;
        p->size[to] = (int32_t)model->size[a];
        p->periodic[to] = model->periodic[a] != 0;
        p->sites *= p->size[to];
        p->is_open = p->is_open || !p->periodic[to];
    }
    p->row = (p->size[2] + 1) / 2;
    const int64_t layer = (int64_t)p->row * p->size[1];
    p->places = (int32_t)(layer * p->size[0]);
    p->words = (p->places + WORD - 1) / WORD;
    *info = (gm_multispin_info){
        .sites = p->sites, .edges = count_edges(p), .words = 2 * (int64_t)p->words};
    GM_TRY(set_quanta(context, model, p, info));
    p->period[0] = period_of(p, 2 * (p->size[0] > 1 ? layer : p->row));
    p->period[1] = period_of(p, layer);
    builder b = {.problem = p};
    add_terms(&b);
    uint32_t *made = calloc((size_t)b.used + 1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the masks");
    b.masks = made;
    add_terms(&b);
    p->masks = *masks = made;
    return GM_STATUS_OK;
}

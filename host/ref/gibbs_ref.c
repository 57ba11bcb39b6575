/*
 * The oracle of gm_gibbs_run: one chain after the other, number by number, every operation but the
 * noise in double.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <genmath/detail/gibbs_noise.h>

#include "host/gibbs_args.h"
#include "host/ref/ref.h"
#include "host/strided.h"

#define DIM GM_MAX_SYSTEM_DIM
#define NOISE GM_MAX_GIBBS_NOISE

typedef struct chain {
    const gm_gibbs_problem *problem;
    uint64_t index;
    double y[DIM], params[GM_MAX_SYSTEM_PARAMS];
    double mean[DIM], square[DIM]; /* of the sweeps made: mean, sum of squares about it */
    int64_t made;
    gm_status status;
} chain;

/* Normal number `draw` of a chain, and uniform, in the precision asked for. */
static double normal(const chain *s, int64_t draw) {
    const gm_gibbs_problem *p = s->problem;
    const uint64_t d = (uint64_t)draw;
    return p->dtype == GM_F64 ? gm_normal_f64(p->seed, s->index, GM_STREAM_CHAIN, d)
                              : (double)gm_normal_f32(p->seed, s->index, GM_STREAM_CHAIN, d);
}

static double uniform(const chain *s, int64_t draw) {
    const gm_gibbs_problem *p = s->problem;
    const int64_t m = p->dtype == GM_F64 ? 2 : 4;
    const gm_words words =
        gm_philox_block(p->seed, s->index, GM_STREAM_CHAIN_ACCEPT, (uint64_t)(draw / m));
    const uint32_t lane = (uint32_t)(draw % m);
    return p->dtype == GM_F64
               ? gm_uniform_f64(gm_word(words, 2 * lane), gm_word(words, 2 * lane + 1))
               : (double)gm_gibbs_uniform_f32(gm_word(words, lane));
}

/* As it will be read from the result, so that a run can be cut. */
static double as_stored(const chain *s, double y) {
    return s->problem->dtype == GM_F64 ? y : (double)(float)y;
}

static bool all_finite(const chain *s, const double *y) {
    bool finite = true;
    for (int32_t c = 0; c < s->problem->gibbs->dim; ++c) {
        finite = finite && isfinite(as_stored(s, y[c]));
    }
    return finite;
}

/* Update u of a sweep; false: it led to no finite state, and the chain is where it was. */
static bool update(chain *s, int64_t sweep, int32_t u) {
    const gm_gibbs *g = s->problem->gibbs;
    const int64_t number = sweep * g->blocks + u;
    double z[NOISE], uniforms[NOISE], next[DIM];
    for (int32_t c = 0; c < g->normals; ++c) {
        z[c] = normal(s, number * g->normals + c);
    }
    for (int32_t c = 0; c < g->uniforms; ++c) {
        uniforms[c] = uniform(s, number * g->uniforms + c);
    }
    memcpy(next, s->y, sizeof next);
    g->update_f64(gm_chain_coordinate(s->problem->seed, sweep, u, g->blocks,
                                      s->problem->order == GM_GIBBS_RANDOM),
                  s->y, s->params, z, uniforms, next);
    if (!all_finite(s, next)) {
        return false;
    }
    for (int32_t c = 0; c < g->dim; ++c) {
        s->y[c] = as_stored(s, next[c]);
    }
    return true;
}

static void make_sweep(chain *s, int64_t sweep) {
    const gm_gibbs *g = s->problem->gibbs;
    for (int32_t u = 0; u < g->blocks; ++u) {
        if (!update(s, sweep, u)) {
            s->status = GM_STATUS_NON_FINITE;
            return;
        }
    }
    ++s->made;
    for (int32_t c = 0; c < g->dim; ++c) {
        const double apart = s->y[c] - s->mean[c];
        s->mean[c] += apart / (double)s->made;
        s->square[c] += apart * (s->y[c] - s->mean[c]);
    }
}

static void load(chain *s, const gm_gibbs_arrays *a, int64_t i) {
    const gm_gibbs_problem *p = s->problem;
    for (int32_t c = 0; c < p->gibbs->dim; ++c) {
        s->y[c] = gm_load_real(a->start, p->dtype, c * a->start_stride[0] + i * a->start_stride[1]);
    }
    for (int32_t c = 0; c < p->gibbs->params; ++c) {
        s->params[c] =
            gm_load_real(a->params, p->dtype, c * a->params_stride[0] + i * a->params_stride[1]);
    }
    s->status = all_finite(s, s->y) ? GM_STATUS_OK : GM_STATUS_NON_FINITE;
}

static void store(const chain *s, const gm_gibbs_arrays *a, int64_t i) {
    const gm_dtype dtype = s->problem->dtype;
    const double none = s->made > 0 ? 0 : (double)NAN;
    for (int32_t c = 0; c < s->problem->gibbs->dim; ++c) {
        if (a->end != NULL) {
            gm_store_real(a->end, dtype, c * a->end_stride[0] + i * a->end_stride[1], s->y[c]);
        }
        if (a->mean != NULL) {
            gm_store_real(a->mean, dtype, c * a->mean_stride[0] + i * a->mean_stride[1],
                          s->mean[c] + none);
        }
        if (a->variance != NULL) {
            gm_store_real(a->variance, dtype, c * a->variance_stride[0] + i * a->variance_stride[1],
                          s->square[c] / (double)s->made + none);
        }
    }
    gm_store_i32(a->status, i * a->status_stride[0], s->status);
}

static void run_one(const gm_gibbs_problem *p, const gm_gibbs_arrays *a, int64_t i) {
    chain s = {.problem = p, .index = p->first_index + (uint64_t)i};
    load(&s, a, i);
    for (int64_t sweep = 0; sweep < p->sweeps; ++sweep) {
        if (s.status == GM_STATUS_OK) {
            make_sweep(&s, a->first_sweep + sweep);
        }
        for (int32_t c = 0; a->draws != NULL && (sweep + 1) % p->thin == 0 && c < p->gibbs->dim;
             ++c) {
            gm_store_real(a->draws, p->dtype,
                          ((sweep + 1) / p->thin - 1) * a->draws_stride[0] +
                              c * a->draws_stride[1] + i * a->draws_stride[2],
                          s.status == GM_STATUS_OK ? s.y[c] : (double)NAN);
        }
    }
    store(&s, a, i);
}

gm_status gm_ref_gibbs_run(gm_call *call, const gm_gibbs_problem *problem, void *state,
                           const gm_gibbs_arrays *arrays) {
    (void)state;
    for (int64_t i = 0; i < arrays->n; ++i) {
        run_one(problem, arrays, i);
    }
    call->kernel = "gibbs_ref";
    return GM_STATUS_OK;
}

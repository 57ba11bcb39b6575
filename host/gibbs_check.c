/* Checks of samplers: of their use, and of what the user wrote. */
#include "host/gibbs_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <genmath/detail/gibbs_noise.h>

#include "host/density_check.h"
#include "host/system_check.h"

#define DIM GM_MAX_SYSTEM_DIM
#define NOISE GM_MAX_GIBBS_NOISE

enum { TRIALS = GM_LANES_F64, FLOAT_TRIALS_APART = 4, SEED = 0x6762 };

gm_status gm_check_gibbs(gm_context *context, const char *name, const gm_gibbs *gibbs) {
    GM_CHECK(context, gibbs != NULL, GM_STATUS_INVALID_ARGUMENT, "%s is NULL", name);
    GM_CHECK(context, gibbs->version == GM_SYSTEM_VERSION, GM_STATUS_INVALID_ARGUMENT,
             "%s was compiled against version %d of GM_GIBBS, the library has %d", name,
             (int)gibbs->version, GM_SYSTEM_VERSION);
    const struct {
        const char *field;
        int32_t value, least, most;
    } sizes[] = {{"dim", gibbs->dim, 1, DIM},
                 {"params", gibbs->params, 0, GM_MAX_SYSTEM_PARAMS},
                 {"blocks", gibbs->blocks, 1, GM_MAX_GIBBS_BLOCKS},
                 {"normals", gibbs->normals, 0, NOISE},
                 {"uniforms", gibbs->uniforms, 0, NOISE}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {
        GM_CHECK(context, sizes[i].value >= sizes[i].least && sizes[i].value <= sizes[i].most,
                 GM_STATUS_INVALID_ARGUMENT, "%s->%s = %d is not in %d .. %d", name, sizes[i].field,
                 (int)sizes[i].value, (int)sizes[i].least, (int)sizes[i].most);
    }
    GM_CHECK(context,
             gibbs->update_f64 != NULL && gibbs->update_f32 != NULL && gibbs->source != NULL,
             GM_STATUS_INVALID_ARGUMENT, "%s was not made by GM_GIBBS", name);
    return GM_STATUS_OK;
}

/* The noise of a trial: that of chain number `trial`. */
static void make_noise(const gm_gibbs *g, int32_t block, int trial, double *z, double *u) {
    for (int32_t c = 0; c < g->normals; ++c) {
        z[c] = gm_normal_f64(SEED, (uint64_t)trial, GM_STREAM_CHAIN, (uint64_t)(block * NOISE + c));
    }
    for (int32_t c = 0; c < g->uniforms; ++c) {
        const gm_words words = gm_philox_block(SEED, (uint64_t)trial, GM_STREAM_CHAIN_ACCEPT,
                                               (uint64_t)(block * NOISE + c));
        u[c] = gm_uniform_f64(words.w0, words.w1);
    }
}

/* ---- agreement of the paths ------------------------------------------------------------------ */

/* Every trial of a block: its noise, and what the scalar function in double makes. */
typedef struct trials {
    const gm_gibbs *gibbs;
    int32_t block;
    const double *y, *p;
    double z[TRIALS][NOISE], u[TRIALS][NOISE], next[TRIALS][DIM];
    double next_f32[TRIALS][DIM]; /* by the function in float */
} trials;

static gm_status differs(const trials *t, const char *path, int32_t c, double got, double expected,
                         char *message) {
    snprintf(message, GM_CHECK_MESSAGE,
             "block %d: next[%d] is %.9g by %s and %.9g by the scalar function", (int)t->block,
             (int)c, got, path, expected);
    return GM_STATUS_INTERNAL;
}

static gm_status try_double(trials *t, int trial, char *message) {
    const gm_gibbs *g = t->gibbs;
    const double unwritten = 0x1.d0ce5p-77;
    double next[2 * DIM];
    for (int c = 0; c < 2 * DIM; ++c) {
        next[c] = c < g->dim ? t->y[c] : unwritten;
    }
    make_noise(g, t->block, trial, t->z[trial], t->u[trial]);
    g->update_f64(t->block, t->y, t->p, t->z[trial], t->u[trial], next);
    for (int c = g->dim; c < 2 * DIM; ++c) {
        if (next[c] != unwritten) {
            snprintf(message, GM_CHECK_MESSAGE,
                     "block %d writes next[%d]: there are %d coordinates", (int)t->block, c,
                     (int)g->dim);
            return GM_STATUS_INTERNAL;
        }
    }
    for (int32_t c = 0; c < g->dim; ++c) {
        t->next[trial][c] = next[c];
        if (!isfinite(next[c])) {
            snprintf(message, GM_CHECK_MESSAGE, "block %d: next[%d] = %g", (int)t->block, (int)c,
                     next[c]);
            return GM_STATUS_NON_FINITE;
        }
    }
    return GM_STATUS_OK;
}

/* What is apart may be one decision in 16. */
static gm_status try_float(trials *t, char *message) {
    const gm_gibbs *g = t->gibbs;
    gm_status status = GM_STATUS_OK;
    int apart = 0;
    for (int trial = 0; trial < TRIALS; ++trial) {
        float y[DIM], p[GM_MAX_SYSTEM_PARAMS], z[NOISE], u[NOISE], next[DIM];
        for (int32_t c = 0; c < g->dim; ++c) {
            next[c] = y[c] = (float)t->y[c];
        }
        for (int32_t c = 0; c < g->params; ++c) {
            p[c] = (float)t->p[c];
        }
        for (int32_t c = 0; c < NOISE; ++c) {
            z[c] = c < g->normals ? (float)t->z[trial][c] : 0;
            u[c] = c < g->uniforms ? (float)t->u[trial][c] : 0;
        }
        g->update_f32(t->block, y, p, z, u, next);
        for (int32_t c = 0; c < g->dim; ++c) {
            t->next_f32[trial][c] = (double)next[c];
        }
        const int32_t at = gm_first_difference(t->next[trial], t->next_f32[trial], 1, g->dim, 1e-4);
        if (at < g->dim) {
            status = differs(t, "the float function", at, t->next_f32[trial][at],
                             t->next[trial][at], message);
            ++apart;
        }
    }
    return apart > FLOAT_TRIALS_APART ? status : GM_STATUS_OK;
}

/* Rows of the lanes against what a scalar function made of the trials. */
static gm_status compare_lanes(const trials *t, const char *path, const double *rows, int lanes,
                               const uint64_t *alive, double (*expected)[DIM], double tolerance,
                               int allowed, char *message) {
    const gm_gibbs *g = t->gibbs;
    gm_status status = GM_STATUS_OK;
    int apart = 0;
    for (int lane = 0; lane < lanes; ++lane) {
        double got[DIM];
        for (int32_t c = 0; c < g->dim; ++c) {
            got[c] = alive[lane] != 0 ? rows[c * lanes + lane] : (double)NAN;
        }
        const double *right = expected[lane % TRIALS];
        const int32_t at = gm_first_difference(right, got, 1, g->dim, tolerance);
        if (at < g->dim) {
            status = differs(t, path, at, got[at], right[at], message);
            ++apart;
        }
    }
    return apart > allowed ? status : GM_STATUS_OK;
}

static gm_status try_lanes_f64(trials *t, gm_isa isa, char *message) {
    const gm_gibbs *g = t->gibbs;
    static _Thread_local double y[DIM * TRIALS], p[DIM * TRIALS], z[NOISE * TRIALS],
        u[NOISE * TRIALS];
    uint64_t alive[TRIALS];
    for (int lane = 0; lane < TRIALS; ++lane) {
        alive[lane] = ~UINT64_C(0);
        for (int c = 0; c < DIM; ++c) {
            y[c * TRIALS + lane] = c < g->dim ? t->y[c] : 0;
            p[c * TRIALS + lane] = c < g->params ? t->p[c] : 0;
            z[c * TRIALS + lane] = c < g->normals ? t->z[lane][c] : 0;
            u[c * TRIALS + lane] = c < g->uniforms ? t->u[lane][c] : 0;
        }
    }
    g->lanes_f64[isa - 1](t->block, y, p, z, u, alive);
    return compare_lanes(t, gm_isa_name(isa), y, TRIALS, alive, t->next, 1e-12, 0, message);
}

static gm_status try_lanes_f32(trials *t, gm_isa isa, char *message) {
    enum { LANES = GM_LANES_F32 };
    const gm_gibbs *g = t->gibbs;
    static _Thread_local float y[DIM * LANES], p[DIM * LANES], z[NOISE * LANES], u[NOISE * LANES];
    static _Thread_local double rows[DIM * LANES];
    uint32_t alive[LANES];
    uint64_t wide[LANES];
    for (int lane = 0; lane < LANES; ++lane) {
        alive[lane] = ~UINT32_C(0);
        for (int c = 0; c < DIM; ++c) {
            y[c * LANES + lane] = c < g->dim ? (float)t->y[c] : 0;
            p[c * LANES + lane] = c < g->params ? (float)t->p[c] : 0;
            z[c * LANES + lane] = c < g->normals ? (float)t->z[lane % TRIALS][c] : 0;
            u[c * LANES + lane] = c < g->uniforms ? (float)t->u[lane % TRIALS][c] : 0;
        }
    }
    g->lanes_f32[isa - 1](t->block, y, p, z, u, alive);
    for (int i = 0; i < DIM * LANES; ++i) {
        rows[i] = (double)y[i];
        wide[i % LANES] = alive[i % LANES];
    }
    char path[32];
    snprintf(path, sizeof path, "%s in float", gm_isa_name(isa));
    return compare_lanes(t, path, rows, LANES, wide, t->next_f32, 1e-4,
                         FLOAT_TRIALS_APART * LANES / TRIALS, message);
}

gm_status gm_gibbs_check(const gm_gibbs *gibbs, const double *y, const double *p, char *message) {
    GM_CHECK(NULL, message != NULL, GM_STATUS_INVALID_ARGUMENT, "message is NULL");
    GM_TRY(gm_check_gibbs(NULL, "gibbs", gibbs));
    GM_CHECK(NULL, y != NULL && (p != NULL || gibbs->params == 0), GM_STATUS_INVALID_ARGUMENT,
             "%s is NULL", y == NULL ? "y" : "p");
    static _Thread_local trials t;
    message[0] = '\0';
    for (int32_t block = 0; block < gibbs->blocks; ++block) {
        t.gibbs = gibbs;
        t.block = block;
        t.y = y;
        t.p = p;
        for (int trial = 0; trial < TRIALS; ++trial) {
            GM_TRY(try_double(&t, trial, message));
        }
        GM_TRY(try_float(&t, message));
        for (int isa = GM_ISA_BASE; isa <= (int)gm_isa_detect(); ++isa) {
            GM_TRY(try_lanes_f64(&t, (gm_isa)isa, message));
            GM_TRY(try_lanes_f32(&t, (gm_isa)isa, message));
        }
    }
    message[0] = '\0'; /* of a decision that float made otherwise */
    return GM_STATUS_OK;
}

/* The oracle of gm_sde_solve: one trajectory after the other, every operation but the noise in
 * double. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <genmath/philox.h>

#include "host/ref/ref.h"
#include "host/sde_args.h"
#include "host/strided.h"

#define DIM GM_MAX_SYSTEM_DIM

/* Normal number `draw` of a trajectory, in the precision asked for. */
static double normal(const gm_sde_problem *p, uint64_t index, uint64_t draw) {
    return p->dtype == GM_F64 ? gm_normal_f64(p->seed, index, GM_STREAM_SDE, draw)
                              : (double)gm_normal_f32(p->seed, index, GM_STREAM_SDE, draw);
}

/* y += f h + g sqrt(h) z; false, with y as it was, if the new state is not finite. */
static bool step_once(const gm_sde_problem *p, uint64_t index, int64_t step, double h, double *y,
                      const double *params) {
    const gm_sde *sde = p->sde;
    const int32_t dim = sde->drift->dim, noises = sde->noises;
    const double t = p->t0 + (double)step * h;
    double f[DIM], g[DIM * DIM], z[DIM], y_new[DIM];
    sde->drift->rhs_f64(t, y, params, f);
    sde->diffusion_f64(t, y, params, g);
    for (int32_t j = 0; j < noises; ++j) {
        z[j] = normal(p, index, (uint64_t)step * (uint64_t)noises + (uint64_t)j);
    }
    for (int32_t c = 0; c < dim; ++c) {
        double kick = 0;
        for (int32_t j = 0; j < noises; ++j) {
            kick += sde->diagonal ? (j == c ? g[c] * z[c] : 0) : g[c * noises + j] * z[j];
        }
        y_new[c] = y[c] + f[c] * h + sqrt(h) * kick;
        if (!(p->dtype == GM_F64 ? isfinite(y_new[c]) : isfinite((float)y_new[c]))) {
            return false;
        }
    }
    memcpy(y, y_new, (size_t)dim * sizeof *y);
    return true;
}

static void save(const gm_sde_problem *p, const gm_ensemble_arrays *a, int64_t m, int64_t i,
                 const double *y) {
    for (int32_t c = 0; c < p->sde->drift->dim && a->saved != NULL; ++c) {
        gm_store_real(a->saved, p->dtype,
                      m * a->saved_stride[0] + c * a->saved_stride[1] + i * a->saved_stride[2],
                      y != NULL ? y[c] : (double)NAN);
    }
}

static void solve_one(const gm_sde_problem *p, const gm_ensemble_arrays *a, int64_t i) {
    const gm_system *drift = p->sde->drift;
    const double h = (p->t1 - p->t0) / (double)p->steps;
    double y[DIM], params[GM_MAX_SYSTEM_PARAMS];
    bool finite = true;
    for (int32_t c = 0; c < drift->dim; ++c) {
        y[c] = gm_load_real(a->y0, p->dtype, c * a->y0_stride[0] + i * a->y0_stride[1]);
        finite = finite && isfinite(y[c]);
    }
    for (int32_t c = 0; c < drift->params; ++c) {
        params[c] =
            gm_load_real(a->params, p->dtype, c * a->params_stride[0] + i * a->params_stride[1]);
    }
    double time = p->t0;
    for (int64_t step = 0; step < p->steps; ++step) {
        if (finite && p->t1 != p->t0) {
            finite = step_once(p, p->first_index + (uint64_t)i, step, h, y, params);
            time = finite ? p->t0 + (double)(step + 1) * h : time;
        }
        if (p->save_every > 0 && (step + 1) % p->save_every == 0) {
            save(p, a, (step + 1) / p->save_every - 1, i, finite ? y : NULL);
        }
    }
    for (int32_t c = 0; c < drift->dim && a->end != NULL; ++c) {
        gm_store_real(a->end, p->dtype, c * a->end_stride[0] + i * a->end_stride[1], y[c]);
    }
    if (a->time != NULL) {
        gm_store_real(a->time, p->dtype, i * a->time_stride, finite ? p->t1 : time);
    }
    gm_store_i32(a->status, i * a->status_stride, finite ? GM_STATUS_OK : GM_STATUS_NON_FINITE);
}

gm_status gm_ref_sde_solve(gm_call *call, const gm_sde_problem *problem, void *state,
                           const gm_ensemble_arrays *arrays) {
    (void)state;
    for (int64_t i = 0; i < arrays->n; ++i) {
        solve_one(problem, arrays, i);
    }
    call->kernel = "sde_em_ref";
    return GM_STATUS_OK;
}

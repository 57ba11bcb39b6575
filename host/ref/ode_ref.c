/* The oracle of gm_ode_solve: one trajectory after the other, every operation in double. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "host/ode_args.h"
#include "host/ref/ref.h"
#include "host/strided.h"
#include "host/tableau.h"

#define DIM GM_MAX_SYSTEM_DIM

typedef struct trajectory {
    const gm_ode_problem *problem;
    double y[DIM], p[GM_MAX_SYSTEM_PARAMS];
    double t;
    gm_status status;
    int64_t accepted, rejected, evaluations;
    int64_t saves; /* how many of the save times are behind */
} trajectory;

static void evaluate(trajectory *s, double t, const double *y, double *k) {
    s->problem->system->rhs_f64(t, y, s->p, k);
    ++s->evaluations;
}

/* Whether a state is finite in the precision it will be stored in. */
static bool all_finite(const gm_ode_problem *p, const double *values) {
    for (int32_t c = 0; c < p->system->dim; ++c) {
        if (!(p->dtype == GM_F64 ? isfinite(values[c]) : isfinite((float)values[c]))) {
            return false;
        }
    }
    return true;
}

static void save(const gm_ensemble_arrays *a, const gm_ode_problem *p, int64_t m, int64_t i,
                 const double *y) {
    for (int32_t c = 0; c < p->system->dim && a->saved != NULL; ++c) {
        gm_store_real(a->saved, p->dtype,
                      m * a->saved_stride[0] + c * a->saved_stride[1] + i * a->saved_stride[2],
                      y[c]);
    }
}

/* y_new = y + h/6 (k1 + 2 k2 + 2 k3 + k4). */
static void rk4_step(trajectory *s, double t, double h, const double *y, double *y_new) {
    const int32_t dim = s->problem->system->dim;
    double k1[DIM], k2[DIM], k3[DIM], k4[DIM], at[DIM];
    evaluate(s, t, y, k1);
    for (int32_t c = 0; c < dim; ++c) {
        at[c] = y[c] + h / 2 * k1[c];
    }
    evaluate(s, t + h / 2, at, k2);
    for (int32_t c = 0; c < dim; ++c) {
        at[c] = y[c] + h / 2 * k2[c];
    }
    evaluate(s, t + h / 2, at, k3);
    for (int32_t c = 0; c < dim; ++c) {
        at[c] = y[c] + h * k3[c];
    }
    evaluate(s, t + h, at, k4);
    for (int32_t c = 0; c < dim; ++c) {
        y_new[c] = y[c] + h / 6 * (k1[c] + 2 * k2[c] + 2 * k3[c] + k4[c]);
    }
}

/* The cubic through (0, y), (1, y_new) with slopes h f(y), h f(y_new). */
static void hermite(trajectory *s, double t, double h, double x, const double *y,
                    const double *y_new, double *at) {
    double k[DIM], k_new[DIM];
    s->problem->system->rhs_f64(t, y, s->p, k);
    s->problem->system->rhs_f64(t + h, y_new, s->p, k_new);
    for (int32_t c = 0; c < s->problem->system->dim; ++c) {
        at[c] = (1 + 2 * x) * (1 - x) * (1 - x) * y[c] + x * (1 - x) * (1 - x) * h * k[c] +
                x * x * (3 - 2 * x) * y_new[c] - x * x * (1 - x) * h * k_new[c];
    }
}

static void solve_rk4(trajectory *s, const gm_ensemble_arrays *arrays, int64_t i) {
    const gm_ode_problem *p = s->problem;
    const double h = (p->t1 - p->t0) / (double)p->steps;
    double y_new[DIM], at[DIM];
    s->status = all_finite(p, s->y) ? GM_STATUS_OK : GM_STATUS_NON_FINITE;
    for (int64_t step = 0; s->status == GM_STATUS_OK && step <= p->steps; ++step) {
        s->t = step < p->steps ? p->t0 + (double)step * h : p->t1;
        for (; s->saves < p->save_count && p->save_step[s->saves] == step &&
               p->save_theta[s->saves] == 0;
             ++s->saves) {
            save(arrays, p, s->saves, i, s->y);
        }
        if (step == p->steps || p->t1 == p->t0) {
            s->t = p->t1;
            break;
        }
        rk4_step(s, s->t, h, s->y, y_new);
        if (!all_finite(p, y_new)) {
            s->status = GM_STATUS_NON_FINITE;
            break;
        }
        for (; s->saves < p->save_count && p->save_step[s->saves] == step; ++s->saves) {
            hermite(s, s->t, h, p->save_theta[s->saves], s->y, y_new, at);
            save(arrays, p, s->saves, i, at);
        }
        memcpy(s->y, y_new, sizeof y_new);
        ++s->accepted;
    }
}

/* Root mean square of v_c / (atol + rtol max(|y_c|, |y_new_c|)). */
static double scaled_norm(const gm_ode_problem *p, const double *v, const double *y,
                          const double *y_new) {
    double sum = 0;
    for (int32_t c = 0; c < p->system->dim; ++c) {
        const double r = v[c] / (p->atol + p->rtol * fmax(fabs(y[c]), fabs(y_new[c])));
        sum += r * r;
    }
    return sqrt(sum / p->system->dim);
}

/* The first step of Hairer, Nørsett and Wanner II.4, from the sizes of y, y' and y''. */
static double first_step(trajectory *s, const double *k1, double direction) {
    const gm_ode_problem *p = s->problem;
    const double length = fabs(p->t1 - p->t0);
    if (p->first_step > 0) {
        return fmin(p->first_step, length);
    }
    double at[DIM], k[DIM];
    const double d0 = scaled_norm(p, s->y, s->y, s->y), d1 = scaled_norm(p, k1, s->y, s->y);
    const double h0 = fmin(d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1, length);
    for (int32_t c = 0; c < p->system->dim; ++c) {
        at[c] = s->y[c] + direction * h0 * k1[c];
    }
    evaluate(s, s->t + direction * h0, at, k);
    for (int32_t c = 0; c < p->system->dim; ++c) {
        k[c] -= k1[c];
    }
    const double d2 = scaled_norm(p, k, s->y, s->y) / h0;
    const double largest = fmax(d1, d2);
    const double h1 = largest <= 1e-15 ? fmax(1e-6, h0 * 1e-3) : pow(0.01 / largest, 1.0 / 5);
    const double h = fmin(fmin(100 * h0, h1), length);
    return isfinite(h) ? h : h0;
}

/* One attempt: the stages k (k[0] given), the new state and the error estimate. */
static void attempt(trajectory *s, double h, double k[GM_ERK_STAGES][DIM], double *y_new,
                    double *error) {
    const gm_tableau_f64 *tableau = s->problem->tableau_f64;
    const int32_t dim = s->problem->system->dim;
    double at[DIM];
    for (int i = 1; i < GM_ERK_STAGES; ++i) {
        for (int32_t c = 0; c < dim; ++c) {
            double sum = 0;
            for (int j = 0; j < i; ++j) {
                sum += tableau->a[i][j] * k[j][c];
            }
            at[c] = s->y[c] + h * sum;
        }
        evaluate(s, s->t + tableau->c[i] * h, at, k[i]);
    }
    for (int32_t c = 0; c < dim; ++c) {
        double sum = 0, error_sum = 0;
        for (int i = 0; i < GM_ERK_STAGES; ++i) {
            sum += tableau->b[i] * k[i][c];
            error_sum += tableau->e[i] * k[i][c];
        }
        y_new[c] = s->y[c] + h * sum;
        error[c] = h * error_sum;
    }
}

/* States at the save times in (t, t + h], from the interpolant. */
static void save_step(trajectory *s, const gm_ensemble_arrays *arrays, int64_t i, double h,
                      double t_new, double k[GM_ERK_STAGES][DIM], const double *y_new) {
    const gm_ode_problem *p = s->problem;
    double at[DIM];
    for (; s->saves < p->save_count; ++s->saves) {
        const double t = p->save_times[s->saves];
        if (h > 0 ? t > t_new : t < t_new) {
            break;
        }
        const double x = (t - s->t) / h;
        for (int32_t c = 0; c < p->system->dim; ++c) {
            double sum = 0;
            for (int stage = 0; stage < GM_ERK_STAGES; ++stage) {
                const double *q = p->tableau_f64->interpolant[stage];
                sum += x * (q[0] + x * (q[1] + x * (q[2] + x * q[3]))) * k[stage][c];
            }
            at[c] = s->y[c] + h * sum;
        }
        save(arrays, p, s->saves, i, t == t_new ? y_new : at);
    }
}

static void solve_adaptive(trajectory *s, const gm_ensemble_arrays *arrays, int64_t i) {
    const gm_ode_problem *p = s->problem;
    const double direction = p->t1 >= p->t0 ? 1 : -1;
    double k[GM_ERK_STAGES][DIM], y_new[DIM], error[DIM];
    for (; s->saves < p->save_count && p->save_times[s->saves] == p->t0; ++s->saves) {
        save(arrays, p, s->saves, i, s->y);
    }
    if (p->t1 == p->t0) {
        return;
    }
    evaluate(s, s->t, s->y, k[0]);
    if (!all_finite(p, s->y) || !all_finite(p, k[0])) {
        s->status = GM_STATUS_NON_FINITE;
        return;
    }
    double h = first_step(s, k[0], direction);
    bool finite = true; /* of the last attempt */
    while (s->t != p->t1) {
        if (s->accepted + s->rejected == p->max_steps) {
            s->status = finite ? GM_STATUS_NOT_CONVERGED : GM_STATUS_NON_FINITE;
            return;
        }
        const double remaining = fabs(p->t1 - s->t);
        const bool last = h >= remaining;
        h = last ? remaining : h;
        attempt(s, direction * h, k, y_new, error);
        const double e = scaled_norm(p, error, s->y, y_new);
        finite = isfinite(e) && all_finite(p, y_new) && all_finite(p, k[6]);
        if (finite && e <= 1) {
            const double t_new = last ? p->t1 : s->t + direction * h;
            save_step(s, arrays, i, direction * h, t_new, k, y_new);
            s->t = t_new;
            memcpy(s->y, y_new, sizeof y_new);
            memcpy(k[0], k[6], sizeof k[6]);
            ++s->accepted;
        } else {
            ++s->rejected;
        }
        h *= finite ? fmin(5, fmax(0.2, 0.9 * pow(e, -0.2))) : 0.2;
        const double resolution = p->dtype == GM_F64 ? 0x1p-50 : 0x1p-21;
        if (h < fmax(p->min_step, resolution * fabs(s->t)) && s->t != p->t1) {
            s->status = finite ? GM_STATUS_STEP_TOO_SMALL : GM_STATUS_NON_FINITE;
            return;
        }
    }
}

gm_status gm_ref_ode_solve(gm_call *call, const gm_ode_problem *problem, void *state,
                           const gm_ensemble_arrays *arrays) {
    (void)state;
    const gm_ensemble_arrays *a = arrays;
    for (int64_t i = 0; i < a->n; ++i) {
        trajectory s = {.problem = problem, .t = problem->t0};
        for (int32_t c = 0; c < problem->system->dim; ++c) {
            s.y[c] = gm_load_real(a->y0, problem->dtype, c * a->y0_stride[0] + i * a->y0_stride[1]);
        }
        for (int32_t c = 0; c < problem->system->params; ++c) {
            s.p[c] = gm_load_real(a->params, problem->dtype,
                                  c * a->params_stride[0] + i * a->params_stride[1]);
        }
        if (problem->tableau_f64 == NULL) {
            solve_rk4(&s, a, i);
        } else {
            solve_adaptive(&s, a, i);
        }
        double nan_row[DIM];
        for (int c = 0; c < DIM; ++c) {
            nan_row[c] = NAN;
        }
        for (; s.saves < problem->save_count; ++s.saves) {
            save(a, problem, s.saves, i, nan_row);
        }
        for (int32_t c = 0; c < problem->system->dim && a->end != NULL; ++c) {
            gm_store_real(a->end, problem->dtype, c * a->end_stride[0] + i * a->end_stride[1],
                          s.y[c]);
        }
        if (a->time != NULL) {
            gm_store_real(a->time, problem->dtype, i * a->time_stride, s.t);
        }
        gm_store_i32(a->status, i * a->status_stride, (int64_t)s.status);
        gm_store_i32(a->accepted, i * a->accepted_stride, s.accepted);
        gm_store_i32(a->rejected, i * a->rejected_stride, s.rejected);
        gm_store_i32(a->evaluations, i * a->evaluations_stride, s.evaluations);
    }
    call->kernel = problem->tableau_f64 == NULL ? "ode_rk4_ref" : "ode_erk_ref";
    return GM_STATUS_OK;
}

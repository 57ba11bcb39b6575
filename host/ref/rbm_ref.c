/* Boltzmann machines, what contractions do not do: sums, draws, states, in double. */
#include <math.h>
#include <stdbool.h>

#include <genmath/philox.h>

#include "host/rbm_args.h"
#include "host/ref/ref.h"
#include "host/strided.h"

#define TWO_PI 6.283185307179586476925286766559

static double at(const gm_rbm_args *a, const void *data, int64_t index) {
    return gm_load_real(data, a->dtype, index);
}

/* A field that is not there is 0. */
static double field_at(const gm_rbm_args *a, int64_t row, int64_t unit) {
    return a->field != NULL ? at(a, a->field, row * a->units + unit) : 0;
}

static double softplus(double x) {
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* log sum_q exp(gain field_q + beta bias_q) over the colours of the site that begins at a unit. */
static double log_colours(const gm_rbm_args *a, int64_t row, int64_t unit, double gain) {
    double most = -INFINITY, sum = 0;
    for (int64_t q = unit; q < unit + a->colours; ++q) {
        const double x = gain * field_at(a, row, q) + a->beta * at(a, a->bias, q);
        most = x > most || isnan(x) ? x : most;
    }
    for (int64_t q = unit; q < unit + a->colours; ++q) {
        sum += exp(gain * field_at(a, row, q) + a->beta * at(a, a->bias, q) - most);
    }
    return most + log(sum);
}

static double term(const gm_rbm_args *a, int64_t row, int64_t unit, double gain) {
    if (a->kind == GM_RBM_POTTS) {
        return log_colours(a, row, unit, gain);
    }
    const double x = gain * field_at(a, row, unit), b = at(a, a->bias, unit);
    if (a->kind == GM_RBM_BINARY) {
        return softplus(x + a->beta * b);
    }
    const double sigma = at(a, a->sigma, unit);
    return a->beta * (b * x / sigma + x * x / 2) + log(TWO_PI * sigma * sigma / a->beta) / 2;
}

static double state_term(const gm_rbm_args *a, int64_t row, int64_t unit) {
    const double s = at(a, a->state, row * a->others + unit), b = at(a, a->state_bias, unit);
    if (a->state_kind != GM_RBM_GAUSSIAN) {
        return b * s;
    }
    const double z = (s - b) / at(a, a->sigma, unit);
    return -z * z / 2;
}

static void sum_terms(const gm_rbm_args *a) {
    for (int64_t r = 0; r < a->rows; ++r) {
        double sum = 0;
        for (int64_t u = 0; u < a->units; u += a->colours) {
            sum += term(a, r, u, a->gain) - (a->difference != 0 ? term(a, r, u, a->from) : 0);
        }
        for (int64_t i = 0; i < a->others; ++i) {
            sum += a->beta * state_term(a, r, i);
        }
        const double old = a->keep != 0 ? a->keep * at(a, a->out, r) : 0;
        gm_store_real(a->out, a->dtype, r, old + a->sign * sum);
    }
}

/* log p(state of unit i | the others). */
static double log_conditional(const gm_rbm_args *a, int64_t row, int64_t i) {
    const double flip = 1 - 2 * at(a, a->state, row * a->others + i);
    double rise = flip * at(a, a->state_bias, i); /* of log p by the flip */
    for (int64_t u = 0; u < a->units; ++u) {
        const double x = field_at(a, row, u) + at(a, a->bias, u);
        rise += softplus(x + flip * at(a, a->w, i * a->units + u)) - softplus(x);
    }
    return -softplus(rise);
}

static void sum_flips(const gm_rbm_args *a) {
    for (int64_t r = 0; r < a->rows; ++r) {
        double sum = 0;
        for (int64_t i = 0; i < a->others; ++i) {
            sum += log_conditional(a, r, i);
        }
        gm_store_real(a->out, a->dtype, r, sum);
    }
}

static void fold(const gm_rbm_args *a) {
    double most = a->restart != 0 ? -INFINITY : at(a, a->out, 0);
    double sum = a->restart != 0 ? 0 : at(a, a->out, 1);
    for (int64_t r = 0; r < a->rows; ++r) {
        const double x = at(a, a->field, r);
        if (x > most) {
            sum *= exp(most - x);
            most = x;
        }
        sum += exp(x - most);
    }
    gm_store_real(a->out, a->dtype, 0, most);
    gm_store_real(a->out, a->dtype, 1, sum);
    gm_store_real(a->result, a->dtype, 0, most + log(sum));
}

/* ---- units ----------------------------------------------------------------------------------- */

static double draw_normal(const gm_rbm_args *a, uint64_t e) {
    return a->dtype == GM_F64 ? gm_normal_f64(a->seed, e / 2, GM_STREAM_CONTRACT, e % 2)
                              : (double)gm_normal_f32(a->seed, e / 4, GM_STREAM_CONTRACT, e % 4);
}

static double draw_uniform(const gm_rbm_args *a, uint64_t e) {
    const gm_words w =
        gm_philox_block(a->seed, a->dtype == GM_F64 ? e / 2 : e / 4, GM_STREAM_CONTRACT, 0);
    return a->dtype != GM_F64 ? (double)gm_uniform_f32(gm_word(w, (uint32_t)(e % 4)))
           : e % 2 == 0       ? gm_uniform_f64(w.w0, w.w1)
                              : gm_uniform_f64(w.w2, w.w3);
}

static void set_gaussian(const gm_rbm_args *a, int64_t row, int64_t unit) {
    const double sigma = at(a, a->sigma, unit);
    double x = at(a, a->bias, unit) + sigma * a->gain * field_at(a, row, unit);
    if (a->mean == 0) {
        x += sigma * draw_normal(a, a->first + (uint64_t)(row * a->units + unit)) / sqrt(a->beta);
    }
    gm_store_real(a->out, a->dtype, row * a->units + unit, x);
}

/* A site's colours: their probabilities, or 1 for the first whose cumulative one reaches a uniform.
 * A NaN among them leaves all 0. */
static void set_site(const gm_rbm_args *a, int64_t row, int64_t unit) {
    const double whole = log_colours(a, row, unit, a->gain);
    const uint64_t site = a->first + (uint64_t)((row * a->units + unit) / a->colours);
    double u = a->mean != 0 ? 0 : draw_uniform(a, site), below = 0;
    for (int64_t q = unit; q < unit + a->colours; ++q) {
        const double p = exp(a->gain * field_at(a, row, q) + a->beta * at(a, a->bias, q) - whole);
        const bool last = q + 1 == unit + a->colours && !isnan(p);
        const bool chosen = below < u && (below + p >= u || last);
        below = chosen ? 2 : below + p;
        gm_store_real(a->out, a->dtype, row * a->units + q, a->mean != 0 ? p : chosen ? 1 : 0);
    }
}

static void set_visible(const gm_rbm_args *a) {
    for (int64_t r = 0; r < a->rows; ++r) {
        for (int64_t u = 0; u < a->units; u += a->colours) {
            if (a->clamp != NULL && a->clamp[u] != 0) {
                continue;
            }
            if (a->kind == GM_RBM_POTTS) {
                set_site(a, r, u);
            } else if (a->kind == GM_RBM_GAUSSIAN) {
                set_gaussian(a, r, u);
            } else {
                gm_store_real(a->out, a->dtype, r * a->units + u, field_at(a, r, u));
            }
        }
    }
}

static void write_states(const gm_rbm_args *a) {
    for (int64_t r = 0; r < a->rows; ++r) {
        for (int64_t u = 0; u < a->units; ++u) {
            const uint64_t bit = u < 64 ? (a->first + (uint64_t)r) >> u & 1 : 0;
            gm_store_real(a->out, a->dtype, r * a->units + u, (double)bit);
        }
    }
}

static void divide(const gm_rbm_args *a) {
    for (int64_t i = 0; i < a->rows * a->units; ++i) {
        gm_store_real(a->out, a->dtype, i, at(a, a->field, i) / at(a, a->sigma, i % a->units));
    }
}

gm_status gm_ref_rbm_run(gm_call *call, const gm_rbm_args *args) {
    static void (*const work[])(const gm_rbm_args *) = {
        [GM_RBM_TERMS] = sum_terms, [GM_RBM_VISIBLE] = set_visible, [GM_RBM_STATES] = write_states,
        [GM_RBM_FOLD] = fold,       [GM_RBM_FLIPS] = sum_flips,     [GM_RBM_DIVIDE] = divide};
    work[args->work](args);
    call->kernel = "rbm_ref";
    return GM_STATUS_OK;
}

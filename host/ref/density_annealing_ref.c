/* The oracle of what gm_density_annealing_run does between stretches of MCMC, chain by chain. */
#include <math.h>
#include <stdbool.h>

#include "host/density_annealing_args.h"
#include "host/ref/ref.h"
#include "host/strided.h"

static void place_params(const gm_density_annealing_args *a, int64_t column) {
    for (int32_t i = 0; i < a->params; ++i) {
        const double value =
            a->place[i] >= 0 ? gm_load_real(a->values, a->dtype, a->place[i])
                             : gm_load_real(a->given, a->dtype,
                                            i * a->given_stride[0] + column * a->given_stride[1]);
        gm_store_real(a->placed, a->dtype, i * a->columns + column, value);
    }
}

static void keep_best(const gm_density_annealing_args *a, int64_t chain) {
    const int64_t at = chain * a->best_log_density_stride;
    const double now = gm_load_real(a->from, a->dtype, chain);
    const double best =
        a->begins ? -(double)INFINITY : gm_load_real(a->best_log_density, a->dtype, at);
    if (a->begins || now > best) {
        gm_store_real(a->best_log_density, a->dtype, at, now > best ? now : best);
        for (int32_t i = 0; i < a->dim && a->best != NULL; ++i) {
            gm_store_real(a->best, a->dtype, i * a->best_stride[0] + chain * a->best_stride[1],
                          gm_load_real(a->state, a->dtype,
                                       i * a->state_stride[0] + chain * a->state_stride[1]));
        }
    }
}

/* The weight of a chain, and what becomes of its status. */
static int32_t weigh(const gm_density_annealing_args *a, int64_t chain, int32_t status) {
    double *log_weight = &a->log_weight[chain * a->log_weight_stride];
    double w = a->begins ? 0 : *log_weight;
    if (a->weighs && status == GM_STATUS_OK) {
        const double from = gm_load_real(a->from, a->dtype, chain);
        w = gm_density_annealing_weigh(a, w, from,
                                       a->to != NULL ? gm_load_real(a->to, a->dtype, chain) : from);
        status = isnan(w) ? GM_STATUS_NON_FINITE : status;
    }
    *log_weight = status == GM_STATUS_OK ? w : (double)NAN;
    return status;
}

void gm_ref_density_annealing_chain(const gm_density_annealing_args *a, int64_t chain) {
    if (a->placed != NULL && chain < a->columns) {
        place_params(a, chain);
    }
    if (a->status == NULL) {
        return;
    }
    const bool left = a->log_weight != NULL && !a->begins &&
                      a->log_weight[chain * a->log_weight_stride] == -(double)INFINITY;
    int32_t *kept = &a->status[chain * a->status_stride];
    int32_t status = a->clears ? GM_STATUS_OK : *kept;
    if (!left) {
        if (status == GM_STATUS_OK && a->chain_status != NULL) {
            status = a->chain_status[chain];
        }
        status = a->log_weight != NULL ? weigh(a, chain, status) : status;
    }
    *kept = status;
    if (a->best_log_density != NULL) {
        keep_best(a, chain);
    }
}

gm_status gm_ref_density_annealing_step(gm_call *call, const gm_density_annealing_args *args) {
    call->kernel = "density_annealing_ref";
    for (int64_t c = 0; c < args->n; ++c) {
        gm_ref_density_annealing_chain(args, c);
    }
    return GM_STATUS_OK;
}

/* The oracle of what gm_annealing_run does between stretches of sweeps, chain by chain. */
#include <math.h>
#include <stdbool.h>

#include "host/annealing_args.h"
#include "host/ref/ref.h"

static void keep_state(const gm_annealing_args *a, int64_t chain) {
    for (int64_t i = 0; i < a->sites && a->best != NULL; ++i) {
        a->best[chain * a->best_stride[0] + i * a->best_stride[1]] =
            a->spins[chain * a->spins_stride[0] + i * a->spins_stride[1]];
    }
}

void gm_ref_annealing_chain(const gm_annealing_args *a, int64_t chain) {
    const bool good = a->chain_status[chain * a->status_stride] == GM_STATUS_OK;
    const int64_t energy = good ? a->energy[chain * a->energy_stride] : 0;
    if (a->best_energy != NULL) {
        int64_t *best = &a->best_energy[chain * a->best_energy_stride];
        if (a->begins || (good && energy < *best)) {
            *best = energy;
            if (good) {
                keep_state(a, chain);
            }
        }
    }
    if (a->log_weight != NULL) {
        double *weight = &a->log_weight[chain * a->log_weight_stride];
        const double before = a->begins ? 0 : *weight;
        *weight = good ? gm_annealing_weigh(a, before, energy) : (double)NAN;
    }
}

gm_status gm_ref_annealing_step(gm_call *call, const gm_annealing_args *args) {
    call->kernel = "annealing_ref";
    for (int64_t c = 0; c < args->chains; ++c) {
        gm_ref_annealing_chain(args, c);
    }
    return GM_STATUS_OK;
}

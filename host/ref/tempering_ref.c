/* The oracle of gm_tempering_run's exchanges: one ladder after the other, pair by pair. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "host/ref/ref.h"
#include "host/tempering_args.h"

static int32_t *level_of(const gm_tempering_args *a, int64_t l, int64_t r) {
    return &a->level[l * a->level_stride[0] + r * a->level_stride[1]];
}

static int32_t *label_of(const gm_tempering_args *a, int64_t l, int64_t r) {
    return &a->label[l * a->label_stride[0] + r * a->label_stride[1]];
}

static uint64_t *sum_word(const gm_tempering_args *a, int64_t l, int64_t level, int64_t word) {
    return &a->sums[l * a->sums_stride[0] + level * a->sums_stride[1] +
                    word / 2 * a->sums_stride[2] + word % 2 * a->sums_stride[3]];
}

static int64_t *count_of(const gm_tempering_args *a, int64_t l, int64_t pair, int64_t which) {
    return &a->swaps[l * a->swaps_stride[0] + pair * a->swaps_stride[1] +
                     which * a->swaps_stride[2]];
}

static int64_t *trips_of(const gm_tempering_args *a, int64_t l, int64_t r) {
    return &a->trips[l * a->trips_stride[0] + r * a->trips_stride[1]];
}

/* ---- the first stretch ----------------------------------------------------------------------- */

static gm_status check_ladder(const gm_tempering_args *a, int64_t l) {
    bool seen[GM_TEMPERING_MOST] = {false};
    for (int64_t r = 0; r < a->temperatures; ++r) {
        const int32_t level = *level_of(a, l, r), label = *label_of(a, l, r);
        if (level < 0 || level >= a->temperatures || seen[level] || label < GM_TEMPERING_NOWHERE ||
            label > GM_TEMPERING_LAST ||
            (!a->is_density && a->chain_status[l * a->temperatures + r] != GM_STATUS_OK)) {
            return GM_STATUS_INVALID_ARGUMENT;
        }
        seen[level] = true;
    }
    return GM_STATUS_OK;
}

static void place(const gm_tempering_args *a, int64_t chain, int64_t level) {
    const double step = a->is_density ? a->density.level_step[level] : 0;
    gm_tempering_place(a, chain, a->ladder[level], step);
}

void gm_ref_tempering_begin_ladder(const gm_tempering_args *a, int64_t l) {
    const gm_status status = check_ladder(a, l);
    a->ladder_status[l] = status;
    if (a->status != NULL) {
        a->status[l * a->status_stride] = status;
    }
    for (int64_t r = 0; r < a->temperatures; ++r) {
        const int64_t chain = l * a->temperatures + r;
        if (status == GM_STATUS_OK) {
            place(a, chain, *level_of(a, l, r));
        } else {
            gm_tempering_place(a, chain, (double)NAN, (double)NAN);
        }
        if (status != GM_STATUS_OK && !a->is_density) {
            a->energy[chain * a->energy_stride] = 0;
        }
        gm_tempering_clear(a, l, r);
        for (int64_t word = 0; word < 2 * a->sums_count && a->sums != NULL; ++word) {
            *sum_word(a, l, r, word) = 0;
        }
        for (int64_t k = 0; k < GM_TEMPERING_COUNTS && a->swaps != NULL && r > 0; ++k) {
            *count_of(a, l, r - 1, k) = 0;
        }
        if (a->trips != NULL) {
            *trips_of(a, l, r) = 0;
        }
    }
}

/* ---- an exchange ----------------------------------------------------------------------------- */

/* What a chain did at its level since the last exchange. */
static void settle(const gm_tempering_args *a, int64_t l, int64_t r) {
    const int32_t level = *level_of(a, l, r);
    int64_t trips;
    *label_of(a, l, r) = gm_tempering_label(a->temperatures, level, *label_of(a, l, r), &trips);
    if (a->trips != NULL) {
        *trips_of(a, l, r) += trips;
    }
    if (a->is_density) {
        gm_tempering_add(a, l, r, level);
        return;
    }
    const uint64_t *from = a->chain_sums + (l * a->temperatures + r) * 2 * a->sums_count;
    for (int64_t k = 0; k < a->sums_count && a->sums != NULL; ++k, from += 2) {
        uint64_t *low =
            &a->sums[l * a->sums_stride[0] + level * a->sums_stride[1] + k * a->sums_stride[2]];
        uint64_t *high = low + a->sums_stride[3];
        *low += from[0];
        *high += from[1] + (*low < from[0]);
    }
}

/* Levels pair and pair + 1, where chains low and high are. */
static void exchange(const gm_tempering_args *a, int64_t l, int64_t pair, int64_t low,
                     int64_t high) {
    const int64_t first = l * a->temperatures;
    const uint64_t threshold = gm_tempering_odds(a, pair, first + low, first + high);
    const bool accepted = gm_tempering_word(a, l, pair) < threshold;
    if (accepted) {
        *level_of(a, l, low) = (int32_t)pair + 1;
        *level_of(a, l, high) = (int32_t)pair;
        place(a, first + low, pair + 1);
        place(a, first + high, pair);
    }
    if (a->swaps != NULL) {
        *count_of(a, l, pair, GM_TEMPERING_TRIED) += 1;
        *count_of(a, l, pair, GM_TEMPERING_ACCEPTED) += accepted;
        *count_of(a, l, pair, GM_TEMPERING_PROBABILITY) += (int64_t)threshold;
    }
}

void gm_ref_tempering_swap_ladder(const gm_tempering_args *a, int64_t l) {
    if (a->ladder_status[l] != GM_STATUS_OK) {
        return;
    }
    int64_t at[GM_TEMPERING_MOST]; /* the chain of a level */
    for (int64_t r = 0; r < a->temperatures; ++r) {
        settle(a, l, r);
        at[*level_of(a, l, r)] = r;
    }
    for (int64_t pair = gm_tempering_parity(a, l); pair + 1 < a->temperatures; pair += 2) {
        exchange(a, l, pair, at[pair], at[pair + 1]);
    }
}

gm_status gm_ref_tempering_begin(gm_call *call, const gm_tempering_args *args) {
    call->kernel = "tempering_ref";
    for (int64_t l = 0; l < args->ladders; ++l) {
        gm_ref_tempering_begin_ladder(args, l);
    }
    return GM_STATUS_OK;
}

gm_status gm_ref_tempering_swap(gm_call *call, const gm_tempering_args *args) {
    call->kernel = "tempering_ref";
    for (int64_t l = 0; l < args->ladders; ++l) {
        gm_ref_tempering_swap_ladder(args, l);
    }
    return GM_STATUS_OK;
}

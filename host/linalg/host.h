/* What ref and cpu share: scratch memory, and storing how a problem went. */
#ifndef GENMATH_HOST_LINALG_HOST_H
#define GENMATH_HOST_LINALG_HOST_H

#include <math.h>
#include <stdbool.h>

#include "host/backend.h"
#include "host/linalg_args.h"

/* Hands out pieces of the workspace. Without memory it only counts, so that the code that takes
 * scratch is also the code that says how much there must be. */
typedef struct gm_arena {
    char *base;
    size_t used;
    int32_t *prepared; /* cpu: not 0 once this thread has made what all problems of a call share */
} gm_arena;

static inline void *gm_arena_take(gm_arena *arena, int64_t count, size_t size) {
    void *piece = arena->base != NULL ? arena->base + arena->used : NULL;
    arena->used += ((size_t)count * size + 63) / 64 * 64;
    return piece;
}

/* What a problem's function returns. */
typedef struct gm_linalg_outcome {
    gm_status status;
    bool outputs_hold; /* though the status is not OK */
    double rcond, residual;
    int64_t rank;
} gm_linalg_outcome;

static inline gm_linalg_outcome gm_linalg_failed(gm_status status) {
    const gm_linalg_outcome outcome = {.status = status, .rcond = NAN, .residual = NAN, .rank = -1};
    return outcome;
}

/* One problem with the scratch it takes; with an arena that only counts, nothing but the taking. */
typedef gm_linalg_outcome (*gm_linalg_item)(const gm_linalg_args *args, int64_t problem,
                                            gm_arena *arena);

/* Stores the outcome of a problem and, where its outputs do not hold, NaN and -1 in all of them. */
void gm_linalg_finish(const gm_linalg_args *args, int64_t problem,
                      const gm_linalg_outcome *outcome);

/* Bytes that one problem takes: a multiple of 64, at least 64. */
size_t gm_linalg_item_bytes(gm_linalg_item item, const gm_linalg_args *args);

#endif

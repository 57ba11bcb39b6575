/*
 * Linear algebra on the CPU: LAPACK, one problem on one thread, many problems at once. LAPACK is
 * called by its Fortran names (lapack.h): unlike LAPACKE's high-level functions these allocate
 * nothing, and nothing is transposed twice.
 */
#ifndef GENMATH_HOST_CPU_LINALG_CPU_H
#define GENMATH_HOST_CPU_LINALG_CPU_H

#include <complex.h>
#include <math.h>

#include <cblas.h>
#include <lapack.h>

#include "host/linalg/host.h"

/* A leading dimension: LAPACK wants at least 1. */
static inline lapack_int gm_cpu_ld(int64_t rows) {
    return rows > 1 ? (lapack_int)rows : 1;
}

static inline lapack_int *gm_cpu_take_int(gm_arena *arena, int64_t count) {
    return gm_arena_take(arena, count, sizeof(lapack_int));
}

static inline int64_t gm_cpu_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t gm_cpu_max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static inline gm_linalg_outcome gm_cpu_singular(void) {
    gm_linalg_outcome outcome = gm_linalg_failed(GM_STATUS_SINGULAR);
    outcome.rcond = 0;
    return outcome;
}

enum { GM_CPU_BLOCK = 64 }; /* columns that LAPACK's blocked algorithms work on at once, at most */

#define GM_LINALG_EACH "host/cpu/linalg_declare.inc"
#include "host/cpu/linalg_each_type.inc"

#endif

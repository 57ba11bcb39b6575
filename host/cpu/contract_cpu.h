/* What the rows of the CPU's table of contraction kernels share. */
#ifndef GENMATH_HOST_CONTRACT_CPU_H
#define GENMATH_HOST_CONTRACT_CPU_H

#include <stdbool.h>
#include <stddef.h>

#include "host/backend.h"
#include "host/contract_group_args.h"

/*
 * Blocks first .. last - 1 of a run of problems that differ in their arrays alone, by one thread:
 * block i is number i % blocks of problem[i / blocks].
 */
typedef struct gm_contract_some {
    gm_isa isa;
    const gm_contraction *x;
    const gm_group_problem *problem;
    int64_t blocks, first, last;
    int32_t threads; /* that the blocks were made for */
    void *workspace; /* of this thread */
} gm_contract_some;

/*
 * A row can run what `can_run` says, and is the choice for what `suits` says besides. `workspace`
 * is in bytes, for so many threads, an equal part for each, and does not depend on strides.
 */
typedef struct gm_contract_row {
    const char *name;
    bool (*suits)(const gm_contraction *x);
    bool (*can_run)(const gm_contraction *x);
    int64_t (*workspace)(gm_isa isa, const gm_contraction *x, int32_t threads);
    void (*run)(gm_call *call, const gm_contraction *x, const gm_contract_arrays *arrays);
    /* The blocks that a problem is cut into for so many threads, and some of them, which
     * together do what `run` does. */
    int64_t (*blocks)(gm_isa isa, const gm_contraction *x, int32_t threads);
    void (*some)(const gm_contract_some *some);
} gm_contract_row;

extern const gm_contract_row gm_contract_rows[]; /* as many as have a name */

bool gm_contract_direct_suits(const gm_contraction *x);
bool gm_contract_direct_can_run(const gm_contraction *x);
int64_t gm_contract_direct_workspace(gm_isa isa, const gm_contraction *x, int32_t threads);
void gm_contract_direct_run(gm_call *call, const gm_contraction *x,
                            const gm_contract_arrays *arrays);
int64_t gm_contract_direct_blocks(gm_isa isa, const gm_contraction *x, int32_t threads);
void gm_contract_direct_some(const gm_contract_some *some);

bool gm_contract_small_suits(const gm_contraction *x);
bool gm_contract_small_can_run(const gm_contraction *x);
int64_t gm_contract_small_workspace(gm_isa isa, const gm_contraction *x, int32_t threads);
void gm_contract_small_run(gm_call *call, const gm_contraction *x,
                           const gm_contract_arrays *arrays);
int64_t gm_contract_small_blocks(gm_isa isa, const gm_contraction *x, int32_t threads);
void gm_contract_small_some(const gm_contract_some *some);

bool gm_contract_gett_can_run(const gm_contraction *x);
int64_t gm_contract_gett_workspace(gm_isa isa, const gm_contraction *x, int32_t threads);
void gm_contract_gett_run(gm_call *call, const gm_contraction *x, const gm_contract_arrays *arrays);
int64_t gm_contract_gett_blocks(gm_isa isa, const gm_contraction *x, int32_t threads);
void gm_contract_gett_some(const gm_contract_some *some);

/* The modes of each kind. */
static inline const gm_mode *gm_m_modes(const gm_contraction *x) {
    return x->modes + x->batches;
}

static inline const gm_mode *gm_n_modes(const gm_contraction *x) {
    return gm_m_modes(x) + x->ms;
}

static inline const gm_mode *gm_k_modes(const gm_contraction *x) {
    return gm_n_modes(x) + x->ns;
}

/* Offsets, in elements, of consecutive values of an index over several modes; an array that is NULL
 * is not filled. */
typedef struct gm_offsets {
    int64_t *a, *b, *c, *d, *bias, *index;
} gm_offsets;

/* Values first .. first + n - 1 of the index over `count` modes. */
void gm_contract_offsets(const gm_mode *modes, int32_t count, int64_t first, int64_t n,
                         const gm_offsets *out);

/* The same for one value; `extent` is not set. */
gm_mode gm_contract_position(const gm_mode *modes, int32_t count, int64_t index);

/* The sums are the output: no scale, addend or epilogue. */
bool gm_contract_is_plain(const gm_contraction *x, const gm_contract_arrays *arrays);

/*
 * The problem of a block: its arrays, with the workspace of the thread. Where it counts samples,
 * `own` becomes the contraction with its number; the one to use is returned.
 */
const gm_contraction *gm_contract_problem_of(const gm_contract_some *some, int64_t block,
                                             gm_contraction *own, gm_contract_arrays *arrays);

static inline bool gm_is_complex(gm_dtype dtype) {
    return dtype == GM_C64 || dtype == GM_C128;
}

static inline int64_t gm_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t gm_magnitude(int64_t stride) {
    return stride < 0 ? -stride : stride;
}

/* Parts of a size that make up x. */
static inline int64_t gm_parts(int64_t x, int64_t part) {
    return (x + part - 1) / part;
}

/* `elements` of so many bytes further on; NULL stays NULL. */
static inline const void *gm_moved(const void *from, int64_t elements, size_t size) {
    return from == NULL ? NULL : (const char *)from + elements * (int64_t)size;
}

/* Every size of memory is a multiple of a cache line. */
static inline int64_t gm_align_64(int64_t bytes) {
    return (bytes + 63) / 64 * 64;
}

#endif

/*
 * The rows of the table of contraction kernels: what each needs beside d and how it is launched.
 * The table itself, with what each row can do and when it is taken, is in contract.cu.
 */
#pragma once

#include "host/backend.h"
#include "host/contract_args.h"

namespace gm {
namespace contract {

typedef int64_t row_workspace(const gm_contraction &contraction);
typedef gm_status row_launch(gm_call *call, const gm_contraction &contraction,
                             const gm_contract_arrays &arrays);

row_workspace wgmma_split_workspace, tensor_split_workspace, simt_split_workspace,
    reduce_split_workspace, direct_split_workspace;
row_launch wgmma_launch, wgmma_split_launch, tensor_launch, tensor_split_launch, simt_launch,
    simt_split_launch, small_launch, transpose_launch, reduce_launch, reduce_split_launch,
    direct_launch, direct_split_launch;

constexpr int64_t TILE_PIECE = 256; /* the least of k that a block of a split product gets */

/*
 * Pieces of k for a warp and for a thread; halves where k is shorter. Fixed, so that a sum does not
 * depend on the number of elements; the partial sums are 1 / 8192 and 1 / 1024 of what is read.
 */
constexpr int64_t REDUCE_PIECE = 8192, DIRECT_PIECE = 1024;

/* Problems of a small product that a block takes, and what neighbours are along in each tensor: a
 * small_order of contract_small.cuh. */
int32_t small_problems(const gm_contraction &contraction);
void small_orders(const gm_contraction &contraction, int32_t *a, int32_t *b, int32_t *d);

/* Whether bulk copies can bring the operands, where the addresses allow it, and the device has
 * them. */
bool wgmma_can_run(const gm_contraction &contraction);

/* The modes that are last in a and in d: what `transpose` swaps. False where they are the same. */
bool transpose_modes(const gm_contraction &contraction, int32_t *from, int32_t *to);

} // namespace contract
} // namespace gm

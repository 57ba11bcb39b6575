/*
 * Which kernel computes a contraction: the first row of the table that can and is worth it. Each
 * row's formula, parallelisation and ladder are in the file that launches it.
 *
 * Nothing here asks for the size of the batch, so an element of a batch has the same bits whatever
 * is around it. The device is asked for one thing alone: whether it has wgmma.
 */
#include <string.h>

#include "kernels/contract_rows.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace contract {
namespace {

int64_t least(int64_t x, int64_t y) {
    return x < y ? x : y;
}

int64_t most(int64_t x, int64_t y) {
    return x > y ? x : y;
}

/* ---- what a kernel can compute -----------------------------------------------------------------
 */

bool any(const gm_contraction &) {
    return true;
}

bool is_product(const gm_contraction &c) {
    return c.operands == 2;
}

bool on_tensor_cores(const gm_contraction &c) {
    const bool named = c.math == GM_CONTRACT_TF32 || c.math == GM_CONTRACT_TF32X3;
    const bool standard = c.math == GM_CONTRACT_STANDARD;
    return is_product(c) && (c.input == GM_F32   ? named
                             : c.input == GM_F64 ? standard
                                                 : c.input == GM_F16 || c.input == GM_BF16);
}

bool on_tensor_cores_split(const gm_contraction &c) {
    return on_tensor_cores(c) && c.k >= 2 * TILE_PIECE;
}

bool on_warpgroups_split(const gm_contraction &c) {
    return wgmma_can_run(c) && c.k >= 2 * TILE_PIECE;
}

bool on_lanes(const gm_contraction &c) {
    return is_product(c) && c.input != GM_F16 && c.input != GM_BF16;
}

bool on_lanes_split(const gm_contraction &c) {
    return on_lanes(c) && c.k >= 2 * TILE_PIECE;
}

bool is_small(const gm_contraction &c) {
    return is_product(c) && most(most(c.m, c.n), c.k) <= 32;
}

bool swaps_modes(const gm_contraction &c) {
    int32_t from, to;
    return c.operands == 1 && c.ks == 0 && c.k == 1 && transpose_modes(c, &from, &to);
}

bool sums_pieces(const gm_contraction &c) {
    return c.k > 1;
}

/* ---- when it is worth it -----------------------------------------------------------------------
 */

/* Rows or columns that would leave nearly all of a tile empty. */
bool is_thin(const gm_contraction &c) {
    return c.operands == 1 || least(c.m, c.n) <= 4;
}

/* Neighbouring k are neighbours in memory, in the operand that is read most. */
bool lies_along_k(const gm_contraction &c) {
    if (c.ks == 0) {
        return false;
    }
    const gm_mode &last = c.modes[c.batches + c.ms + c.ns + c.ks - 1];
    const int64_t step = c.operands == 2 && c.n > c.m ? last.b : last.a;
    return step == 1 || step == -1;
}

bool worth_small(const gm_contraction &c) {
    return least(c.m, c.n) > 1 && c.k > 1;
}

bool worth_reducing(const gm_contraction &c) {
    return is_thin(c) && lies_along_k(c) && c.k >= 64;
}

bool worth_cutting_reduction(const gm_contraction &c) {
    return worth_reducing(c) && c.k >= 4 * REDUCE_PIECE;
}

bool worth_cutting_sum(const gm_contraction &c) {
    return is_thin(c) && !lies_along_k(c) && c.k >= 4 * DIRECT_PIECE;
}

bool worth_no_tile(const gm_contraction &c) {
    return is_thin(c) || c.k < 4;
}

/* Too few tiles for a device, and enough of k to share out. */
bool worth_cutting_tiles(const gm_contraction &c) {
    const int64_t tiles = ((c.m + 127) / 128) * ((c.n + 127) / 128);
    return tiles <= 64 && c.k >= 8 * TILE_PIECE;
}

/* Tiles of 128 x 256 that are mostly full, and enough of k for the copies to run ahead. */
bool worth_warpgroups(const gm_contraction &c) {
    return least(c.m, c.n) >= 128 && most(c.m, c.n) >= 256 && c.k >= 128;
}

/* Less than half the tiles that the largest devices compute at a time. */
bool worth_cutting_warpgroups(const gm_contraction &c) {
    const int64_t tiles = ((c.m + 127) / 128) * ((c.n + 255) / 256);
    return worth_warpgroups(c) && tiles <= 64 && c.k >= 8 * TILE_PIECE;
}

int64_t nothing(const gm_contraction &) {
    return 0;
}

struct row {
    const char *name;
    bool (*can_run)(const gm_contraction &contraction);
    bool (*preferred)(const gm_contraction &contraction);
    row_workspace *workspace;
    row_launch *launch;
};

const row rows[] = {
    {"transpose", swaps_modes, any, nothing, transpose_launch},
    {"small", is_small, worth_small, nothing, small_launch},
    {"reduce_split", sums_pieces, worth_cutting_reduction, reduce_split_workspace,
     reduce_split_launch},
    {"reduce", any, worth_reducing, nothing, reduce_launch},
    {"direct_split", sums_pieces, worth_cutting_sum, direct_split_workspace, direct_split_launch},
    {"direct", any, worth_no_tile, nothing, direct_launch},
    {"wgmma_split", on_warpgroups_split, worth_cutting_warpgroups, wgmma_split_workspace,
     wgmma_split_launch},
    {"wgmma", wgmma_can_run, worth_warpgroups, nothing, wgmma_launch},
    {"tensor_split", on_tensor_cores_split, worth_cutting_tiles, tensor_split_workspace,
     tensor_split_launch},
    {"tensor", on_tensor_cores, any, nothing, tensor_launch},
    {"simt_split", on_lanes_split, worth_cutting_tiles, simt_split_workspace, simt_split_launch},
    {"simt", on_lanes, any, nothing, simt_launch},
};
constexpr int32_t row_count = static_cast<int32_t>(sizeof rows / sizeof rows[0]);

bool has_type(gm_dtype type) {
    return type == GM_F64 || type == GM_F32 || type == GM_F16 || type == GM_BF16 ||
           type == GM_C64 || type == GM_C128 || type == GM_I8 || type == GM_I32;
}

} // namespace
} // namespace contract

gm_status contract_choose(gm_call *call, const gm_contraction *contraction, const char *kernel,
                          gm_contract_choice *choice) {
    if (!contract::has_type(contraction->input)) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED, "contractions of this type");
    }
    bool known = false;
    for (int32_t i = 0; i < contract::row_count; ++i) {
        const contract::row &row = contract::rows[i];
        const bool named = kernel != nullptr && strcmp(kernel, row.name) == 0;
        known = known || named;
        if (kernel == nullptr ? row.can_run(*contraction) && row.preferred(*contraction)
                              : named && row.can_run(*contraction)) {
            choice->row = i;
            choice->kernel = row.name;
            choice->workspace = row.workspace(*contraction);
            return GM_STATUS_OK;
        }
    }
    return gm_call_fail(call, GM_STATUS_UNSUPPORTED, "kernel %s: %s",
                        kernel == nullptr ? "(any)" : kernel,
                        known ? "not for this contraction" : "not known to this backend");
}

gm_status contract_run(gm_call *call, const gm_contraction *contraction, int32_t row,
                       const gm_contract_arrays *arrays) {
    call->kernel = contract::rows[row].name;
    return contract::rows[row].launch(call, *contraction, *arrays);
}

const char *contract_kernel(int32_t row) {
    return row >= 0 && row < contract::row_count ? contract::rows[row].name : nullptr;
}

} // namespace gm

/*
 * Contractions by tiles in a type's own arithmetic: contract_tile.cuh has the kernel,
 * contract_simt.cuh the products.
 *
 *   type                  tile       of a thread  k  stages  shared, KiB
 *   f32                   128 x 128  8 x 8        8  4       35.3
 *   f64                   128 x 64   8 x 4        8  3       38.6
 *   f32 compensated       128 x 64   8 x 4        8  3       24.3
 *   f64 compensated, c64   64 x 64   4 x 4        8  3       26.1
 *   c128                   64 x 64   4 x 4        8  2       33.8
 *   i32, i8                64 x 64   4 x 4        8  3       22.3
 *
 * f32 is true single precision. i8 is widened on its way to shared memory.
 *
 * Ladder: (1) a thread for an element reads 2 operands for each multiplication; (2) 8 x 8 sums a
 * thread: a quarter of an operand each, from shared memory as 16-byte vectors; (3) asynchronous
 * copies, three or four stages. Compiled, not yet run on a GPU: no figures.
 */
#include "kernels/contract_simt.cuh"

namespace gm {
namespace contract {
int64_t simt_split_workspace(const gm_contraction &c) {
    return with_simt_policy(c, [&](auto tag) {
        return tile_kernels<typename decltype(tag)::type>::split_workspace(c);
    });
}

gm_status simt_launch(gm_call *call, const gm_contraction &c, const gm_contract_arrays &arrays) {
    return with_simt_policy(c, [&](auto tag) {
        return tile_kernels<typename decltype(tag)::type>::launch_all(call, c, arrays);
    });
}

gm_status simt_split_launch(gm_call *call, const gm_contraction &c,
                            const gm_contract_arrays &arrays) {
    return with_simt_policy(c, [&](auto tag) {
        return tile_kernels<typename decltype(tag)::type>::launch_split(call, c, arrays);
    });
}

} // namespace contract
} // namespace gm

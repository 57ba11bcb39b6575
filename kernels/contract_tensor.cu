/*
 * Contractions on tensor cores: contract_tile.cuh has the kernel, contract_mma.cuh the products.
 * The kernels of each type are in a file of their own, since they take long to compile.
 *
 *   type          tile       warp     k   stages  mma          shared, KiB (k and rows innermost)
 *   f16, bf16     128 x 128  64 x 32  32  3       m16n8k16     63.1, 54.1
 *   f32 by tf32   128 x 128  64 x 32  16  3       m16n8k8      62.6, 53.6; three for 3xTF32
 *   f64            64 x 128  32 x 32   8  3       m8n8k4       55.8, 39.3
 *
 * Accumulation in f32 (f64: double); the order and rounding of a tensor core's additions are its
 * own, so the bits of a result are those of the device's generation.
 *
 * Ladder: (1) a thread for an element; (2) tiles in shared memory, a warp multiplies fragments; (3)
 * 16-byte asynchronous copies, three stages: the next two stages come while one is multiplied; (4)
 * both layouts multiplied as they lie, so that a transposed operand costs nothing. On sm_90a large
 * products of 16-bit types go to contract_wgmma.cuh. Compiled, not yet run on a GPU: no figures.
 */
#include "kernels/contract_tensor.cuh"

namespace gm {
namespace contract {
namespace {

const tensor_family &family_of(const gm_contraction &c) {
    switch (c.input) {
    case GM_F64:
        return tensor_f64;
    case GM_F16:
        return tensor_f16;
    case GM_BF16:
        return tensor_bf16;
    default:
        return c.math == GM_CONTRACT_TF32X3 ? tensor_tf32x3 : tensor_tf32;
    }
}

} // namespace

int64_t tensor_split_workspace(const gm_contraction &c) {
    return family_of(c).split_workspace(c);
}

gm_status tensor_launch(gm_call *call, const gm_contraction &c, const gm_contract_arrays &arrays) {
    return family_of(c).launch(call, c, arrays);
}

gm_status tensor_split_launch(gm_call *call, const gm_contraction &c,
                              const gm_contract_arrays &arrays) {
    return family_of(c).launch_split(call, c, arrays);
}

} // namespace contract
} // namespace gm

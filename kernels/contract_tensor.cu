/*
 * Contractions on tensor cores: contract_tile.cuh has the kernel, contract_mma.cuh the products.
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
 * both layouts multiplied as they lie, so that a transposed operand costs nothing. Next: wgmma with
 * bulk copies on sm_90a, five times the rate there. Compiled, not yet run on a GPU: no figures.
 */
#include "kernels/contract_launch.cuh"
#include "kernels/contract_mma.cuh"

namespace gm {
namespace contract {
namespace {

/* f(type_tag<policy>()) for the types that tensor cores multiply. */
template <class F> auto with_policy(const gm_contraction &c, F f) {
    switch (c.input) {
    case GM_F64:
        return f(type_tag<mma_f64>());
    case GM_F16:
        return f(type_tag<mma_half<arith_f16>>());
    case GM_BF16:
        return f(type_tag<mma_half<arith_bf16>>());
    default:
        return c.math == GM_CONTRACT_TF32X3 ? f(type_tag<mma_tf32<3>>())
                                            : f(type_tag<mma_tf32<1>>());
    }
}

} // namespace

int64_t tensor_split_workspace(const gm_contraction &c) {
    return with_policy(c, [&](auto tag) {
        return tile_kernels<typename decltype(tag)::type>::split_workspace(c);
    });
}

gm_status tensor_launch(gm_call *call, const gm_contraction &c, const gm_contract_arrays &arrays) {
    return with_policy(c, [&](auto tag) {
        return tile_kernels<typename decltype(tag)::type>::launch_all(call, c, arrays);
    });
}

gm_status tensor_split_launch(gm_call *call, const gm_contraction &c,
                              const gm_contract_arrays &arrays) {
    return with_policy(c, [&](auto tag) {
        return tile_kernels<typename decltype(tag)::type>::launch_split(call, c, arrays);
    });
}

} // namespace contract
} // namespace gm

/* Groups of f16 and bf16 on tensor cores: contract_group.cuh by the tiles of contract_mma.cuh. */
#include "kernels/contract_group_launch.cuh"
#include "kernels/contract_mma.cuh"

namespace gm {
namespace contract {

group_launches group_tensor_launches(const gm_contraction &c) {
    return c.input == GM_F16 ? group_kernels<mma_half<arith_f16>>::launches()
                             : group_kernels<mma_half<arith_bf16>>::launches();
}

} // namespace contract
} // namespace gm

/* Contractions of f32 by one product of tf32 on tensor cores: contract_tensor.cu has the tiles and
 * the ladder. */
#include "kernels/contract_launch.cuh"
#include "kernels/contract_mma.cuh"
#include "kernels/contract_tensor.cuh"

namespace gm {
namespace contract {

const tensor_family tensor_tf32 = family_with<tile_kernels<mma_tf32<1>>>();

} // namespace contract
} // namespace gm

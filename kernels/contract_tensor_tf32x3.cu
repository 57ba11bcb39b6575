/* Contractions of f32 by three products of tf32 on tensor cores: contract_tensor.cu has the tiles
 * and the ladder. */
#include "kernels/contract_launch.cuh"
#include "kernels/contract_mma.cuh"
#include "kernels/contract_tensor.cuh"

namespace gm {
namespace contract {

const tensor_family tensor_tf32x3 = family_with<tile_kernels<mma_tf32<3>>>();

} // namespace contract
} // namespace gm

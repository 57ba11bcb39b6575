/* Contractions of f16 on tensor cores: contract_tensor.cu has the tiles and the ladder. */
#include "kernels/contract_launch.cuh"
#include "kernels/contract_mma.cuh"
#include "kernels/contract_tensor.cuh"

namespace gm {
namespace contract {

const tensor_family tensor_f16 = family_with<tile_kernels<mma_half<arith_f16>>>();

} // namespace contract
} // namespace gm

/* The kernels of kernels/contract_tensor.cu, which has the table of tiles: one family for each
 * type. */
#pragma once

#include "kernels/contract_rows.cuh"

namespace gm {
namespace contract {

struct tensor_family {
    row_workspace *split_workspace;
    row_launch *launch, *launch_split;
};

extern const tensor_family tensor_f16, tensor_bf16, tensor_tf32, tensor_tf32x3, tensor_f64;

/* What a file of one family defines: the launches of tile_kernels<policy>. */
template <class kernels> constexpr tensor_family family_with() {
    return {kernels::split_workspace, kernels::launch_all, kernels::launch_split};
}

} // namespace contract
} // namespace gm

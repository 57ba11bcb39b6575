/* Groups in a type's own arithmetic: contract_group.cuh by the tiles of contract_simt.cu. */
#include "kernels/contract_group_launch.cuh"
#include "kernels/contract_simt.cuh"

namespace gm {
namespace contract {

group_launches group_simt_launches(const gm_contraction &c) {
    return with_simt_policy(
        c, [](auto tag) { return group_kernels<typename decltype(tag)::type>::launches(); });
}

} // namespace contract
} // namespace gm

/* Launches of the second stage of contractions that cut k: `combine` in contract_direct.cuh. */
#include "kernels/contract_launch.cuh"

namespace gm {
namespace contract {

template <class arith> gm_status combine_sums(gm_call *call, const job<typename arith::value> &j) {
    return launch(call, combine<arith>, ceiling(j.count * j.m * j.n, DIRECT_THREADS),
                  DIRECT_THREADS, 0, j);
}

template gm_status combine_sums<arith_f32>(gm_call *, const job<float> &);
template gm_status combine_sums<arith_f64>(gm_call *, const job<double> &);
template gm_status combine_sums<arith_compensated_f32>(gm_call *, const job<float> &);
template gm_status combine_sums<arith_compensated_f64>(gm_call *, const job<double> &);
template gm_status combine_sums<arith_c64>(gm_call *, const job<c64> &);
template gm_status combine_sums<arith_c128>(gm_call *, const job<c128> &);
template gm_status combine_sums<arith_i32>(gm_call *, const job<int32_t> &);

} // namespace contract
} // namespace gm

/* Launches of kernels/contract_small.cuh, which has the formula, the layout and the ladder. */
#include "kernels/contract_small.cuh"

#include "kernels/contract_launch.cuh"

namespace gm {
namespace contract {
namespace {

/* What neighbours are along: strides of the innermost modes of problem, row and column. */
int32_t order_of(int64_t problem, int64_t row, int64_t column) {
    if (problem < row && problem < column) {
        return row < column ? SMALL_PRC : SMALL_PCR;
    }
    if (row < column) {
        return problem < column ? SMALL_RPC : SMALL_RCP;
    }
    return problem < row ? SMALL_CPR : SMALL_CRP;
}

/* The stride of the last of `count` modes that end before `end`; without modes it is never next. */
template <int64_t gm_mode::*stride>
int64_t last_stride(const gm_contraction &c, int32_t end, int32_t count) {
    return count == 0 ? INT64_MAX : magnitude(c.modes[end - 1].*stride);
}

template <int64_t gm_mode::*stride>
int32_t order_in(const gm_contraction &c, bool rows_are_k, bool columns_are_k) {
    const int32_t end_m = c.batches + c.ms, end_n = end_m + c.ns, end_k = end_n + c.ks;
    return order_of(
        last_stride<stride>(c, c.batches, c.batches),
        rows_are_k ? last_stride<stride>(c, end_k, c.ks) : last_stride<stride>(c, end_m, c.ms),
        columns_are_k ? last_stride<stride>(c, end_k, c.ks) : last_stride<stride>(c, end_n, c.ns));
}

template <class arith, int SIZE, int R>
gm_status run_size(gm_call *call, const small_job<typename arith::value> &small) {
    return launch(call, small_batch<arith, SIZE, R>, ceiling(small.common.batch, small.problems),
                  SMALL_THREADS, sizeof(small_shared<arith>), small);
}

/* The square sizes of the types that have them, else any. */
template <class arith>
gm_status run_any_size(gm_call *call, const small_job<typename arith::value> &small) {
    const int64_t size = small.common.m;
    const bool square = small.common.n == size && small.common.k == size;
    if constexpr (std::is_same<arith, arith_f32>::value || std::is_same<arith, arith_f64>::value) {
        switch (square ? size : 0) {
        case 2:
            return run_size<arith, 2, 1>(call, small);
        case 3:
            return run_size<arith, 3, 1>(call, small);
        case 4:
            return run_size<arith, 4, 1>(call, small);
        case 8:
            return run_size<arith, 8, 2>(call, small);
        case 16:
            return run_size<arith, 16, 4>(call, small);
        case 32:
            return run_size<arith, 32, 4>(call, small);
        default:
            break;
        }
    }
    return run_size<arith, 0, 2>(call, small);
}

template <class arith>
gm_status run_small(gm_call *call, const gm_contraction &c, const gm_contract_arrays &arrays) {
    small_job<typename arith::value> small = {};
    small.common = job_of<typename arith::value>(c, arrays);
    small.problems = small_problems(c);
    small_orders(c, &small.order_a, &small.order_b, &small.order_d);
    return run_any_size<arith>(call, small);
}

} // namespace

int32_t small_problems(const gm_contraction &c) {
    return with_arithmetic(c, [&](auto tag) {
        constexpr int64_t capacity = small_shared<typename decltype(tag)::type>::CAPACITY;
        const int64_t a = c.m * c.k, b = c.k * c.n, d = c.m * c.n;
        const int64_t largest = a > b ? (a > d ? a : d) : (b > d ? b : d);
        const int64_t fit = capacity / largest;
        return static_cast<int32_t>(fit < SMALL_PROBLEMS ? fit : SMALL_PROBLEMS);
    });
}

void small_orders(const gm_contraction &c, int32_t *a, int32_t *b, int32_t *d) {
    *a = order_in<&gm_mode::a>(c, false, true);
    *b = order_in<&gm_mode::b>(c, true, false);
    *d = order_in<&gm_mode::d>(c, false, false);
}

gm_status small_launch(gm_call *call, const gm_contraction &c, const gm_contract_arrays &arrays) {
    return with_arithmetic(
        c, [&](auto tag) { return run_small<typename decltype(tag)::type>(call, c, arrays); });
}

} // namespace contract
} // namespace gm

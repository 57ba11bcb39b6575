/*
 * gm_diagnose: the formulas of genmath/diagnostics.h, every number in double, in the steps of ref's
 * functions, each of them kernels over many quantities at once (grid.y). Which kernels follow one
 * another depends on the sizes alone: what depends on the numbers, such as the lag at which a sum
 * of autocovariances ends, is decided on the device, and kernels that are no more needed return at
 * once.
 *
 * Here are the steps and what they end with; the kernels of each step are in diagnostics_series.cu,
 * diagnostics_lags.cu and diagnostics_order.cu. Not yet timed on a GPU.
 */
#include "kernels/diagnostics.cuh"

#include "host/quantile_law.h"
#include "kernels/module.cuh"

namespace gm {
namespace {

using namespace diagnostics;

constexpr int64_t AT_ONCE = 1 << 19;       /* draws that the quantities of one launch have */
constexpr int64_t MOST_QUANTITIES = 256;   /* and how many quantities at most */
constexpr int64_t MOST_DRAWS = 0x7fffffff; /* of one quantity: places are 32 bits */

/* ---- results --------------------------------------------------------------------------------- */

/* Half the distance of two of the sorted draws; FIRST is the effective sample size. */
__device__ double quantile_error(const area &a, int64_t count, double p) {
    const double ess = a.now->slot[FIRST], draws = static_cast<double>(count);
    if (isnan(ess)) {
        return NAN;
    }
    const double low = gm_beta_quantile_inside(0.1586553, ess * p + 1, ess * (1 - p) + 1);
    const double high = gm_beta_quantile_inside(0.8413447, ess * p + 1, ess * (1 - p) + 1);
    const double first = fmax(floor(low * draws), 1.0), last = fmin(ceil(high * draws), draws);
    return (radix::value_of(a.sort.keys[0][static_cast<int64_t>(last) - 1]) -
            radix::value_of(a.sort.keys[0][static_cast<int64_t>(first) - 1])) /
           2;
}

/* R-hat of the split chains, from BETWEEN and WITHIN. */
__global__ void finish_rhat(layout where, series s, slot to) {
    state &now = *area_of(where).now;
    const double n = static_cast<double>(s.n);
    if (threadIdx.x == 0) {
        const double ratio = n * now.slot[BETWEEN] / now.slot[WITHIN];
        now.slot[to] = now.silent != 0 ? NAN : sqrt((ratio + n - 1) / n);
    }
}

__device__ double result_of(const gm_diagnose_args &args, const area &a, int64_t count) {
    const state &now = *a.now;
    const double one = now.slot[FIRST], other = now.slot[SECOND];
    const double draws = static_cast<double>(count);
    switch (args.diagnostic) {
    case GM_DIAGNOSTIC_RHAT:
        return one > other ? one : isnan(one) ? one : other; /* NaN if either is */
    case GM_DIAGNOSTIC_ESS_TAIL:
        return one < other ? one : isnan(one) ? one : other;
    case GM_DIAGNOSTIC_RHAT_NESTED:
        return now.silent != 0 ? NAN : sqrt(1 + now.slot[BETWEEN] / now.slot[WITHIN]);
    case GM_DIAGNOSTIC_MCSE_MEAN:
        return sqrt(now.slot[SQUARES] / (draws - 1) / one);
    case GM_DIAGNOSTIC_MCSE_SD: {
        const double second = now.slot[SQUARES] / draws, fourth = now.slot[FOURTHS] / draws;
        return sqrt((fourth - second * second) / one / second / 4);
    }
    case GM_DIAGNOSTIC_MCSE_QUANTILE:
        return quantile_error(a, count, args.probability);
    default:
        return one;
    }
}

/* One thread: a quantity that has no draws has no diagnostic. */
__global__ void finish(const GM_GRID_CONSTANT gm_diagnose_args args, layout where,
                       int64_t first_quantity) {
    const int64_t count = args.iterations * args.chains;
    const int64_t to = gm_layout_offset(&args.quantities, 1, first_quantity + blockIdx.y);
    if (threadIdx.x == 0) {
        args.out[to] = count == 0 ? NAN : result_of(args, area_of(where), count);
    }
}

/* ---- the steps, as ref has them -------------------------------------------------------------- */

size_t place(size_t *bytes, int64_t count, size_t size) {
    const size_t at = *bytes;
    *bytes += (static_cast<size_t>(count) * size + 63) / 64 * 64;
    return at;
}

layout layout_of(const gm_diagnose_args &args) {
    const int64_t n = args.iterations, m = args.chains, draws = n * m;
    const int64_t least = (draws + LEAST_RANGE - 1) / LEAST_RANGE; /* halves can take more blocks */
    const int64_t blocks = least < MOST_BLOCKS ? least : MOST_BLOCKS;
    const int64_t lag_count = n < lags_of(n) ? n : lags_of(n);
    layout l;
    size_t bytes = 0;
    l.memory = static_cast<unsigned char *>(args.workspace);
    (void)place(&bytes, 1, sizeof(state));
    l.x = place(&bytes, draws, sizeof(double));
    l.means = place(&bytes, 2 * m, sizeof(double));
    l.variances = place(&bytes, 2 * m, sizeof(double));
    l.lags = place(&bytes, lag_count, sizeof(double));
    l.lag_sums = place(&bytes, lag_count * blocks, sizeof(double));
    l.tallies = place(&bytes, blocks, sizeof(tally));
    for (int i = 0; i < 2; ++i) {
        l.keys[i] = place(&bytes, draws, sizeof(uint64_t));
        l.from[i] = place(&bytes, draws, sizeof(uint32_t));
    }
    l.counts = place(&bytes, radix::tiles_of(draws) * radix::DIGITS, sizeof(uint32_t));
    l.tops = place(&bytes, radix::groups_of(draws) * radix::DIGITS, sizeof(uint32_t));
    l.bytes = bytes;
    return l;
}

int64_t quantities_at_once(const gm_diagnose_args &args) {
    const int64_t draws = args.iterations * args.chains, fit = AT_ONCE / (draws > 0 ? draws : 1);
    return fit < 1 ? 1 : fit > MOST_QUANTITIES ? MOST_QUANTITIES : fit;
}

/* The launches for some quantities. */
class steps {
  public:
    steps(gm_call *call, const gm_diagnose_args &given, const layout &l, int64_t from, int64_t many)
        : args(given), b{l, static_cast<unsigned>(many), stream_of(call)},
          first(from), whole{given.iterations, given.chains} {
        const int64_t n = given.iterations;
        halves = n > 1 ? series{n / 2, 2 * given.chains} : whole;
    }

    void diagnose();

  private:
    const gm_diagnose_args &args;
    const batch b;
    const int64_t first;
    const series whole; /* the chains */
    series halves;      /* split */

    void load(const series &s, transform how = AS_IT_IS, slot centre = MEAN) {
        load_series(b, args, first, s, how, centre);
    }

    void rhat_of(const series &s, slot to) {
        find_chains(b, s, KEPT);
        GM_LAUNCH(finish_rhat, b.grid(1), 32, 0, b.stream, b.where, s, to);
    }

    void ess_of(const series &s, slot to) {
        find_chains(b, s, CENTRED);
        sum_over_lags(b, s, whole.n, false, to);
    }

    void quantile(double p, slot to) {
        find_quantile(b, whole.count(), p, to);
    }

    /* Of the sorted series s: their normal scores in their place. */
    void scores(const series &s) {
        find_scores(b, s.count());
        survey_series(b, s);
    }

    void sorted_scores(const series &s) {
        sort_draws(b, s.count());
        scores(s);
    }

    void ess_of_quantile(slot bound, slot to) {
        load(halves, AT_MOST, bound);
        ess_of(halves, to);
    }

    /* All draws in order, and the bound that their indicators are taken of. */
    void bounds(double low, double high) {
        const double draws = static_cast<double>(whole.count());
        load(whole);
        sort_draws(b, whole.count());
        quantile(low == 1 ? (draws - 0.5) / draws : low, LOW);
        quantile(high, HIGH);
    }

    void rhat();
    void rhat_nested();
};

void steps::rhat() {
    load(whole);
    sort_draws(b, whole.count());
    quantile(0.5, LOW);
    if (halves.count() == whole.count()) { /* the same draws in the same places */
        scores(halves);
    } else {
        load(halves);
        sorted_scores(halves);
    }
    rhat_of(halves, FIRST);
    load(halves, DISTANCE, LOW);
    sorted_scores(halves);
    rhat_of(halves, SECOND);
}

void steps::rhat_nested() {
    load(whole);
    find_chains(b, whole, KEPT);
    find_superchains(b, whole, args.superchains);
}

void steps::diagnose() {
    switch (args.diagnostic) {
    case GM_DIAGNOSTIC_RHAT:
        rhat();
        break;
    case GM_DIAGNOSTIC_RHAT_BASIC:
        load(halves);
        rhat_of(halves, FIRST);
        break;
    case GM_DIAGNOSTIC_RHAT_NESTED:
        rhat_nested();
        break;
    case GM_DIAGNOSTIC_ESS_BULK:
        load(halves);
        sorted_scores(halves);
        ess_of(halves, FIRST);
        break;
    case GM_DIAGNOSTIC_ESS_TAIL:
        bounds(0.05, 0.95);
        ess_of_quantile(LOW, FIRST);
        ess_of_quantile(HIGH, SECOND);
        break;
    case GM_DIAGNOSTIC_ESS_MEAN:
    case GM_DIAGNOSTIC_MCSE_MEAN:
        load(halves);
        ess_of(halves, FIRST);
        break;
    case GM_DIAGNOSTIC_ESS_SD:
    case GM_DIAGNOSTIC_MCSE_SD:
        load(whole);
        load(halves, args.diagnostic == GM_DIAGNOSTIC_ESS_SD ? DISTANCE : SQUARE, MEAN);
        ess_of(halves, FIRST);
        break;
    case GM_DIAGNOSTIC_ESS_QUANTILE:
    case GM_DIAGNOSTIC_MCSE_QUANTILE:
        bounds(args.probability, args.probability);
        ess_of_quantile(LOW, FIRST);
        break;
    case GM_DIAGNOSTIC_QUANTILE:
        load(whole);
        sort_draws(b, whole.count());
        quantile(args.probability, FIRST);
        break;
    default:
        load(whole);
        find_chains(b, whole, OF_LENGTH_1);
        sum_over_lags(b, whole, whole.n, true, FIRST);
    }
    if (args.diagnostic == GM_DIAGNOSTIC_MCSE_MEAN || args.diagnostic == GM_DIAGNOSTIC_MCSE_SD) {
        load(whole);
        find_moments(b, whole);
    }
}

} // namespace

size_t diagnose_workspace(gm_call *call, const gm_diagnose_args *args) {
    (void)call;
    return layout_of(*args).bytes * static_cast<size_t>(quantities_at_once(*args));
}

gm_status diagnose(gm_call *call, const gm_diagnose_args *args) {
    call->kernel = "diagnose_steps";
    const int64_t draws = args->iterations * args->chains;
    if (draws > MOST_DRAWS) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED,
                            "%lld draws of a quantity: this backend takes 2^31 - 1",
                            static_cast<long long>(draws));
    }
    const layout where = layout_of(*args);
    const int64_t quantities = args->quantities.elements, at_once = quantities_at_once(*args);
    for (int64_t first = 0; first < quantities; first += at_once) {
        const int64_t many = quantities - first < at_once ? quantities - first : at_once;
        if (draws > 0) {
            steps(call, *args, where, first, many).diagnose();
        }
        GM_LAUNCH(finish, dim3(1, static_cast<unsigned>(many)), 32, 0, stream_of(call), *args,
                  where, first);
    }
    return check_cuda(call, cudaGetLastError(), "diagnose kernel launch");
}

} // namespace gm

/*
 * Launches of kernels/contract_wgmma.cuh, which has the formula, the layout and the ladder; here is
 * which contractions it takes, and the maps of their operands.
 *
 * An operand's modes are the dimensions of a map. A bulk copy takes a box of it, so the rows of a
 * tile and the 64 values of k of a stage must be a box: of consecutive positions in modes, whole
 * inner ones and a part of one that it divides (the outermost may end within a box: zeros come from
 * there). The contiguous mode is one of k, then 64 of it are a line of shared memory, or one of
 * rows, then a whole tile's rows lie along it, as lines of 64. Other strides are positive multiples
 * of 16 bytes, and so is the address: the one thing that is known at the launch alone. Where it is
 * not, the driver refuses the map, and the launch is that of `tensor`.
 */
#include "kernels/contract_launch.cuh"
#include "kernels/contract_wgmma.cuh"

namespace gm {
namespace contract {
namespace {

typedef CUresult encode_function(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *,
                                 const cuuint64_t *, const cuuint64_t *, const cuuint32_t *,
                                 const cuuint32_t *, CUtensorMapInterleave, CUtensorMapSwizzle,
                                 CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

/* The driver's function, without linking the driver; NULL where it has none. */
encode_function *encoder() {
    static encode_function *const found = [] {
        void *function = nullptr;
        cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
        constexpr unsigned first_version = 12000;
        if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, first_version,
                                             cudaEnableDefault, &result) != cudaSuccess) {
            (void)cudaGetLastError();
            function = nullptr;
        }
        return result == cudaDriverEntryPointSuccess ? reinterpret_cast<encode_function *>(function)
                                                     : nullptr;
    }();
    return found;
}

int device_attribute(cudaDeviceAttr attribute) {
    int device = 0, value = 0;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&value, attribute, device) != cudaSuccess) {
        (void)cudaGetLastError();
        return 0;
    }
    return value;
}

/* ---- maps -------------------------------------------------------------------------------------
 */

struct map_plan {
    wgmma_operand operand;
    cuuint64_t extent[5], stride[5]; /* stride in bytes */
    cuuint32_t box[5];
    int32_t rank;
    bool k_inner;
};

/* Modes of a kind as an operand sees them. */
template <int64_t gm_mode::*stride> struct kind_view {
    const gm_mode *modes;
    int32_t count;
    wgmma_index index;
    int64_t box[GM_MAX_LABELS];

    /* Whether `positions` consecutive ones are a box, which is then in `box`. */
    bool find_box(int64_t positions) {
        for (int32_t i = count - 1; i >= 0; --i) {
            const int64_t extent = modes[i].extent;
            const bool part = i == 0 || extent >= positions;
            if (part ? i > 0 && extent % positions != 0 : positions % extent != 0) {
                return false;
            }
            box[i] = part ? positions : extent;
            positions = part ? 1 : positions / extent;
        }
        return true;
    }

    bool is_contiguous() const {
        return modes[count - 1].*stride == 1;
    }

    /* Adds modes `last` to 0, with boxes or a single position of each. */
    bool add(map_plan *plan, int32_t last) const {
        int64_t divisor = 1;
        for (int32_t i = count - 1; i > last; --i) {
            divisor *= modes[i].extent;
        }
        for (int32_t i = last; i >= 0; --i) {
            if (!add_one(plan, i, divisor)) {
                return false;
            }
            divisor *= modes[i].extent;
        }
        return true;
    }

    bool add_one(map_plan *plan, int32_t i, int64_t divisor) const {
        const int64_t step = modes[i].*stride, at = plan->rank;
        if (step == 0 && box[i] == 1 && index != WGMMA_K) {
            return true; /* broadcast: the same everywhere */
        }
        const bool good = at == 0 ? step == 1 : step > 0 && step % 8 == 0 && step < 1ll << 39;
        if (!good || at == 5 || modes[i].extent > INT32_MAX || box[i] > 256) {
            return false;
        }
        plan->operand.index[at] = index;
        plan->operand.divisor[at] = divisor;
        plan->operand.extent[at] = modes[i].extent;
        plan->operand.step[at] = index == WGMMA_K ? static_cast<int32_t>(box[i]) : 0;
        plan->extent[at] = static_cast<cuuint64_t>(modes[i].extent);
        plan->stride[at] = static_cast<cuuint64_t>(step * 2);
        plan->box[at] = static_cast<cuuint32_t>(box[i]);
        ++plan->rank;
        return true;
    }
};

/* The map of an operand with `rows` modes of its own from `first_row` on; false where it has none.
 */
template <int64_t gm_mode::*stride>
bool plan_map(const gm_contraction &c, int32_t first_row, int32_t rows, int64_t tile_rows,
              map_plan *plan) {
    typedef kind_view<stride> view;
    *plan = {};
    view batch = {c.modes, c.batches, WGMMA_BATCH, {}};
    view row = {c.modes + first_row, rows, WGMMA_ROW, {}};
    view k = {c.modes + c.batches + c.ms + c.ns, c.ks, WGMMA_K, {}};
    if (!batch.find_box(1) || !row.find_box(tile_rows) || !k.find_box(WGMMA_DEPTH)) {
        return false;
    }
    const int32_t last_row = rows - 1, last_k = c.ks - 1;
    plan->k_inner = k.is_contiguous();
    bool good;
    if (plan->k_inner) {
        good = k.box[last_k] == WGMMA_DEPTH && k.add(plan, last_k) && row.add(plan, last_row);
    } else {
        good = row.is_contiguous() && row.box[last_row] == tile_rows;
        row.box[last_row] = 64; /* several copies */
        good = good && row.add_one(plan, last_row, 1) && k.add(plan, last_k) &&
               row.add(plan, last_row - 1);
    }
    good = good && batch.add(plan, c.batches - 1);
    for (int32_t i = plan->rank; i < 5; ++i) { /* the instruction has five dimensions */
        plan->operand.divisor[i] = plan->operand.extent[i] = 1;
        plan->extent[i] = plan->box[i] = 1;
        plan->stride[i] = 16;
    }
    return good;
}

bool plan_maps(const gm_contraction &c, map_plan *a, map_plan *b) {
    return plan_map<&gm_mode::a>(c, c.batches, c.ms, WGMMA_ROWS, a) &&
           plan_map<&gm_mode::b>(c, c.batches + c.ms, c.ns, WGMMA_COLS, b);
}

bool encode(const map_plan &plan, gm_dtype type, const void *data, CUtensorMap *map) {
    const cuuint32_t one[5] = {1, 1, 1, 1, 1};
    return encoder()(map,
                     type == GM_F16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                    : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
                     5, const_cast<void *>(data), plan.extent, plan.stride + 1, plan.box, one,
                     CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                     CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
                     CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

/* ---- launches ---------------------------------------------------------------------------------
 */

typedef void wgmma_kernel(wgmma_job);

template <class arith> wgmma_kernel *kernel_of(bool a_k_inner, bool b_k_inner) {
    return a_k_inner ? (b_k_inner ? wgmma<arith, true, true> : wgmma<arith, true, false>)
                     : (b_k_inner ? wgmma<arith, false, true> : wgmma<arith, false, false>);
}

/* The job and its kernel; NULL where the addresses do not allow it. */
wgmma_kernel *prepare(const gm_contraction &given, const gm_contract_arrays &arrays, wgmma_job *w) {
    gm_contraction c;
    map_plan a, b;
    w->common = product_job_of<float>(given, arrays, &c);
    if (!plan_maps(c, &a, &b) || !encode(a, c.input, w->common.a, &w->map_a) ||
        !encode(b, c.input, w->common.b, &w->map_b)) {
        return nullptr;
    }
    w->a = a.operand;
    w->b = b.operand;
    return c.input == GM_F16 ? kernel_of<arith_f16>(a.k_inner, b.k_inner)
                             : kernel_of<arith_bf16>(a.k_inner, b.k_inner);
}

gm_status run(gm_call *call, wgmma_kernel *kernel, const wgmma_job &w) {
    const job<float> &j = w.common;
    const int64_t tiles = ceiling(j.m, WGMMA_ROWS) * ceiling(j.n, WGMMA_COLS) * j.splits * j.count;
    const int64_t processors = device_attribute(cudaDevAttrMultiProcessorCount);
    return launch(call, kernel, tiles < processors ? tiles : processors, WGMMA_THREADS,
                  sizeof(wgmma_shared), w);
}

cut wgmma_cut(const gm_contraction &c) {
    constexpr int64_t blocks = 128; /* one for each multiprocessor */
    return is_upright(c) ? cut_of(c, WGMMA_COLS, WGMMA_ROWS, blocks)
                         : cut_of(c, WGMMA_ROWS, WGMMA_COLS, blocks);
}

} // namespace

bool wgmma_can_run(const gm_contraction &c) {
    map_plan a, b;
    return c.operands == 2 && (c.input == GM_F16 || c.input == GM_BF16) && c.ms > 0 && c.ns > 0 &&
           c.ks > 0 && plan_maps(is_upright(c) ? exchanged(c) : c, &a, &b) &&
           device_attribute(cudaDevAttrComputeCapabilityMajor) == 9 && encoder() != nullptr;
}

gm_status wgmma_launch(gm_call *call, const gm_contraction &c, const gm_contract_arrays &arrays) {
    wgmma_job w = {};
    wgmma_kernel *kernel = prepare(c, arrays, &w);
    if (kernel == nullptr) {
        call->kernel = "tensor";
        return tensor_launch(call, c, arrays);
    }
    return run(call, kernel, w);
}

int64_t wgmma_split_workspace(const gm_contraction &c) {
    const cut cut = wgmma_cut(c);
    const int64_t bytes = cut.group * cut.splits * c.m * c.n * static_cast<int64_t>(sizeof(float));
    const int64_t tensor = tensor_split_workspace(c); /* in case the launch is that */
    return bytes > tensor ? bytes : tensor;
}

gm_status wgmma_split_launch(gm_call *call, const gm_contraction &c,
                             const gm_contract_arrays &arrays) {
    const cut cut = wgmma_cut(c);
    wgmma_job w = {};
    wgmma_kernel *kernel = prepare(c, arrays, &w);
    if (kernel == nullptr) {
        call->kernel = "tensor_split";
        return tensor_split_launch(call, c, arrays);
    }
    job<float> &j = w.common;
    j.splits = cut.splits;
    j.piece = cut.piece;
    gm_status status = GM_STATUS_OK;
    for (int64_t first = 0; first < c.batch && status == GM_STATUS_OK; first += cut.group) {
        j.first_batch = first;
        j.count = c.batch - first < cut.group ? c.batch - first : cut.group;
        status = run(call, kernel, w);
        if (status == GM_STATUS_OK) {
            status = launch_combine<arith_f32>(call, j);
        }
    }
    return status;
}

} // namespace contract
} // namespace gm

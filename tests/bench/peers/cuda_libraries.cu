/*
 * genmath's kernels against NVIDIA's libraries, turn by turn in one process on one GPU: matrix
 * products and batches of small ones (cuBLAS), permuted contractions against the matrix product of
 * the same operations, what memory alone bounds against a copy of the same bytes, batched
 * factorizations (cuBLAS, cuSOLVER), Fourier transforms (cuFFT). Prints JSON, one object a line, a
 * skip where genmath has no kernel; exits 1 if two results differ by more than rounding can.
 *
 *     cuda_libraries [TEXT]    only the cases whose name contains TEXT
 */
#include <cublas_v2.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cufft.h>
#include <cusolverDn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <genmath/context.h>
#include <genmath/contract.h>
#include <genmath/decompose.h>
#include <genmath/fft.h>
#include <genmath/linalg.h>

namespace {

void require(bool good, const char *what, const char *why) {
    if (!good) {
        fprintf(stderr, "cuda_libraries: %s: %s\n", what, why);
        exit(3);
    }
}

void require(cudaError_t error) {
    require(error == cudaSuccess, "CUDA", cudaGetErrorString(error));
}

void require(cublasStatus_t status) {
    require(status == CUBLAS_STATUS_SUCCESS, "cuBLAS", cublasGetStatusString(status));
}

void require(cusolverStatus_t status) {
    require(status == CUSOLVER_STATUS_SUCCESS, "cuSOLVER", std::to_string(status).c_str());
}

void require(cufftResult status) {
    require(status == CUFFT_SUCCESS, "cuFFT", std::to_string(status).c_str());
}

struct library {
    gm_context *context = nullptr;
    cublasHandle_t blas = nullptr;
    cusolverDnHandle_t solver = nullptr;
    std::string filter;
    int different = 0;
} the;

/* ---- memory and numbers ---------------------------------------------------------------------- */

template <class T> struct kind;
template <> struct kind<double> {
    static constexpr gm_dtype dtype = GM_F64;
    static constexpr cudaDataType cuda = CUDA_R_64F;
    static constexpr double unit = 0x1p-53;
};
template <> struct kind<float> {
    static constexpr gm_dtype dtype = GM_F32;
    static constexpr cudaDataType cuda = CUDA_R_32F;
    static constexpr double unit = 0x1p-24;
};
template <> struct kind<__half> {
    static constexpr gm_dtype dtype = GM_F16;
    static constexpr cudaDataType cuda = CUDA_R_16F;
    static constexpr double unit = 0x1p-11;
};
template <> struct kind<__nv_bfloat16> {
    static constexpr gm_dtype dtype = GM_BF16;
    static constexpr cudaDataType cuda = CUDA_R_16BF;
    static constexpr double unit = 0x1p-8;
};

/* Numbers of (-1, 1), all bits random (splitmix64); `diagonal` is added on that of n x n matrices.
 */
template <class T>
__global__ void fill(T *to, int64_t count, uint64_t seed, int64_t n, double diagonal) {
    const int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    if (i < count) {
        uint64_t z = (seed * 0x2545f4914f6cdd1du + static_cast<uint64_t>(i)) * 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        const double x = static_cast<double>(z >> 11) * 0x1p-52 - 1;
        to[i] = static_cast<T>(static_cast<float>(x + (i % (n * n) % (n + 1) == 0 ? diagonal : 0)));
    }
}

template <class T> struct buffer {
    T *data = nullptr;
    int64_t count;
    buffer(int64_t elements, uint64_t seed = 0, int64_t n = 1, double diagonal = 0)
        : count(elements) {
        require(cudaMalloc(&data, sizeof(T) * static_cast<size_t>(count)));
        fill<<<static_cast<unsigned>((count + 255) / 256), 256>>>(data, count, seed, n, diagonal);
        require(cudaGetLastError());
    }
    ~buffer() {
        cudaFree(data);
    }
    buffer(const buffer &) = delete;
    buffer &operator=(const buffer &) = delete;

    void copy_from(const buffer &other) {
        require(cudaMemcpyAsync(data, other.data, sizeof(T) * static_cast<size_t>(count),
                                cudaMemcpyDeviceToDevice));
    }
    std::vector<double> head() const { /* enough of it to see whether it is right */
        std::vector<T> host(static_cast<size_t>(std::min<int64_t>(count, 1 << 16)));
        require(cudaMemcpy(host.data(), data, sizeof(T) * host.size(), cudaMemcpyDeviceToHost));
        std::vector<double> values(host.size());
        std::transform(host.begin(), host.end(), values.begin(),
                       [](T x) { return static_cast<double>(static_cast<float>(x)); });
        return values;
    }
};

/* The matrices of a batch are symmetric for those who read one half of them. */
template <class T> __global__ void symmetrize(T *a, int64_t count, int64_t n) {
    const int64_t at = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    const int64_t i = at % (n * n) / n, j = at % n;
    if (at < count && i < j) {
        a[at] = a[at - i * n - j + j * n + i];
    }
}

gm_tensor tensor(void *data, gm_dtype dtype, std::vector<int64_t> shape) {
    gm_tensor t = {};
    t.data = data;
    t.dtype = dtype;
    t.ndim = static_cast<int32_t>(shape.size());
    int64_t stride = 1;
    for (size_t i = shape.size(); i-- > 0; stride *= shape[i]) {
        t.shape[i] = shape[i];
        t.stride[i] = stride;
    }
    return t;
}

/* ---- the clock ------------------------------------------------------------------------------- */

using action = std::function<void()>;

double seconds_of(const action &run, int times) {
    require(cudaDeviceSynchronize());
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < times; ++i) {
        run();
    }
    require(cudaDeviceSynchronize());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / times;
}

/* The least of five turns each, of runs enough for ten milliseconds; `amount` is what one run does.
 */
void race(const std::string &name, const char *dtype, const char *peer, double amount,
          const char *unit, const action &ours, const action &theirs,
          const std::function<double()> &difference, double allowed) {
    ours();
    const std::string kernel = gm_last_kernel(the.context);
    theirs();
    require(cudaDeviceSynchronize());
    const double apart = difference();
    const bool good = apart <= allowed;
    the.different += !good;
    double best[2] = {1e30, 1e30};
    const action *const both[2] = {&ours, &theirs};
    for (int turn = 0; turn < 5; ++turn) {
        for (int i = 0; i < 2; ++i) {
            const double once = std::max(seconds_of(*both[i], 1), 1e-7);
            const int times = static_cast<int>(std::min(1000.0, std::ceil(10e-3 / once)));
            best[i] = std::min(best[i], seconds_of(*both[i], times));
        }
    }
    printf("{\"case\": \"%s\", \"dtype\": \"%s\", \"kernel\": \"%s\", \"peer\": \"%s\", \"unit\": "
           "\"%s\", "
           "\"ours\": %.6g, \"theirs\": %.6g, \"ratio\": %.4f, \"difference\": %.3g, \"allowed\": "
           "%.3g}\n",
           name.c_str(), dtype, kernel.c_str(), peer, unit, amount / best[0], amount / best[1],
           best[1] / best[0], apart, allowed);
    fflush(stdout);
}

double largest_difference(const std::vector<double> &a, const std::vector<double> &b) {
    double apart = 0, largest = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        const double d = std::fabs(std::fabs(a[i]) - std::fabs(b[i]));
        apart = d <= apart ? apart : d; /* a NaN stays */
        largest = std::max(largest, std::fabs(b[i]));
    }
    return apart / largest;
}

bool wanted(const std::string &name) {
    return name.find(the.filter) != std::string::npos;
}

void skip(const std::string &name) {
    printf("skip: %s: %s\n", name.c_str(), gm_last_error(the.context));
}

/* ---- contractions ---------------------------------------------------------------------------- */

/* A plan with its workspace. */
struct contraction {
    gm_contract_plan *plan = nullptr;
    gm_tensor inputs[2], output;
    void *workspace = nullptr;
    size_t bytes = 0;

    bool make(const char *expression, int count, gm_contract_math math) {
        gm_contract_options options = {};
        options.math = math;
        if (gm_contract_plan_create(the.context, expression, count, inputs, &output, &options,
                                    &plan) != GM_STATUS_OK) {
            return false;
        }
        bytes = gm_contract_workspace(plan);
        require(cudaMalloc(&workspace, bytes + 1));
        return true;
    }
    void run() const {
        require(gm_contract_execute(plan, nullptr, inputs, nullptr, &output,
                                    bytes ? workspace : nullptr, bytes) == GM_STATUS_OK,
                "gm_contract_execute", gm_last_error(the.context));
    }
    ~contraction() {
        gm_contract_plan_destroy(plan);
        cudaFree(workspace);
    }
};

/* A row-major product is the column-major one of the operands the other way round. */
template <class T>
void cublas_product(cublasComputeType_t compute, int64_t m, int64_t n, int64_t k, const T *a,
                    const T *b, T *c, int64_t batch = 1) {
    const double one = 1, zero = 0;
    const float one_f = 1, zero_f = 0;
    const bool is_double = sizeof(T) == 8;
    require(cublasGemmStridedBatchedEx(
        the.blas, CUBLAS_OP_N, CUBLAS_OP_N, static_cast<int>(n), static_cast<int>(m),
        static_cast<int>(k), is_double ? static_cast<const void *>(&one) : &one_f, b, kind<T>::cuda,
        static_cast<int>(n), k * n, a, kind<T>::cuda, static_cast<int>(k), m * k,
        is_double ? static_cast<const void *>(&zero) : &zero_f, c, kind<T>::cuda,
        static_cast<int>(n), m * n, static_cast<int>(batch), compute, CUBLAS_GEMM_DEFAULT));
}

/* Two orders of summation differ by at most 2 K u sum |a b| <= K^2 u; by far less with random
 * signs. */
double product_bound(double unit, double output_unit, int64_t k) {
    return 4 * output_unit + 8 * unit * std::sqrt(static_cast<double>(k));
}

template <class T>
void gemm(const char *label, const char *dtype, int64_t n, gm_contract_math math,
          cublasComputeType_t compute, double unit, int64_t batch = 1) {
    const std::string name = std::string(label) + " " + std::to_string(n);
    if (!wanted(name + " " + dtype)) {
        return;
    }
    const int64_t count = batch * n * n;
    buffer<T> a(count, 1), b(count, 2), c(count), d(count);
    contraction ours;
    ours.inputs[0] = tensor(a.data, kind<T>::dtype, {batch, n, n});
    ours.inputs[1] = tensor(b.data, kind<T>::dtype, {batch, n, n});
    ours.output = tensor(c.data, kind<T>::dtype, {batch, n, n});
    if (!ours.make("bij,bjk->bik", 2, math)) {
        skip(name);
        return;
    }
    race(
        name, dtype, "cuBLAS", 2e-9 * static_cast<double>(count) * static_cast<double>(n),
        "GFLOP/s", [&] { ours.run(); },
        [&] { cublas_product<T>(compute, n, n, n, a.data, b.data, d.data, batch); },
        [&] { return largest_difference(c.head(), d.head()); },
        product_bound(unit, kind<T>::unit, n));
}

/* A contraction whose labels are sized by `sizes`, against the product of the same m, n, k. */
template <class T>
void permuted(const char *dtype, const char *expression,
              std::vector<std::pair<char, int64_t>> sizes, cublasComputeType_t compute) {
    const std::string name = std::string("permuted ") + expression;
    if (!wanted(name + " " + dtype)) {
        return;
    }
    const std::string text = expression;
    const size_t comma = text.find(','), arrow = text.find("->");
    const std::string labels[3] = {text.substr(0, comma), text.substr(comma + 1, arrow - comma - 1),
                                   text.substr(arrow + 2)};
    std::vector<int64_t> shapes[3];
    int64_t extent[3] = {1, 1, 1}, m = 1, n = 1, k = 1;
    for (auto &[label, size] : sizes) {
        const bool in_a = labels[0].find(label) != std::string::npos;
        const bool in_b = labels[1].find(label) != std::string::npos;
        (in_a && in_b ? k : in_a ? m : n) *= size;
    }
    for (int i = 0; i < 3; ++i) {
        for (char label : labels[i]) {
            for (auto &[other, size] : sizes) {
                if (other == label) {
                    shapes[i].push_back(size);
                    extent[i] *= size;
                }
            }
        }
    }
    buffer<T> a(extent[0], 1), b(extent[1], 2), c(extent[2]), d(m * n);
    contraction ours;
    ours.inputs[0] = tensor(a.data, kind<T>::dtype, shapes[0]);
    ours.inputs[1] = tensor(b.data, kind<T>::dtype, shapes[1]);
    ours.output = tensor(c.data, kind<T>::dtype, shapes[2]);
    if (!ours.make(expression, 2, GM_CONTRACT_STANDARD)) {
        skip(name);
        return;
    }
    race(
        name, dtype, "cuBLAS, a plain product",
        2e-9 * static_cast<double>(m * n) * static_cast<double>(k), "GFLOP/s", [&] { ours.run(); },
        [&] { cublas_product<T>(compute, m, n, k, a.data, b.data, d.data); }, [] { return 0.0; },
        0);
}

/* One operand, bound by memory, against a copy of as many bytes. */
template <class T>
void moved(const char *dtype, const char *expression, std::vector<int64_t> in,
           std::vector<int64_t> out) {
    const std::string name = std::string("memory ") + expression;
    if (!wanted(name + " " + dtype)) {
        return;
    }
    int64_t read = 1, written = 1;
    for (int64_t size : in) {
        read *= size;
    }
    for (int64_t size : out) {
        written *= size;
    }
    buffer<T> a(read, 1), c(written), d((read + written) / 2);
    contraction ours;
    ours.inputs[0] = tensor(a.data, kind<T>::dtype, in);
    ours.output = tensor(c.data, kind<T>::dtype, out);
    if (!ours.make(expression, 1, GM_CONTRACT_STANDARD)) {
        skip(name);
        return;
    }
    const size_t half = sizeof(T) * static_cast<size_t>(d.count); /* read and written again */
    buffer<T> source(d.count, 3);
    race(
        name, dtype, "cudaMemcpy",
        1e-9 * static_cast<double>(sizeof(T)) * static_cast<double>(read + written), "GB/s",
        [&] { ours.run(); },
        [&] { require(cudaMemcpyAsync(d.data, source.data, half, cudaMemcpyDeviceToDevice)); },
        [] { return 0.0; }, 0);
}

/* ---- linear algebra -------------------------------------------------------------------------- */

/* Calls an operation twice: for its workspace, then each time it runs. */
struct batched {
    gm_workspace workspace = {};
    std::function<gm_status(gm_workspace *)> call;

    bool make() {
        if (call(&workspace) != GM_STATUS_OK) {
            return false;
        }
        require(cudaMalloc(&workspace.data, workspace.bytes));
        return true;
    }
    void run() {
        require(call(&workspace) == GM_STATUS_OK, "gm_linalg", gm_last_error(the.context));
    }
    ~batched() {
        cudaFree(workspace.data);
    }
};

template <class T> std::vector<T *> pointers_to(T *data, int64_t batch, int64_t step) {
    std::vector<T *> host(static_cast<size_t>(batch));
    for (int64_t i = 0; i < batch; ++i) {
        host[static_cast<size_t>(i)] = data + i * step;
    }
    return host;
}

/* An array of pointers in device memory. */
template <class T> struct pointer_array {
    T **data = nullptr;
    pointer_array(T *first, int64_t batch, int64_t step) {
        const std::vector<T *> host = pointers_to(first, batch, step);
        require(cudaMalloc(&data, sizeof(T *) * host.size()));
        require(cudaMemcpy(data, host.data(), sizeof(T *) * host.size(), cudaMemcpyHostToDevice));
    }
    ~pointer_array() {
        cudaFree(data);
    }
};

#define BY_TYPE(T, f64, f32, ...)                                                                  \
    do {                                                                                           \
        if constexpr (sizeof(T) == 8) {                                                            \
            require(f64(__VA_ARGS__));                                                             \
        } else {                                                                                   \
            require(f32(__VA_ARGS__));                                                             \
        }                                                                                          \
    } while (0)

/* The libraries factor in place: each run begins with a copy, ours with none, which is said. */
template <class T> void factorizations(const char *dtype, int64_t n, int64_t batch) {
    const int64_t count = batch * n * n;
    const int size = static_cast<int>(n), many = static_cast<int>(batch);
    const std::string tail = " " + std::to_string(n);
    buffer<T> a(count, 1, n, static_cast<double>(n)), out(count), again(count), rows(batch * n);
    symmetrize<<<static_cast<unsigned>((count + 255) / 256), 256>>>(a.data, count, n);
    buffer<int> pivots(batch * n), info(batch);
    const gm_tensor ta = tensor(a.data, kind<T>::dtype, {batch, n, n});
    const gm_tensor tout = tensor(out.data, kind<T>::dtype, {batch, n, n});
    const gm_tensor tpivots = tensor(pivots.data, GM_I32, {batch, n});
    const gm_tensor tvalues = tensor(rows.data, kind<T>::dtype, {batch, n});
    pointer_array<T> in_place(again.data, batch, n * n);
    const auto none = [] { return 0.0; };
    const auto enter = [&](const char *name, batched &ours, const char *peer, const action &theirs,
                           const std::function<double()> &difference, double allowed) {
        if (!wanted(name + tail + " " + dtype)) {
            return;
        }
        if (!ours.make()) {
            skip(name + tail);
            return;
        }
        race(
            name + tail, dtype, peer, static_cast<double>(batch), "matrices/s", [&] { ours.run(); },
            theirs, difference, allowed);
    };
    batched lu, cholesky, eigen;
    lu.call = [&](gm_workspace *w) {
        return gm_linalg_lu(the.context, &ta, &tout, &tpivots, nullptr, w);
    };
    enter(
        "lu", lu, "cublas getrfBatched and a copy in",
        [&] {
            again.copy_from(a);
            BY_TYPE(T, cublasDgetrfBatched, cublasSgetrfBatched, the.blas, size, in_place.data,
                    size, pivots.data, info.data, many);
        },
        none, 0); /* theirs factors the transpose, which is symmetric here but pivots other ways */
    cholesky.call = [&](gm_workspace *w) {
        return gm_linalg_cholesky(the.context, &ta, &tout, nullptr, w);
    };
    enter(
        "cholesky", cholesky, "cusolver potrfBatched and a copy in",
        [&] {
            again.copy_from(a);
            BY_TYPE(T, cusolverDnDpotrfBatched, cusolverDnSpotrfBatched, the.solver,
                    CUBLAS_FILL_MODE_LOWER, size, in_place.data, size, info.data, many);
        },
        none, 0);
    eigen.call = [&](gm_workspace *w) {
        return gm_linalg_eigen_hermitian(the.context, &ta, &tvalues, &tout, nullptr, w);
    };
    buffer<T> values(batch * n);
    syevjInfo_t jacobi = nullptr;
    require(cusolverDnCreateSyevjInfo(&jacobi));
    int needed = 0;
    BY_TYPE(T, cusolverDnDsyevjBatched_bufferSize, cusolverDnSsyevjBatched_bufferSize, the.solver,
            CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_LOWER, size, again.data, size, values.data,
            &needed, jacobi, many);
    buffer<T> work(needed);
    enter(
        "eigen_hermitian", eigen, "cusolver syevjBatched and a copy in",
        [&] {
            again.copy_from(a);
            BY_TYPE(T, cusolverDnDsyevjBatched, cusolverDnSsyevjBatched, the.solver,
                    CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_LOWER, size, again.data, size,
                    values.data, work.data, needed, info.data, jacobi, many);
        },
        [&] { return largest_difference(rows.head(), values.head()); },
        16 * kind<T>::unit * static_cast<double>(n));
    require(cusolverDnDestroySyevjInfo(jacobi));
}

/* ---- Fourier transforms ---------------------------------------------------------------------- */

void transforms(int64_t n, int64_t batch) {
    const std::string name = "fft " + std::to_string(n);
    if (!wanted(name + " c64")) {
        return;
    }
    buffer<float> in(2 * n * batch, 1), out(2 * n * batch), other(2 * n * batch);
    gm_fft_options options = {};
    options.dtype = GM_F32;
    options.kind = GM_FFT_FORWARD;
    options.length[0] = n;
    gm_fft_plan *plan = nullptr;
    int64_t bytes = 0;
    if (gm_fft_plan_create(the.context, &options, &plan) != GM_STATUS_OK ||
        gm_fft_workspace_size(plan, &bytes) != GM_STATUS_OK) {
        skip(name);
        return;
    }
    buffer<char> workspace(bytes + 1);
    const gm_tensor tin = tensor(in.data, GM_C64, {batch, n}),
                    tout = tensor(out.data, GM_C64, {batch, n});
    cufftHandle theirs;
    require(cufftPlan1d(&theirs, static_cast<int>(n), CUFFT_C2C, static_cast<int>(batch)));
    race(
        name, "c64", "cuFFT",
        5e-9 * static_cast<double>(n * batch) * std::log2(static_cast<double>(n)), "GFLOP/s",
        [&] {
            require(gm_fft_execute(plan, &tin, workspace.data, bytes, &tout) == GM_STATUS_OK,
                    "gm_fft_execute", gm_last_error(the.context));
        },
        [&] {
            require(cufftExecC2C(theirs, reinterpret_cast<cufftComplex *>(in.data),
                                 reinterpret_cast<cufftComplex *>(other.data), CUFFT_FORWARD));
        },
        [&] { return largest_difference(out.head(), other.head()); },
        16 * kind<float>::unit * std::log2(static_cast<double>(n)));
    require(cufftDestroy(theirs));
    gm_fft_plan_destroy(plan);
}

void products() {
    const cublasComputeType_t plain = CUBLAS_COMPUTE_32F, strict = CUBLAS_COMPUTE_32F_PEDANTIC,
                              tf32 = CUBLAS_COMPUTE_32F_FAST_TF32, doubles = CUBLAS_COMPUTE_64F;
    gemm<__nv_bfloat16>("gemm", "bf16", 8192, GM_CONTRACT_STANDARD, plain, 0x1p-24);
    gemm<__half>("gemm", "f16", 8192, GM_CONTRACT_STANDARD, plain, 0x1p-24);
    gemm<float>("gemm", "f32", 8192, GM_CONTRACT_STANDARD, strict, 0x1p-24);
    gemm<float>("gemm tf32", "f32", 8192, GM_CONTRACT_TF32, tf32, 0x1p-11);
    gemm<double>("gemm", "f64", 4096, GM_CONTRACT_STANDARD, doubles, 0x1p-53);
    for (int64_t n : {3, 4, 8, 16, 32}) {
        const int64_t batch = (int64_t{1} << 26) / (n * n);
        gemm<float>("batched", "f32", n, GM_CONTRACT_STANDARD, strict, 0x1p-24, batch);
        gemm<double>("batched", "f64", n, GM_CONTRACT_STANDARD, doubles, 0x1p-53, batch / 2);
    }
    using sizes = std::vector<std::pair<char, int64_t>>;
    const sizes equal = {{'a', 72}, {'b', 72}, {'c', 72}, {'d', 72}, {'e', 72}, {'f', 72}};
    permuted<float>("f32", "aebf,fdec->abcd", equal, strict);
    permuted<float>("f32", "dbea,ec->abcd", {{'a', 96}, {'b', 96}, {'c', 96}, {'d', 96}, {'e', 96}},
                    strict);
    permuted<double>("f64", "aebf,fdec->abcd", equal, doubles);
    permuted<__nv_bfloat16>("bf16", "aebf,fdec->abcd", equal, plain);
    moved<float>("f32", "ij->ji", {16384, 16384}, {16384, 16384});
    moved<float>("f32", "abcd->dbca", {128, 128, 128, 128}, {128, 128, 128, 128});
    moved<float>("f32", "ij->i", {16384, 16384}, {16384});
    moved<float>("f32", "ij->j", {16384, 16384}, {16384});
}

} // namespace

int main(int count, char **arguments) {
    the.filter = count > 1 ? arguments[1] : "";
    gm_context_options options = {};
    options.backend = GM_BACKEND_CUDA;
    require(gm_context_create(&options, &the.context) == GM_STATUS_OK, "no context",
            gm_last_error(nullptr));
    require(cublasCreate(&the.blas));
    require(cusolverDnCreate(&the.solver));
    products();
    for (int64_t n : {4, 8, 16, 32}) {
        const int64_t batch = (int64_t{1} << 22) / (n * n);
        factorizations<float>("f32", n, batch);
        factorizations<double>("f64", n, batch);
    }
    for (int64_t n : {16, 256, 1000, 4096, 65536, 1 << 20}) {
        transforms(n, std::max<int64_t>(1, (int64_t{1} << 25) / n));
    }
    require(cusolverDnDestroy(the.solver));
    require(cublasDestroy(the.blas));
    gm_context_destroy(the.context);
    return the.different > 0;
}

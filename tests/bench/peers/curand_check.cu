/*
 * genmath's noise against cuRAND itself: (seed, subsequence, offset) of Philox4_32_10, words and
 * uniforms, bit for bit; then cuRAND's own rates. Prints JSON, one object a line; exits 1 if a bit
 * differs.
 *
 *     curand_check          the device: cuRAND's generator in a kernel, genmath on $GENMATH_BACKEND
 *     curand_check --host   cuRAND's header compiled for the host, genmath on the cpu: needs no GPU
 */
#define QUALIFIERS static inline __host__ __device__
#include <curand_kernel.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vector>

#include <genmath/context.h>
#include <genmath/random.h>

namespace {

constexpr int64_t COUNT = 1000003; /* odd: blocks of four words end inside */

struct address {
    uint64_t seed, subsequence, offset;
};

const address addresses[] = {{0, 0, 0},
                             {1, 0, 0},
                             {0x123456789abcdefu, 0, 1},
                             {42, 7, 3},
                             {42, 0xffffffffu, 0xfffffffdu},
                             {0xffffffffffffffffu, 0x123456789abu, 0x1fffffffeu}};

void require(bool good, const char *what, const char *why) {
    if (!good) {
        fprintf(stderr, "curand_check: %s: %s\n", what, why);
        exit(3);
    }
}

void require(cudaError_t error, const char *what) {
    require(error == cudaSuccess, what, cudaGetErrorString(error));
}

template <typename T> __host__ __device__ T draw(curandStatePhilox4_32_10_t *state);
template <> __host__ __device__ unsigned draw(curandStatePhilox4_32_10_t *state) {
    return curand(state);
}
template <> __host__ __device__ float draw(curandStatePhilox4_32_10_t *state) {
    return curand_uniform(state);
}
template <> __host__ __device__ double draw(curandStatePhilox4_32_10_t *state) {
    return curand_uniform_double(state);
}

/* Elements first .. last - 1 of the stream; a double takes two words of it. */
template <typename T>
__host__ __device__ void draw_range(address at, int64_t first, int64_t last, T *out) {
    curandStatePhilox4_32_10_t state;
    curand_init(at.seed, at.subsequence, at.offset, &state);
    skipahead(static_cast<unsigned long long>(first) * (sizeof(T) == 8 ? 2 : 1), &state);
    for (int64_t i = first; i < last; ++i) {
        out[i] = draw<T>(&state);
    }
}

template <typename T> __global__ void fill(address at, int64_t count, T *out) {
    const int64_t first = 64 * (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x);
    if (first < count) {
        draw_range(at, first, first + 64 < count ? first + 64 : count, out);
    }
}

template <typename T> gm_dtype dtype();
template <> gm_dtype dtype<unsigned>() {
    return GM_U32;
}
template <> gm_dtype dtype<float>() {
    return GM_F32;
}
template <> gm_dtype dtype<double>() {
    return GM_F64;
}

template <typename T> std::vector<T> by_genmath(gm_context *context, address at) {
    std::vector<T> host(COUNT);
    void *memory = nullptr;
    gm_status status = gm_memory_alloc(context, COUNT * sizeof(T), &memory);
    require(status == GM_STATUS_OK, "memory", gm_last_error(context));
    const gm_tensor out = gm_tensor_1d(memory, dtype<T>(), COUNT);
    status = dtype<T>() == GM_U32
                 ? gm_random_fill_curand_u32(context, at.seed, at.subsequence, at.offset, &out)
                 : gm_random_fill_curand_uniform(context, at.seed, at.subsequence, at.offset, &out);
    require(status == GM_STATUS_OK, "fill_curand", gm_last_error(context));
    status = gm_memory_download(context, host.data(), memory, COUNT * sizeof(T));
    require(status == GM_STATUS_OK, "download", gm_last_error(context));
    gm_memory_free(context, memory);
    return host;
}

template <typename T> std::vector<T> by_curand(bool on_host, address at) {
    std::vector<T> host(COUNT);
    if (on_host) {
        draw_range(at, 0, COUNT, host.data());
        return host;
    }
    T *device = nullptr;
    require(cudaMalloc(&device, COUNT * sizeof(T)), "cudaMalloc");
    const unsigned blocks = static_cast<unsigned>((COUNT + 64 * 128 - 1) / (64 * 128));
    fill<<<blocks, 128>>>(at, COUNT, device);
    require(cudaGetLastError(), "launch");
    require(cudaMemcpy(host.data(), device, COUNT * sizeof(T), cudaMemcpyDeviceToHost),
            "cudaMemcpy");
    require(cudaFree(device), "cudaFree");
    return host;
}

template <typename T> int64_t compare(gm_context *context, bool on_host) {
    int64_t different = 0;
    for (const address &at : addresses) {
        const std::vector<T> theirs = by_curand<T>(on_host, at), ours = by_genmath<T>(context, at);
        for (int64_t i = 0; i < COUNT; ++i) {
            different += memcmp(&theirs[i], &ours[i], sizeof(T)) != 0;
        }
    }
    printf("{\"peer\": \"cuRAND\", \"version\": \"%d\", \"kind\": \"bits\", \"case\": "
           "\"philox4_32_10\", "
           "\"dtype\": \"%s\", \"backend\": \"%s\", \"curand_on\": \"%s\", \"n\": %lld, "
           "\"addresses\": %d, \"different\": %lld}\n",
           CURAND_VERSION, gm_dtype_name(dtype<T>()), gm_context_backend_name(context),
           on_host ? "host" : "device", static_cast<long long>(COUNT),
           static_cast<int>(sizeof addresses / sizeof addresses[0]),
           static_cast<long long>(different));
    return different;
}

/* ---- rates ---- */

template <typename T> struct four;
template <> struct four<float> {
    static __device__ float4 normals(curandStatePhilox4_32_10_t *s) {
        return curand_normal4(s);
    }
};
struct quartet {
    double x, y, z, w;
};
template <> struct four<double> {
    static __device__ quartet normals(curandStatePhilox4_32_10_t *s) {
        const double2 a = curand_normal2_double(s), b = curand_normal2_double(s);
        return {a.x, a.y, b.x, b.y};
    }
};

/* Euler–Maruyama on GBM, four steps a draw: the loop a user of cuRAND writes. */
template <typename T> __global__ void __launch_bounds__(128) gbm(int64_t n, int steps, T *end) {
    const int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    if (i >= n) {
        return;
    }
    curandStatePhilox4_32_10_t state;
    curand_init(1, static_cast<unsigned long long>(i), 0, &state);
    const T growth = T(1) + T(0.05) / T(steps), kick = T(0.2) * rsqrt(T(steps));
    T y = 1;
    for (int step = 0; step < steps; step += 4) {
        const auto z = four<T>::normals(&state);
        y *= growth + kick * z.x;
        y *= growth + kick * z.y;
        y *= growth + kick * z.z;
        y *= growth + kick * z.w;
    }
    end[i] = y;
}

template <typename T> __global__ void __launch_bounds__(128) normals(int64_t n, T *out) {
    const int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    curandStatePhilox4_32_10_t state;
    curand_init(1, static_cast<unsigned long long>(i), 0, &state);
    for (int64_t at = i; at < n / 4; at += stride) {
        const auto z = four<T>::normals(&state);
        out[4 * at] = z.x, out[4 * at + 1] = z.y, out[4 * at + 2] = z.z, out[4 * at + 3] = z.w;
    }
}

template <class Launch> double least_time(Launch launch) {
    cudaEvent_t begin, end;
    require(cudaEventCreate(&begin), "event");
    require(cudaEventCreate(&end), "event");
    float best = 1e30f;
    for (int r = 0; r < 12; ++r) {
        float taken = 0;
        require(cudaEventRecord(begin), "event");
        launch();
        require(cudaEventRecord(end), "event");
        require(cudaEventSynchronize(end), "launch");
        require(cudaEventElapsedTime(&taken, begin, end), "event");
        best = r >= 2 && taken < best ? taken : best;
    }
    return 1e-3 * best;
}

template <typename T> void rates() {
    const int64_t paths = int64_t(1) << 23, count = int64_t(1) << 28;
    const int steps = 256;
    T *out = nullptr;
    require(cudaMalloc(&out, count * sizeof(T)), "cudaMalloc");
    const double em =
        least_time([&] { gbm<T><<<static_cast<unsigned>(paths / 128), 128>>>(paths, steps, out); });
    const double fills = least_time([&] { normals<T><<<132 * 16, 128>>>(count, out); });
    const char *format =
        "{\"peer\": \"cuRAND in a kernel\", \"version\": \"%d\", \"kind\": \"rate\", "
        "\"case\": \"%s\", \"dtype\": \"%s\", \"n\": %lld, \"seconds\": %.6g, "
        "\"rate\": %.6g, \"unit\": \"normals/s\"}\n";
    const char *name = gm_dtype_name(dtype<T>());
    printf(format, CURAND_VERSION, "em_gbm", name, static_cast<long long>(paths), em,
           static_cast<double>(paths) * steps / em);
    printf(format, CURAND_VERSION, "fill_normal", name, static_cast<long long>(count), fills,
           static_cast<double>(count) / fills);
    require(cudaFree(out), "cudaFree");
}

} // namespace

int main(int argc, char **argv) {
    const bool on_host = argc == 2 && strcmp(argv[1], "--host") == 0;
    if (argc > 1 && !on_host) {
        fputs("usage: curand_check [--host]\n", stderr);
        return strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    gm_context_options options = {};
    options.backend = on_host ? GM_BACKEND_CPU : GM_BACKEND_AUTO;
    gm_context *context = nullptr;
    require(gm_context_create(&options, &context) == GM_STATUS_OK, "context",
            gm_last_error(nullptr));
    const int64_t different = compare<unsigned>(context, on_host) +
                              compare<float>(context, on_host) + compare<double>(context, on_host);
    if (!on_host) {
        rates<float>();
        rates<double>();
    }
    gm_context_destroy(context);
    return different == 0 ? 0 : 1;
}

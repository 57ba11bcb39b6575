// What the tests of the primitive headers share: arrays on the device, every schedule of the
// emulator. It uses nothing but CUDA's own interface.
#ifndef GENMATH_TESTS_EMU_PRIMITIVES_CUH
#define GENMATH_TESTS_EMU_PRIMITIVES_CUH

#include <cuda_runtime.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vector>

extern "C" {
#include <cmocka.h>
}

namespace {

#if defined(__CUDACC__)
const char *const schedules[] = {"device"};
inline void use_schedule(const char *) {
}
#else
extern "C" int emu_set_schedule(const char *name);
extern "C" const char *emu_report(void);
const char *const schedules[] = {"forward", "reverse", "warp-ahead", "random:1"};
inline void use_schedule(const char *name) {
    assert_int_equal(emu_set_schedule(name), 0);
}
#endif

inline void check(cudaError_t error) {
    if (error != cudaSuccess) {
        print_message("%s\n", cudaGetErrorString(error));
#if !defined(__CUDACC__)
        print_message("%s", emu_report());
#endif
    }
    assert_int_equal(error, cudaSuccess);
}

template <class T> struct buffer {
    T *data = nullptr;
    size_t count;
    explicit buffer(size_t n) : count(n) {
        check(cudaMalloc(&data, n * sizeof(T)));
    }
    explicit buffer(const std::vector<T> &values) : buffer(values.size()) {
        check(cudaMemcpy(data, values.data(), count * sizeof(T), cudaMemcpyHostToDevice));
    }
    ~buffer() {
        cudaFree(data);
    }
    buffer(const buffer &) = delete;
    buffer &operator=(const buffer &) = delete;
    std::vector<T> values() const {
        std::vector<T> result(count);
        check(cudaGetLastError());
        check(cudaMemcpy(result.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost));
        return result;
    }
};

template <class Body> void on_every_schedule(Body body) {
    for (const char *name : schedules) {
        use_schedule(name);
        body();
    }
}

inline int small_integer(unsigned i) {
    return static_cast<int>((i * 2654435761u >> 20) % 15u) - 7;
}

} // namespace

#endif

/*
 * Complex numbers of a transform, and transforms of 2, 3, 4, 5, 7 and 8 of them in registers.
 * Source of the odd ones, in which outputs j and R - j share what they add: Van Loan, Computational
 * Frameworks for the Fast Fourier Transform, 2.1.
 */
#pragma once

#include "kernels/device.cuh"

namespace gm {
namespace fourier {

template <class real> struct alignas(2 * sizeof(real)) pair { real re, im; };

template <class real>
__device__ __forceinline__ pair<real> operator+(const pair<real> &a, const pair<real> &b) {
    return {a.re + b.re, a.im + b.im};
}
template <class real>
__device__ __forceinline__ pair<real> operator-(const pair<real> &a, const pair<real> &b) {
    return {a.re - b.re, a.im - b.im};
}
template <class real>
__device__ __forceinline__ pair<real> operator*(const pair<real> &a, const pair<real> &b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class real> __device__ __forceinline__ pair<real> times(real s, const pair<real> &a) {
    return {s * a.re, s * a.im};
}
/* -i a */
template <class real> __device__ __forceinline__ pair<real> turned(const pair<real> &a) {
    return {a.im, -a.re};
}
template <class real> __device__ __forceinline__ pair<real> swapped(const pair<real> &a) {
    return {a.im, a.re};
}

/* A forward transform of R entries in registers. */
template <class real, int R> struct butterfly;

template <class real> struct butterfly<real, 2> {
    static __device__ __forceinline__ void run(pair<real> *v) {
        const pair<real> a = v[0];
        v[0] = a + v[1];
        v[1] = a - v[1];
    }
};

template <class real> struct butterfly<real, 4> {
    static __device__ __forceinline__ void run(pair<real> *v) {
        const pair<real> a = v[0] + v[2], b = v[0] - v[2], c = v[1] + v[3];
        const pair<real> d = turned(v[1] - v[3]);
        v[0] = a + c;
        v[1] = b + d;
        v[2] = a - c;
        v[3] = b - d;
    }
};

template <class real> struct butterfly<real, 8> {
    static __device__ __forceinline__ void run(pair<real> *v) {
        const real h = static_cast<real>(0.70710678118654752440);
        pair<real> even[4] = {v[0] + v[4], v[1] + v[5], v[2] + v[6], v[3] + v[7]};
        const pair<real> b = v[1] - v[5], d = v[3] - v[7];
        pair<real> odd[4] = {v[0] - v[4],
                             {h * (b.re + b.im), h * (b.im - b.re)},
                             turned(v[2] - v[6]),
                             {h * (d.im - d.re), -(h * (d.re + d.im))}};
        butterfly<real, 4>::run(even);
        butterfly<real, 4>::run(odd);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            v[2 * j] = even[j];
            v[2 * j + 1] = odd[j];
        }
    }
};

/* cos and sin of 2 pi j / R, j = 1 .. (R - 1) / 2. */
template <class real, int R> struct odd_roots;
template <class real> struct odd_roots<real, 3> {
    static __device__ __forceinline__ real cosine(int) {
        return static_cast<real>(-0.5);
    }
    static __device__ __forceinline__ real sine(int) {
        return static_cast<real>(0.86602540378443864676);
    }
};
template <class real> struct odd_roots<real, 5> {
    static __device__ __forceinline__ real cosine(int j) {
        return j == 1 ? static_cast<real>(0.30901699437494742410)
                      : static_cast<real>(-0.80901699437494742410);
    }
    static __device__ __forceinline__ real sine(int j) {
        return j == 1 ? static_cast<real>(0.95105651629515357212)
                      : static_cast<real>(0.58778525229247312917);
    }
};
template <class real> struct odd_roots<real, 7> {
    static __device__ __forceinline__ real cosine(int j) {
        return j == 1   ? static_cast<real>(0.62348980185873353053)
               : j == 2 ? static_cast<real>(-0.22252093395631440429)
                        : static_cast<real>(-0.90096886790241912624);
    }
    static __device__ __forceinline__ real sine(int j) {
        return j == 1   ? static_cast<real>(0.78183148246802980871)
               : j == 2 ? static_cast<real>(0.97492791218182360702)
                        : static_cast<real>(0.43388373911755812048);
    }
};

/* 3, 5, 7: outputs j and R - j share the sums and differences of inputs k and R - k. */
template <class real, int R> struct butterfly {
    static __device__ __forceinline__ void run(pair<real> *v) {
        constexpr int H = (R - 1) / 2;
        pair<real> sum[H + 1], difference[H + 1], total = v[0];
#pragma unroll
        for (int k = 1; k <= H; ++k) {
            sum[k] = v[k] + v[R - k];
            difference[k] = v[k] - v[R - k];
            total = total + sum[k];
        }
        const pair<real> first = v[0];
        v[0] = total;
#pragma unroll
        for (int j = 1; j <= H; ++j) {
            pair<real> u = first, w = {0, 0};
#pragma unroll
            for (int k = 1; k <= H; ++k) {
                const int e = j * k % R;
                const real sine = odd_roots<real, R>::sine(e <= H ? e : R - e);
                u = u + times(odd_roots<real, R>::cosine(e <= H ? e : R - e), sum[k]);
                w = w + times(e <= H ? sine : -sine, turned(difference[k]));
            }
            v[j] = u + w;
            v[R - j] = u - w;
        }
    }
};

} // namespace fourier
} // namespace gm

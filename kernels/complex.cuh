/* Real and complex numbers under one set of names, for kernels that serve both. */
#pragma once

#include <math.h>

#include "kernels/device.cuh"

namespace gm {

template <class R> struct alignas(2 * sizeof(R)) complex { R x, y; };

/* The real type of a number's precision. */
template <class T> struct number {
    using real = T;
    static constexpr bool is_complex = false;
};
template <class R> struct number<complex<R>> {
    using real = R;
    static constexpr bool is_complex = true;
};
template <class T> using real_type = typename number<T>::real;

/* The distance from 1 to the next number. */
template <class R> constexpr R epsilon = sizeof(R) == 4 ? R(0x1p-23f) : R(0x1p-52);

template <class T> __device__ __forceinline__ T number_of(real_type<T> x) {
    if constexpr (number<T>::is_complex) {
        return {x, 0};
    } else {
        return x;
    }
}

template <class R> __device__ __forceinline__ complex<R> operator+(complex<R> a, complex<R> b) {
    return {a.x + b.x, a.y + b.y};
}
template <class R> __device__ __forceinline__ complex<R> operator-(complex<R> a, complex<R> b) {
    return {a.x - b.x, a.y - b.y};
}
template <class R> __device__ __forceinline__ complex<R> operator-(complex<R> a) {
    return {-a.x, -a.y};
}
template <class R> __device__ __forceinline__ complex<R> operator*(complex<R> a, complex<R> b) {
    return {a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x};
}
template <class R>
__device__ __forceinline__ complex<R> operator*(complex<R> a, real_type<complex<R>> b) {
    return {a.x * b, a.y * b};
}
template <class R>
__device__ __forceinline__ complex<R> operator/(complex<R> a, real_type<complex<R>> b) {
    return {a.x / b, a.y / b};
}

/* Smith's division: no overflow in |b|^2, exact where b is real or imaginary and a / b is. */
template <class R> __device__ __forceinline__ complex<R> operator/(complex<R> a, complex<R> b) {
    if (fabs(b.x) >= fabs(b.y)) {
        const R ratio = b.y / b.x, size = b.x + b.y * ratio;
        return {(a.x + a.y * ratio) / size, (a.y - a.x * ratio) / size};
    }
    const R ratio = b.x / b.y, size = b.x * ratio + b.y;
    return {(a.x * ratio + a.y) / size, (a.y * ratio - a.x) / size};
}

template <class R> __device__ __forceinline__ complex<R> &operator+=(complex<R> &a, complex<R> b) {
    return a = a + b;
}
template <class R> __device__ __forceinline__ complex<R> &operator-=(complex<R> &a, complex<R> b) {
    return a = a - b;
}
template <class R> __device__ __forceinline__ bool operator==(complex<R> a, complex<R> b) {
    return a.x == b.x && a.y == b.y;
}

__device__ __forceinline__ float conjugate(float a) {
    return a;
}
__device__ __forceinline__ double conjugate(double a) {
    return a;
}
template <class R> __device__ __forceinline__ complex<R> conjugate(complex<R> a) {
    return {a.x, -a.y};
}

__device__ __forceinline__ float real_part(float a) {
    return a;
}
__device__ __forceinline__ double real_part(double a) {
    return a;
}
template <class R> __device__ __forceinline__ R real_part(complex<R> a) {
    return a.x;
}

__device__ __forceinline__ float imaginary_part(float) {
    return 0;
}
__device__ __forceinline__ double imaginary_part(double) {
    return 0;
}
template <class R> __device__ __forceinline__ R imaginary_part(complex<R> a) {
    return a.y;
}

/* sqrt(a^2 + b^2) without overflow or underflow on the way. */
template <class R> __device__ __forceinline__ R hypotenuse(R a, R b) {
    a = fabs(a);
    b = fabs(b);
    const R most = a > b ? a : b, least = a > b ? b : a;
    if (!(least > 0)) {
        return most;
    }
    const R ratio = least / most;
    return most * sqrt(1 + ratio * ratio);
}

__device__ __forceinline__ float modulus(float a) {
    return fabsf(a);
}
__device__ __forceinline__ double modulus(double a) {
    return fabs(a);
}
template <class R> __device__ __forceinline__ R modulus(complex<R> a) {
    return hypotenuse(a.x, a.y);
}

/* |a|^2 */
template <class T> __device__ __forceinline__ real_type<T> square_of(T a) {
    const real_type<T> x = real_part(a), y = imaginary_part(a);
    return number<T>::is_complex ? x * x + y * y : x * x;
}

/* |re| + |im|: the size by which LAPACK chooses a pivot. */
template <class T> __device__ __forceinline__ real_type<T> pivot_size(T a) {
    return fabs(real_part(a)) + fabs(imaginary_part(a));
}

/* The larger of |re| and |im|: what sums of squares are scaled by. */
template <class T> __device__ __forceinline__ real_type<T> largest_part(T a) {
    const real_type<T> x = fabs(real_part(a)), y = fabs(imaginary_part(a));
    return x > y ? x : y;
}

template <class T> __device__ __forceinline__ bool is_finite(T a) {
    const real_type<T> x = real_part(a), y = imaginary_part(a);
    return x - x == 0 && y - y == 0;
}

} // namespace gm

/* Matrices that are read from another in a certain way: each is a function of row and column. */
#pragma once

#include "kernels/linalg.cuh"

namespace gm {
namespace linalg {

/* The Hermitian matrix behind a view of which the upper triangle is not read. */
template <class T> struct hermitian_form {
    view<T> lower;

    __device__ __forceinline__ T operator()(int i, int j) const {
        return i > j    ? lower(i, j)
               : i == j ? number_of<T>(real_part(lower(i, i)))
                        : conjugate(lower(j, i));
    }
};

/* Its lower triangle, with zeros above. */
template <class T> struct lower_form {
    hermitian_form<T> a;

    __device__ __forceinline__ T operator()(int i, int j) const {
        return i < j ? number_of<T>(0) : a(i, j);
    }
};

template <class T> struct adjoint_form {
    tile<T> a;

    __device__ __forceinline__ T operator()(int i, int j) const {
        return conjugate(a(j, i));
    }
};

/* What is on and above the diagonal of a tile, with zeros below. */
template <class T> struct upper_form {
    tile<T> a;

    __device__ __forceinline__ T operator()(int i, int j) const {
        return i <= j ? a(i, j) : number_of<T>(0);
    }
};

/* op(A) of a triangle, with zeros where A is not read. */
template <class T> struct triangle_form {
    view<T> a;
    gm_triangular_options options;

    __device__ __forceinline__ T operator()(int i, int j) const {
        const bool turned = options.transpose != GM_TRANSPOSE_NONE;
        const int row = turned ? j : i, column = turned ? i : j;
        if (row == column && options.unit_diagonal) {
            return number_of<T>(1);
        }
        if (options.upper ? row > column : row < column) {
            return number_of<T>(0);
        }
        return options.transpose == GM_TRANSPOSE_CONJUGATE ? conjugate(a(row, column))
                                                           : a(row, column);
    }

    /* Whether op(A) is a lower triangle. */
    __host__ __device__ bool is_lower() const {
        return !options.upper == (options.transpose == GM_TRANSPOSE_NONE);
    }
};

template <class T> struct identity_form {
    __device__ __forceinline__ T operator()(int i, int j) const {
        return number_of<T>(i == j);
    }
};

/* The rows of A in the order of a permutation. */
template <class A> struct permuted_form {
    A a;
    const int *permutation;

    __device__ __forceinline__ auto operator()(int i, int j) const {
        return a(permutation[i], j);
    }
};

/* sum_l a(i, l) b(l, j), first <= l < end. */
template <class A, class B>
__device__ __forceinline__ auto dot(int i, int j, int first, int end, const A &a, const B &b) {
    std::decay_t<decltype(a(0, 0))> sum = number_of<std::decay_t<decltype(a(0, 0))>>(0);
    for (int l = first; l < end; ++l) {
        sum += a(i, l) * b(l, j);
    }
    return sum;
}

/* A B - C, where B has `terms` rows. */
template <class A, class B, class C> struct product_error {
    A a;
    B b;
    C c;
    int terms;

    __device__ __forceinline__ auto operator()(int i, int j) const {
        return dot(i, j, 0, terms, a, b) - c(i, j);
    }
};

/* L U - P A from the factors in one tile. */
template <class T> struct lu_error {
    tile<T> lu;
    permuted_form<view<T>> a;

    __device__ __forceinline__ T operator()(int i, int j) const {
        const T sum = dot(i, j, 0, i <= j ? i : j + 1, lu, lu);
        return (i <= j ? sum + lu(i, j) : sum) - a(i, j); /* L_ii is 1 */
    }
};

/* L L^H - A */
template <class T> struct cholesky_error {
    tile<T> l;
    hermitian_form<T> a;

    __device__ __forceinline__ T operator()(int i, int j) const {
        return dot(i, j, 0, (i < j ? i : j) + 1, l, adjoint_form<T>{l}) - a(i, j);
    }
};

/* Q R - A with R in the upper triangle of a tile of `steps` pivots. */
template <class T> struct qr_error {
    tile<T> q, r;
    view<T> a;
    int steps;

    __device__ __forceinline__ T operator()(int i, int j) const {
        return dot(i, j, 0, j < steps ? j + 1 : steps, q, r) - a(i, j);
    }
};

} // namespace linalg
} // namespace gm

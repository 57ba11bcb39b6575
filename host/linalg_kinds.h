/* The batched operations of linear algebra: one entry of gm_backend.linalg for each. */
#ifndef GENMATH_HOST_LINALG_KINDS_H
#define GENMATH_HOST_LINALG_KINDS_H

#define GM_LINALG_LIST(X)                                                                          \
    X(GM_LINALG_LU, lu)                                                                            \
    X(GM_LINALG_CHOLESKY, cholesky)                                                                \
    X(GM_LINALG_QR, qr)                                                                            \
    X(GM_LINALG_SOLVE, solve)                                                                      \
    X(GM_LINALG_TRIANGULAR_SOLVE, triangular_solve)                                                \
    X(GM_LINALG_INVERSE, inverse)                                                                  \
    X(GM_LINALG_DETERMINANT, determinant)                                                          \
    X(GM_LINALG_SVD, svd)                                                                          \
    X(GM_LINALG_EIGEN_HERMITIAN, eigen_hermitian)                                                  \
    X(GM_LINALG_EIGEN, eigen)                                                                      \
    X(GM_LINALG_LEAST_SQUARES, least_squares)                                                      \
    X(GM_LINALG_PSEUDOINVERSE, pseudoinverse)                                                      \
    X(GM_LINALG_SQRT_PSD, sqrt_psd)                                                                \
    X(GM_LINALG_INVERSE_SQRT_PSD, inverse_sqrt_psd)                                                \
    X(GM_LINALG_EXP, exp)                                                                          \
    X(GM_LINALG_EXP_APPLY, exp_apply)                                                              \
    X(GM_LINALG_POWER, power)                                                                      \
    X(GM_LINALG_PHI, phi)                                                                          \
    X(GM_LINALG_MAGNUS, magnus)                                                                    \
    X(GM_LINALG_KRONECKER_APPLY, kronecker_apply)                                                  \
    X(GM_LINALG_KRONECKER_SOLVE, kronecker_solve)

#define GM_LINALG_ENUM_ITEM(kind, name) kind,
typedef enum gm_linalg_kind { GM_LINALG_LIST(GM_LINALG_ENUM_ITEM) GM_LINALG_KINDS } gm_linalg_kind;
#undef GM_LINALG_ENUM_ITEM

#endif

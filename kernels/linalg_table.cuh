/* The operations of linear algebra that a module has: a line for each here, its kernels in a
 * linalg_*.cu. */
#pragma once

#include "host/backend.h"

namespace gm {

template <gm_linalg_kind kind> constexpr gm_linalg_entry linalg_entry = {nullptr, nullptr};

#define GM_LINALG_ON_DEVICE(kind, name)                                                            \
    size_t linalg_##name##_workspace(gm_call *call, const gm_linalg_args *args);                   \
    gm_status linalg_##name(gm_call *call, const gm_linalg_args *args);                            \
    template <>                                                                                    \
    inline constexpr gm_linalg_entry linalg_entry<kind> = {linalg_##name##_workspace,              \
                                                           linalg_##name};

GM_LINALG_ON_DEVICE(GM_LINALG_LU, lu)
GM_LINALG_ON_DEVICE(GM_LINALG_CHOLESKY, cholesky)
GM_LINALG_ON_DEVICE(GM_LINALG_QR, qr)
GM_LINALG_ON_DEVICE(GM_LINALG_SOLVE, solve)
GM_LINALG_ON_DEVICE(GM_LINALG_TRIANGULAR_SOLVE, triangular_solve)
GM_LINALG_ON_DEVICE(GM_LINALG_INVERSE, inverse)
GM_LINALG_ON_DEVICE(GM_LINALG_DETERMINANT, determinant)
GM_LINALG_ON_DEVICE(GM_LINALG_SVD, svd)
GM_LINALG_ON_DEVICE(GM_LINALG_EIGEN_HERMITIAN, eigen_hermitian)
GM_LINALG_ON_DEVICE(GM_LINALG_EIGEN, eigen)
GM_LINALG_ON_DEVICE(GM_LINALG_LEAST_SQUARES, least_squares)
GM_LINALG_ON_DEVICE(GM_LINALG_PSEUDOINVERSE, pseudoinverse)
GM_LINALG_ON_DEVICE(GM_LINALG_SQRT_PSD, sqrt_psd)
GM_LINALG_ON_DEVICE(GM_LINALG_INVERSE_SQRT_PSD, inverse_sqrt_psd)
GM_LINALG_ON_DEVICE(GM_LINALG_EXP, exp)
GM_LINALG_ON_DEVICE(GM_LINALG_EXP_APPLY, exp_apply)
GM_LINALG_ON_DEVICE(GM_LINALG_POWER, power)
GM_LINALG_ON_DEVICE(GM_LINALG_PHI, phi)
GM_LINALG_ON_DEVICE(GM_LINALG_MAGNUS, magnus)
GM_LINALG_ON_DEVICE(GM_LINALG_KRONECKER_APPLY, kronecker_apply)
GM_LINALG_ON_DEVICE(GM_LINALG_KRONECKER_SOLVE, kronecker_solve)

#define GM_LINALG_TABLE_ITEM(kind, name) linalg_entry<kind>,
#define GM_LINALG_TABLE                                                                            \
    { GM_LINALG_LIST(GM_LINALG_TABLE_ITEM) }

} // namespace gm

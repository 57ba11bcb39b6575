// Tensor-core instructions for kernels/mma.cuh: D = A B + C on fragments spread over a full warp.
//
// Inputs are taken exactly as the hardware takes them (f16, bf16, tf32 with the low 13 bits
// ignored); products are exact in float and are added in ascending k in float, or in double with
// fma for f64. The hardware adds in another order and with its own rounding, so only integer data
// agrees with it to the bit.
#ifndef GENMATH_EMU_MMA_H
#define GENMATH_EMU_MMA_H

#include "emu_thread.h"

namespace emu {

void mma_m16n8k16_f16(float (&acc)[4], const unsigned (&a)[4], const unsigned (&b)[2], site at);
void mma_m16n8k16_bf16(float (&acc)[4], const unsigned (&a)[4], const unsigned (&b)[2], site at);
void mma_m16n8k8_tf32(float (&acc)[4], const unsigned (&a)[4], const unsigned (&b)[2], site at);
void mma_m8n8k4_f64(double (&acc)[2], double a, double b, site at);

// One row of an 8 x 8 matrix of 16-bit elements.
struct alignas(16) matrix_row {
    unsigned short element[8];
};

void ldmatrix_distribute(unsigned *result, const matrix_row &row, int matrices, bool transposed,
                         site at);

// Lane i gives the address of row i % 8 of matrix i / 8; the rows of lanes beyond 8 * matrices are
// not read. The row is read here, by its lane, so that the sanitizers see the access.
template <int matrices>
void ldmatrix(unsigned (&result)[matrices], const void *row, bool transposed, site at) {
    const unsigned lane =
        (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32u;
    matrix_row mine = {};
    if (lane < 8u * matrices) {
        mine = *static_cast<const matrix_row *>(row);
    }
    ldmatrix_distribute(result, mine, matrices, transposed, at);
}

} // namespace emu

#endif

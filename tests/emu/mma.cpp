// Tensor-core instructions: gather the fragments of the warp's lanes into matrices, multiply, and
// hand the parts of the result back. Like collectives.cpp, never instrumented.
#include "emu_mma.h"

#include <string.h>

#include "cuda_bf16.h"
#include "cuda_fp16.h"
#include "runtime.h"

namespace emu {

namespace {

struct mma_operand {
    float *acc;
    const unsigned *a;
    const unsigned *b;
};

struct mma_f64_operand {
    double *acc;
    double a, b;
};

float low_f16(unsigned pair) {
    return __half2float(__ushort_as_half(static_cast<unsigned short>(pair & 0xffffu)));
}

float low_bf16(unsigned pair) {
    return __bfloat162float(__ushort_as_bfloat16(static_cast<unsigned short>(pair & 0xffffu)));
}

float as_tf32(unsigned bits) {
    unsigned kept = bits & 0xffffe000u;
    float value;
    memcpy(&value, &kept, sizeof value);
    return value;
}

// In the accumulator of m16n8, value v of lane 4 g + q is at row g + 8 (v / 2), column 2 q + v % 2.
template <int K>
void multiply(void *const operands[warp_size], const float (&a)[16][K], const float (&b)[K][8]) {
    for (unsigned lane = 0; lane < warp_size; ++lane) {
        float *acc = static_cast<const mma_operand *>(operands[lane])->acc;
        for (unsigned v = 0; v < 4; ++v) {
            unsigned row = lane / 4 + 8 * (v / 2);
            unsigned column = 2 * (lane % 4) + v % 2;
            float sum = acc[v];
            for (int k = 0; k < K; ++k) {
                sum += a[row][k] * b[k][column];
            }
            acc[v] = sum;
        }
    }
}

// Register r of A holds row g + 8 (r % 2), columns 2 q + 8 (r / 2) and the next; register r of B
// holds column g, rows 2 q + 8 r and the next. The lower half of a register comes first.
template <float (*to_float)(unsigned)> void run_k16(void *const operands[warp_size], unsigned) {
    float a[16][16];
    float b[16][8];
    for (unsigned lane = 0; lane < warp_size; ++lane) {
        const mma_operand &self = *static_cast<const mma_operand *>(operands[lane]);
        unsigned g = lane / 4;
        unsigned q = lane % 4;
        for (unsigned r = 0; r < 4; ++r) {
            unsigned row = g + 8 * (r % 2);
            unsigned column = 2 * q + 8 * (r / 2);
            a[row][column] = to_float(self.a[r]);
            a[row][column + 1] = to_float(self.a[r] >> 16);
        }
        for (unsigned r = 0; r < 2; ++r) {
            b[2 * q + 8 * r][g] = to_float(self.b[r]);
            b[2 * q + 8 * r + 1][g] = to_float(self.b[r] >> 16);
        }
    }
    multiply<16>(operands, a, b);
}

// Register r of A holds row g + 8 (r % 2), column q + 4 (r / 2); of B, column g, row q + 4 r.
void run_tf32(void *const operands[warp_size], unsigned) {
    float a[16][8];
    float b[8][8];
    for (unsigned lane = 0; lane < warp_size; ++lane) {
        const mma_operand &self = *static_cast<const mma_operand *>(operands[lane]);
        unsigned g = lane / 4;
        unsigned q = lane % 4;
        for (unsigned r = 0; r < 4; ++r) {
            a[g + 8 * (r % 2)][q + 4 * (r / 2)] = as_tf32(self.a[r]);
        }
        for (unsigned r = 0; r < 2; ++r) {
            b[q + 4 * r][g] = as_tf32(self.b[r]);
        }
    }
    multiply<8>(operands, a, b);
}

// A holds row g, column q; B column g, row q; the accumulator row g, columns 2 q and 2 q + 1.
void run_f64(void *const operands[warp_size], unsigned) {
    double a[8][4];
    double b[4][8];
    for (unsigned lane = 0; lane < warp_size; ++lane) {
        const mma_f64_operand &self = *static_cast<const mma_f64_operand *>(operands[lane]);
        a[lane / 4][lane % 4] = self.a;
        b[lane % 4][lane / 4] = self.b;
    }
    for (unsigned lane = 0; lane < warp_size; ++lane) {
        double *acc = static_cast<const mma_f64_operand *>(operands[lane])->acc;
        for (unsigned v = 0; v < 2; ++v) {
            for (unsigned k = 0; k < 4; ++k) {
                acc[v] = __builtin_fma(a[lane / 4][k], b[k][2 * (lane % 4) + v], acc[v]);
            }
        }
    }
}

const collective_kind f16_kind = {"mma.m16n8k16.f16", run_k16<low_f16>, true, true, false};
const collective_kind bf16_kind = {"mma.m16n8k16.bf16", run_k16<low_bf16>, true, true, false};
const collective_kind tf32_kind = {"mma.m16n8k8.tf32", run_tf32, true, true, false};
const collective_kind f64_kind = {"mma.m8n8k4.f64", run_f64, true, true, false};

struct ldmatrix_operand {
    unsigned *result;
    const matrix_row *row;
    int matrices;
    bool transposed;
};

// Of each matrix, lane 4 g + q gets elements (g, 2 q) and (g, 2 q + 1); of the transposed matrix
// the same.
void run_ldmatrix(void *const operands[warp_size], unsigned) {
    for (unsigned lane = 0; lane < warp_size; ++lane) {
        const ldmatrix_operand &self = *static_cast<const ldmatrix_operand *>(operands[lane]);
        unsigned g = lane / 4;
        unsigned q = lane % 4;
        for (unsigned m = 0; m < static_cast<unsigned>(self.matrices); ++m) {
            unsigned half[2];
            for (unsigned i = 0; i < 2; ++i) {
                unsigned row = self.transposed ? 2 * q + i : g;
                unsigned column = self.transposed ? g : 2 * q + i;
                half[i] = static_cast<const ldmatrix_operand *>(operands[8 * m + row])
                              ->row->element[column];
            }
            self.result[m] = half[0] | half[1] << 16;
        }
    }
}

const collective_kind ldmatrix_kinds[] = {
    {"ldmatrix.x1", run_ldmatrix, true, true, false},
    {"ldmatrix.x1.trans", run_ldmatrix, true, true, false},
    {"ldmatrix.x2", run_ldmatrix, true, true, false},
    {"ldmatrix.x2.trans", run_ldmatrix, true, true, false},
    {"ldmatrix.x4", run_ldmatrix, true, true, false},
    {"ldmatrix.x4.trans", run_ldmatrix, true, true, false},
};

} // namespace

void mma_m16n8k16_f16(float (&acc)[4], const unsigned (&a)[4], const unsigned (&b)[2], site at) {
    mma_operand self = {acc, a, b};
    collective(f16_kind, &self, 0xffffffffu, at);
}

void mma_m16n8k16_bf16(float (&acc)[4], const unsigned (&a)[4], const unsigned (&b)[2], site at) {
    mma_operand self = {acc, a, b};
    collective(bf16_kind, &self, 0xffffffffu, at);
}

void mma_m16n8k8_tf32(float (&acc)[4], const unsigned (&a)[4], const unsigned (&b)[2], site at) {
    mma_operand self = {acc, a, b};
    collective(tf32_kind, &self, 0xffffffffu, at);
}

void mma_m8n8k4_f64(double (&acc)[2], double a, double b, site at) {
    mma_f64_operand self = {acc, a, b};
    collective(f64_kind, &self, 0xffffffffu, at);
}

void ldmatrix_distribute(unsigned *result, const matrix_row &row, int matrices, bool transposed,
                         site at) {
    ldmatrix_operand self = {result, &row, matrices, transposed};
    int size = matrices == 1 ? 0 : matrices == 2 ? 1 : 2;
    collective(ldmatrix_kinds[2 * size + transposed], &self, 0xffffffffu, at);
}

} // namespace emu

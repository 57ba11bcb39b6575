// Matrix instructions of a warp: one wrapper for each, inline PTX under nvcc and a function of the
// emulator under a C++ compiler. All 32 lanes must call.
//
// With g = lane / 4 and q = lane % 4, value or register r of a lane's fragment holds
//
//     m16n8k16, f16 and bf16   A  row g + 8 (r % 2), columns 2 q + 8 (r / 2) and the next
//     (two values a register,  B  column g, rows 2 q + 8 r and the next
//     the lower half first)    C  row g + 8 (r / 2), column 2 q + r % 2
//     m16n8k8, tf32            A  row g + 8 (r % 2), column q + 4 (r / 2)
//                              B  column g, row q + 4 r
//                              C  as above
//     m8n8k4, f64              A  row g, column q
//                              B  column g, row q
//                              C  row g, column 2 q + r
//
// The order and rounding of the hardware's additions are its own: only integer data gives the
// same bits everywhere.
#ifndef GENMATH_KERNELS_MMA_CUH
#define GENMATH_KERNELS_MMA_CUH

#include "kernels/device.cuh"

#if !defined(__CUDACC__)
// defines: emu::mma_*, emu::ldmatrix
#include "emu_mma.h"
#endif

// Where a pointer to shared memory points in the block's window of it, which is what instructions
// on shared memory take.
__device__ inline unsigned gm_shared_address(const void *pointer) {
#if defined(__CUDACC__)
    return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
#else
    return emu::shared_address(pointer);
#endif
}

// acc += A B, A and B in half precision, A by rows and B by columns.
__device__ inline void gm_mma_m16n8k16_f16(float (&acc)[4], const unsigned (&a)[4],
                                           const unsigned (&b)[2]) {
#if defined(__CUDACC__)
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(acc[0]), "+f"(acc[1]), "+f"(acc[2]), "+f"(acc[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    emu::mma_m16n8k16_f16(acc, a, b, emu::here());
#endif
}

// acc += A B, A and B in bfloat16.
__device__ inline void gm_mma_m16n8k16_bf16(float (&acc)[4], const unsigned (&a)[4],
                                            const unsigned (&b)[2]) {
#if defined(__CUDACC__)
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(acc[0]), "+f"(acc[1]), "+f"(acc[2]), "+f"(acc[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    emu::mma_m16n8k16_bf16(acc, a, b, emu::here());
#endif
}

// acc += A B; A and B are floats of which the instruction ignores the low 13 bits. Pass them
// through gm_tf32 first where truncation is not good enough.
__device__ inline void gm_mma_m16n8k8_tf32(float (&acc)[4], const unsigned (&a)[4],
                                           const unsigned (&b)[2]) {
#if defined(__CUDACC__)
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(acc[0]), "+f"(acc[1]), "+f"(acc[2]), "+f"(acc[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    emu::mma_m16n8k8_tf32(acc, a, b, emu::here());
#endif
}

// A float rounded to tf32, to nearest with ties away from zero, as the fragments want it.
__device__ inline unsigned gm_tf32(float value) {
#if defined(__CUDACC__)
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return bits;
#else
    const unsigned bits = __float_as_uint(value);
    const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
    return finite ? (bits + 0x1000u) & 0xffffe000u : value != value ? 0x7fffffffu : bits;
#endif
}

// acc += A B in double.
__device__ inline void gm_mma_m8n8k4_f64(double (&acc)[2], double a, double b) {
#if defined(__CUDACC__)
    asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
                 : "+d"(acc[0]), "+d"(acc[1])
                 : "d"(a), "d"(b));
#else
    emu::mma_m8n8k4_f64(acc, a, b, emu::here());
#endif
}

// Loads 8 x 8 matrices of 16-bit elements from shared memory as fragments: lane i gives the
// address, a multiple of 16, of row i % 8 of matrix i / 8. Register m of a lane gets elements
// (g, 2 q) and (g, 2 q + 1) of matrix m, or of its transpose.
__device__ inline void gm_ldmatrix_x1(unsigned (&result)[1], const void *row) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                 : "=r"(result[0])
                 : "r"(gm_shared_address(row))
                 : "memory");
#else
    emu::ldmatrix(result, row, false, emu::here());
#endif
}

__device__ inline void gm_ldmatrix_x2(unsigned (&result)[2], const void *row) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(result[0]), "=r"(result[1])
                 : "r"(gm_shared_address(row))
                 : "memory");
#else
    emu::ldmatrix(result, row, false, emu::here());
#endif
}

__device__ inline void gm_ldmatrix_x4(unsigned (&result)[4], const void *row) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3])
                 : "r"(gm_shared_address(row))
                 : "memory");
#else
    emu::ldmatrix(result, row, false, emu::here());
#endif
}

__device__ inline void gm_ldmatrix_x1_trans(unsigned (&result)[1], const void *row) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                 : "=r"(result[0])
                 : "r"(gm_shared_address(row))
                 : "memory");
#else
    emu::ldmatrix(result, row, true, emu::here());
#endif
}

__device__ inline void gm_ldmatrix_x2_trans(unsigned (&result)[2], const void *row) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(result[0]), "=r"(result[1])
                 : "r"(gm_shared_address(row))
                 : "memory");
#else
    emu::ldmatrix(result, row, true, emu::here());
#endif
}

__device__ inline void gm_ldmatrix_x4_trans(unsigned (&result)[4], const void *row) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3])
                 : "r"(gm_shared_address(row))
                 : "memory");
#else
    emu::ldmatrix(result, row, true, emu::here());
#endif
}

#endif

/*
 * The kernels of contractions, between their drivers (contract_gett.c, contract_small.c,
 * contract_direct.c) and what is compiled for each type and instruction set (contract_isa.inc).
 *
 * In terms of real numbers: complex products are real ones of twice the columns and twice the
 * length, C[i][re j, im j] = sum over (re k, im k) of [re a, im a] times the rows [re b, im b] and
 * [-im b, re b], so only the packing and the way out know of them. Source: Van Zee and Smith, "the
 * 1m method", SIAM J. Sci. Comput. 42 (2020); Springer and Bientinesi, "GETT", arXiv 1607.00145.
 */
#ifndef GENMATH_HOST_CONTRACT_KERNEL_H
#define GENMATH_HOST_CONTRACT_KERNEL_H

#include <genmath/compiler.h>

#include "host/cpu/contract_cpu.h"

#if GM_HAVE_X86_TARGETS
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* One batch item's part of the output that a thread makes, and all it needs for that. */
typedef struct gm_contract_part {
    const gm_contraction *x;
    gm_contract_scale scale;
    bool plain; /* the sums are the output: no scale, addend or epilogue */
    const void *a, *b, *c, *bias;
    void *d;
    uint64_t number; /* of the part's batch item in the numbering of samples */
    int64_t rows;    /* of C */
    int64_t columns; /* elements, not real numbers */
    int64_t first_row, first_column;
    int64_t k;        /* of the block, elements */
    bool first, last; /* block of k */
    gm_offsets m, n;  /* rows and columns */
    /* Rows this far apart are neighbours in a, columns in b; 1: the next one, or none. */
    int64_t near_a, near_b;
    int64_t *k_a, *k_b;
    void *pack_a, *pack_b;
    void *tiles; /* sums carried from one block of k to the next, tile by tile; NULL if one does */
} gm_contract_part;

enum { GM_DIRECT_BYTES = 32768 }; /* of a tile's sums: a row of 4096 doubles */

/*
 * A tile of the output for the direct kernel: values of one or two output modes, the others fixed.
 */
typedef struct gm_direct_tile {
    const gm_contract_part *part;
    gm_mode lane, other; /* extents: those of the tile; see contract_direct.c */
    const gm_mode *k;    /* but the lane */
    int32_t ks;
    bool dot, two;
    bool one_row;                      /* of the output: of lanes, or with `dot` of others */
    bool streams;                      /* the output, a row without gaps, past the caches */
    bool last;                         /* of a run of tiles */
    int64_t sums;                      /* values of k */
    void *sums_memory, *turned_memory; /* of the sums, and for their transposition */
} gm_direct_tile;

enum { GM_SMALL = 32 }; /* m, n and k of a tiny product at most */

/* Items of a batch one after the other, for the small kernel. */
typedef struct gm_small_items {
    gm_contract_part *part;      /* of the first item; moves on to the next */
    gm_mode step;                /* from an item to the next; its extent is their number */
    bool a_fits, b_fits, d_fits; /* can be read, written as they lie: with the strides below */
    int64_t a_m, a_k, b_k, d_m;
    /* Bytes of an item to be asked for ahead of its turn: the next ones in memory. */
    int64_t a_bytes, b_bytes, d_bytes;
} gm_small_items;

/* out (m, n) = a (m, k) b (k, n); columns of b and out are neighbours. */
typedef struct gm_small_product {
    int64_t m, n, k;
    const void *a, *b;
    void *out;
    int64_t pitch; /* of out */
    int64_t a_row, a_k, b_k;
} gm_small_product;

/* For one type of sums and one instruction set; sizes in real numbers. */
typedef struct gm_contract_kernel {
    int32_t real;   /* bytes */
    int32_t mr, nr; /* a tile of C in registers */
    int32_t carry;  /* numbers kept for an element between blocks of k */
    int32_t mc, kc; /* a block of A: in the second-level cache */
    void (*block)(const gm_contract_part *part); /* blocked */
    void (*items)(const gm_small_items *items);  /* small; NULL with compensated sums */
    void (*tile)(const gm_direct_tile *tile);    /* direct; NULL with compensated sums */
} gm_contract_kernel;

/* By instruction set: base, AVX2, AVX-512, NULL where this machine cannot have it; compensated: by
 * sums that carry their error. */
extern const gm_contract_kernel *const gm_kernel_f64[3], *const gm_kernel_f32[3],
                                                             *const gm_kernel_i32[3];
extern const gm_contract_kernel *const gm_kernel_compensated_f64[3],
    *const gm_kernel_compensated_f32[3];

const gm_contract_kernel *gm_contract_kernel_for(gm_isa isa, const gm_contraction *x);

/* Products of an element that are summed by themselves. With more, single precision has larger
 * errors than OpenBLAS: test_contract_properties. */
enum { CHAIN = 256 };

/* How an operand's or the output's type relates to that of the sums. */
enum { KIND_SAME, KIND_NARROW, KIND_OTHER, KIND_COMPLEX };

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#if GM_HAVE_X86_TARGETS
#define GM_KERNEL_TABLE(name)                                                                      \
    { &PASTE(name, base), &PASTE(name, avx2), &PASTE(name, avx512) }
#else
#define GM_KERNEL_TABLE(name)                                                                      \
    { &PASTE(name, base), NULL, NULL }
#endif

/* A product that must not become part of a fused multiply-add. */
#if defined(__x86_64__)
#define OPAQUE(x) __asm__("" : "+v"(x))
#elif defined(__aarch64__)
#define OPAQUE(x) __asm__("" : "+w"(x))
#else
#define OPAQUE(x) __asm__("" : "+m"(x))
#endif

#endif

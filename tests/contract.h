/*
 * What the tests of contractions share: tensors in every layout with guards around them, runs on
 * every backend that check what a run must leave alone, and an oracle, the sum written out again.
 */
#ifndef GENMATH_TESTS_CONTRACT_H
#define GENMATH_TESTS_CONTRACT_H

#include "tests/support.h"

#include <complex.h>
#include <math.h>
#include <time.h>

#include <genmath/contract.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* CMPLX, which not every compiler has. */
static inline double complex make_complex(double real, double imaginary) {
    const double parts[] = {real, imaginary};
    double complex z;
    memcpy(&z, parts, sizeof z);
    return z;
}

static inline double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

typedef struct target {
    const char *name;
    gm_context *context;
    bool is_reference, is_loops, is_slow;
} target;

/*
 * The backends of this machine that contract, ref first, and "loops": a backend of the tests that
 * runs the modes of each step as nested loops and refuses a contraction that breaks a promise of
 * host/contract_args.h. What is missing is a printed skip.
 */
extern target targets[12];
extern int target_count;
int open_targets(void **state);
int close_targets(void **state);

#define FOR_EACH_TARGET(t) for (const target *t = targets; t < targets + target_count; ++t)

/* A context on the cpu with so many threads; NULL where the cpu does not contract. */
gm_context *open_threads(int32_t threads);

/* Every type. */
static const gm_dtype contract_types[] = {GM_F64, GM_F32,  GM_F16, GM_BF16,
                                          GM_C64, GM_C128, GM_I8,  GM_I32};

/* A type of outputs that goes with one of inputs. 16-bit ones have two: an odd choice is f32, where
 * alone sums of their products are exact. */
static inline gm_dtype output_of(gm_dtype input, int64_t choice) {
    return input == GM_I8                                             ? GM_I32
           : (input == GM_F16 || input == GM_BF16) && choice % 2 == 1 ? GM_F32
                                                                      : input;
}

typedef enum layout {
    ROWS,     /* row-major, without gaps */
    COLUMNS,  /* column-major */
    PADDED,   /* a random order of dimensions, with gaps */
    BACKWARD, /* the same, some dimensions from their end */
    REPEATED  /* inputs only: the same, some strides 0 */
} layout;

typedef enum filling {
    POISON,   /* all bits one: a NaN no arithmetic makes */
    UNITS,    /* 1 and -1 */
    INTEGERS, /* 1, -1, 2 and -2: sums of products are exact */
    REALS,    /* all bits of the significand random, magnitude 1/4 to 4 */
    ONES
} filling;

/* A tensor in host memory with guards around it; view.data is in `bytes`. */
typedef struct block {
    gm_tensor view;
    unsigned char *memory;
    size_t bytes;
} block;

block make_block(gm_dtype dtype, int32_t ndim, const int64_t *shape, layout how, filling with,
                 uint64_t *random);
void free_block(block *b);
int64_t elements_of(const gm_tensor *view);
/* Element e in row-major order; set stores the nearest value. */
double complex get_element(const block *b, int64_t e);
void set_element(block *b, int64_t e, double complex value);

/* A block in the memory of a context, and the view of it there. */
typedef struct image {
    void *memory;
    gm_tensor view;
} image;

image upload(gm_context *context, const block *b);
/* Frees the image; its bytes must be those of the block. */
void drop(gm_context *context, image *i, const block *b, const char *what);
/* Frees the image after its elements have come back: each must have been written, nothing else. */
void take_output(gm_context *context, image *i, block *out);

typedef struct run {
    const char *expression;
    int32_t count;
    const block *inputs;
    const block *addend, *bias;     /* NULL: none */
    const gm_contract_scale *scale; /* NULL: the default */
    gm_contract_options options;    /* epilogue.bias is set from bias */
    gm_contract_epilogue epilogue;
    bool has_epilogue, in_place; /* in_place: the addend's values lie in the output */
    const char *kernel;          /* out: of the last step */
    double operations;           /* out */
    size_t workspace;            /* out */
} run;

/*
 * Runs on a target: inputs, addend, guards and gaps must stay as they are and each element of `out`
 * must be written. UNSUPPORTED comes back where allow_unsupported is set; any other failure fails
 * the test.
 */
gm_status run_on(const target *t, run *r, block *out, bool allow_unsupported);

/* What the elements must be. */
typedef struct oracle {
    int64_t elements;
    double complex *value;
    double *magnitude; /* the same sum over absolute values */
    uint32_t *wrapped; /* the sum modulo 2^32 of integers */
    double terms;      /* the length of each sum */
} oracle;

/* The sum by its definition. `expression` has "->" and letters alone. */
oracle work_out(const char *expression, int32_t count, const block *inputs);
void free_oracle(oracle *o);

/* The output of `expression` for these inputs, poisoned. `expression` as for work_out. */
block make_output(const char *expression, int32_t count, const block *inputs, gm_dtype dtype,
                  layout how, uint64_t *random);

/* Every element is the oracle's exactly (integers wrapped). */
void assert_exact(const target *t, const char *what, const block *out, const oracle *o);

/* max |out - oracle| / (unit of the type * magnitude): in units of (terms + 2) if it is to be
 * compared with 1. */
double scaled_residual(const block *out, const oracle *o);

double unit_of_type(gm_dtype dtype);
double uniform_real(uint64_t *random);
int64_t below(uint64_t *random, int64_t bound);

#endif

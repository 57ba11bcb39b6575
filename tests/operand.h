/*
 * Operands of the tensor tests: a view with guard bytes around it and poison between its elements,
 * in any layout.
 */
#ifndef GENMATH_TESTS_OPERAND_H
#define GENMATH_TESTS_OPERAND_H

#include "targets.h"

#include <genmath/tensor.h>

typedef enum layout {
    PLAIN,
    TRANSPOSED, /* the first axis is the one that lies together */
    PADDED,     /* gaps after each element and each row */
    REVERSED,   /* negative strides */
    SPREAD,     /* stride 0 along the first axis; inputs only */
    LAYOUTS
} layout;

typedef struct operand {
    gm_tensor view; /* data: the first element, in `bytes` */
    int64_t elements;
    uint8_t *bytes; /* the memory, with guards */
    size_t size;
} operand;

/* Every byte 0xff: NaN in every floating dtype, -1 in the integers. */
operand operand_make(gm_dtype dtype, int32_t ndim, const int64_t *shape, layout how);
void operand_free(operand *o);

/* The first of several results stays to be compared with, later ones are freed. */
void operand_keep_first(operand *first, operand *result);

/* Where element e, counted in row-major order, is. */
void *operand_at(const operand *o, int64_t e);
/* Where all elements are, in row-major order; to be freed. */
void **operand_places(const operand *o);
double operand_get(const operand *o, int64_t e);
int64_t operand_get_integer(const operand *o, int64_t e);
void operand_set(operand *o, int64_t e, double value);

/* Elements of (low, high), a function of seed. */
void operand_fill(operand *o, uint64_t seed, double low, double high);

/* A copy in the target's memory; its data goes to view. */
void *operand_upload(const target *t, const operand *o, gm_tensor *view);

/* Brings memory back and frees it. What is no element of o must be as it was; the elements go to o.
 */
void operand_download(const target *t, operand *o, void *memory);

/* Frees memory, which must hold o's bytes still: an input is not written. */
void operand_unchanged(const target *t, const operand *o, void *memory);

/* 64 floats of a target, all their bytes `fill`, for calls that must be refused; untouched frees them
 * and fails if a byte has changed. */
enum { SCRATCH = 64 };
float *scratch_make(const target *t, int fill);
void scratch_untouched(const target *t, float *memory, int fill);

/* The unit roundoff of a dtype, and of what it is computed in. */
double roundoff(gm_dtype dtype);
double compute_roundoff(gm_dtype dtype);

/* Fails unless |got - want| <= bound, or both are NaN, or both the same infinity. */
#define ASSERT_NEAR(got, want, bound, ...)                                                         \
    do {                                                                                           \
        const double near_got = (got), near_want = (want), near_bound = (bound);                   \
        if (!is_near(near_got, near_want, near_bound)) {                                           \
            char near_text[256];                                                                   \
            snprintf(near_text, sizeof near_text, __VA_ARGS__);                                    \
            fail_msg("%s: %.17g, expected %.17g, bound %.3g", near_text, near_got, near_want,      \
                     near_bound);                                                                  \
        }                                                                                          \
    } while (0)
bool is_near(double got, double want, double bound);

#endif

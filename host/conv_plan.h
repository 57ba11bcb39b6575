/* The plan of a convolution, which conv.c and conv_fft.c share. */
#ifndef GENMATH_HOST_CONV_PLAN_H
#define GENMATH_HOST_CONV_PLAN_H

#include <genmath/conv.h>

#include "host/internal.h"

enum { DIMS = GM_CONV_MAX_DIMS, ALIGNMENT = 64 };

/* A view of one of the tensors, or of the padded copy, whose first element is `offset` bytes from
 * theirs. */
typedef struct placed_view {
    gm_tensor view;
    int64_t offset;
} placed_view;

/* A copy of an operand with zeros around its elements (and between them). */
typedef struct padded_copy {
    int64_t bytes;      /* 0: the operand is read where it is */
    gm_tensor whole;    /* the copy */
    gm_tensor words;    /* all of it as 32-bit words, to be cleared */
    placed_view source; /* what is copied of the operand */
    placed_view target; /* and where to */
    gm_contract_plan *clear, *copy;
} padded_copy;

typedef struct conv_fft conv_fft; /* conv_fft.c */

struct gm_conv_plan {
    gm_context *context;
    gm_conv_operation operation;
    int32_t dims;
    gm_tensor x, w, y; /* as planned */
    int64_t stride[DIMS], dilation[DIMS], before[DIMS], after[DIMS], groups;
    bool flip;
    padded_copy padded;
    placed_view windows, other, result; /* of the contraction, in its operands' order */
    gm_contract_plan *contraction;
    conv_fft *fft;    /* in place of the contraction, its operands and the padded copy */
    size_t scratch;   /* bytes of the workspace behind the padded copy */
    char reason[200]; /* for the algorithm */
    char *explanation;
};

/* Lays out a contiguous copy of `source` (N, channels, sizes) in an array of the sizes `extent`,
 * element e of dimension i at first[i] + e step[i], and plans it. */
gm_status gm_conv_plan_copy(gm_context *context, int32_t dims, const placed_view *source,
                            const int64_t *extent, const int64_t *first, const int64_t *step,
                            padded_copy *copy);
void gm_conv_destroy_copy(padded_copy *copy);

/* Makes it at `memory`. */
gm_status gm_conv_make_copy(const padded_copy *copy, const gm_tensor *operand, void *memory,
                            void *scratch, size_t scratch_bytes);

/* The dimension `axis`, of channels, as two: groups and the channels of one. */
gm_tensor gm_conv_split_groups(const gm_tensor *tensor, int32_t axis, int64_t groups);

/* The same tensor backwards along its last `dims` dimensions. */
placed_view gm_conv_reversed(const gm_tensor *tensor, int32_t dims);

/* The view with its data: `offset` bytes from the first element of the tensor it is a view of. */
gm_tensor gm_conv_at(const placed_view *placed, void *data);

/* conv_fft.c: whether transforms are what the options, the types and the sizes ask for (with the
 * reason, in the plan), their plan, what it needs and says, and the map. */
gm_status gm_conv_fft_choose(gm_conv_plan *plan, const gm_conv_options *options, bool *chosen);
gm_status gm_conv_fft_plan(gm_conv_plan *plan, const gm_conv_options *options);
void gm_conv_fft_destroy(conv_fft *fft);
size_t gm_conv_fft_workspace(const conv_fft *fft);
const char *gm_conv_fft_contraction(const conv_fft *fft);
gm_status gm_conv_fft_execute(const gm_conv_plan *plan, const gm_contract_scale *scale,
                              const gm_tensor *operand, const gm_tensor *other,
                              const gm_tensor *target, void *workspace);

#endif

/*
 * gm_conv_*: by transforms. All three tensors are laid on one lattice of positions of x, a tensor
 * with a stride or dilation as its elements that far apart, so that each map is one convolution,
 *
 *     r[o + e t] = sum_j a[j] b[o + e t - j]     a at h + e_a i, b at e_b k or, backwards, R - e_b
 * k
 *
 *     forward  a = x, b = w backwards, r = y      data  a = y, b = w, r = x
 *     weights  a = x, b = y backwards, r = w      (flip turns w around)
 *
 * and, over a circle so long that nothing that wraps reaches a result, the product of spectra: a
 * contraction over samples or channels for each frequency. Source: Mathieu, Henaff, LeCun, Fast
 * Training of Convolutional Networks through FFTs, 2014.
 */
#include <math.h>
#include <stdlib.h>

#include <genmath/fft.h>

#include "host/conv_plan.h"
#include "host/fft_sweeps.h"

struct conv_fft {
    padded_copy operand,
        other; /* on the circle; one after the other at the workspace's beginning */
    gm_fft_plan *forward, *inverse;
    gm_tensor operand_spectrum, other_spectrum, result_spectrum, result; /* whole; without data */
    placed_view taken;                                                   /* of the result */
    gm_contract_plan *product, *extract;
    int64_t padded_bytes, spectrum_bytes[3],
        transform_bytes; /* regions of the workspace, in order */
    size_t scratch;
};

/* The circle along one dimension. */
typedef struct circle {
    int64_t length;
    int64_t operand_first, operand_step; /* a */
    int64_t other_step;                  /* b, from 0; its view is turned where b is backwards */
    int64_t result_first, result_step;
} circle;

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Convolutions of up to 2^40 positions: nothing overflows. */
static circle circle_of(const gm_conv_plan *plan, int i) {
    static const int64_t odd[] = {1, 3, 5, 9, 15};
    const bool data = plan->operation == GM_CONV_DATA;
    const bool weights = plan->operation == GM_CONV_WEIGHTS;
    const int64_t s = plan->stride[i], d = plan->dilation[i], p = plan->before[i];
    const int64_t x = plan->x.shape[2 + i], w = plan->w.shape[2 + i], y = plan->y.shape[2 + i];
    const int64_t reach = weights ? s * (y - 1) : d * (w - 1); /* R */
    const int64_t span = data ? s * (y - 1) + 1 : x;           /* of a */
    const int64_t wanted = data ? x : weights ? d * (w - 1) + 1 : s * (y - 1) + 1;
    circle c = {.operand_step = data ? s : 1,
                .other_step = weights ? s : d,
                .result_step = data      ? 1
                               : weights ? d
                                         : s};
    /* What is wanted may begin before a: then a is moved, so that nothing wanted is negative. */
    c.operand_first = data ? 0 : larger(0, p - reach);
    c.result_first = data ? p : reach - p + c.operand_first;
    const int64_t end = c.operand_first + span + reach; /* of the convolution */
    const int64_t least = larger(larger(c.operand_first + span, reach + 1),
                                 larger(c.result_first + wanted, end - c.result_first));
    c.length = gm_fft_smooth_length(least, odd, 5, 1);
    return c;
}

/* ---- which algorithm ------------------------------------------------------------------------- */

static bool is_complex(const gm_conv_plan *plan) {
    return plan->x.dtype == GM_C128 || plan->x.dtype == GM_C64;
}

static double product_of(const int64_t *sizes, int count) {
    double product = 1;
    for (int i = 0; i < count; ++i) {
        product *= (double)sizes[i];
    }
    return product;
}

/* Operations of the sum, of the transforms and of the products of their spectra. */
typedef struct operations {
    double sum, transforms, products;
} operations;

static operations count_operations(const gm_conv_plan *plan) {
    const gm_tensor *x = &plan->x, *w = &plan->w, *y = &plan->y;
    const double channels = (double)x->shape[0] * (double)w->shape[0] * (double)w->shape[1];
    double entries = 1;
    for (int i = 0; i < plan->dims; ++i) {
        entries *= (double)circle_of(plan, i).length;
    }
    const double lines =
        product_of(x->shape, 2) + product_of(w->shape, 2) + product_of(y->shape, 2);
    const double parts = is_complex(plan) ? 2 : 1;
    return (operations){.sum = 2 * parts * parts * channels * product_of(y->shape + 2, plan->dims) *
                               product_of(w->shape + 2, plan->dims),
                        .transforms = parts * 2.5 * entries * log2(entries + 1) * lines,
                        .products = parts * 4 * entries * channels};
}

/* The time of an operation of a transform along one axis and along several, and of the products, in
 * that of one of the sum: measured on one core of an AMD EPYC, Zen 4, f32 and f64, 24 shapes; the
 * larger where the two differ, so that what is chosen is rarely the slower. */
static const double transform_weight[DIMS] = {2, 8, 8}, product_weight = 16;

gm_status gm_conv_fft_choose(gm_conv_plan *plan, const gm_conv_options *options, bool *chosen) {
    gm_context *context = plan->context;
    const gm_dtype dtype = plan->x.dtype;
    const bool alike = plan->w.dtype == dtype && plan->y.dtype == dtype;
    const bool possible = alike && options->math == GM_CONTRACT_STANDARD &&
                          (dtype == GM_F64 || dtype == GM_F32 || is_complex(plan));
    bool fits = true, empty = product_of(plan->x.shape, 2) * product_of(plan->w.shape, 2) == 0;
    for (int i = 0; i < plan->dims; ++i) {
        fits = fits && circle_of(plan, i).length <= GM_FFT_MAX_LENGTH;
        empty = empty || plan->x.shape[2 + i] == 0;
    }
    const bool forced = options->algorithm == GM_CONV_FFT;
    GM_CHECK(context, !forced || possible, GM_STATUS_UNSUPPORTED,
             "options.algorithm = fft takes f64, f32, c128 or c64 and standard math, not %s",
             gm_dtype_name(dtype));
    GM_CHECK(context, !forced || fits, GM_STATUS_UNSUPPORTED,
             "options.algorithm = fft: a transform would be longer than 2^30");
    const operations o = count_operations(plan);
    const double weight = transform_weight[plan->dims - 1];
    const bool quick = context->id != GM_BACKEND_REF && context->backend->fft_run != NULL;
    const bool fewer = quick && weight * o.transforms + product_weight * o.products < o.sum;
    *chosen = possible && fits && !empty && options->algorithm != GM_CONV_CONTRACTION &&
              (forced || fewer);
    const char *why = empty                                ? "nothing to sum"
                      : options->algorithm != GM_CONV_AUTO ? "asked for"
                      : !possible                          ? "the type or the math has no other"
                      : !quick                             ? "no fast transforms here"
                      : fewer                              ? "less work"
                                                           : "no less work";
    snprintf(plan->reason, sizeof plan->reason,
             "%s: %s; operations: the sum %.3g, transforms %g x %.3g, products %g x %.3g\n",
             *chosen ? "transforms" : "contraction", why, o.sum, weight, o.transforms,
             product_weight, o.products);
    return GM_STATUS_OK;
}

/* ---- the plan -------------------------------------------------------------------------------- */

/* A dense (a, b, sizes...) tensor of the padded type, or its spectrum; *bytes is rounded up. */
static gm_status lay_out(gm_conv_plan *plan, const gm_tensor *like, const int64_t *sizes,
                         gm_dtype dtype, gm_tensor *tensor, int64_t *bytes) {
    int64_t shape[2 + DIMS] = {like->shape[0], like->shape[1]}, elements;
    memcpy(shape + 2, sizes, (size_t)plan->dims * sizeof *sizes);
    GM_CHECK(plan->context,
             gm_tensor_view(NULL, dtype, like->ndim, shape, tensor) == GM_STATUS_OK &&
                 gm_tensor_elements(tensor, &elements) == GM_STATUS_OK &&
                 gm_multiply_sizes(elements, (int64_t)gm_dtype_size(dtype), bytes) &&
                 *bytes <= INT64_MAX / 16,
             GM_STATUS_INVALID_ARGUMENT, "the padded operands have over 2^59 bytes");
    *bytes = (*bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return GM_STATUS_OK;
}

/* The same memory with all frequencies as one dimension. */
static gm_tensor merged(const gm_tensor *spectrum) {
    gm_tensor view = *spectrum;
    view.ndim = 3;
    view.stride[2] = 1;
    for (int32_t axis = 3; axis < spectrum->ndim; ++axis) {
        view.shape[2] *= spectrum->shape[axis];
    }
    return view;
}

static gm_status plan_transforms(gm_conv_plan *plan, const circle *circles) {
    conv_fft *f = plan->fft;
    const bool complex_lines = is_complex(plan);
    const bool single = plan->x.dtype == GM_F32 || plan->x.dtype == GM_C64;
    gm_fft_options o = {.dtype = single ? GM_F32 : GM_F64,
                        .kind = complex_lines ? GM_FFT_FORWARD : GM_FFT_REAL_TO_COMPLEX,
                        .axis_count = plan->dims};
    for (int i = 0; i < plan->dims; ++i) {
        o.axes[i] = 2 + i;
        o.length[i] = circles[i].length;
    }
    GM_TRY(gm_fft_plan_create(plan->context, &o, &f->forward));
    o.kind = complex_lines ? GM_FFT_INVERSE : GM_FFT_COMPLEX_TO_REAL;
    GM_TRY(gm_fft_plan_create(plan->context, &o, &f->inverse));
    int64_t forward, inverse;
    GM_TRY(gm_fft_workspace_size(f->forward, &forward));
    GM_TRY(gm_fft_workspace_size(f->inverse, &inverse));
    f->transform_bytes = larger(forward, inverse);
    return GM_STATUS_OK;
}

/* The three on the circle, and their spectra. */
static gm_status plan_tensors(gm_conv_plan *plan, const circle *circles) {
    conv_fft *f = plan->fft;
    const bool forward = plan->operation == GM_CONV_FORWARD, data = plan->operation == GM_CONV_DATA;
    const gm_tensor *operand = data ? &plan->y : &plan->x;
    const gm_tensor *other = forward || data ? &plan->w : &plan->y;
    const gm_tensor *target = forward ? &plan->y : data ? &plan->x : &plan->w;
    const bool turn_other = data ? plan->flip : forward ? !plan->flip : true;
    int64_t length[DIMS], half[DIMS], first[2][DIMS] = {{0}}, step[2][DIMS];
    for (int i = 0; i < plan->dims; ++i) {
        const circle *c = &circles[i];
        length[i] = half[i] = c->length;
        first[0][i] = c->operand_first;
        step[0][i] = c->operand_step;
        step[1][i] = c->other_step;
    }
    if (!is_complex(plan)) {
        half[plan->dims - 1] = gm_fft_half(length[plan->dims - 1]);
    }
    GM_TRY(gm_conv_plan_copy(plan->context, plan->dims, &(placed_view){*operand, 0}, length,
                             first[0], step[0], &f->operand));
    const placed_view source =
        turn_other ? gm_conv_reversed(other, plan->dims) : (placed_view){*other, 0};
    GM_TRY(gm_conv_plan_copy(plan->context, plan->dims, &source, length, first[1], step[1],
                             &f->other));
    const gm_dtype dtype = plan->x.dtype;
    const gm_dtype spectral = dtype == GM_F32 || dtype == GM_C64 ? GM_C64 : GM_C128;
    int64_t result_bytes;
    GM_TRY(lay_out(plan, target, length, dtype, &f->result, &result_bytes));
    GM_TRY(lay_out(plan, operand, half, spectral, &f->operand_spectrum, &f->spectrum_bytes[0]));
    GM_TRY(lay_out(plan, other, half, spectral, &f->other_spectrum, &f->spectrum_bytes[1]));
    GM_TRY(lay_out(plan, target, half, spectral, &f->result_spectrum, &f->spectrum_bytes[2]));
    f->padded_bytes = larger(larger(f->operand.bytes, f->other.bytes), result_bytes);
    gm_tensor taken = f->result;
    int64_t offset = 0;
    for (int i = 0; i < plan->dims; ++i) {
        taken.shape[2 + i] = target->shape[2 + i];
        offset += taken.stride[2 + i] * circles[i].result_first;
        taken.stride[2 + i] *= circles[i].result_step;
    }
    const bool turn_result = plan->operation == GM_CONV_WEIGHTS && plan->flip;
    f->taken = turn_result ? gm_conv_reversed(&taken, plan->dims) : (placed_view){taken, 0};
    f->taken.offset += offset * (int64_t)gm_dtype_size(dtype);
    return GM_STATUS_OK;
}

static gm_status plan_product(gm_conv_plan *plan, const gm_conv_options *options) {
    static const char *const products[] = {"ngcf,gocf->ngof", "ngof,gocf->ngcf", "ngcf,ngof->gocf"};
    static const char *const copies[] = {"ncx->ncx", "ncxy->ncxy", "ncxyz->ncxyz"};
    conv_fft *f = plan->fft;
    const bool weights = plan->operation == GM_CONV_WEIGHTS;
    const gm_tensor spectra[] = {merged(&f->operand_spectrum), merged(&f->other_spectrum),
                                 merged(&f->result_spectrum)};
    const gm_tensor inputs[] = {gm_conv_split_groups(&spectra[0], 1, plan->groups),
                                gm_conv_split_groups(&spectra[1], weights ? 1 : 0, plan->groups)};
    const gm_tensor output = gm_conv_split_groups(&spectra[2], weights ? 0 : 1, plan->groups);
    GM_TRY(gm_contract_plan_create(plan->context, products[plan->operation], 2, inputs, &output,
                                   NULL, &f->product));
    const gm_contract_options last = {.epilogue = options->epilogue};
    const gm_tensor *target = plan->operation == GM_CONV_FORWARD ? &plan->y
                              : weights                          ? &plan->w
                                                                 : &plan->x;
    GM_TRY(gm_contract_plan_create(plan->context, copies[plan->dims - 1], 1, &f->taken.view, target,
                                   &last, &f->extract));
    const gm_contract_plan *const steps[] = {f->operand.clear, f->operand.copy, f->other.clear,
                                             f->other.copy,    f->product,      f->extract};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; ++i) {
        const size_t bytes = gm_contract_workspace(steps[i]);
        f->scratch = bytes > f->scratch ? bytes : f->scratch;
    }
    return GM_STATUS_OK;
}

gm_status gm_conv_fft_plan(gm_conv_plan *plan, const gm_conv_options *options) {
    circle circles[DIMS];
    plan->fft = calloc(1, sizeof *plan->fft);
    GM_CHECK(plan->context, plan->fft != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    for (int i = 0; i < plan->dims; ++i) {
        circles[i] = circle_of(plan, i);
    }
    GM_TRY(plan_transforms(plan, circles));
    GM_TRY(plan_tensors(plan, circles));
    return plan_product(plan, options);
}

void gm_conv_fft_destroy(conv_fft *fft) {
    if (fft == NULL) {
        return;
    }
    gm_conv_destroy_copy(&fft->operand);
    gm_conv_destroy_copy(&fft->other);
    gm_fft_plan_destroy(fft->forward);
    gm_fft_plan_destroy(fft->inverse);
    gm_contract_plan_destroy(fft->product);
    gm_contract_plan_destroy(fft->extract);
    free(fft);
}

size_t gm_conv_fft_workspace(const conv_fft *fft) {
    return (size_t)(fft->padded_bytes + fft->spectrum_bytes[0] + fft->spectrum_bytes[1] +
                    fft->spectrum_bytes[2] + fft->transform_bytes) +
           fft->scratch;
}

const char *gm_conv_fft_contraction(const conv_fft *fft) {
    return gm_contract_explain(fft->product);
}

/* ---- execution ------------------------------------------------------------------------------- */

gm_status gm_conv_fft_execute(const gm_conv_plan *plan, const gm_contract_scale *scale,
                              const gm_tensor *operand, const gm_tensor *other,
                              const gm_tensor *target, void *workspace) {
    const conv_fft *f = plan->fft;
    GM_TRY(
        gm_check_disjoint(plan->context, "the result", target, "the other operand", other, false));
    GM_CHECK(plan->context, (uintptr_t)workspace % ALIGNMENT == 0, GM_STATUS_INVALID_ARGUMENT,
             "workspace is not aligned to 64 bytes");
    char *padded = workspace, *spectrum = padded + f->padded_bytes;
    gm_tensor whole[] = {f->operand.whole, f->other.whole, f->result};
    gm_tensor spectra[] = {f->operand_spectrum, f->other_spectrum, f->result_spectrum};
    for (int i = 0; i < 3; ++i) {
        whole[i].data = padded;
        spectra[i].data = spectrum;
        spectrum += f->spectrum_bytes[i];
    }
    void *room = spectrum, *scratch = spectrum + f->transform_bytes;
    GM_TRY(gm_conv_make_copy(&f->operand, operand, padded, scratch, f->scratch));
    GM_TRY(gm_fft_execute(f->forward, &whole[0], room, f->transform_bytes, &spectra[0]));
    GM_TRY(gm_conv_make_copy(&f->other, other, padded, scratch, f->scratch));
    GM_TRY(gm_fft_execute(f->forward, &whole[1], room, f->transform_bytes, &spectra[1]));
    const bool weights = plan->operation == GM_CONV_WEIGHTS;
    const gm_tensor merges[] = {merged(&spectra[0]), merged(&spectra[1]), merged(&spectra[2])};
    const gm_tensor inputs[] = {gm_conv_split_groups(&merges[0], 1, plan->groups),
                                gm_conv_split_groups(&merges[1], weights ? 1 : 0, plan->groups)};
    const gm_tensor output = gm_conv_split_groups(&merges[2], weights ? 0 : 1, plan->groups);
    GM_TRY(gm_contract_execute(f->product, NULL, inputs, NULL, &output, scratch, f->scratch));
    GM_TRY(gm_fft_execute(f->inverse, &spectra[2], room, f->transform_bytes, &whole[2]));
    const gm_tensor taken = gm_conv_at(&f->taken, padded);
    return gm_contract_execute(f->extract, scale, &taken,
                               scale != NULL && scale->beta != 0 ? target : NULL, target, scratch,
                               f->scratch);
}

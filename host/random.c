/* gm_random_fill_*: checks, quick return, dispatch. */
#include <genmath/random.h>

#include <math.h>
#include <string.h>

#include <genmath/philox.h>

#include "host/internal.h"
#include "host/layout.h"
#include "host/random_args.h"

/* The axes that are left of out's, merged as far as one stride can walk them. */
static void store_layout(gm_random_fill_args *args, const gm_tensor *out) {
    gm_layout layout = gm_layout_begin(1);
    for (int32_t axis = 0; axis < out->ndim; ++axis) {
        gm_layout_add(&layout, out->shape[axis], &out->stride[axis]);
    }
    args->axes = layout.axes;
    memcpy(args->shape, layout.shape, sizeof args->shape);
    memcpy(args->stride, layout.stride[0], sizeof args->stride);
}

/* A parameter in the type of out: too large a double is infinite as a float. */
static double in_type_of(const gm_tensor *out, double value) {
    return out != NULL && out->dtype == GM_F32 ? (double)(float)value : value;
}

/* What all fills share; kind, distribution and, for cuRAND, subsequence are in args already. */
static gm_status fill(gm_context *context, gm_random_fill_args *args, const gm_tensor *out,
                      unsigned dtypes) {
    GM_TRY(gm_check_output(context, "out", out, out != NULL ? out->ndim : 0, dtypes));
    GM_TRY(gm_tensor_elements(out, &args->elements));
    GM_CHECK(context, args->stream <= 255, GM_STATUS_INVALID_ARGUMENT,
             "stream.stream = %u: must be 0 to 255", (unsigned)args->stream);
    GM_CHECK(context,
             args->elements == 0 || args->first <= UINT64_MAX - (uint64_t)args->elements + 1,
             GM_STATUS_INVALID_ARGUMENT,
             "the first element %llu and the number of elements %lld add up to more than 2^64",
             (unsigned long long)args->first, (long long)args->elements);
    if (args->elements == 0) {
        return GM_STATUS_OK;
    }
    args->dtype = out->dtype;
    args->offset_f32 = (float)args->offset;
    args->scale_f32 = (float)args->scale;
    args->data = out->data;
    store_layout(args, out);
    const gm_backend *backend = GM_BACKEND_WITH(context, random_fill);
    return backend == NULL ? GM_STATUS_UNSUPPORTED : backend->random_fill(&context->call, args);
}

static gm_status fill_stream(gm_context *context, const gm_random_stream *stream,
                             gm_random_fill_args *args, const gm_tensor *out, unsigned dtypes) {
    GM_CHECK(context, stream != NULL, GM_STATUS_INVALID_ARGUMENT, "stream is NULL");
    args->seed = stream->seed;
    args->first = stream->index;
    args->stream = stream->stream;
    return fill(context, args, out, dtypes);
}

gm_status gm_random_fill_u32(gm_context *context, const gm_random_stream *stream,
                             const gm_tensor *out) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    gm_random_fill_args args = {.kind = GM_RANDOM_U32};
    return fill_stream(context, stream, &args, out, GM_DTYPE_BIT(GM_U32));
}

gm_status gm_random_fill_uniform(gm_context *context, const gm_random_stream *stream, double low,
                                 double high, const gm_tensor *out) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    const double offset = in_type_of(out, low);
    const double scale = in_type_of(out, in_type_of(out, high) - offset);
    GM_CHECK(context, isfinite(low) && isfinite(high) && isfinite(scale) && scale > 0,
             GM_STATUS_INVALID_ARGUMENT,
             "low = %g, high = %g: must be finite, low < high, also in the type of out", low, high);
    gm_random_fill_args args = {.kind = GM_RANDOM_UNIFORM, .offset = offset, .scale = scale};
    return fill_stream(context, stream, &args, out, GM_FLOATS);
}

gm_status gm_random_fill_normal(gm_context *context, const gm_random_stream *stream, double mean,
                                double deviation, const gm_tensor *out) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, isfinite(in_type_of(out, mean)), GM_STATUS_INVALID_ARGUMENT,
             "mean = %g: must be finite", mean);
    GM_CHECK(context, isfinite(in_type_of(out, deviation)) && deviation >= 0,
             GM_STATUS_INVALID_ARGUMENT, "deviation = %g: must be finite and >= 0", deviation);
    gm_random_fill_args args = {.kind = GM_RANDOM_NORMAL, .offset = mean, .scale = deviation};
    return fill_stream(context, stream, &args, out, GM_FLOATS);
}

gm_status gm_random_fill_exponential(gm_context *context, const gm_random_stream *stream,
                                     double mean, const gm_tensor *out) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, isfinite(in_type_of(out, mean)) && in_type_of(out, mean) > 0,
             GM_STATUS_INVALID_ARGUMENT, "mean = %g: must be finite and > 0", mean);
    gm_random_fill_args args = {.kind = GM_RANDOM_EXPONENTIAL, .scale = mean};
    return fill_stream(context, stream, &args, out, GM_FLOATS);
}

gm_status gm_random_fill_bernoulli(gm_context *context, const gm_random_stream *stream,
                                   double probability, const gm_tensor *out) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, probability >= 0 && probability <= 1, GM_STATUS_INVALID_ARGUMENT,
             "probability = %g: must be in [0, 1]", probability);
    gm_random_fill_args args = {.kind = GM_RANDOM_BERNOULLI,
                                .bound = gm_bernoulli_threshold(probability)};
    return fill_stream(context, stream, &args, out, GM_DTYPE_BIT(GM_U8) | GM_DTYPE_BIT(GM_BOOL));
}

gm_status gm_random_fill_integers(gm_context *context, const gm_random_stream *stream, int64_t low,
                                  int64_t high, const gm_tensor *out) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, low < high, GM_STATUS_INVALID_ARGUMENT,
             "low = %lld, high = %lld: must be low < high", (long long)low, (long long)high);
    const uint64_t span = (uint64_t)high - (uint64_t)low;
    GM_CHECK(context, span <= UINT64_C(1) << 32, GM_STATUS_INVALID_ARGUMENT,
             "low = %lld, high = %lld: more than 2^32 values", (long long)low, (long long)high);
    const gm_dtype dtype = out != NULL ? out->dtype : GM_I64;
    const int64_t least = dtype == GM_U32 ? 0 : dtype == GM_I32 ? INT32_MIN : INT64_MIN;
    const int64_t most = dtype == GM_U32 ? UINT32_MAX : dtype == GM_I32 ? INT32_MAX : INT64_MAX;
    GM_CHECK(context, low >= least && high - 1 <= most, GM_STATUS_INVALID_ARGUMENT,
             "low = %lld, high = %lld: not all values fit %s", (long long)low, (long long)high,
             gm_dtype_name(dtype));
    gm_random_fill_args args = {.kind = GM_RANDOM_INTEGERS, .bound = span, .low = low};
    return fill_stream(context, stream, &args, out,
                       GM_DTYPE_BIT(GM_I32) | GM_DTYPE_BIT(GM_U32) | GM_DTYPE_BIT(GM_I64));
}

gm_status gm_random_fill_curand_u32(gm_context *context, uint64_t seed, uint64_t subsequence,
                                    uint64_t offset, const gm_tensor *out) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    gm_random_fill_args args = {
        .kind = GM_RANDOM_CURAND_U32, .seed = seed, .subsequence = subsequence, .first = offset};
    return fill(context, &args, out, GM_DTYPE_BIT(GM_U32));
}

gm_status gm_random_fill_curand_uniform(gm_context *context, uint64_t seed, uint64_t subsequence,
                                        uint64_t offset, const gm_tensor *out) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    gm_random_fill_args args = {.kind = GM_RANDOM_CURAND_UNIFORM,
                                .seed = seed,
                                .subsequence = subsequence,
                                .first = offset};
    return fill(context, &args, out, GM_FLOATS);
}

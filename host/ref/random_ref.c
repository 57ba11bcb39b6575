/* gm_random_fill_*: one element at a time, in row-major order, each drawn on its own by its number.
 */
#include <genmath/philox.h>

#include "host/random_args.h"
#include "host/ref/ref.h"

/* Where element e lies: its coordinates, last axis fastest, times the strides. */
static int64_t element_offset(const gm_random_fill_args *args, int64_t e) {
    int64_t offset = 0;
    for (int32_t axis = args->axes - 1; axis >= 0; --axis) {
        offset += e % args->shape[axis] * args->stride[axis];
        e /= args->shape[axis];
    }
    return offset;
}

/* The word that draw p takes where a draw is one word. */
static uint32_t word_of_draw(const gm_random_fill_args *args, uint64_t p) {
    const gm_words words = gm_philox_block(args->seed, p / 4, args->stream, 0);
    return gm_word(words, (uint32_t)(p % 4));
}

static float draw_f32(const gm_random_fill_args *args, uint64_t p) {
    switch (args->kind) {
    case GM_RANDOM_UNIFORM:
        return gm_uniform_f32(word_of_draw(args, p));
    case GM_RANDOM_NORMAL:
        return gm_normal_f32(args->seed, p / 4, args->stream, p % 4);
    default:
        return gm_exponential_f32(word_of_draw(args, p));
    }
}

static double draw_f64(const gm_random_fill_args *args, uint64_t p) {
    const gm_words words = gm_philox_block(args->seed, p / 2, args->stream, 0);
    const uint32_t high = p % 2 == 0 ? words.w0 : words.w2, low = p % 2 == 0 ? words.w1 : words.w3;
    switch (args->kind) {
    case GM_RANDOM_UNIFORM:
        return gm_uniform_f64(high, low);
    case GM_RANDOM_NORMAL:
        return gm_normal_f64(args->seed, p / 2, args->stream, p % 2);
    default:
        return gm_exponential_f64(high, low);
    }
}

static int64_t draw_integer(const gm_random_fill_args *args, uint64_t p) {
    return args->low + (int64_t)gm_bounded_u32(args->seed, p / 4, args->stream, p % 4, args->bound);
}

static void store(const gm_random_fill_args *args, int64_t offset, uint64_t p, uint64_t e) {
    switch (args->kind) {
    case GM_RANDOM_U32:
        ((uint32_t *)args->data)[offset] = word_of_draw(args, p);
        break;
    case GM_RANDOM_UNIFORM:
    case GM_RANDOM_NORMAL:
    case GM_RANDOM_EXPONENTIAL:
        if (args->dtype == GM_F32) {
            ((float *)args->data)[offset] =
                gm_fma_f32(args->scale_f32, draw_f32(args, p), args->offset_f32);
        } else {
            ((double *)args->data)[offset] =
                gm_fma_f64(args->scale, draw_f64(args, p), args->offset);
        }
        break;
    case GM_RANDOM_BERNOULLI:
        ((uint8_t *)args->data)[offset] = (uint8_t)gm_bernoulli(word_of_draw(args, p), args->bound);
        break;
    case GM_RANDOM_INTEGERS:
        if (args->dtype == GM_I64) {
            ((int64_t *)args->data)[offset] = draw_integer(args, p);
        } else {
            ((uint32_t *)args->data)[offset] = (uint32_t)draw_integer(args, p);
        }
        break;
    case GM_RANDOM_CURAND_U32:
        ((uint32_t *)args->data)[offset] =
            gm_curand_philox_u32(args->seed, args->subsequence, args->first, e);
        break;
    case GM_RANDOM_CURAND_UNIFORM: {
        const uint32_t word = gm_curand_philox_u32(args->seed, args->subsequence, args->first, e);
        if (args->dtype == GM_F32) {
            ((float *)args->data)[offset] = gm_curand_uniform_f32(word);
        } else {
            ((double *)args->data)[offset] = gm_curand_uniform_f64(word);
        }
        break;
    }
    }
}

gm_status gm_ref_random_fill(gm_call *call, const gm_random_fill_args *args) {
    for (int64_t e = 0; e < args->elements; ++e) {
        store(args, element_offset(args, e), args->first + (uint64_t)e, (uint64_t)e);
    }
    call->kernel = "random_fill_ref";
    return GM_STATUS_OK;
}

/*
 * gm_random_fill_* on the CPU. The sequence is cut into batches of 256 Philox blocks at fixed
 * places, whatever element a call begins with. A batch is made in two steps through the first-level
 * cache: its words in the order of the draws, then from them the elements. A contiguous tensor gets
 * whole batches where they belong, everything else goes through a buffer.
 */
#include <string.h>

#include <genmath/philox.h>

#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/random_args.h"

#if GM_HAVE_X86_TARGETS
#include <immintrin.h>
#endif

enum {
    BATCH = 256,          /* Philox blocks */
    WORDS = 4 * BATCH,    /* of a batch */
    BATCHES_PER_TASK = 64 /* of gm_parallel_for: tens of microseconds */
};

/* Counter words 2 and 3 and the key: the same for all blocks of a call. */
typedef struct philox_constants {
    uint32_t c2, c3, key0, key1;
} philox_constants;

/* ---- the words ---------------------------------------------------------------------------------
 */

static void words_base(uint64_t index, const philox_constants *c, uint32_t *words) {
    for (int i = 0; i < BATCH; ++i) {
        const uint64_t counter = index + (uint64_t)i;
        const gm_words w = gm_philox4x32_10((uint32_t)counter, (uint32_t)(counter >> 32), c->c2,
                                            c->c3, c->key0, c->key1);
        memcpy(words + 4 * i, &w, sizeof w);
    }
}

#if GM_HAVE_X86_TARGETS
/*
 * By intrinsics, because gcc does not see that the product of two zero-extended words is one
 * vpmuludq and multiplies all 64 bits (three times the work on AVX2). The low half of a lane is the
 * word; two vectors at a time, or four where there are registers for them, hide the latency of the
 * product.
 */
GM_TARGET_AVX2 static void words_avx2(uint64_t index, const philox_constants *c, uint32_t *words) {
    const __m256i m0 = _mm256_set1_epi64x((long long)GM_PHILOX_MULTIPLIER_0);
    const __m256i m1 = _mm256_set1_epi64x((long long)GM_PHILOX_MULTIPLIER_1);
    for (int i = 0; i < BATCH; i += 8) {
        __m256i x0[2], x1[2], x2[2], x3[2];
        for (int v = 0; v < 2; ++v) {
            const long long first = (long long)(index + (uint64_t)(i + 4 * v));
            x0[v] = _mm256_add_epi64(_mm256_set1_epi64x(first), _mm256_setr_epi64x(0, 1, 2, 3));
            x1[v] = _mm256_srli_epi64(x0[v], 32);
            x2[v] = _mm256_set1_epi64x((long long)c->c2);
            x3[v] = _mm256_set1_epi64x((long long)c->c3);
        }
        uint32_t key0 = c->key0, key1 = c->key1;
        for (int round = 0; round < 10; ++round) {
            const __m256i k0 = _mm256_set1_epi64x((long long)key0);
            const __m256i k1 = _mm256_set1_epi64x((long long)key1);
            for (int v = 0; v < 2; ++v) {
                const __m256i p0 = _mm256_mul_epu32(x0[v], m0), p1 = _mm256_mul_epu32(x2[v], m1);
                x0[v] = _mm256_xor_si256(_mm256_srli_epi64(p1, 32), _mm256_xor_si256(x1[v], k0));
                x2[v] = _mm256_xor_si256(_mm256_srli_epi64(p0, 32), _mm256_xor_si256(x3[v], k1));
                x1[v] = p1;
                x3[v] = p0;
            }
            key0 += GM_PHILOX_KEY_STEP_0;
            key1 += GM_PHILOX_KEY_STEP_1;
        }
        for (int v = 0; v < 2; ++v) {
            /* Words 0 and 1, and 2 and 3, share a lane; then the two lanes of a block meet. */
            const __m256i w01 = _mm256_blend_epi32(x0[v], _mm256_slli_epi64(x1[v], 32), 0xaa);
            const __m256i w23 = _mm256_blend_epi32(x2[v], _mm256_slli_epi64(x3[v], 32), 0xaa);
            const __m256i even = _mm256_unpacklo_epi64(w01, w23);
            const __m256i odd = _mm256_unpackhi_epi64(w01, w23);
            __m256i *out = (__m256i *)(void *)(words + 4 * (i + 4 * v));
            _mm256_storeu_si256(out, _mm256_permute2x128_si256(even, odd, 0x20));
            _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(even, odd, 0x31));
        }
    }
}

GM_TARGET_AVX512 static void words_avx512(uint64_t index, const philox_constants *c,
                                          uint32_t *words) {
    const __m512i m0 = _mm512_set1_epi64((long long)GM_PHILOX_MULTIPLIER_0);
    const __m512i m1 = _mm512_set1_epi64((long long)GM_PHILOX_MULTIPLIER_1);
    const __m512i lower = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i upper = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    for (int i = 0; i < BATCH; i += 32) {
        __m512i x0[4], x1[4], x2[4], x3[4];
        for (int v = 0; v < 4; ++v) {
            const long long first = (long long)(index + (uint64_t)(i + 8 * v));
            x0[v] = _mm512_add_epi64(_mm512_set1_epi64(first),
                                     _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
            x1[v] = _mm512_srli_epi64(x0[v], 32);
            x2[v] = _mm512_set1_epi64((long long)c->c2);
            x3[v] = _mm512_set1_epi64((long long)c->c3);
        }
        uint32_t key0 = c->key0, key1 = c->key1;
        for (int round = 0; round < 10; ++round) {
            const __m512i k0 = _mm512_set1_epi64((long long)key0);
            const __m512i k1 = _mm512_set1_epi64((long long)key1);
            for (int v = 0; v < 4; ++v) {
                const __m512i p0 = _mm512_mul_epu32(x0[v], m0), p1 = _mm512_mul_epu32(x2[v], m1);
                /* 0x96: the exclusive or of three */
                x0[v] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), x1[v], k0, 0x96);
                x2[v] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), x3[v], k1, 0x96);
                x1[v] = p1;
                x3[v] = p0;
            }
            key0 += GM_PHILOX_KEY_STEP_0;
            key1 += GM_PHILOX_KEY_STEP_1;
        }
        for (int v = 0; v < 4; ++v) {
            const __m512i w01 =
                _mm512_mask_blend_epi32(0xaaaa, x0[v], _mm512_slli_epi64(x1[v], 32));
            const __m512i w23 =
                _mm512_mask_blend_epi32(0xaaaa, x2[v], _mm512_slli_epi64(x3[v], 32));
            uint32_t *out = words + 4 * (i + 8 * v);
            _mm512_storeu_si512(out, _mm512_permutex2var_epi64(w01, lower, w23));
            _mm512_storeu_si512(out + 16, _mm512_permutex2var_epi64(w01, upper, w23));
        }
    }
}
#endif

/* ---- from words to elements ---------------------------------------------------------------------
 */

GM_INLINE void uniform_f32(const gm_random_fill_args *args, const uint32_t *words, float *out) {
    const float scale = args->scale_f32, offset = args->offset_f32;
    GM_LANE_LOOP
    for (int i = 0; i < WORDS; ++i) {
        out[i] = gm_fma_f32(scale, gm_uniform_f32(words[i]), offset);
    }
}

GM_INLINE void uniform_f64(const gm_random_fill_args *args, const uint32_t *words, double *out) {
    const double scale = args->scale, offset = args->offset;
    GM_LANE_LOOP
    for (int i = 0; i < WORDS / 2; ++i) {
        out[i] = gm_fma_f64(scale, gm_uniform_f64(words[2 * i], words[2 * i + 1]), offset);
    }
}

GM_INLINE void exponential_f32(const gm_random_fill_args *args, const uint32_t *words, float *out) {
    const float scale = args->scale_f32, offset = args->offset_f32;
    GM_LANE_LOOP
    for (int i = 0; i < WORDS; ++i) {
        out[i] = gm_fma_f32(scale, gm_exponential_f32(words[i]), offset);
    }
}

GM_INLINE void exponential_f64(const gm_random_fill_args *args, const uint32_t *words,
                               double *out) {
    const double scale = args->scale, offset = args->offset;
    GM_LANE_LOOP
    for (int i = 0; i < WORDS / 2; ++i) {
        out[i] = gm_fma_f64(scale, gm_exponential_f64(words[2 * i], words[2 * i + 1]), offset);
    }
}

GM_INLINE void normal_f32(const gm_random_fill_args *args, const uint32_t *words, float *out) {
    const float scale = args->scale_f32, offset = args->offset_f32;
    GM_LANE_LOOP
    for (int i = 0; i < WORDS / 2; ++i) {
        float z0, z1;
        gm_box_muller_f32(words[2 * i], words[2 * i + 1], &z0, &z1);
        out[2 * i] = gm_fma_f32(scale, z0, offset);
        out[2 * i + 1] = gm_fma_f32(scale, z1, offset);
    }
}

GM_INLINE void normal_f64(const gm_random_fill_args *args, const uint32_t *words, double *out) {
    const double scale = args->scale, offset = args->offset;
    GM_LANE_LOOP
    for (int i = 0; i < BATCH; ++i) {
        const gm_words w = {words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]};
        double z0, z1;
        gm_box_muller_f64(w, &z0, &z1);
        out[2 * i] = gm_fma_f64(scale, z0, offset);
        out[2 * i + 1] = gm_fma_f64(scale, z1, offset);
    }
}

GM_INLINE void bernoulli(const gm_random_fill_args *args, const uint32_t *words, uint8_t *out) {
    const uint64_t threshold = args->bound;
    GM_LANE_LOOP
    for (int i = 0; i < WORDS; ++i) {
        out[i] = (uint8_t)gm_bernoulli(words[i], threshold);
    }
}

/* The first tries; true if all were accepted. */
GM_INLINE bool integers_i32(const gm_random_fill_args *args, const uint32_t *words, uint32_t *out) {
    const uint64_t bound = args->bound;
    const uint32_t refused = gm_bounded_refused(bound), low = (uint32_t)args->low;
    uint32_t refusals = 0;
    GM_LANE_LOOP
    for (int i = 0; i < WORDS; ++i) {
        int accept;
        out[i] = low + gm_bounded_try(words[i], bound, refused, &accept);
        refusals |= accept ? 0u : 1u;
    }
    return refusals == 0;
}

GM_INLINE bool integers_i64(const gm_random_fill_args *args, const uint32_t *words, int64_t *out) {
    const uint64_t bound = args->bound;
    const uint32_t refused = gm_bounded_refused(bound);
    const int64_t low = args->low;
    uint32_t refusals = 0;
    GM_LANE_LOOP
    for (int i = 0; i < WORDS; ++i) {
        int accept;
        out[i] = low + (int64_t)gm_bounded_try(words[i], bound, refused, &accept);
        refusals |= accept ? 0u : 1u;
    }
    return refusals == 0;
}

GM_INLINE void curand_f32(const uint32_t *words, float *out) {
    GM_LANE_LOOP
    for (int i = 0; i < WORDS; ++i) {
        out[i] = gm_curand_uniform_f32(words[i]);
    }
}

GM_INLINE void curand_f64(const uint32_t *words, double *out) {
    GM_LANE_LOOP
    for (int i = 0; i < WORDS; ++i) {
        out[i] = gm_curand_uniform_f64(words[i]);
    }
}

/* The elements of a batch; false if integers were refused and must be drawn one by one. */
GM_INLINE bool convert(const gm_random_fill_args *args, const uint32_t *words, void *out) {
    const bool single = args->dtype == GM_F32;
    switch (args->kind) {
    case GM_RANDOM_U32:
    case GM_RANDOM_CURAND_U32:
        memcpy(out, words, WORDS * sizeof *words);
        return true;
    case GM_RANDOM_UNIFORM:
        single ? uniform_f32(args, words, out) : uniform_f64(args, words, out);
        return true;
    case GM_RANDOM_NORMAL:
        single ? normal_f32(args, words, out) : normal_f64(args, words, out);
        return true;
    case GM_RANDOM_EXPONENTIAL:
        single ? exponential_f32(args, words, out) : exponential_f64(args, words, out);
        return true;
    case GM_RANDOM_BERNOULLI:
        bernoulli(args, words, out);
        return true;
    case GM_RANDOM_INTEGERS:
        return args->dtype == GM_I64 ? integers_i64(args, words, out)
                                     : integers_i32(args, words, out);
    case GM_RANDOM_CURAND_UNIFORM:
        single ? curand_f32(words, out) : curand_f64(words, out);
        return true;
    }
    return true;
}

GM_TARGET_BASE static bool convert_base(const gm_random_fill_args *args, const uint32_t *words,
                                        void *out) {
    return convert(args, words, out);
}

#if GM_HAVE_X86_TARGETS
GM_TARGET_AVX2 static bool convert_avx2(const gm_random_fill_args *args, const uint32_t *words,
                                        void *out) {
    return convert(args, words, out);
}

GM_TARGET_AVX512 static bool convert_avx512(const gm_random_fill_args *args, const uint32_t *words,
                                            void *out) {
    return convert(args, words, out);
}
#endif

typedef struct fill_path {
    const char *name;
    void (*words)(uint64_t index, const philox_constants *c, uint32_t *words);
    bool (*convert)(const gm_random_fill_args *args, const uint32_t *words, void *out);
} fill_path;

static const fill_path paths[] = {
    [GM_ISA_AUTO] = {"random_fill_base", words_base, convert_base},
    [GM_ISA_BASE] = {"random_fill_base", words_base, convert_base},
#if GM_HAVE_X86_TARGETS
    [GM_ISA_AVX2] = {"random_fill_avx2", words_avx2, convert_avx2},
    [GM_ISA_AVX512] = {"random_fill_avx512", words_avx512, convert_avx512},
#endif
};

/* ---- batches -----------------------------------------------------------------------------------
 */

typedef struct fill_job {
    const gm_random_fill_args *args;
    const fill_path *path;
    philox_constants constants;
    uint64_t draws;       /* of a batch: elements, 4 or 2 for each block */
    uint64_t first_batch; /* number of the batch that holds the first element */
    int64_t batches;
    size_t size; /* bytes of an element */
} fill_job;

/* The integers of a batch whose first word was refused, drawn to the end. */
static void repeat_integers(const gm_random_fill_args *args, uint64_t batch, const uint32_t *words,
                            void *out) {
    const uint32_t refused = gm_bounded_refused(args->bound);
    for (uint64_t i = 0; i < WORDS; ++i) {
        int accept;
        gm_bounded_try(words[i], args->bound, refused, &accept);
        if (!accept) {
            const uint32_t value =
                gm_bounded_u32(args->seed, batch * BATCH + i / 4, args->stream, i % 4, args->bound);
            if (args->dtype == GM_I64) {
                ((int64_t *)out)[i] = args->low + (int64_t)value;
            } else {
                ((uint32_t *)out)[i] = (uint32_t)args->low + value;
            }
        }
    }
}

static void make_batch(const fill_job *job, uint64_t batch, void *out) {
    _Alignas(64) uint32_t words[WORDS];
    job->path->words(batch * BATCH, &job->constants, words);
    if (!job->path->convert(job->args, words, out)) {
        repeat_integers(job->args, batch, words, out);
    }
}

static void copy_strided(char *to, int64_t stride, const char *from, size_t size, int64_t count) {
    if (stride == 1) {
        memcpy(to, from, (size_t)count * size);
    } else if (size == 8) {
        for (int64_t i = 0; i < count; ++i) {
            ((uint64_t *)(void *)to)[i * stride] = ((const uint64_t *)(const void *)from)[i];
        }
    } else if (size == 4) {
        for (int64_t i = 0; i < count; ++i) {
            ((uint32_t *)(void *)to)[i * stride] = ((const uint32_t *)(const void *)from)[i];
        }
    } else {
        for (int64_t i = 0; i < count; ++i) {
            to[i * stride] = from[i];
        }
    }
}

/* Puts elements e .. e + count - 1 where they lie: runs along the last axis. */
static void scatter(const fill_job *job, int64_t e, int64_t count, const char *from) {
    const gm_random_fill_args *args = job->args;
    const int32_t last = args->axes - 1;
    if (last < 0) {
        memcpy(args->data, from, job->size);
        return;
    }
    while (count > 0) {
        int64_t offset = 0, rest = e;
        for (int32_t axis = last; axis >= 0; --axis) {
            offset += rest % args->shape[axis] * args->stride[axis];
            rest /= args->shape[axis];
        }
        const int64_t left = args->shape[last] - e % args->shape[last];
        const int64_t run = left < count ? left : count;
        copy_strided((char *)args->data + offset * (int64_t)job->size, args->stride[last], from,
                     job->size, run);
        e += run;
        count -= run;
        from += (size_t)run * job->size;
    }
}

static void fill_batches(void *argument, int64_t task, int32_t thread) {
    (void)thread;
    const fill_job *job = argument;
    const gm_random_fill_args *args = job->args;
    _Alignas(64) char buffer[WORDS * sizeof(double)];
    const uint64_t first = args->first, last = first + (uint64_t)args->elements - 1;
    const bool contiguous = args->axes == 1 && args->stride[0] == 1;
    const int64_t end =
        job->batches < (task + 1) * BATCHES_PER_TASK ? job->batches : (task + 1) * BATCHES_PER_TASK;
    for (int64_t b = task * BATCHES_PER_TASK; b < end; ++b) {
        const uint64_t batch = job->first_batch + (uint64_t)b;
        /* The draws of the batch and of the call, both ends inclusive: the end may be 2^64. */
        const uint64_t low = batch * job->draws, high = low + (job->draws - 1);
        const uint64_t from = low > first ? low : first, to = high < last ? high : last;
        const int64_t e = (int64_t)(from - first);
        if (contiguous && from == low && to == high) {
            make_batch(job, batch, (char *)args->data + e * (int64_t)job->size);
        } else {
            make_batch(job, batch, buffer);
            scatter(job, e, (int64_t)(to - from) + 1, buffer + (from - low) * job->size);
        }
    }
}

gm_status gm_cpu_random_fill(gm_call *call, const gm_random_fill_args *args) {
    const bool curand =
        args->kind == GM_RANDOM_CURAND_U32 || args->kind == GM_RANDOM_CURAND_UNIFORM;
    const uint64_t draws = args->dtype == GM_F64 && !curand ? WORDS / 2 : WORDS;
    fill_job job = {.args = args,
                    .path = &paths[call->isa],
                    .constants = {.c2 = curand ? (uint32_t)args->subsequence : 0,
                                  .c3 = curand ? (uint32_t)(args->subsequence >> 32)
                                               : gm_philox_word3(args->stream, 0),
                                  .key0 = (uint32_t)args->seed,
                                  .key1 = (uint32_t)(args->seed >> 32)},
                    .draws = draws,
                    .first_batch = args->first / draws,
                    .size = gm_dtype_size(args->dtype)};
    const uint64_t last = args->first + (uint64_t)args->elements - 1;
    job.batches = (int64_t)(last / draws - job.first_batch) + 1;
    gm_parallel_for(call->pool, (job.batches + BATCHES_PER_TASK - 1) / BATCHES_PER_TASK,
                    fill_batches, &job);
    call->kernel = job.path->name;
    return GM_STATUS_OK;
}

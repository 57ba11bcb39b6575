/*
 * What this machine can do at most: the rate of fused multiply-adds with everything in registers,
 * and the rate of a copy between arrays that no cache holds. Both run on the threads of the
 * context, so that a share of a ceiling compares like with like.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <genmath/compiler.h>

#include "host/cli/bench.h"
#include "host/cli/cli.h"
#include "host/internal.h"

enum { TRIES = 5, CHAINS = 12 };

/* ---- fused multiply-add -------------------------------------------------------------------------
 */

/*
 * CHAINS independent chains: two units times a latency of four or five cycles need ten, and twelve
 * with the two operands still fit the sixteen registers of the plain architecture. The values
 * converge to 1, so nothing overflows or becomes subnormal. Vectors have the width of the
 * instruction set's registers.
 */
#define REPEAT_CHAINS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define START_CHAIN(k) vector v##k = scale * (real)(k);
#define STEP_CHAIN(k) v##k = v##k * scale + offset;
#define SUM_CHAIN(k) +v##k

#define DEFINE_CHAINS(name, target, type, bytes)                                                   \
    target static double name(int64_t steps, volatile const double *operands) {                    \
        GM_CONTRACT_FAST                                                                           \
        typedef type real;                                                                         \
        typedef type vector __attribute__((vector_size(bytes)));                                   \
        const vector scale = (vector){0} + (real)operands[0];                                      \
        const vector offset = (vector){0} + (real)operands[1];                                     \
        REPEAT_CHAINS(START_CHAIN)                                                                 \
        for (int64_t i = 0; i < steps; ++i) {                                                      \
            REPEAT_CHAINS(STEP_CHAIN)                                                              \
        }                                                                                          \
        const vector sum = REPEAT_CHAINS(SUM_CHAIN);                                               \
        return (double)sum[0];                                                                     \
    }

DEFINE_CHAINS(chains_base_f32, GM_TARGET_BASE, float, 16)
DEFINE_CHAINS(chains_base_f64, GM_TARGET_BASE, double, 16)
#if GM_HAVE_X86_TARGETS
DEFINE_CHAINS(chains_avx2_f32, GM_TARGET_AVX2, float, 32)
DEFINE_CHAINS(chains_avx2_f64, GM_TARGET_AVX2, double, 32)
DEFINE_CHAINS(chains_avx512_f32, GM_TARGET_AVX512, float, 64)
DEFINE_CHAINS(chains_avx512_f64, GM_TARGET_AVX512, double, 64)
#endif

static const struct {
    gm_isa isa;
    int vector_bytes;
    double (*f32)(int64_t, volatile const double *);
    double (*f64)(int64_t, volatile const double *);
} chains[] = {
    {GM_ISA_BASE, 16, chains_base_f32, chains_base_f64},
#if GM_HAVE_X86_TARGETS
    {GM_ISA_AVX2, 32, chains_avx2_f32, chains_avx2_f64},
    {GM_ISA_AVX512, 64, chains_avx512_f32, chains_avx512_f64},
#endif
};

typedef struct chain_job {
    double (*run)(int64_t, volatile const double *);
    int64_t steps;
    volatile double sink; /* keeps the work from being removed */
} chain_job;

static void run_chain(void *argument, int64_t block, int32_t thread) {
    static volatile const double operands[2] = {0.75, 0.25};
    (void)thread;
    chain_job *job = argument;
    const double result = job->run(job->steps, operands);
    if (block == 0) {
        job->sink = result;
    }
}

/* Best of several; the number of steps grows until a try takes long enough for the clock. */
static double measure_chain(gm_pool *pool, double (*run)(int64_t, volatile const double *),
                            int values_per_vector) {
    static const double shortest = 0.02;
    const int32_t threads = gm_pool_threads(pool);
    chain_job job = {.run = run, .steps = 100000};
    double best = 0;
    for (int tries = 0; tries < TRIES;) {
        const double start = gm_cli_seconds();
        gm_parallel_for(pool, threads, run_chain, &job);
        const double seconds = gm_cli_seconds() - start;
        if (seconds < shortest) {
            job.steps *= 2;
            continue;
        }
        const double rate =
            2.0 * CHAINS * values_per_vector * (double)job.steps * (double)threads / seconds;
        best = rate > best ? rate : best;
        ++tries;
    }
    return best;
}

/* ---- copy
 * ---------------------------------------------------------------------------------------- */

typedef struct copy_job {
    char *to;
    const char *from;
    size_t bytes, piece;
} copy_job;

static void run_copy(void *argument, int64_t block, int32_t thread) {
    (void)thread;
    const copy_job *job = argument;
    const size_t start = (size_t)block * job->piece;
    const size_t end = start + job->piece < job->bytes ? start + job->piece : job->bytes;
    if (start < end) {
        memcpy(job->to + start, job->from + start, end - start);
    }
}

static void run_touch(void *argument, int64_t block, int32_t thread) {
    (void)thread;
    copy_job *job = argument;
    const size_t start = (size_t)block * job->piece;
    const size_t end = start + job->piece < job->bytes ? start + job->piece : job->bytes;
    for (size_t i = start; i < end; ++i) {
        job->to[i] = (char)(i * 31);
    }
}

/* Four times the last cache, within what any machine can spare. */
static size_t copy_bytes(void) {
    const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    const size_t least = (size_t)64 << 20, most = (size_t)512 << 20;
    const size_t wanted = cache > 0 ? 4 * (size_t)cache : least;
    return wanted < least ? least : wanted > most ? most : wanted;
}

static double measure_copy(gm_pool *pool) {
    const size_t bytes = copy_bytes();
    const int32_t threads = gm_pool_threads(pool);
    char *a = malloc(bytes), *b = malloc(bytes);
    double best = 0;
    if (a != NULL && b != NULL) {
        copy_job job = {.bytes = bytes, .piece = bytes / (size_t)threads + 1};
        job.to = a;
        gm_parallel_for(pool, threads, run_touch,
                        &job); /* each page exists and lies near its thread */
        job.to = b;
        gm_parallel_for(pool, threads, run_touch, &job);
        job.from = a;
        for (int i = 0; i < TRIES; ++i) {
            const double start = gm_cli_seconds();
            gm_parallel_for(pool, threads, run_copy, &job);
            const double rate = 2.0 * (double)bytes / (gm_cli_seconds() - start);
            best = rate > best ? rate : best;
        }
    }
    free(a);
    free(b);
    return best;
}

gm_status gm_ceilings_measure(gm_context *context, gm_ceilings *ceilings) {
    *ceilings = (gm_ceilings){0};
    if (context->id == GM_BACKEND_CUDA || context->id == GM_BACKEND_EMU) {
        return GM_STATUS_OK;
    }
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; ++i) {
        if (chains[i].isa == context->call.isa) {
            ceilings->f32_flops_per_second =
                measure_chain(context->call.pool, chains[i].f32, chains[i].vector_bytes / 4);
            ceilings->f64_flops_per_second =
                measure_chain(context->call.pool, chains[i].f64, chains[i].vector_bytes / 8);
        }
    }
    ceilings->copy_bytes_per_second = measure_copy(context->call.pool);
    return GM_STATUS_OK;
}

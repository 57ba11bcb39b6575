/*
 * What the floating-point pipes of one core allow for Lorenz RK4: issues the operations of a step
 * on registers alone, without dependences that could stall, in the proportions of two counts of the
 * step. Prints JSON, one object a line. x86-64 with AVX2 or AVX-512 only.
 *
 *     paper      6 add + 7 mul + 31 fma, the count of a GPU profiler (arXiv 2011.01740)
 *     library    10 add + 7 mul + 27 fma, what gcc makes of gm_lanes_rk4 for that body
 *     fma        all 44 as fma: the plain multiply-add rate
 *
 * A processor with separate adders (Zen 4: 2 multiply-add and 2 add pipes) does the first two
 * faster than the last, so the count of operations alone does not give a ceiling.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#if defined(__x86_64__)
#define PASTE(x) #x
#define TEXT(x) PASTE(x)

/* Twelve accumulators of additions, products and multiply-adds each rotate through registers 2 to
 * 13, more than latency times pipes; 0 and 1 hold one and zero. */
#define ADD(width, type, r)                                                                        \
    "vadd" type " %%" width "1, %%" width TEXT(r) ", %%" width TEXT(r) "\n\t"
#define MUL(width, type, r)                                                                        \
    "vmul" type " %%" width "0, %%" width TEXT(r) ", %%" width TEXT(r) "\n\t"
#define FMA(width, type, r) "vfmadd231" type " %%" width "1, %%" width "0, %%" width TEXT(r) "\n\t"

/* A step in an order that mixes the kinds, as a scheduler would. */
#define PAPER(w, t)                                                                                \
    FMA(w, t, 2)                                                                                   \
    ADD(w, t, 3) FMA(w, t, 4) FMA(w, t, 5) MUL(w, t, 6) FMA(w, t, 7) FMA(w, t, 8) FMA(w, t, 9)     \
        ADD(w, t, 10) FMA(w, t, 11) MUL(w, t, 12) FMA(w, t, 13) FMA(w, t, 2) FMA(w, t, 3)          \
            FMA(w, t, 4) ADD(w, t, 5) FMA(w, t, 6) MUL(w, t, 7) FMA(w, t, 8) FMA(w, t, 9)          \
                FMA(w, t, 10) MUL(w, t, 11) FMA(w, t, 12) ADD(w, t, 13) FMA(w, t, 2) FMA(w, t, 3)  \
                    FMA(w, t, 4) FMA(w, t, 5) MUL(w, t, 6) FMA(w, t, 7) ADD(w, t, 8) FMA(w, t, 9)  \
                        FMA(w, t, 10) FMA(w, t, 11) MUL(w, t, 12) FMA(w, t, 13) FMA(w, t, 2)       \
                            FMA(w, t, 3) ADD(w, t, 4) FMA(w, t, 5) MUL(w, t, 6) FMA(w, t, 7)       \
                                FMA(w, t, 8) FMA(w, t, 9)

#define EVALUATION(w, t)                                                                           \
    ADD(w, t, 2) MUL(w, t, 3) ADD(w, t, 4) FMA(w, t, 5) MUL(w, t, 6) FMA(w, t, 7)
#define LIBRARY(w, t)                                                                              \
    EVALUATION(w, t)                                                                               \
    FMA(w, t, 8) FMA(w, t, 9) FMA(w, t, 10) EVALUATION(w, t) FMA(w, t, 8) FMA(w, t, 9)             \
        FMA(w, t, 10) FMA(w, t, 11) FMA(w, t, 12) FMA(w, t, 13) EVALUATION(w, t) FMA(w, t, 8)      \
            FMA(w, t, 9) FMA(w, t, 10) FMA(w, t, 11) FMA(w, t, 12) FMA(w, t, 13) ADD(w, t, 2)      \
                FMA(w, t, 3) ADD(w, t, 4) FMA(w, t, 5) MUL(w, t, 6) FMA(w, t, 7) ADD(w, t, 8)      \
                    ADD(w, t, 9) FMA(w, t, 10) FMA(w, t, 11) FMA(w, t, 12)

#define TWELVE(w, t)                                                                               \
    FMA(w, t, 2)                                                                                   \
    FMA(w, t, 3) FMA(w, t, 4) FMA(w, t, 5) FMA(w, t, 6) FMA(w, t, 7) FMA(w, t, 8) FMA(w, t, 9)     \
        FMA(w, t, 10) FMA(w, t, 11) FMA(w, t, 12) FMA(w, t, 13)
#define FUSED(w, t)                                                                                \
    TWELVE(w, t)                                                                                   \
    TWELVE(w, t) TWELVE(w, t) FMA(w, t, 2) FMA(w, t, 3) FMA(w, t, 4) FMA(w, t, 5) FMA(w, t, 6)     \
        FMA(w, t, 7) FMA(w, t, 8) FMA(w, t, 9)

#define CLOBBERS                                                                                   \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13"
#define ZERO(r) "vpxor %%xmm" TEXT(r) ", %%xmm" TEXT(r) ", %%xmm" TEXT(r) "\n\t"
#define CLEAR                                                                                      \
    ZERO(0)                                                                                        \
    ZERO(1) ZERO(2) ZERO(3) ZERO(4) ZERO(5) ZERO(6) ZERO(7) ZERO(8) ZERO(9) ZERO(10) ZERO(11)      \
        ZERO(12) ZERO(13)

#define LOOP(name, isa, body)                                                                      \
    __attribute__((target(isa))) static void name(int64_t steps) {                                 \
        __asm__ volatile(CLEAR "1:\n\t" body "dec %0\n\tjnz 1b\n\tvzeroupper"                      \
                         : "+r"(steps)                                                             \
                         :                                                                         \
                         : CLOBBERS, "cc");                                                        \
    }

LOOP(paper_avx512_f64, "avx512f", PAPER("zmm", "pd"))
LOOP(library_avx512_f64, "avx512f", LIBRARY("zmm", "pd"))
LOOP(fused_avx512_f64, "avx512f", FUSED("zmm", "pd"))
LOOP(paper_avx512_f32, "avx512f", PAPER("zmm", "ps"))
LOOP(library_avx512_f32, "avx512f", LIBRARY("zmm", "ps"))
LOOP(fused_avx512_f32, "avx512f", FUSED("zmm", "ps"))
LOOP(paper_avx2_f64, "avx2,fma", PAPER("ymm", "pd"))
LOOP(library_avx2_f64, "avx2,fma", LIBRARY("ymm", "pd"))
LOOP(fused_avx2_f64, "avx2,fma", FUSED("ymm", "pd"))
LOOP(paper_avx2_f32, "avx2,fma", PAPER("ymm", "ps"))
LOOP(library_avx2_f32, "avx2,fma", LIBRARY("ymm", "ps"))
LOOP(fused_avx2_f32, "avx2,fma", FUSED("ymm", "ps"))

typedef struct row {
    const char *isa, *dtype, *mix;
    int lanes;
    void (*run)(int64_t steps);
} row;

#define ROWS(isa, dtype, lanes)                                                                    \
    {#isa, #dtype, "paper", lanes, paper_##isa##_##dtype},                                         \
        {#isa, #dtype, "library", lanes, library_##isa##_##dtype},                                 \
        {#isa, #dtype, "fma", lanes, fused_##isa##_##dtype},

static const row rows[] = {ROWS(avx512, f64, 8) ROWS(avx512, f32, 16) ROWS(avx2, f64, 4)
                               ROWS(avx2, f32, 8)};

/* One addition a cycle on every processor of interest, each waiting for the one before. */
static double clock_rate(void) {
    double best = INFINITY;
    for (int r = 0; r < 5; ++r) {
        int64_t left = 2000000;
        const double begin = seconds();
        __asm__ volatile("1:\n\t"
                         "lea 1(%%rax), %%rax\n\tlea 1(%%rax), %%rax\n\tlea 1(%%rax), %%rax\n\t"
                         "lea 1(%%rax), %%rax\n\tlea 1(%%rax), %%rax\n\tlea 1(%%rax), %%rax\n\t"
                         "lea 1(%%rax), %%rax\n\tlea 1(%%rax), %%rax\n\tlea 1(%%rax), %%rax\n\t"
                         "lea 1(%%rax), %%rax\n\t"
                         "dec %0\n\tjnz 1b"
                         : "+r"(left)
                         :
                         : "rax", "cc");
        best = fmin(best, seconds() - begin);
    }
    return 2e7 / best;
}

int main(void) {
    __builtin_cpu_init();
    const int has_avx512 = __builtin_cpu_supports("avx512f") != 0;
    if (!__builtin_cpu_supports("avx2")) {
        fputs("ceiling: no AVX2 here\n", stderr);
        return 0;
    }
    const double clock = clock_rate();
    for (int i = 0; i < (int)(sizeof rows / sizeof rows[0]); ++i) {
        if (strcmp(rows[i].isa, "avx512") == 0 && !has_avx512) {
            continue;
        }
        enum { STEPS = 1000000 };
        double best = INFINITY;
        for (int r = 0; r < 5; ++r) {
            const double begin = seconds();
            rows[i].run(STEPS);
            best = fmin(best, seconds() - begin);
        }
        printf("{\"peer\": \"ceiling\", \"kind\": \"ceiling\", \"case\": \"rk4_lorenz\", \"isa\": "
               "\"%s\", "
               "\"dtype\": \"%s\", \"mix\": \"%s\", \"rate\": %.5g, \"unit\": \"steps/s\", "
               "\"clock_hz\": %.4g, \"cycles_per_vector_step\": %.4g}\n",
               rows[i].isa, rows[i].dtype, rows[i].mix, rows[i].lanes * (double)STEPS / best, clock,
               best * clock / STEPS);
    }
    return 0;
}
#else
int main(void) {
    fputs("ceiling: written for x86-64 only\n", stderr);
    return 0;
}
#endif

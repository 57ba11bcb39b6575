/* What the ways of few chains have in common, in which the threads share each colour of a chain in
 * spans that do not depend on their number: *_sites_cpu.c. */
#ifndef GENMATH_HOST_CPU_SITES_H
#define GENMATH_HOST_CPU_SITES_H

#include "host/internal.h"
#include "host/ising_args.h"

enum {
    GM_SITES_QUADS = 32,                 /* Philox blocks drawn at once */
    GM_SITES_DRAWN = 4 * GM_SITES_QUADS, /* positions that they are for */
    GM_SITES_SPAN = 64 * GM_SITES_DRAWN, /* positions a task: tens of microseconds */
    GM_SITES_LINE = 64                   /* bytes that no two threads write into */
};

static inline size_t gm_sites_padded(size_t bytes) {
    return (bytes + GM_SITES_LINE - 1) / GM_SITES_LINE * GM_SITES_LINE;
}

/* Tasks of a colour of so many positions. */
static inline int64_t gm_sites_tasks(int32_t count) {
    return ((int64_t)count + GM_SITES_SPAN - 1) / GM_SITES_SPAN;
}

/* The words of GM_SITES_DRAWN positions from `at` on, a multiple of four: that of position at + i
 * is words[i % 4][i / 4]. */
GM_INLINE void gm_sites_draw(uint64_t seed, uint64_t chain, uint64_t sweep, int32_t blocks,
                             int32_t at, uint32_t words[4][GM_SITES_QUADS]) {
    GM_LANE_LOOP
    for (int32_t q = 0; q < GM_SITES_QUADS; ++q) {
        const gm_words w = gm_ising_words(seed, chain, sweep, blocks, at / 4 + q);
        words[0][q] = w.w0;
        words[1][q] = w.w1;
        words[2][q] = w.w2;
        words[3][q] = w.w3;
    }
}

#endif

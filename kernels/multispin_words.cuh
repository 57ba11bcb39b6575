/*
 * Updates of a few words of a packed Ising chain by one thread: the terms of their neighbours, the
 * classes, the noise of whoever is left, and what the new spins add up to. multispin.cu has the
 * kernels and the layouts; host/multispin_word.inc the logic.
 *
 * Work: for a word of 32 updates of the square lattice about 60 operations for the neighbours and
 * classes, 3.2 Philox blocks (until all 1,024 sites of a warp are decided) of 50 operations, with
 * 12 for each of their planes to compare it, and 30 to count: 13 operations an update.
 */
#pragma once

#include "host/multispin_args.h"
#include "kernels/launch.cuh"

#define MS_WORD uint32_t
#define MS_INLINE __device__ inline
#define MS(name) name##_word
#include "host/multispin_word.inc"

namespace gm {
namespace {

constexpr int WIDE = 4; /* words of a thread of multispin_colour: 16 bytes */

/* What the updates of a sweep add up to, energies in two's complement. */
struct multispin_counts {
    uint64_t energy, up, flips;
};

/* What is the same for all words of a chain in a sweep. */
struct chain_view {
    uint64_t seed, number;
    uint32_t thresholds[GM_MULTISPIN_CLASSES];
    uint32_t against, idle, lazy; /* as in multispin_isa.inc: all bits 1 or 0 */
};

__device__ inline bool is_finite(double x) {
    return x - x == 0;
}

__device__ inline chain_view view_chain(const gm_multispin_problem &p, const gm_ising_arrays &run,
                                        int64_t chain, int n) {
    const double given = run.beta[chain * run.beta_stride];
    const double beta = is_finite(given) ? given : 0;
    chain_view c;
    c.seed = run.seed;
    c.number = run.first_chain + static_cast<uint64_t>(chain);
    GM_UNROLL
    for (int m = 0; m < GM_MULTISPIN_CLASSES; ++m) {
        c.thresholds[m] =
            m <= n ? gm_ising_threshold(p.update, 2, beta, m) : 0; /* not used above */
    }
    const int32_t sign = p.antiferromagnetic ? -gm_ising_sign(beta) : gm_ising_sign(beta);
    c.against = sign < 0 ? ~0u : 0u;
    c.idle = sign == 0 ? ~0u : 0u;
    c.lazy = p.update == GM_ISING_METROPOLIS ? ~0u : 0u;
    return c;
}

/* ---- one word, or several that follow each other --------------------------------------------- */

/* Words at .. at + width of a colour, 0 where there is none; the last one only if it is asked for.
 */
template <int width>
__device__ inline void load_words(const uint32_t *colour, int32_t words, int32_t at, bool one_more,
                                  uint32_t *out) {
    if (width == WIDE && at % WIDE == 0 && at >= 0 && at < words) { /* padded to whole ones */
        const uint4 four = *reinterpret_cast<const uint4 *>(colour + at);
        out[0] = four.x;
        out[1 % width] = four.y;
        out[2 % width] = four.z;
        out[3 % width] = four.w;
    } else {
        GM_UNROLL
        for (int i = 0; i < width; ++i) {
            out[i] = at + i >= 0 && at + i < words ? colour[at + i] : 0;
        }
    }
    const int32_t last = at + width;
    out[width] = one_more && last >= 0 && last < words ? colour[last] : 0;
}

/* Counts, of the places of `width` words, the neighbours that are up and those that are missing. */
template <bool is_open, int width>
__device__ inline void count_neighbours(const gm_multispin_problem &p, int colour,
                                        const uint32_t *other, int32_t w, uint32_t up[][3],
                                        uint32_t missing[][3]) {
    uint32_t spin[width] = {0}, exists[width] = {0};
    const int32_t row_phase = w % p.period[0], layer_phase = w % p.period[1];
    for (int k = 0; k < p.terms[colour]; ++k) {
        const gm_multispin_term &t = p.term[colour][k];
        if (32 * w < t.last && 32 * (w + width) > t.first) {
            uint32_t value[width + 1];
            load_words<width>(other, p.words, w + t.whole, t.shift != 0, value);
            GM_UNROLL
            for (int i = 0; i < width; ++i) {
                uint32_t bits = gm_multispin_range(w + i, t.first, t.last);
                if (t.mask != GM_MULTISPIN_NO_MASK) {
                    bits &= p.masks[t.mask + (t.kind != 0 ? layer_phase : row_phase) + i];
                }
                const uint32_t shifted =
                    t.shift != 0 ? value[i] >> t.shift | value[i + 1] << (32 - t.shift) : value[i];
                spin[i] |= shifted & bits;
                exists[i] |= bits;
            }
        }
        for (int i = 0; i < width && t.is_last; ++i) {
            add_bit_word(up[i], spin[i]);
            if (is_open) {
                add_bit_word(missing[i], ~exists[i]);
            }
            spin[i] = exists[i] = 0;
        }
    }
}

/* Where the noise is below the threshold of a site's class, of the sites that are asked for. */
template <int n, bool is_open>
__device__ inline uint32_t draw_less(const gm_multispin_problem &p, const chain_view &c,
                                     uint64_t sweep, int32_t word, const field_word &f,
                                     uint32_t left) {
    uint32_t less = 0, thresholds[GM_MULTISPIN_CLASSES];
    GM_UNROLL
    for (int m = 0; m < GM_MULTISPIN_CLASSES; ++m) {
        thresholds[m] = c.thresholds[m];
    }
    for (int32_t quad = 0; quad < GM_MULTISPIN_PLANES / 4 && left != 0; ++quad) {
        const gm_words words = gm_philox_block(c.seed, c.number, GM_STREAM_CHAIN_ACCEPT,
                                               gm_multispin_block(&p, sweep, word, quad));
        const uint32_t noise[4] = {words.w0, words.w1, words.w2, words.w3};
        GM_UNROLL
        for (int i = 0; i < 4; ++i) {
            uint32_t bits[GM_MULTISPIN_CLASSES];
            GM_UNROLL
            for (int m = 0; m < GM_MULTISPIN_CLASSES; ++m) {
                bits[m] = 0u - (thresholds[m] >> 31);
                thresholds[m] <<= 1;
            }
            compare_plane_word(n, is_open, &f, bits, 1, noise[i], &left, &less);
        }
    }
    return less & ~left;
}

/* Twice what a site's bonds give is not counted: those of colour 1 are all there are. */
template <int n, bool is_open>
__device__ inline void count_word(const gm_multispin_problem &p, int colour, const field_word &f,
                                  uint32_t old, uint32_t now, uint32_t valid,
                                  multispin_counts &sum) {
    sum.up += static_cast<uint64_t>(__popc(now & valid));
    sum.flips += static_cast<uint64_t>(__popc((now ^ old) & valid));
    int pairs = 0;
    GM_UNROLL
    for (int m = 1; m < GM_MULTISPIN_CLASSES; ++m) {
        if (gm_multispin_has_class(n, is_open, m)) {
            const uint32_t sites = f.magnitude[m] & valid;
            pairs += m * (__popc(sites) - 2 * __popc(sites & (now ^ f.positive)));
        }
    }
    if (colour == 1) {
        sum.energy +=
            static_cast<uint64_t>(static_cast<long long>(p.antiferromagnetic ? pairs : -pairs));
    }
}

/* `width` words of a colour from w on; without a sweep they are counted, and holes cleared. */
template <int n, bool is_open, int width>
__device__ inline void update_words(const gm_multispin_problem &p, const chain_view &c,
                                    const uint64_t *sweep, int colour, const uint32_t *other,
                                    uint32_t *own, int32_t w, multispin_counts &sum) {
    uint32_t up[width][3] = {}, missing[width][3] = {}, words[width + 1];
    count_neighbours<is_open, width>(p, colour, other, w, up, missing);
    load_words<width>(own, p.words, w, false, words);
    GM_UNROLL
    for (int i = 0; i < width; ++i) {
        field_word f;
        classify_word(n, is_open, up[i], missing[i], &f);
        uint32_t valid = gm_multispin_range(w + i, 0, p.places);
        if (p.valid[colour] != GM_MULTISPIN_NO_MASK) {
            valid &= p.masks[p.valid[colour] + w % p.period[0] + i];
        }
        const uint32_t old = words[i];
        words[i] &= valid;
        if (sweep != nullptr) {
            const uint32_t tied = f.magnitude[0] | c.idle;
            const uint32_t likely = tied | (f.positive ^ c.against), turned = c.lazy & tied;
            const uint32_t left = valid & ~(c.lazy & (tied | (old ^ likely)));
            const uint32_t less =
                draw_less<n, is_open>(p, c, *sweep, colour * p.words + w + i, f, left);
            words[i] = (((likely ^ less) & ~turned) | (~old & turned)) & valid;
        }
        count_word<n, is_open>(p, colour, f, old, words[i], valid, sum);
    }
    if (width == WIDE) {
        const uint4 four = {words[0], words[1 % width], words[2 % width], words[3 % width]};
        *reinterpret_cast<uint4 *>(own + w) = four;
    } else {
        own[w] = words[0];
    }
}

/* The sums of a chain gain a sweep. */
__device__ inline void measure_chain(const gm_multispin_problem &p, const multispin_counts &before,
                                     const multispin_counts &now, uint64_t *sums) {
    gm_ising_measure(sums, static_cast<int64_t>(before.energy),
                     2 * static_cast<int64_t>(before.up) - p.sites,
                     static_cast<int64_t>(now.energy), 2 * static_cast<int64_t>(now.up) - p.sites);
}

} // namespace
} // namespace gm

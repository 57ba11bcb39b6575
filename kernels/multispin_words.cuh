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

/* What the updates of a sweep add up to: equal pairs of neighbours less unequal ones, in two's
 * complement, sites that are up, flips. */
struct multispin_counts {
    uint64_t bonds, up, flips;
};

/* What is the same for all words of a chain in a sweep. */
template <bool has_field> struct chain_view {
    static constexpr int rows = has_field ? GM_MULTISPIN_ROWS : GM_MULTISPIN_CLASSES;
    uint64_t seed, number;
    uint32_t thresholds[rows];
    uint32_t likely, tied;                    /* with a field, a bit a row: as of a choice */
    uint32_t against, idle, metropolis, lazy; /* as in multispin_isa.inc: all bits 1 or 0 */
};

__device__ inline bool is_finite(double x) {
    return x - x == 0;
}

template <int n, bool is_open, bool has_field>
__device__ inline chain_view<has_field> view_chain(const gm_multispin_problem &p,
                                                   const gm_ising_arrays &run, int64_t chain) {
    const double given = run.beta[chain * run.beta_stride];
    const double beta = is_finite(given) ? given : 0;
    const int32_t sign = gm_ising_sign(beta);
    chain_view<has_field> c;
    c.seed = run.seed;
    c.number = run.first_chain + static_cast<uint64_t>(chain);
    c.likely = c.tied = 0;
    GM_UNROLL
    for (int row = 0; row < chain_view<has_field>::rows; ++row) {
        const int m = row % GM_MULTISPIN_CLASSES;
        const int32_t field = sign * gm_multispin_field(&p, row == m ? m : -m);
        const bool is_used =
            gm_multispin_has_class(n, is_open, m) && row != GM_MULTISPIN_CLASSES; /* -0 */
        c.thresholds[row] =
            is_used ? gm_ising_threshold(p.update, p.log_odds, beta, field < 0 ? -field : field)
                    : 0;
        c.likely |= static_cast<uint32_t>(field >= 0) << row;
        c.tied |= static_cast<uint32_t>(field == 0) << row;
    }
    c.against = sign * p.coupling < 0 ? ~0u : 0u;
    c.idle = sign == 0 ? ~0u : 0u;
    c.metropolis = p.update == GM_ISING_METROPOLIS ? ~0u : 0u;
    c.lazy = p.update == GM_ISING_LAZY_METROPOLIS ? ~0u : 0u;
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

/* Of each site the bit of its sum's row. */
template <int n, bool is_open>
__device__ inline uint32_t look_up_bit(const field_word &f, uint32_t bits) {
    uint32_t rows[GM_MULTISPIN_ROWS];
    GM_UNROLL
    for (int row = 0; row < GM_MULTISPIN_ROWS; ++row) {
        rows[row] = 0u - (bits >> row & 1);
    }
    return look_up_word(n, is_open, 1, &f, rows);
}

template <int n, bool is_open, bool has_field>
__device__ inline choice_word choose_of(const chain_view<has_field> &c, const field_word &f,
                                        uint32_t old, uint32_t valid) {
    uint32_t tied = f.magnitude[0] | c.idle, likely = tied | (f.positive ^ c.against);
    if (has_field) {
        tied = look_up_bit<n, is_open>(f, c.tied);
        likely = look_up_bit<n, is_open>(f, c.likely);
    }
    return choose_word(likely, tied, c.metropolis, c.lazy, old, valid);
}

/* Where a choice comes to the unlikely value. */
template <int n, bool is_open, bool has_field>
__device__ inline uint32_t draw_less(const gm_multispin_problem &p, const chain_view<has_field> &c,
                                     uint64_t sweep, int32_t word, const field_word &f,
                                     const choice_word &choice) {
    constexpr int ROWS = chain_view<has_field>::rows;
    uint32_t left = choice.left, open = choice.left | choice.tossed, less = 0, thresholds[ROWS];
    GM_UNROLL
    for (int row = 0; row < ROWS; ++row) {
        thresholds[row] = c.thresholds[row];
    }
    for (int32_t quad = 0; quad < GM_MULTISPIN_PLANES / 4 && open != 0; ++quad) {
        const gm_words words = gm_philox_block(c.seed, c.number, GM_STREAM_CHAIN_ACCEPT,
                                               gm_multispin_block(&p, sweep, word, quad));
        const uint32_t noise[4] = {words.w0, words.w1, words.w2, words.w3};
        less = quad == 0 ? choice.tossed & noise[0] : less;
        GM_UNROLL
        for (int i = 0; i < 4; ++i) {
            uint32_t bits[ROWS];
            GM_UNROLL
            for (int row = 0; row < ROWS; ++row) {
                bits[row] = 0u - (thresholds[row] >> 31);
                thresholds[row] <<= 1;
            }
            compare_plane_word(n, is_open, has_field, &f, bits, noise[i], &left, &less);
        }
        open = left;
    }
    return less & ~left;
}

/* Twice what a site's bonds give is not counted: those of colour 1 are all there are. */
template <int n, bool is_open>
__device__ inline void count_word(int colour, const field_word &f, uint32_t old, uint32_t now,
                                  uint32_t valid, multispin_counts &sum) {
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
        sum.bonds += static_cast<uint64_t>(static_cast<long long>(pairs));
    }
}

/* `width` words of a colour from w on; without a sweep they are counted, and holes cleared. */
template <int n, bool is_open, bool has_field, int width>
__device__ inline void update_words(const gm_multispin_problem &p, const chain_view<has_field> &c,
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
            const choice_word choice = choose_of<n, is_open, has_field>(c, f, old, valid);
            const uint32_t less =
                draw_less<n, is_open, has_field>(p, c, *sweep, colour * p.words + w + i, f, choice);
            words[i] = decide_word(&choice, less, old, valid);
        }
        count_word<n, is_open>(colour, f, old, words[i], valid, sum);
    }
    if (width == WIDE) {
        const uint4 four = {words[0], words[1 % width], words[2 % width], words[3 % width]};
        *reinterpret_cast<uint4 *>(own + w) = four;
    } else {
        own[w] = words[0];
    }
}

__device__ inline int64_t energy_of(const gm_multispin_problem &p, const multispin_counts &counts) {
    return gm_multispin_energy(&p, static_cast<int64_t>(counts.bonds),
                               static_cast<int64_t>(counts.up));
}

/* The sums of a chain gain a sweep. */
__device__ inline void measure_chain(const gm_multispin_problem &p, const multispin_counts &before,
                                     const multispin_counts &now, uint64_t *sums) {
    gm_ising_measure(sums, energy_of(p, before), 2 * static_cast<int64_t>(before.up) - p.sites,
                     energy_of(p, now), 2 * static_cast<int64_t>(now.up) - p.sites);
}

} // namespace
} // namespace gm

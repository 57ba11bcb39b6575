/*
 * The plan of a transform on the device: the passes of the lines of each axis, their splits, and
 * the tables, which the host computes once (host/fft_roots.h).
 */
#pragma once

#include <new>
#include <vector>

#include "host/fft_roots.h"
#include "kernels/fft_lines.cuh"

namespace gm {
namespace fourier {

constexpr int MAX_LEVELS = 8;

/* A complex line, split until its parts fit: level i has columns of length passes.n, and roots
 * after them, except the last, which has whole lines. */
struct chain {
    int64_t n;
    int levels;
    struct {
        int64_t n; /* of what is left to transform */
        line_passes passes;
        int64_t cross; /* (n1, n2) roots */
    } level[MAX_LEVELS];
};

/* One axis of a plan. Offsets are of the tables. */
struct axis_plan {
    int64_t length, n; /* real side; of the complex line */
    bool halves, bluestein;
    chain line;
    int64_t half, cosine, chirp, filter; /* -1: not there */

    /* Entries of the workspace that a line needs. */
    int64_t workspace(bool real_to_half) const {
        const int64_t parts = line.n * (line.levels - 1),
                      between = bluestein && line.levels > 1 ? line.n : 0;
        return parts + between + (halves && real_to_half && line.levels > 1 ? n : 0);
    }
};

template <class real> struct plan {
    axis_plan axes[GM_FFT_MAX_AXES];
    int64_t at_once;              /* entries of the lines that share the workspace */
    int64_t line_entries, group;  /* of the workspace; transforms that take all axes together */
    std::vector<pair<real>> host; /* the tables, until they are on the device */
    pair<real> *tables;
};

template <class real> constexpr int64_t longest_line() {
    return 4096;
}

/* ---- tables ---------------------------------------------------------------------------------- */

template <class real> class table_writer {
  public:
    explicit table_writer(std::vector<pair<real>> &host) : host_(host) {
    }

    /* count entries exp(-2 pi i m(e) / n); returns the table's offset, -1 without memory. */
    template <class Number> int64_t write(int64_t n, int64_t count, const Number &number) {
        const int64_t offset = static_cast<int64_t>(host_.size());
        host_.resize(host_.size() + static_cast<size_t>(count));
        gm_fft_roots roots;
        const bool made = gm_fft_roots_make(&roots, n);
        for (int64_t e = 0; made && e < count; ++e) {
            long double re, im;
            gm_fft_root(&roots, number(e), &re, &im);
            host_[static_cast<size_t>(offset + e)] = {static_cast<real>(re), static_cast<real>(im)};
        }
        gm_fft_roots_free(&roots);
        if (!made) {
            throw std::bad_alloc();
        }
        return offset;
    }

    int64_t passes(int64_t r, int64_t m) {
        return write(r * m, (r - 1) * m, [m](int64_t e) { return (e / m + 1) * (e % m); });
    }

    int64_t line(int64_t n, int64_t count) {
        return write(n, count, [](int64_t e) { return e; });
    }

  private:
    std::vector<pair<real>> &host_;
};

inline bool is_written_out(int32_t radix) {
    return radix <= 8;
}

/* A first pass that reads global memory, a last one that writes it. */
inline bool is_direct(int32_t radix) {
    return radix == 2 || radix == 4 || radix == 8;
}

/* The radices of n, one that may be direct at either end where there are two. */
inline int32_t factors_of(int64_t n, int32_t *radix) {
    static const int32_t written[] = {8, 4, 2, 7, 5, 3};
    int32_t count = 0;
    for (const int32_t r : written) {
        for (; n % r == 0; n /= r) {
            radix[count++] = r;
        }
    }
    for (int32_t r = 11; n > 1; r += 2) {
        for (; n % r == 0; n /= r) {
            radix[count++] = r;
        }
    }
    if (count > 2 && is_direct(radix[1]) && !is_direct(radix[count - 1])) {
        const int32_t end = radix[1];
        radix[1] = radix[count - 1];
        radix[count - 1] = end;
    }
    return count;
}

inline int64_t quotient_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* Threads that hold every pass in HELD entries each, and more for short lines: 8 entries each. */
inline int32_t threads_for(int64_t n, const int32_t *radix, int32_t count) {
    int64_t threads = quotient_up(n, 8) < 128 ? quotient_up(n, 8) : 128;
    for (int32_t i = 0; i < count; ++i) {
        const int64_t r = radix[i], groups = n / r;
        const int64_t least = is_written_out(radix[i])
                                  ? quotient_up(groups, HELD / r)
                                  : quotient_up(groups * ((r + 1) / 2), HELD / 2);
        threads = least > threads ? least : threads;
    }
    return static_cast<int32_t>(threads > 0 ? threads : 1);
}

template <class real> bool fits_block(int64_t n) {
    int32_t radix[64];
    return n <= longest_line<real>() && threads_for(n, radix, factors_of(n, radix)) <= THREADS;
}

template <class real> line_passes make_passes(table_writer<real> &tables, int64_t n) {
    line_passes p = {};
    p.n = static_cast<int32_t>(n);
    p.count = factors_of(n, p.radix);
    p.threads = threads_for(n, p.radix, p.count);
    int64_t rest = n;
    for (int32_t i = 0; i < p.count; ++i) {
        const int64_t r = p.radix[i];
        rest /= r;
        p.twiddle[i] = tables.passes(r, rest);
        p.roots[i] = is_written_out(p.radix[i]) ? 0 : tables.line(r, r);
    }
    return p;
}

/* The columns of a line that does not fit: the largest divisor that does, up to the root. */
template <class real> int64_t columns_of(int64_t n) {
    int64_t d = gm_fft_middle_divisor(n);
    while (n % d != 0 || !fits_block<real>(d)) {
        --d;
    }
    return d;
}

template <class real> chain make_chain(table_writer<real> &tables, int64_t n) {
    chain c = {};
    c.n = n;
    for (; !fits_block<real>(n); ++c.levels) {
        auto &level = c.level[c.levels];
        const int64_t n1 = columns_of<real>(n), n2 = n / n1;
        level.n = n;
        level.passes = make_passes(tables, n1);
        level.cross = tables.write(n, n, [n2](int64_t e) { return e / n2 * (e % n2); });
        n = n2;
    }
    c.level[c.levels].n = n;
    c.level[c.levels++].passes = make_passes(tables, n);
    return c;
}

template <class real> axis_plan make_axis(plan<real> &p, const gm_fft_problem &problem, int32_t a) {
    table_writer<real> tables(p.host);
    const bool cosine = problem.kind == GM_FFT_DCT2 || problem.kind == GM_FFT_DCT3;
    const bool complex_only = problem.kind == GM_FFT_FORWARD || problem.kind == GM_FFT_INVERSE;
    const int64_t length = problem.length[a];
    axis_plan axis = {};
    axis.length = length;
    axis.half = axis.cosine = axis.chirp = axis.filter = -1;
    axis.halves = length % 2 == 0 && (cosine || (a == problem.axes - 1 && !complex_only));
    const int64_t n = axis.n = axis.halves ? length / 2 : length;
    if (axis.halves) {
        axis.half = tables.line(length, n + 1);
    }
    if (cosine) {
        axis.cosine = tables.line(4 * length, length / 2 + 1);
    }
    axis.bluestein = gm_fft_largest_factor(n) > GM_FFT_LARGEST_RADIX;
    if (!axis.bluestein) {
        axis.line = make_chain(tables, n);
        return axis;
    }
    const int64_t m = gm_fft_bluestein_length(n);
    axis.line = make_chain(tables, m);
    axis.chirp = tables.write(2 * n, n, [n](int64_t j) { return j * j % (2 * n); });
    axis.filter = static_cast<int64_t>(p.host.size());
    p.host.resize(p.host.size() + static_cast<size_t>(m));
    const real scale = 1 / static_cast<real>(m);
    for (int64_t j = 0; j < n; ++j) { /* its transform is made on the device */
        const pair<real> c = p.host[static_cast<size_t>(axis.chirp + j)];
        p.host[static_cast<size_t>(axis.filter + j)] = {c.re * scale, -c.im * scale};
        p.host[static_cast<size_t>(axis.filter + (j > 0 ? m - j : 0))] = {c.re * scale,
                                                                          -c.im * scale};
    }
    return axis;
}

} // namespace fourier
} // namespace gm

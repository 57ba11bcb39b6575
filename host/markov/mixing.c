/* Spectrum, mixing times, hitting times. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <genmath/decompose.h>

#include "host/markov/markov.h"

/* ---- the spectrum ---------------------------------------------------------------------------- */

/* One eigenvalue, the nearest to 1, belongs to the stationary law. */
static double gap_of(const gm_tensor *values) {
    const double *data = values->data;
    int64_t nearest = 0;
    double largest = 0;
#define RE(i) data[2 * (i)*values->stride[0]]
#define IM(i) data[2 * (i)*values->stride[0] + 1]
    for (int64_t i = 1; i < values->shape[0]; ++i) {
        nearest = hypot(RE(i) - 1, IM(i)) < hypot(RE(nearest) - 1, IM(nearest)) ? i : nearest;
    }
    for (int64_t i = 0; i < values->shape[0]; ++i) {
        largest = fmax(largest, i == nearest ? 0 : hypot(RE(i), IM(i)));
    }
#undef RE
#undef IM
    return fmax(0, 1 - largest);
}

gm_status gm_markov_spectrum(gm_context *context, const gm_tensor *p, const gm_tensor *values,
                             double *gap, gm_workspace *workspace) {
    GM_TRY(gm_markov_check_matrix(context, p));
    GM_CHECK(context, gap != NULL, GM_STATUS_INVALID_ARGUMENT, "gap is NULL");
    GM_CHECK(context, context->backend->memory_is_reachable == NULL, GM_STATUS_UNSUPPORTED,
             "markov_spectrum: on the host's backends only, not on %s", context->backend->name);
    GM_TRY(gm_markov_check_rows(context, p));
    int32_t found = GM_STATUS_OK;
    const gm_tensor status = {&found, GM_I32, 0, {0}, {0}};
    const gm_linalg_report report = {.status = &status};
    GM_TRY(gm_linalg_eigen(context, p, values, NULL, &report, workspace));
    if (workspace->data == NULL) {
        return GM_STATUS_OK;
    }
    GM_CHECK(context, found == GM_STATUS_OK, (gm_status)found, "the eigenvalues were not found: %s",
             gm_status_name((gm_status)found));
    *gap = gap_of(values);
    return GM_STATUS_OK;
}

/* ---- mixing ---------------------------------------------------------------------------------- */

/* The diagonal is what the rest of the row leaves: small chances keep their digits through many
 * squarings, and the rows their sum. */
static void multiply(int64_t n, const double *a, const double *b, double *out) {
    memset(out, 0, (size_t)(n * n) * sizeof *out);
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t k = 0; k < n; ++k) {
            for (int64_t j = 0; j < n; ++j) {
                out[i * n + j] += a[i * n + k] * b[k * n + j];
            }
        }
        double rest = 0;
        for (int64_t j = 0; j < n; ++j) {
            rest += j != i ? out[i * n + j] : 0;
        }
        out[i * n + i] = fmax(0, 1 - rest);
    }
}

/* The largest distance in total variation of a row from the law. */
static double distance_of(int64_t n, const double *rows, const double *law) {
    double largest = 0;
    for (int64_t i = 0; i < n; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < n; ++j) {
            sum += fabs(rows[i * n + j] - law[j]);
        }
        largest = fmax(largest, sum / 2);
    }
    return largest;
}

enum { MOST_SQUARINGS = 62 };

/*
 * The distance never rises with k. P^(2^s) is squared until it is near enough; then the steps of
 * the answer less one are found bit by bit from the top: a power is kept that is not near enough
 * yet. The squares are worked out again for every bit, so that three matrices do.
 */
static int64_t first_near(int64_t n, const double *p, const double *law, double distance,
                          double *square, double *product, double *kept) {
    int top = 0;
    memcpy(square, p, (size_t)(n * n) * sizeof *p);
    while (distance_of(n, square, law) > distance) {
        if (++top > MOST_SQUARINGS) {
            return -1;
        }
        multiply(n, square, square, product);
        memcpy(square, product, (size_t)(n * n) * sizeof *p);
    }
    int64_t steps = 0; /* kept = P^steps, not near enough */
    for (int bit = top - 1; bit >= 0; --bit) {
        memcpy(square, p, (size_t)(n * n) * sizeof *p);
        for (int s = 0; s < bit; ++s) {
            multiply(n, square, square, product);
            memcpy(square, product, (size_t)(n * n) * sizeof *p);
        }
        if (steps > 0) {
            multiply(n, kept, square, product);
        } else {
            memcpy(product, square, (size_t)(n * n) * sizeof *p);
        }
        if (distance_of(n, product, law) > distance) {
            memcpy(kept, product, (size_t)(n * n) * sizeof *p);
            steps += (int64_t)1 << bit;
        }
    }
    return steps + 1;
}

gm_status gm_markov_mixing_time(gm_context *context, const gm_tensor *p, double distance,
                                int64_t *time, gm_workspace *workspace) {
    bool ready;
    GM_TRY(gm_markov_check_matrix(context, p));
    const int64_t n = p->shape[0];
    GM_CHECK(context, distance > 0 && distance < 1, GM_STATUS_INVALID_ARGUMENT,
             "distance = %g: must be in (0, 1)", distance);
    GM_CHECK(context, time != NULL, GM_STATUS_INVALID_ARGUMENT, "time is NULL");
    GM_TRY(gm_markov_open(context, "markov_mixing_time", p, 4 * n * n + 8 * n, workspace, &ready));
    if (!ready) {
        return GM_STATUS_OK;
    }
    double *const matrix = workspace->data, *const a = matrix + n * n, *const b = a + n * n;
    double *const c = b + n * n, *const law = c + n * n;
    int64_t *const class_of = (int64_t *)(law + n), *const is_closed = class_of + n;
    const gm_markov_classes classes =
        gm_markov_classify(n, matrix, class_of, is_closed, is_closed + n);
    GM_CHECK(context, classes.closed == 1, GM_STATUS_SINGULAR,
             "p has %lld closed classes: there is no one law to come near to",
             (long long)classes.closed);
    GM_CHECK(context, classes.period == 1, GM_STATUS_NOT_CONVERGED,
             "the chain has period %lld: it never comes near to its stationary law",
             (long long)classes.period);
    gm_markov_eliminate(n, matrix, class_of, is_closed, a, law);
    const int64_t steps = first_near(n, matrix, law, distance, a, b, c);
    GM_CHECK(context, steps > 0, GM_STATUS_NOT_CONVERGED, "the chain takes over 2^62 steps to mix");
    *time = steps;
    return GM_STATUS_OK;
}

/* ---- hitting --------------------------------------------------------------------------------- */

/* certain[i]: the set is reached from i with probability 1: no state that cannot reach it can be
 * reached first. `reaches` and `certain` are flags. */
static void mark_certain(int64_t n, const double *p, const gm_tensor *set, int64_t *reaches,
                         int64_t *certain) {
    const uint8_t *member = set->data;
    for (int64_t i = 0; i < n; ++i) {
        reaches[i] = member[i * set->stride[0]] != 0;
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (int64_t i = 0; i < n; ++i) {
            for (int64_t j = 0; !reaches[i] && j < n; ++j) {
                if (p[i * n + j] > 0 && reaches[j]) {
                    reaches[i] = 1;
                    changed = true;
                }
            }
        }
    }
    memcpy(certain, reaches, (size_t)n * sizeof *certain);
    for (bool changed = true; changed;) {
        changed = false;
        for (int64_t i = 0; i < n; ++i) {
            for (int64_t j = 0; certain[i] && member[i * set->stride[0]] == 0 && j < n; ++j) {
                if (p[i * n + j] > 0 && !certain[j]) {
                    certain[i] = 0;
                    changed = true;
                }
            }
        }
    }
}

/*
 * Solves h = 1 + Q h over the states whose time is finite and not 0 by taking states out, as for
 * the stationary law: the chance to leave k for elsewhere is the sum of where it goes, never 1 -
 * q_kk. `p` is overwritten; h holds what each step costs, then the times.
 */
static void solve_times(int64_t n, double *p, const int64_t *inside, double *h) {
    for (int64_t k = n - 1; k >= 0; --k) {
        if (!inside[k]) {
            continue;
        }
        double out = 0;
        for (int64_t j = 0; j < n; ++j) {
            out += j < k || !inside[j] ? p[k * n + j] : 0;
        }
        h[k] /= out;
        for (int64_t j = 0; j < n; ++j) {
            p[k * n + j] = j < k || !inside[j] ? p[k * n + j] / out : 0;
        }
        for (int64_t i = 0; i < k; ++i) {
            const double into = inside[i] ? p[i * n + k] : 0;
            if (into > 0) {
                h[i] += into * h[k];
                for (int64_t j = 0; j < n; ++j) {
                    p[i * n + j] += into * p[k * n + j];
                }
                p[i * n + k] = 0;
            }
        }
    }
    for (int64_t k = 0; k < n; ++k) {
        for (int64_t j = 0; inside[k] && j < k; ++j) {
            h[k] += inside[j] ? p[k * n + j] * h[j] : 0;
        }
    }
}

gm_status gm_markov_hitting_times(gm_context *context, const gm_tensor *p, const gm_tensor *set,
                                  const gm_tensor *times, gm_workspace *workspace) {
    bool ready;
    GM_TRY(gm_markov_check_matrix(context, p));
    const int64_t n = p->shape[0];
    GM_TRY(gm_check_tensor(context, "set", set, 1, GM_DTYPE_BIT(GM_U8)));
    GM_TRY(gm_check_size(context, "set", set, 0, n, "the number of states"));
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(gm_markov_check_output(context, "times", times, n, p, workspace));
    GM_TRY(gm_check_disjoint(context, "times", times, "set", set, false));
    GM_TRY(gm_markov_open(context, "markov_hitting_times", p, n * n + 3 * n, workspace, &ready));
    if (!ready) {
        return GM_STATUS_OK;
    }
    double *const matrix = workspace->data, *const h = matrix + n * n;
    int64_t *const inside = (int64_t *)(h + n), *const certain = inside + n;
    mark_certain(n, matrix, set, inside, certain);
    const uint8_t *member = set->data;
    for (int64_t i = 0; i < n; ++i) {
        const bool in_set = member[i * set->stride[0]] != 0;
        inside[i] = certain[i] && !in_set;
        h[i] = in_set ? 0 : certain[i] ? 1 : INFINITY;
    }
    solve_times(n, matrix, inside, h);
    gm_markov_store(h, n, times);
    return GM_STATUS_OK;
}

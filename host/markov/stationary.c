/* The stationary law, by elimination and by powers; PageRank's chain. */
#include <math.h>
#include <string.h>

#include "host/markov/markov.h"

/*
 * States are taken out of the closed class one after the other, the last first: a step into state k
 * becomes a step to where k goes next, and the chances of that are its row over the sum of the row,
 * never 1 - p_kk: nothing is subtracted.
 */
void gm_markov_eliminate(int64_t n, const double *p, const int64_t *class_of,
                         const int64_t *is_closed, double *reduced, double *law) {
    memcpy(reduced, p, (size_t)(n * n) * sizeof *p);
    int64_t first = 0;
    while (!is_closed[class_of[first]]) {
        ++first;
    }
    for (int64_t k = n - 1; k > first; --k) {
        double out = 0;
        if (!is_closed[class_of[k]]) {
            continue;
        }
        for (int64_t j = 0; j < k; ++j) {
            out += reduced[k * n + j];
        }
        for (int64_t i = 0; i < k; ++i) {
            if (is_closed[class_of[i]] && reduced[i * n + k] > 0) {
                reduced[i * n + k] /= out;
                for (int64_t j = 0; j < k; ++j) {
                    reduced[i * n + j] += reduced[i * n + k] * reduced[k * n + j];
                }
            }
        }
    }
    double total = 1;
    memset(law, 0, (size_t)n * sizeof *law);
    law[first] = 1;
    for (int64_t k = first + 1; k < n; ++k) {
        for (int64_t i = 0; i < k; ++i) {
            law[k] += law[i] * (is_closed[class_of[k]] ? reduced[i * n + k] : 0);
        }
        total += law[k];
    }
    for (int64_t k = 0; k < n; ++k) {
        law[k] /= total;
    }
}

static double flux_of(int64_t n, const double *p, const double *law) {
    double largest = 0;
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < i; ++j) {
            largest = fmax(largest, fabs(law[i] * p[i * n + j] - law[j] * p[j * n + i]));
        }
    }
    return largest;
}

/* next = law P; returns max |next - law|. */
static double step(int64_t n, const double *p, const double *law, double *next) {
    memset(next, 0, (size_t)n * sizeof *next);
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
            next[j] += law[i] * p[i * n + j];
        }
    }
    double largest = 0;
    for (int64_t j = 0; j < n; ++j) {
        largest = fmax(largest, fabs(next[j] - law[j]));
    }
    return largest;
}

/* In the workspace: p, a reduced copy, the law and its image, the classes and what finds them. */
static int64_t doubles_for(int64_t n) {
    return 2 * n * n + 9 * n;
}

gm_status gm_markov_stationary(gm_context *context, const gm_tensor *p, const gm_tensor *law,
                               gm_markov_report *report, gm_workspace *workspace) {
    bool ready;
    GM_TRY(gm_markov_check_matrix(context, p));
    const int64_t n = p->shape[0];
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    if (law != NULL) {
        GM_TRY(gm_markov_check_output(context, "law", law, n, p, workspace));
    }
    GM_TRY(gm_markov_open(context, "markov_stationary", p, doubles_for(n), workspace, &ready));
    if (!ready) {
        return GM_STATUS_OK;
    }
    double *const matrix = workspace->data, *const reduced = matrix + n * n;
    double *const found = reduced + n * n, *const image = found + n;
    int64_t *const class_of = (int64_t *)(image + n), *const is_closed = class_of + n;
    const gm_markov_classes classes =
        gm_markov_classify(n, matrix, class_of, is_closed, is_closed + n);
    gm_markov_report said = {classes.count, classes.closed, classes.period, NAN, NAN};
    if (classes.closed == 1) {
        gm_markov_eliminate(n, matrix, class_of, is_closed, reduced, found);
        said.flux = flux_of(n, matrix, found);
        said.residual = step(n, matrix, found, image);
    }
    if (report != NULL) {
        *report = said;
    }
    GM_CHECK(context, classes.closed == 1, GM_STATUS_SINGULAR,
             "p has %lld closed classes: each has a stationary law of its own",
             (long long)classes.closed);
    if (law != NULL) {
        gm_markov_store(found, n, law);
    }
    return GM_STATUS_OK;
}

gm_status gm_markov_power(gm_context *context, const gm_tensor *p, const gm_tensor *start,
                          double tolerance, int64_t most_steps, const gm_tensor *law,
                          int64_t *steps, gm_workspace *workspace) {
    bool ready;
    GM_TRY(gm_markov_check_matrix(context, p));
    const int64_t n = p->shape[0];
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_CHECK(context, tolerance > 0, GM_STATUS_INVALID_ARGUMENT, "tolerance = %g: must be positive",
             tolerance);
    GM_CHECK(context, most_steps >= 0, GM_STATUS_INVALID_ARGUMENT,
             "most_steps = %lld: must not be negative", (long long)most_steps);
    GM_TRY(gm_markov_load_law(context, "start", start, n, NULL));
    GM_TRY(gm_markov_check_output(context, "law", law, n, p, workspace));
    GM_TRY(gm_markov_open(context, "markov_power", p, doubles_for(n), workspace, &ready));
    if (!ready) {
        return GM_STATUS_OK;
    }
    double *const matrix = workspace->data, *now = matrix + 2 * n * n, *next = now + n;
    GM_TRY(gm_markov_load_law(context, "start", start, n, now));
    int64_t taken = 0;
    bool settled = false;
    while (!settled && taken < most_steps) {
        settled = step(n, matrix, now, next) <= tolerance;
        double *const other = now;
        now = next;
        next = other;
        ++taken;
    }
    gm_markov_store(now, n, law);
    if (steps != NULL) {
        *steps = taken;
    }
    if (settled) {
        return GM_STATUS_OK;
    }
    int64_t *const class_of = (int64_t *)(matrix + 2 * n * n + 2 * n);
    const gm_markov_classes classes =
        gm_markov_classify(n, matrix, class_of, class_of + n, class_of + 2 * n);
    return classes.period > 1
               ? gm_fail(context, GM_STATUS_NOT_CONVERGED,
                         "the chain has period %lld: the law need not settle, whatever the number "
                         "of steps",
                         (long long)classes.period)
               : gm_fail(context, GM_STATUS_NOT_CONVERGED,
                         "the law still moves by more than %g after %lld steps", tolerance,
                         (long long)taken);
}

gm_status gm_markov_pagerank(gm_context *context, const gm_tensor *links, double damping,
                             const gm_tensor *teleport, const gm_tensor *p) {
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_TRY(gm_check_tensor(context, "links", links, 2, GM_DTYPE_BIT(GM_F64)));
    const int64_t n = links->shape[0];
    GM_TRY(gm_check_size(context, "links", links, 1, n, "square"));
    GM_CHECK(context, damping >= 0 && damping < 1, GM_STATUS_INVALID_ARGUMENT,
             "damping = %g: must be in [0, 1)", damping);
    if (teleport != NULL) {
        GM_TRY(gm_markov_load_law(context, "teleport", teleport, n, NULL));
    }
    GM_TRY(gm_check_output(context, "p", p, 2, GM_DTYPE_BIT(GM_F64)));
    GM_TRY(gm_check_size(context, "p", p, 0, n, "as links"));
    GM_TRY(gm_check_size(context, "p", p, 1, n, "as links"));
    GM_TRY(gm_check_disjoint(context, "p", p, "links", links, false));
    GM_TRY(gm_check_disjoint(context, "p", p, "teleport", teleport, false));
    const double *weight = links->data, *jump = teleport != NULL ? teleport->data : NULL;
    for (int64_t i = 0; i < n * n; ++i) {
        const double w = weight[i / n * links->stride[0] + i % n * links->stride[1]];
        GM_CHECK(context, w >= 0 && isfinite(w), GM_STATUS_INVALID_ARGUMENT,
                 "links: entry (%lld, %lld) is %g: must be a weight", (long long)(i / n),
                 (long long)(i % n), w);
    }
    for (int64_t i = 0; i < n; ++i) {
        double out = 0;
        for (int64_t j = 0; j < n; ++j) {
            out += weight[i * links->stride[0] + j * links->stride[1]];
        }
        for (int64_t j = 0; j < n; ++j) {
            const double to = jump != NULL ? jump[j * teleport->stride[0]] : 1 / (double)n;
            const double w = weight[i * links->stride[0] + j * links->stride[1]];
            ((double *)p->data)[i * p->stride[0] + j * p->stride[1]] =
                out > 0 ? damping * (w / out) + (1 - damping) * to : to;
        }
    }
    return GM_STATUS_OK;
}

/* Checks of transition matrices and laws; communicating classes and the period. */
#include "host/markov/markov.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STATES = 16384 }; /* as gm_linalg's matrices */

static double entry(const gm_tensor *t, int64_t i, int64_t j) {
    const double *data = t->data;
    return t->ndim == 1 ? data[j * t->stride[0]] : data[i * t->stride[0] + j * t->stride[1]];
}

/* Row i sums to 1, all of it >= 0. A long row's sum is compensated: rounding does not refuse it. */
static gm_status check_row(gm_context *context, const char *name, const gm_tensor *t, int64_t i,
                           int64_t n) {
    double sum = 0, lost = 0;
    for (int64_t j = 0; j < n; ++j) {
        const double x = entry(t, i, j);
        GM_CHECK(context, x >= 0 && isfinite(x), GM_STATUS_INVALID_ARGUMENT,
                 "%s: entry (%lld, %lld) is %g: must be a probability", name, (long long)i,
                 (long long)j, x);
        const double next = sum + x;
        lost += sum >= x ? (sum - next) + x : (x - next) + sum;
        sum = next;
    }
    GM_CHECK(context, fabs(sum + lost - 1) <= (double)n * 0x1p-50, GM_STATUS_INVALID_ARGUMENT,
             "%s: row %lld sums to %.17g: must be 1", name, (long long)i, sum + lost);
    return GM_STATUS_OK;
}

gm_status gm_markov_check_matrix(gm_context *context, const gm_tensor *p) {
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_TRY(gm_check_tensor(context, "p", p, 2, GM_DTYPE_BIT(GM_F64)));
    GM_TRY(gm_check_size(context, "p", p, 1, p->shape[0], "square"));
    GM_CHECK(context, p->shape[0] >= 1 && p->shape[0] <= MOST_STATES, GM_STATUS_INVALID_ARGUMENT,
             "p.shape[0] = %lld: must be 1 to %d states", (long long)p->shape[0], MOST_STATES);
    return GM_STATUS_OK;
}

gm_status gm_markov_check_rows(gm_context *context, const gm_tensor *p) {
    for (int64_t i = 0; i < p->shape[0]; ++i) {
        GM_TRY(check_row(context, "p", p, i, p->shape[0]));
    }
    return GM_STATUS_OK;
}

gm_status gm_markov_open(gm_context *context, const char *operation, const gm_tensor *p,
                         int64_t doubles, gm_workspace *workspace, bool *ready) {
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    const size_t bytes = (size_t)doubles * sizeof(double) + 64;
    *ready = workspace->data != NULL;
    if (!*ready) {
        workspace->bytes = bytes;
        return GM_STATUS_OK;
    }
    gm_tensor scratch;
    GM_TRY(
        gm_check_workspace(context, operation, bytes, workspace->data, workspace->bytes, &scratch));
    GM_TRY(gm_check_disjoint(context, "workspace", &scratch, "p", p, false));
    GM_TRY(gm_markov_check_rows(context, p));
    const int64_t n = p->shape[0];
    double *to = workspace->data;
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
            to[i * n + j] = entry(p, i, j);
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_markov_load_law(gm_context *context, const char *name, const gm_tensor *law, int64_t n,
                             double *to) {
    GM_TRY(gm_check_tensor(context, name, law, 1, GM_DTYPE_BIT(GM_F64)));
    GM_TRY(gm_check_size(context, name, law, 0, n, "the number of states"));
    GM_TRY(check_row(context, name, law, 0, n));
    for (int64_t j = 0; to != NULL && j < n; ++j) {
        to[j] = entry(law, 0, j);
    }
    return GM_STATUS_OK;
}

gm_status gm_markov_check_output(gm_context *context, const char *name, const gm_tensor *out,
                                 int64_t n, const gm_tensor *p, const gm_workspace *workspace) {
    GM_TRY(gm_check_output(context, name, out, 1, GM_DTYPE_BIT(GM_F64)));
    GM_TRY(gm_check_size(context, name, out, 0, n, "the number of states"));
    GM_TRY(gm_check_disjoint(context, name, out, "p", p, false));
    if (workspace->data != NULL) {
        const gm_tensor scratch = gm_tensor_1d(workspace->data, GM_U8, (int64_t)workspace->bytes);
        GM_TRY(gm_check_disjoint(context, name, out, "workspace", &scratch, false));
    }
    return GM_STATUS_OK;
}

void gm_markov_store(const double *from, int64_t n, const gm_tensor *out) {
    for (int64_t i = 0; i < n; ++i) {
        ((double *)out->data)[i * out->stride[0]] = from[i];
    }
}

/* ---- classes --------------------------------------------------------------------------------- */

typedef struct search {
    int64_t n;
    const double *p;
    int64_t *class_of, *order, *low, *next, *path, *call; /* of a state; the two stacks */
    int64_t visited, on_path, depth, classes;
} search;

static void enter(search *s, int64_t state) {
    s->order[state] = s->low[state] = ++s->visited;
    s->next[state] = 0;
    s->path[s->on_path++] = state;
    s->call[s->depth++] = state;
}

/* A state whose successors are done: the root of a class takes its members off the path. */
static void leave(search *s, int64_t state) {
    --s->depth;
    if (s->depth > 0) {
        const int64_t above = s->call[s->depth - 1];
        s->low[above] = s->low[state] < s->low[above] ? s->low[state] : s->low[above];
    }
    if (s->low[state] == s->order[state]) {
        int64_t member;
        do {
            member = s->path[--s->on_path];
            s->class_of[member] = s->classes;
        } while (member != state);
        ++s->classes;
    }
}

/* Tarjan's search without recursion: a chain may be as deep as it has states. */
static void search_from(search *s, int64_t start) {
    enter(s, start);
    while (s->depth > 0) {
        const int64_t state = s->call[s->depth - 1];
        if (s->next[state] == s->n) {
            leave(s, state);
            continue;
        }
        const int64_t to = s->next[state]++;
        if (!(s->p[state * s->n + to] > 0)) {
            continue;
        }
        if (s->order[to] == 0) {
            enter(s, to);
        } else if (s->class_of[to] < 0 && s->order[to] < s->low[state]) {
            s->low[state] = s->order[to];
        }
    }
}

static int64_t greatest_divisor(int64_t a, int64_t b) {
    while (b != 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Of the closed class: the greatest common divisor of level(i) + 1 - level(j) over its steps i to
 * j, levels being distances from one of its states. */
static int64_t period_of(int64_t n, const double *p, const int64_t *class_of, int64_t closed,
                         int64_t *level, int64_t *queue) {
    int64_t head = 0, tail = 0, period = 0;
    for (int64_t i = 0; i < n; ++i) {
        level[i] = -1;
        if (class_of[i] == closed && tail == 0) {
            level[i] = 0;
            queue[tail++] = i;
        }
    }
    while (head < tail) {
        const int64_t i = queue[head++];
        for (int64_t j = 0; j < n; ++j) {
            if (!(p[i * n + j] > 0)) {
                continue;
            }
            if (level[j] < 0) {
                level[j] = level[i] + 1;
                queue[tail++] = j;
            }
            period = greatest_divisor(period, llabs(level[i] + 1 - level[j]));
        }
    }
    return period;
}

gm_markov_classes gm_markov_classify(int64_t n, const double *p, int64_t *class_of,
                                     int64_t *is_closed, int64_t *scratch) {
    search s = {.n = n,
                .p = p,
                .class_of = class_of,
                .order = scratch,
                .low = scratch + n,
                .next = scratch + 2 * n,
                .path = scratch + 3 * n,
                .call = scratch + 4 * n};
    memset(s.order, 0, (size_t)n * sizeof *s.order);
    for (int64_t i = 0; i < n; ++i) {
        class_of[i] = -1;
        is_closed[i] = 1;
    }
    for (int64_t i = 0; i < n; ++i) {
        if (s.order[i] == 0) {
            search_from(&s, i);
        }
    }
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
            if (p[i * n + j] > 0 && class_of[i] != class_of[j]) {
                is_closed[class_of[i]] = 0;
            }
        }
    }
    gm_markov_classes result = {.count = s.classes};
    int64_t closed = 0;
    for (int64_t c = 0; c < s.classes; ++c) {
        result.closed += is_closed[c];
        closed = is_closed[c] ? c : closed;
    }
    result.period =
        result.closed == 1 ? period_of(n, p, class_of, closed, scratch, scratch + n) : 0;
    return result;
}

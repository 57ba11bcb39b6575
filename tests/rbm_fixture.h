/* What the tests of Boltzmann machines share: machines with their exact laws, and calls from host
 * arrays of doubles on any subject. */
#ifndef GENMATH_TESTS_RBM_FIXTURE_H
#define GENMATH_TESTS_RBM_FIXTURE_H

#include "tests/ensemble.h"

#include <genmath/rbm.h>

typedef struct machine {
    gm_rbm_kind kind;
    int64_t visible, hidden, colours;
    double *w, *b, *c, *sigma; /* one block of memory, of w */
} machine;

__attribute__((unused)) static machine make_machine(gm_rbm_kind kind, int64_t visible,
                                                    int64_t hidden, int64_t colours) {
    machine m = {.kind = kind, .visible = visible, .hidden = hidden, .colours = colours};
    m.w = calloc((size_t)(visible * hidden + 2 * visible + hidden), sizeof *m.w);
    assert_non_null(m.w);
    m.b = m.w + visible * hidden;
    m.c = m.b + visible;
    m.sigma = m.c + hidden;
    for (int64_t i = 0; i < visible; ++i) {
        m.sigma[i] = 1;
    }
    return m;
}

/* Smooth weights without symmetries. */
__attribute__((unused)) static machine wave_machine(gm_rbm_kind kind, int64_t visible,
                                                    int64_t hidden, int64_t colours, double size) {
    machine m = make_machine(kind, visible, hidden, colours);
    for (int64_t i = 0; i < visible; ++i) {
        for (int64_t j = 0; j < hidden; ++j) {
            m.w[i * hidden + j] = size * sin(1 + (double)(hidden * i + j));
        }
        m.b[i] = 0.3 * cos(1 + (double)i);
        m.sigma[i] = 0.8 + 0.15 * (double)(i % 3);
    }
    for (int64_t j = 0; j < hidden; ++j) {
        m.c[j] = 0.2 * sin(2 + 3 * (double)j);
    }
    return m;
}

/* Numbers as a type has them, and back; of bf16 those that it has exactly. */
static void narrow_numbers(gm_dtype dtype, const double *from, int64_t count, void *to) {
    for (int64_t i = 0; i < count; ++i) {
        const float x = (float)from[i];
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        if (dtype == GM_F64) {
            ((double *)to)[i] = from[i];
        } else if (dtype == GM_F32) {
            ((float *)to)[i] = x;
        } else {
            assert_true((bits & 0xffff) == 0);
            ((uint16_t *)to)[i] = (uint16_t)(bits >> 16);
        }
    }
}

static void widen_numbers(gm_dtype dtype, const void *from, int64_t count, double *to) {
    for (int64_t i = 0; i < count; ++i) {
        float x;
        const uint32_t bits = (uint32_t)((const uint16_t *)from)[i] << 16;
        memcpy(&x, &bits, sizeof x);
        to[i] = dtype == GM_F64   ? ((const double *)from)[i]
                : dtype == GM_F32 ? (double)((const float *)from)[i]
                                  : (double)x;
    }
}

__attribute__((unused)) static void *to_device(const subject *s, gm_dtype dtype, const double *host,
                                               int64_t count) {
    void *memory, *numbers = malloc((size_t)count * 8 + 8);
    assert_non_null(numbers);
    narrow_numbers(dtype, host, count, numbers);
    ASSERT_OK(s->context, gm_memory_alloc(s->context, (size_t)count * 8 + 64, &memory));
    ASSERT_OK(s->context,
              gm_memory_upload(s->context, memory, numbers, (size_t)count * gm_dtype_size(dtype)));
    free(numbers);
    return memory;
}

__attribute__((unused)) static void from_device(const subject *s, gm_dtype dtype,
                                                const void *memory, double *host, int64_t count) {
    void *numbers = malloc((size_t)count * 8 + 8);
    assert_non_null(numbers);
    ASSERT_OK(s->context, gm_memory_download(s->context, numbers, memory,
                                             (size_t)count * gm_dtype_size(dtype)));
    widen_numbers(dtype, numbers, count, host);
    free(numbers);
}

/* A machine and a plan in a context. */
typedef struct bench {
    const subject *s;
    gm_dtype dtype;
    gm_rbm_options options;
    gm_rbm_plan *plan;
    void *memory[8], *workspace;
    gm_tensor w, b, c, sigma;
    gm_rbm_model model;
} bench;

__attribute__((unused)) static bench open_bench(const subject *s, gm_dtype dtype, const machine *m,
                                                int64_t rows, int32_t partition) {
    bench x = {.s = s,
               .dtype = dtype,
               .options = {.dtype = dtype,
                           .kind = m->kind,
                           .rows = rows,
                           .visible = m->visible,
                           .hidden = m->hidden,
                           .colours = m->colours,
                           .partition = partition}};
    ASSERT_OK(s->context, gm_rbm_plan_create(s->context, &x.options, &x.plan));
    const double *const arrays[] = {m->w, m->b, m->c, m->sigma};
    const int64_t counts[] = {m->visible * m->hidden, m->visible, m->hidden, m->visible};
    for (int i = 0; i < 4; ++i) {
        x.memory[i] = to_device(s, dtype, arrays[i], counts[i]);
    }
    x.w = gm_tensor_2d(x.memory[0], dtype, m->visible, m->hidden);
    x.b = gm_tensor_1d(x.memory[1], dtype, m->visible);
    x.c = gm_tensor_1d(x.memory[2], dtype, m->hidden);
    x.sigma = gm_tensor_1d(x.memory[3], dtype, m->visible);
    ASSERT_OK(s->context, gm_memory_alloc(s->context, gm_rbm_workspace(x.plan), &x.workspace));
    /* Nothing may be read there that was not written: NaN in every type. */
    char *poison = malloc(gm_rbm_workspace(x.plan));
    memset(poison, 0xff, gm_rbm_workspace(x.plan));
    ASSERT_OK(s->context,
              gm_memory_upload(s->context, x.workspace, poison, gm_rbm_workspace(x.plan)));
    free(poison);
    return x;
}

/* The model's tensors are in x itself, which may have been moved. */
static const gm_rbm_model *model_of(bench *x) {
    x->model =
        (gm_rbm_model){&x->w, &x->b, &x->c, x->options.kind == GM_RBM_GAUSSIAN ? &x->sigma : NULL};
    return &x->model;
}

__attribute__((unused)) static void close_bench(bench *x) {
    for (int i = 0; i < 4; ++i) {
        ASSERT_OK(x->s->context, gm_memory_free(x->s->context, x->memory[i]));
    }
    ASSERT_OK(x->s->context, gm_memory_free(x->s->context, x->workspace));
    gm_rbm_plan_destroy(x->plan);
}

/* v (rows, visible) is replaced; h (rows, hidden) may be NULL. */
__attribute__((unused)) static void run_gibbs(bench *x, const gm_rbm_sweeps *run, double *v,
                                              double *h) {
    const gm_rbm_options *o = &x->options;
    double *zero = calloc((size_t)(o->rows * o->hidden + 1), sizeof *zero);
    gm_tensor tv = gm_tensor_2d(to_device(x->s, x->dtype, v, o->rows * o->visible), x->dtype,
                                o->rows, o->visible);
    gm_tensor th = gm_tensor_2d(to_device(x->s, x->dtype, zero, o->rows * o->hidden), x->dtype,
                                o->rows, o->hidden);
    ASSERT_OK(x->s->context, gm_rbm_gibbs(x->plan, run, model_of(x), &tv, h != NULL ? &th : NULL,
                                          x->workspace, gm_rbm_workspace(x->plan)));
    from_device(x->s, x->dtype, tv.data, v, o->rows * o->visible);
    if (h != NULL) {
        from_device(x->s, x->dtype, th.data, h, o->rows * o->hidden);
    }
    ASSERT_OK(x->s->context, gm_memory_free(x->s->context, tv.data));
    ASSERT_OK(x->s->context, gm_memory_free(x->s->context, th.data));
    free(zero);
}

typedef enum map_kind { HIDDEN_MEAN, VISIBLE_MEAN, FREE_ENERGY, PSEUDO, LOG_Z } map_kind;

/* The calls of one input (of LOG_Z none) and one output. */
__attribute__((unused)) static void run_map(bench *x, map_kind kind, double beta, const double *in,
                                            double *out) {
    const gm_rbm_options *o = &x->options;
    const gm_rbm_model *model = model_of(x);
    const size_t bytes = gm_rbm_workspace(x->plan);
    const int64_t in_columns = kind == VISIBLE_MEAN ? o->hidden : o->visible;
    const int64_t columns = kind == HIDDEN_MEAN ? o->hidden : kind == VISIBLE_MEAN ? o->visible : 1;
    const int64_t rows = kind == LOG_Z ? 1 : o->rows, count = rows * columns;
    double *hole = malloc((size_t)(count + 1) * sizeof *hole);
    for (int64_t i = 0; i < count; ++i) {
        hole[i] = NAN;
    }
    gm_tensor tin = {0};
    if (kind != LOG_Z) {
        tin = gm_tensor_2d(to_device(x->s, x->dtype, in, rows * in_columns), x->dtype, rows,
                           in_columns);
    }
    gm_tensor tout = gm_tensor_2d(to_device(x->s, x->dtype, hole, count), x->dtype, rows, columns);
    if (kind > VISIBLE_MEAN) {
        tout = gm_tensor_1d(tout.data, x->dtype, rows);
    }
    gm_context *context = x->s->context;
    ASSERT_OK(context,
              kind == HIDDEN_MEAN
                  ? gm_rbm_hidden_mean(x->plan, model, beta, &tin, &tout, x->workspace, bytes)
              : kind == VISIBLE_MEAN
                  ? gm_rbm_visible_mean(x->plan, model, beta, &tin, &tout, x->workspace, bytes)
              : kind == FREE_ENERGY
                  ? gm_rbm_free_energy(x->plan, model, beta, &tin, &tout, x->workspace, bytes)
              : kind == PSEUDO
                  ? gm_rbm_pseudo_likelihood(x->plan, model, &tin, &tout, x->workspace, bytes)
                  : gm_rbm_log_partition(x->plan, model, beta, &tout, x->workspace, bytes));
    from_device(x->s, x->dtype, tout.data, out, count);
    ASSERT_OK(context, gm_memory_free(context, tin.data));
    ASSERT_OK(context, gm_memory_free(context, tout.data));
    free(hole);
}

/* ---- exact laws, by all states of both layers -------------------------------------------------
 */

/* Joint log weights of a machine of {0, 1}: bit i of a state is unit i, visible units first. */
__attribute__((unused)) static double log_weight(const machine *m, double beta, uint64_t v,
                                                 uint64_t h) {
    double e = 0;
    for (int64_t i = 0; i < m->visible; ++i) {
        double field = m->b[i];
        for (int64_t j = 0; j < m->hidden; ++j) {
            field += (h >> j & 1) != 0 ? m->w[i * m->hidden + j] : 0;
        }
        e += (v >> i & 1) != 0 ? field : 0;
    }
    for (int64_t j = 0; j < m->hidden; ++j) {
        e += (h >> j & 1) != 0 ? m->c[j] : 0;
    }
    return beta * e;
}

/* No site of a potts machine has other than one colour. */
__attribute__((unused)) static bool is_state(const machine *m, uint64_t v) {
    for (int64_t i = 0; i < m->visible && m->kind == GM_RBM_POTTS; i += m->colours) {
        const uint64_t site = v >> i & ((UINT64_C(1) << m->colours) - 1);
        if (site == 0 || (site & (site - 1)) != 0) {
            return false;
        }
    }
    return true;
}

/* P(v) of every visible state, to be freed; *log_z may be NULL. */
__attribute__((unused)) static double *visible_law(const machine *m, double beta, double *log_z) {
    const uint64_t states = UINT64_C(1) << m->visible;
    double *p = calloc(states, sizeof *p), z = 0;
    assert_non_null(p);
    for (uint64_t v = 0; v < states; ++v) {
        for (uint64_t h = 0; is_state(m, v) && h < UINT64_C(1) << m->hidden; ++h) {
            p[v] += exp(log_weight(m, beta, v, h));
        }
        z += p[v];
    }
    for (uint64_t v = 0; v < states; ++v) {
        p[v] /= z;
    }
    if (log_z != NULL) {
        *log_z = log(z);
    }
    return p;
}

__attribute__((unused)) static void bits_of(uint64_t state, int64_t units, double *row) {
    for (int64_t i = 0; i < units; ++i) {
        row[i] = (double)(state >> i & 1);
    }
}

__attribute__((unused)) static uint64_t state_of(const double *row, int64_t units) {
    uint64_t state = 0;
    for (int64_t i = 0; i < units; ++i) {
        assert_true(row[i] == 0 || row[i] == 1);
        state |= row[i] == 1 ? UINT64_C(1) << i : 0;
    }
    return state;
}

__attribute__((unused)) static void expect_near(const subject *s, const char *what, double got,
                                                double expected, double bound) {
    if (!(fabs(got - expected) <= bound)) {
        fail_msg("%s: %s is %.15g, expected %.15g within %.3g", s->name, what, got, expected,
                 bound);
    }
}

/* ---- z-tests --------------------------------------------------------------------------------- */

#define Z_BOUND 5.5

__attribute__((unused)) static void expect_z(const char *what, double mean, double exact,
                                             double variance, double n) {
    const double z = (mean - exact) / sqrt(variance / n);
    if (!(fabs(z) < Z_BOUND)) {
        fail_msg("%s: mean %.8g, exact %.8g, z = %.2f", what, mean, exact, z);
    }
}

/* The fastest of the host's. */
__attribute__((unused)) static const subject *sampler(void) {
    const subject *found = subjects;
    FOR_EACH_SUBJECT(s) {
        found = s->is_kernel ? found : s;
    }
    return found;
}

/* The state in which a cumulative law passes a uniform. */
__attribute__((unused)) static int64_t pick(const double *cumulative, int64_t count,
                                            uint64_t *random) {
    const double u = (double)(next_random(random) >> 11) * 0x1p-53;
    int64_t low = 0, high = count - 1;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (u < cumulative[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* Exact draws of v: rows from the visible law. */
__attribute__((unused)) static void draw_visible(const machine *m, double beta, const int *clamped,
                                                 int64_t rows, uint64_t seed, double *v) {
    const int64_t states = INT64_C(1) << m->visible;
    double *law = visible_law(m, beta, NULL), whole = 0;
    for (int64_t s = 0; s < states; ++s) {
        for (int64_t i = 0; i < m->visible && clamped != NULL; ++i) {
            law[s] = clamped[i] < 0 || (int)(s >> i & 1) == clamped[i] ? law[s] : 0;
        }
        whole += law[s];
    }
    for (int64_t s = 0; s < states; ++s) {
        law[s] = law[s] / whole + (s > 0 ? law[s - 1] : 0);
    }
    for (int64_t r = 0; r < rows; ++r) {
        bits_of((uint64_t)pick(law, states, &seed), m->visible, v + r * m->visible);
    }
    free(law);
}

#endif

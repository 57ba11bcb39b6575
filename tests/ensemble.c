/* The helpers of ensemble.h. */
#include "tests/ensemble.h"

#include <float.h>

subject subjects[8];
int subject_count;

int open_subjects(void **state) {
    static const struct {
        const char *name;
        gm_context_options options;
    } wanted[] = {
        {"ref", {.backend = GM_BACKEND_REF}},
        {"cpu base", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_BASE, .threads = 2}},
        {"cpu avx2", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX2, .threads = 2}},
        {"cpu avx512", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX512, .threads = 2}},
        {"emu", {.backend = GM_BACKEND_EMU}},
        {"cuda", {.backend = GM_BACKEND_CUDA}},
    };
    (void)state;
    subject_count = 0;
    for (int i = 0; i < COUNT(wanted); ++i) {
        subject *s = &subjects[subject_count];
        if (gm_context_create(&wanted[i].options, &s->context) != GM_STATUS_OK) {
            printf("skip: %s: %s\n", wanted[i].name, gm_last_error(NULL));
            continue;
        }
        const gm_backend_id id = gm_context_backend(s->context);
        s->name = wanted[i].name;
        s->is_reference = id == GM_BACKEND_REF;
        s->is_kernel = id == GM_BACKEND_EMU || id == GM_BACKEND_CUDA;
        s->is_slow = id == GM_BACKEND_EMU;
        ++subject_count;
    }
    return subject_count < 2; /* ref and at least one cpu path are everywhere */
}

int close_subjects(void **state) {
    (void)state;
    for (int i = 0; i < subject_count; ++i) {
        gm_context_destroy(subjects[i].context);
    }
    return 0;
}

double unit_of(gm_dtype dtype) {
    return dtype == GM_F64 ? DBL_EPSILON / 2 : (double)FLT_EPSILON / 2;
}

/* ---- arrays in a backend's memory ------------------------------------------------------------ */

enum { GUARD = 64 }; /* bytes before and after */

typedef struct guarded {
    gm_context *context;
    gm_tensor tensor;
    unsigned char *memory, *before; /* on the backend, and what was uploaded */
    size_t bytes;
} guarded;

static void store(unsigned char *at, gm_dtype dtype, double value) {
    const float narrow = (float)value;
    if (dtype == GM_F64) {
        memcpy(at, &value, sizeof value);
    } else {
        memcpy(at, &narrow, sizeof narrow);
    }
}

static double fetch(const unsigned char *at, gm_dtype dtype) {
    double wide;
    float narrow;
    int32_t whole;
    if (dtype == GM_F64) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    memcpy(&whole, at, sizeof whole);
    return dtype == GM_F32 ? (double)narrow : (double)whole;
}

/* Where element (i, j, k) of a (..., rows, n) array lies in the block, in bytes. */
static size_t place_of(const guarded *g, int64_t i, int64_t j, int64_t k) {
    const gm_tensor *t = &g->tensor;
    const int64_t index[] = {i, j, k};
    int64_t offset = 0;
    for (int32_t axis = 0; axis < t->ndim; ++axis) {
        offset += index[axis + 3 - t->ndim] * t->stride[axis];
    }
    const ptrdiff_t base = (const unsigned char *)t->data - g->memory;
    return (size_t)(base + offset * (int64_t)gm_dtype_size(t->dtype));
}

/* The last ndim of (planes, rows, n); values NULL: an output, all NaN. A stride of 0 along n if
 * `shared`, and then values has n = 1. */
static guarded make_guarded(gm_context *context, gm_dtype dtype, int32_t ndim, int64_t planes,
                            int64_t rows, int64_t n, layout how, bool shared,
                            const double *values) {
    const int64_t held = shared ? 1 : n, gap = how == PADDED ? 3 : 0, step = how == PADDED ? 2 : 1;
    const int64_t across = how == COLUMNS ? 1 : step * held + gap;
    const int64_t along = how == COLUMNS ? rows : step;
    const int64_t plane = rows * (how == COLUMNS ? held : across) + gap;
    const int64_t size = (int64_t)gm_dtype_size(dtype);
    guarded g = {.context = context};
    g.bytes = (size_t)(planes * plane * size + 2 * GUARD);
    g.before = malloc(g.bytes);
    assert_non_null(g.before);
    memset(g.before, 0xff, g.bytes); /* NaN in either precision, and no status or count */
    void *memory;
    ASSERT_OK(context, gm_memory_alloc(context, g.bytes, &memory));
    g.memory = memory;
    const int64_t turn = how == BACKWARD && held > 0 ? (held - 1) * along : 0;
    const int64_t shape[] = {planes, rows, n},
                  stride[] = {plane, across, how == BACKWARD ? -along : along};
    g.tensor = (gm_tensor){.data = g.memory + GUARD + turn * size, .dtype = dtype, .ndim = ndim};
    for (int32_t axis = 0; axis < ndim; ++axis) {
        g.tensor.shape[axis] = shape[axis + 3 - ndim];
        g.tensor.stride[axis] = stride[axis + 3 - ndim];
    }
    if (shared) {
        g.tensor.stride[ndim - 1] = 0;
    }
    for (int64_t row = 0; row < rows && values != NULL; ++row) {
        for (int64_t k = 0; k < held; ++k) {
            store(g.before + place_of(&g, 0, row, k), dtype, values[row * held + k]);
        }
    }
    ASSERT_OK(context, gm_memory_upload(context, g.memory, g.before, g.bytes));
    return g;
}

/* The elements of an output, to be freed; NULL for an input. Everything else must be untouched. */
static double *take_guarded(guarded *g, int64_t planes, int64_t rows, int64_t n, bool is_output) {
    unsigned char *after = malloc(g->bytes);
    double *values = is_output ? malloc((size_t)(planes * rows * n) * sizeof *values + 1) : NULL;
    assert_non_null(after);
    ASSERT_OK(g->context, gm_memory_download(g->context, after, g->memory, g->bytes));
    for (int64_t at = 0; at < planes * rows * n && is_output; ++at) {
        const size_t place = place_of(g, at / (rows * n), at / n % rows, at % n);
        /* The bits of the filling are a NaN that no arithmetic makes, and no count: still there, it
         * was not written. */
        assert_memory_not_equal(after + place, "\xff\xff\xff\xff\xff\xff\xff\xff",
                                gm_dtype_size(g->tensor.dtype));
        values[at] = fetch(after + place, g->tensor.dtype);
        memcpy(after + place, g->before + place, gm_dtype_size(g->tensor.dtype));
    }
    assert_memory_equal(after, g->before, g->bytes);
    ASSERT_OK(g->context, gm_memory_free(g->context, g->memory));
    free(after);
    free(g->before);
    return values;
}

/* ---- solving --------------------------------------------------------------------------------- */

/* The arrays of one call. */
typedef struct call {
    guarded y0, params, end, saved, time, counts[4];
    gm_ode_result result;
} call;

static bool wants(const ensemble *in, int result) {
    return (in->unwanted >> result & 1) == 0;
}

static void open_call(gm_context *context, const gm_system *system, gm_dtype dtype, int64_t saves,
                      int counts, const ensemble *in, call *c) {
    const int64_t n = in->n, dim = system->dim;
    *c = (call){0};
    c->y0 = make_guarded(context, dtype, 2, 1, dim, n, in->how, false, in->y0);
    if (system->params > 0) {
        c->params =
            make_guarded(context, dtype, 2, 1, system->params, n, in->how, in->shared, in->params);
    }
    if (wants(in, 0)) {
        c->end =
            in->in_place ? c->y0 : make_guarded(context, dtype, 2, 1, dim, n, in->how, false, NULL);
        c->result.end = &c->end.tensor;
    }
    if (wants(in, 1)) {
        c->saved = make_guarded(context, dtype, 3, saves, dim, n, in->how, false, NULL);
        c->result.saved = &c->saved.tensor;
    }
    if (wants(in, 2)) {
        c->time = make_guarded(context, dtype, 1, 1, 1, n, in->how, false, NULL);
        c->result.time = &c->time.tensor;
    }
    const gm_tensor **const views[] = {&c->result.status, &c->result.accepted, &c->result.rejected,
                                       &c->result.evaluations};
    for (int i = 0; i < counts; ++i) {
        if (wants(in, 3 + i)) {
            c->counts[i] = make_guarded(context, GM_I32, 1, 1, 1, n, in->how, false, NULL);
            *views[i] = &c->counts[i].tensor;
        }
    }
}

static outcome close_call(call *c, int64_t n, int64_t dim, int64_t saves, const ensemble *in) {
    outcome out = {.n = n, .dim = dim, .saves = saves};
    double **const counts[] = {&out.status, &out.accepted, &out.rejected, &out.evaluations};
    if (c->params.memory != NULL) {
        take_guarded(&c->params, 1, c->params.tensor.shape[0], in->shared ? 1 : n, false);
    }
    if (!(in->in_place && wants(in, 0))) {
        take_guarded(&c->y0, 1, dim, n, false);
    }
    if (c->end.memory != NULL) {
        out.end = take_guarded(&c->end, 1, dim, n, true);
    }
    if (c->saved.memory != NULL) {
        out.saved = take_guarded(&c->saved, saves, dim, n, true);
    }
    if (c->time.memory != NULL) {
        out.time = take_guarded(&c->time, 1, 1, n, true);
    }
    for (int i = 0; i < 4; ++i) {
        if (c->counts[i].memory != NULL) {
            *counts[i] = take_guarded(&c->counts[i], 1, 1, n, true);
        }
    }
    return out;
}

outcome solve_ode(const subject *s, const gm_system *system, const gm_ode_options *options,
                  const ensemble *in) {
    gm_ode_plan *plan;
    call c;
    open_call(s->context, system, options->dtype, options->save_count, 4, in, &c);
    ASSERT_OK(s->context, gm_ode_plan_create(s->context, system, options, &plan));
    ASSERT_OK(s->context, gm_ode_solve(plan, &c.y0.tensor,
                                       system->params > 0 ? &c.params.tensor : NULL, &c.result));
    ASSERT_OK(s->context, gm_context_synchronize(s->context));
    gm_ode_plan_destroy(plan);
    return close_call(&c, in->n, system->dim, options->save_count, in);
}

outcome solve_sde(const subject *s, const gm_sde *sde, const gm_sde_options *options,
                  const ensemble *in) {
    const gm_system *drift = sde->drift;
    const int64_t saves = options->save_every > 0 ? options->steps / options->save_every : 0;
    gm_sde_plan *plan;
    call c;
    open_call(s->context, drift, options->dtype, saves, 1, in, &c);
    const gm_sde_result result = {c.result.end, c.result.saved, c.result.time, c.result.status};
    ASSERT_OK(s->context, gm_sde_plan_create(s->context, sde, options, &plan));
    ASSERT_OK(s->context, gm_sde_solve(plan, &c.y0.tensor,
                                       drift->params > 0 ? &c.params.tensor : NULL, &result));
    ASSERT_OK(s->context, gm_context_synchronize(s->context));
    gm_sde_plan_destroy(plan);
    return close_call(&c, in->n, drift->dim, saves, in);
}

void free_outcome(outcome *out) {
    free(out->end);
    free(out->saved);
    free(out->time);
    free(out->status);
    free(out->accepted);
    free(out->rejected);
    free(out->evaluations);
    *out = (outcome){0};
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool same_number(double a, double b) {
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static bool same_column(const double *a, int64_t i, int64_t a_n, const double *b, int64_t j,
                        int64_t b_n, int64_t rows) {
    for (int64_t row = 0; row < rows && a != NULL && b != NULL; ++row) {
        if (!same_number(a[row * a_n + i], b[row * b_n + j])) {
            return false;
        }
    }
    return true;
}

int64_t different_trajectories(const outcome *a, int64_t a_first, const outcome *b, int64_t b_first,
                               int64_t count) {
    const double *const a_rows[] = {a->end,      a->saved,    a->time,       a->status,
                                    a->accepted, a->rejected, a->evaluations};
    const double *const b_rows[] = {b->end,      b->saved,    b->time,       b->status,
                                    b->accepted, b->rejected, b->evaluations};
    int64_t different = 0;
    assert_int_equal(a->dim, b->dim);
    assert_int_equal(a->saves, b->saves);
    for (int64_t i = 0; i < count; ++i) {
        bool same = true;
        for (int k = 0; k < COUNT(a_rows); ++k) {
            const int64_t rows = k == 0 ? a->dim : k == 1 ? a->saves * a->dim : 1;
            same = same &&
                   same_column(a_rows[k], a_first + i, a->n, b_rows[k], b_first + i, b->n, rows);
        }
        different += !same;
    }
    return different;
}

double largest_difference(const double *a, const double *b, int64_t n) {
    double largest = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double difference =
            a[i] == b[i] || (isnan(a[i]) && isnan(b[i])) ? 0 : fabs(a[i] - b[i]);
        largest = isnan(difference) ? INFINITY : fmax(largest, difference);
    }
    return largest;
}

void assert_statuses(const outcome *out, gm_status expected) {
    for (int64_t i = 0; i < out->n; ++i) {
        if ((gm_status)out->status[i] != expected) {
            fail_msg("trajectory %lld has status %g, not %d", (long long)i, out->status[i],
                     (int)expected);
        }
    }
}

/* ---- numbers and files ----------------------------------------------------------------------- */

double random_between(uint64_t *state, double low, double high) {
    return (double)(float)(low + (high - low) * (double)(next_random(state) >> 11) * 0x1p-53);
}

double *random_row(uint64_t *state, int64_t n, double low, double high) {
    double *row = malloc((size_t)n * sizeof *row + 1);
    assert_non_null(row);
    for (int64_t i = 0; i < n; ++i) {
        row[i] = random_between(state, low, high);
    }
    return row;
}

double log_log_slope(const double *x, const double *y, int count) {
    double sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (int i = 0; i < count; ++i) {
        const double u = log(x[i]), v = log(y[i]);
        sx += u;
        sy += v;
        sxx += u * u;
        sxy += u * v;
    }
    return (count * sxy - sx * sy) / (count * sxx - sx * sx);
}

FILE *open_data(const char *name) {
    char path[PATH_MAX];
    const char *folder = getenv("GENMATH_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : "tests/data", name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("%s cannot be opened", path);
    }
    return file;
}

int next_row(FILE *file, char label[64], double *values, int most) {
    char line[1024], *end;
    do {
        if (fgets(line, sizeof line, file) == NULL) {
            return -1;
        }
    } while (line[0] == '#' || line[0] == '\n');
    int length = 0, count = 0;
    assert_int_equal(sscanf(line, "%63s%n", label, &length), 1);
    for (char *at = line + length; count < most; at = end, ++count) {
        values[count] = strtod(at, &end);
        if (end == at) {
            break;
        }
    }
    return count;
}

bool test_is_full(void) {
    const char *full = getenv("GENMATH_TEST_FULL");
    return full != NULL && full[0] != '\0' && full[0] != '0';
}

/* genmath chain rbm: a binary Boltzmann machine trained on a file of vectors, or read, and chains
 * of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/npy.h>
#include <genmath/philox.h>
#include <genmath/rbm.h>

#include "host/cli/chain.h"
#include "host/cli/picture.h"
#include "host/cli/sample.h"
#include "host/internal.h"

enum { MOST_UNITS = 1 << 16, MOST_ROWS = 1 << 20, EXACT_BITS = 16, HEADER = 5 };
enum {
    KEY_DATA = 0x2101,
    KEY_WEIGHTS,
    KEY_EPOCHS,
    KEY_BATCH,
    KEY_RATE,
    KEY_MOMENTUM,
    KEY_DECAY,
    KEY_THRESHOLD,
    KEY_CD,
    KEY_RESUME,
    KEY_STATE,
    KEY_SAVE,
    KEY_START,
    KEY_FIRST,
    KEY_BETA,
    KEY_OUT,
    KEY_PICTURE
};

typedef struct settings {
    gm_cli_options common;
    const char *data, *weights, *resume, *state, *save, *start, *out, *picture;
    int64_t hidden, epochs, batch, k, chains, sweeps, first_sweep;
    double rate, momentum, decay, threshold, beta;
    bool cd;
} settings;

static const struct argp_option options[] = {
    {"data", KEY_DATA, "FILE", 0, "train on the vectors of this .npy file, (n, units)", 0},
    {"threshold", KEY_THRESHOLD, "X", 0, "a unit is on from here (default: the middle)", 0},
    {"hidden", 'm', "N", 0, "hidden units (default: 64)", 0},
    {"epochs", KEY_EPOCHS, "N", 0, "passes over the data (default: 20)", 0},
    {"batch", KEY_BATCH, "N", 0, "vectors and chains of a step (default: 100)", 0},
    {"k", 'k', "N", 0, "sweeps of a step (default: 1)", 0},
    {"cd", KEY_CD, NULL, 0, "chains start at the data (default: they persist)", 0},
    {"rate", KEY_RATE, "X", 0, "of learning (default: 0.05)", 0},
    {"momentum", KEY_MOMENTUM, "X", 0, "(default: 0.5)", 0},
    {"decay", KEY_DECAY, "X", 0, "of the weights (default: 1e-4)", 0},
    {"resume", KEY_RESUME, "FILE", 0, "go on from the training that --state wrote", 0},
    {"state", KEY_STATE, "FILE", 0, "write the training's state, as .npy", 0},
    {"weights", KEY_WEIGHTS, "PREFIX", 0,
     "no training: read PREFIX-w.npy (units, hidden), PREFIX-b.npy, PREFIX-c.npy", 0},
    {"save", KEY_SAVE, "PREFIX", 0, "write the weights so", 0},
    {"chains", 'n', "N", 0, "(default: 64)", 0},
    {"sweeps", 's', "N", 0, "of the chains, after training (default: 1000)", 0},
    {"beta", KEY_BETA, "X", 0, "1 / temperature of the chains (default: 1)", 0},
    {"start", KEY_START, "FILE", 0, "start the chains from what --out wrote (default: random)", 0},
    {"first-sweep", KEY_FIRST, "N", 0, "as many as were run before (default: 0)", 0},
    {"out", KEY_OUT, "FILE", 0, "write the units afterwards, u8 (chains, units), as .npy", 0},
    {"picture", KEY_PICTURE, "FILE", 0,
     "draw the chains and the filters as .png, if the units are a square", 0},
    {0}};

static int parse_numbers(int key, const char *text, const struct argp_state *state, settings *s) {
    const int64_t most = INT64_C(1) << 40;
    switch (key) {
    case 'm':
        s->hidden = gm_cli_parse_integer(state, "hidden", text, 1, MOST_UNITS);
        return 0;
    case KEY_EPOCHS:
        s->epochs = gm_cli_parse_integer(state, "epochs", text, 0, 1 << 20);
        return 0;
    case KEY_BATCH:
        s->batch = gm_cli_parse_integer(state, "batch", text, 1, MOST_ROWS);
        return 0;
    case 'k':
        s->k = gm_cli_parse_integer(state, "k", text, 1, 1 << 20);
        return 0;
    case 'n':
        s->chains = gm_cli_parse_integer(state, "chains", text, 1, MOST_ROWS);
        return 0;
    case 's':
        s->sweeps = gm_cli_parse_integer(state, "sweeps", text, 0, most);
        return 0;
    case KEY_FIRST:
        s->first_sweep = gm_cli_parse_integer(state, "first-sweep", text, 0, most);
        return 0;
    case KEY_RATE:
        s->rate = gm_cli_parse_real(state, "rate", text, 0, 1e3);
        return 0;
    case KEY_MOMENTUM:
        s->momentum = gm_cli_parse_real(state, "momentum", text, 0, 0.999999);
        return 0;
    case KEY_DECAY:
        s->decay = gm_cli_parse_real(state, "decay", text, 0, 1e3);
        return 0;
    case KEY_BETA:
        s->beta = gm_cli_parse_real(state, "beta", text, 1e-9, 1e9);
        return 0;
    case KEY_THRESHOLD:
        s->threshold = gm_cli_parse_real(state, "threshold", text, -1e300, 1e300);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    settings *s = state->input;
    const struct {
        int key;
        const char **name;
    } names[] = {{KEY_DATA, &s->data},   {KEY_WEIGHTS, &s->weights}, {KEY_RESUME, &s->resume},
                 {KEY_STATE, &s->state}, {KEY_SAVE, &s->save},       {KEY_START, &s->start},
                 {KEY_OUT, &s->out},     {KEY_PICTURE, &s->picture}};
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = &s->common;
        return 0;
    }
    if (key == ARGP_KEY_END && (s->data == NULL) == (s->weights == NULL)) {
        argp_error(state, "either --data or --weights must be given");
    }
    if (key == ARGP_KEY_END && s->data == NULL && (s->resume != NULL || s->state != NULL)) {
        argp_error(state, "--resume and --state belong to --data");
    }
    if (key == KEY_CD) {
        s->cd = true;
        return 0;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
        if (names[i].key == key) {
            *names[i].name = argument;
            return 0;
        }
    }
    return parse_numbers(key, argument, state, s);
}

/* ---- what a run holds ------------------------------------------------------------------------ */

enum { W, B, C, DW, DB, DC, CHAINS, WEIGHTS = 3, ARRAYS = 7 };

typedef struct workplace {
    gm_context *context;
    int64_t visible, hidden, count; /* count: vectors of the data */
    float *data;
    float *state; /* the header, then the arrays: what --state writes */
    int64_t at[ARRAYS + 1];
    int64_t epochs; /* done */
    gm_tensor array[ARRAYS], batch;
    double likelihood; /* of the data, in nats a vector; exact says by which sum */
    bool exact;
    double energy, energy_error, seconds;
    uint8_t *units; /* of the chains */
} workplace;

/* A plan with its workspace. */
typedef struct tool {
    gm_rbm_plan *plan;
    void *scratch;
    size_t bytes;
} tool;

static gm_status open_tool(const workplace *w, int64_t rows, bool partition, tool *t) {
    const gm_rbm_options o = {.dtype = GM_F32,
                              .rows = rows,
                              .visible = w->visible,
                              .hidden = w->hidden,
                              .partition = partition};
    GM_TRY(gm_rbm_plan_create(w->context, &o, &t->plan));
    t->bytes = gm_rbm_workspace(t->plan);
    return gm_memory_alloc(w->context, t->bytes, &t->scratch);
}

static void close_tool(const workplace *w, tool *t) {
    gm_memory_free(w->context, t->scratch);
    gm_rbm_plan_destroy(t->plan);
}

static gm_status open_tensor(const workplace *w, const float *from, int64_t rows, int64_t columns,
                             gm_tensor *t) {
    const size_t bytes = (size_t)(rows * (columns > 0 ? columns : 1)) * sizeof *from;
    void *memory;
    GM_TRY(gm_memory_alloc(w->context, bytes, &memory));
    *t = columns > 0 ? gm_tensor_2d(memory, GM_F32, rows, columns)
                     : gm_tensor_1d(memory, GM_F32, rows);
    return from != NULL ? gm_memory_upload(w->context, memory, from, bytes) : GM_STATUS_OK;
}

static gm_rbm_model model_of(const workplace *w) {
    return (gm_rbm_model){&w->array[W], &w->array[B], &w->array[C], NULL};
}

/* Memory for the weights and, with a batch, for training. */
static gm_status make_state(int64_t batch, workplace *w) {
    const int64_t sizes[ARRAYS] = {w->visible * w->hidden, w->visible, w->hidden,
                                   w->visible * w->hidden, w->visible, w->hidden,
                                   batch * w->visible};
    w->at[0] = HEADER;
    for (int i = 0; i < ARRAYS; ++i) {
        w->at[i + 1] = w->at[i] + sizes[i];
    }
    w->state = calloc((size_t)w->at[ARRAYS], sizeof *w->state);
    GM_CHECK(w->context, w->state != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the weights");
    return GM_STATUS_OK;
}

static gm_status send_state(int64_t batch, workplace *w) {
    for (int i = 0; i < (batch > 0 ? ARRAYS : WEIGHTS); ++i) {
        const bool matrix = i % WEIGHTS == W && i != CHAINS;
        const int64_t rows = i == CHAINS ? batch : i % WEIGHTS == C ? w->hidden : w->visible;
        const int64_t columns = i == CHAINS ? w->visible : matrix ? w->hidden : 0;
        GM_TRY(open_tensor(w, w->state + w->at[i], rows, columns, &w->array[i]));
    }
    return GM_STATUS_OK;
}

static gm_status fetch_state(int64_t batch, workplace *w) {
    for (int i = 0; i < (batch > 0 ? ARRAYS : WEIGHTS); ++i) {
        GM_TRY(gm_memory_download(w->context, w->state + w->at[i], w->array[i].data,
                                  (size_t)(w->at[i + 1] - w->at[i]) * sizeof *w->state));
    }
    return GM_STATUS_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A .npy of f32 or f64 with these sizes (columns 0: one dimension), all finite, as floats. */
static gm_status load_floats(const workplace *w, const char *path, int64_t rows, int64_t columns,
                             float *to) {
    gm_tensor file;
    GM_TRY(gm_npy_load(w->context, path, &file));
    const bool fits = (file.dtype == GM_F32 || file.dtype == GM_F64) &&
                      file.ndim == (columns > 0 ? 2 : 1) && file.shape[0] == rows &&
                      (columns == 0 || file.shape[1] == columns);
    bool finite = true;
    const int64_t wide = columns > 0 ? columns : 1;
    for (int64_t i = 0; fits && i < rows * wide; ++i) {
        const int64_t at =
            i / wide * file.stride[0] + (columns > 0 ? i % wide * file.stride[1] : 0);
        to[i] = file.dtype == GM_F32 ? ((const float *)file.data)[at]
                                     : (float)((const double *)file.data)[at];
        finite = finite && isfinite(to[i]);
    }
    gm_npy_free(&file);
    GM_CHECK(w->context, fits, GM_STATUS_SHAPE_MISMATCH, "%s: must be f32 or f64 of %lld x %lld",
             path, (long long)rows, (long long)wide);
    GM_CHECK(w->context, finite, GM_STATUS_CORRUPT_DATA, "%s: a number is not finite", path);
    return GM_STATUS_OK;
}

static const char *const suffixes[WEIGHTS] = {"w", "b", "c"};

static gm_status load_weights(const settings *s, workplace *w) {
    char path[4096];
    gm_tensor file;
    snprintf(path, sizeof path, "%s-w.npy", s->weights);
    GM_TRY(gm_npy_load(w->context, path, &file));
    const bool matrix = file.ndim == 2 && file.shape[0] >= 1 && file.shape[0] <= MOST_UNITS &&
                        file.shape[1] >= 1 && file.shape[1] <= MOST_UNITS;
    w->visible = matrix ? file.shape[0] : 0;
    w->hidden = matrix ? file.shape[1] : 0;
    gm_npy_free(&file);
    GM_CHECK(w->context, matrix, GM_STATUS_SHAPE_MISMATCH,
             "%s: must be (units, hidden units), 1 to %d each", path, MOST_UNITS);
    GM_TRY(make_state(0, w));
    for (int i = 0; i < WEIGHTS; ++i) {
        snprintf(path, sizeof path, "%s-%s.npy", s->weights, suffixes[i]);
        GM_TRY(load_floats(w, path, i == C ? w->hidden : w->visible, i == W ? w->hidden : 0,
                           w->state + w->at[i]));
    }
    return GM_STATUS_OK;
}

static gm_status save_weights(const settings *s, const workplace *w) {
    for (int i = 0; i < WEIGHTS && s->save != NULL; ++i) {
        char path[4096];
        snprintf(path, sizeof path, "%s-%s.npy", s->save, suffixes[i]);
        const gm_tensor t =
            i == W ? gm_tensor_2d(w->state + w->at[i], GM_F32, w->visible, w->hidden)
                   : gm_tensor_1d(w->state + w->at[i], GM_F32, w->at[i + 1] - w->at[i]);
        GM_TRY(gm_npy_save(w->context, path, &t));
    }
    return GM_STATUS_OK;
}

/* Whole numbers below 2^24, which a float has exactly. */
static void set_header(const settings *s, workplace *w) {
    const int64_t numbers[HEADER] = {1, w->visible, w->hidden, s->batch, w->epochs};
    for (int i = 0; i < HEADER; ++i) {
        w->state[i] = (float)numbers[i];
    }
}

static gm_status resume(const settings *s, workplace *w) {
    set_header(s, w);
    float expected[HEADER];
    memcpy(expected, w->state, sizeof expected);
    GM_TRY(load_floats(w, s->resume, w->at[ARRAYS], 0, w->state));
    GM_CHECK(w->context,
             memcmp(expected, w->state, (HEADER - 1) * sizeof *expected) == 0 &&
                 w->state[HEADER - 1] >= 0 && w->state[HEADER - 1] < 0x1p24f,
             GM_STATUS_CORRUPT_DATA,
             "%s: not the state of a training with %lld x %lld units and a batch of %lld",
             s->resume, (long long)w->visible, (long long)w->hidden, (long long)s->batch);
    w->epochs = (int64_t)w->state[HEADER - 1];
    return GM_STATUS_OK;
}

/* ---- training -------------------------------------------------------------------------------- */

static gm_status load_data(const settings *s, workplace *w) {
    gm_vectors v;
    const gm_status status = gm_vectors_load(s->data, &v);
    GM_CHECK(w->context, status == GM_STATUS_OK, status, "%s", gm_last_error(NULL));
    const double middle = isnan(s->threshold) ? (v.low + v.high) / 2 : s->threshold;
    w->visible = v.dim;
    w->hidden = s->hidden;
    w->count = v.count;
    w->data = malloc((size_t)(v.count * v.dim) * sizeof *w->data);
    for (int64_t i = 0; w->data != NULL && i < v.count * v.dim; ++i) {
        w->data[i] = v.values[i] >= middle;
    }
    gm_vectors_free(&v);
    GM_CHECK(w->context, w->data != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the data");
    GM_CHECK(w->context, w->visible <= MOST_UNITS, GM_STATUS_INVALID_ARGUMENT,
             "%s: %lld units, at most %d", s->data, (long long)w->visible, MOST_UNITS);
    GM_CHECK(w->context, w->count >= s->batch, GM_STATUS_INVALID_ARGUMENT,
             "%s: %lld vectors, fewer than a batch of %lld", s->data, (long long)w->count,
             (long long)s->batch);
    return GM_STATUS_OK;
}

/* Weights of 0.1 times a normal, biases by the mean of the data, chains at the data. */
static void start_state(const settings *s, workplace *w) {
    for (int64_t i = w->at[W]; i < w->at[B]; ++i) {
        w->state[i] = 0.1f * gm_normal_f32(s->common.seed, (uint64_t)i, GM_STREAM_USER, 0);
    }
    for (int64_t u = 0; u < w->visible; ++u) {
        double on = 1; /* one more of each, so that none is certain */
        for (int64_t n = 0; n < w->count; ++n) {
            on += (double)w->data[n * w->visible + u];
        }
        w->state[w->at[B] + u] = (float)log(on / ((double)w->count + 2 - on));
    }
    memcpy(w->state + w->at[CHAINS], w->data,
           (size_t)(w->at[CHAINS + 1] - w->at[CHAINS]) * sizeof *w->data);
}

static gm_status run_epoch(const settings *s, workplace *w, const tool *t, int64_t *order,
                           float *batch) {
    const int64_t batches = w->count / s->batch;
    const gm_rbm_model model = model_of(w);
    const gm_rbm_velocity velocity = {&w->array[DW], &w->array[DB], &w->array[DC]};
    GM_TRY(gm_rbm_shuffle(s->common.seed, (uint64_t)w->epochs, w->count, order));
    for (int64_t i = 0; i < batches; ++i) {
        for (int64_t n = 0; n < s->batch; ++n) {
            memcpy(batch + n * w->visible, w->data + order[i * s->batch + n] * w->visible,
                   (size_t)w->visible * sizeof *batch);
        }
        GM_TRY(gm_memory_upload(w->context, w->batch.data, batch,
                                (size_t)(s->batch * w->visible) * sizeof *batch));
        const int64_t step = w->epochs * batches + i;
        const gm_rbm_step own = {.seed = s->common.seed,
                                 .first_sweep = (uint64_t)(step * s->k),
                                 .k = s->k,
                                 .rate = s->rate,
                                 .momentum = s->momentum,
                                 .decay = s->decay,
                                 .persistent = !s->cd};
        GM_TRY(gm_rbm_train(t->plan, &own, &model, &velocity, &w->batch, &w->array[CHAINS],
                            t->scratch, t->bytes));
    }
    ++w->epochs;
    return GM_STATUS_OK;
}

static double mean_of(const float *x, int64_t n, double *error) {
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; ++i) {
        mean += (double)x[i] / (double)n;
    }
    for (int64_t i = 0; i < n; ++i) {
        square += ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    *error = n > 1 ? sqrt(square / (double)(n - 1) / (double)n) : 0;
    return mean;
}

/* Mean log-likelihood of the data: exact where a layer is small, else the pseudo-likelihood of the
 * first vectors. */
static gm_status measure_with(workplace *w, const tool *t, const gm_tensor *v, const gm_tensor *out,
                              float *host) {
    const gm_rbm_model model = model_of(w);
    const int64_t rows = v->shape[0];
    gm_tensor one = gm_tensor_1d(out->data, GM_F32, 1);
    const gm_tensor energies = gm_tensor_1d((float *)out->data + 16, GM_F32, rows);
    float log_z = 0;
    double unused;
    if (w->exact) {
        GM_TRY(gm_rbm_log_partition(t->plan, &model, 1, &one, t->scratch, t->bytes));
        GM_TRY(gm_memory_download(w->context, &log_z, one.data, sizeof log_z));
        GM_TRY(gm_rbm_free_energy(t->plan, &model, 1, v, &energies, t->scratch, t->bytes));
    } else {
        GM_TRY(gm_rbm_pseudo_likelihood(t->plan, &model, v, &energies, t->scratch, t->bytes));
    }
    GM_TRY(gm_memory_download(w->context, host, energies.data, (size_t)rows * sizeof *host));
    const double mean = mean_of(host, rows, &unused);
    w->likelihood = w->exact ? -mean - (double)log_z : mean;
    return GM_STATUS_OK;
}

static gm_status measure(workplace *w) {
    const int64_t smaller = w->visible < w->hidden ? w->visible : w->hidden;
    w->exact = smaller <= EXACT_BITS;
    const int64_t rows = w->exact || w->count < 64 ? w->count : 64;
    tool t = {0};
    gm_tensor v = {0}, out = {0};
    float *host = malloc((size_t)rows * sizeof *host);
    gm_status status = host != NULL ? open_tool(w, rows, w->exact, &t) : GM_STATUS_OUT_OF_MEMORY;
    status = status == GM_STATUS_OK ? open_tensor(w, w->data, rows, w->visible, &v) : status;
    status = status == GM_STATUS_OK ? open_tensor(w, NULL, rows + 16, 0, &out) : status;
    status = status == GM_STATUS_OK ? measure_with(w, &t, &v, &out, host) : status;
    gm_memory_free(w->context, v.data);
    gm_memory_free(w->context, out.data);
    close_tool(w, &t);
    free(host);
    return status;
}

static gm_status run_epochs(const settings *s, workplace *w, const tool *t) {
    int64_t *order = malloc((size_t)w->count * sizeof *order);
    float *batch = malloc((size_t)(s->batch * w->visible) * sizeof *batch);
    gm_status status = order != NULL && batch != NULL ? GM_STATUS_OK : GM_STATUS_OUT_OF_MEMORY;
    gm_progress progress;
    gm_progress_begin(&progress, s->common.quiet, "training", "epochs", s->epochs);
    for (int64_t e = 0; e < s->epochs && status == GM_STATUS_OK; ++e) {
        status = run_epoch(s, w, t, order, batch);
        gm_progress_update(&progress, e + 1);
    }
    gm_progress_end(&progress);
    free(order);
    free(batch);
    return status;
}

static gm_status train(const settings *s, workplace *w) {
    GM_TRY(load_data(s, w));
    GM_TRY(make_state(s->batch, w));
    if (s->resume != NULL) {
        GM_TRY(resume(s, w));
    } else {
        start_state(s, w);
    }
    GM_TRY(send_state(s->batch, w));
    GM_TRY(open_tensor(w, NULL, s->batch, w->visible, &w->batch));
    tool t = {0};
    gm_status status = open_tool(w, s->batch, false, &t);
    status = status == GM_STATUS_OK ? run_epochs(s, w, &t) : status;
    close_tool(w, &t);
    GM_TRY(status);
    GM_TRY(fetch_state(s->batch, w));
    for (int64_t i = w->at[W]; i < w->at[DW]; ++i) {
        GM_CHECK(w->context, isfinite(w->state[i]), GM_STATUS_NON_FINITE,
                 "the training diverged: a smaller --rate may help");
    }
    if (s->state != NULL) {
        set_header(s, w);
        const gm_tensor file = gm_tensor_1d(w->state, GM_F32, w->at[ARRAYS]);
        GM_TRY(gm_npy_save(w->context, s->state, &file));
    }
    return measure(w);
}

/* ---- chains ---------------------------------------------------------------------------------- */

static gm_status start_units(const settings *s, const workplace *w, float *v) {
    const int64_t count = s->chains * w->visible;
    if (s->start == NULL) {
        for (int64_t i = 0; i < count; ++i) {
            v[i] = gm_philox_block(s->common.seed, (uint64_t)i, GM_STREAM_CHAIN_START, 0).w0 >> 31
                       ? 1
                       : 0;
        }
        return GM_STATUS_OK;
    }
    gm_tensor file;
    GM_TRY(gm_npy_load(w->context, s->start, &file));
    const bool fits = file.dtype == GM_U8 && file.ndim == 2 && file.shape[0] == s->chains &&
                      file.shape[1] == w->visible;
    bool bits = true;
    for (int64_t i = 0; i < count && fits; ++i) {
        v[i] = ((const uint8_t *)
                    file.data)[i / w->visible * file.stride[0] + i % w->visible * file.stride[1]];
        bits = bits && (v[i] == 0 || v[i] == 1);
    }
    gm_npy_free(&file);
    GM_CHECK(w->context, fits, GM_STATUS_SHAPE_MISMATCH, "%s: must be u8 of %lld chains x %lld",
             s->start, (long long)s->chains, (long long)w->visible);
    GM_CHECK(w->context, bits, GM_STATUS_CORRUPT_DATA, "%s: a unit is neither 0 nor 1", s->start);
    return GM_STATUS_OK;
}

static gm_status run_sweeps(const settings *s, workplace *w, const tool *t, const gm_tensor *v) {
    enum { SLICE = 64 };
    const gm_rbm_model model = model_of(w);
    gm_progress progress;
    gm_progress_begin(&progress, s->common.quiet, "sampling", "sweeps", s->sweeps);
    const double start = gm_cli_seconds();
    gm_status status = GM_STATUS_OK;
    for (int64_t done = 0; done < s->sweeps && status == GM_STATUS_OK; done += SLICE) {
        const gm_rbm_sweeps run = {.seed = s->common.seed,
                                   .first_sweep = (uint64_t)(s->first_sweep + done),
                                   .sweeps = s->sweeps - done < SLICE ? s->sweeps - done : SLICE,
                                   .beta = s->beta};
        status = gm_rbm_gibbs(t->plan, &run, &model, v, NULL, t->scratch, t->bytes);
        status = status == GM_STATUS_OK ? gm_context_synchronize(w->context) : status;
        gm_progress_update(&progress, done + run.sweeps);
    }
    gm_progress_end(&progress);
    w->seconds = gm_cli_seconds() - start;
    return status;
}

static gm_status sample_with(const settings *s, workplace *w, const tool *t, float *host,
                             gm_tensor *v, gm_tensor *energy) {
    const gm_rbm_model model = model_of(w);
    const int64_t count = s->chains * w->visible;
    GM_TRY(start_units(s, w, host));
    GM_TRY(open_tensor(w, host, s->chains, w->visible, v));
    GM_TRY(open_tensor(w, NULL, s->chains, 0, energy));
    GM_TRY(run_sweeps(s, w, t, v));
    GM_TRY(gm_rbm_free_energy(t->plan, &model, 1, v, energy, t->scratch, t->bytes));
    GM_TRY(gm_memory_download(w->context, host, energy->data, (size_t)s->chains * sizeof *host));
    w->energy = mean_of(host, s->chains, &w->energy_error);
    GM_TRY(gm_memory_download(w->context, host, v->data, (size_t)count * sizeof *host));
    w->units = malloc((size_t)count);
    GM_CHECK(w->context, w->units != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the chains");
    for (int64_t i = 0; i < count; ++i) {
        w->units[i] = host[i] != 0;
    }
    return GM_STATUS_OK;
}

static gm_status sample(const settings *s, workplace *w) {
    tool t = {0};
    gm_tensor v = {0}, energy = {0};
    float *host = malloc((size_t)(s->chains * w->visible) * sizeof *host);
    GM_CHECK(w->context, host != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the chains");
    gm_status status = open_tool(w, s->chains, false, &t);
    status = status == GM_STATUS_OK ? sample_with(s, w, &t, host, &v, &energy) : status;
    gm_memory_free(w->context, v.data);
    gm_memory_free(w->context, energy.data);
    close_tool(w, &t);
    free(host);
    return status;
}

/* ---- what comes of it ------------------------------------------------------------------------ */

/* Chains, dark on light, and below them the filters, each in its own grey scale. */
static gm_status draw(const settings *s, const workplace *w) {
    const int64_t side = (int64_t)lround(sqrt((double)w->visible)), columns = 16;
    GM_CHECK(w->context, side * side == w->visible, GM_STATUS_INVALID_ARGUMENT,
             "--picture: %lld units are no square", (long long)w->visible);
    const int64_t chains = s->chains < 128 ? s->chains : 128;
    const int64_t filters = w->hidden < 128 ? w->hidden : 128;
    const int64_t above = (chains + columns - 1) / columns * columns;
    float *tiles = calloc((size_t)((above + filters) * w->visible), sizeof *tiles);
    GM_CHECK(w->context, tiles != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the picture");
    for (int64_t i = 0; i < chains * w->visible; ++i) {
        tiles[i] = w->units[i];
    }
    for (int64_t f = 0; f < filters; ++f) {
        float most = 1e-30f;
        for (int64_t u = 0; u < w->visible; ++u) {
            most = fmaxf(most, fabsf(w->state[w->at[W] + u * w->hidden + f]));
        }
        for (int64_t u = 0; u < w->visible; ++u) {
            tiles[(above + f) * w->visible + u] =
                0.5f + 0.5f * w->state[w->at[W] + u * w->hidden + f] / most;
        }
    }
    uint8_t *pixels = NULL;
    int64_t width, height;
    gm_status status = gm_picture_tile(w->context, tiles, above + filters, side, side, columns, 1,
                                       0, 4, &pixels, &width, &height);
    if (status == GM_STATUS_OK) {
        status = gm_picture_save_png(w->context, s->picture, width, height, 1, pixels);
    }
    free(pixels);
    free(tiles);
    return status;
}

static gm_status write_files(const settings *s, const workplace *w) {
    GM_TRY(save_weights(s, w));
    if (s->out != NULL) {
        const gm_tensor units = gm_tensor_2d(w->units, GM_U8, s->chains, w->visible);
        GM_TRY(gm_npy_save(w->context, s->out, &units));
    }
    return s->picture != NULL ? draw(s, w) : GM_STATUS_OK;
}

static double updates_per_second(const settings *s, const workplace *w) {
    return (double)s->chains * (double)s->sweeps * (double)(w->visible + w->hidden) /
           fmax(w->seconds, 1e-9);
}

static int print_json(const settings *s, const workplace *w) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "command", "chain");
    cJSON_AddStringToObject(object, "model", "rbm");
    cJSON_AddStringToObject(object, "backend", gm_context_backend_name(w->context));
    cJSON_AddNumberToObject(object, "visible", (double)w->visible);
    cJSON_AddNumberToObject(object, "hidden", (double)w->hidden);
    if (s->data != NULL) {
        cJSON_AddNumberToObject(object, "vectors", (double)w->count);
        cJSON_AddNumberToObject(object, "epochs", (double)w->epochs);
        cJSON_AddNumberToObject(object, w->exact ? "log_likelihood" : "pseudo_log_likelihood",
                                w->likelihood);
    }
    cJSON_AddNumberToObject(object, "chains", (double)s->chains);
    cJSON_AddNumberToObject(object, "first_sweep", (double)s->first_sweep);
    cJSON_AddNumberToObject(object, "sweeps", (double)s->sweeps);
    cJSON_AddNumberToObject(object, "free_energy", w->energy);
    cJSON_AddNumberToObject(object, "free_energy_error", w->energy_error);
    cJSON_AddNumberToObject(object, "seconds", w->seconds);
    cJSON_AddNumberToObject(object, "updates_per_second", updates_per_second(s, w));
    return gm_cli_print_json(object);
}

static void print_text(const settings *s, const workplace *w) {
    if (s->data != NULL) {
        printf("# %lld vectors of %lld units, %lld hidden units, %lld epochs\n",
               (long long)w->count, (long long)w->visible, (long long)w->hidden,
               (long long)w->epochs);
        printf("%s: %.4f nats a vector\n",
               w->exact ? "log-likelihood (exact)" : "pseudo-log-likelihood", w->likelihood);
    }
    printf("# %lld chains, %lld sweeps in %.2f s on %s: %.3g units/s\n", (long long)s->chains,
           (long long)s->sweeps, w->seconds, gm_context_backend_name(w->context),
           updates_per_second(s, w));
    printf("free energy of the chains: %.4f +- %.2g\n", w->energy, w->energy_error);
}

static void close_workplace(workplace *w) {
    for (int i = 0; i < ARRAYS; ++i) {
        gm_memory_free(w->context, w->array[i].data);
    }
    gm_memory_free(w->context, w->batch.data);
    free(w->data);
    free(w->state);
    free(w->units);
}

static int run_on(const settings *s, gm_context *context) {
    workplace w = {.context = context};
    const char *doing = s->data != NULL ? "training" : "reading the weights";
    gm_status status = s->data != NULL ? train(s, &w) : load_weights(s, &w);
    if (status == GM_STATUS_OK && s->data == NULL) {
        status = send_state(0, &w);
    }
    if (status == GM_STATUS_OK) {
        doing = "running the chains";
        status = sample(s, &w);
    }
    if (status == GM_STATUS_OK) {
        doing = "writing";
        status = write_files(s, &w);
    }
    int code = GM_EXIT_OK;
    if (status != GM_STATUS_OK) {
        code = gm_cli_fail(context, status, doing);
    } else if (s->common.json) {
        code = print_json(s, &w);
    } else {
        print_text(s, &w);
    }
    close_workplace(&w);
    return code;
}

int gm_chain_rbm(int argc, char **argv) {
    static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .children = children,
        .doc = "Trains a restricted Boltzmann machine of units that are on or off, or reads one, "
               "and runs chains of it.\v"
               "Examples:\n"
               "  genmath chain rbm --data samples/data/digits.npy --hidden 16 --save digits\n"
               "  genmath chain rbm --weights digits --sweeps 5000 --out units.npy\n"
               "\nA training goes on where another ended with --resume STATE and the same other "
               "options, chains with --start units.npy --first-sweep N, N being the sweeps before: "
               "on the same backend to the bit."};
    settings s = {.hidden = 64,
                  .epochs = 20,
                  .batch = 100,
                  .k = 1,
                  .chains = 64,
                  .sweeps = 1000,
                  .rate = 0.05,
                  .momentum = 0.5,
                  .decay = 1e-4,
                  .threshold = NAN,
                  .beta = 1};
    gm_cli_parse(&parser, argc, argv, &s);
    gm_context *context = gm_cli_context(&s.common);
    if (context == NULL) {
        return GM_EXIT_FAILURE;
    }
    const int code = run_on(&s, context);
    gm_context_destroy(context);
    return code;
}

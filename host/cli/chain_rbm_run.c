/* genmath chain rbm: files, training, chains. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/npy.h>
#include <genmath/philox.h>
#include <genmath/rbm.h>

#include "host/cli/chain_rbm.h"
#include "host/cli/sample.h"
#include "host/internal.h"

enum { EXACT_BITS = 16, HEADER = 5 };

/* A plan with its workspace. */
typedef struct tool {
    gm_rbm_plan *plan;
    void *scratch;
    size_t bytes;
} tool;

static gm_status open_tool(const rbm_workplace *w, int64_t rows, bool partition, tool *t) {
    const gm_rbm_options o = {.dtype = GM_F32,
                              .rows = rows,
                              .visible = w->visible,
                              .hidden = w->hidden,
                              .partition = partition};
    GM_TRY(gm_rbm_plan_create(w->context, &o, &t->plan));
    t->bytes = gm_rbm_workspace(t->plan);
    return gm_memory_alloc(w->context, t->bytes, &t->scratch);
}

static void close_tool(const rbm_workplace *w, tool *t) {
    gm_memory_free(w->context, t->scratch);
    gm_rbm_plan_destroy(t->plan);
}

static gm_status open_tensor(const rbm_workplace *w, const float *from, int64_t rows,
                             int64_t columns, gm_tensor *t) {
    const size_t bytes = (size_t)(rows * (columns > 0 ? columns : 1)) * sizeof *from;
    void *memory;
    GM_TRY(gm_memory_alloc(w->context, bytes, &memory));
    *t = columns > 0 ? gm_tensor_2d(memory, GM_F32, rows, columns)
                     : gm_tensor_1d(memory, GM_F32, rows);
    return from != NULL ? gm_memory_upload(w->context, memory, from, bytes) : GM_STATUS_OK;
}

static gm_rbm_model model_of(const rbm_workplace *w) {
    return (gm_rbm_model){&w->array[W], &w->array[B], &w->array[C], NULL};
}

/* Memory for the weights and, with a batch, for training. */
static gm_status make_state(int64_t batch, rbm_workplace *w) {
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

static gm_status send_state(int64_t batch, rbm_workplace *w) {
    for (int i = 0; i < (batch > 0 ? ARRAYS : WEIGHTS); ++i) {
        const bool matrix = i % WEIGHTS == W && i != CHAINS;
        const int64_t rows = i == CHAINS ? batch : i % WEIGHTS == C ? w->hidden : w->visible;
        const int64_t columns = i == CHAINS ? w->visible : matrix ? w->hidden : 0;
        GM_TRY(open_tensor(w, w->state + w->at[i], rows, columns, &w->array[i]));
    }
    return GM_STATUS_OK;
}

static gm_status fetch_state(int64_t batch, rbm_workplace *w) {
    for (int i = 0; i < (batch > 0 ? ARRAYS : WEIGHTS); ++i) {
        GM_TRY(gm_memory_download(w->context, w->state + w->at[i], w->array[i].data,
                                  (size_t)(w->at[i + 1] - w->at[i]) * sizeof *w->state));
    }
    return GM_STATUS_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A .npy of f32 or f64 with these sizes (columns 0: one dimension), all finite, as floats. */
static gm_status load_floats(const rbm_workplace *w, const char *path, int64_t rows,
                             int64_t columns, float *to) {
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

gm_status gm_chain_rbm_load(const rbm_settings *s, rbm_workplace *w) {
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
    return send_state(0, w);
}

gm_status gm_chain_rbm_save(const rbm_settings *s, const rbm_workplace *w) {
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
static void set_header(const rbm_settings *s, rbm_workplace *w) {
    const int64_t numbers[HEADER] = {1, w->visible, w->hidden, s->batch, w->epochs};
    for (int i = 0; i < HEADER; ++i) {
        w->state[i] = (float)numbers[i];
    }
}

static gm_status resume(const rbm_settings *s, rbm_workplace *w) {
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

static gm_status load_data(const rbm_settings *s, rbm_workplace *w) {
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
static void start_state(const rbm_settings *s, rbm_workplace *w) {
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

static gm_status run_epoch(const rbm_settings *s, rbm_workplace *w, const tool *t, int64_t *order,
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
static gm_status measure_with(rbm_workplace *w, const tool *t, const gm_tensor *v,
                              const gm_tensor *out, float *host) {
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

static gm_status measure(rbm_workplace *w) {
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

static gm_status run_epochs(const rbm_settings *s, rbm_workplace *w, const tool *t) {
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

gm_status gm_chain_rbm_train(const rbm_settings *s, rbm_workplace *w) {
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

static gm_status start_units(const rbm_settings *s, const rbm_workplace *w, float *v) {
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

static gm_status run_sweeps(const rbm_settings *s, rbm_workplace *w, const tool *t,
                            const gm_tensor *v) {
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

static gm_status sample_with(const rbm_settings *s, rbm_workplace *w, const tool *t, float *host,
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

gm_status gm_chain_rbm_sample(const rbm_settings *s, rbm_workplace *w) {
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

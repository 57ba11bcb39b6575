/*
 * Conformance cases of gm_rbm_*: numbers within the rounding of their sums, and the chains and the
 * weights after steps of training. A draw falls between the two backends' probabilities once in
 * some 2^24 (f32), so chains of f32 have weights for which every probability is 0, 1/2 or 1.
 */
#include "host/cli/rbm_case.h"

typedef enum rbm_call {
    CALL_FREE_ENERGY,
    CALL_PSEUDO,
    CALL_LOG_Z,
    CALL_GIBBS,
    CALL_TRAIN
} rbm_call;

static gm_status call_machine(gm_context *context, rbm_machine *m, rbm_call call, gm_tensor *out) {
    const gm_rbm_model model = rbm_model(m);
    void *scratch = m->scratch.data;
    const size_t bytes = (size_t)m->scratch.shape[0];
    const int64_t one = 1, *rows = call == CALL_LOG_Z ? &one : &m->options.rows;
    const gm_tensor *v = &m->array[RBM_DATA];
    CASE_TRY(gm_case_alloc(context, m->options.dtype, 1, rows, out));
    switch (call) {
    case CALL_FREE_ENERGY:
        return gm_rbm_free_energy(m->plan, &model, 0.75, v, out, scratch, bytes);
    case CALL_PSEUDO:
        return gm_rbm_pseudo_likelihood(m->plan, &model, v, out, scratch, bytes);
    case CALL_LOG_Z:
        return gm_rbm_log_partition(m->plan, &model, 0.75, out, scratch, bytes);
    case CALL_GIBBS: {
        const gm_rbm_sweeps run = {.seed = 5, .first_chain = 11, .sweeps = 3};
        return gm_rbm_gibbs(m->plan, &run, &model, &m->array[RBM_CHAINS], NULL, scratch, bytes);
    }
    default: {
        gm_rbm_step step = {.seed = 6, .k = 2, .rate = 0.125, .momentum = 0.5, .decay = 0.25};
        CASE_TRY(rbm_train(m, &step));
        step.persistent = 1;
        step.first_sweep = 2;
        return rbm_train(m, &step);
    }
    }
}

/* Sums of `terms` numbers of the order of 1 to 16. */
static gm_status compare_machines(gm_context *reference, rbm_machine *a, gm_context *subject,
                                  rbm_machine *b, rbm_call call, gm_case_result *result) {
    gm_tensor x = {0}, y = {0};
    gm_status status = call_machine(reference, a, call, &x);
    status = status == GM_STATUS_OK ? call_machine(subject, b, call, &y) : status;
    const int of = call == CALL_TRAIN ? RBM_W : RBM_CHAINS;
    if (status == GM_STATUS_OK) {
        status = call >= CALL_GIBBS ? rbm_difference(reference, &a->array[of], subject,
                                                     &b->array[of], 0, &result->error)
                                    : rbm_difference(reference, &x, subject, &y, 0, &result->error);
    }
    const double unit = a->options.dtype == GM_F64 ? 0x1p-53 : 0x1p-24;
    const double terms = (double)(a->options.visible + a->options.hidden);
    result->bound =
        call == CALL_GIBBS && a->options.kind != GM_RBM_GAUSSIAN ? 0 : 16 * unit * terms;
    gm_case_free(reference, &x);
    gm_case_free(subject, &y);
    return status;
}

static gm_status run_case(gm_context *reference, gm_context *subject, gm_dtype dtype,
                          gm_rbm_kind kind, rbm_call call, double size, gm_case_result *result) {
    const gm_rbm_options options = {.dtype = dtype,
                                    .kind = kind,
                                    .rows = 37,
                                    .visible = 60,
                                    .hidden = call == CALL_LOG_Z ? 13 : 43,
                                    .colours = kind == GM_RBM_POTTS ? 4 : 0,
                                    .partition = call == CALL_LOG_Z};
    rbm_machine a = {0}, b = {0};
    gm_status status = rbm_open(reference, &options, size, &a);
    status = status == GM_STATUS_OK ? rbm_open(subject, &options, size, &b) : status;
    if (status == GM_STATUS_OK) {
        status = compare_machines(reference, &a, subject, &b, call, result);
    }
    rbm_close(reference, &a);
    rbm_close(subject, &b);
    return status;
}

/* name, what it is called, type, kind, call, size of the weights */
#define CASES(X)                                                                                   \
    X(energy, "free_energy/f32/binary", GM_F32, GM_RBM_BINARY, CALL_FREE_ENERGY, 0.25)             \
    X(gaussian, "free_energy/f64/gaussian", GM_F64, GM_RBM_GAUSSIAN, CALL_FREE_ENERGY, 0.25)       \
    X(pseudo, "pseudo_likelihood/f32", GM_F32, GM_RBM_BINARY, CALL_PSEUDO, 0.25)                   \
    X(sum, "log_partition/f32/binary", GM_F32, GM_RBM_BINARY, CALL_LOG_Z, 0.25)                    \
    X(potts_sum, "log_partition/f64/potts", GM_F64, GM_RBM_POTTS, CALL_LOG_Z, 0.25)                \
    X(gaussian_sum, "log_partition/f64/gaussian", GM_F64, GM_RBM_GAUSSIAN, CALL_LOG_Z, 0.125)      \
    X(chain, "gibbs/f64/binary", GM_F64, GM_RBM_BINARY, CALL_GIBBS, 0.25)                          \
    X(decisive, "gibbs/f32/decisive", GM_F32, GM_RBM_BINARY, CALL_GIBBS, 4096)                     \
    X(potts, "gibbs/f64/potts", GM_F64, GM_RBM_POTTS, CALL_GIBBS, 0.25)                            \
    X(normal, "gibbs/f64/gaussian", GM_F64, GM_RBM_GAUSSIAN, CALL_GIBBS, 0.0625)                   \
    X(train, "train/f64/binary", GM_F64, GM_RBM_BINARY, CALL_TRAIN, 0.25)

#define DEFINE(name, text, dtype, kind, call, size)                                                \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        return run_case(reference, subject, dtype, kind, call, size, result);                      \
    }
CASES(DEFINE)

#define ENTRY(name, text, dtype, kind, call, size) {"rbm_" text, run_##name},
const gm_case gm_rbm_cases[] = {CASES(ENTRY)};
const int gm_rbm_cases_count = sizeof gm_rbm_cases / sizeof gm_rbm_cases[0];

/* Benchmarks of Boltzmann machines: a step of persistent contrastive divergence, sweeps of chains,
 * and all states of a layer. */
#include <stdbool.h>

#include <genmath/contract.h>

#include "host/cli/bench.h"
#include "host/cli/rbm_case.h"

typedef enum rbm_work { WORK_TRAIN, WORK_GIBBS, WORK_LOG_Z, WORK_FIELD } rbm_work;

typedef struct rbm_state {
    rbm_machine machine;
    rbm_work work;
    gm_tensor out;
} rbm_state;

static gm_status setup_rbm(gm_context *context, rbm_work work, gm_dtype dtype, int64_t rows,
                           int64_t visible, int64_t hidden, void **state) {
    rbm_state *made = calloc(1, sizeof *made);
    *state = made;
    if (made == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    made->work = work;
    const gm_rbm_options options = {.dtype = dtype,
                                    .rows = rows,
                                    .visible = visible,
                                    .hidden = hidden,
                                    .partition = work == WORK_LOG_Z};
    const int64_t one[2] = {1, 1}, field[2] = {rows, hidden};
    CASE_TRY(rbm_open(context, &options, 0.02, &made->machine));
    return work == WORK_FIELD ? gm_case_alloc(context, dtype, 2, field, &made->out)
                              : gm_case_alloc(context, dtype, 1, one, &made->out);
}

static gm_status run_machine(gm_context *context, rbm_state *s, int64_t round) {
    rbm_machine *m = &s->machine;
    const gm_rbm_model model = rbm_model(m);
    void *scratch = m->scratch.data;
    const size_t bytes = (size_t)m->scratch.shape[0];
    if (s->work == WORK_FIELD) { /* the product alone, without draws, that others are made of */
        const gm_tensor inputs[] = {m->array[RBM_DATA], m->array[RBM_W]};
        return gm_contract(context, "ni,ij->nj", 2, inputs, &s->out);
    }
    if (s->work == WORK_LOG_Z) {
        return gm_rbm_log_partition(m->plan, &model, 1, &s->out, scratch, bytes);
    }
    if (s->work == WORK_GIBBS) {
        const gm_rbm_sweeps run = {.seed = 5, .first_sweep = (uint64_t)round, .sweeps = 1};
        return gm_rbm_gibbs(m->plan, &run, &model, &m->array[RBM_CHAINS], NULL, scratch, bytes);
    }
    return rbm_train(m, &(gm_rbm_step){.seed = 6,
                                       .first_sweep = (uint64_t)round,
                                       .k = 1,
                                       .rate = 0.01,
                                       .momentum = 0.5,
                                       .decay = 1e-4,
                                       .persistent = 1});
}

static gm_status run_rbm(gm_context *context, void *state, int64_t round) {
    return run_machine(context, state, round);
}

/*
 * The first round again by the reference. Of 657,408 draws some 0.2 fall between the probabilities
 * of two backends, fields being off by 10^-6; a hidden unit that does may take some ten visible
 * ones with it. 32 units may differ; in a training step each is off by rate / rows in a weight.
 */
static gm_status verify_rbm(gm_context *reference, gm_context *context, void *state,
                            gm_case_result *result) {
    rbm_state *s = state;
    rbm_state expected = {.work = s->work};
    const gm_rbm_options *o = &s->machine.options;
    void *made = NULL;
    gm_status status =
        setup_rbm(reference, s->work, o->dtype, o->rows, o->visible, o->hidden, &made);
    if (status == GM_STATUS_OK) {
        expected = *(rbm_state *)made;
        status = run_machine(reference, &expected, 0);
    }
    const int of = s->work == WORK_TRAIN ? RBM_W : RBM_CHAINS;
    const bool own = s->work >= WORK_LOG_Z;
    if (status == GM_STATUS_OK) {
        status = rbm_difference(reference, own ? &expected.out : &expected.machine.array[of],
                                context, own ? &s->out : &s->machine.array[of],
                                s->work == WORK_GIBBS, &result->error);
    }
    const double unit = o->dtype == GM_F64 ? 0x1p-53 : 0x1p-24;
    result->bound = s->work == WORK_TRAIN   ? 32 * 0.01 / (double)o->rows
                    : s->work == WORK_GIBBS ? 32
                                            : unit * 16 * (double)(o->visible + o->hidden);
    if (made != NULL) {
        rbm_close(reference, &((rbm_state *)made)->machine);
        gm_case_free(reference, &((rbm_state *)made)->out);
    }
    free(made);
    return status;
}

static void teardown_rbm(gm_context *context, void *state) {
    rbm_state *s = state;
    if (s != NULL) {
        rbm_close(context, &s->machine);
        gm_case_free(context, &s->out);
    }
    free(s);
}

#define PRODUCT(rows, visible, hidden) (2.0 * (rows) * (visible) * (hidden))

/* name, operation, dtype, dtype as text, shape, work, rows, visible, hidden, operations, items,
 * item
 */
#define BENCHES(X)                                                                                 \
    X(field, "rbm field", GM_F32, "f32", "784-500 rows=512", WORK_FIELD, 512, 784, 500,            \
      PRODUCT(512, 784, 500), 0, NULL)                                                             \
    X(step, "rbm PCD-1", GM_F32, "f32", "784-500 rows=512", WORK_TRAIN, 512, 784, 500,             \
      6 * PRODUCT(512, 784, 500), 512, "data")                                                     \
    X(chain, "rbm gibbs", GM_F32, "f32", "784-500 rows=512", WORK_GIBBS, 512, 784, 500,            \
      2 * PRODUCT(512, 784, 500), 512.0 * 1284, "units")                                           \
    X(small, "rbm gibbs", GM_F32, "f32", "64-16 rows=4096", WORK_GIBBS, 4096, 64, 16,              \
      2 * PRODUCT(4096, 64, 16), 4096.0 * 80, "units")                                             \
    X(states, "rbm log Z", GM_F64, "f64", "64-16", WORK_LOG_Z, 1, 64, 16, PRODUCT(65536, 64, 16),  \
      65536, "states")

#define DEFINE(name, operation, dtype, text, shape, work, rows, visible, hidden, flops, items,     \
               item)                                                                               \
    static gm_status setup_##name(gm_context *context, void **state) {                             \
        return setup_rbm(context, work, dtype, rows, visible, hidden, state);                      \
    }
BENCHES(DEFINE)

#define ENTRY(name, operation, dtype, text, shape, work, rows, visible, hidden, flops, items,      \
              item)                                                                                \
    {operation,    text,  shape, setup_##name, run_rbm, verify_rbm,                                \
     teardown_rbm, flops, 0,     items,        item},
const gm_bench_case gm_rbm_bench[] = {BENCHES(ENTRY)};
const int gm_rbm_bench_count = sizeof gm_rbm_bench / sizeof gm_rbm_bench[0];

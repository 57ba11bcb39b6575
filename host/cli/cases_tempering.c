/* Conformance cases of gm_tempering_run and gm_annealing_run: not one bit of spins, levels, sums,
 * counts or weights may differ from the reference. */
#include <genmath/annealing.h>

#include "host/cli/tempering_case.h"

static gm_status compare_ladders(gm_context *reference, gm_context *subject,
                                 const gm_ising_model *model, gm_case_result *result) {
    case_ladders a = {0}, b = {0};
    gm_status status = case_ladders_open(reference, model, 3, 7, &a);
    status = status == GM_STATUS_OK ? case_ladders_open(subject, model, 3, 7, &b) : status;
    status = status == GM_STATUS_OK ? case_ladders_run(&a, 0, 8, 3) : status;
    status = status == GM_STATUS_OK ? case_ladders_run(&b, 0, 8, 3) : status;
    if (status == GM_STATUS_OK) {
        status = case_ladders_compare(reference, &a, subject, &b, result);
    }
    case_ladders_close(reference, &a);
    case_ladders_close(subject, &b);
    return status;
}

/* ---- annealing ------------------------------------------------------------------------------- */

enum { CHAINS = 33, STEPS = 12 };

typedef struct annealed {
    ising_chains chains;
    gm_annealing_plan *plan;
    gm_tensor best, best_energy, log_weight, scratch;
} annealed;

static gm_status anneal(gm_context *context, const gm_ising_model *model, annealed *a) {
    double beta[STEPS];
    const int64_t shape[2] = {CHAINS, model->sites};
    const gm_annealing_steps run = {.seed = 3, .steps = STEPS, .sweeps = 2};
    gm_workspace workspace = {0};
    CASE_TRY(gm_ladder_linear(STEPS, 0, 1, beta));
    CASE_TRY(ising_chains_open(context, model, CHAINS, &a->chains));
    const gm_annealing annealing = {.ising = a->chains.plan, .steps = STEPS, .beta = beta};
    CASE_TRY(gm_annealing_plan_create(context, &annealing, &a->plan));
    CASE_TRY(gm_case_alloc(context, GM_I8, 2, shape, &a->best));
    CASE_TRY(gm_case_alloc(context, GM_I64, 1, shape, &a->best_energy));
    CASE_TRY(gm_case_alloc(context, GM_F64, 1, shape, &a->log_weight));
    const gm_annealing_result result = {
        .best = &a->best, .best_energy = &a->best_energy, .log_weight = &a->log_weight};
    CASE_TRY(gm_annealing_run(a->plan, &run, &a->chains.spins, &result, &workspace));
    const int64_t bytes = (int64_t)workspace.bytes;
    CASE_TRY(gm_case_alloc(context, GM_U8, 1, &bytes, &a->scratch));
    workspace.data = a->scratch.data;
    return gm_annealing_run(a->plan, &run, &a->chains.spins, &result, &workspace);
}

static gm_status compare_annealed(gm_context *reference, const annealed *a, gm_context *subject,
                                  const annealed *b, gm_case_result *result) {
    CASE_TRY(gm_case_compare_bits(reference, &a->chains.spins, subject, &b->chains.spins, result));
    CASE_TRY(gm_case_compare_bits(reference, &a->best, subject, &b->best, result));
    CASE_TRY(gm_case_compare_bits(reference, &a->best_energy, subject, &b->best_energy, result));
    return gm_case_compare_bits(reference, &a->log_weight, subject, &b->log_weight, result);
}

static void close_annealed(gm_context *context, annealed *a) {
    gm_annealing_plan_destroy(a->plan);
    ising_chains_close(context, &a->chains);
    gm_case_free(context, &a->best);
    gm_case_free(context, &a->best_energy);
    gm_case_free(context, &a->log_weight);
    gm_case_free(context, &a->scratch);
}

static gm_status compare_annealing(gm_context *reference, gm_context *subject,
                                   const gm_ising_model *model, gm_case_result *result) {
    annealed a = {0}, b = {0};
    gm_status status = anneal(reference, model, &a);
    status = status == GM_STATUS_OK ? anneal(subject, model, &b) : status;
    if (status == GM_STATUS_OK) {
        status = compare_annealed(reference, &a, subject, &b, result);
    }
    close_annealed(reference, &a);
    close_annealed(subject, &b);
    return status;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static gm_status on_graph(gm_context *reference, gm_context *subject, int real,
                          gm_status (*compare)(gm_context *reference, gm_context *subject,
                                               const gm_ising_model *model, gm_case_result *result),
                          gm_case_result *result) {
    ising_model m = {0};
    gm_status status = ising_make_graph(61, real, &m);
    status = status == GM_STATUS_OK ? compare(reference, subject, &m.model, result) : status;
    ising_model_free(&m);
    return status;
}

#define CASES(X)                                                                                   \
    X(signs, "tempering_run/signs", 0, compare_ladders)                                            \
    X(real, "tempering_run/real", 1, compare_ladders)                                              \
    X(annealed_signs, "annealing_run/signs", 0, compare_annealing)                                 \
    X(annealed_real, "annealing_run/real", 1, compare_annealing)

#define DEFINE(name, text, real, compare)                                                          \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        return on_graph(reference, subject, real, compare, result);                                \
    }
CASES(DEFINE)

#define ENTRY(name, text, real, compare) {text, run_##name},
const gm_case gm_tempering_cases[] = {CASES(ENTRY)};
const int gm_tempering_cases_count = sizeof gm_tempering_cases / sizeof gm_tempering_cases[0];

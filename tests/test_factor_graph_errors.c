/* Factor graphs: every error, and nothing written. */
#include "tests/factor_fixture.h"

static void refuse(const net *good, void (*spoil)(net *), gm_status status, const char *text) {
    net *n = malloc(sizeof *n);
    memcpy(n, good, sizeof *n);
    n->model.cardinality = n->cardinality;
    n->model.first = n->first;
    n->model.member = n->member;
    n->model.table = n->table;
    n->model.clamped = n->clamped;
    spoil(n);
    gm_factor_graph_plan *plan = (gm_factor_graph_plan *)(void *)n;
    ASSERT_FAILS(subjects->context,
                 gm_factor_graph_plan_create(subjects->context, &n->model, &plan), status, text);
    assert_null(plan);
    free(n);
}

#define SPOILED(X)                                                                                 \
    X(variables, n->model.variables = -1, "model.variables = -1")                                  \
    X(many, n->model.variables = (1 << 24) + 1, "model.variables = 16777217")                      \
    X(factors, n->model.factors = -2, "model.factors = -2")                                        \
    X(no_cardinality, n->model.cardinality = NULL, "model.cardinality is NULL")                    \
    X(one_label, n->cardinality[2] = 1, "model.cardinality[2] = 1")                                \
    X(labels, n->cardinality[1] = 257, "model.cardinality[1] = 257")                               \
    X(no_first, n->model.first = NULL, "model.first is NULL")                                      \
    X(first, n->first[0] = 1, "model.first[0] = 1")                                                \
    X(empty, n->first[1] = 0, "factor 0 is of 0 variables")                                        \
    X(backwards, n->first[3] = 1, "variables: must be 1 to 16")                                    \
    X(no_member, n->model.member = NULL, "model.member is NULL")                                   \
    X(member, n->member[1] = 4, "model.member[1] = 4: there are 4 variables")                      \
    X(negative, n->member[1] = -1, "model.member[1] = -1")                                         \
    X(twice, n->member[2] = 0, "variable 0 is twice in factor 1")                                  \
    X(no_table, n->model.table = NULL, "model.table is NULL")                                      \
    X(nan, n->table[3] = NAN, "entry 1 of factor 1 = nan")                                         \
    X(infinite, n->table[2] = INFINITY, "entry 0 of factor 1 = inf")                               \
    X(overflow, n->table[2] = n->table[7] = -1.7e308, "overflows")                                 \
    X(order, n->model.order = (gm_ising_order)3, "model.order = 3")
#define SPOIL(name, change, text)                                                                  \
    static void spoil_##name(net *n) {                                                             \
        change;                                                                                    \
    }
SPOILED(SPOIL)

static void test_model_errors(void **state) {
    (void)state;
    net *n = bayes_net();
#define REFUSE(name, change, text) refuse(n, spoil_##name, GM_STATUS_INVALID_ARGUMENT, text);
    SPOILED(REFUSE)
    gm_context *context = subjects->context;
    gm_factor_graph_plan *plan;
    ASSERT_FAILS(NULL, gm_factor_graph_plan_create(NULL, &n->model, &plan),
                 GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    ASSERT_FAILS(context, gm_factor_graph_plan_create(context, &n->model, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    ASSERT_FAILS(context, gm_factor_graph_plan_create(context, NULL, &plan),
                 GM_STATUS_INVALID_ARGUMENT, "model is NULL");
    gm_factor_graph_plan_destroy(NULL);
    double log_z = 5;
    n->clamped[1] = 1;
    ASSERT_FAILS(context, gm_factor_graph_enumerate(context, &n->model, NULL, 1, &log_z, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "labels is NULL: variable 1 is clamped");
    ASSERT_FAILS(context,
                 gm_factor_graph_enumerate(context, &n->model, (const uint8_t[]){0, 2, 0, 0}, 1,
                                           &log_z, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "labels[1] = 2");
    ASSERT_FAILS(context, gm_factor_graph_enumerate(context, &n->model, NULL, NAN, &log_z, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "beta = nan");
    n->clamped[1] = 0;
    n->table[0] = 1e300;
    ASSERT_FAILS(context, gm_factor_graph_enumerate(context, &n->model, NULL, 1e10, &log_z, NULL),
                 GM_STATUS_NON_FINITE, "beta L overflows");
    free(n);
    n = new_net(21, NULL);
    ASSERT_FAILS(context, gm_factor_graph_enumerate(context, &n->model, NULL, 1, &log_z, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "2097152 joint states");
    n->clamped[20] = 1;
    ASSERT_OK(context, gm_factor_graph_enumerate(context, &n->model, (const uint8_t[21]){0}, 1,
                                                 &log_z, NULL));
    ASSERT_NEAR(subjects, log_z, 20 * log(2), 1e-14);
    free(n);
}

static void test_run_errors(void **state) {
    (void)state;
    net *n = bayes_net();
    gm_context *context = subjects->context;
    gm_factor_graph_plan *plan;
    ASSERT_OK(context, gm_factor_graph_plan_create(context, &n->model, &plan));
    double beta_data[4] = {1, 1, 1, 1}, potential_data[8];
    uint8_t label_data[16];
    uint64_t count_data[32], scratch[64] __attribute__((aligned(64)));
    int32_t status_data[4];
    memset(label_data, 1, sizeof label_data);
    const gm_ising_sweeps run = {.sweeps = 2};
    const gm_tensor beta = gm_tensor_1d(beta_data, GM_F64, 4);
    const gm_tensor labels = gm_tensor_2d(label_data, GM_U8, 4, 4);
    gm_workspace w = {0};
    ASSERT_OK(context, gm_factor_graph_run(plan, &run, &beta, &labels, NULL, &w));
    assert_true(w.bytes == 64);
    w.data = scratch;
#define RUN(r, b, l, o) gm_factor_graph_run(plan, r, b, l, o, &w)
#define REJECT(call, status, text) ASSERT_FAILS(context, call, GM_STATUS_##status, text)
#define RESULT(...) (&(const gm_factor_graph_result){__VA_ARGS__})
    REJECT(RUN(NULL, &beta, &labels, NULL), INVALID_ARGUMENT, "run is NULL");
    REJECT(RUN(&run, NULL, &labels, NULL), INVALID_ARGUMENT, "beta");
    REJECT(RUN(&run, &beta, NULL, NULL), INVALID_ARGUMENT, "labels");
    REJECT(gm_factor_graph_run(plan, &run, &beta, &labels, NULL, NULL), INVALID_ARGUMENT,
           "workspace is NULL");
    REJECT(RUN(&((gm_ising_sweeps){.sweeps = -1}), &beta, &labels, NULL), INVALID_ARGUMENT,
           "run.sweeps = -1");
    REJECT(RUN(&((gm_ising_sweeps){.first_sweep = (uint64_t)1 << 47, .sweeps = 1}), &beta, &labels,
               NULL),
           INVALID_ARGUMENT, "the noise of a chain");
    const gm_tensor narrow = gm_tensor_2d(label_data, GM_U8, 4, 3);
    REJECT(RUN(&run, &beta, &narrow, NULL), SHAPE_MISMATCH, "labels");
    const gm_tensor few = gm_tensor_1d(beta_data, GM_F64, 3);
    REJECT(RUN(&run, &few, &labels, NULL), SHAPE_MISMATCH, "beta");
    const gm_tensor floats = gm_tensor_1d(beta_data, GM_F32, 4);
    REJECT(RUN(&run, &floats, &labels, NULL), INVALID_ARGUMENT, "beta");
    const gm_tensor counts = gm_tensor_2d(count_data, GM_U64, 4, 7);
    REJECT(RUN(&run, &beta, &labels, RESULT(.counts = &counts)), SHAPE_MISMATCH, "result.counts");
    const gm_tensor fewer = gm_tensor_2d(count_data, GM_U64, 3, 8);
    REJECT(RUN(&run, &beta, &labels, RESULT(.counts = &fewer)), SHAPE_MISMATCH, "result.counts");
    const gm_tensor potential = gm_tensor_2d(potential_data, GM_F64, 4, 1);
    REJECT(RUN(&run, &beta, &labels, RESULT(.log_potential = &potential)), SHAPE_MISMATCH,
           "result.log_potential");
    const gm_tensor status = gm_tensor_1d(status_data, GM_I32, 5);
    REJECT(RUN(&run, &beta, &labels, RESULT(.status = &status)), SHAPE_MISMATCH, "result.status");
    const gm_tensor over = gm_tensor_1d(label_data, GM_I32, 4);
    REJECT(RUN(&run, &beta, &labels, RESULT(.status = &over)), INVALID_ARGUMENT, "result.status");
    const gm_tensor sum = gm_tensor_1d(beta_data, GM_U64, 8);
    REJECT(RUN(&run, &beta, &labels, RESULT(.counts = &sum)), INVALID_ARGUMENT, "result.counts");
    w.bytes = 63;
    REJECT(RUN(&run, &beta, &labels, NULL), WORKSPACE_TOO_SMALL, "workspace");
    REJECT(gm_factor_graph_plan_info(plan, NULL), INVALID_ARGUMENT, "info is NULL");
    for (int k = 0; k < 16; ++k) {
        assert_int_equal(label_data[k], 1);
    }
    gm_factor_graph_plan_destroy(plan);
    free(n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_errors),
        cmocka_unit_test(test_run_errors),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}

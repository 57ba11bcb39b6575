/* Wrong densities over data, and wrong arguments of what takes them. */
#include "tests/density_data_fixture.h"

#include <genmath/cross_entropy.h>
#include <genmath/importance.h>

/* Wrong where d[0] > 2. */
GM_DENSITY_DATA(
    wrong_row, 2, 1, 1, { logp[0] = -y[0] * y[0] - y[1] * y[1]; },
    {
        grad[0] = -2 * y[0];
        grad[1] = -2 * y[1];
    },
    { logp[0] = p[0] * d[0] * y[0]; },
    {
        grad[0] = d[0] > 2 ? -p[0] * d[0] : p[0] * d[0];
        grad[1] = 0;
    })

GM_DENSITY_DATA(
    wrong_prior, 1, 0, 1, { logp[0] = -y[0] * y[0]; }, { grad[0] = -y[0]; },
    { logp[0] = d[0] * y[0]; }, { grad[0] = d[0]; })

GM_DENSITY_DATA(
    unwritten, 2, 0, 1, { logp[0] = -y[0] * y[0] - y[1] * y[1]; },
    {
        grad[0] = -2 * y[0];
        grad[1] = -2 * y[1];
    },
    { logp[0] = d[0] * y[0]; }, { grad[0] = d[0]; })

static void checks_find_wrong_bodies(void **state) {
    (void)state;
    char message[256];
    const double y[DIM] = {0.3, -1, 0.5}, p[] = {0.7, 2}, few[] = {1, 3};
#define FOUND(status, text, call)                                                                  \
    assert_int_equal(call, status);                                                                \
    if (strstr(message, text) == NULL) {                                                           \
        fail_msg("\"%s\" without \"%s\"", message, text);                                          \
    }
    FOUND(GM_STATUS_OK, "", gm_density_check_data(&line, y, p, ENTRIES, &table[0][0], message));
    assert_string_equal(message, "");
    FOUND(GM_STATUS_OK, "", gm_density_check_data(&line, y, p, 0, NULL, message));
    FOUND(GM_STATUS_OK, "", gm_density_check_data(&wrong_row, y, p, 1, few, message));
    FOUND(GM_STATUS_NOT_CONVERGED, "row 1: grad[0] = -2.1: central differences give 2.1",
          gm_density_check_data(&wrong_row, y, p, 2, few, message));
    FOUND(GM_STATUS_NOT_CONVERGED, "grad[0] = -0.3: central",
          gm_density_check_data(&wrong_prior, y, NULL, 2, few, message));
    assert_null(strstr(message, "row"));
    FOUND(GM_STATUS_NON_FINITE,
          "row 0: grad[1] = ", gm_density_check_data(&unwritten, y, NULL, 1, few, message));
    gm_density bad = line;
    bad.lanes_f64[0].add_gradients = wrong_row.lanes_f64[0].add_gradients;
    FOUND(GM_STATUS_INTERNAL, "row 0: grad[",
          gm_density_check_data(&bad, y, p, 1, &table[0][0], message));
    bad = line;
    bad.row_f32 = wrong_row.row_f32;
    FOUND(GM_STATUS_INTERNAL, "row 0: logp[0] is",
          gm_density_check_data(&bad, y, p, 1, &table[0][0], message));
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT;
    ASSERT_FAILS(NULL, gm_density_check(&line, y, p, message), invalid, "gm_density_check_data");
    ASSERT_FAILS(NULL, gm_density_check_data(&line_prior, y, p, 0, NULL, message), invalid,
                 "density has no data");
    ASSERT_FAILS(NULL, gm_density_check_data(&line, y, p, -1, few, message), invalid, "rows = -1");
    ASSERT_FAILS(NULL, gm_density_check_data(&line, y, p, 1, NULL, message), invalid, "data is");
    ASSERT_FAILS(NULL, gm_density_check_data(&line, y, NULL, 1, few, message), invalid,
                 "p is NULL");
}

static void plans_check_a_row(void **state) {
    (void)state;
    gm_context *c = subjects[0].context;
    gm_mcmc_plan *plan;
    double at[] = {0.3, -1, 0.7, 1}; /* a state, a parameter, a row */
    gm_mcmc_options o = {.dtype = GM_F64, .method = GM_MCMC_RWM, .steps = 1, .check = at};
    ASSERT_OK(c, gm_mcmc_plan_create(c, &wrong_row, &o, &plan));
    gm_mcmc_plan_destroy(plan);
    at[3] = 3;
    ASSERT_FAILS(c, gm_mcmc_plan_create(c, &wrong_row, &o, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "density wrong_row at options.check: row 0: grad[0] = -2.1");
    o.check = NULL;
    gm_density d = line;
#define REFUSED(text)                                                                              \
    ASSERT_FAILS(c, gm_mcmc_plan_create(c, &d, &o, &plan), GM_STATUS_INVALID_ARGUMENT, text)
    d.version = 1;
    REFUSED("compiled against version 1");
    d = line;
    d.columns = GM_MAX_DATA_COLUMNS + 1;
    REFUSED("density->columns = 129");
    d.columns = -1;
    REFUSED("density->columns = -1");
    d = line;
    d.row_gradient_f32 = NULL;
    REFUSED("not made by GM_DENSITY_DATA");
    d = line_prior;
    d.columns = 1;
    REFUSED("not made by GM_DENSITY_DATA");
}

static void wrong_data_are_refused(void **state) {
    (void)state;
    gm_context *c = subjects[0].context;
    double y[DIM * 2] = {0}, p[2] = {1, 1}, h = 0.1, untouched[DIM * 2], data[5][WIDTH] = {{0}};
    fill(1, 1, untouched, DIM * 2);
    double end[DIM * 2];
    memcpy(end, untouched, sizeof end);
    gm_mcmc_plan *plan, *plain;
    const gm_mcmc_options o = {.dtype = GM_F64, .method = GM_MCMC_RWM, .steps = 1};
    ASSERT_OK(c, gm_mcmc_plan_create(c, &line, &o, &plan));
    ASSERT_OK(c, gm_mcmc_plan_create(c, &line_prior, &o, &plain));
    const gm_tensor start = gm_tensor_2d(y, GM_F64, DIM, 2), to = gm_tensor_2d(end, GM_F64, DIM, 2);
    const gm_tensor params = {p, GM_F64, 2, {2, 2}, {1, 0}}, step = {&h, GM_F64, 1, {2}, {0}};
    const gm_tensor right = gm_tensor_2d(data, GM_F64, 5, WIDTH);
    gm_tensor d = right;
    gm_mcmc_input input = {.state = &start, .params = &params, .step = &step};
    gm_mcmc_result result = {.state = &to};
#define RUN_REFUSED(status, text)                                                                  \
    ASSERT_FAILS(c, gm_mcmc_run(plan, 0, &input, &result), status, text);                          \
    assert_memory_equal(end, untouched, sizeof end)
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT;
    RUN_REFUSED(invalid, "input.data is NULL: the density is one over data of 4 columns");
    input.data = &d;
    d.dtype = GM_F32;
    RUN_REFUSED(invalid, "input.data.dtype = f32");
    d = right;
    d.ndim = 1;
    RUN_REFUSED(GM_STATUS_SHAPE_MISMATCH, "input.data.ndim = 1");
    d = right;
    d.shape[1] = 3;
    RUN_REFUSED(GM_STATUS_SHAPE_MISMATCH, "input.data.shape[1] = 3");
    d = right;
    d.shape[0] = -1;
    RUN_REFUSED(invalid, "input.data");
    d = right;
    d.data = NULL;
    RUN_REFUSED(invalid, "input.data.data is NULL");
    d = right;
    d.data = end;
    d.shape[0] = 1;
    RUN_REFUSED(invalid, "result.state and input.data overlap");
    d.data = data;
    int32_t *const inside = (int32_t *)(void *)data;
    const gm_tensor counts = gm_tensor_1d(inside, GM_I32, 2);
    result.status = &counts;
    RUN_REFUSED(invalid, "result.status and input.data overlap");
    result.status = NULL;
    ASSERT_FAILS(c, gm_mcmc_run(plain, 0, &input, &result), invalid,
                 "input.data must be NULL: the density has 0 columns of data");
    assert_memory_equal(end, untouched, sizeof end);
    d = (gm_tensor){NULL, GM_F64, 2, {0, WIDTH}, {WIDTH, 1}};
    ASSERT_OK(c, gm_mcmc_run(plan, 0, &input, &result)); /* no rows need no memory */
    gm_mcmc_plan_destroy(plan);
    gm_mcmc_plan_destroy(plain);
}

static void samples_and_fits_refuse_what_they_cannot_take(void **state) {
    (void)state;
    gm_context *c = subjects[0].context;
    double at[DIM] = {0}, p[2] = {1, 1}, out = 7, data[2][WIDTH] = {{0}};
    gm_importance_plan *plan, *none;
    const gm_importance_options o = {.dtype = GM_F64};
    ASSERT_OK(c, gm_importance_plan_create(c, &line, 0, &o, &plan));
    ASSERT_OK(c, gm_importance_plan_create(c, NULL, DIM, &o, &none));
    const gm_tensor points = gm_tensor_3d(at, GM_F64, 1, DIM, 1);
    const gm_tensor params = gm_tensor_2d(p, GM_F64, 1, 2),
                    d = gm_tensor_2d(data, GM_F64, 2, WIDTH);
    gm_tensor target = gm_tensor_2d(&out, GM_F64, 1, 1);
    gm_importance_input in = {.points = &points, .params = &params};
    const gm_importance_samples samples = {.log_target = &target};
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT;
    ASSERT_FAILS(c, gm_importance_draw(plan, &in, &samples), invalid, "input.data is NULL");
    in.data = &d;
    target.data = &data[1][1];
    ASSERT_FAILS(c, gm_importance_draw(plan, &in, &samples), invalid,
                 "samples.log_target and input.data overlap");
    in.params = NULL;
    const gm_importance_samples drawn = {.points = &points};
    const gm_tensor mean = gm_tensor_2d(p, GM_F64, 1, DIM);
    const gm_importance_input proposal = {.mean = &mean, .scale = &mean, .data = &d};
    ASSERT_FAILS(c, gm_importance_draw(none, &proposal, &drawn), invalid,
                 "input.data must be NULL");
    assert_true(out == 7);
    gm_importance_plan_destroy(plan);
    gm_importance_plan_destroy(none);
    const gm_cross_entropy_options how = {.goal = GM_CROSS_ENTROPY_OPTIMIZE,
                                          .dim = DIM,
                                          .samples = 100,
                                          .elite = 0.1,
                                          .smoothing = 1,
                                          .iterations = 2};
    const gm_cross_entropy_score score = {.density = &line, .params = p};
    const double middle[DIM] = {0}, factor[DIM * DIM] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    gm_cross_entropy_result result = {0};
    ASSERT_FAILS(c, gm_cross_entropy(c, &how, &score, middle, factor, &result), invalid,
                 "score.density is one over data");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_find_wrong_bodies),
        cmocka_unit_test(plans_check_a_row),
        cmocka_unit_test(wrong_data_are_refused),
        cmocka_unit_test(samples_and_fits_refuse_what_they_cannot_take),
    };
    return cmocka_run_group_tests(tests, make_table, close_subjects);
}

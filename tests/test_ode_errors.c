/*
 * gm_ode_* and gm_sde_*, what goes wrong: every argument of every function on every backend, with
 * its status, a message that names it, and not one byte of the outputs written; then which outputs
 * may be left out.
 */
#include "tests/ensemble.h"

/* ---- plans ----------------------------------------------------------------------------------- */

static void expect_no_ode_plan(const subject *s, const gm_system *system, const gm_ode_options *o,
                               const char *text) {
    gm_ode_plan *plan = (gm_ode_plan *)(uintptr_t)1;
    ASSERT_FAILS(s->context, gm_ode_plan_create(s->context, system, o, &plan),
                 GM_STATUS_INVALID_ARGUMENT, text);
    assert_null(plan);
}

static void ode_options_are_checked(void **state) {
    (void)state;
    const double unsorted[] = {0.2, 0.1}, outside[] = {0.5, 1.5}, before[] = {-0.1}, nan[] = {NAN};
    const struct {
        gm_ode_options options;
        const char *text;
    } cases[] = {
        {{.dtype = GM_F16, .t1 = 1}, "options.dtype = f16"},
        {{.dtype = GM_I32, .t1 = 1}, "options.dtype = i32"},
        {{.dtype = (gm_dtype)99, .t1 = 1}, "options.dtype"},
        {{.method = (gm_ode_method)3, .t1 = 1}, "options.method = 3"},
        {{.method = (gm_ode_method)-1, .t1 = 1}, "options.method = -1"},
        {{.t1 = NAN}, "t1"},
        {{.t1 = INFINITY}, "t1"},
        {{.t0 = NAN, .t1 = 1}, "options.t0"},
        {{.t0 = -1e308, .t1 = 1.7e308}, "options.t0"},
        {{.method = GM_ODE_RK4, .t1 = 1}, "options.steps = 0"},
        {{.method = GM_ODE_RK4, .t1 = 1, .steps = -3}, "options.steps = -3"},
        {{.method = GM_ODE_RK4, .t1 = 1, .steps = INT64_C(1) << 53}, "options.steps"},
        {{.method = GM_ODE_TSIT5, .t1 = 1, .steps = 10}, "options.steps = 10"},
        {{.t1 = 1, .rtol = -1e-6}, "options.rtol"},
        {{.t1 = 1, .rtol = NAN}, "options.rtol"},
        {{.t1 = 1, .rtol = INFINITY}, "options.rtol"},
        {{.t1 = 1, .atol = -1}, "options.atol"},
        {{.t1 = 1, .atol = NAN}, "options.atol"},
        {{.t1 = 1, .first_step = -0.1}, "options.first_step"},
        {{.t1 = 1, .first_step = INFINITY}, "options.first_step"},
        {{.t1 = 1, .min_step = -0.1}, "options.min_step"},
        {{.t1 = 1, .min_step = NAN}, "options.min_step"},
        {{.t1 = 1, .max_steps = -1}, "options.max_steps"},
        {{.t1 = 1, .max_steps = INT64_C(1) << 31}, "options.max_steps"},
        {{.t1 = 1, .save_count = -1}, "options.save_count"},
        {{.t1 = 1, .save_count = INT64_MAX}, "options.save_count"},
        {{.t1 = 1, .save_count = 2}, "options.save_times is NULL"},
        {{.t1 = 1, .save_count = 2, .save_times = unsorted}, "options.save_times[1]"},
        {{.t1 = 1, .save_count = 2, .save_times = outside}, "options.save_times[1]"},
        {{.t1 = 1, .save_count = 1, .save_times = before}, "options.save_times[0]"},
        {{.t1 = 1, .save_count = 1, .save_times = nan}, "options.save_times[0]"},
        {{.t0 = 1, .t1 = 0, .save_count = 2, .save_times = (const double[]){0.1, 0.2}},
         "options.save_times[1]"},
    };
    const gm_system *lorenz = gm_system_builtin("lorenz");
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(cases); ++k) {
            expect_no_ode_plan(s, lorenz, &cases[k].options, cases[k].text);
        }
        const gm_ode_options good = {.t1 = 1};
        gm_ode_plan *plan = NULL;
        expect_no_ode_plan(s, lorenz, NULL, "options is NULL");
        expect_no_ode_plan(s, NULL, &good, "system is NULL");
        ASSERT_FAILS(s->context, gm_ode_plan_create(s->context, lorenz, &good, NULL),
                     GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
        ASSERT_FAILS(NULL, gm_ode_plan_create(NULL, lorenz, &good, &plan),
                     GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    }
    gm_ode_plan_destroy(NULL);
}

/* A struct that GM_SYSTEM did not make, or made for another library. */
static void systems_are_checked(void **state) {
    (void)state;
    const subject *s = &subjects[0];
    const gm_ode_options o = {.t1 = 1};
    for (int k = 0; k < 8; ++k) {
        gm_system bad = *gm_system_builtin("lorenz");
        const char *const texts[] = {"version",
                                     "system->dim = 0",
                                     "system->dim = 65",
                                     "system->params = -1",
                                     "system->params = 65",
                                     "GM_SYSTEM",
                                     "GM_SYSTEM",
                                     "GM_SYSTEM"};
        bad.version += k == 0;
        bad.dim = k == 1 ? 0 : k == 2 ? 65 : bad.dim;
        bad.params = k == 3 ? -1 : k == 4 ? 65 : bad.params;
        bad.rhs_f64 = k == 5 ? NULL : bad.rhs_f64;
        bad.rhs_f32 = k == 6 ? NULL : bad.rhs_f32;
        bad.source = k == 7 ? NULL : bad.source;
        expect_no_ode_plan(s, &bad, &o, texts[k]);
    }
}

static void expect_no_sde_plan(const subject *s, const gm_sde *sde, const gm_sde_options *o,
                               const char *text) {
    gm_sde_plan *plan = (gm_sde_plan *)(uintptr_t)1;
    ASSERT_FAILS(s->context, gm_sde_plan_create(s->context, sde, o, &plan),
                 GM_STATUS_INVALID_ARGUMENT, text);
    assert_null(plan);
}

static void sde_options_are_checked(void **state) {
    (void)state;
    const struct {
        gm_sde_options options;
        const char *text;
    } cases[] = {
        {{.dtype = GM_BF16, .t1 = 1, .steps = 1}, "options.dtype = bf16"},
        {{.dtype = (gm_dtype)-1, .t1 = 1, .steps = 1}, "options.dtype"},
        {{.t1 = NAN, .steps = 1}, "t1"},
        {{.t0 = -INFINITY, .t1 = 1, .steps = 1}, "options.t0"},
        {{.t0 = -1e308, .t1 = 1e308, .steps = 1}, "options.t0"},
        {{.t0 = 1, .t1 = 0.5, .steps = 1}, "options.t1 = 0.5"},
        {{.t1 = 1}, "options.steps = 0"},
        {{.t1 = 1, .steps = -1}, "options.steps = -1"},
        {{.t1 = 1, .steps = INT64_MAX}, "options.steps"},
        {{.t1 = 1, .steps = 1, .save_every = -1}, "options.save_every = -1"},
    };
    const gm_sde *ou = gm_sde_builtin("ou");
    const gm_sde_options good = {.t1 = 1, .steps = 1};
    FOR_EACH_SUBJECT(s) {
        gm_sde_plan *plan = NULL;
        for (int k = 0; k < COUNT(cases); ++k) {
            expect_no_sde_plan(s, ou, &cases[k].options, cases[k].text);
        }
        expect_no_sde_plan(s, ou, NULL, "options is NULL");
        expect_no_sde_plan(s, NULL, &good, "sde is NULL");
        ASSERT_FAILS(s->context, gm_sde_plan_create(s->context, ou, &good, NULL),
                     GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
        ASSERT_FAILS(NULL, gm_sde_plan_create(NULL, ou, &good, &plan), GM_STATUS_INVALID_ARGUMENT,
                     "context is NULL");
    }
    for (int k = 0; k < 8; ++k) {
        gm_sde bad = *gm_sde_builtin("heston");
        gm_system drift = *bad.drift;
        const char *const texts[] = {
            "sde was compiled", "sde->drift is NULL", "sde->noises = 0",         "sde->noises = 65",
            "GM_DIFFUSION",     "GM_DIFFUSION",       "sde->drift was compiled", "GM_DIFFUSION"};
        bad.version += k == 0;
        bad.noises = k == 2 ? 0 : k == 3 ? 65 : bad.noises;
        bad.diffusion_f64 = k == 4 ? NULL : bad.diffusion_f64;
        bad.diffusion_f32 = k == 5 ? NULL : bad.diffusion_f32;
        drift.version += k == 6;
        bad.source = k == 7 ? NULL : bad.source;
        bad.drift = k == 1 ? NULL : &drift;
        expect_no_sde_plan(&subjects[0], &bad, &good, texts[k]);
    }
    gm_sde odd = *gm_sde_builtin("ou");
    odd.noises = 2;
    expect_no_sde_plan(&subjects[0], &odd, &good, "diagonal noise has one per component");
    gm_sde_plan_destroy(NULL);
}

/* ---- calls ----------------------------------------------------------------------------------- */

enum {
    N = 5,
    SAVES = 2,
    Y0 = 0,
    PARAMS,
    END,
    SAVED,
    TIME,
    STATUS,
    ACCEPTED,
    REJECTED,
    EVALUATIONS,
    ARRAYS
};

/* The nine arrays of a good call in one block of the backend's memory, each of 64 doubles' room, so
 * that a wrong view of one stays inside the block. */
typedef struct call {
    const subject *s;
    unsigned char *memory, before[ARRAYS * 512];
    gm_tensor views[ARRAYS];
    gm_ode_plan *ode;
    gm_sde_plan *sde;
} call;

static void open_call(const subject *s, call *c) {
    static const double saves[SAVES] = {0.5, 1};
    const gm_ode_options ode = {.t1 = 1, .save_times = saves, .save_count = SAVES};
    const gm_sde_options sde = {.t1 = 1, .steps = 4, .save_every = 2};
    void *memory;
    *c = (call){.s = s};
    ASSERT_OK(s->context, gm_memory_alloc(s->context, sizeof c->before, &memory));
    c->memory = memory;
    for (size_t i = 0; i < sizeof c->before; ++i) {
        c->before[i] = (unsigned char)(i * 7 + 1);
    }
    memset(c->before, 0, 1024); /* y0 and params: a start of 0 is a solution */
    ASSERT_OK(s->context, gm_memory_upload(s->context, memory, c->before, sizeof c->before));
    for (int i = 0; i < ARRAYS; ++i) {
        void *at = c->memory + 512 * i;
        c->views[i] = i <= END     ? gm_tensor_2d(at, GM_F64, 2, N)
                      : i == SAVED ? gm_tensor_3d(at, GM_F64, SAVES, 2, N)
                      : i == TIME  ? gm_tensor_1d(at, GM_F64, N)
                                   : gm_tensor_1d(at, GM_I32, N);
    }
    c->views[PARAMS].shape[0] = 2;
    ASSERT_OK(s->context,
              gm_ode_plan_create(s->context, gm_system_builtin("oscillator"), &ode, &c->ode));
    static gm_system drift;
    static gm_sde heston;
    drift = *gm_sde_builtin("heston")
                 ->drift; /* with two parameters instead of five the views serve both */
    heston = *gm_sde_builtin("heston");
    drift.params = 2;
    heston.drift = &drift;
    if (!s->is_kernel) {
        ASSERT_OK(s->context, gm_sde_plan_create(s->context, &heston, &sde, &c->sde));
    }
}

/* With something wrong about one array both kinds of call fail the same way, where they have it,
 * and write nothing. */
static void expect_failure(call *c, const gm_tensor *const views[ARRAYS], int array,
                           gm_status status, const char *text) {
    const gm_ode_result result = {views[END],        views[SAVED],    views[TIME],
                                  views[STATUS],     views[ACCEPTED], views[REJECTED],
                                  views[EVALUATIONS]};
    const gm_sde_result sde_result = {views[END], views[SAVED], views[TIME], views[STATUS]};
    unsigned char after[sizeof c->before];
    gm_context *context = c->s->context;
    ASSERT_FAILS(context, gm_ode_solve(c->ode, views[Y0], views[PARAMS], &result), status, text);
    if (c->sde != NULL && array < ACCEPTED) {
        ASSERT_FAILS(context, gm_sde_solve(c->sde, views[Y0], views[PARAMS], &sde_result), status,
                     text);
    }
    ASSERT_OK(context, gm_context_synchronize(context));
    ASSERT_OK(context, gm_memory_download(context, after, c->memory, sizeof after));
    assert_memory_equal(after, c->before, sizeof after);
}

static void point_at(const gm_tensor views[ARRAYS], const gm_tensor *pointers[ARRAYS]) {
    for (int i = 0; i < ARRAYS; ++i) {
        pointers[i] = &views[i];
    }
}

static const char *const array_names[ARRAYS] = {"y0",
                                                "params",
                                                "result.end",
                                                "result.saved",
                                                "result.time",
                                                "result.status",
                                                "result.accepted",
                                                "result.rejected",
                                                "result.evaluations"};

/* The ways in which one view can be wrong, each tried on every array. */
static void views_are_checked(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        call c;
        open_call(s, &c);
        for (int i = 0; i < ARRAYS; ++i) {
            const int32_t last = c.views[i].ndim - 1;
            for (int fault = 0; fault < 11; ++fault) {
                gm_tensor views[ARRAYS];
                const gm_tensor *pointers[ARRAYS];
                memcpy(views, c.views, sizeof views);
                point_at(views, pointers);
                gm_tensor *bad = &views[i];
                gm_status status = GM_STATUS_INVALID_ARGUMENT;
                switch (fault) {
                case 0: /* the other precision, or no integer */
                    bad->dtype = bad->dtype == GM_I32 ? GM_I64 : GM_F32;
                    break;
                case 1:
                    bad->dtype = (gm_dtype)77;
                    break;
                case 2: /* a rank too few, a rank too many */
                    bad->ndim -= 1;
                    status = GM_STATUS_SHAPE_MISMATCH;
                    break;
                case 3:
                    bad->ndim += 1;
                    bad->shape[last + 1] = bad->stride[last + 1] = 1;
                    status = GM_STATUS_SHAPE_MISMATCH;
                    break;
                case 4: /* a trajectory too few; of y0 it is the others that are then wrong */
                    bad->shape[last] = N - 1;
                    status = GM_STATUS_SHAPE_MISMATCH;
                    break;
                case 5:
                    bad->shape[last] = -1;
                    break;
                case 6: /* more elements than an int64_t counts */
                    bad->shape[0] = bad->shape[last] = INT64_MAX / 2;
                    status = last == 0 ? GM_STATUS_INVALID_ARGUMENT : status;
                    break;
                case 7:
                    bad->data = NULL;
                    break;
                case 8: /* not aligned */
                    bad->data = (unsigned char *)bad->data + 2;
                    break;
                case 9: /* a stride that leaves the address space */
                    bad->stride[last] = INT64_MAX / 4;
                    break;
                default: /* an output whose elements share memory; an input may */
                    bad->stride[last] = 0;
                    break;
                }
                if (fault == 10 && i <= PARAMS) {
                    continue;
                }
                const bool of_y0 = fault == 4 && i == Y0;
                expect_failure(&c, pointers, i, status, of_y0 ? "params" : array_names[i]);
            }
            /* The wrong number of components, parameters or saves. */
            for (int32_t axis = 0; axis < last; ++axis) {
                gm_tensor views[ARRAYS];
                const gm_tensor *pointers[ARRAYS];
                memcpy(views, c.views, sizeof views);
                point_at(views, pointers);
                views[i].shape[axis] = 1;
                expect_failure(&c, pointers, i, GM_STATUS_SHAPE_MISMATCH, array_names[i]);
            }
        }
        gm_ode_plan_destroy(c.ode);
        gm_sde_plan_destroy(c.sde);
        ASSERT_OK(s->context, gm_memory_free(s->context, c.memory));
    }
}

/* No output may touch another array, by as little as its last element; but `end` may be y0,
 * exactly. */
static void overlaps_are_refused(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        call c;
        open_call(s, &c);
        for (int i = END; i < ARRAYS; ++i) {
            for (int j = 0; j < i; ++j) {
                for (int by = 0; by < 2; ++by) {
                    gm_tensor views[ARRAYS];
                    const gm_tensor *pointers[ARRAYS];
                    memcpy(views, c.views, sizeof views);
                    point_at(views, pointers);
                    /* The first byte of array i on the first or on the last element of array j. */
                    int64_t elements;
                    ASSERT_OK(NULL, gm_tensor_elements(&views[j], &elements));
                    const size_t size = gm_dtype_size(views[j].dtype);
                    size_t offset = by == 0 ? 0 : ((size_t)elements - 1) * size;
                    offset -= offset % gm_dtype_size(views[i].dtype);
                    views[i].data = (unsigned char *)views[j].data + offset;
                    if (i == END && j == Y0 && by == 0) {
                        continue;
                    }
                    expect_failure(&c, pointers, i, GM_STATUS_INVALID_ARGUMENT, "overlap");
                    expect_failure(&c, pointers, i, GM_STATUS_INVALID_ARGUMENT, array_names[i]);
                }
            }
        }
        gm_tensor views[ARRAYS]; /* the same memory in another order is not the same view */
        const gm_tensor *pointers[ARRAYS];
        memcpy(views, c.views, sizeof views);
        point_at(views, pointers);
        views[END].data = views[Y0].data;
        views[END].stride[0] = 1;
        views[END].stride[1] = 2;
        expect_failure(&c, pointers, END, GM_STATUS_INVALID_ARGUMENT, "result.end and y0 overlap");
        gm_ode_plan_destroy(c.ode);
        gm_sde_plan_destroy(c.sde);
        ASSERT_OK(s->context, gm_memory_free(s->context, c.memory));
    }
}

static void nulls_are_refused(void **state) {
    (void)state;
    const gm_ode_options o = {.t1 = 1};
    FOR_EACH_SUBJECT(s) {
        call c;
        open_call(s, &c);
        const gm_tensor *pointers[ARRAYS];
        point_at(c.views, pointers);
        pointers[Y0] = NULL;
        expect_failure(&c, pointers, Y0, GM_STATUS_INVALID_ARGUMENT, "y0 is NULL");
        point_at(c.views, pointers);
        pointers[PARAMS] = NULL;
        expect_failure(&c, pointers, PARAMS, GM_STATUS_INVALID_ARGUMENT, "params is NULL");
        const gm_ode_result result = {.end = &c.views[END]};
        ASSERT_FAILS(s->context, gm_ode_solve(c.ode, &c.views[Y0], &c.views[PARAMS], NULL),
                     GM_STATUS_INVALID_ARGUMENT, "result is NULL");
        ASSERT_FAILS(NULL, gm_ode_solve(NULL, &c.views[Y0], &c.views[PARAMS], &result),
                     GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
        ASSERT_FAILS(NULL, gm_sde_solve(NULL, &c.views[Y0], &c.views[PARAMS], NULL),
                     GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
        if (c.sde != NULL) {
            ASSERT_FAILS(s->context, gm_sde_solve(c.sde, &c.views[Y0], &c.views[PARAMS], NULL),
                         GM_STATUS_INVALID_ARGUMENT, "result is NULL");
        }
        gm_ode_plan_destroy(c.ode);
        ASSERT_OK(s->context,
                  gm_ode_plan_create(s->context, gm_system_builtin("oscillator"), &o, &c.ode));
        gm_ode_plan_destroy(c.ode);
        gm_sde_plan_destroy(c.sde);
        if (s->is_kernel) { /* memory of the host is none of a device's */
            gm_tensor views[ARRAYS];
            double elsewhere[2 * N] = {0};
            ASSERT_OK(s->context,
                      gm_ode_plan_create(s->context, gm_system_builtin("oscillator"), &o, &c.ode));
            memcpy(views, c.views, sizeof views);
            views[Y0].data = elsewhere;
            ASSERT_FAILS(s->context, gm_ode_solve(c.ode, &views[Y0], &views[PARAMS], &result),
                         GM_STATUS_INVALID_ARGUMENT, "y0.data");
            gm_ode_plan_destroy(c.ode);
        }
        ASSERT_OK(s->context, gm_memory_free(s->context, c.memory));
    }
}

GM_SYSTEM(parameterless, 1, 0, { dydt[0] = 1; })

static void parameters_of_a_system_without_any(void **state) {
    (void)state;
    const gm_ode_options o = {.t1 = 1};
    double y[2] = {0}, p[2] = {0}, out[2] = {7, 7};
    const gm_tensor y0 = gm_tensor_2d(y, GM_F64, 1, 2), params = gm_tensor_2d(p, GM_F64, 1, 2),
                    end = gm_tensor_2d(out, GM_F64, 1, 2);
    const gm_ode_result result = {.end = &end};
    gm_context *context = subjects[0].context;
    gm_ode_plan *plan;
    ASSERT_OK(context, gm_ode_plan_create(context, &parameterless, &o, &plan));
    ASSERT_FAILS(context, gm_ode_solve(plan, &y0, &params, &result), GM_STATUS_INVALID_ARGUMENT,
                 "params must be NULL");
    assert_true(out[0] == 7 && out[1] == 7);
    ASSERT_OK(context, gm_ode_solve(plan, &y0, NULL, &result));
    gm_ode_plan_destroy(plan);
}

/* ---- outputs that are not wanted, ensembles of none ------------------------------------------ */

/* Each of the 128 and 16 choices of outputs gives those the bits they have beside all others. */
static void any_output_may_be_left_out(void **state) {
    (void)state;
    const double y0[] = {1, 0.5, -0.5, 1, 2, 0}, params[] = {1, 0.1}, saves[] = {0.25, 1};
    const double heston[] = {0.1, 1, 0.4, 0.3, -0.5};
    const gm_ode_options o = {.t1 = 1, .save_times = saves, .save_count = 2};
    const gm_sde_options e = {.dtype = GM_F32, .t1 = 1, .steps = 9, .save_every = 4};
    FOR_EACH_SUBJECT(s) {
        outcome all = solve_ode(s, gm_system_builtin("pendulum"), &o,
                                ENSEMBLE_WITH(3, y0, params, .shared = true));
        outcome noisy = solve_sde(s, gm_sde_builtin("heston"), &e,
                                  ENSEMBLE_WITH(3, y0, heston, .shared = true));
        for (int unwanted = 0; unwanted < 128; ++unwanted) {
            outcome some =
                solve_ode(s, gm_system_builtin("pendulum"), &o,
                          ENSEMBLE_WITH(3, y0, params, .shared = true, .unwanted = unwanted));
            assert_int_equal(different_trajectories(&all, 0, &some, 0, 3), 0);
            free_outcome(&some);
            if (unwanted < 16) {
                some =
                    solve_sde(s, gm_sde_builtin("heston"), &e,
                              ENSEMBLE_WITH(3, y0, heston, .shared = true, .unwanted = unwanted));
                assert_int_equal(different_trajectories(&noisy, 0, &some, 0, 3), 0);
                free_outcome(&some);
            }
        }
        free_outcome(&all);
        free_outcome(&noisy);
    }
}

/* No trajectories, no saves, saves of no trajectories: success, and the guards around the empty
 * arrays hold. */
static void nothing_is_solved_well(void **state) {
    (void)state;
    const double one[] = {1, 0}, params[] = {1, 0.1}, saves[] = {0.5};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 12; ++k) {
            const gm_ode_method method = (gm_ode_method)(k % 3);
            const gm_ode_options o = {.dtype = precisions[k / 3 % 2],
                                      .method = method,
                                      .t1 = 1,
                                      .steps = method == GM_ODE_RK4 ? 3 : 0,
                                      .save_times = saves,
                                      .save_count = k / 6};
            outcome none =
                solve_ode(s, gm_system_builtin("pendulum"), &o, ENSEMBLE(0, one, params));
            outcome single =
                solve_ode(s, gm_system_builtin("pendulum"), &o, ENSEMBLE(1, one, params));
            assert_statuses(&single, GM_STATUS_OK);
            free_outcome(&none);
            free_outcome(&single);
        }
        const gm_sde_options e = {
            .t1 = 1, .steps = 3, .save_every = 4}; /* more than there are: no saves */
        outcome none = solve_sde(s, gm_sde_builtin("ou"), &e, ENSEMBLE(0, one, params));
        outcome single = solve_sde(s, gm_sde_builtin("ou"), &e, ENSEMBLE(1, one, params));
        assert_statuses(&single, GM_STATUS_OK);
        free_outcome(&none);
        free_outcome(&single);
    }
}

/* The kernel that ran says so by name: a test that asks for a path can see that it got it. */
static void the_path_that_ran_has_a_name(void **state) {
    (void)state;
    const double y0[] = {1, 0}, params[] = {1, 0.1};
    FOR_EACH_SUBJECT(s) {
        const gm_ode_options fixed = {.dtype = GM_F32, .method = GM_ODE_RK4, .t1 = 1, .steps = 3},
                             adaptive = {.t1 = 1};
        const gm_sde_options noisy = {.t1 = 1, .steps = 3};
        outcome out = solve_ode(s, gm_system_builtin("pendulum"), &fixed, ENSEMBLE(1, y0, params));
        assert_non_null(
            strstr(gm_last_kernel(s->context), s->is_kernel ? "ode_rk4_f32_builtin" : "ode_rk4_"));
        free_outcome(&out);
        out = solve_ode(s, gm_system_builtin("pendulum"), &adaptive, ENSEMBLE(1, y0, params));
        assert_non_null(
            strstr(gm_last_kernel(s->context), s->is_kernel ? "ode_erk_f64_builtin" : "ode_erk_"));
        free_outcome(&out);
        out = solve_ode(s, &parameterless, &adaptive, ENSEMBLE(1, y0, NULL));
        assert_true(!s->is_kernel || strstr(gm_last_kernel(s->context), "builtin") == NULL);
        free_outcome(&out);
        out = solve_sde(s, gm_sde_builtin("ou"), &noisy, ENSEMBLE(1, y0, params));
        assert_non_null(
            strstr(gm_last_kernel(s->context), s->is_kernel ? "sde_em_f64_builtin" : "sde_em_"));
        free_outcome(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ode_options_are_checked),
        cmocka_unit_test(systems_are_checked),
        cmocka_unit_test(sde_options_are_checked),
        cmocka_unit_test(views_are_checked),
        cmocka_unit_test(overlaps_are_refused),
        cmocka_unit_test(nulls_are_refused),
        cmocka_unit_test(parameters_of_a_system_without_any),
        cmocka_unit_test(any_output_may_be_left_out),
        cmocka_unit_test(nothing_is_solved_well),
        cmocka_unit_test(the_path_that_ran_has_a_name),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}

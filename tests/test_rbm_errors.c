/* gm_rbm_*: wrong arguments, of which nothing is written, numbers that are none, nothing to do. */
#include "tests/rbm_fixture.h"

enum { NV = 6, NH = 4, LINES = 3 };

/* ---- plans ----------------------------------------------------------------------------------- */

static void wrong_plans_are_refused(void **state) {
    (void)state;
    gm_context *context = subjects[0].context;
#define BASE .rows = LINES, .visible = NV, .hidden = NH
    const struct {
        gm_rbm_options options;
        gm_status status;
        const char *text;
    } cases[] = {
        {{.dtype = GM_I32, BASE}, GM_STATUS_INVALID_ARGUMENT, "options.dtype = i32"},
        {{.kind = (gm_rbm_kind)3, BASE}, GM_STATUS_INVALID_ARGUMENT, "options.kind = 3"},
        {{.rows = -1, .visible = 1, .hidden = 1}, GM_STATUS_INVALID_ARGUMENT, "options.rows = -1"},
        {{.rows = 1, .visible = 0, .hidden = 1}, GM_STATUS_INVALID_ARGUMENT, "options.visible = 0"},
        {{.rows = 1, .visible = 1, .hidden = 1 << 25},
         GM_STATUS_INVALID_ARGUMENT,
         "options.hidden = 33554432"},
        {{.kind = GM_RBM_POTTS, BASE}, GM_STATUS_INVALID_ARGUMENT, "options.colours = 0"},
        {{.kind = GM_RBM_POTTS, BASE, .colours = 4}, GM_STATUS_INVALID_ARGUMENT, "divide visible"},
        {{BASE, .colours = 2}, GM_STATUS_INVALID_ARGUMENT, "only potts"},
        {{BASE, .partition = 2}, GM_STATUS_INVALID_ARGUMENT, "options.partition = 2"},
        {{.dtype = GM_BF16, .kind = GM_RBM_GAUSSIAN, BASE}, GM_STATUS_UNSUPPORTED, "bf16"},
        {{.dtype = GM_BF16, BASE, .partition = 1}, GM_STATUS_UNSUPPORTED, "bf16"},
        {{.rows = 1, .visible = 19, .hidden = 19, .partition = 1},
         GM_STATUS_UNSUPPORTED,
         "2^19 states of the hidden layer, and ref enumerates 2^18 at most"},
        {{.rows = 1, .visible = 20, .hidden = 30, .partition = 1},
         GM_STATUS_UNSUPPORTED,
         "2^20 states of the visible layer"},
        {{.kind = GM_RBM_GAUSSIAN, .rows = 1, .visible = 2, .hidden = 30, .partition = 1},
         GM_STATUS_UNSUPPORTED,
         "2^30 states of the hidden layer"},
    };
    for (int i = 0; i < COUNT(cases); ++i) {
        gm_rbm_plan *plan = (gm_rbm_plan *)&plan;
        ASSERT_FAILS(context, gm_rbm_plan_create(context, &cases[i].options, &plan),
                     cases[i].status, cases[i].text);
        assert_null(plan);
    }
    gm_rbm_plan *plan;
    ASSERT_FAILS(NULL, gm_rbm_plan_create(NULL, &cases[0].options, &plan),
                 GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    ASSERT_FAILS(context, gm_rbm_plan_create(context, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "options is NULL");
    ASSERT_FAILS(context, gm_rbm_plan_create(context, &cases[0].options, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_rbm_plan_destroy(NULL);
    assert_int_equal(gm_rbm_workspace(NULL), 0);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* Everything a call takes, in host memory: v, h, energy and a step's arrays. */
typedef struct place {
    bench x;
    double v[LINES * NV], h[LINES * NH], energy[LINES], dw[NV * NH], db[NV], dc[NH],
        data[LINES * NV];
    uint8_t clamp[NV];
    gm_tensor tv, th, te, tdw, tdb, tdc, tdata, tclamp;
    size_t bytes;
} place;

static machine m;

static void open_place(place *p, gm_rbm_kind kind, gm_dtype dtype, int32_t partition) {
    m = make_machine(kind, NV, NH, kind == GM_RBM_POTTS ? 3 : 0);
    memset(p, 0, sizeof *p);
    p->x = open_bench(&subjects[0], dtype, &m, LINES, partition);
    model_of(&p->x);
    p->tv = gm_tensor_2d(p->v, dtype, LINES, NV);
    p->th = gm_tensor_2d(p->h, dtype, LINES, NH);
    p->te = gm_tensor_1d(p->energy, dtype, LINES);
    p->tdw = gm_tensor_2d(p->dw, dtype, NV, NH);
    p->tdb = gm_tensor_1d(p->db, dtype, NV);
    p->tdc = gm_tensor_1d(p->dc, dtype, NH);
    p->tdata = gm_tensor_2d(p->data, dtype, LINES, NV);
    p->tclamp = gm_tensor_1d(p->clamp, GM_U8, NV);
    p->bytes = gm_rbm_workspace(p->x.plan);
}

static void close_place(place *p) {
    close_bench(&p->x);
    free(m.w);
}

static gm_status gibbs(place *p, gm_rbm_sweeps run) {
    return gm_rbm_gibbs(p->x.plan, &run, &p->x.model, &p->tv, &p->th, p->x.workspace, p->bytes);
}

static gm_status energy(place *p, double beta) {
    return gm_rbm_free_energy(p->x.plan, &p->x.model, beta, &p->tv, &p->te, p->x.workspace,
                              p->bytes);
}

static gm_status anneal(place *p, gm_rbm_anneal run) {
    return gm_rbm_ais(p->x.plan, &run, &p->x.model, &p->tv, &p->te, p->x.workspace, p->bytes);
}

static gm_status train(place *p, gm_rbm_step step) {
    const gm_rbm_velocity velocity = {&p->tdw, &p->tdb, &p->tdc};
    return gm_rbm_train(p->x.plan, &step, &p->x.model, &velocity, &p->tdata, &p->tv, p->x.workspace,
                        p->bytes);
}

#define GM_STATUS_BAD GM_STATUS_INVALID_ARGUMENT
#define REFUSED(call, status, text)                                                                \
    do {                                                                                           \
        place before = p;                                                                          \
        ASSERT_FAILS(p.x.s->context, (call), GM_STATUS_##status, (text));                          \
        assert_memory_equal(p.v, before.v, sizeof p.v);                                            \
        assert_memory_equal(p.h, before.h, sizeof p.h);                                            \
        assert_memory_equal(p.energy, before.energy, sizeof p.energy);                             \
    } while (0)

static void wrong_numbers_are_refused(void **state) {
    (void)state;
    place p;
    open_place(&p, GM_RBM_BINARY, GM_F64, 0);
    REFUSED(gibbs(&p, (gm_rbm_sweeps){.sweeps = -1}), BAD, "run.sweeps = -1");
    REFUSED(gibbs(&p, (gm_rbm_sweeps){.sweeps = 1, .beta = -1}), BAD, "beta = -1");
    REFUSED(gibbs(&p, (gm_rbm_sweeps){.sweeps = 1, .beta = NAN}), BAD, "beta = ");
    REFUSED(energy(&p, INFINITY), BAD, "beta = inf");
    REFUSED(anneal(&p, (gm_rbm_anneal){.steps = 0}), BAD, "run.steps = 0");
    REFUSED(anneal(&p, (gm_rbm_anneal){.steps = 1, .reverse = 2}), BAD, "run.reverse = 2");
    static const double late[] = {0.1, 0.5, 1}, falls[] = {0, 0.5, 0.4, 1}, far[] = {0, 0.5, 0.9};
    REFUSED(anneal(&p, (gm_rbm_anneal){.steps = 2, .t = late}), BAD, "run.t[0] = 0.1");
    REFUSED(anneal(&p, (gm_rbm_anneal){.steps = 3, .t = falls}), BAD, "run.t[2] = 0.4");
    REFUSED(anneal(&p, (gm_rbm_anneal){.steps = 2, .t = far}), BAD, "run.t[2] = 0.9");
    REFUSED(train(&p, (gm_rbm_step){.k = 0, .rate = 1}), BAD, "step.k = 0");
    REFUSED(train(&p, (gm_rbm_step){.k = 1, .rate = -1}), BAD, "step.rate = -1");
    REFUSED(train(&p, (gm_rbm_step){.k = 1, .rate = INFINITY}), BAD, "step.rate = inf");
    REFUSED(train(&p, (gm_rbm_step){.k = 1, .momentum = 1}), BAD, "step.momentum = 1");
    REFUSED(train(&p, (gm_rbm_step){.k = 1, .decay = -0.5}), BAD, "step.decay = -0.5");
    REFUSED(train(&p, (gm_rbm_step){.k = 1, .persistent = 2}), BAD, "step.persistent = 2");
    REFUSED(gm_rbm_log_partition(p.x.plan, &p.x.model, 1, &p.te, p.x.workspace, p.bytes), BAD,
            "without options.partition");
    gm_rbm_estimate e;
    static const double weights[] = {1, NAN};
    ASSERT_FAILS(NULL, gm_rbm_ais_estimate(NULL, 1, 0, &e), GM_STATUS_INVALID_ARGUMENT,
                 "log_weights");
    ASSERT_FAILS(NULL, gm_rbm_ais_estimate(weights, 0, 0, &e), GM_STATUS_INVALID_ARGUMENT, "n = 0");
    ASSERT_FAILS(NULL, gm_rbm_ais_estimate(weights, 1, 0, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "estimate");
    ASSERT_FAILS(NULL, gm_rbm_ais_estimate(weights, 2, 0, &e), GM_STATUS_NON_FINITE,
                 "log_weights[1]");
    ASSERT_FAILS(NULL, gm_rbm_shuffle(0, 0, -1, NULL), GM_STATUS_INVALID_ARGUMENT, "n = -1");
    ASSERT_FAILS(NULL, gm_rbm_shuffle(0, 0, 1, NULL), GM_STATUS_INVALID_ARGUMENT, "order is NULL");
    close_place(&p);
}

static void wrong_arrays_are_refused(void **state) {
    (void)state;
    place p;
    open_place(&p, GM_RBM_BINARY, GM_F64, 0);
    const gm_rbm_sweeps one = {.sweeps = 1};
    const place good = p;
#define WITH(change, call, status, text)                                                           \
    do {                                                                                           \
        change;                                                                                    \
        REFUSED(call, status, text);                                                               \
        p = good;                                                                                  \
        model_of(&p.x);                                                                            \
        p.tv.data = p.v;                                                                           \
    } while (0)
    WITH(p.tv.shape[0] = LINES + 1, gibbs(&p, one), SHAPE_MISMATCH, "v.shape[0] = 4: must be 3");
    WITH(p.tv.shape[1] = NV - 1, gibbs(&p, one), SHAPE_MISMATCH, "v.shape[1] = 5: must be 6");
    WITH(p.tv.dtype = GM_F32, gibbs(&p, one), BAD, "v.dtype = f32");
    WITH(p.tv.data = NULL, gibbs(&p, one), BAD, "v");
    WITH(p.tv.stride[0] = NV + 1, gibbs(&p, one), BAD, "v: its elements must lie row by row");
    WITH(p.th.shape[1] = NV, gibbs(&p, one), SHAPE_MISMATCH, "h.shape[1]");
    WITH(p.th.data = p.v, gibbs(&p, one), BAD, "h");
    WITH(p.tv.data = p.x.w.data, gibbs(&p, one), BAD, "model.w");
    WITH(p.x.model.w = NULL, gibbs(&p, one), BAD, "model.w");
    WITH(p.x.model.b = p.x.model.c, gibbs(&p, one), SHAPE_MISMATCH, "model.b.shape[0] = 4");
    WITH(p.x.model.sigma = p.x.model.b, gibbs(&p, one), BAD, "model.sigma must be NULL");
    WITH(p.bytes -= 1, gibbs(&p, one), WORKSPACE_TOO_SMALL, "");
    WITH(p.tv.data = p.x.workspace, gibbs(&p, one), BAD, "workspace");
    WITH(p.te.shape[0] = 2, energy(&p, 1), SHAPE_MISMATCH, "energy.shape[0] = 2: must be 3");
    WITH(p.te.data = p.v, energy(&p, 1), BAD, "energy");
    WITH(p.tdw.shape[0] = 2, train(&p, (gm_rbm_step){.k = 1}), SHAPE_MISMATCH, "velocity.w");
    WITH(p.tdw.data = p.x.w.data, train(&p, (gm_rbm_step){.k = 1}), BAD, "velocity.w");
    WITH(p.tdata.data = p.v, train(&p, (gm_rbm_step){.k = 1}), BAD, "data");
    WITH(p.tclamp.shape[0] = 5, gibbs(&p, (gm_rbm_sweeps){.sweeps = 1, .clamp = &p.tclamp}),
         SHAPE_MISMATCH, "run.clamp");
    WITH(p.tclamp.dtype = GM_I8, gibbs(&p, (gm_rbm_sweeps){.sweeps = 1, .clamp = &p.tclamp}), BAD,
         "run.clamp.dtype");
    REFUSED(gm_rbm_gibbs(p.x.plan, NULL, &p.x.model, &p.tv, NULL, p.x.workspace, p.bytes), BAD,
            "run is NULL");
    REFUSED(gm_rbm_gibbs(p.x.plan, &one, NULL, &p.tv, NULL, p.x.workspace, p.bytes), BAD,
            "model is NULL");
    REFUSED(gm_rbm_gibbs(p.x.plan, &one, &p.x.model, &p.tv, NULL, NULL, p.bytes), BAD, "workspace");
    REFUSED(gm_rbm_train(p.x.plan, &(gm_rbm_step){.k = 1}, &p.x.model, NULL, &p.tdata, &p.tv,
                         p.x.workspace, p.bytes),
            BAD, "velocity is NULL");
    ASSERT_FAILS(NULL, gm_rbm_gibbs(NULL, &one, &p.x.model, &p.tv, NULL, p.x.workspace, p.bytes),
                 GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    close_place(&p);
}

static void what_a_kind_lacks(void **state) {
    (void)state;
    place p;
    open_place(&p, GM_RBM_GAUSSIAN, GM_F64, 0);
    REFUSED(gm_rbm_pseudo_likelihood(p.x.plan, &p.x.model, &p.tv, &p.te, p.x.workspace, p.bytes),
            UNSUPPORTED, "binary");
    p.x.model.sigma = NULL;
    REFUSED(gibbs(&p, (gm_rbm_sweeps){.sweeps = 1}), BAD, "model.sigma");
    close_place(&p);
    open_place(&p, GM_RBM_BINARY, GM_BF16, 0);
    REFUSED(energy(&p, 1), UNSUPPORTED, "bf16");
    REFUSED(anneal(&p, (gm_rbm_anneal){.steps = 1}), UNSUPPORTED, "bf16");
    REFUSED(train(&p, (gm_rbm_step){.k = 1}), UNSUPPORTED, "bf16");
    REFUSED(gibbs(&p, (gm_rbm_sweeps){.sweeps = 1, .clamp = &p.tclamp}), UNSUPPORTED, "bf16");
    close_place(&p);
}

/* ---- nothing to do, and no numbers ----------------------------------------------------------- */

static void nothing_to_do(void **state) {
    (void)state;
    const machine none = wave_machine(GM_RBM_POTTS, NV, NH, 3, 0.5);
    FOR_EACH_SUBJECT(s) {
        double v[LINES * NV] = {0}, empty[1] = {7};
        bench x = open_bench(s, GM_F32, &none, LINES, 0);
        run_gibbs(&x, &(gm_rbm_sweeps){.sweeps = 0}, v, NULL);
        for (int i = 0; i < LINES * NV; ++i) {
            assert_true(v[i] == 0);
        }
        close_bench(&x);
        x = open_bench(s, GM_F32, &none, 0, 0);
        run_gibbs(&x, &(gm_rbm_sweeps){.sweeps = 2}, empty, empty);
        run_map(&x, FREE_ENERGY, 1, empty, empty);
        run_map(&x, HIDDEN_MEAN, 1, empty, empty);
        run_map(&x, VISIBLE_MEAN, 1, empty, empty);
        assert_true(empty[0] == 7);
        close_bench(&x);
    }
    free(none.w);
}

/* A NaN among the weights shows in every energy, mean and sum that it reaches. */
static void nan_shows(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 3; ++k) {
            const machine bad = wave_machine((gm_rbm_kind)k, NV, NH, k == 2 ? 3 : 0, 0.5);
            bad.w[2 * NH + 1] = NAN;
            double v[LINES * NV], out[LINES * NV], log_z;
            for (int i = 0; i < LINES * NV; ++i) {
                v[i] = i % 3 == 0;
            }
            bench x = open_bench(s, precisions[k % 2], &bad, LINES, 1);
            run_map(&x, FREE_ENERGY, 1, v, out);
            assert_true(isnan(out[0]) && isnan(out[LINES - 1]));
            run_map(&x, HIDDEN_MEAN, 1, v, out);
            assert_true(isnan(out[1]) && isnan(out[NH + 1]) && !isnan(out[0]));
            run_map(&x, LOG_Z, 1, NULL, &log_z);
            assert_true(isnan(log_z));
            run_gibbs(&x, &(gm_rbm_sweeps){.sweeps = 1}, v, out);
            assert_true(out[1] == 0); /* the unit that the NaN reaches */
            close_bench(&x);
            free(bad.w);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_plans_are_refused),
        cmocka_unit_test(wrong_numbers_are_refused),
        cmocka_unit_test(wrong_arrays_are_refused),
        cmocka_unit_test(what_a_kind_lacks),
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(nan_shows),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}

/* What the tests of tempering share: ladders in host arrays, run on any subject. */
#ifndef GENMATH_TESTS_TEMPERING_FIXTURE_H
#define GENMATH_TESTS_TEMPERING_FIXTURE_H

#include "tests/ising_fixture.h"

#include <genmath/tempering.h>

/* Ladders of a model; arrays row-major as in tempering.h. */
typedef struct ladders {
    const gm_ising_model *model;
    const double *beta;
    int64_t count, temperatures;
    gm_tempering_pairs pairs;
    bool scattered; /* levels and sums lie transposed in the subject's memory */
    bool no_sums;
    int8_t *spins;
    int32_t *level, *label, *status;
    uint64_t *sums;
    int64_t *swaps, *trips, *energy;
} ladders;

enum { LADDER_ARRAYS = 8 };

/* An array of ladders in the subject's memory. */
typedef struct ladder_array {
    void *host, *memory;
    size_t bytes;
    gm_tensor view;
} ladder_array;

static ladders make_ladders(const gm_ising_model *model, int64_t count, int64_t temperatures,
                            const double *beta) {
    const size_t n = (size_t)(count * temperatures);
    ladders l = {.model = model, .beta = beta, .count = count, .temperatures = temperatures};
    l.spins = malloc(n * (size_t)model->sites + 1);
    l.level = malloc((n + 1) * sizeof *l.level);
    l.label = calloc(n + 1, sizeof *l.label);
    l.status = calloc((size_t)count + 1, sizeof *l.status);
    l.sums = calloc(n * GM_ISING_SUMS * 2 + 1, sizeof *l.sums);
    l.swaps = calloc(n * GM_TEMPERING_COUNTS + 1, sizeof *l.swaps);
    l.trips = calloc(n + 1, sizeof *l.trips);
    l.energy = calloc(n + 1, sizeof *l.energy);
    assert_true(l.spins && l.level && l.label && l.status && l.sums && l.swaps && l.trips &&
                l.energy);
    for (size_t i = 0; i < n; ++i) {
        l.level[i] = (int32_t)(i % (size_t)temperatures);
    }
    return l;
}

static void free_ladders(ladders *l) {
    void *const all[] = {l->spins, l->level, l->label, l->status,
                         l->sums,  l->swaps, l->trips, l->energy};
    for (int i = 0; i < COUNT(all); ++i) {
        free(all[i]);
    }
}

/* The arrays in the order spins, level, label, sums, swaps, trips, energy, status. */
static void set_arrays(const ladders *l, ladder_array *a) {
    const int64_t n = l->count, r = l->temperatures, sites = l->model->sites;
    const struct {
        void *host;
        gm_dtype dtype;
        int32_t ndim;
        int64_t shape[4];
    } all[LADDER_ARRAYS] = {{l->spins, GM_I8, 2, {n * r, sites}},
                            {l->level, GM_I32, 2, {n, r}},
                            {l->label, GM_I32, 2, {n, r}},
                            {l->sums, GM_U64, 4, {n, r, GM_ISING_SUMS, 2}},
                            {l->swaps, GM_I64, 3, {n, r - 1, GM_TEMPERING_COUNTS}},
                            {l->trips, GM_I64, 2, {n, r}},
                            {l->energy, GM_I64, 1, {n * r}},
                            {l->status, GM_I32, 1, {n}}};
    for (int i = 0; i < LADDER_ARRAYS; ++i) {
        int64_t elements;
        a[i].host = all[i].host;
        ASSERT_OK(NULL, gm_tensor_view(NULL, all[i].dtype, all[i].ndim, all[i].shape, &a[i].view));
        ASSERT_OK(NULL, gm_tensor_elements(&a[i].view, &elements));
        a[i].bytes = (size_t)elements * gm_dtype_size(all[i].dtype);
    }
}

/* Copies between the host's row-major elements and the view's, whatever its strides. */
static void copy_elements(const ladder_array *a, char *packed, bool back) {
    const gm_tensor *t = &a->view;
    const size_t size = gm_dtype_size(t->dtype);
    int64_t elements;
    ASSERT_OK(NULL, gm_tensor_elements(t, &elements));
    for (int64_t i = 0; i < elements; ++i) {
        int64_t rest = i, offset = 0;
        for (int32_t axis = t->ndim; axis-- > 0;) {
            offset += rest % t->shape[axis] * t->stride[axis];
            rest /= t->shape[axis];
        }
        char *there = packed + offset * (int64_t)size;
        char *here = (char *)a->host + i * (int64_t)size;
        memcpy(back ? here : there, back ? there : here, size);
    }
}

/* Column-major strides. */
static void scatter(gm_tensor *t) {
    int64_t step = 1;
    for (int32_t axis = 0; axis < t->ndim; ++axis) {
        t->stride[axis] = step;
        step *= t->shape[axis];
    }
}

static void upload_ladders(const subject *s, const ladders *l, ladder_array *a) {
    set_arrays(l, a);
    for (int i = 0; i < LADDER_ARRAYS; ++i) {
        if (l->scattered) {
            scatter(&a[i].view);
        }
        char *packed = malloc(a[i].bytes + 1);
        copy_elements(&a[i], packed, false);
        ASSERT_OK(s->context, gm_memory_alloc(s->context, a[i].bytes + 8, &a[i].memory));
        ASSERT_OK(s->context, gm_memory_upload(s->context, a[i].memory, packed, a[i].bytes));
        a[i].view.data = a[i].memory;
        free(packed);
    }
}

static void download_ladders(const subject *s, ladder_array *a) {
    for (int i = 0; i < LADDER_ARRAYS; ++i) {
        char *packed = malloc(a[i].bytes + 1);
        ASSERT_OK(s->context, gm_memory_download(s->context, packed, a[i].memory, a[i].bytes));
        copy_elements(&a[i], packed, true);
        ASSERT_OK(s->context, gm_memory_free(s->context, a[i].memory));
        free(packed);
    }
}

/* Runs the ladders with a plan; results are those of this run. */
static void temper_with(const subject *s, const gm_tempering_plan *plan,
                        const gm_tempering_swaps *run, ladders *l) {
    ladder_array a[LADDER_ARRAYS];
    upload_ladders(s, l, a);
    const gm_tempering_state state = {&a[0].view, &a[1].view, &a[2].view};
    const gm_tempering_result result = {l->no_sums ? NULL : &a[3].view, &a[4].view, &a[5].view,
                                        l->no_sums ? NULL : &a[6].view, &a[7].view};
    gm_workspace workspace = {0};
    ASSERT_OK(s->context, gm_tempering_run(plan, run, &state, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_alloc(s->context, workspace.bytes, &workspace.data));
    ASSERT_OK(s->context, gm_tempering_run(plan, run, &state, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_free(s->context, workspace.data));
    download_ladders(s, a);
}

static void temper(const subject *s, const gm_tempering_swaps *run, ladders *l) {
    gm_ising_plan *ising;
    gm_tempering_plan *plan;
    ASSERT_OK(s->context, gm_ising_plan_create(s->context, l->model, &ising));
    const gm_tempering tempering = {
        .ising = ising, .temperatures = l->temperatures, .beta = l->beta, .pairs = l->pairs};
    ASSERT_OK(s->context, gm_tempering_plan_create(s->context, &tempering, &plan));
    temper_with(s, plan, run, l);
    gm_tempering_plan_destroy(plan);
    gm_ising_plan_destroy(ising);
}

#endif

/*
 * Kernels of a device backend on tensors that reach over 2^32 bytes, without the memory: two
 * allocations with 5 GiB of addresses between them that nothing may touch. A backend looks at the
 * address of element 0 alone, so a stride from one to the other makes them the rows of one tensor.
 * test_contract_plan.c has the same for the host's backends.
 */
#include "tests/contract.h"

#include <stdlib.h>
#include <sys/mman.h>

#include <genmath/contract_group.h>

#include "host/internal.h"

/* Allocations too large for what room there may be above the hole lie below it. */
enum { FAR_BYTES = 8192, LARGE = 4 << 20, HOLE = 5, LONGEST = 600 };

typedef struct far_memory {
    unsigned char *row[2];
    int64_t apart; /* bytes */
    /* Not between the rows: ranges of bytes that overlap are refused. */
    unsigned char *near;
    void *hole;
} far_memory;

/* What is where in the near allocation. */
enum { INPUT_AT = 0, PRODUCT_AT = 1 << 20, WORKSPACE_AT = 2 << 20 };

static bool open_memory(gm_context *context, far_memory *f) {
    void *memory[3];
    ASSERT_OK(context, gm_memory_alloc(context, FAR_BYTES, &memory[0]));
    f->hole = mmap(NULL, (size_t)HOLE << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    ASSERT_OK(context, gm_memory_alloc(context, LARGE, &memory[1]));
    ASSERT_OK(context, gm_memory_alloc(context, LARGE, &memory[2]));
    const int lower = (uintptr_t)memory[1] < (uintptr_t)memory[0]; /* bulk copies go up only */
    f->row[0] = memory[lower];
    f->row[1] = memory[1 - lower];
    f->near = memory[2];
    f->apart = (int64_t)((intptr_t)f->row[1] - (intptr_t)f->row[0]);
    const bool between = ((uintptr_t)memory[2] > (uintptr_t)memory[0]) !=
                         ((uintptr_t)memory[2] > (uintptr_t)memory[1]);
    const bool good =
        f->hole != MAP_FAILED && f->apart >> 32 > 0 && f->apart % 16 == 0 && !between;
    if (!good) {
        printf("skip: no memory over 2^32 bytes apart\n");
    }
    return good;
}

static void close_memory(gm_context *context, far_memory *f) {
    ASSERT_OK(context, gm_memory_free(context, f->row[0]));
    ASSERT_OK(context, gm_memory_free(context, f->row[1]));
    ASSERT_OK(context, gm_memory_free(context, f->near));
    if (f->hole != MAP_FAILED) {
        munmap(f->hole, (size_t)HOLE << 30);
    }
}

/* What one product needs: two rows of n on the host, and room for 2 x 2. */
typedef struct rows {
    block numbers, product;
    gm_tensor far, far_product, near, near_product;
} rows;

static rows make_rows(gm_context *context, const far_memory *f, gm_dtype dtype, int64_t n,
                      uint64_t *random) {
    const int64_t shape[] = {2, n}, square[] = {2, 2}, size = (int64_t)gm_dtype_size(dtype);
    rows r = {.numbers = make_block(dtype, 2, shape, ROWS, UNITS, random),
              .product = make_block(dtype, 2, square, ROWS, POISON, random)};
    const unsigned char *from = r.numbers.view.data;
    const size_t bytes = (size_t)(n * size);
    r.far = r.far_product = (gm_tensor){f->row[0], dtype, 2, {2, n}, {f->apart / size, 1}};
    r.far_product.shape[1] = 2;
    r.near = gm_tensor_2d(f->near + INPUT_AT, dtype, 2, n);
    r.near_product = gm_tensor_2d(f->near + PRODUCT_AT, dtype, 2, 2);
    ASSERT_OK(context, gm_memory_upload(context, r.near.data, from, 2 * bytes));
    ASSERT_OK(context, gm_memory_upload(context, f->row[0], from, bytes));
    ASSERT_OK(context, gm_memory_upload(context, f->row[1], from + bytes, bytes));
    ASSERT_OK(context, gm_memory_upload(context, r.near_product.data, r.product.view.data,
                                        (size_t)(4 * size)));
    return r;
}

static void check_rows(const target *t, const char *what, const char *expression, rows *r) {
    oracle o = work_out(expression, 2, (const block[]){r->numbers, r->numbers});
    assert_exact(t, what, &r->product, &o);
    free_oracle(&o);
}

static void free_rows(rows *r) {
    free_block(&r->numbers);
    free_block(&r->product);
}

static gm_status contract_by(gm_context *x, const char *kernel, const char *expression,
                             const gm_tensor *pair, const gm_tensor *out, void *workspace) {
    const gm_tensor inputs[] = {*pair, *pair};
    const gm_contract_options options = {.kernel = kernel};
    gm_contract_plan *plan;
    const gm_status status =
        gm_contract_plan_create(x, expression, 2, inputs, out, &options, &plan);
    if (status == GM_STATUS_OK) {
        const size_t bytes = gm_contract_workspace(plan);
        assert_true(bytes <= LARGE - WORKSPACE_AT);
        ASSERT_OK(x, gm_contract_execute(plan, NULL, inputs, NULL, out, workspace, bytes));
        gm_contract_plan_destroy(plan);
    }
    return status;
}

/* The product of far rows, near; and of near ones, far. False where the kernel cannot. */
static bool multiply(const target *t, const far_memory *f, gm_dtype dtype, const char *kernel,
                     const char *expression, uint64_t *random) {
    gm_context *x = t->context;
    const size_t size = gm_dtype_size(dtype);
    rows r = make_rows(x, f, dtype, strcmp(kernel, "small") == 0 ? 21 : LONGEST, random);
    void *workspace = f->near + WORKSPACE_AT;
    const gm_status status = contract_by(x, kernel, expression, &r.far, &r.near_product, workspace);
    if (status == GM_STATUS_OK) {
        unsigned char *to = r.product.view.data;
        ASSERT_OK(x, gm_memory_download(x, to, r.near_product.data, 4 * size));
        check_rows(t, kernel, expression, &r);
        memset(to, 0xff, 4 * size);
        ASSERT_OK(x, contract_by(x, kernel, expression, &r.near, &r.far_product, workspace));
        ASSERT_OK(x, gm_memory_download(x, to, f->row[0], 2 * size));
        ASSERT_OK(x, gm_memory_download(x, to + 2 * size, f->row[1], 2 * size));
        check_rows(t, kernel, expression, &r);
    } else {
        assert_int_equal(status, GM_STATUS_UNSUPPORTED);
    }
    free_rows(&r);
    return status == GM_STATUS_OK;
}

/* Every kernel for two operands, by name. */
static void multiply_by_every_kernel(const target *t, const far_memory *f) {
    static const gm_dtype dtypes[] = {GM_F32, GM_F64, GM_BF16};
    uint64_t random = 9;
    int ran = 0;
    for (int i = 0; gm_contract_kernel_name(t->context, i) != NULL; ++i) {
        const char *kernel = gm_contract_kernel_name(t->context, i);
        bool did = false;
        for (int type = 0; type < COUNT(dtypes); ++type) {
            const char *expression = (i + type) % 2 == 0 ? "ik,jk->ij" : "ik,jk->ji";
            did = multiply(t, f, dtypes[type], kernel, expression, &random) || did;
        }
        ran += did;
        if (!did && strcmp(kernel, "transpose") != 0) {
            fail_msg("%s: kernel %s was not run", t->name, kernel);
        }
    }
    assert_true(ran >= 9);
}

/* A group of one such product: by tiles, or small. */
static void multiply_in_a_group(const target *t, const far_memory *f, int64_t n,
                                const char *kernel) {
    static const char expression[] = "ik,jk->ij";
    gm_context *x = t->context;
    uint64_t random = 10;
    rows r = make_rows(x, f, GM_F32, n, &random);
    const gm_tensor inputs[] = {r.far, r.far};
    const void *input_data[] = {r.far.data, r.far.data};
    void *output_data[] = {r.near_product.data};
    const gm_contract_group group = {
        .operands = 2, .problems = 1, .layouts = 1, .inputs = inputs, .outputs = &r.near_product};
    const gm_contract_group_arrays arrays = {.inputs = input_data, .outputs = output_data};
    gm_contract_group_plan *plan;
    ASSERT_OK(x, gm_contract_group_plan_create(x, expression, &group, NULL, &plan));
    ASSERT_OK(x, gm_contract_group_bind(plan, &arrays, f->near + WORKSPACE_AT,
                                        gm_contract_group_workspace(plan)));
    ASSERT_OK(x, gm_contract_group_execute(plan));
    ASSERT_OK(x,
              gm_memory_download(x, r.product.view.data, r.near_product.data, 4 * sizeof(float)));
    assert_non_null(strstr(gm_contract_group_explain(plan), kernel));
    check_rows(t, kernel, expression, &r);
    gm_contract_group_plan_destroy(plan);
    free_rows(&r);
}

static void kernels_reach_over_two_to_the_32_bytes(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        far_memory f;
        if (t->context->backend->memory_is_reachable == NULL) {
            continue;
        }
        if (open_memory(t->context, &f)) {
            multiply_by_every_kernel(t, &f);
            multiply_in_a_group(t, &f, 20, "kernel small");
            multiply_in_a_group(t, &f, 80, "kernel simt");
        }
        close_memory(t->context, &f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_reach_over_two_to_the_32_bytes),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}

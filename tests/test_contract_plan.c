/*
 * Plans of contractions: memory limits, the plans a context keeps, every kernel by name, and
 * tensors that reach over 2^32 bytes. The orders are in test_contract_order.c.
 */
#include "tests/contract.h"

#include <sys/mman.h>

#include "host/contract/order.h"
#include "host/internal.h"

/* ---- allocations ----------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTS_ALLOCATIONS 0
#endif
#endif
#if !defined(COUNTS_ALLOCATIONS) && defined(__GLIBC__)
#define COUNTS_ALLOCATIONS 1
#endif

static int64_t allocations;

#if COUNTS_ALLOCATIONS
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
    ++allocations;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    ++allocations;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    ++allocations;
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    ++allocations;
    return __libc_memalign(alignment, size);
}
#endif

/* ---- memory ---------------------------------------------------------------------------------- */

/* The workspace stays within the limit, the result right, or no order is claimed to fit. */
static void limits_are_kept(void **state) {
    (void)state;
    static const char expression[] = "ab,bcd,de,acf,fe->c";
    static const int32_t ndims[] = {2, 3, 2, 3, 2};
    static const int64_t shapes[] = {7, 6, 6, 5, 8, 8, 9, 7, 5, 3, 3, 9};
    uint64_t random = 2;
    block inputs[5];
    gm_tensor views[5];
    const int64_t *shape = shapes;
    for (int i = 0; i < 5; ++i) {
        inputs[i] = make_block(GM_F64, ndims[i], shape, ROWS, INTEGERS, &random);
        views[i] = inputs[i].view;
        shape += ndims[i];
    }
    oracle o = work_out(expression, 5, inputs);
    FOR_EACH_TARGET(t) {
        int fitted = 0, refused = 0;
        for (int64_t limit = 64; limit < 16384 && !t->is_reference && !t->is_slow; limit += 192) {
            block out = make_output(expression, 5, inputs, GM_F64, ROWS, &random);
            gm_contract_plan *plan;
            run r = {.expression = expression,
                     .count = 5,
                     .inputs = inputs,
                     .options = {.memory_limit = limit}};
            const gm_status status = gm_contract_plan_create(t->context, expression, 5, views,
                                                             &out.view, &r.options, &plan);
            gm_contract_plan_destroy(plan);
            if (status == GM_STATUS_OK) {
                run_on(t, &r, &out, false);
                assert_true(r.workspace <= (size_t)limit);
                assert_exact(t, expression, &out, &o);
                ++fitted;
            } else {
                assert_int_equal(status, GM_STATUS_OUT_OF_MEMORY);
                assert_int_equal(fitted, 0); /* a larger limit never fits less */
                ++refused;
            }
            free_block(&out);
        }
        assert_true(t->is_reference || t->is_slow || (fitted > 0 && refused > 0));
    }
    free_oracle(&o);
    for (int i = 0; i < 5; ++i) {
        free_block(&inputs[i]);
    }
}

/*
 * Under a limit the fastest order gives way to a slower one that fits, and that, where its plan
 * does not fit with its scratch memory, to the one of least memory: three orders of one expression,
 * told apart by what they cost.
 */
static void a_limit_changes_the_order(void **state) {
    (void)state;
    static const char expression[] = "ca,g,dga,afd,fbc,bgf->g";
    static const int32_t ndims[] = {2, 1, 3, 3, 3, 3};
    static const int64_t shapes[] = {3, 2, 5, 5, 5, 2, 2, 30, 5, 30, 16, 3, 16, 5, 30};
    static const struct {
        int64_t limit;
        gm_path_goal goal; /* of the path that is to be taken */
    } cases[] = {{1 << 20, GM_PATH_COST}, {9984, GM_PATH_COST_WITHIN}, {6208, GM_PATH_PEAK}};
    uint64_t random = 5;
    block inputs[6];
    gm_tensor views[6];
    const int64_t *shape = shapes;
    for (int i = 0; i < 6; ++i) {
        inputs[i] = make_block(GM_F64, ndims[i], shape, ROWS, UNITS, &random);
        views[i] = inputs[i].view;
        shape += ndims[i];
    }
    oracle o = work_out(expression, 6, inputs);
    gm_expression e;
    gm_path paths[3];
    assert_int_equal(gm_expression_parse(NULL, expression, 6, views, NULL, &e), GM_STATUS_OK);
    for (int i = 0; i < 3; ++i) {
        assert_int_equal(gm_path_find(NULL, &e, GM_CONTRACT_EXACT, cases[i].goal,
                                      (double)cases[i].limit, 8, &paths[i]),
                         GM_STATUS_OK);
        assert_true(i == 0 || paths[i].cost > paths[i - 1].cost);
        assert_true(i == 0 || paths[i].peak < paths[i - 1].peak);
    }
    assert_true(paths[0].peak > (double)cases[1].limit && paths[1].peak > (double)cases[2].limit);
    /* The limits are for one thread: each has its scratch. */
    const target one = {.name = "cpu, one thread", .context = open_threads(1)};
    const target *loops = NULL;
    FOR_EACH_TARGET(t) {
        loops = t->is_loops ? t : loops;
    }
    const target *const wanted[] = {loops, one.context != NULL ? &one : NULL};
    for (int at = 0; at < 2; ++at) {
        double operations = 0;
        for (int i = 0; i < 3 && wanted[at] != NULL; ++i) {
            block out = make_output(expression, 6, inputs, GM_F64, ROWS, &random);
            run r = {.expression = expression,
                     .count = 6,
                     .inputs = inputs,
                     .options = {.memory_limit = cases[i].limit}};
            run_on(wanted[at], &r, &out, false);
            assert_exact(wanted[at], expression, &out, &o);
            assert_true(r.workspace <= (size_t)cases[i].limit);
            assert_true(r.workspace >= (size_t)paths[i].peak);
            assert_true(r.operations > operations);
            operations = r.operations;
            free_block(&out);
        }
    }
    gm_context_destroy(one.context);
    free_oracle(&o);
    for (int i = 0; i < 6; ++i) {
        free_block(&inputs[i]);
    }
}

/* Dead partial products make room: a chain of ten needs the room of two, and their scratch. */
static void room_is_used_again(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        gm_tensor inputs[10];
        for (int i = 0; i < 10; ++i) {
            inputs[i] = gm_tensor_2d(NULL, GM_F64, 16, 16);
        }
        gm_contract_plan *plan;
        ASSERT_OK(t->context,
                  gm_contract_plan_create(
                      t->context, "ab,bc,cd,de,ef,fg,gh,hi,ij,jk->ak", 10, inputs, &inputs[0],
                      &(gm_contract_options){.order = GM_CONTRACT_LEFT_TO_RIGHT}, &plan));
        if (t->is_loops) {
            assert_int_equal(gm_contract_workspace(plan), 2 * 16 * 16 * 8 + 64);
        }
        if (!t->is_reference) {
            assert_true(gm_contract_operations(plan) == 9 * 2 * 16 * 16 * 16);
        }
        gm_contract_plan_destroy(plan);
        /* A batch that is innermost stays so, and takes no more room. */
        const gm_tensor three[] = {gm_tensor_2d(NULL, GM_F64, 8, 16), inputs[0], inputs[0]};
        const gm_tensor cube = {NULL, GM_F64, 4, {8, 16, 16, 16}, {4096, 256, 16, 1}};
        ASSERT_OK(t->context, gm_contract_plan_create(t->context, "ib,jb,kb->ijkb", 3, three, &cube,
                                                      NULL, &plan));
        assert_true(!t->is_loops || gm_contract_workspace(plan) == 8 * 16 * 16 * 8 + 64);
        gm_contract_plan_destroy(plan);
    }
}

/* ---- gm_contract ----------------------------------------------------------------------------- */

/* More expressions than are kept, again and again, with workspaces of all sizes. */
static void plans_are_kept(void **state) {
    (void)state;
    enum { EXPRESSIONS = 90, ROUNDS = 3 };
    FOR_EACH_TARGET(t) {
        if (t->is_slow) {
            continue;
        }
        void *memory;
        double host[4096], got[144];
        ASSERT_OK(t->context, gm_memory_alloc(t->context, sizeof host, &memory));
        for (int i = 0; i < 4096; ++i) {
            host[i] = i % 7 - 3;
        }
        double *x = memory;
        for (int k = 0; k < EXPRESSIONS * ROUNDS; ++k) {
            const int which = (k * 37) % EXPRESSIONS;
            const int64_t n = 1 + which % 12, m = 1 + which / 12;
            const gm_tensor inputs[] = {gm_tensor_2d(x, GM_F64, n, m),
                                        gm_tensor_2d(x + 256, GM_F64, m, 12),
                                        gm_tensor_2d(x + 512, GM_F64, 12, n)};
            const gm_tensor out = gm_tensor_2d(x + 1024, GM_F64, n, n);
            ASSERT_OK(t->context, gm_memory_upload(t->context, memory, host, sizeof host));
            ASSERT_OK(t->context, gm_contract(t->context, "ij,jk,kl->il", 3, inputs, &out));
            ASSERT_OK(t->context,
                      gm_memory_download(t->context, got, x + 1024, (size_t)(n * n) * sizeof *got));
            for (int64_t i = 0; i < n * n; ++i) {
                double expected = 0;
                for (int64_t j = 0; j < m * 12; ++j) {
                    expected +=
                        host[i / n * m + j / 12] * host[256 + j] * host[512 + j % 12 * n + i % n];
                }
                assert_true(got[i] == expected);
            }
        }
        ASSERT_OK(t->context, gm_context_set_stream(t->context, NULL));
        ASSERT_OK(t->context, gm_memory_free(t->context, memory));
    }
}

/* The second call of an expression allocates nothing, nor does a plan that is executed. */
static void later_calls_allocate_nothing(void **state) {
    (void)state;
#if COUNTS_ALLOCATIONS
    FOR_EACH_TARGET(t) {
        if (t->is_slow) {
            continue; /* the emulator's own business */
        }
        void *memory;
        ASSERT_OK(t->context, gm_memory_alloc(t->context, 8192, &memory));
        double *x = memory;
        const gm_tensor inputs[] = {gm_tensor_2d(x, GM_F64, 4, 5),
                                    gm_tensor_2d(x + 64, GM_F64, 5, 6),
                                    gm_tensor_2d(x + 128, GM_F64, 6, 7)};
        const gm_tensor out = gm_tensor_2d(x + 256, GM_F64, 4, 7);
        const int64_t before = allocations;
        ASSERT_OK(t->context, gm_contract(t->context, "ij,jk,kl->il", 3, inputs, &out));
        const int64_t first = allocations;
        const double start = milliseconds();
        for (int i = 0; i < 100; ++i) {
            ASSERT_OK(t->context, gm_contract(t->context, "ij,jk,kl->il", 3, inputs, &out));
        }
        printf("%s: a later call takes %.1f us\n", t->name, (milliseconds() - start) * 10);
        assert_true(first > before);
        assert_true(allocations == first);
        /* What differs in one stride, size, type or letter is another expression. */
        gm_tensor other[] = {inputs[0], inputs[1], inputs[2]};
        other[1].stride[0] = 7;
        ASSERT_OK(t->context, gm_contract(t->context, "ij,jk,kl->il", 3, other, &out));
        const int64_t second = allocations;
        assert_true(second > first);
        ASSERT_OK(t->context, gm_contract(t->context, "aj,jk,kl->al", 3, inputs, &out));
        assert_true(allocations > second);
        ASSERT_OK(t->context, gm_memory_free(t->context, memory));
    }
#else
    printf("skip: allocations are not counted here\n");
    skip();
#endif
}

/* ---- every kernel ---------------------------------------------------------------------------- */

typedef struct shaped {
    const char *expression;
    int32_t count, ndims[2];
    int64_t shapes[6];
} shaped;

static const shaped shapes_of_steps[] = {
    {"ij->ji", 1, {2}, {33, 65}},
    {"ij->ij", 1, {2}, {16, 64}},
    {"ij->i", 1, {2}, {9, 130}},
    {"ij->j", 1, {2}, {130, 9}},
    {"i->", 1, {1}, {3000}},
    {"i,i->", 2, {1, 1}, {1100, 1100}},
    {"i,i->i", 2, {1, 1}, {100, 100}},
    {"i,j->ij", 2, {1, 1}, {40, 50}},
    {"ij,j->i", 2, {2, 1}, {70, 90, 90}},
    {"ji,j->i", 2, {2, 1}, {90, 70, 90}},
    {"ij,jk->ik", 2, {2, 2}, {3, 4, 4, 5}},
    {"ij,jk->ik", 2, {2, 2}, {64, 64, 64, 64}},
    {"ij,jk->ik", 2, {2, 2}, {128, 64, 64, 128}},
    {"ij,kj->ik", 2, {2, 2}, {64, 96, 64, 96}},
    {"ji,jk->ik", 2, {2, 2}, {96, 64, 96, 64}},
    {"ij,jk->ik", 2, {2, 2}, {67, 33, 33, 71}},
    {"ij,jk->ik", 2, {2, 2}, {4, 2000, 2000, 4}},
    {"bij,bjk->bik", 2, {3, 3}, {65, 3, 3, 65, 3, 3}},
    {"bij,bjk->bik", 2, {3, 3}, {40, 8, 8, 40, 8, 8}},
    {"bij,bjk->bik", 2, {3, 3}, {20, 16, 16, 20, 16, 16}},
    {"bij,bjk->bik", 2, {3, 3}, {9, 32, 32, 9, 32, 32}},
    {"bij,bjk->bik", 2, {3, 3}, {3, 64, 48, 3, 48, 64}},
    {"ijb,jkb->ikb", 2, {3, 3}, {4, 4, 33, 4, 4, 33}},
    {"bi,bi->b", 2, {2, 2}, {33, 40, 33, 40}},
    {"abc,cda->bd", 2, {3, 3}, {7, 8, 9, 9, 6, 7}},
    {"ij,kj->ik", 2, {2, 2}, {24, 1000, 16, 1000}},
    {"bji,jbk->bik", 2, {3, 3}, {2, 520, 40, 520, 2, 72}},
};

static const struct {
    gm_dtype input, output;
    gm_contract_math math;
} types_of_steps[] = {
    {GM_F64, GM_F64, GM_CONTRACT_STANDARD}, {GM_F64, GM_F64, GM_CONTRACT_COMPENSATED},
    {GM_F32, GM_F32, GM_CONTRACT_STANDARD}, {GM_F32, GM_F32, GM_CONTRACT_COMPENSATED},
    {GM_F32, GM_F32, GM_CONTRACT_TF32},     {GM_F32, GM_F32, GM_CONTRACT_TF32X3},
    {GM_F16, GM_F32, GM_CONTRACT_STANDARD}, {GM_BF16, GM_F32, GM_CONTRACT_STANDARD},
    {GM_C64, GM_C64, GM_CONTRACT_STANDARD}, {GM_C128, GM_C128, GM_CONTRACT_STANDARD},
    {GM_I8, GM_I32, GM_CONTRACT_STANDARD},  {GM_I32, GM_I32, GM_CONTRACT_STANDARD},
};

enum { MOST_ROWS = 64 };
static int runs_of[COUNT(targets)][MOST_ROWS];

/* Every kernel of every target on one step; those that cannot take it say so. */
static void force_all(const shaped *s, int type) {
    uint64_t random = (uint64_t)type + 31;
    const gm_dtype to = types_of_steps[type].output;
    block inputs[2];
    const int64_t *shape = s->shapes;
    for (int32_t i = 0; i < s->count; ++i) {
        inputs[i] =
            make_block(types_of_steps[type].input, s->ndims[i], shape, ROWS, INTEGERS, &random);
        shape += s->ndims[i];
    }
    oracle o = work_out(s->expression, s->count, inputs);
    FOR_EACH_TARGET(t) {
        const char *kernel;
        for (int row = 0; (kernel = gm_contract_kernel_name(t->context, row)) != NULL; ++row) {
            int *runs = &runs_of[t - targets][row];
            assert_true(row < MOST_ROWS);
            if (t->is_slow && *runs >= 6) {
                continue;
            }
            block out = make_output(s->expression, s->count, inputs, to, ROWS, &random);
            run r = {.expression = s->expression,
                     .count = s->count,
                     .inputs = inputs,
                     .options = {.math = types_of_steps[type].math, .kernel = kernel}};
            if (run_on(t, &r, &out, true) == GM_STATUS_OK) {
                assert_exact(t, kernel, &out, &o);
                assert_string_equal(r.kernel, kernel);
                ++*runs;
            }
            free_block(&out);
        }
    }
    free_oracle(&o);
    for (int32_t i = 0; i < s->count; ++i) {
        free_block(&inputs[i]);
    }
}

static void every_kernel_runs(void **state) {
    (void)state;
    for (int i = 0; i < COUNT(shapes_of_steps) * COUNT(types_of_steps); ++i) {
        force_all(&shapes_of_steps[i % COUNT(shapes_of_steps)], i / COUNT(shapes_of_steps));
    }
    int missing = 0;
    FOR_EACH_TARGET(t) {
        const char *kernel;
        for (int row = 0; (kernel = gm_contract_kernel_name(t->context, row)) != NULL; ++row) {
            printf("%s: %s: %d runs\n", t->name, kernel, runs_of[t - targets][row]);
            missing += runs_of[t - targets][row] == 0;
        }
    }
    assert_int_equal(missing, 0);
}

/* ---- over 2^32 bytes ------------------------------------------------------------------------- */

/* Three rows 2^31 + 64 bytes apart, and columns of which a few pages are touched. */
static void tensors_over_two_to_the_32_bytes(void **state) {
    (void)state;
    enum { ROWS_N = 3, COLUMNS_N = 21 };
    const size_t bytes = 5ull << 30;
    const int64_t apart = (1ll << 31) + 64;
    unsigned char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        printf("skip: no 5 GiB of addresses\n");
        skip();
    }
    FOR_EACH_TARGET(t) {
        if (t->context->backend->memory_is_reachable != NULL) {
            continue; /* test_contract_far.c */
        }
        for (int type = 0; type < 3; ++type) {
            const gm_dtype dtype = type == 0 ? GM_I8 : type == 1 ? GM_F32 : GM_F64;
            const int64_t size = (int64_t)gm_dtype_size(dtype);
            const gm_tensor wide = {memory, dtype, 2, {ROWS_N, COLUMNS_N}, {apart / size, 1}};
            const gm_tensor same = {memory, dtype, 2, {COLUMNS_N, ROWS_N}, {1, apart / size}};
            double row[ROWS_N][COLUMNS_N];
            for (int i = 0; i < ROWS_N * COLUMNS_N; ++i) {
                const int r = i / COLUMNS_N, c = i % COLUMNS_N;
                unsigned char *at = memory + r * apart + c * size;
                row[r][c] = (i * 7) % 11 - 5;
                if (type == 0) {
                    *(int8_t *)at = (int8_t)row[r][c];
                } else if (type == 1) {
                    *(float *)at = (float)row[r][c];
                } else {
                    *(double *)at = row[r][c];
                }
            }
            /* The output far apart too, behind the rows. */
            const gm_dtype to = type == 0 ? GM_I32 : dtype;
            const int64_t out_size = (int64_t)gm_dtype_size(to);
            const gm_tensor inputs[] = {wide, same};
            const gm_tensor out = {memory + 4096, to, 2, {ROWS_N, ROWS_N}, {apart / out_size, 1}};
            const gm_status status = gm_contract(t->context, "ij,jk->ik", 2, inputs, &out);
            /* Ranges of bytes that are interleaved count as overlapping. */
            assert_int_equal(status, GM_STATUS_INVALID_ARGUMENT);
            double near[ROWS_N * ROWS_N];
            const gm_tensor small = {near, to, 2, {ROWS_N, ROWS_N}, {ROWS_N, 1}};
            ASSERT_OK(t->context, gm_contract(t->context, "ij,jk->ik", 2, inputs, &small));
            for (int i = 0; i < ROWS_N * ROWS_N; ++i) {
                double expected = 0;
                for (int c = 0; c < COLUMNS_N; ++c) {
                    expected += row[i / ROWS_N][c] * row[i % ROWS_N][c];
                }
                const double got = to == GM_F64   ? near[i]
                                   : to == GM_F32 ? (double)((float *)near)[i]
                                                  : ((int32_t *)near)[i];
                assert_true(got == expected);
            }
            /* A copy from near to far. */
            static double column[ROWS_N * COLUMNS_N];
            memset(column, 0, sizeof column);
            const gm_tensor zeros = {column, to, 2, {ROWS_N, COLUMNS_N}, {COLUMNS_N, 1}};
            const gm_tensor far = {memory, to, 2, {COLUMNS_N, ROWS_N}, {1, apart / out_size}};
            if (type > 0) {
                ASSERT_OK(t->context, gm_contract(t->context, "ij->ji", 1, &zeros, &far));
                for (int i = 0; i < ROWS_N * COLUMNS_N; ++i) {
                    const unsigned char *at =
                        memory + i / COLUMNS_N * apart + i % COLUMNS_N * out_size;
                    assert_true(to == GM_F32 ? *(const float *)at == 0 : *(const double *)at == 0);
                }
            }
        }
    }
    munmap(memory, bytes);
}

/* ---- the text -------------------------------------------------------------------------------- */

static void the_plan_as_text(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        const gm_tensor inputs[] = {gm_tensor_2d(NULL, GM_F32, 2, 40),
                                    gm_tensor_2d(NULL, GM_F32, 40, 50),
                                    gm_tensor_2d(NULL, GM_F32, 50, 3)};
        const gm_tensor out = gm_tensor_2d(NULL, GM_F32, 2, 3);
        gm_contract_plan *plan;
        ASSERT_OK(t->context,
                  gm_contract_plan_create(t->context, "ij,jk,kl", 3, inputs, &out, NULL, &plan));
        const char *text = gm_contract_explain(plan);
        char workspace[64];
        snprintf(workspace, sizeof workspace, "workspace: %zu bytes\n",
                 gm_contract_workspace(plan));
        assert_non_null(strstr(text, workspace));
        if (t->is_loops) {
            assert_non_null(strstr(text,
                                   "step 1: ij,jk->ik of operand 0 and operand 1: batch 1, m "
                                   "2, n 50, k 40, 8000 operations, 8720 bytes, kernel loops"));
            assert_non_null(strstr(text, "step 2: ik,kl->il of step 1 and operand 2"));
            assert_true(gm_contract_operations(plan) == 2 * (2 * 40 * 50 + 2 * 50 * 3));
        } else {
            assert_non_null(strstr(text, "step 1: "));
        }
        gm_contract_plan_destroy(plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(a_limit_changes_the_order),
        cmocka_unit_test(room_is_used_again),
        cmocka_unit_test(plans_are_kept),
        cmocka_unit_test(later_calls_allocate_nothing),
        cmocka_unit_test(every_kernel_runs),
        cmocka_unit_test(tensors_over_two_to_the_32_bytes),
        cmocka_unit_test(the_plan_as_text),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}

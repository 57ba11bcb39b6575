/* `genmath contract`: Einstein summation over the arrays of .npy files. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/contract.h>
#include <genmath/npy.h>

#include "host/cli/cli.h"
#include "host/ref/half.h"
#include "host/internal.h"

static const char documentation[] =
    "Contracts the arrays of .npy files by an einsum expression as NumPy writes it, in the order "
    "that "
    "takes the fewest operations.\v"
    "Examples:\n"
    "  genmath contract 'bij,bjk->bik' a.npy b.npy -o c.npy\n"
    "  genmath contract 'ij,ij->' a.npy b.npy\n"
    "  genmath contract 'ij,jk,kl' a.npy b.npy c.npy --explain\n"
    "\nOne letter a dimension; without '->' the labels that appear once are the output's. '...' "
    "stands for the other dimensions. All arrays have one type: f64, f32, f16, bf16, c64, c128, i8 "
    "(which gives i32) or i32. Without --out or --explain a result of up to 16 elements is "
    "printed.";

enum { KEY_MATH = 0x3001, KEY_ORDER, KEY_MEMORY, KEY_KERNEL, KEY_EXPLAIN, KEY_RESULT };

static const struct argp_option option_list[] = {
    {"out", 'o', "FILE", 0, "write the result there (.npy)", 0},
    {"explain", KEY_EXPLAIN, NULL, 0,
     "print the steps, their sizes and their kernels, and run none", 0},
    {"math", KEY_MATH, "NAME", 0, "standard (default), tf32, tf32x3 or compensated", 0},
    {"order", KEY_ORDER, "NAME", 0, "auto (default), exact, greedy or written", 0},
    {"memory", KEY_MEMORY, "BYTES", 0, "most bytes for partial products (default: no limit)", 0},
    {"kernel", KEY_KERNEL, "NAME", 0, "run every step by this kernel", 0},
    {"result", KEY_RESULT, "TYPE", 0, "type of the result of f16 and bf16: f16, bf16 or f32", 0},
    {0}};

typedef struct settings {
    gm_cli_options common;
    const char *expression, *out;
    const char *files[GM_MAX_OPERANDS];
    int32_t count;
    bool explain, has_result;
    gm_dtype result;
    gm_contract_options options;
} settings;

static void take_argument(settings *s, const struct argp_state *state, const char *text) {
    if (s->expression == NULL) {
        s->expression = text;
    } else if (s->count == GM_MAX_OPERANDS) {
        argp_error(state, "more than %d files", GM_MAX_OPERANDS);
    } else {
        s->files[s->count++] = text;
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    static const char *const maths[] = {"standard", "tf32", "tf32x3", "compensated"};
    static const char *const orders[] = {"auto", "exact", "greedy", "written"};
    static const char *const types[] = {"f32", "f16", "bf16"};
    settings *s = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &s->common;
        return 0;
    case 'o':
        s->out = text;
        return 0;
    case KEY_EXPLAIN:
        s->explain = true;
        return 0;
    case KEY_MATH:
        s->options.math = (gm_contract_math)gm_cli_parse_name(state, "math", text, maths, 4);
        return 0;
    case KEY_ORDER:
        s->options.order = (gm_contract_order)gm_cli_parse_name(state, "order", text, orders, 4);
        return 0;
    case KEY_MEMORY:
        s->options.memory_limit = gm_cli_parse_integer(state, "memory", text, 1, INT64_MAX);
        return 0;
    case KEY_KERNEL:
        s->options.kernel = text;
        return 0;
    case KEY_RESULT:
        s->has_result = true;
        s->result = (gm_dtype)(GM_F32 + gm_cli_parse_name(state, "result", text, types, 3));
        return 0;
    case ARGP_KEY_ARG:
        take_argument(s, state, text);
        return 0;
    case ARGP_KEY_END:
        if (s->count == 0) {
            argp_error(state, "an expression and the files of its operands are needed");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What a run holds. */
typedef struct workplace {
    gm_context *context;
    gm_tensor files[GM_MAX_OPERANDS];  /* in host memory */
    gm_tensor inputs[GM_MAX_OPERANDS]; /* in the backend's */
    gm_tensor output;
    void *host, *workspace;
    gm_contract_plan *plan;
    double seconds;
} workplace;

static size_t bytes_of(const gm_tensor *tensor) {
    int64_t elements = 0;
    return gm_tensor_elements(tensor, &elements) == GM_STATUS_OK
               ? (size_t)elements * gm_dtype_size(tensor->dtype)
               : 0;
}

static gm_status load(const settings *s, workplace *w) {
    for (int32_t i = 0; i < s->count; ++i) {
        GM_TRY(gm_npy_load(w->context, s->files[i], &w->files[i]));
        w->inputs[i] = w->files[i];
        w->inputs[i].data = NULL;
    }
    return GM_STATUS_OK;
}

static gm_status make_plan(const settings *s, workplace *w) {
    GM_TRY(gm_contract_output(w->context, s->expression, s->count, w->files, &w->output));
    w->output.dtype = s->has_result ? s->result : w->output.dtype;
    return gm_contract_plan_create(w->context, s->expression, s->count, w->files, &w->output,
                                   &s->options, &w->plan);
}

static gm_status execute(const settings *s, workplace *w) {
    const size_t workspace = gm_contract_workspace(w->plan), out = bytes_of(&w->output);
    for (int32_t i = 0; i < s->count; ++i) {
        const size_t bytes = bytes_of(&w->files[i]);
        GM_TRY(gm_memory_alloc(w->context, bytes, &w->inputs[i].data));
        GM_TRY(gm_memory_upload(w->context, w->inputs[i].data, w->files[i].data, bytes));
    }
    GM_TRY(gm_memory_alloc(w->context, out, &w->output.data));
    GM_TRY(gm_memory_alloc(w->context, workspace, &w->workspace));
    w->host = malloc(out + 1);
    GM_CHECK(w->context, w->host != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the result");
    const double start = gm_cli_seconds();
    GM_TRY(
        gm_contract_execute(w->plan, NULL, w->inputs, NULL, &w->output, w->workspace, workspace));
    GM_TRY(gm_context_synchronize(w->context));
    w->seconds = gm_cli_seconds() - start;
    GM_TRY(gm_memory_download(w->context, w->host, w->output.data, out));
    gm_tensor result = w->output;
    result.data = w->host;
    return s->out != NULL ? gm_npy_save(w->context, s->out, &result) : GM_STATUS_OK;
}

static void close_workplace(const settings *s, workplace *w) {
    for (int32_t i = 0; i < s->count; ++i) {
        gm_memory_free(w->context, w->inputs[i].data);
        gm_npy_free(&w->files[i]);
    }
    gm_memory_free(w->context, w->output.data);
    gm_memory_free(w->context, w->workspace);
    gm_contract_plan_destroy(w->plan);
    free(w->host);
}

/* ---- what is printed ------------------------------------------------------------------------- */

/* The parts of a number of the result: one, of complex numbers two. */
static int number_at(const workplace *w, int64_t at, double parts[2]) {
    switch (w->output.dtype) {
    case GM_F64:
        parts[0] = ((const double *)w->host)[at];
        return 1;
    case GM_F32:
        parts[0] = (double)((const float *)w->host)[at];
        return 1;
    case GM_F16:
        parts[0] = gm_half_value(((const uint16_t *)w->host)[at]);
        return 1;
    case GM_BF16:
        parts[0] = gm_bfloat_value(((const uint16_t *)w->host)[at]);
        return 1;
    case GM_I32:
        parts[0] = ((const int32_t *)w->host)[at];
        return 1;
    case GM_C64:
        parts[0] = (double)((const float *)w->host)[2 * at];
        parts[1] = (double)((const float *)w->host)[2 * at + 1];
        return 2;
    default: /* C128 */
        parts[0] = ((const double *)w->host)[2 * at];
        parts[1] = ((const double *)w->host)[2 * at + 1];
        return 2;
    }
}

enum { PRINTED = 16 };

static void print_text(const settings *s, const workplace *w) {
    int64_t elements = 0;
    gm_tensor_elements(&w->output, &elements);
    printf("%s: %s (", s->expression, gm_dtype_name(w->output.dtype));
    for (int32_t axis = 0; axis < w->output.ndim; ++axis) {
        printf("%s%" PRId64, axis > 0 ? ", " : "", w->output.shape[axis]);
    }
    printf("), %.6g operations in %.3g s on %s by %s\n", gm_contract_operations(w->plan),
           w->seconds, gm_context_backend_name(w->context), gm_last_kernel(w->context));
    for (int64_t i = 0; i < elements && elements <= PRINTED && s->out == NULL; ++i) {
        double parts[2];
        if (number_at(w, i, parts) == 2) {
            printf("%.17g%+.17gi\n", parts[0], parts[1]);
        } else {
            printf("%.17g\n", parts[0]);
        }
    }
}

static int print_json(const settings *s, const workplace *w) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "expression", s->expression);
    cJSON_AddStringToObject(root, "backend", gm_context_backend_name(w->context));
    cJSON_AddStringToObject(root, "dtype", gm_dtype_name(w->output.dtype));
    cJSON *shape = cJSON_AddArrayToObject(root, "shape");
    for (int32_t axis = 0; axis < w->output.ndim; ++axis) {
        cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)w->output.shape[axis]));
    }
    cJSON_AddNumberToObject(root, "operations", gm_contract_operations(w->plan));
    cJSON_AddNumberToObject(root, "workspace_bytes", (double)gm_contract_workspace(w->plan));
    cJSON_AddStringToObject(root, "plan", gm_contract_explain(w->plan));
    if (!s->explain) {
        cJSON_AddStringToObject(root, "kernel", gm_last_kernel(w->context));
        cJSON_AddNumberToObject(root, "seconds", w->seconds);
    }
    return gm_cli_print_json(root);
}

static int run(const settings *s, workplace *w) {
    gm_status status = load(s, w);
    if (status != GM_STATUS_OK) {
        return gm_cli_fail(w->context, status, "reading the operands");
    }
    status = make_plan(s, w);
    if (status != GM_STATUS_OK) {
        return gm_cli_fail(w->context, status, "planning");
    }
    status = s->explain ? GM_STATUS_OK : execute(s, w);
    if (status != GM_STATUS_OK) {
        return gm_cli_fail(w->context, status, "contracting");
    }
    if (s->common.json) {
        return print_json(s, w);
    }
    if (s->explain) {
        fputs(gm_contract_explain(w->plan), stdout);
    } else {
        print_text(s, w);
    }
    return GM_EXIT_OK;
}

int gm_cli_contract(int argc, char **argv) {
    static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
    static const struct argp parser = {.options = option_list,
                                       .parser = parse,
                                       .args_doc = "EXPRESSION FILE...",
                                       .doc = documentation,
                                       .children = children};
    settings s = {.expression = NULL};
    gm_cli_parse(&parser, argc, argv, &s);
    static workplace w;
    w.context = gm_cli_context(&s.common);
    if (w.context == NULL) {
        return GM_EXIT_FAILURE;
    }
    const int code = run(&s, &w);
    close_workplace(&s, &w);
    gm_context_destroy(w.context);
    return code;
}

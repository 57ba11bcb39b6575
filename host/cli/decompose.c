/* `genmath decompose`: low-rank approximations of the array of a .npy file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/elementwise.h>
#include <genmath/npy.h>
#include <genmath/tensor_decompose.h>

#include "host/cli/cli.h"
#include "host/internal.h"

static const char documentation[] =
    "Replaces the array of a .npy file by factors of low rank and says how far they are from it: "
    "svd (a matrix), cp, tucker or tt (tensor train).\v"
    "Examples:\n"
    "  genmath decompose svd x.npy --rank 20 -o x       writes x.u.npy, x.s.npy, x.vt.npy\n"
    "  genmath decompose tucker x.npy --tolerance 0.01 -o x   x.core.npy, x.0.npy, x.1.npy ...\n"
    "  genmath decompose tucker x.npy --rank 4,4,2 --method hooi\n"
    "  genmath decompose tt x.npy --tolerance 1e-6 --json\n"
    "  genmath decompose cp x.npy --rank 5 --seed 1 -o x      x.weights.npy, x.0.npy, x.1.npy ...\n"
    "\nErrors are |x - result| / |x|. f64 and f32 are taken as they are, other real types as f64. "
    "Exit code 1: the tolerance, or the end of the iterations, was not reached.";

enum { KEY_METHOD = 0x4001, KEY_ITERATIONS };

static const struct argp_option option_list[] = {
    {"out", 'o', "PREFIX", 0, "write the factors to PREFIX.*.npy", 0},
    {"rank", 'r', "N[,N...]", 0,
     "largest rank: one number, or one for each mode (tucker) or boundary (tt)", 0},
    {"tolerance", 't', "E", 0,
     "the least ranks whose error is at most this; cp: it ends when the error changes by no more",
     0},
    {"method", KEY_METHOD, "NAME", 0,
     "svd: auto (default), direct, randomized; tucker: st-hosvd (default), hosvd, hooi; cp, its "
     "start: random (default), hosvd",
     0},
    {"iterations", KEY_ITERATIONS, "N", 0, "most iterations of cp and hooi", 0},
    {0}};

typedef enum kind { SVD, CP, TUCKER, TT, KINDS } kind;
static const char *const kind_names[KINDS] = {"svd", "cp", "tucker", "tt"};

typedef struct settings {
    gm_cli_options common;
    const char *kind_name, *file, *out, *method_name;
    kind kind;
    int method;
    int64_t rank[GM_MAX_DIMS], iterations;
    int32_t ranks; /* given: 0 none */
    double tolerance;
} settings;

/* ---- arguments ------------------------------------------------------------------------------- */

static int find_name(const struct argp_state *state, const char *option, const char *text,
                     const char *const *names, int count) {
    for (int i = 0; i < count; ++i) {
        if (names[i] != NULL && strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    argp_error(state, "%s '%s': not one of those there are", option, text);
    return 0;
}

static void parse_ranks(const struct argp_state *state, char *text, settings *s) {
    s->ranks = 0;
    for (char *next; text != NULL; text = next) {
        next = strchr(text, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (s->ranks == GM_MAX_DIMS) {
            argp_error(state, "--rank: more than %d numbers", GM_MAX_DIMS);
            return;
        }
        s->rank[s->ranks++] = gm_cli_parse_integer(state, "rank", text, 1, 16384);
    }
}

static void check_settings(const struct argp_state *state, settings *s) {
    static const char *const methods[KINDS][3] = {{"auto", "direct", "randomized"},
                                                  {"random", "hosvd", NULL},
                                                  {"st-hosvd", "hosvd", "hooi"},
                                                  {NULL, NULL, NULL}};
    if (s->file == NULL) {
        argp_error(state, "svd, cp, tucker or tt and a file are needed");
        return;
    }
    s->kind = (kind)find_name(state, "decomposition", s->kind_name, kind_names, KINDS);
    if (s->method_name != NULL) {
        s->method = find_name(state, "--method", s->method_name, methods[s->kind], 3);
    }
    if (s->ranks == 0 && (s->kind == CP || s->tolerance == 0)) {
        argp_error(state, s->kind == CP ? "cp needs --rank" : "--rank or --tolerance is needed");
    } else if (s->ranks > 1 && (s->kind == CP || s->kind == SVD)) {
        argp_error(state, "--rank: %s takes one number", s->kind_name);
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    settings *s = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &s->common;
        return 0;
    case 'o':
        s->out = text;
        return 0;
    case 'r':
        parse_ranks(state, text, s);
        return 0;
    case 't':
        s->tolerance = gm_cli_parse_real(state, "tolerance", text, 1e-16, 0.999);
        return 0;
    case KEY_METHOD:
        s->method_name = text;
        return 0;
    case KEY_ITERATIONS:
        s->iterations = gm_cli_parse_integer(state, "iterations", text, 1, INT64_MAX);
        return 0;
    case ARGP_KEY_ARG:
        if (s->file != NULL) {
            argp_error(state, "Too many arguments");
        } else if (s->kind_name != NULL) {
            s->file = text;
        } else {
            s->kind_name = text;
        }
        return 0;
    case ARGP_KEY_END:
        check_settings(state, s);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the work -------------------------------------------------------------------------------- */

enum { MOST_PARTS = GM_MAX_DIMS + 1 };

/* What a run holds: x and its factors in the backend's memory, and what each file is called. */
typedef struct workplace {
    gm_context *context;
    gm_tensor file, raw, x, parts[MOST_PARTS];
    char names[MOST_PARTS][16];
    int32_t count;
    gm_workspace workspace;
    gm_approximation_report report;
    double seconds;
} workplace;

static int64_t elements_of(const gm_tensor *tensor) {
    int64_t elements = 0;
    gm_tensor_elements(tensor, &elements);
    return elements;
}

static size_t bytes_of(const gm_tensor *tensor) {
    return (size_t)elements_of(tensor) * gm_dtype_size(tensor->dtype);
}

static gm_status load(const settings *s, workplace *w) {
    GM_TRY(gm_npy_load(w->context, s->file, &w->file));
    w->raw = w->file;
    w->raw.data = NULL;
    GM_TRY(gm_memory_alloc(w->context, bytes_of(&w->file), &w->raw.data));
    GM_TRY(gm_memory_upload(w->context, w->raw.data, w->file.data, bytes_of(&w->file)));
    w->x = w->raw;
    if (w->raw.dtype == GM_F64 || w->raw.dtype == GM_F32) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_tensor_view(NULL, GM_F64, w->raw.ndim, w->raw.shape, &w->x));
    GM_TRY(gm_memory_alloc(w->context, bytes_of(&w->x), &w->x.data));
    return gm_map(w->context, GM_MAP_COPY, 1, &w->raw, 0, &w->x);
}

/* A factor of the given sizes, named for its file. */
static gm_status add_part(workplace *w, const char *name, int32_t ndim, const int64_t *shape) {
    gm_tensor *part = &w->parts[w->count];
    snprintf(w->names[w->count], sizeof w->names[w->count], "%s", name);
    GM_TRY(gm_tensor_view(NULL, w->x.dtype, ndim, shape, part));
    ++w->count;
    return gm_memory_alloc(w->context, bytes_of(part), &part->data);
}

static gm_status add_numbered(workplace *w, int32_t number, int32_t ndim, const int64_t *shape) {
    char name[16];
    snprintf(name, sizeof name, "%d", (int)number);
    return add_part(w, name, ndim, shape);
}

/* The rank allowed at place k of `places`, at most `most`. */
static int64_t rank_at(const settings *s, int32_t k, int64_t most) {
    const int64_t given = s->ranks == 0 ? most : s->rank[s->ranks == 1 ? 0 : k];
    return given < most ? given : most;
}

static gm_status check_ranks(const settings *s, workplace *w, int32_t places) {
    GM_CHECK(w->context, s->ranks <= 1 || s->ranks == places, GM_STATUS_INVALID_ARGUMENT,
             "--rank has %d numbers: must be one or %d", (int)s->ranks, (int)places);
    return GM_STATUS_OK;
}

static gm_status add_train(const settings *s, workplace *w) {
    const int32_t d = w->x.ndim;
    int64_t left = 1, before = 1, behind = elements_of(&w->x);
    GM_TRY(check_ranks(s, w, d > 1 ? d - 1 : 1));
    for (int32_t k = 0; k < d; ++k) {
        const int64_t n = w->x.shape[k];
        int64_t most = 16384;
        before = before < most ? before * n : before;
        behind /= n > 0 ? n : 1;
        most = before < most ? before : most;
        most = behind < most ? behind : most;
        const int64_t right = k + 1 < d ? rank_at(s, k, most) : 1;
        GM_TRY(add_numbered(w, k, 3, (int64_t[]){left, n, right}));
        left = right;
    }
    return GM_STATUS_OK;
}

/* Memory for the factors, at the largest ranks allowed. */
static gm_status add_parts(const settings *s, workplace *w) {
    const gm_tensor *x = &w->x;
    GM_CHECK(w->context, elements_of(x) > 0 && x->ndim >= 1, GM_STATUS_INVALID_ARGUMENT,
             "%s: there is nothing to decompose", s->file);
    int64_t sizes[GM_MAX_DIMS];
    switch (s->kind) {
    case SVD: {
        GM_CHECK(w->context, x->ndim == 2, GM_STATUS_SHAPE_MISMATCH,
                 "%s has %d axes: svd takes a matrix", s->file, (int)x->ndim);
        const int64_t m = x->shape[0], n = x->shape[1], r = rank_at(s, 0, m < n ? m : n);
        GM_TRY(add_part(w, "u", 2, (int64_t[]){m, r}));
        GM_TRY(add_part(w, "s", 1, &r));
        return add_part(w, "vt", 2, (int64_t[]){r, n});
    }
    case TT:
        return add_train(s, w);
    case TUCKER:
        GM_TRY(check_ranks(s, w, x->ndim));
        for (int32_t k = 0; k < x->ndim; ++k) {
            sizes[k] = rank_at(s, k, x->shape[k]);
        }
        GM_TRY(add_part(w, "core", x->ndim, sizes));
        break;
    default:
        for (int32_t k = 0; k < x->ndim; ++k) {
            sizes[k] = s->rank[0];
        }
        GM_TRY(add_part(w, "weights", 1, sizes));
    }
    for (int32_t k = 0; k < x->ndim; ++k) {
        GM_TRY(add_numbered(w, k, 2, (int64_t[]){x->shape[k], sizes[k]}));
    }
    return GM_STATUS_OK;
}

static gm_status call(const settings *s, workplace *w) {
    gm_tensor *p = w->parts;
    const gm_svd_options svd = {
        .method = (gm_svd_method)s->method, .tolerance = s->tolerance, .seed = s->common.seed};
    const gm_cp_options cp = {.start = (gm_cp_start)s->method,
                              .tolerance = s->tolerance,
                              .max_iterations = s->iterations,
                              .seed = s->common.seed};
    const gm_tucker_options tucker = {.method = (gm_tucker_method)s->method,
                                      .tolerance = s->tolerance,
                                      .max_iterations = s->iterations};
    const gm_tt_options tt = {.tolerance = s->tolerance};
    switch (s->kind) {
    case SVD:
        return gm_svd_truncated(w->context, &svd, &w->x, &p[0], &p[1], &p[2], &w->report,
                                &w->workspace);
    case CP:
        return gm_cp_als(w->context, &cp, &w->x, w->x.ndim, &p[0], &p[1], &w->report,
                         &w->workspace);
    case TUCKER:
        return gm_tucker(w->context, &tucker, &w->x, &p[0], &p[1], &w->report, &w->workspace);
    default:
        return gm_tt_svd(w->context, &tt, &w->x, p, &w->report, &w->workspace);
    }
}

/* The outputs of gm_svd_truncated have zeros beyond the rank that was found: views without them. */
static void cut(const settings *s, workplace *w) {
    if (s->kind == SVD && w->report.rank > 0) {
        w->parts[0].shape[1] = w->parts[1].shape[0] = w->parts[2].shape[0] = w->report.rank;
    }
}

static gm_status decompose(const settings *s, workplace *w) {
    GM_TRY(call(s, w));
    GM_TRY(gm_memory_alloc(w->context, w->workspace.bytes, &w->workspace.data));
    const double start = gm_cli_seconds();
    GM_TRY(call(s, w));
    w->seconds = gm_cli_seconds() - start;
    GM_CHECK(w->context, w->report.status != GM_STATUS_NON_FINITE, GM_STATUS_NON_FINITE,
             "%s holds an infinity or a NaN", s->file);
    cut(s, w);
    return GM_STATUS_OK;
}

/* The bytes of a view with rows that may be wider than what is kept of them. */
static size_t span_of(const gm_tensor *t) {
    int64_t last = 0;
    for (int32_t axis = 0; axis < t->ndim; ++axis) {
        last += (t->shape[axis] - 1) * t->stride[axis];
    }
    return (size_t)(last + 1) * gm_dtype_size(t->dtype);
}

static gm_status save(const settings *s, workplace *w) {
    for (int32_t i = 0; i < w->count && s->out != NULL; ++i) {
        char path[4096];
        const int length = snprintf(path, sizeof path, "%s.%s.npy", s->out, w->names[i]);
        GM_CHECK(w->context, length < (int)sizeof path, GM_STATUS_INVALID_ARGUMENT,
                 "the name of a file would be too long");
        gm_tensor host = w->parts[i];
        const size_t bytes = span_of(&host);
        host.data = malloc(bytes);
        GM_CHECK(w->context, host.data != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a factor");
        gm_status status = gm_memory_download(w->context, host.data, w->parts[i].data, bytes);
        status = status == GM_STATUS_OK ? gm_npy_save(w->context, path, &host) : status;
        free(host.data);
        GM_TRY(status);
    }
    return GM_STATUS_OK;
}

static void close_workplace(workplace *w) {
    for (int32_t i = 0; i < w->count; ++i) {
        gm_memory_free(w->context, w->parts[i].data);
    }
    if (w->x.data != w->raw.data) {
        gm_memory_free(w->context, w->x.data);
    }
    gm_memory_free(w->context, w->raw.data);
    gm_memory_free(w->context, w->workspace.data);
    gm_npy_free(&w->file);
}

/* ---- what is printed ------------------------------------------------------------------------- */

static int64_t numbers_of(const workplace *w) {
    int64_t numbers = 0;
    for (int32_t i = 0; i < w->count; ++i) {
        numbers += elements_of(&w->parts[i]);
    }
    return numbers;
}

static void print_shape(const gm_tensor *t) {
    printf("(");
    for (int32_t axis = 0; axis < t->ndim; ++axis) {
        printf("%s%" PRId64, axis > 0 ? ", " : "", t->shape[axis]);
    }
    printf(")");
}

static void print_text(const settings *s, const workplace *w) {
    printf("%s: %s ", s->kind_name, gm_dtype_name(w->x.dtype));
    print_shape(&w->x);
    printf(", error %.6g", w->report.error);
    if (w->report.iterations > 0) {
        printf(" after %" PRId64 " iterations", w->report.iterations);
    }
    printf(", %" PRId64 " numbers for %" PRId64 ", in %.3g s on %s\n", numbers_of(w),
           elements_of(&w->x), w->seconds, gm_context_backend_name(w->context));
    for (int32_t i = 0; i < w->count; ++i) {
        printf("  %-7s ", w->names[i]);
        print_shape(&w->parts[i]);
        printf("\n");
    }
}

static int print_json(const settings *s, const workplace *w) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "decomposition", s->kind_name);
    cJSON_AddStringToObject(root, "backend", gm_context_backend_name(w->context));
    cJSON_AddStringToObject(root, "dtype", gm_dtype_name(w->x.dtype));
    cJSON_AddStringToObject(root, "status", gm_status_name(w->report.status));
    cJSON_AddNumberToObject(root, "error", w->report.error);
    cJSON_AddNumberToObject(root, "norm", w->report.norm);
    cJSON_AddNumberToObject(root, "iterations", (double)w->report.iterations);
    cJSON_AddNumberToObject(root, "numbers", (double)numbers_of(w));
    cJSON_AddNumberToObject(root, "elements", (double)elements_of(&w->x));
    cJSON_AddNumberToObject(root, "seconds", w->seconds);
    cJSON *factors = cJSON_AddObjectToObject(root, "factors");
    for (int32_t i = 0; i < w->count; ++i) {
        cJSON *shape = cJSON_AddArrayToObject(factors, w->names[i]);
        for (int32_t axis = 0; axis < w->parts[i].ndim; ++axis) {
            cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)w->parts[i].shape[axis]));
        }
    }
    return gm_cli_print_json(root);
}

static int run(const settings *s, workplace *w) {
    gm_status status = load(s, w);
    if (status != GM_STATUS_OK) {
        return gm_cli_fail(w->context, status, "reading the array");
    }
    status = add_parts(s, w);
    status = status == GM_STATUS_OK ? decompose(s, w) : status;
    if (status != GM_STATUS_OK) {
        return gm_cli_fail(w->context, status, "decomposing");
    }
    status = save(s, w);
    if (status != GM_STATUS_OK) {
        return gm_cli_fail(w->context, status, "writing the factors");
    }
    int code = GM_EXIT_OK;
    if (s->common.json) {
        code = print_json(s, w);
    } else {
        print_text(s, w);
    }
    if (w->report.status != GM_STATUS_OK) {
        gm_cli_error("not converged: the error is %.6g", w->report.error);
        code = code == GM_EXIT_OK ? GM_EXIT_VERIFICATION_FAILED : code;
    }
    return code;
}

int gm_cli_decompose(int argc, char **argv) {
    static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
    static const struct argp parser = {.options = option_list,
                                       .parser = parse,
                                       .args_doc = "svd|cp|tucker|tt FILE",
                                       .doc = documentation,
                                       .children = children};
    settings s = {.kind_name = NULL};
    gm_cli_parse(&parser, argc, argv, &s);
    static workplace w;
    w.context = gm_cli_context(&s.common);
    if (w.context == NULL) {
        return GM_EXIT_FAILURE;
    }
    const int code = run(&s, &w);
    close_workplace(&w);
    gm_context_destroy(w.context);
    return code;
}

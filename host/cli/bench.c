/* genmath bench: the machine's ceilings, then each case verified, timed and set against them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/bench.h"
#include "host/cli/cli.h"

#define TABLE(name) {gm_##name##_bench, &gm_##name##_bench_count},
static const struct {
    const gm_bench_case *cases;
    const int *count;
} tables[] = {GM_BENCH_LIST(TABLE)};
#undef TABLE
enum { TABLES = sizeof tables / sizeof tables[0], MOST_SAMPLES = 1000 };

typedef struct bench_options {
    gm_cli_options common;
    const char *filter;
    double seconds; /* of timing for each case */
    bool list;
} bench_options;

typedef struct measurement {
    gm_case_result check;
    gm_case_verdict verdict;
    double fastest, median; /* seconds of one run; NaN if it did not get that far */
    double percent;         /* of the ceiling, at the fastest; NaN if unknown */
    const char *ceiling;    /* "fma" or "copy"; NULL if unknown */
} measurement;

static const char *const verdict_names[] = {"PASS", "FAIL", "skip"};

static int count_cases(void) {
    int count = 0;
    for (int i = 0; i < TABLES; ++i) {
        count += *tables[i].count;
    }
    return count;
}

static const gm_bench_case *case_at(int index) {
    int table = 0;
    while (index >= *tables[table].count) {
        index -= *tables[table++].count;
    }
    return &tables[table].cases[index];
}

static void describe(const gm_bench_case *item, char *text, size_t size) {
    snprintf(text, size, "%s %s %s", item->operation, item->dtype, item->shape);
}

static bool matches(const gm_bench_case *item, const char *filter) {
    char text[256];
    describe(item, text, sizeof text);
    return filter == NULL || strstr(text, filter) != NULL;
}

/* ---- one case
 * -------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Seconds of `runs` runs, begun together and waited for once; negative if one fails. */
static double time_runs(const gm_bench_case *item, gm_context *context, void *state, int64_t runs,
                        int64_t *round) {
    const double start = gm_cli_seconds();
    for (int64_t i = 0; i < runs; ++i) {
        if (item->run(context, state, (*round)++) != GM_STATUS_OK) {
            return -1;
        }
    }
    return gm_context_synchronize(context) == GM_STATUS_OK ? gm_cli_seconds() - start : -1;
}

/*
 * A sample is as many runs as take a millisecond, so that the clock and, on a device, the launch do
 * not count; at least three samples, then until the time is used up. The first sample also warms
 * up.
 */
static gm_status time_case(const gm_bench_case *item, gm_context *context, void *state,
                           double budget, measurement *m) {
    static const double shortest = 1e-3;
    double samples[MOST_SAMPLES], once;
    int64_t round = 1, runs = 1;
    while ((once = time_runs(item, context, state, runs, &round)) >= 0 && once < shortest) {
        runs *= 2;
    }
    int count = 0;
    const double start = gm_cli_seconds();
    while (once >= 0 && count < MOST_SAMPLES && (count < 3 || gm_cli_seconds() - start < budget)) {
        once = time_runs(item, context, state, runs, &round);
        samples[count++] = once / (double)runs;
    }
    if (once < 0) {
        return GM_STATUS_INTERNAL;
    }
    qsort(samples, (size_t)count, sizeof samples[0], by_value);
    m->fastest = samples[0];
    m->median =
        count % 2 == 1 ? samples[count / 2] : (samples[count / 2 - 1] + samples[count / 2]) / 2;
    return GM_STATUS_OK;
}

/* A run cannot take less time than its arithmetic or its bytes alone would. */
static void compare_with_ceiling(const gm_bench_case *item, const gm_ceilings *ceilings,
                                 measurement *m) {
    const double flops_rate = strcmp(item->dtype, "f64") == 0 ? ceilings->f64_flops_per_second
                                                              : ceilings->f32_flops_per_second;
    const double arithmetic = flops_rate > 0 ? item->flops / flops_rate : 0;
    const double traffic =
        ceilings->copy_bytes_per_second > 0 ? item->bytes / ceilings->copy_bytes_per_second : 0;
    const double least = arithmetic > traffic ? arithmetic : traffic;
    if (least > 0) {
        m->percent = 100 * least / m->fastest;
        m->ceiling = arithmetic > traffic ? "fma" : "copy";
    }
}

static gm_status check_case(const gm_bench_case *item, gm_context *reference, gm_context *context,
                            void **state, gm_case_result *check) {
    gm_status status = item->setup(context, state);
    status = status == GM_STATUS_OK ? item->run(context, *state, 0) : status;
    status = status == GM_STATUS_OK ? gm_context_synchronize(context) : status;
    if (status == GM_STATUS_OK) {
        snprintf(check->kernel, sizeof check->kernel, "%s", gm_last_kernel(context));
        status = item->verify(reference, context, *state, check);
    }
    return status;
}

static measurement measure(const gm_bench_case *item, gm_context *reference, gm_context *context,
                           const gm_ceilings *ceilings, double budget) {
    measurement m = {.fastest = NAN, .median = NAN, .percent = NAN};
    void *state = NULL;
    gm_status status = check_case(item, reference, context, &state, &m.check);
    m.verdict = m.check.error <= m.check.bound ? GM_CASE_PASS : GM_CASE_FAIL;
    if (status == GM_STATUS_OK && m.verdict == GM_CASE_PASS) {
        status = time_case(item, context, state, budget, &m);
        if (status == GM_STATUS_OK) {
            compare_with_ceiling(item, ceilings, &m);
        }
    }
    if (status != GM_STATUS_OK) {
        m.verdict = status == GM_STATUS_UNSUPPORTED ? GM_CASE_SKIP : GM_CASE_FAIL;
        m.check.error = NAN;
        const char *reason = gm_last_error(context);
        snprintf(m.check.detail, sizeof m.check.detail, "%s: %s", gm_status_name(status),
                 reason[0] != '\0' ? reason : gm_status_string(status));
    }
    item->teardown(context, state);
    return m;
}

/* ---- output
 * ---------------------------------------------------------------------------------------- */

static void print_head(gm_context *context, const gm_ceilings *ceilings) {
    gm_device_info info;
    const bool known = gm_context_device_info(context, &info) == GM_STATUS_OK;
    printf("# %s %s on %s, %s", GM_VERSION_STRING, gm_context_backend_name(context),
           known ? info.name : "an unknown machine", known ? info.detail : "");
    if (gm_context_backend(context) == GM_BACKEND_CPU) {
        printf(", %d threads", (int)gm_context_threads(context));
    }
    putchar('\n');
    if (ceilings->copy_bytes_per_second > 0) {
        printf("# ceilings: copy %.1f GB/s, multiply-add %.1f GFLOP/s f32, %.1f GFLOP/s f64\n",
               1e-9 * ceilings->copy_bytes_per_second, 1e-9 * ceilings->f32_flops_per_second,
               1e-9 * ceilings->f64_flops_per_second);
    } else {
        printf("# ceilings: not measured on this backend\n");
    }
    printf("%-26s %-30s %-5s %-26s %10s %10s %9s %8s %12s %-11s %9s  %s\n", "operation", "kernel",
           "dtype", "shape", "min us", "median us", "GFLOP/s", "GB/s", "items/s", "% ceiling",
           "residual", "verdict");
}

static void print_number(const char *format, int width, double value) {
    if (isfinite(value) && value > 0) {
        printf(format, width, value);
    } else {
        printf(" %*s", width, "-");
    }
}

static void print_row(const gm_bench_case *item, const measurement *m) {
    printf("%-26s %-30s %-5s %-26s", item->operation, m->check.kernel, item->dtype, item->shape);
    print_number(" %*.1f", 10, 1e6 * m->fastest);
    print_number(" %*.1f", 10, 1e6 * m->median);
    print_number(" %*.1f", 9, 1e-9 * item->flops / m->fastest);
    print_number(" %*.1f", 8, 1e-9 * item->bytes / m->fastest);
    print_number(" %*.3g", 12, item->items / m->fastest);
    if (m->ceiling != NULL) {
        char share[32];
        snprintf(share, sizeof share, "%.1f %s", m->percent, m->ceiling);
        printf(" %-11s", share);
    } else {
        printf(" %-11s", "-");
    }
    if (isnan(m->check.error)) {
        printf(" %9s", "-");
    } else {
        printf(" %9.2g", m->check.error);
    }
    printf("  %s", verdict_names[m->verdict]);
    if (m->verdict == GM_CASE_FAIL && m->check.detail[0] == '\0') {
        printf("  over its bound of %g, so not timed", m->check.bound);
    } else if (m->verdict != GM_CASE_PASS) {
        printf("  %s", m->check.detail);
    } else if (item->item != NULL) {
        printf("  (items: %s)", item->item);
    }
    putchar('\n');
    fflush(stdout);
}

/* NaN: a rate of nothing is no number. */
static double rate(double amount, double seconds) {
    return amount > 0 ? amount / seconds : NAN;
}

static void add_row(cJSON *list, const gm_bench_case *item, const measurement *m) {
    cJSON *row = cJSON_CreateObject();
    cJSON_AddItemToArray(list, row);
    cJSON_AddStringToObject(row, "operation", item->operation);
    cJSON_AddStringToObject(row, "kernel", m->check.kernel);
    cJSON_AddStringToObject(row, "dtype", item->dtype);
    cJSON_AddStringToObject(row, "shape", item->shape);
    gm_cli_add_number(row, "min_seconds", m->fastest);
    gm_cli_add_number(row, "median_seconds", m->median);
    gm_cli_add_number(row, "flops_per_second", rate(item->flops, m->fastest));
    gm_cli_add_number(row, "bytes_per_second", rate(item->bytes, m->fastest));
    gm_cli_add_number(row, "items_per_second", rate(item->items, m->fastest));
    cJSON_AddStringToObject(row, "item", item->item != NULL ? item->item : "");
    gm_cli_add_number(row, "percent_of_ceiling", m->percent);
    cJSON_AddStringToObject(row, "ceiling", m->ceiling != NULL ? m->ceiling : "");
    gm_cli_add_number(row, "residual", m->check.error);
    gm_cli_add_number(row, "bound", m->check.bound);
    cJSON_AddStringToObject(row, "verdict", verdict_names[m->verdict]);
    cJSON_AddStringToObject(row, "detail", m->check.detail);
}

static cJSON *json_head(gm_context *context, const gm_ceilings *ceilings) {
    gm_device_info info = {0};
    (void)gm_context_device_info(context, &info); /* zeroes: the names stay empty */
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "version", GM_VERSION_STRING);
    cJSON_AddStringToObject(root, "backend", gm_context_backend_name(context));
    cJSON_AddStringToObject(root, "device", info.name);
    cJSON_AddStringToObject(root, "detail", info.detail);
    cJSON_AddNumberToObject(root, "threads", gm_context_threads(context));
    cJSON *object = cJSON_AddObjectToObject(root, "ceilings");
    gm_cli_add_number(object, "copy_bytes_per_second", rate(ceilings->copy_bytes_per_second, 1));
    gm_cli_add_number(object, "f32_flops_per_second", rate(ceilings->f32_flops_per_second, 1));
    gm_cli_add_number(object, "f64_flops_per_second", rate(ceilings->f64_flops_per_second, 1));
    return root;
}

/* ---- the command
 * ------------------------------------------------------------------------------------ */

static int run_cases(const bench_options *options, int selected, gm_context *reference,
                     gm_context *context) {
    gm_ceilings ceilings;
    const gm_status status = gm_ceilings_measure(context, &ceilings);
    if (status != GM_STATUS_OK) {
        return gm_cli_fail(context, status, "measuring the ceilings");
    }
    const bool json = options->common.json;
    cJSON *root = json ? json_head(context, &ceilings) : NULL;
    cJSON *list = json ? cJSON_AddArrayToObject(root, "cases") : NULL;
    if (!json) {
        print_head(context, &ceilings);
    }
    gm_progress progress;
    gm_progress_begin(&progress, options->common.quiet, "bench", "cases", selected);
    int done = 0, passed = 0, failed = 0;
    for (int i = 0; i < count_cases(); ++i) {
        const gm_bench_case *item = case_at(i);
        if (!matches(item, options->filter)) {
            continue;
        }
        const measurement m = measure(item, reference, context, &ceilings, options->seconds);
        passed += m.verdict == GM_CASE_PASS;
        failed += m.verdict == GM_CASE_FAIL;
        if (json) {
            add_row(list, item, &m);
        } else {
            gm_progress_wipe(&progress);
            print_row(item, &m);
        }
        gm_progress_update(&progress, ++done);
    }
    gm_progress_end(&progress);
    const int printed = json ? gm_cli_print_json(root) : GM_EXIT_OK;
    return printed != GM_EXIT_OK       ? printed
           : failed == 0 && passed > 0 ? GM_EXIT_OK
                                       : GM_EXIT_VERIFICATION_FAILED;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    bench_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->common;
        return 0;
    case 'f':
        options->filter = argument;
        return 0;
    case 's':
        options->seconds = gm_cli_parse_real(state, "seconds", argument, 0.001, 3600);
        return 0;
    case 'l':
        options->list = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int select_cases(const bench_options *options) {
    int selected = 0;
    for (int i = 0; i < count_cases(); ++i) {
        const bool wanted = matches(case_at(i), options->filter);
        selected += wanted;
        if (wanted && options->list) {
            char text[256];
            describe(case_at(i), text, sizeof text);
            puts(text);
        }
    }
    return selected;
}

int gm_cli_bench(int argc, char **argv) {
    static const struct argp_option own[] = {
        {"filter", 'f', "TEXT", 0, "only cases with TEXT in their operation, type and shape", 0},
        {"seconds", 's', "S", 0, "time each case for this long (default: 0.5)", 0},
        {"list", 'l', NULL, 0, "print the cases and run nothing", 0},
        {0}};
    static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
    static const struct argp parser = {
        .options = own,
        .parser = parse,
        .doc =
            "Measure what this machine can do at most, then verify each case against the reference "
            "and time it. A case that is wrong is not timed."
            "\v% ceiling is the least time that the arithmetic (fma) or the memory traffic (copy) "
            "of "
            "a case must take, whichever is more, divided by its fastest time.  Exits with 1 if a "
            "case is wrong or none could be run.",
        .children = children};
    bench_options options = {.seconds = 0.5};
    gm_cli_parse(&parser, argc, argv, &options);

    const int selected = select_cases(&options);
    if (selected == 0) {
        gm_cli_error("no case has '%s' in it: 'genmath bench --list' lists them",
                     options.filter != NULL ? options.filter : "");
        return GM_EXIT_VERIFICATION_FAILED;
    }
    if (options.list) {
        return GM_EXIT_OK;
    }
    gm_context *context = gm_cli_context(&options.common);
    if (gm_context_backend(context) == GM_BACKEND_EMU) {
        gm_cli_error(
            "emu shows whether kernels are right, not how fast they are: 'genmath verify'");
        gm_context_destroy(context);
        return GM_EXIT_USAGE;
    }
    const gm_cli_options ref = {.backend = GM_BACKEND_REF};
    gm_context *reference = context != NULL ? gm_cli_context(&ref) : NULL;
    const int code =
        reference != NULL ? run_cases(&options, selected, reference, context) : GM_EXIT_FAILURE;
    gm_context_destroy(reference);
    gm_context_destroy(context);
    return code;
}

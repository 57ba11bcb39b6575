/* genmath verify: every conformance case on one backend, against the reference. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cases.h"
#include "host/cli/cli.h"

typedef struct verify_options {
    gm_cli_options common;
    const char *filter;
    bool list;
} verify_options;

typedef struct tally {
    int passed, failed, skipped;
} tally;

static const char *const verdict_names[] = {"PASS", "FAIL", "skip"};

/* emu runs the threads of a block in the order that this variable of its own names. */
static const char *emu_schedule(void) {
    const char *schedule = getenv("GENMATH_EMU_SCHEDULE");
    return schedule != NULL && schedule[0] != '\0' ? schedule : "forward";
}

static bool matches(const gm_case *item, const char *filter) {
    return filter == NULL || strstr(item->name, filter) != NULL;
}

static void print_head(const gm_context *subject) {
    printf("# subject %s", gm_context_backend_name(subject));
    if (gm_context_backend(subject) == GM_BACKEND_CPU) {
        printf(", %s, %d threads", gm_isa_name(gm_context_isa(subject)),
               (int)gm_context_threads(subject));
    } else if (gm_context_backend(subject) == GM_BACKEND_EMU) {
        printf(", schedule %s", emu_schedule());
    }
    printf("; reference ref; a case passes if error <= bound\n");
    printf("%-44s %-34s %10s %10s %s\n", "case", "kernel", "error", "bound", "verdict");
}

static void print_row(const gm_case *item, const gm_case_result *result, gm_case_verdict verdict) {
    printf("%-44s %-34s ", item->name, result->kernel[0] != '\0' ? result->kernel : "-");
    if (isnan(result->error)) {
        printf("%10s %10s", "-", "-");
    } else {
        printf("%10.3g %10.3g", result->error, result->bound);
    }
    printf(" %s", verdict_names[verdict]);
    if (verdict != GM_CASE_PASS && result->detail[0] != '\0') {
        printf("  %s", result->detail);
    }
    putchar('\n');
    fflush(stdout); /* a case that crashes must not take the rows before it along */
}

static void add_json(cJSON *cases, const gm_case *item, const gm_case_result *result,
                     gm_case_verdict verdict) {
    cJSON *row = cJSON_CreateObject();
    cJSON_AddItemToArray(cases, row);
    cJSON_AddStringToObject(row, "case", item->name);
    cJSON_AddStringToObject(row, "kernel", result->kernel);
    gm_cli_add_number(row, "error", result->error);
    gm_cli_add_number(row, "bound", result->bound);
    cJSON_AddStringToObject(row, "verdict", verdict_names[verdict]);
    cJSON_AddStringToObject(row, "detail", result->detail);
}

static void count(tally *totals, gm_case_verdict verdict) {
    ++*(verdict == GM_CASE_PASS   ? &totals->passed
        : verdict == GM_CASE_FAIL ? &totals->failed
                                  : &totals->skipped);
}

static tally run_cases(const verify_options *options, int selected, gm_context *reference,
                       gm_context *subject, cJSON *cases) {
    tally totals = {0};
    gm_progress progress;
    int done = 0;
    gm_progress_begin(&progress, options->common.quiet, "verify", "cases", selected);
    for (int i = 0; i < gm_case_count(); ++i) {
        const gm_case *item = gm_case_at(i);
        if (!matches(item, options->filter)) {
            continue;
        }
        gm_case_result result;
        const gm_case_verdict verdict = gm_case_judge(item, reference, subject, &result);
        count(&totals, verdict);
        if (cases != NULL) {
            add_json(cases, item, &result, verdict);
        } else {
            gm_progress_wipe(&progress);
            print_row(item, &result, verdict);
        }
        gm_progress_update(&progress, ++done);
    }
    gm_progress_end(&progress);
    return totals;
}

static int exit_code(const tally *totals) {
    return totals->failed == 0 && totals->passed > 0 ? GM_EXIT_OK : GM_EXIT_VERIFICATION_FAILED;
}

static int report(const verify_options *options, int selected, gm_context *reference,
                  gm_context *subject) {
    if (!options->common.json) {
        print_head(subject);
        const tally totals = run_cases(options, selected, reference, subject, NULL);
        printf("# %d passed, %d failed, %d skipped\n", totals.passed, totals.failed,
               totals.skipped);
        return exit_code(&totals);
    }
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "version", GM_VERSION_STRING);
    cJSON_AddStringToObject(root, "backend", gm_context_backend_name(subject));
    if (gm_context_backend(subject) == GM_BACKEND_CPU) {
        cJSON_AddStringToObject(root, "isa", gm_isa_name(gm_context_isa(subject)));
        cJSON_AddNumberToObject(root, "threads", gm_context_threads(subject));
    } else if (gm_context_backend(subject) == GM_BACKEND_EMU) {
        cJSON_AddStringToObject(root, "schedule", emu_schedule());
    }
    cJSON *cases = cJSON_AddArrayToObject(root, "cases");
    const tally totals = run_cases(options, selected, reference, subject, cases);
    cJSON_AddNumberToObject(root, "passed", totals.passed);
    cJSON_AddNumberToObject(root, "failed", totals.failed);
    cJSON_AddNumberToObject(root, "skipped", totals.skipped);
    const int printed = gm_cli_print_json(root);
    return printed != GM_EXIT_OK ? printed : exit_code(&totals);
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    verify_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->common;
        return 0;
    case 'f':
        options->filter = argument;
        return 0;
    case 'l':
        options->list = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int gm_cli_verify(int argc, char **argv) {
    static const struct argp_option own[] = {
        {"filter", 'f', "TEXT", 0, "only the cases whose name contains TEXT", 0},
        {"list", 'l', NULL, 0, "print the names of the cases and run nothing", 0},
        {0}};
    static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
    static const struct argp parser = {
        .options = own,
        .parser = parse,
        .doc =
            "Run every operation on a backend and on the reference, and print for each case the "
            "kernel that ran, how far the results are apart, how far they may be, and the verdict."
            "\vExits with 1 if a case fails or no case could be run."
            "  GENMATH_EMU_SCHEDULE in the environment sets the order in which emu runs threads.",
        .children = children};
    verify_options options = {0};
    gm_cli_parse(&parser, argc, argv, &options);

    int selected = 0;
    for (int i = 0; i < gm_case_count(); ++i) {
        const bool wanted = matches(gm_case_at(i), options.filter);
        selected += wanted;
        if (wanted && options.list) {
            puts(gm_case_at(i)->name);
        }
    }
    if (selected == 0) {
        gm_cli_error("no case has '%s' in its name: 'genmath verify --list' lists them",
                     options.filter != NULL ? options.filter : "");
        return GM_EXIT_VERIFICATION_FAILED;
    }
    if (options.list) {
        return GM_EXIT_OK;
    }
    gm_context *subject = gm_cli_context(&options.common);
    const gm_cli_options ref = {.backend = GM_BACKEND_REF};
    gm_context *reference = subject != NULL ? gm_cli_context(&ref) : NULL;
    const int code =
        reference != NULL ? report(&options, selected, reference, subject) : GM_EXIT_FAILURE;
    gm_context_destroy(reference);
    gm_context_destroy(subject);
    return code;
}

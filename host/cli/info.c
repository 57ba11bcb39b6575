/* genmath info: the version, and for every backend what it is or why it is not there. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/internal.h"

typedef struct backend_report {
    const char *name;
    gm_backend_id id;
    bool available;
    char reason[512]; /* why not */
    gm_device_info device;
    char build[256];
    char module[1024]; /* the file of cuda and emu */
    const char *isa;
    int32_t threads;
} backend_report;

static const struct {
    const char *name;
    gm_backend_id id;
} backends[] = {{"ref", GM_BACKEND_REF},
                {"cpu", GM_BACKEND_CPU},
                {"cuda", GM_BACKEND_CUDA},
                {"emu", GM_BACKEND_EMU}};
enum { BACKENDS = sizeof backends / sizeof backends[0] };

static bool is_module(const backend_report *report) {
    return report->id == GM_BACKEND_CUDA || report->id == GM_BACKEND_EMU;
}

static void inspect(const gm_cli_options *options, int index, backend_report *report) {
    const gm_context_options wanted = {.backend = backends[index].id,
                                       .isa = options->isa,
                                       .threads = options->threads,
                                       .device = options->device};
    *report = (backend_report){.name = backends[index].name, .id = backends[index].id};
    gm_context *context;
    if (gm_context_create(&wanted, &context) != GM_STATUS_OK) {
        snprintf(report->reason, sizeof report->reason, "%s", gm_last_error(NULL));
        return;
    }
    if (gm_context_device_info(context, &report->device) == GM_STATUS_OK) {
        report->available = true;
        report->isa = gm_isa_name(gm_context_isa(context));
        report->threads = gm_context_threads(context);
        const char *build =
            context->backend->build_info != NULL ? context->backend->build_info() : "";
        snprintf(report->build, sizeof report->build, "%s", build);
        Dl_info file;
        if (is_module(report) && dladdr(context->backend, &file) != 0) {
            snprintf(report->module, sizeof report->module, "%s", file.dli_fname);
        }
    } else {
        snprintf(report->reason, sizeof report->reason, "%s", gm_last_error(context));
    }
    gm_context_destroy(context);
}

static void print_text(const backend_report *reports, const char *chosen) {
    printf("genmath %s\n", GM_VERSION_STRING);
    printf("chosen without --backend: %s\n", chosen);
    for (int i = 0; i < BACKENDS; ++i) {
        const backend_report *r = &reports[i];
        if (!r->available) {
            printf("\n%-5s not available: %s\n", r->name, r->reason);
            continue;
        }
        printf("\n%-5s %s, %.1f GiB\n", r->name, r->device.name,
               (double)r->device.memory_bytes / 1073741824.0);
        if (r->id == GM_BACKEND_REF) {
            printf("      the oracle: plain C, one thread\n");
        } else {
            printf("      %s, %d %s\n", r->device.detail, (int)r->device.processors,
                   is_module(r) ? "multiprocessors" : "threads");
        }
        if (is_module(r)) {
            printf("      module %s\n", r->module);
        }
        printf("      built with %s\n", r->build);
    }
}

static int print_json(const backend_report *reports, const char *chosen) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "version", GM_VERSION_STRING);
    cJSON_AddStringToObject(root, "chosen", chosen);
    cJSON *list = cJSON_AddArrayToObject(root, "backends");
    for (int i = 0; i < BACKENDS; ++i) {
        const backend_report *r = &reports[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(list, item);
        cJSON_AddStringToObject(item, "name", r->name);
        cJSON_AddBoolToObject(item, "available", r->available);
        if (!r->available) {
            cJSON_AddStringToObject(item, "reason", r->reason);
            continue;
        }
        cJSON_AddStringToObject(item, "device", r->device.name);
        cJSON_AddStringToObject(item, "detail", r->device.detail);
        cJSON_AddNumberToObject(item, "processors", r->device.processors);
        cJSON_AddNumberToObject(item, "memory_bytes", (double)r->device.memory_bytes);
        cJSON_AddStringToObject(item, "build", r->build);
        if (is_module(r)) {
            cJSON_AddStringToObject(item, "module", r->module);
        } else if (r->id == GM_BACKEND_CPU) {
            cJSON_AddStringToObject(item, "isa", r->isa);
            cJSON_AddNumberToObject(item, "threads", r->threads);
        }
    }
    return gm_cli_print_json(root);
}

/* A broken environment is worth reporting, and no reason to hide what does work. */
static void find_chosen(const gm_cli_options *options, char *chosen, size_t size) {
    const gm_context_options wanted = {.isa = options->isa, .device = options->device};
    gm_context *context;
    if (gm_context_create(&wanted, &context) == GM_STATUS_OK) {
        snprintf(chosen, size, "%s", gm_context_backend_name(context));
        gm_context_destroy(context);
    } else {
        snprintf(chosen, size, "none: %s", gm_last_error(NULL));
    }
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    (void)argument;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = state->input;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

int gm_cli_info(int argc, char **argv) {
    static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
    static const struct argp parser = {
        .parser = parse,
        .doc =
            "What this build and this machine have: the version, and for each backend the device, "
            "its properties and what the kernels were built for, or why it is not available.",
        .children = children};
    gm_cli_options options = {0};
    gm_cli_parse(&parser, argc, argv, &options);

    backend_report reports[BACKENDS];
    char chosen[600];
    int available = 0;
    for (int i = 0; i < BACKENDS; ++i) {
        inspect(&options, i, &reports[i]);
        available += reports[i].available;
        if (options.backend == reports[i].id && !reports[i].available) {
            gm_cli_error("%s", reports[i].reason);
            return GM_EXIT_FAILURE;
        }
    }
    find_chosen(&options, chosen, sizeof chosen);
    if (available == 0) {
        gm_cli_error("%s", reports[0].reason);
        return GM_EXIT_FAILURE;
    }
    if (options.json) {
        return print_json(reports, chosen);
    }
    print_text(reports, chosen);
    return GM_EXIT_OK;
}

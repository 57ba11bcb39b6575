/* The common options, messages and JSON output of the commands. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/cli/cli.h"

enum { KEY_THREADS = 0x1001, KEY_DEVICE, KEY_SEED, KEY_JSON };

static const struct argp_option common_options[] = {
    {"backend", 'b', "NAME", 0,
     "auto, ref, cpu, cuda or emu (default: $GENMATH_BACKEND, else cuda if usable, else cpu)", 0},
    {"isa", 'i', "NAME", 0,
     "vector instructions of cpu: auto, base, avx2 or avx512 (default: $GENMATH_ISA, else the "
     "best)",
     0},
    {"threads", KEY_THREADS, "N", 0, "threads of cpu (default: one for each processor)", 0},
    {"device", KEY_DEVICE, "N", 0, "ordinal of the CUDA device (default: 0)", 0},
    {"seed", KEY_SEED, "N", 0, "seed of everything random (default: 0)", 0},
    {"json", KEY_JSON, NULL, 0, "print one JSON value to standard output", 0},
    {"quiet", 'q', NULL, 0, "no progress line", 0},
    {0}};

int gm_cli_parse_name(const struct argp_state *state, const char *option, const char *text,
                      const char *const *names, int count) {
    for (int i = 0; i < count; ++i) {
        if (strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    argp_error(state, "--%s '%s': not one of those there are", option, text);
    return 0;
}

int64_t gm_cli_parse_integer(const struct argp_state *state, const char *option, const char *text,
                             int64_t low, int64_t high) {
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < low || value > high) {
        argp_error(state, "--%s '%s': must be a whole number from %lld to %lld", option, text,
                   (long long)low, (long long)high);
    }
    return value;
}

double gm_cli_parse_real(const struct argp_state *state, const char *option, const char *text,
                         double low, double high) {
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= low && value <= high)) {
        argp_error(state, "--%s '%s': must be a number from %g to %g", option, text, low, high);
    }
    return value;
}

/* All 64 bits are a seed, so a sign is refused rather than wrapped. */
static uint64_t parse_seed(const struct argp_state *state, const char *text) {
    char *end;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 0);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0) {
        argp_error(state, "--seed '%s': must be a whole number from 0 to 2^64 - 1", text);
    }
    return value;
}

static error_t parse_common(int key, char *argument, struct argp_state *state) {
    static const char *const backends[] = {"auto", "ref", "cpu", "cuda", "emu"};
    static const char *const isas[] = {"auto", "base", "avx2", "avx512"};
    gm_cli_options *options = state->input;
    switch (key) {
    case 'b':
        options->backend =
            (gm_backend_id)gm_cli_parse_name(state, "backend", argument, backends, 5);
        return 0;
    case 'i':
        options->isa = (gm_isa)gm_cli_parse_name(state, "isa", argument, isas, 4);
        return 0;
    case KEY_THREADS:
        options->threads = (int32_t)gm_cli_parse_integer(state, "threads", argument, 1, 4096);
        return 0;
    case KEY_DEVICE:
        options->device = (int32_t)gm_cli_parse_integer(state, "device", argument, 0, INT32_MAX);
        return 0;
    case KEY_SEED:
        options->seed = parse_seed(state, argument);
        return 0;
    case KEY_JSON:
        options->json = true;
        return 0;
    case 'q':
        options->quiet = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp gm_cli_common_argp = {.options = common_options, .parser = parse_common};

void gm_cli_parse(const struct argp *parser, int argc, char **argv, void *input) {
    argp_err_exit_status = GM_EXIT_USAGE;
    const error_t error = argp_parse(parser, argc, argv, 0, NULL, input);
    if (error != 0) {
        gm_cli_error("%s", strerror(error));
        exit(GM_EXIT_FAILURE);
    }
}

gm_context *gm_cli_context(const gm_cli_options *options) {
    const gm_context_options wanted = {.backend = options->backend,
                                       .isa = options->isa,
                                       .threads = options->threads,
                                       .device = options->device};
    gm_context *context;
    if (gm_context_create(&wanted, &context) != GM_STATUS_OK) {
        gm_cli_error("%s", gm_last_error(NULL));
    }
    return context;
}

void gm_cli_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("genmath: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

int gm_cli_fail(const gm_context *context, gm_status status, const char *doing) {
    const char *reason = gm_last_error(context);
    gm_cli_error("%s: %s%s%s", doing, gm_status_string(status), reason[0] != '\0' ? ": " : "",
                 reason);
    return GM_EXIT_FAILURE;
}

int gm_cli_print_json(cJSON *value) {
    char *text = value != NULL ? cJSON_Print(value) : NULL;
    cJSON_Delete(value);
    if (text == NULL) {
        gm_cli_error("no memory for the output");
        return GM_EXIT_FAILURE;
    }
    puts(text);
    cJSON_free(text);
    return GM_EXIT_OK;
}

void gm_cli_add_number(cJSON *object, const char *name, double value) {
    if (isfinite(value)) {
        cJSON_AddNumberToObject(object, name, value);
    } else {
        cJSON_AddNullToObject(object, name);
    }
}

double gm_cli_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

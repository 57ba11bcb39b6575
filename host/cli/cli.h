/*
 * What the sub-commands of the program share: their table, the options all of them take, exit
 * codes, messages and the progress line. Results go to standard output; everything else to standard
 * error.
 */
#ifndef GENMATH_HOST_CLI_H
#define GENMATH_HOST_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include <genmath/context.h>

/* Exit codes of every command. */
enum {
    GM_EXIT_OK = 0,
    GM_EXIT_VERIFICATION_FAILED = 1, /* the command ran and a result is not what it must be */
    GM_EXIT_USAGE = 2,               /* a bad option or argument */
    GM_EXIT_FAILURE = 3              /* the command could not run: no device, no memory, no file */
};

/* A sub-command. run gets argv[0] = "genmath <name>" and returns an exit code. */
typedef struct gm_command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} gm_command;

int gm_cli_info(int argc, char **argv);
int gm_cli_verify(int argc, char **argv);
int gm_cli_bench(int argc, char **argv);
int gm_cli_contract(int argc, char **argv);
int gm_cli_decompose(int argc, char **argv);
int gm_cli_sample(int argc, char **argv);
int gm_cli_noise(int argc, char **argv);
int gm_cli_chain(int argc, char **argv);

/* --backend, --isa, --threads, --device, --seed, --json and --quiet. */
typedef struct gm_cli_options {
    gm_backend_id backend; /* AUTO if not given */
    gm_isa isa;            /* AUTO if not given */
    int32_t threads;       /* 0 if not given */
    int32_t device;
    uint64_t seed;
    bool json, quiet;
} gm_cli_options;

/*
 * The parser of the common options. A command lists it as a child of its own parser,
 *     static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
 * and on ARGP_KEY_INIT sets state->child_inputs[0] to its gm_cli_options, zeroed beforehand.
 */
extern const struct argp gm_cli_common_argp;
#define GM_CLI_COMMON_CHILD                                                                        \
    { &gm_cli_common_argp, 0, "Options of every command:", 100 }

/*
 * Parses the arguments of a command; --help prints to standard output and exits with 0, a bad
 * option or argument prints to standard error and exits with 2.
 */
void gm_cli_parse(const struct argp *parser, int argc, char **argv, void *input);

/* The number of a name among those there are, else an argp error. */
int gm_cli_parse_name(const struct argp_state *state, const char *option, const char *text,
                      const char *const *names, int count);

/* The whole of text as a number in low .. high, else argp_error, which exits with 2. */
int64_t gm_cli_parse_integer(const struct argp_state *state, const char *option, const char *text,
                             int64_t low, int64_t high);
double gm_cli_parse_real(const struct argp_state *state, const char *option, const char *text,
                         double low, double high);

/* Makes the context the options ask for; NULL, with the reason printed, if it cannot be had. */
gm_context *gm_cli_context(const gm_cli_options *options);

/* Prints "genmath: " and the message to standard error. */
void gm_cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints why an operation of the context failed; returns GM_EXIT_FAILURE. */
int gm_cli_fail(const gm_context *context, gm_status status, const char *doing);

/* Prints a JSON value to standard output and deletes it; returns GM_EXIT_OK or GM_EXIT_FAILURE. */
int gm_cli_print_json(cJSON *value);

/* JSON has neither NaN nor infinity: they are null. */
void gm_cli_add_number(cJSON *object, const char *name, double value);

/* Seconds on a clock that never goes back. */
double gm_cli_seconds(void);

/*
 * A line on standard error, rewritten in place, with the share done, the rate and the time left.
 * Nothing is printed if standard error is not a terminal, or quiet, or within the first half
 * second.
 */
typedef struct gm_progress {
    const char *title, *unit;
    int64_t total, done;
    double start, shown;
    bool active;
} gm_progress;

void gm_progress_begin(gm_progress *progress, bool quiet, const char *title, const char *unit,
                       int64_t total);
void gm_progress_update(gm_progress *progress, int64_t done);
void gm_progress_wipe(const gm_progress *progress); /* before anything else goes to the terminal */
void gm_progress_end(gm_progress *progress);        /* wipes the line */

#endif

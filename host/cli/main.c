/*
 * genmath: the program. The first argument names a command; each has its own options and --help.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/cli.h"

static const gm_command commands[] = {
    {"info", "what this build and this machine have", gm_cli_info},
    {"verify", "run every operation against the reference and say how far apart they are",
     gm_cli_verify},
    {"bench", "verify, then time the operations and set them against this machine's ceilings",
     gm_cli_bench},
    {"contract", "contract arrays by an einsum expression, in the best order", gm_cli_contract},
    {"decompose", "replace an array by factors of low rank: SVD, CP, Tucker, tensor train",
     gm_cli_decompose},
    {"sample", "draw new images from a folder or array of examples, by reverse diffusion",
     gm_cli_sample},
    {"noise", "write random words to standard output, for batteries such as dieharder",
     gm_cli_noise},
    {"chain", "run Markov chains of a ready-made model, many at a time", gm_cli_chain},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const gm_command *find_command(const char *name) {
    for (int i = 0; i < COMMANDS; ++i) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static void print_usage(FILE *stream) {
    fprintf(stream, "Usage: genmath COMMAND [OPTION...]\n"
                    "The mathematics of generative AI, verified against its own reference.\n\n"
                    "Commands:\n");
    for (int i = 0; i < COMMANDS; ++i) {
        fprintf(stream, "  %-9s %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(stream,
            "\n  genmath help COMMAND    the options of a command\n"
            "  genmath --version       the version\n\n"
            "Exit codes: %d success, %d a result is wrong, %d a bad option, %d a failure.\n",
            GM_EXIT_OK, GM_EXIT_VERIFICATION_FAILED, GM_EXIT_USAGE, GM_EXIT_FAILURE);
}

/* The number of insertions, deletions and substitutions that turn a into b. Both are short. */
static int edit_distance(const char *a, const char *b) {
    enum { LONGEST = 32 };
    int row[LONGEST + 1];
    const int length = (int)strnlen(b, LONGEST);
    for (int j = 0; j <= length; ++j) {
        row[j] = j;
    }
    for (int i = 0; a[i] != '\0' && i < LONGEST; ++i) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 1; j <= length; ++j) {
            const int substitution = diagonal + (a[i] != b[j - 1]);
            const int gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = substitution < gap ? substitution : gap;
        }
    }
    return row[length];
}

static int unknown_command(const char *name) {
    const char *nearest = NULL;
    int best = 3;
    for (int i = 0; i < COMMANDS; ++i) {
        const int distance = edit_distance(name, commands[i].name);
        if (distance < best) {
            best = distance;
            nearest = commands[i].name;
        }
    }
    if (nearest != NULL) {
        gm_cli_error("no command '%s': did you mean '%s'?", name, nearest);
    } else {
        gm_cli_error("no command '%s': 'genmath --help' lists them", name);
    }
    return GM_EXIT_USAGE;
}

static int run_command(const gm_command *command, int argc, char **argv) {
    /* argp prints argv[0] in its messages, so the command's full name goes there. */
    char name[64];
    snprintf(name, sizeof name, "genmath %s", command->name);
    argv[0] = name;
    return command->run(argc, argv);
}

/* names: a command and, of one that has models, a model, up to NULL. */
static int help(char **names) {
    if (names[0] == NULL) {
        print_usage(stdout);
        return GM_EXIT_OK;
    }
    const gm_command *command = find_command(names[0]);
    if (command == NULL) {
        return unknown_command(names[0]);
    }
    char option[] = "--help";
    char *arguments[] = {names[0], names[1] != NULL ? names[1] : option, option, NULL};
    return run_command(command, names[1] != NULL ? 3 : 2, arguments);
}

/* Results that could not be written must not look like success, whatever path leads to the exit. */
static void check_output(void) {
    const int closed = fflush(stdout) != 0 || ferror(stdout);
    if (closed) {
        gm_cli_error("standard output cannot be written: %s", strerror(errno));
        _exit(GM_EXIT_FAILURE);
    }
}

/* A closed standard descriptor would be taken by the next file opened, and output would go there.
 */
static void occupy_standard_descriptors(void) {
    for (int descriptor = 0; descriptor <= 2; ++descriptor) {
        if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != descriptor) {
            _exit(GM_EXIT_FAILURE);
        }
    }
}

int main(int argc, char **argv) {
    occupy_standard_descriptors();
    if (atexit(check_output) != 0) {
        return GM_EXIT_FAILURE;
    }
    if (argc < 2) {
        print_usage(stderr);
        return GM_EXIT_USAGE;
    }
    const char *first = argv[1];
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "-?") == 0 ||
        strcmp(first, "help") == 0) {
        return help(argv + 2);
    }
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
        printf("genmath %s\n", GM_VERSION_STRING);
        return GM_EXIT_OK;
    }
    if (first[0] == '-') {
        gm_cli_error("no option '%s' before a command: 'genmath --help' lists what there is",
                     first);
        return GM_EXIT_USAGE;
    }
    const gm_command *command = find_command(first);
    return command != NULL ? run_command(command, argc - 1, argv + 1) : unknown_command(first);
}

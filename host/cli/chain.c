/* genmath chain: Markov chains of a ready-made model, many at once. The first argument names the
 * model; each has its own options and --help. */
#include <stdio.h>
#include <string.h>

#include "host/cli/chain.h"

static const gm_command models[] = {
    {"ising", "spins of two values on a lattice, magnets and glasses", gm_chain_ising},
    {"potts", "labels of Q values on a lattice, domains", gm_chain_potts},
    {"density", "a probability density of the library, by any method", gm_chain_density},
    {"rbm", "restricted Boltzmann machines, trained on vectors or read", gm_chain_rbm},
};
enum { MODELS = sizeof models / sizeof models[0] };

static void print_usage(FILE *stream) {
    fprintf(stream, "Usage: genmath chain MODEL [OPTION...]\n"
                    "Runs Markov chains of a model, many at once, and prints what they are on "
                    "average.\n\nModels:\n");
    for (int i = 0; i < MODELS; ++i) {
        fprintf(stream, "  %-9s %s\n", models[i].name, models[i].summary);
    }
    fprintf(stream, "\n  genmath chain MODEL --help    the options of a model\n");
}

static bool asks_for_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0 || strcmp(word, "--usage") == 0;
}

int gm_cli_chain(int argc, char **argv) {
    if (argc < 2) {
        gm_cli_error("no model: 'genmath chain --help' lists them");
        return GM_EXIT_USAGE;
    }
    if (asks_for_help(argv[1])) {
        print_usage(stdout);
        return GM_EXIT_OK;
    }
    for (int i = 0; i < MODELS; ++i) {
        if (strcmp(models[i].name, argv[1]) == 0) {
            /* argp prints argv[0] in its messages. */
            char name[64];
            snprintf(name, sizeof name, "genmath chain %s", argv[1]);
            argv[1] = name;
            return models[i].run(argc - 1, argv + 1);
        }
    }
    gm_cli_error("no model '%s': 'genmath chain --help' lists them", argv[1]);
    return GM_EXIT_USAGE;
}

/* The parts of genmath chain rbm: its settings, what a run holds, training and chains. */
#ifndef GENMATH_HOST_CLI_CHAIN_RBM_H
#define GENMATH_HOST_CLI_CHAIN_RBM_H

#include <genmath/tensor.h>

#include "host/cli/cli.h"

typedef struct rbm_settings {
    gm_cli_options common;
    const char *data, *weights, *resume, *state, *save, *start, *out, *picture;
    int64_t hidden, epochs, batch, k, chains, sweeps, first_sweep;
    double rate, momentum, decay, threshold, beta;
    bool cd;
} rbm_settings;

enum { W, B, C, DW, DB, DC, CHAINS, WEIGHTS = 3, ARRAYS = 7 };
enum { MOST_UNITS = 1 << 16 };

typedef struct rbm_workplace {
    gm_context *context;
    int64_t visible, hidden, count; /* count: vectors of the data */
    float *data;
    float *state; /* the header, then the arrays: what --state writes */
    int64_t at[ARRAYS + 1];
    int64_t epochs; /* done */
    gm_tensor array[ARRAYS], batch;
    double likelihood; /* of the data, in nats a vector; exact says by which sum */
    bool exact;
    double energy, energy_error, seconds;
    uint8_t *units; /* of the chains */
} rbm_workplace;

/* chain_rbm_run.c: trains on the data, measures their likelihood and writes the training's state.
 */
gm_status gm_chain_rbm_train(const rbm_settings *settings, rbm_workplace *workplace);

/* Reads the weights instead. */
gm_status gm_chain_rbm_load(const rbm_settings *settings, rbm_workplace *workplace);

/* Runs the chains; their units are in host memory then. */
gm_status gm_chain_rbm_sample(const rbm_settings *settings, rbm_workplace *workplace);

/* Writes the weights, if that is wanted. */
gm_status gm_chain_rbm_save(const rbm_settings *settings, const rbm_workplace *workplace);

#endif

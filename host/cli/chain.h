/* The models of genmath chain: each gets argv[0] = "genmath chain <model>", returns an exit code.
 */
#ifndef GENMATH_HOST_CLI_CHAIN_H
#define GENMATH_HOST_CLI_CHAIN_H

#include "host/cli/cli.h"

int gm_chain_ising(int argc, char **argv);
int gm_chain_potts(int argc, char **argv);
int gm_chain_density(int argc, char **argv);
int gm_chain_rbm(int argc, char **argv);

#endif

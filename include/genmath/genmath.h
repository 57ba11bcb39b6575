/* All of genmath. */
#ifndef GENMATH_GENMATH_H
#define GENMATH_GENMATH_H

#include <genmath/annealing.h>
#include <genmath/context.h>
#include <genmath/contract.h>
#include <genmath/contract_group.h>
#include <genmath/conv.h>
#include <genmath/cross_entropy.h>
#include <genmath/decompose.h>
#include <genmath/density_annealing.h>
#include <genmath/density_tempering.h>
#include <genmath/diagnostics.h>
#include <genmath/diffusion.h>
#include <genmath/dlpack.h>
#include <genmath/elementwise.h>
#include <genmath/factor_graph.h>
#include <genmath/fft.h>
#include <genmath/gather.h>
#include <genmath/factor_graph.h>
#include <genmath/importance.h>
#include <genmath/hopfield.h>
#include <genmath/inverse_ising.h>
#include <genmath/ising.h>
#include <genmath/krylov.h>
#include <genmath/lattices.h>
#include <genmath/linalg.h>
#include <genmath/markov.h>
#include <genmath/matrix_function.h>
#include <genmath/mcmc.h>
#include <genmath/multispin.h>
#include <genmath/npy.h>
#include <genmath/ode.h>
#include <genmath/potts.h>
#include <genmath/random.h>
#include <genmath/rbm.h>
#include <genmath/reduce.h>
#include <genmath/sde.h>
#include <genmath/status.h>
#include <genmath/structured.h>
#include <genmath/system.h>
#include <genmath/tempering.h>
#include <genmath/tensor.h>
#include <genmath/tensor_decompose.h>

#endif

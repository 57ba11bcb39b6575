/*
 * A user's system compiled into a solver kernel at run time. Under the emulator there is nothing to
 * compile: its kernels call the system's scalar functions.
 */
#pragma once

#include <genmath/density.h>
#include <genmath/gibbs.h>
#include <genmath/sde.h>

#include "host/backend.h"

#ifdef __CUDACC__
#define GM_USER_KERNEL_KIND "jit"
#else
#define GM_USER_KERNEL_KIND "host"
#endif

namespace gm {

struct jit_kernel;

/*
 * Compiles (or finds in the cache) the kernel of a system for the current device. COMPILE_ERROR
 * with the compiler's text; DEVICE_ERROR if NVRTC or the driver is missing.
 */
gm_status jit_ode(gm_call *call, const gm_system &system, gm_dtype dtype, bool adaptive,
                  jit_kernel **kernel);
gm_status jit_sde(gm_call *call, const gm_sde &sde, gm_dtype dtype, jit_kernel **kernel);
gm_status jit_mcmc(gm_call *call, const gm_density &density, gm_dtype dtype, jit_kernel **kernel);
gm_status jit_importance(gm_call *call, const gm_density &density, gm_dtype dtype,
                         jit_kernel **kernel);
gm_status jit_gibbs(gm_call *call, const gm_gibbs &gibbs, gm_dtype dtype, jit_kernel **kernel);

/* Launches a one-dimensional grid with one argument, a struct. Does not wait. */
gm_status jit_launch(gm_call *call, const jit_kernel *kernel, unsigned blocks, unsigned threads,
                     const void *params);

void jit_release(jit_kernel *kernel); /* NULL is fine */

/*
 * Compiles without running, for an architecture such as 90: what a machine without a GPU can check.
 * sde may be NULL. image [out] the machine code's size.
 */
gm_status jit_try_compile(gm_call *call, const gm_system *system, const gm_sde *sde, gm_dtype dtype,
                          int adaptive, int architecture, size_t *image);

} // namespace gm

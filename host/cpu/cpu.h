/* The production path without a GPU: threads and vectors, only where they beat the reference. */
#ifndef GENMATH_HOST_CPU_H
#define GENMATH_HOST_CPU_H

#include "host/backend.h"

gm_status gm_cpu_random_fill(gm_call *call, const struct gm_random_fill_args *args);
gm_status gm_cpu_ode_solve(gm_call *call, const struct gm_ode_problem *problem, void *state,
                           const struct gm_ensemble_arrays *arrays);
gm_status gm_cpu_sde_solve(gm_call *call, const struct gm_sde_problem *problem, void *state,
                           const struct gm_ensemble_arrays *arrays);
gm_status gm_cpu_diffusion_perturb(gm_call *call, const struct gm_diffusion_perturb_args *args);
gm_status gm_cpu_diffusion_score(gm_call *call, const struct gm_diffusion_score_args *args);
gm_status gm_cpu_diffusion_sample(gm_call *call, const struct gm_diffusion_sample_args *args);
gm_status gm_cpu_reduce(gm_call *call, const struct gm_reduce_args *args);
gm_status gm_cpu_softmax(gm_call *call, const struct gm_reduce_args *args);
gm_status gm_cpu_elementwise(gm_call *call, const struct gm_elementwise_args *args);
gm_status gm_cpu_gather(gm_call *call, const struct gm_gather_args *args);
gm_status gm_cpu_scatter_add(gm_call *call, const struct gm_gather_args *args);

#endif

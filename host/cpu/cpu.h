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
gm_status gm_cpu_contract_choose(gm_call *call, const struct gm_contraction *contraction,
                                 const char *kernel, struct gm_contract_choice *choice);
gm_status gm_cpu_contract_run(gm_call *call, const struct gm_contraction *contraction, int32_t row,
                              const struct gm_contract_arrays *arrays);
const char *gm_cpu_contract_kernel(int32_t row);
gm_status gm_cpu_contract_group_choose(gm_call *call, struct gm_group_args *args,
                                       const char *kernel);
gm_status gm_cpu_contract_group_run(gm_call *call, const struct gm_group_args *args);
size_t gm_cpu_linalg_workspace(gm_call *call, const struct gm_linalg_args *args);
gm_status gm_cpu_linalg(gm_call *call, const struct gm_linalg_args *args);
gm_status gm_cpu_fft_prepare(gm_call *call, const struct gm_fft_problem *problem, void **state,
                             int64_t *workspace_bytes);
gm_status gm_cpu_fft_run(gm_call *call, const struct gm_fft_problem *problem, void *state,
                         const struct gm_fft_arrays *arrays);
void gm_cpu_fft_release(gm_call *call, void *state);
gm_status gm_cpu_structured_prepare(gm_call *call, const struct gm_structured_problem *problem,
                                    void **state, int64_t *workspace_bytes);
gm_status gm_cpu_structured_run(gm_call *call, const struct gm_structured_problem *problem,
                                void *state, const struct gm_structured_call *arrays);
void gm_cpu_structured_release(gm_call *call, void *state);
gm_status gm_cpu_reduce(gm_call *call, const struct gm_reduce_args *args);
gm_status gm_cpu_softmax(gm_call *call, const struct gm_reduce_args *args);
gm_status gm_cpu_elementwise(gm_call *call, const struct gm_elementwise_args *args);
gm_status gm_cpu_gather(gm_call *call, const struct gm_gather_args *args);
gm_status gm_cpu_scatter_add(gm_call *call, const struct gm_gather_args *args);
gm_status gm_cpu_diagnose(gm_call *call, const struct gm_diagnose_args *args);
size_t gm_cpu_diagnose_workspace(gm_call *call, const struct gm_diagnose_args *args);
size_t gm_cpu_ising_workspace(gm_call *call, const struct gm_ising_problem *problem, void *state,
                              int64_t chains);
gm_status gm_cpu_ising_run(gm_call *call, const struct gm_ising_problem *problem, void *state,
                           const struct gm_ising_arrays *arrays);
gm_status gm_cpu_mcmc_run(gm_call *call, const struct gm_mcmc_problem *problem, void *state,
                          const struct gm_mcmc_arrays *arrays);
gm_status gm_cpu_tempering_begin(gm_call *call, const struct gm_tempering_args *args);
gm_status gm_cpu_tempering_swap(gm_call *call, const struct gm_tempering_args *args);
gm_status gm_cpu_annealing_step(gm_call *call, const struct gm_annealing_args *args);
gm_status gm_cpu_density_annealing_step(gm_call *call,
                                        const struct gm_density_annealing_args *args);
gm_status gm_cpu_mcmc_mass(gm_call *call, const struct gm_mcmc_mass_args *args);
size_t gm_cpu_potts_workspace(gm_call *call, const struct gm_potts_problem *problem, void *state,
                              int64_t chains);
gm_status gm_cpu_potts_run(gm_call *call, const struct gm_potts_problem *problem, void *state,
                           const struct gm_potts_arrays *arrays);
size_t gm_cpu_factor_workspace(gm_call *call, const struct gm_factor_problem *problem, void *state,
                               int64_t chains);
gm_status gm_cpu_factor_run(gm_call *call, const struct gm_factor_problem *problem, void *state,
                            const struct gm_factor_arrays *arrays);
gm_status gm_cpu_rbm_run(gm_call *call, const struct gm_rbm_args *args);
gm_status gm_cpu_importance_draw(gm_call *call, const struct gm_importance_problem *problem,
                                 void *state, const struct gm_importance_arrays *arrays);
gm_status gm_cpu_importance_weigh(gm_call *call, const struct gm_weigh_args *args);
size_t gm_cpu_importance_weigh_workspace(gm_call *call, const struct gm_weigh_args *args);
gm_status gm_cpu_importance_resample(gm_call *call, const struct gm_resample_args *args);
size_t gm_cpu_importance_resample_workspace(gm_call *call, const struct gm_resample_args *args);
gm_status gm_cpu_hopfield_begin(gm_call *call, const struct gm_hopfield_args *args);
gm_status gm_cpu_hopfield_run(gm_call *call, const struct gm_hopfield_args *args);
size_t gm_cpu_multispin_workspace(gm_call *call, const struct gm_multispin_problem *problem,
                                  void *state, int64_t chains);
gm_status gm_cpu_multispin_run(gm_call *call, const struct gm_multispin_problem *problem,
                               void *state, const struct gm_multispin_arrays *arrays);
gm_status gm_cpu_multispin_convert(gm_call *call, const struct gm_multispin_problem *problem,
                                   void *state, const struct gm_multispin_spins *spins);
gm_status gm_cpu_gibbs_run(gm_call *call, const struct gm_gibbs_problem *problem, void *state,
                           const struct gm_gibbs_arrays *arrays);
size_t gm_cpu_correlations_workspace(gm_call *call, const struct gm_correlations_problem *problem,
                                     int64_t chains);
gm_status gm_cpu_correlations_add(gm_call *call, const struct gm_correlations_problem *problem,
                                  void *state, const struct gm_correlations_arrays *arrays);
size_t gm_cpu_multispin_correlate_workspace(gm_call *call,
                                            const struct gm_multispin_problem *problem,
                                            const struct gm_multispin_pairs *arrays);
gm_status gm_cpu_multispin_correlate(gm_call *call, const struct gm_multispin_problem *problem,
                                     void *state, const struct gm_multispin_pairs *arrays);

#endif

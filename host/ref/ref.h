/* The oracle's functions: plain C in the order of the formula, double accumulation, one thread. */
#ifndef GENMATH_HOST_REF_H
#define GENMATH_HOST_REF_H

#include "host/backend.h"

gm_status gm_ref_random_fill(gm_call *call, const struct gm_random_fill_args *args);
gm_status gm_ref_ode_solve(gm_call *call, const struct gm_ode_problem *problem, void *state,
                           const struct gm_ensemble_arrays *arrays);
gm_status gm_ref_sde_solve(gm_call *call, const struct gm_sde_problem *problem, void *state,
                           const struct gm_ensemble_arrays *arrays);
gm_status gm_ref_diffusion_perturb(gm_call *call, const struct gm_diffusion_perturb_args *args);
gm_status gm_ref_diffusion_score(gm_call *call, const struct gm_diffusion_score_args *args);
gm_status gm_ref_diffusion_sample(gm_call *call, const struct gm_diffusion_sample_args *args);
gm_status gm_ref_contract_direct(gm_call *call, const struct gm_contract_direct *expression);
const char *gm_ref_contract_kernel(int32_t row);
size_t gm_ref_linalg_workspace(gm_call *call, const struct gm_linalg_args *args);
gm_status gm_ref_linalg(gm_call *call, const struct gm_linalg_args *args);
gm_status gm_ref_fft_prepare(gm_call *call, const struct gm_fft_problem *problem, void **state,
                             int64_t *workspace_bytes);
gm_status gm_ref_fft_run(gm_call *call, const struct gm_fft_problem *problem, void *state,
                         const struct gm_fft_arrays *arrays);
void gm_ref_fft_release(gm_call *call, void *state);
gm_status gm_ref_structured_prepare(gm_call *call, const struct gm_structured_problem *problem,
                                    void **state, int64_t *workspace_bytes);
gm_status gm_ref_structured_run(gm_call *call, const struct gm_structured_problem *problem,
                                void *state, const struct gm_structured_call *arrays);
void gm_ref_structured_release(gm_call *call, void *state);
gm_status gm_ref_reduce(gm_call *call, const struct gm_reduce_args *args);
gm_status gm_ref_softmax(gm_call *call, const struct gm_reduce_args *args);
gm_status gm_ref_elementwise(gm_call *call, const struct gm_elementwise_args *args);
gm_status gm_ref_gather(gm_call *call, const struct gm_gather_args *args);
gm_status gm_ref_scatter_add(gm_call *call, const struct gm_gather_args *args);
/* One quantity of gm_diagnose, with gm_ref_diagnose_workspace bytes of scratch. */
void gm_ref_diagnose_quantity(const struct gm_diagnose_args *args, int64_t quantity, void *scratch);
gm_status gm_ref_diagnose(gm_call *call, const struct gm_diagnose_args *args);
size_t gm_ref_diagnose_workspace(gm_call *call, const struct gm_diagnose_args *args);
/* One chain of gm_ising_run. */
void gm_ref_ising_chain(const struct gm_ising_problem *problem,
                        const struct gm_ising_arrays *arrays, int64_t chain);
gm_status gm_ref_ising_run(gm_call *call, const struct gm_ising_problem *problem, void *state,
                           const struct gm_ising_arrays *arrays);
gm_status gm_ref_mcmc_run(gm_call *call, const struct gm_mcmc_problem *problem, void *state,
                          const struct gm_mcmc_arrays *arrays);
/* One ladder of gm_tempering_run: before the first sweep, and after each stretch of sweeps. */
void gm_ref_tempering_begin_ladder(const struct gm_tempering_args *args, int64_t ladder);
void gm_ref_tempering_swap_ladder(const struct gm_tempering_args *args, int64_t ladder);
gm_status gm_ref_tempering_begin(gm_call *call, const struct gm_tempering_args *args);
gm_status gm_ref_tempering_swap(gm_call *call, const struct gm_tempering_args *args);
/* One chain of gm_annealing_run after a stretch of sweeps. */
void gm_ref_annealing_chain(const struct gm_annealing_args *args, int64_t chain);
gm_status gm_ref_annealing_step(gm_call *call, const struct gm_annealing_args *args);
/* One chain of gm_density_annealing_run before a step. */
void gm_ref_density_annealing_chain(const struct gm_density_annealing_args *args, int64_t chain);
gm_status gm_ref_density_annealing_step(gm_call *call,
                                        const struct gm_density_annealing_args *args);
gm_status gm_ref_mcmc_mass(gm_call *call, const struct gm_mcmc_mass_args *args);
/* One chain of gm_potts_run. */
void gm_ref_potts_chain(const struct gm_potts_problem *problem,
                        const struct gm_potts_arrays *arrays, int64_t chain);
gm_status gm_ref_potts_run(gm_call *call, const struct gm_potts_problem *problem, void *state,
                           const struct gm_potts_arrays *arrays);
/* The counts become 0; one chain of gm_factor_graph_run. */
void gm_ref_factor_clear(const struct gm_factor_problem *problem,
                         const struct gm_factor_arrays *arrays);
void gm_ref_factor_chain(const struct gm_factor_problem *problem,
                         const struct gm_factor_arrays *arrays, int64_t chain);
gm_status gm_ref_factor_run(gm_call *call, const struct gm_factor_problem *problem, void *state,
                            const struct gm_factor_arrays *arrays);
gm_status gm_ref_rbm_run(gm_call *call, const struct gm_rbm_args *args);

/* Sample i of problem k; a problem's estimates, with gm_ref_importance_weigh_workspace bytes of
 * scratch; its indices, with 8 n bytes. */
void gm_ref_importance_sample(const struct gm_importance_problem *problem,
                              const struct gm_importance_arrays *arrays, int64_t k, int64_t i);
gm_status gm_ref_importance_draw(gm_call *call, const struct gm_importance_problem *problem,
                                 void *state, const struct gm_importance_arrays *arrays);
void gm_ref_importance_weigh_problem(const struct gm_weigh_args *args, int64_t k, void *scratch);
gm_status gm_ref_importance_weigh(gm_call *call, const struct gm_weigh_args *args);
size_t gm_ref_importance_weigh_workspace(gm_call *call, const struct gm_weigh_args *args);
void gm_ref_importance_resample_problem(const struct gm_resample_args *args, int64_t k,
                                        void *scratch);
gm_status gm_ref_importance_resample(gm_call *call, const struct gm_resample_args *args);
size_t gm_ref_importance_resample_workspace(gm_call *call, const struct gm_resample_args *args);
/* The state of a probe from the user's; what becomes of it. */
void gm_ref_hopfield_load(const struct gm_hopfield_args *args, int64_t probe);
void gm_ref_hopfield_end(const struct gm_hopfield_args *args, int64_t probe, gm_status status,
                         int64_t swept, int64_t sum);
gm_status gm_ref_hopfield_begin(gm_call *call, const struct gm_hopfield_args *args);
gm_status gm_ref_hopfield_run(gm_call *call, const struct gm_hopfield_args *args);
gm_status gm_ref_multispin_run(gm_call *call, const struct gm_multispin_problem *problem,
                               void *state, const struct gm_multispin_arrays *arrays);
gm_status gm_ref_multispin_convert(gm_call *call, const struct gm_multispin_problem *problem,
                                   void *state, const struct gm_multispin_spins *spins);
/* One chain of it. */
void gm_ref_multispin_convert_chain(const struct gm_multispin_problem *problem,
                                    const struct gm_multispin_spins *spins, int64_t chain);
gm_status gm_ref_gibbs_run(gm_call *call, const struct gm_gibbs_problem *problem, void *state,
                           const struct gm_gibbs_arrays *arrays);
gm_status gm_ref_correlations_add(gm_call *call, const struct gm_correlations_problem *problem,
                                  void *state, const struct gm_correlations_arrays *arrays);
gm_status gm_ref_multispin_correlate(gm_call *call, const struct gm_multispin_problem *problem,
                                     void *state, const struct gm_multispin_pairs *arrays);

#endif

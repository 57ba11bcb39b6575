/* The operations of a module, as its table names them. */
#pragma once

#include "host/backend.h"
#include <genmath/tensor.h>

namespace gm {

gm_status random_fill(gm_call *call, const gm_random_fill_args *args);

gm_status ode_prepare(gm_call *call, const gm_ode_problem *problem, void **state);
gm_status ode_solve(gm_call *call, const gm_ode_problem *problem, void *state,
                    const gm_ensemble_arrays *arrays);
void ode_release(gm_call *call, void *state);

gm_status sde_prepare(gm_call *call, const gm_sde_problem *problem, void **state);
gm_status sde_solve(gm_call *call, const gm_sde_problem *problem, void *state,
                    const gm_ensemble_arrays *arrays);
void sde_release(gm_call *call, void *state);

gm_status diffusion_perturb(gm_call *call, const gm_diffusion_perturb_args *args);
gm_status diffusion_score(gm_call *call, const gm_diffusion_score_args *args);
gm_status diffusion_sample(gm_call *call, const gm_diffusion_sample_args *args);

gm_status contract_choose(gm_call *call, const gm_contraction *contraction, const char *kernel,
                          gm_contract_choice *choice);
gm_status contract_run(gm_call *call, const gm_contraction *contraction, int32_t row,
                       const gm_contract_arrays *arrays);
const char *contract_kernel(int32_t row);
gm_status fft_prepare(gm_call *call, const gm_fft_problem *problem, void **state,
                      int64_t *workspace_bytes);
gm_status fft_run(gm_call *call, const gm_fft_problem *problem, void *state,
                  const gm_fft_arrays *arrays);
void fft_release(gm_call *call, void *state);
gm_status structured_prepare(gm_call *call, const gm_structured_problem *problem, void **state,
                             int64_t *workspace_bytes);
gm_status structured_run(gm_call *call, const gm_structured_problem *problem, void *state,
                         const gm_structured_call *arrays);
void structured_release(gm_call *call, void *state);
gm_status contract_group_choose(gm_call *call, gm_group_args *args, const char *kernel);
gm_status contract_group_bind(gm_call *call, gm_group_args *args);
gm_status contract_group_run(gm_call *call, const gm_group_args *args);
gm_status reduce(gm_call *call, const gm_reduce_args *args);
size_t reduce_workspace(const gm_reduce_args *args);
gm_status softmax(gm_call *call, const gm_reduce_args *args);
gm_status elementwise(gm_call *call, const gm_elementwise_args *args);
gm_status gather(gm_call *call, const gm_gather_args *args);
gm_status scatter_add(gm_call *call, const gm_gather_args *args);

gm_status ising_prepare(gm_call *call, const gm_ising_problem *problem, void **state);
size_t ising_workspace(gm_call *call, const gm_ising_problem *problem, void *state, int64_t chains);
gm_status ising_run(gm_call *call, const gm_ising_problem *problem, void *state,
                    const gm_ising_arrays *arrays);
void ising_release(gm_call *call, void *state);
gm_status mcmc_prepare(gm_call *call, const gm_mcmc_problem *problem, void **state);
gm_status mcmc_run(gm_call *call, const gm_mcmc_problem *problem, void *state,
                   const gm_mcmc_arrays *arrays);
void mcmc_release(gm_call *call, void *state);
gm_status tempering_begin(gm_call *call, const gm_tempering_args *args);
gm_status tempering_swap(gm_call *call, const gm_tempering_args *args);
gm_status annealing_step(gm_call *call, const gm_annealing_args *args);
gm_status density_annealing_step(gm_call *call, const gm_density_annealing_args *args);
gm_status mcmc_mass(gm_call *call, const gm_mcmc_mass_args *args);

gm_status potts_prepare(gm_call *call, const gm_potts_problem *problem, void **state);
size_t potts_workspace(gm_call *call, const gm_potts_problem *problem, void *state, int64_t chains);
gm_status potts_run(gm_call *call, const gm_potts_problem *problem, void *state,
                    const gm_potts_arrays *arrays);
void potts_release(gm_call *call, void *state);
gm_status factor_prepare(gm_call *call, const gm_factor_problem *problem, void **state);
size_t factor_workspace(gm_call *call, const gm_factor_problem *problem, void *state,
                        int64_t chains);
gm_status factor_run(gm_call *call, const gm_factor_problem *problem, void *state,
                     const gm_factor_arrays *arrays);
void factor_release(gm_call *call, void *state);
gm_status rbm_run(gm_call *call, const gm_rbm_args *args);

gm_status diagnose(gm_call *call, const gm_diagnose_args *args);
size_t diagnose_workspace(gm_call *call, const gm_diagnose_args *args);

gm_status importance_prepare(gm_call *call, const gm_importance_problem *problem, void **state);
gm_status importance_draw(gm_call *call, const gm_importance_problem *problem, void *state,
                          const gm_importance_arrays *arrays);
void importance_release(gm_call *call, void *state);
gm_status importance_weigh(gm_call *call, const gm_weigh_args *args);
size_t importance_weigh_workspace(gm_call *call, const gm_weigh_args *args);
gm_status importance_resample(gm_call *call, const gm_resample_args *args);
size_t importance_resample_workspace(gm_call *call, const gm_resample_args *args);
gm_status hopfield_begin(gm_call *call, const gm_hopfield_args *args);
gm_status hopfield_run(gm_call *call, const gm_hopfield_args *args);
gm_status multispin_prepare(gm_call *call, const gm_multispin_problem *problem, void **state);
size_t multispin_workspace(gm_call *call, const gm_multispin_problem *problem, void *state,
                           int64_t chains);
gm_status multispin_run(gm_call *call, const gm_multispin_problem *problem, void *state,
                        const gm_multispin_arrays *arrays);
gm_status multispin_convert(gm_call *call, const gm_multispin_problem *problem, void *state,
                            const gm_multispin_spins *spins);
void multispin_release(gm_call *call, void *state);
gm_status gibbs_prepare(gm_call *call, const gm_gibbs_problem *problem, void **state);
gm_status gibbs_run(gm_call *call, const gm_gibbs_problem *problem, void *state,
                    const gm_gibbs_arrays *arrays);
void gibbs_release(gm_call *call, void *state);
gm_status correlations_prepare(gm_call *call, const gm_correlations_problem *problem, void **state);
gm_status correlations_add(gm_call *call, const gm_correlations_problem *problem, void *state,
                           const gm_correlations_arrays *arrays);
void correlations_release(gm_call *call, void *state);
gm_status multispin_correlate(gm_call *call, const gm_multispin_problem *problem, void *state,
                              const gm_multispin_pairs *arrays);

/* The library's own function is not linked into a module. */
inline const char *gm_dtype_text(gm_dtype dtype) {
    return dtype == GM_F64 ? "f64" : dtype == GM_F32 ? "f32" : "other";
}

} // namespace gm

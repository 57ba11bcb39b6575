/* The table of the ref backend: the oracle. */
#include "host/host_memory.h"
#include "host/ref/ref.h"

#define LINALG(kind, name) [kind] = {gm_ref_linalg_workspace, gm_ref_linalg},

const gm_backend gm_backend_ref = {
    .name = "ref",
    GM_HOST_MEMORY_ENTRIES,
    .random_fill = gm_ref_random_fill,
    .ode_solve = gm_ref_ode_solve,
    .sde_solve = gm_ref_sde_solve,
    .diffusion_perturb = gm_ref_diffusion_perturb,
    .diffusion_score = gm_ref_diffusion_score,
    .diffusion_sample = gm_ref_diffusion_sample,
    .contract_direct = gm_ref_contract_direct,
    .contract_kernel = gm_ref_contract_kernel,
    .linalg = {GM_LINALG_LIST(LINALG)},
    .fft_prepare = gm_ref_fft_prepare,
    .fft_run = gm_ref_fft_run,
    .fft_release = gm_ref_fft_release,
    .structured_prepare = gm_ref_structured_prepare,
    .structured_run = gm_ref_structured_run,
    .structured_release = gm_ref_structured_release,
    .reduce = gm_ref_reduce,
    .softmax = gm_ref_softmax,
    .elementwise = gm_ref_elementwise,
    .gather = gm_ref_gather,
    .scatter_add = gm_ref_scatter_add,
    .diagnose = gm_ref_diagnose,
    .diagnose_workspace = gm_ref_diagnose_workspace,
    .ising_run = gm_ref_ising_run,
    .mcmc_run = gm_ref_mcmc_run,
    .importance_draw = gm_ref_importance_draw,
    .importance_weigh = gm_ref_importance_weigh,
    .importance_weigh_workspace = gm_ref_importance_weigh_workspace,
    .importance_resample = gm_ref_importance_resample,
    .importance_resample_workspace = gm_ref_importance_resample_workspace,
};

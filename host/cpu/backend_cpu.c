/* The table of the cpu backend: threads and vectors. */
#include "host/host_memory.h"
#include "host/cpu/cpu.h"

#define LINALG(kind, name) [kind] = {gm_cpu_linalg_workspace, gm_cpu_linalg},

const gm_backend gm_backend_cpu = {
    .name = "cpu",
    GM_HOST_MEMORY_ENTRIES,
    .random_fill = gm_cpu_random_fill,
    .ode_solve = gm_cpu_ode_solve,
    .sde_solve = gm_cpu_sde_solve,
    .diffusion_perturb = gm_cpu_diffusion_perturb,
    .diffusion_score = gm_cpu_diffusion_score,
    .diffusion_sample = gm_cpu_diffusion_sample,
    .contract_choose = gm_cpu_contract_choose,
    .contract_run = gm_cpu_contract_run,
    .contract_kernel = gm_cpu_contract_kernel,
    .contract_group_choose = gm_cpu_contract_group_choose,
    .contract_group_run = gm_cpu_contract_group_run,
    .linalg = {GM_LINALG_LIST(LINALG)},
    .fft_prepare = gm_cpu_fft_prepare,
    .fft_run = gm_cpu_fft_run,
    .fft_release = gm_cpu_fft_release,
    .structured_prepare = gm_cpu_structured_prepare,
    .structured_run = gm_cpu_structured_run,
    .structured_release = gm_cpu_structured_release,
    .reduce = gm_cpu_reduce,
    .softmax = gm_cpu_softmax,
    .elementwise = gm_cpu_elementwise,
    .gather = gm_cpu_gather,
    .scatter_add = gm_cpu_scatter_add,
    .diagnose = gm_cpu_diagnose,
    .diagnose_workspace = gm_cpu_diagnose_workspace,
    .ising_workspace = gm_cpu_ising_workspace,
    .ising_run = gm_cpu_ising_run,
    .mcmc_run = gm_cpu_mcmc_run,
    .rbm_run = gm_cpu_rbm_run,
};

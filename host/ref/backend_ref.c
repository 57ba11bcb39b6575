/* The table of the ref backend: the oracle. */
#include "host/host_memory.h"
#include "host/ref/ref.h"

const gm_backend gm_backend_ref = {
    .name = "ref",
    GM_HOST_MEMORY_ENTRIES,
    .random_fill = gm_ref_random_fill,
    .ode_solve = gm_ref_ode_solve,
    .sde_solve = gm_ref_sde_solve,
    .diffusion_perturb = gm_ref_diffusion_perturb,
    .diffusion_score = gm_ref_diffusion_score,
    .diffusion_sample = gm_ref_diffusion_sample,
    .fft_prepare = gm_ref_fft_prepare,
    .fft_run = gm_ref_fft_run,
    .fft_release = gm_ref_fft_release,
    .structured_prepare = gm_ref_structured_prepare,
    .structured_run = gm_ref_structured_run,
    .structured_release = gm_ref_structured_release,
};

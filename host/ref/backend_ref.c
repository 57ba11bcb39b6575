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
    .reduce = gm_ref_reduce,
    .softmax = gm_ref_softmax,
    .elementwise = gm_ref_elementwise,
    .gather = gm_ref_gather,
    .scatter_add = gm_ref_scatter_add,
};

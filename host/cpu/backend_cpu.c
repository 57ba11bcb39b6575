/* The table of the cpu backend: threads and vectors. */
#include "host/host_memory.h"
#include "host/cpu/cpu.h"

const gm_backend gm_backend_cpu = {
    .name = "cpu",
    GM_HOST_MEMORY_ENTRIES,
    .random_fill = gm_cpu_random_fill,
    .ode_solve = gm_cpu_ode_solve,
    .sde_solve = gm_cpu_sde_solve,
    .diffusion_perturb = gm_cpu_diffusion_perturb,
    .diffusion_score = gm_cpu_diffusion_score,
    .diffusion_sample = gm_cpu_diffusion_sample,
    .reduce = gm_cpu_reduce,
    .softmax = gm_cpu_softmax,
    .elementwise = gm_cpu_elementwise,
    .gather = gm_cpu_gather,
    .scatter_add = gm_cpu_scatter_add,
};

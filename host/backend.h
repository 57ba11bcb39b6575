/*
 * The table that a backend fills: one function pointer per operation, NULL where the backend lacks
 * it. ref and cpu are part of the library; cuda and emu are modules, the same kernels/ built by
 * nvcc and by a C++ compiler, that export gm_module_backend. This header and the args headers are
 * all that the two sides share, so it is C and C++ and needs no CUDA header.
 */
#ifndef GENMATH_HOST_BACKEND_H
#define GENMATH_HOST_BACKEND_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <genmath/status.h>
#include <genmath/tensor.h>

#include "host/linalg_kinds.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What an operation needs to know of its caller. The context owns one and hands it down. */
typedef struct gm_call {
    void *stream;         /* cudaStream_t of the device backends */
    const char *kernel;   /* set by the operation: the name of the kernel or path that ran */
    struct gm_pool *pool; /* threads of the host backends; modules do not look inside */
    gm_isa isa;           /* vector instructions of the cpu backend */
    int32_t device;       /* CUDA ordinal */
    char error[512];      /* the reason of the last failure */
} gm_call;

/* Records why an operation fails and returns the status: a breakpoint here traps every error. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4), unused))
#endif
static gm_status
gm_call_fail(gm_call *call, gm_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(call->error, sizeof call->error, format, arguments);
    va_end(arguments);
    return status;
}

struct gm_system;
struct gm_sde;
struct gm_random_fill_args;     /* random_args.h */
struct gm_ode_problem;          /* ode_args.h */
struct gm_sde_problem;          /* sde_args.h */
struct gm_ensemble_arrays;      /* ensemble_args.h */
struct gm_contraction;          /* contract_args.h */
struct gm_contract_arrays;
struct gm_contract_choice;
struct gm_contract_direct;
struct gm_group_args;           /* contract_group_args.h */
struct gm_diffusion_model_args; /* diffusion_args.h */
struct gm_diffusion_perturb_args;
struct gm_diffusion_score_args;
struct gm_diffusion_sample_args;
struct gm_linalg_args; /* linalg_args.h */

/* An operation on a batch of matrices: the workspace that it needs, at least 1 byte, and itself. */
typedef struct gm_linalg_entry {
    size_t (*workspace)(gm_call *call, const struct gm_linalg_args *args);
    gm_status (*run)(gm_call *call, const struct gm_linalg_args *args);
} gm_linalg_entry;

struct gm_fft_problem; /* fft_args.h */
struct gm_fft_arrays;
struct gm_structured_problem; /* structured_args.h */
struct gm_structured_call;
struct gm_reduce_args;      /* reduce_args.h */
struct gm_elementwise_args; /* elementwise_args.h */
struct gm_gather_args;      /* gather_args.h */
struct gm_diagnose_args;    /* diagnostics_args.h */
struct gm_ising_problem;    /* ising_args.h */
struct gm_ising_arrays;
struct gm_mcmc_problem;     /* mcmc_args.h */
struct gm_mcmc_arrays;
struct gm_tempering_args;   /* tempering_args.h */
struct gm_annealing_args;   /* annealing_args.h */
struct gm_mcmc_mass_args;
struct gm_potts_problem; /* potts_args.h */
struct gm_potts_arrays;
struct gm_factor_problem;   /* factor_graph_args.h */
struct gm_factor_arrays;
struct gm_rbm_args;         /* rbm_args.h */
struct gm_importance_problem; /* importance_args.h */
struct gm_importance_arrays;
struct gm_weigh_args;
struct gm_resample_args;
struct gm_hopfield_args;    /* hopfield_args.h */
struct gm_multispin_problem; /* multispin_args.h */
struct gm_multispin_arrays;
struct gm_multispin_spins;
struct gm_gibbs_problem; /* gibbs_args.h */
struct gm_gibbs_arrays;
struct gm_correlations_problem; /* correlations_args.h */
struct gm_correlations_arrays;
struct gm_multispin_pairs;
struct gm_density_annealing_args; /* density_annealing_args.h */

typedef struct gm_backend {
    const char *name;

    /* Machine and memory. Pointers are valid for the kernels of this backend. */
    gm_status (*open)(gm_call *call); /* NO_DEVICE if there is none to run on */
    gm_status (*device_info)(gm_call *call, gm_device_info *info);
    gm_status (*memory_alloc)(gm_call *call, size_t bytes, void **memory);
    gm_status (*memory_free)(gm_call *call, void *memory);
    gm_status (*memory_upload)(gm_call *call, void *memory, const void *host, size_t bytes);
    gm_status (*memory_download)(gm_call *call, void *host, const void *memory, size_t bytes);
    int (*memory_is_reachable)(gm_call *call, const void *memory); /* NULL: everything is */
    gm_status (*synchronize)(gm_call *call);
    const char *(*build_info)(void); /* architectures and compiler the kernels were built for */

    /* Operations. *_prepare may allocate and compile; *_solve, *_run and the rest must not. */
    gm_status (*random_fill)(gm_call *call, const struct gm_random_fill_args *args);

    gm_status (*ode_prepare)(gm_call *call, const struct gm_ode_problem *problem, void **state);
    gm_status (*ode_solve)(gm_call *call, const struct gm_ode_problem *problem, void *state,
                           const struct gm_ensemble_arrays *arrays);
    void (*ode_release)(gm_call *call, void *state);

    gm_status (*sde_prepare)(gm_call *call, const struct gm_sde_problem *problem, void **state);
    gm_status (*sde_solve)(gm_call *call, const struct gm_sde_problem *problem, void *state,
                           const struct gm_ensemble_arrays *arrays);
    void (*sde_release)(gm_call *call, void *state);

    gm_status (*diffusion_perturb)(gm_call *call, const struct gm_diffusion_perturb_args *args);
    gm_status (*diffusion_score)(gm_call *call, const struct gm_diffusion_score_args *args);
    gm_status (*diffusion_sample)(gm_call *call, const struct gm_diffusion_sample_args *args);

    /* One step of a contraction. contract_choose takes the first row of the backend's table that
     * can run it, or the row named `kernel` if that is not NULL (UNSUPPORTED where there is no such
     * row or it cannot). Neither function allocates. */
    gm_status (*contract_choose)(gm_call *call, const struct gm_contraction *contraction,
                                 const char *kernel, struct gm_contract_choice *choice);
    gm_status (*contract_run)(gm_call *call, const struct gm_contraction *contraction, int32_t row,
                              const struct gm_contract_arrays *arrays);
    /* A whole expression at once, in place of the two above. */
    gm_status (*contract_direct)(gm_call *call, const struct gm_contract_direct *expression);
    /* The name of a row of the table, NULL past its end. */
    const char *(*contract_kernel)(int32_t row);

    /* Many contractions at once, each of its own size: chooses a kernel for each kind, or the one
     * of that name; takes the addresses over (NULL: nothing to do); runs. */
    gm_status (*contract_group_choose)(gm_call *call, struct gm_group_args *args,
                                       const char *kernel);
    gm_status (*contract_group_bind)(gm_call *call, struct gm_group_args *args);
    gm_status (*contract_group_run)(gm_call *call, const struct gm_group_args *args);

    gm_linalg_entry linalg[GM_LINALG_KINDS];

    gm_status (*fft_prepare)(gm_call *call, const struct gm_fft_problem *problem, void **state,
                             int64_t *workspace_bytes);
    gm_status (*fft_run)(gm_call *call, const struct gm_fft_problem *problem, void *state,
                         const struct gm_fft_arrays *arrays);
    void (*fft_release)(gm_call *call, void *state);

    gm_status (*structured_prepare)(gm_call *call, const struct gm_structured_problem *problem,
                                    void **state, int64_t *workspace_bytes);
    gm_status (*structured_run)(gm_call *call, const struct gm_structured_problem *problem,
                                void *state, const struct gm_structured_call *arrays);
    void (*structured_release)(gm_call *call, void *state);

    gm_status (*reduce)(gm_call *call, const struct gm_reduce_args *args);
    size_t (*reduce_workspace)(const struct gm_reduce_args *args); /* NULL: none */
    gm_status (*softmax)(gm_call *call, const struct gm_reduce_args *args);
    gm_status (*elementwise)(gm_call *call, const struct gm_elementwise_args *args);
    gm_status (*gather)(gm_call *call, const struct gm_gather_args *args);
    gm_status (*scatter_add)(gm_call *call, const struct gm_gather_args *args);

    gm_status (*diagnose)(gm_call *call, const struct gm_diagnose_args *args);
    size_t (*diagnose_workspace)(gm_call *call, const struct gm_diagnose_args *args);

    gm_status (*ising_prepare)(gm_call *call, const struct gm_ising_problem *problem, void **state);
    size_t (*ising_workspace)(gm_call *call, const struct gm_ising_problem *problem, void *state,
                              int64_t chains); /* NULL: none */
    gm_status (*ising_run)(gm_call *call, const struct gm_ising_problem *problem, void *state,
                           const struct gm_ising_arrays *arrays);
    void (*ising_release)(gm_call *call, void *state);

    gm_status (*mcmc_prepare)(gm_call *call, const struct gm_mcmc_problem *problem, void **state);
    gm_status (*mcmc_run)(gm_call *call, const struct gm_mcmc_problem *problem, void *state,
                          const struct gm_mcmc_arrays *arrays);
    void (*mcmc_release)(gm_call *call, void *state);
    gm_status (*mcmc_mass)(gm_call *call, const struct gm_mcmc_mass_args *args);

    gm_status (*tempering_begin)(gm_call *call, const struct gm_tempering_args *args);
    gm_status (*tempering_swap)(gm_call *call, const struct gm_tempering_args *args);
    gm_status (*annealing_step)(gm_call *call, const struct gm_annealing_args *args);

    gm_status (*potts_prepare)(gm_call *call, const struct gm_potts_problem *problem, void **state);
    size_t (*potts_workspace)(gm_call *call, const struct gm_potts_problem *problem, void *state,
                              int64_t chains); /* NULL: none */
    gm_status (*potts_run)(gm_call *call, const struct gm_potts_problem *problem, void *state,
                           const struct gm_potts_arrays *arrays);
    void (*potts_release)(gm_call *call, void *state);

    gm_status (*factor_prepare)(gm_call *call, const struct gm_factor_problem *problem,
                                void **state);
    size_t (*factor_workspace)(gm_call *call, const struct gm_factor_problem *problem, void *state,
                               int64_t chains); /* NULL: none */
    gm_status (*factor_run)(gm_call *call, const struct gm_factor_problem *problem, void *state,
                            const struct gm_factor_arrays *arrays);
    void (*factor_release)(gm_call *call, void *state);

    gm_status (*rbm_run)(gm_call *call, const struct gm_rbm_args *args);

    gm_status (*importance_prepare)(gm_call *call, const struct gm_importance_problem *problem,
                                    void **state);
    gm_status (*importance_draw)(gm_call *call, const struct gm_importance_problem *problem,
                                 void *state, const struct gm_importance_arrays *arrays);
    void (*importance_release)(gm_call *call, void *state);
    gm_status (*importance_weigh)(gm_call *call, const struct gm_weigh_args *args);
    size_t (*importance_weigh_workspace)(gm_call *call, const struct gm_weigh_args *args);
    gm_status (*importance_resample)(gm_call *call, const struct gm_resample_args *args);
    size_t (*importance_resample_workspace)(gm_call *call, const struct gm_resample_args *args);
    /* Loads the states, before their fields are made; lets the probes run. */
    gm_status (*hopfield_begin)(gm_call *call, const struct gm_hopfield_args *args);
    gm_status (*hopfield_run)(gm_call *call, const struct gm_hopfield_args *args);

    gm_status (*multispin_prepare)(gm_call *call, const struct gm_multispin_problem *problem,
                                   void **state);
    size_t (*multispin_workspace)(gm_call *call, const struct gm_multispin_problem *problem,
                                  void *state, int64_t chains); /* NULL: none */
    gm_status (*multispin_run)(gm_call *call, const struct gm_multispin_problem *problem,
                               void *state, const struct gm_multispin_arrays *arrays);
    gm_status (*multispin_convert)(gm_call *call, const struct gm_multispin_problem *problem,
                                   void *state, const struct gm_multispin_spins *spins);
    void (*multispin_release)(gm_call *call, void *state);

    gm_status (*gibbs_prepare)(gm_call *call, const struct gm_gibbs_problem *problem, void **state);
    gm_status (*gibbs_run)(gm_call *call, const struct gm_gibbs_problem *problem, void *state,
                           const struct gm_gibbs_arrays *arrays);
    void (*gibbs_release)(gm_call *call, void *state);
    gm_status (*correlations_prepare)(gm_call *call, const struct gm_correlations_problem *problem,
                                      void **state);
    size_t (*correlations_workspace)(gm_call *call, const struct gm_correlations_problem *problem,
                                     int64_t chains); /* NULL: none */
    gm_status (*correlations_add)(gm_call *call, const struct gm_correlations_problem *problem,
                                  void *state, const struct gm_correlations_arrays *arrays);
    void (*correlations_release)(gm_call *call, void *state);
    size_t (*multispin_correlate_workspace)(gm_call *call,
                                            const struct gm_multispin_problem *problem,
                                            const struct gm_multispin_pairs *arrays);
    gm_status (*multispin_correlate)(gm_call *call, const struct gm_multispin_problem *problem,
                                     void *state, const struct gm_multispin_pairs *arrays);
    gm_status (*density_annealing_step)(gm_call *call,
                                        const struct gm_density_annealing_args *args);

    /* Compiles a user's system (sde may be NULL) for an architecture such as 90 without running it;
     * *image is the machine code's size. NULL where nothing is compiled at run time. */
    gm_status (*system_compile)(gm_call *call, const struct gm_system *system,
                                const struct gm_sde *sde, gm_dtype dtype, int adaptive,
                                int architecture, size_t *image);
} gm_backend;

/* Bumped whenever gm_backend, gm_call or an args struct changes: an old module is refused. */
#define GM_MODULE_ABI 7

/* What a module exports: its table, or NULL if the ABI is not its own. */
typedef const gm_backend *(*gm_module_entry)(int abi);
#define GM_MODULE_ENTRY_NAME "gm_module_backend"

extern const gm_backend gm_backend_ref;
extern const gm_backend gm_backend_cpu;

#ifdef __cplusplus
}
#endif
#endif

/* What the two files of factor graphs on the CPU share. */
#ifndef GENMATH_HOST_CPU_FACTOR_H
#define GENMATH_HOST_CPU_FACTOR_H

#include "host/factor_graph_args.h"
#include "host/internal.h"

/* COLOURED, one chain after the other, the threads sharing each colour: factor_sites_cpu.c. */
size_t gm_cpu_factor_sites_workspace(gm_call *call, const gm_factor_problem *problem);
void gm_cpu_factor_sites(gm_call *call, const gm_factor_problem *problem,
                         const gm_factor_arrays *arrays);

#endif

/* What the two files of Potts chains on the CPU share. */
#ifndef GENMATH_HOST_CPU_POTTS_H
#define GENMATH_HOST_CPU_POTTS_H

#include "host/internal.h"
#include "host/potts_args.h"

/* COLOURED, one chain after the other, the threads sharing each colour: potts_sites_cpu.c. */
size_t gm_cpu_potts_sites_workspace(gm_call *call, const gm_potts_problem *problem);
void gm_cpu_potts_sites(gm_call *call, const gm_potts_problem *problem,
                        const gm_potts_arrays *arrays);

#endif

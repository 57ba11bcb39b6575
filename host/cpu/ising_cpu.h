/* What the two files of Ising chains on the CPU share. */
#ifndef GENMATH_HOST_CPU_ISING_H
#define GENMATH_HOST_CPU_ISING_H

#include "host/internal.h"
#include "host/ising_args.h"

static inline bool gm_ising_has_table(const gm_ising_problem *p) {
    return p->reach <= GM_ISING_TABLE_REACH;
}

/* COLOURED, one chain after the other, the threads sharing each colour: ising_sites_cpu.c. */
size_t gm_cpu_ising_sites_workspace(gm_call *call, const gm_ising_problem *problem);
void gm_cpu_ising_sites(gm_call *call, const gm_ising_problem *problem,
                        const gm_ising_arrays *arrays);

#endif

/* decompose.h on the CPU, for each element type. */
#include "host/cpu/linalg_cpu.h"

#define GM_LINALG_EACH "host/cpu/linalg_spectral.inc"
#include "host/cpu/linalg_each_type.inc"

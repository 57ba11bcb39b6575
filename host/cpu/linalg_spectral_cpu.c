/* decompose.h on the CPU, for each element type. */
#include "host/cpu/linalg_cpu.h"

#define GM_LINALG_TYPE 0
#include "host/cpu/linalg_type.inc"
#include "host/cpu/linalg_spectral.inc"
#undef GM_LINALG_TYPE
#define GM_LINALG_TYPE 1
#include "host/cpu/linalg_type.inc"
#include "host/cpu/linalg_spectral.inc"
#undef GM_LINALG_TYPE
#define GM_LINALG_TYPE 2
#include "host/cpu/linalg_type.inc"
#include "host/cpu/linalg_spectral.inc"
#undef GM_LINALG_TYPE
#define GM_LINALG_TYPE 3
#include "host/cpu/linalg_type.inc"
#include "host/cpu/linalg_spectral.inc"
#undef GM_LINALG_TYPE

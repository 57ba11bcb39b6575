/* Finding and loading the modules libgenmath-cuda.so and libgenmath-emu.so. */
#ifndef GENMATH_HOST_MODULE_H
#define GENMATH_HOST_MODULE_H

#include "host/backend.h"

/* Loads lib/libgenmath-<name>.so. NO_DEVICE, with the reason for gm_last_error(NULL), if there is none. */
gm_status gm_module_load(const char *name, void **module, const gm_backend **backend);

/* NULL is fine. */
void gm_module_unload(void *module);

#endif

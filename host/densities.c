/* The densities that are compiled into the library, found by name. */
#include <string.h>

#include <genmath/density.h>

#include "host/densities_list.h"

#define GM_DENSITY_ENTRY(name) &name,
static const gm_density *const densities[] = {GM_BUILTIN_DENSITIES(GM_DENSITY_ENTRY)};
enum { DENSITIES = sizeof densities / sizeof densities[0] };

const char *gm_density_builtin_name(int32_t index) {
    return index >= 0 && index < DENSITIES ? densities[index]->name : NULL;
}

const gm_density *gm_density_builtin(const char *name) {
    for (int32_t i = 0; name != NULL && i < DENSITIES; ++i) {
        if (strcmp(densities[i]->name, name) == 0) {
            return densities[i];
        }
    }
    return NULL;
}

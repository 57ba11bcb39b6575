/* The systems that are compiled into the library, found by name. */
#include <string.h>

#include <genmath/ode.h>
#include <genmath/sde.h>

#include "host/systems_list.h"

#define GM_SYSTEM_ENTRY(name) &name,
#define GM_SDE_ENTRY(name) &name##_sde,
static const gm_system *const systems[] = {GM_BUILTIN_SYSTEMS(GM_SYSTEM_ENTRY)};
static const gm_sde *const sdes[] = {GM_BUILTIN_SDES(GM_SDE_ENTRY)};

#define COUNT(array) ((int32_t)(sizeof(array) / sizeof(array)[0]))

const char *gm_system_builtin_name(int32_t index) {
    return index >= 0 && index < COUNT(systems) ? systems[index]->name : NULL;
}

const char *gm_sde_builtin_name(int32_t index) {
    return index >= 0 && index < COUNT(sdes) ? sdes[index]->drift->name : NULL;
}

const gm_system *gm_system_builtin(const char *name) {
    for (int32_t i = 0; name != NULL && i < COUNT(systems); ++i) {
        if (strcmp(systems[i]->name, name) == 0) {
            return systems[i];
        }
    }
    return NULL;
}

const gm_sde *gm_sde_builtin(const char *name) {
    for (int32_t i = 0; name != NULL && i < COUNT(sdes); ++i) {
        if (strcmp(sdes[i]->drift->name, name) == 0) {
            return sdes[i];
        }
    }
    return NULL;
}

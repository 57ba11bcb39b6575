/* The samplers that are compiled into the library, found by name. */
#include <string.h>

#include <genmath/gibbs.h>

#include "host/gibbs_list.h"

#define GM_GIBBS_ENTRY(name) &name,
static const gm_gibbs *const samplers[] = {GM_BUILTIN_GIBBS(GM_GIBBS_ENTRY)};
enum { SAMPLERS = sizeof samplers / sizeof samplers[0] };

const char *gm_gibbs_builtin_name(int32_t index) {
    return index >= 0 && index < SAMPLERS ? samplers[index]->name : NULL;
}

const gm_gibbs *gm_gibbs_builtin(const char *name) {
    for (int32_t i = 0; name != NULL && i < SAMPLERS; ++i) {
        if (strcmp(samplers[i]->name, name) == 0) {
            return samplers[i];
        }
    }
    return NULL;
}

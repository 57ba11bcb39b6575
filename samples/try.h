/* What the samples do with a status that is not OK: main says it and ends, others hand it on. */
#ifndef GENMATH_SAMPLES_TRY_H
#define GENMATH_SAMPLES_TRY_H

#include <stdio.h>
#include <stdlib.h>

#include <genmath/context.h>

/* In main, where a context of that name is open. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        const gm_status try_status = (call);                                                       \
        if (try_status != GM_STATUS_OK) {                                                          \
            printf("%s: %s\n", gm_status_name(try_status), gm_last_error(context));                \
            return EXIT_FAILURE;                                                                   \
        }                                                                                          \
    } while (0)

/* In a function that returns a status. */
#define PASS(call)                                                                                 \
    do {                                                                                           \
        const gm_status passed = (call);                                                           \
        if (passed != GM_STATUS_OK) {                                                              \
            return passed;                                                                         \
        }                                                                                          \
    } while (0)

#endif

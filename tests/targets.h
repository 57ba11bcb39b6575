/* The backends that operations run on, those of this machine. */
#ifndef GENMATH_TESTS_TARGETS_H
#define GENMATH_TESTS_TARGETS_H

#include "support.h"

typedef struct target {
    const char *name;
    gm_context_options options;
    gm_context *context; /* NULL: not on this machine */
} target;

/* ref, cpu with each instruction set and with threads, emu, cuda. */
enum { TARGETS = 7, REF = 0, FIRST_CPU = 1, THREADED = 4, MODULES = 5 };
extern target backends[TARGETS];

/* For cmocka_run_group_tests; what is not here is a printed, counted skip. */
int open_backends(void **state);
int close_backends(void **state);

/* true and a message for a target that this machine has not. */
#define FOR_EACH_TARGET(t)                                                                         \
    for (const target *t = backends; t < backends + TARGETS; ++t)                                  \
        if (t->context != NULL)

#endif

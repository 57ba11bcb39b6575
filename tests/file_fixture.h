/* What tests of files share: a folder of their own, the path of a file in it, a context. */
#ifndef GENMATH_TESTS_FILE_FIXTURE_H
#define GENMATH_TESTS_FILE_FIXTURE_H

#include "support.h"

#ifndef FIXTURE_FILE
#error "define FIXTURE_FILE, the file's name, first"
#endif

static char folder[PATH_MAX];
static char path[PATH_MAX + 16];
static gm_context *context;

static int begin(void **state) {
    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/" FIXTURE_FILE, folder);
    return gm_context_create(&(gm_context_options){.backend = GM_BACKEND_REF}, &context) !=
           GM_STATUS_OK;
}

static int end(void **state) {
    (void)state;
    gm_context_destroy(context);
    remove_folder(folder);
    return 0;
}

#endif

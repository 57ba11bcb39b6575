/*
 * Modules are looked for in $GENMATH_MODULE_PATH if set; else beside the file this code was linked
 * into (the shared library, or a program in build/), in ../lib from there, and where the dynamic
 * linker looks.
 */
#include "host/module.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "host/internal.h"

#define PATH_SIZE 4096

/* The folder of the file that holds this function, with its slash; "" if unknown. */
static void own_folder(char *folder) {
    Dl_info info;
    folder[0] = '\0';
    if (dladdr(&gm_backend_ref, &info) != 0 && info.dli_fname != NULL &&
        strlen(info.dli_fname) < PATH_SIZE) {
        strcpy(folder, info.dli_fname);
        char *slash = strrchr(folder, '/');
        if (slash != NULL) {
            slash[1] = '\0';
        } else {
            folder[0] = '\0';
        }
    }
}

/* A module stays mapped once loaded: the CUDA runtime inside it does not survive being unmapped and
 * mapped again within one process. */
#define OPEN_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)

static void *open_from(const char *folder, const char *between, const char *file) {
    char path[2 * PATH_SIZE];
    const int length = snprintf(path, sizeof path, "%s%s%s", folder, between, file);
    return length > 0 && (size_t)length < sizeof path ? dlopen(path, OPEN_FLAGS) : NULL;
}

gm_status gm_module_load(const char *name, void **module, const gm_backend **backend) {
    char file[64], folder[PATH_SIZE];
    snprintf(file, sizeof file, "libgenmath-%s.so", name);
    const char *named_folder = getenv("GENMATH_MODULE_PATH");
    void *handle = NULL;
    if (named_folder != NULL && named_folder[0] != '\0') {
        handle = open_from(named_folder, "/", file);
    } else {
        own_folder(folder);
        static const char *const places[] = {"", "../lib/", "../"};
        for (size_t i = 0; i < sizeof places / sizeof places[0] && handle == NULL && folder[0];
             ++i) {
            handle = open_from(folder, places[i], file);
        }
        if (handle == NULL) {
            handle = dlopen(file, OPEN_FLAGS);
        }
    }
    if (handle == NULL) {
        const char *reason = dlerror();
        return gm_fail(NULL, GM_STATUS_NO_DEVICE, "the %s module cannot be loaded: %s", name,
                       reason != NULL ? reason : "not found");
    }
    gm_module_entry entry;
    void *symbol = dlsym(handle, GM_MODULE_ENTRY_NAME);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function pointer */
    *backend = entry != NULL ? entry(GM_MODULE_ABI) : NULL;
    if (*backend == NULL) {
        dlclose(handle);
        return gm_fail(NULL, GM_STATUS_NO_DEVICE, "%s is of another version of genmath", file);
    }
    *module = handle;
    return GM_STATUS_OK;
}

void gm_module_unload(void *module) {
    if (module != NULL) {
        dlclose(module);
    }
}

/* The machine and memory of a backend that runs on the host. */
#include "host/host_memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/internal.h"

#define ALIGNMENT 64 /* a cache line, and the widest vector */

/* The processor's name as the kernel reports it; "" where it does not. */
static void processor_name(char *name, size_t size) {
    name[0] = '\0';
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            snprintf(name, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

gm_status gm_host_device_info(gm_call *call, gm_device_info *info) {
    processor_name(info->name, sizeof info->name);
    snprintf(info->detail, sizeof info->detail, "%s", gm_isa_name(call->isa));
    info->processors = gm_pool_threads(call->pool);
    info->memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    return GM_STATUS_OK;
}

gm_status gm_host_memory_alloc(gm_call *call, size_t bytes, void **memory) {
    const size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *memory = aligned_alloc(ALIGNMENT, rounded);
    return *memory != NULL
               ? GM_STATUS_OK
               : gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for %zu bytes", bytes);
}

gm_status gm_host_memory_free(gm_call *call, void *memory) {
    (void)call;
    free(memory);
    return GM_STATUS_OK;
}

gm_status gm_host_memory_upload(gm_call *call, void *memory, const void *host, size_t bytes) {
    (void)call;
    memmove(memory, host, bytes);
    return GM_STATUS_OK;
}

gm_status gm_host_memory_download(gm_call *call, void *host, const void *memory, size_t bytes) {
    (void)call;
    memmove(host, memory, bytes);
    return GM_STATUS_OK;
}

gm_status gm_host_synchronize(gm_call *call) {
    (void)call;
    return GM_STATUS_OK;
}

const char *gm_host_build_info(void) {
#ifdef __clang__
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

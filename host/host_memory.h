/* The machine and memory part of a backend that runs on the host: shared by ref and cpu. */
#ifndef GENMATH_HOST_MEMORY_H
#define GENMATH_HOST_MEMORY_H

#include "host/backend.h"

gm_status gm_host_device_info(gm_call *call, gm_device_info *info);
gm_status gm_host_memory_alloc(gm_call *call, size_t bytes, void **memory);
gm_status gm_host_memory_free(gm_call *call, void *memory);
gm_status gm_host_memory_upload(gm_call *call, void *memory, const void *host, size_t bytes);
gm_status gm_host_memory_download(gm_call *call, void *host, const void *memory, size_t bytes);
gm_status gm_host_synchronize(gm_call *call);
const char *gm_host_build_info(void);

#define GM_HOST_MEMORY_ENTRIES                                                             \
    .device_info = gm_host_device_info, .memory_alloc = gm_host_memory_alloc,              \
    .memory_free = gm_host_memory_free, .memory_upload = gm_host_memory_upload,            \
    .memory_download = gm_host_memory_download, .synchronize = gm_host_synchronize,        \
    .build_info = gm_host_build_info

#endif

/*
 * A context chooses the backend that runs the operations, and holds its threads, its stream and the
 * message of the last failure. One thread uses a context at a time; contexts are independent.
 */
#ifndef GENMATH_CONTEXT_H
#define GENMATH_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <genmath/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GM_VERSION_MAJOR 0
#define GM_VERSION_MINOR 1
#define GM_VERSION_PATCH 0
#define GM_VERSION_STRING "0.1.0"

/*
 * ref   the oracle: plain C in the order of the formula, one thread
 * cpu   threads and vectors
 * cuda  hand-written kernels on an NVIDIA GPU
 * emu   the same kernels on the CPU, under an emulator of CUDA's execution: to check them, not for
 * speed
 */
typedef enum gm_backend_id {
    GM_BACKEND_AUTO, /* $GENMATH_BACKEND if set, else cuda where a device is usable, else cpu */
    GM_BACKEND_REF,
    GM_BACKEND_CPU,
    GM_BACKEND_CUDA,
    GM_BACKEND_EMU
} gm_backend_id;

/* The vector instructions the cpu backend uses. */
typedef enum gm_isa {
    GM_ISA_AUTO, /* $GENMATH_ISA (base, avx2, avx512) if set, else the best this machine has */
    GM_ISA_BASE, /* what the compiler emits for the plain architecture: SSE2, or NEON */
    GM_ISA_AVX2,
    GM_ISA_AVX512
} gm_isa;

/* Zero is the default of every field. */
typedef struct gm_context_options {
    gm_backend_id backend;
    gm_isa isa;
    int32_t threads;        /* of the cpu backend; 0: one for each processor this process may use */
    int32_t device;         /* ordinal of the CUDA device */
    int32_t allow_fallback; /* 1: run on cpu or ref, with host tensors, what the backend lacks */
} gm_context_options;

typedef struct gm_context gm_context;

/*
 * Makes a context.
 * options  [in]  NULL for the defaults
 * context  [out] the handle; NULL on failure
 * Errors: INVALID_ARGUMENT (a field or an environment variable names nothing known), NO_DEVICE
 * (cuda or emu asked for by name and its module or device is missing), OUT_OF_MEMORY. On failure
 * gm_last_error(NULL) has the reason.
 */
gm_status gm_context_create(const gm_context_options *options, gm_context **context);

/* Ends a context; NULL is fine. Plans made from it must be destroyed first. */
void gm_context_destroy(gm_context *context);

/*
 * The reason of the last failure in this context, "" if none. With NULL: of the last failure of
 * gm_context_create, or of a function called with a null context, in this thread. The text is valid
 * until the next call.
 */
const char *gm_last_error(const gm_context *context);

/* The name of the kernel or code path that the last operation ran, "" before the first. */
const char *gm_last_kernel(const gm_context *context);

gm_backend_id gm_context_backend(const gm_context *context);
const char *gm_context_backend_name(const gm_context *context); /* "ref", "cpu", "cuda", "emu" */
gm_isa gm_context_isa(const gm_context *context);
int32_t gm_context_threads(const gm_context *context);

/* "base", "avx2", "avx512"; "auto" for anything else. */
const char *gm_isa_name(gm_isa isa);

/* Further operations of this context go to this cudaStream_t. NULL: the default stream. */
gm_status gm_context_set_stream(gm_context *context, void *stream);

/* Waits until the context's stream is done. Errors: DEVICE_ERROR (a kernel failed). */
gm_status gm_context_synchronize(gm_context *context);

/*
 * Memory where the backend's kernels can reach it: device memory for cuda and emu, else the heap
 * (64-byte aligned). Operations read and write only such memory; nothing is copied behind the
 * caller's back. bytes = 0 gives NULL. Errors: OUT_OF_MEMORY, INVALID_ARGUMENT.
 */
gm_status gm_memory_alloc(gm_context *context, size_t bytes, void **memory);
gm_status gm_memory_free(gm_context *context, void *memory);

/* Copies bytes from the host to the backend's memory and back, in stream order, and waits. */
gm_status gm_memory_upload(gm_context *context, void *memory, const void *host, size_t bytes);
gm_status gm_memory_download(gm_context *context, void *host, const void *memory, size_t bytes);

/* What is known of the machine a context runs on. */
typedef struct gm_device_info {
    char name[128];
    char detail[128]; /* compute capability and driver, or the vector instructions */
    int64_t memory_bytes;
    int32_t processors; /* multiprocessors, or threads */
} gm_device_info;

gm_status gm_context_device_info(gm_context *context, gm_device_info *info);

#ifdef __cplusplus
}
#endif
#endif

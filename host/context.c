/* Contexts: choosing a backend, its memory and its errors. */
#include <genmath/context.h>

#include <dlfcn.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "host/contract/plan.h"
#include "host/internal.h"
#include "host/module.h"

static _Thread_local char thread_error[512];

gm_status gm_fail(gm_context *context, gm_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context != NULL ? context->call.error : thread_error, sizeof thread_error, format,
              arguments);
    va_end(arguments);
    return status;
}

const char *gm_last_error(const gm_context *context) {
    return context != NULL ? context->call.error : thread_error;
}

const char *gm_last_kernel(const gm_context *context) {
    return context != NULL && context->call.kernel != NULL ? context->call.kernel : "";
}

/* A choice by name from the environment: the index in names, or -1 with the error said. */
static int choice_from_environment(const char *variable, const char *const *names, int count) {
    const char *value = getenv(variable);
    if (value == NULL || value[0] == '\0') {
        return 0;
    }
    for (int i = 0; i < count; ++i) {
        if (strcmp(value, names[i]) == 0) {
            return i;
        }
    }
    gm_fail(NULL, GM_STATUS_INVALID_ARGUMENT, "%s=%.64s in the environment names nothing known",
            variable, value);
    return -1;
}

static const char *const backend_names[] = {"auto", "ref", "cpu", "cuda", "emu"};
static const char *const isa_names[] = {"auto", "base", "avx2", "avx512"};

static int32_t usable_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    return CPU_COUNT(&set);
}

static gm_status open_module(gm_context *context, gm_backend_id id) {
    GM_TRY(gm_module_load(id == GM_BACKEND_CUDA ? "cuda" : "emu", &context->module,
                          &context->backend));
    context->id = id;
    const gm_status status = context->backend->open(&context->call);
    if (status != GM_STATUS_OK) {
        gm_fail(NULL, status, "%s: %s", context->backend->name, context->call.error);
        context->call.error[0] = '\0';
    }
    return status;
}

static gm_status choose_backend(gm_context *context, gm_backend_id id) {
    if (id == GM_BACKEND_AUTO) {
        const int choice = choice_from_environment("GENMATH_BACKEND", backend_names, 5);
        if (choice < 0) {
            return GM_STATUS_INVALID_ARGUMENT;
        }
        id = (gm_backend_id)choice;
        if (id == GM_BACKEND_AUTO) {
            if (open_module(context, GM_BACKEND_CUDA) == GM_STATUS_OK) {
                return GM_STATUS_OK;
            }
            gm_module_unload(context->module);
            context->module = NULL;
            thread_error[0] = '\0'; /* no GPU is no failure here */
            id = GM_BACKEND_CPU;
        }
    }
    if (id == GM_BACKEND_CUDA || id == GM_BACKEND_EMU) {
        return open_module(context, id);
    }
    context->id = id;
    context->backend = id == GM_BACKEND_REF ? &gm_backend_ref : &gm_backend_cpu;
    return GM_STATUS_OK;
}

static gm_status choose_isa(gm_context *context, gm_isa isa) {
    const gm_isa best = gm_isa_detect();
    if (isa == GM_ISA_AUTO) {
        const int choice = choice_from_environment("GENMATH_ISA", isa_names, 4);
        if (choice < 0) {
            return GM_STATUS_INVALID_ARGUMENT;
        }
        isa = choice == GM_ISA_AUTO ? best : (gm_isa)choice;
    }
    GM_CHECK(NULL, isa <= best, GM_STATUS_INVALID_ARGUMENT, "isa = %s: this machine has %s at best",
             gm_isa_name(isa), gm_isa_name(best));
    context->call.isa = isa;
    return GM_STATUS_OK;
}

static gm_status fill_context(const gm_context_options *options, gm_context *context) {
    GM_TRY(choose_isa(context, options->isa));
    context->call.device = options->device;
    context->call.pool =
        gm_pool_create(options->threads > 0 ? options->threads : usable_processors());
    GM_CHECK(NULL, context->call.pool != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory for the threads");
    GM_TRY(choose_backend(context, options->backend));
    context->fallback = options->allow_fallback ? &gm_backend_cpu : NULL;
    return GM_STATUS_OK;
}

gm_status gm_context_create(const gm_context_options *options, gm_context **context) {
    static const gm_context_options defaults;
    options = options != NULL ? options : &defaults;
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    *context = NULL;
    GM_CHECK(NULL, (unsigned)options->backend <= GM_BACKEND_EMU, GM_STATUS_INVALID_ARGUMENT,
             "options.backend = %d is not a backend", (int)options->backend);
    GM_CHECK(NULL, (unsigned)options->isa <= GM_ISA_AVX512, GM_STATUS_INVALID_ARGUMENT,
             "options.isa = %d is not an instruction set", (int)options->isa);
    GM_CHECK(NULL, options->threads >= 0 && options->threads <= 4096, GM_STATUS_INVALID_ARGUMENT,
             "options.threads = %d is not in 0 .. 4096", (int)options->threads);
    GM_CHECK(NULL, options->device >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.device = %d is negative", (int)options->device);
    gm_context *made = calloc(1, sizeof *made);
    GM_CHECK(NULL, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a context");
    const gm_status status = fill_context(options, made);
    if (status != GM_STATUS_OK) {
        gm_context_destroy(made);
        return status;
    }
    *context = made;
    return GM_STATUS_OK;
}

void gm_context_destroy(gm_context *context) {
    if (context == NULL) {
        return;
    }
    gm_contract_cache_destroy(context->contract_cache);
    gm_pool_destroy(context->call.pool);
    gm_module_unload(context->module);
    free(context);
}

gm_backend_id gm_context_backend(const gm_context *context) {
    return context != NULL ? context->id : GM_BACKEND_AUTO;
}

const char *gm_context_backend_name(const gm_context *context) {
    return backend_names[gm_context_backend(context)];
}

gm_isa gm_context_isa(const gm_context *context) {
    return context != NULL ? context->call.isa : GM_ISA_AUTO;
}

int32_t gm_context_threads(const gm_context *context) {
    return context != NULL ? gm_pool_threads(context->call.pool) : 0;
}

#define GM_CHECK_CONTEXT(context)                                                                  \
    GM_CHECK(NULL, (context) != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL")

gm_status gm_context_set_stream(gm_context *context, void *stream) {
    GM_CHECK_CONTEXT(context);
    if (stream != context->call.stream) {
        gm_contract_cache_forget_workspace(context->contract_cache);
    }
    context->call.stream = stream;
    return GM_STATUS_OK;
}

gm_status gm_context_synchronize(gm_context *context) {
    GM_CHECK_CONTEXT(context);
    return context->backend->synchronize(&context->call);
}

gm_status gm_memory_alloc(gm_context *context, size_t bytes, void **memory) {
    GM_CHECK_CONTEXT(context);
    GM_CHECK(context, memory != NULL, GM_STATUS_INVALID_ARGUMENT, "memory is NULL");
    *memory = NULL;
    if (bytes == 0) {
        return GM_STATUS_OK;
    }
    GM_CHECK(context, bytes <= PTRDIFF_MAX, GM_STATUS_OUT_OF_MEMORY,
             "bytes = %zu is more than any memory", bytes);
    return context->backend->memory_alloc(&context->call, bytes, memory);
}

gm_status gm_memory_free(gm_context *context, void *memory) {
    GM_CHECK_CONTEXT(context);
    return memory == NULL ? GM_STATUS_OK : context->backend->memory_free(&context->call, memory);
}

static gm_status check_copy(gm_context *context, const void *memory, const void *host,
                            size_t bytes) {
    GM_CHECK_CONTEXT(context);
    GM_CHECK(context, bytes == 0 || memory != NULL, GM_STATUS_INVALID_ARGUMENT, "memory is NULL");
    GM_CHECK(context, bytes == 0 || host != NULL, GM_STATUS_INVALID_ARGUMENT, "host is NULL");
    GM_CHECK(context,
             bytes == 0 || context->backend->memory_is_reachable == NULL ||
                 context->backend->memory_is_reachable(&context->call, memory),
             GM_STATUS_INVALID_ARGUMENT, "memory is not memory of the %s backend",
             context->backend->name);
    return GM_STATUS_OK;
}

gm_status gm_memory_upload(gm_context *context, void *memory, const void *host, size_t bytes) {
    GM_TRY(check_copy(context, memory, host, bytes));
    return bytes == 0 ? GM_STATUS_OK
                      : context->backend->memory_upload(&context->call, memory, host, bytes);
}

gm_status gm_memory_download(gm_context *context, void *host, const void *memory, size_t bytes) {
    GM_TRY(check_copy(context, memory, host, bytes));
    return bytes == 0 ? GM_STATUS_OK
                      : context->backend->memory_download(&context->call, host, memory, bytes);
}

gm_status gm_context_device_info(gm_context *context, gm_device_info *info) {
    GM_CHECK_CONTEXT(context);
    GM_CHECK(context, info != NULL, GM_STATUS_INVALID_ARGUMENT, "info is NULL");
    memset(info, 0, sizeof *info);
    return context->backend->device_info(&context->call, info);
}

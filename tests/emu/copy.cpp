// cudaMemcpy and cudaMemset with their asynchronous forms.
#include <string.h>

#include <memory>
#include <vector>

#include "runtime.h"

namespace emu {

namespace {

// Whether host code may name this memory as host memory. The emulator does not know all host
// memory, so it is what is not device memory.
bool is_host(const void *pointer, size_t bytes) {
    return pointer && !touches_device_memory(pointer, bytes);
}

bool is_device(const void *pointer, size_t bytes) {
    return memory_of(pointer, bytes) == memory_kind::device;
}

// Pinned memory is mapped into the device's address space, so either name fits it.
bool fits(const void *pointer, size_t bytes, bool device) {
    return device ? memory_of(pointer, bytes) != memory_kind::unknown : is_host(pointer, bytes);
}

struct copy_request {
    char *target;
    const char *source;
    size_t bytes;
    bool to_device, from_device;
};

cudaError_t check_copy(void *target, const void *source, size_t bytes, cudaMemcpyKind kind,
                       copy_request &request) {
    request = {static_cast<char *>(target), static_cast<const char *>(source), bytes, false, false};
    switch (kind) {
    case cudaMemcpyHostToHost:
        break;
    case cudaMemcpyHostToDevice:
        request.to_device = true;
        break;
    case cudaMemcpyDeviceToHost:
        request.from_device = true;
        break;
    case cudaMemcpyDeviceToDevice:
        request.to_device = request.from_device = true;
        break;
    case cudaMemcpyDefault:
        request.to_device = is_device(target, bytes);
        request.from_device = is_device(source, bytes);
        break;
    default:
        return cudaErrorInvalidMemcpyDirection;
    }
    if (bytes == 0) {
        return cudaSuccess;
    }
    return fits(target, bytes, request.to_device) && fits(source, bytes, request.from_device)
               ? cudaSuccess
               : cudaErrorInvalidValue;
}

// The memory may have been freed since the copy was queued.
cudaError_t perform(const copy_request &copy, const char *source) {
    if (!fits(copy.target, copy.bytes, copy.to_device) ||
        (source == copy.source && !fits(source, copy.bytes, copy.from_device))) {
        report_text("an asynchronous copy ran after its memory had been freed");
        return cudaErrorIllegalAddress;
    }
    memmove(copy.target, source, copy.bytes);
    return cudaSuccess;
}

cudaError_t queue_copy(const copy_request &copy, cudaStream_t stream) {
    bool source_is_pageable =
        !copy.from_device && memory_of(copy.source, copy.bytes) == memory_kind::unknown;
    if (source_is_pageable) {
        // CUDA takes pageable memory into a buffer of its own before the call returns.
        auto staged = std::make_shared<std::vector<char>>(copy.source, copy.source + copy.bytes);
        return queue_work(stream, [copy, staged] { return perform(copy, staged->data()); });
    }
    return queue_work(stream, [copy] { return perform(copy, copy.source); });
}

cudaError_t fill(void *target, int value, size_t bytes) {
    if (!fits(target, bytes, true)) {
        report_text("an asynchronous memset ran after its memory had been freed");
        return cudaErrorIllegalAddress;
    }
    memset(target, value, bytes);
    return cudaSuccess;
}

cudaError_t queue_fill(void *target, int value, size_t bytes, cudaStream_t stream) {
    if (!stream_exists(stream)) {
        return cudaErrorInvalidResourceHandle;
    }
    if (bytes == 0) {
        return cudaSuccess;
    }
    if (!fits(target, bytes, true)) {
        return cudaErrorInvalidValue;
    }
    return queue_work(stream, [=] { return fill(target, value, bytes); });
}

} // namespace

} // namespace emu

using namespace emu;

extern "C" {

cudaError_t cudaMemcpy(void *target, const void *source, size_t bytes, enum cudaMemcpyKind kind) {
    return entry([&] {
        copy_request copy;
        cudaError_t error = check_copy(target, source, bytes, kind, copy);
        if (error != cudaSuccess || bytes == 0) {
            return error;
        }
        error = queue_work(nullptr, [copy] { return perform(copy, copy.source); });
        return error != cudaSuccess ? error : run_stream(nullptr);
    });
}

cudaError_t cudaMemcpyAsync(void *target, const void *source, size_t bytes,
                            enum cudaMemcpyKind kind, cudaStream_t stream) {
    return entry([&] {
        copy_request copy;
        cudaError_t error = check_copy(target, source, bytes, kind, copy);
        if (error == cudaSuccess && !stream_exists(stream)) {
            error = cudaErrorInvalidResourceHandle;
        }
        if (error != cudaSuccess || bytes == 0) {
            return error;
        }
        error = queue_copy(copy, stream);
        if (!copy.to_device) {
            // Until the stream is synchronised the host has nothing to read here. CUDA happens to
            // wait where the target is pageable; programs are not meant to rely on it.
            memset(target, poison, bytes);
        }
        return error;
    });
}

cudaError_t cudaMemset(void *target, int value, size_t bytes) {
    return entry([&] { return queue_fill(target, value, bytes, nullptr); });
}

cudaError_t cudaMemsetAsync(void *target, int value, size_t bytes, cudaStream_t stream) {
    return entry([&] { return queue_fill(target, value, bytes, stream); });
}

} // extern "C"

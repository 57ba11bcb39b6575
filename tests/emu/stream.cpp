// Streams and events. Work is queued and runs when something waits for it: a synchronisation, a
// blocking copy, the end of a stream. A program that forgets to wait therefore sees the poison that
// was there before.
//
// Every piece of work has a number, in the order of the calls. Work depends on the work before it
// in its stream; on an event's work; and, as CUDA's legacy default stream wants it, work in the
// default stream on all earlier work in blocking streams and the other way round. Only what a
// synchronisation depends on runs, so work in another stream that is not ordered by an event does
// not happen to be done already.
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "runtime.h"

struct CUevent_st {
    bool timed;
    bool recorded = false;
    cudaStream_t stream = nullptr; // of the last record
    uint64_t recorded_by = 0;      // number of the last record
    uint64_t done_by = 0;          // number of the last record that has run
    timespec time = {};
};

namespace emu {

namespace {

using event_pointer = std::shared_ptr<CUevent_st>;

struct work_item {
    uint64_t number;
    std::function<cudaError_t()> run;
    cudaStream_t waits_for_stream; // with waits_for = 0: for nothing
    uint64_t waits_for;
};

} // namespace

} // namespace emu

struct CUstream_st {
    bool blocking; // ordered with the default stream
    std::deque<emu::work_item> work;
};

namespace emu {

namespace {

uint64_t last_number;

// The default stream is the first and is known to programs as the null pointer.
std::vector<std::unique_ptr<CUstream_st>> &streams() {
    static std::vector<std::unique_ptr<CUstream_st>> all = [] {
        std::vector<std::unique_ptr<CUstream_st>> initial;
        initial.push_back(std::make_unique<CUstream_st>(CUstream_st{true, {}}));
        return initial;
    }();
    return all;
}

std::vector<event_pointer> events;

CUstream_st *find_stream(cudaStream_t handle) {
    if (!handle || handle == cudaStreamLegacy) {
        return streams().front().get();
    }
    for (const auto &stream : streams()) {
        if (stream.get() == handle && stream != streams().front()) {
            return handle;
        }
    }
    return nullptr;
}

event_pointer find_event(cudaEvent_t handle) {
    for (const event_pointer &event : events) {
        if (event.get() == handle) {
            return event;
        }
    }
    return nullptr;
}

void run_until(CUstream_st *stream, uint64_t number);

void run_first(CUstream_st *stream) {
    const work_item &first = stream->work.front();
    CUstream_st *null_stream = streams().front().get();
    if (stream == null_stream) {
        for (size_t i = 1; i < streams().size(); ++i) {
            if (streams()[i]->blocking) {
                run_until(streams()[i].get(), first.number - 1);
            }
        }
    } else if (stream->blocking) {
        run_until(null_stream, first.number - 1);
    }
    if (first.waits_for != 0) {
        // A stream that has been destroyed since has no work left.
        if (CUstream_st *other = find_stream(first.waits_for_stream)) {
            run_until(other, first.waits_for);
        }
    }
    work_item item = std::move(stream->work.front());
    stream->work.pop_front();
    if (item.run && sticky_error() == cudaSuccess) {
        device_section open;
        cudaError_t error = item.run();
        if (error != cudaSuccess) {
            set_sticky_error(error);
        }
    }
}

void run_until(CUstream_st *stream, uint64_t number) {
    while (!stream->work.empty() && stream->work.front().number <= number) {
        run_first(stream);
    }
}

cudaError_t append(cudaStream_t handle, std::function<cudaError_t()> run,
                   cudaStream_t waits_for_stream = nullptr, uint64_t waits_for = 0) {
    CUstream_st *stream = find_stream(handle);
    if (!stream) {
        return cudaErrorInvalidResourceHandle;
    }
    stream->work.push_back({++last_number, std::move(run), waits_for_stream, waits_for});
    return cudaSuccess;
}

bool event_done(const CUevent_st &event) {
    return event.done_by >= event.recorded_by;
}

cudaError_t create_stream(cudaStream_t *stream, unsigned flags) {
    if (!stream || (flags & ~cudaStreamNonBlocking)) {
        return cudaErrorInvalidValue;
    }
    streams().push_back(
        std::make_unique<CUstream_st>(CUstream_st{!(flags & cudaStreamNonBlocking), {}}));
    *stream = streams().back().get();
    return cudaSuccess;
}

cudaError_t destroy_stream(cudaStream_t handle) {
    CUstream_st *stream = handle ? find_stream(handle) : nullptr;
    if (!stream || stream == streams().front().get()) {
        return cudaErrorInvalidResourceHandle;
    }
    run_until(stream, UINT64_MAX);
    auto &all = streams();
    all.erase(std::find_if(all.begin(), all.end(),
                           [stream](const auto &entry) { return entry.get() == stream; }));
    return cudaSuccess;
}

cudaError_t create_event(cudaEvent_t *event, unsigned flags) {
    if (!event || (flags & ~(cudaEventBlockingSync | cudaEventDisableTiming))) {
        return cudaErrorInvalidValue;
    }
    events.push_back(std::make_shared<CUevent_st>());
    events.back()->timed = !(flags & cudaEventDisableTiming);
    *event = events.back().get();
    return cudaSuccess;
}

cudaError_t record_event(cudaEvent_t handle, cudaStream_t stream) {
    event_pointer event = find_event(handle);
    if (!event || !find_stream(stream)) {
        return cudaErrorInvalidResourceHandle;
    }
    uint64_t number = last_number + 1;
    event->recorded = true;
    event->stream = stream;
    event->recorded_by = number;
    return append(stream, [event, number] {
        event->done_by = number;
        clock_gettime(CLOCK_MONOTONIC, &event->time);
        return cudaSuccess;
    });
}

cudaError_t elapsed_time(float *milliseconds, cudaEvent_t start, cudaEvent_t end) {
    event_pointer first = find_event(start);
    event_pointer second = find_event(end);
    if (!first || !second || !first->timed || !second->timed || !first->recorded ||
        !second->recorded) {
        return cudaErrorInvalidResourceHandle;
    }
    if (!milliseconds) {
        return cudaErrorInvalidValue;
    }
    if (!event_done(*first) || !event_done(*second)) {
        return cudaErrorNotReady;
    }
    double seconds = static_cast<double>(second->time.tv_sec - first->time.tv_sec);
    double nanoseconds = static_cast<double>(second->time.tv_nsec - first->time.tv_nsec);
    *milliseconds = static_cast<float>(seconds * 1e3 + nanoseconds * 1e-6);
    return cudaSuccess;
}

} // namespace

bool stream_exists(cudaStream_t stream) {
    return find_stream(stream) != nullptr;
}

cudaError_t queue_work(cudaStream_t stream, std::function<cudaError_t()> work) {
    return append(stream, std::move(work));
}

cudaError_t run_stream(cudaStream_t handle) {
    CUstream_st *stream = find_stream(handle);
    if (!stream) {
        return cudaErrorInvalidResourceHandle;
    }
    device_section open;
    run_until(stream, UINT64_MAX);
    return sticky_error();
}

cudaError_t run_all_streams() {
    device_section open;
    for (size_t i : stream_order(streams().size())) {
        run_until(streams()[i].get(), UINT64_MAX);
    }
    return sticky_error();
}

void drop_pending_work() {
    for (const auto &stream : streams()) {
        stream->work.clear();
    }
    for (const event_pointer &event : events) {
        event->done_by = event->recorded_by;
    }
}

} // namespace emu

using namespace emu;

extern "C" {

cudaError_t cudaDeviceSynchronize(void) {
    return entry([] { return run_all_streams(); });
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) {
    return entry([&] { return create_stream(stream, cudaStreamDefault); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
    return entry([&] { return create_stream(stream, flags); });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    return entry([&] { return destroy_stream(stream); });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    return entry([&] { return run_stream(stream); });
}

// Each query that finds work runs one piece of it, so that a loop of queries ends.
cudaError_t cudaStreamQuery(cudaStream_t handle) {
    return entry([&] {
        CUstream_st *stream = find_stream(handle);
        if (!stream) {
            return cudaErrorInvalidResourceHandle;
        }
        if (stream->work.empty()) {
            return cudaSuccess;
        }
        run_first(stream);
        return cudaErrorNotReady;
    });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t handle, unsigned flags) {
    return entry([&] {
        event_pointer event = find_event(handle);
        if (!event || !find_stream(stream)) {
            return cudaErrorInvalidResourceHandle;
        }
        if (flags != 0) {
            return cudaErrorInvalidValue;
        }
        return event->recorded ? append(stream, nullptr, event->stream, event->recorded_by)
                               : cudaSuccess;
    });
}

cudaError_t cudaEventCreate(cudaEvent_t *event) {
    return entry([&] { return create_event(event, cudaEventDefault); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
    return entry([&] { return create_event(event, flags); });
}

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
    return entry([&] {
        event_pointer event = find_event(handle);
        if (!event) {
            return cudaErrorInvalidResourceHandle;
        }
        events.erase(std::find(events.begin(), events.end(), event));
        return cudaSuccess;
    });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    return entry([&] { return record_event(event, stream); });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
    return entry([&] {
        event_pointer event = find_event(handle);
        if (!event) {
            return cudaErrorInvalidResourceHandle;
        }
        CUstream_st *stream = event->recorded ? find_stream(event->stream) : nullptr;
        if (stream) {
            run_until(stream, event->recorded_by);
        }
        return cudaSuccess;
    });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
    return entry([&] {
        event_pointer event = find_event(handle);
        if (!event) {
            return cudaErrorInvalidResourceHandle;
        }
        if (event_done(*event)) {
            return cudaSuccess;
        }
        run_first(find_stream(event->stream));
        return cudaErrorNotReady;
    });
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end) {
    return entry([&] { return elapsed_time(milliseconds, start, end); });
}

} // extern "C"

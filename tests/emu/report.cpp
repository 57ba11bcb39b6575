// The text of what went wrong.
#include <stdarg.h>
#include <stdio.h>

#include "hopper.h"
#include "runtime.h"

namespace emu {

namespace {

std::string text;

std::string place(site at) {
    return format_text("%s:%d", at.file, at.line);
}

std::string describe(const thread_record &thread) {
    switch (thread.state) {
    case thread_state::done:
        return "exited";
    case thread_state::at_barrier: {
        static const char *const names[] = {"__syncthreads", "__syncthreads_count",
                                            "__syncthreads_and", "__syncthreads_or"};
        return format_text("at %s, %s", names[static_cast<int>(thread.barrier)],
                           place(thread.at).c_str());
    }
    case thread_state::at_collective:
        return format_text("at %s, mask 0x%08x, %s", thread.collective->name, thread.mask,
                           place(thread.at).c_str());
    case thread_state::at_mbarrier:
        return "waits for " + hopper_describe_wait(thread) + ", " + place(thread.at);
    case thread_state::at_warpgroup:
        return "at wgmma, " + place(thread.at);
    default:
        break;
    }
    if (!thread.started) {
        return "not started";
    }
    const char *verb = &thread == running ? "running" : "ready to run";
    return thread.at.file ? format_text("%s, last at %s", verb, place(thread.at).c_str())
                          : format_text("%s, no barrier or warp function before", verb);
}

// The threads in one state, as "0-39, 64".
struct thread_group {
    std::string state;
    std::string numbers;
    unsigned count;
    unsigned ranges;
};

constexpr unsigned listed_ranges = 16;

std::vector<thread_group> group_threads() {
    std::vector<thread_group> groups;
    for (unsigned first = 0; first < block.threads;) {
        const std::string state = describe(threads[first]);
        unsigned last = first;
        while (last + 1 < block.threads && describe(threads[last + 1]) == state) {
            ++last;
        }
        thread_group *group = nullptr;
        for (thread_group &known : groups) {
            group = known.state == state ? &known : group;
        }
        if (!group) {
            groups.push_back({state, "", 0, 0});
            group = &groups.back();
        }
        if (group->ranges < listed_ranges) {
            group->numbers += group->ranges == 0 ? "" : ", ";
            group->numbers +=
                first == last ? format_text("%u", first) : format_text("%u-%u", first, last);
        } else if (group->ranges == listed_ranges) {
            group->numbers += ", ...";
        }
        group->count += last - first + 1;
        ++group->ranges;
        first = last + 1;
    }
    return groups;
}

} // namespace

std::string format_text(const char *format, ...) {
    char buffer[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return buffer;
}

const std::string &report() {
    return text;
}

void clear_report() {
    text.clear();
}

void report_text(const std::string &line) {
    text = line + "\n";
}

std::string launch_description() {
    const launch_config &config = block.launch->config;
    return format_text(
        "kernel %s<<<(%u,%u,%u), (%u,%u,%u), %zu>>>, launched at %s, schedule %s, block (%u,%u,%u)",
        config.kernel, config.grid.x, config.grid.y, config.grid.z, config.block.x, config.block.y,
        config.block.z, config.shared_bytes, place(config.at).c_str(), schedule_name(),
        block.index.x, block.index.y, block.index.z);
}

void report_kernel(const std::string &headline) {
    text = launch_description() + ": " + headline + "\n";
    if (running) {
        text += format_text("  in thread (%u,%u,%u)\n", running->index.x, running->index.y,
                            running->index.z);
    }
    for (const thread_group &group : group_threads()) {
        text += format_text("  %s %s: %s\n", group.count == 1 ? "thread" : "threads",
                            group.numbers.c_str(), group.state.c_str());
    }
}

namespace {

void print_description() {
    if (block.launch) {
        fprintf(stderr, "emulator: %s\n", launch_description().c_str());
    }
}

} // namespace

void name_launch_on_death() {
    if (__sanitizer_set_death_callback && under_asan()) {
        __sanitizer_set_death_callback(print_description);
    }
}

} // namespace emu

// The thread sanitizer calls this for each of its reports.
extern "C" void __tsan_on_report(void *) {
    emu::print_description();
}

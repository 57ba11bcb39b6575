// Runs every seeded bug and its corrected twin in a process of its own. The twin must be silent in
// every build; the bug must be caught where the table says so, by what the table says.
//
// In the plain build a bug shows as a wrong result, because memory is poisoned and schedules
// differ, or in the emulator's report. What only exists as a data race needs the thread sanitizer,
// and a misaligned access the sanitizer of undefined behaviour.
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "emu_test.h"

namespace {

struct expectation {
    const char *name;
    const char *plain, *asan, *tsan; // what the output must hold; null: not visible in this build
};

const char race[] = "data race";
const char wrong[] = "wrong result";
const char overwrites[] = "it overwrites what a wgmma reads";

// clang does not check the alignment of a whole struct that is copied, g++ does.
#if defined(__clang__)
const char *const misaligned_text = nullptr;
#else
const char *const misaligned_text = "misaligned address";
#endif

const expectation table[] = {
    {"missing_barrier", wrong, wrong, race},
    {"missing_syncwarp", wrong, wrong, race},
    {"stale_shared", wrong, wrong, race},
    {"missing_atomic", nullptr, nullptr, race},
    {"block_race", nullptr, nullptr, race},
    {"block_order", "schedule reverse", "schedule reverse", race},
    {"missing_fence", nullptr, nullptr, race},
    {"divergent_barrier", "different barriers", "different barriers", "different barriers"},
    {"absent_lane", "reads lane 8, which does", "reads lane 8", "reads lane 8"},
    {"wrong_mask", "does not name", "does not name", "does not name"},
    {"early_exit", "which has exited", "which has exited", "which has exited"},
    {"deadlock", "deadlock", "deadlock", "deadlock"},
    {"shared_bounds", "of shared memory, which has 1024", "AddressSanitizer", "of shared memory"},
    {"global_bounds", "of an allocation of 404", "use-after-poison", "of an allocation of 404"},
    {"use_after_free", "has been freed", "AddressSanitizer: SEGV", "has been freed"},
    {"misaligned", nullptr, misaligned_text, nullptr},
    {"uninitialised", wrong, wrong, wrong},
    {"shared_uninitialised", wrong, wrong, wrong},
    {"missing_wait", wrong, wrong, wrong},
    {"short_wait", wrong, wrong, wrong},
    {"large_frame", "has overflowed", "stack-overflow", "has overflowed"},
    {"missing_synchronise", wrong, wrong, wrong},
    {"missing_event", wrong, wrong, wrong},
    {"host_access", "signal 11", "SEGV", "SEGV"},
    {"missing_full_wait", overwrites, overwrites, overwrites},
    {"wrong_phase", overwrites, overwrites, overwrites},
    {"missing_empty_wait", "has had its 1 arrivals", "has had its 1", "has had its 1"},
    {"early_release", overwrites, overwrites, overwrites},
    {"short_expect", "-8192 bytes are missing", "-8192 bytes", "-8192 bytes"},
    {"missing_init_fence", "no fence after the init", "no fence", "no fence"},
    {"missing_wgmma_fence", "no wgmma.fence", "no wgmma.fence", "no wgmma.fence"},
    {"missing_commit", overwrites, overwrites, overwrites},
    {"missing_wgmma_wait", overwrites, overwrites, overwrites},
    {"wrong_stride", "B is still being written", "B is still being", "B is still being"},
    {"divergent_operand", "threads 0 and 77 differ", "0 and 77", "0 and 77"},
    {"product_at_exit", "exits with products", "exits with", "exits with"},
};

std::string program() {
    char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(length > 0);
    path[length] = '\0';
    return std::string(dirname(path)) + "/seeded_bugs";
}

struct outcome {
    bool failed;
    std::string output;
};

outcome run(const char *name, const char *variant) {
    const std::string command = program() + " " + name + " " + variant + " 2>&1";
    FILE *pipe = popen(("exec " + command).c_str(), "r");
    assert_non_null(pipe);
    outcome result;
    char buffer[4096];
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
        result.output.append(buffer, n);
    }
    const int status = pclose(pipe);
    result.failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (WIFSIGNALED(status)) {
        result.output += "signal " + std::to_string(WTERMSIG(status));
    }
    return result;
}

const char *expected_text(const expectation &entry) {
#if EMU_TEST_ASAN
    return entry.asan;
#elif EMU_TEST_TSAN
    return entry.tsan;
#else
    return entry.plain;
#endif
}

void test_corrected_kernels_are_silent(void **) {
    for (const expectation &entry : table) {
        const outcome twin = run(entry.name, "fixed");
        if (twin.failed || !twin.output.empty()) {
            print_message("%s, corrected:\n%s\n", entry.name, twin.output.c_str());
        }
        assert_false(twin.failed);
        assert_string_equal(twin.output.c_str(), "");
    }
}

void test_seeded_bugs_are_caught(void **) {
    int caught = 0;
    for (const expectation &entry : table) {
        const char *text = expected_text(entry);
        if (!text) {
            continue;
        }
        const outcome bug = run(entry.name, "bug");
        const bool found = bug.output.find(text) != std::string::npos;
        if (!bug.failed || !found) {
            print_message("%s: expected '%s' in:\n%s\n", entry.name, text, bug.output.c_str());
        }
        assert_true(bug.failed);
        assert_true(found);
        ++caught;
    }
    print_message("caught %d of %zu seeded bugs in this build\n", caught,
                  sizeof table / sizeof table[0]);
}

// Whoever detects it, the output says under which schedule the kernel ran.
void test_failures_name_the_schedule(void **) {
    for (const char *name : {"divergent_barrier", "global_bounds", "missing_barrier"}) {
        const outcome bug = run(name, "bug");
        assert_true(bug.output.find("schedule forward") != std::string::npos);
    }
}

void test_schedule_from_the_environment(void **) {
    setenv("GENMATH_EMU_SCHEDULE", "random:42", 1);
    assert_true(run("schedule", "show").output == "random:42\n");
    setenv("GENMATH_EMU_SCHEDULE", "no such schedule", 1);
    const outcome unknown = run("schedule", "show");
    assert_true(unknown.failed && unknown.output == "no schedule: launches fail\n");
    unsetenv("GENMATH_EMU_SCHEDULE");
    assert_true(run("schedule", "show").output == "forward\n");
}

} // namespace

int main() {
    // One race is enough to be caught, and no other OS thread is waited for at the end.
    setenv("TSAN_OPTIONS", "halt_on_error=1:atexit_sleep_ms=0", 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corrected_kernels_are_silent),
        cmocka_unit_test(test_seeded_bugs_are_caught),
        cmocka_unit_test(test_failures_name_the_schedule),
        cmocka_unit_test(test_schedule_from_the_environment),
    };
    return cmocka_run_group_tests_name("emu seeded bugs", tests, nullptr, nullptr);
}

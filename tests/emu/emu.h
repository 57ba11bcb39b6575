/* Control of the emulator, for tests. The CUDA side of it is cuda_runtime.h. */
#ifndef GENMATH_EMU_H
#define GENMATH_EMU_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Chooses the order in which threads and blocks run, for the launches executed from now on:
 * "forward"      threads and blocks in ascending order
 * "reverse"      in descending order
 * "warp-ahead"   one warp of each block runs as far as it can before the others; one block is first
 * "random:SEED"  a random ready thread at every switch, blocks in a random order; "random" draws
 *                the seed from the clock
 * Without this call the environment variable GENMATH_EMU_SCHEDULE decides, else "forward".
 * Returns 0, or -1 if the name is unknown, and then nothing has changed.
 */
int emu_set_schedule(const char *name);

/* The schedule in use, with its seed: passed to emu_set_schedule it repeats the run. */
const char *emu_schedule(void);

/*
 * What went wrong in the last kernel that failed, or in the last copy between streams: kernel,
 * schedule, block, every thread's state with file and line. Empty if nothing did.
 */
const char *emu_report(void);

/* Forgets a sticky error, the report and all work not yet executed. Allocations stay. */
void emu_reset(void);

/*
 * Whether host code that reads or writes device memory faults (1, the default) or sees it (0).
 * Returns the setting before the call.
 */
int emu_protect_memory(int on);

#ifdef __cplusplus
}
#endif

#endif

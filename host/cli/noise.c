/* genmath noise: the library's random words on standard output, for batteries of statistical tests.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <genmath/philox.h>
#include <genmath/random.h>

#include "host/cli/cli.h"

enum { CHUNK_WORDS = 1 << 18, MOST_INTERLEAVED = 1 << 16 };

typedef struct noise_options {
    gm_cli_options common;
    uint32_t stream;
    int64_t interleave; /* 0: the sequence of gm_random_fill_u32 */
    int64_t bytes;      /* 0: until the reader stops */
} noise_options;

static const struct argp_option options[] = {
    {"stream", 's', "ID", 0, "stream, 0 to 255 (default: 0)", 0},
    {"interleave", 'n', "N", 0,
     "draw from N indices in turn, as N trajectories do that advance together (default: one "
     "sequence, as gm_random_fill_u32 writes it)",
     0},
    {"bytes", 'B', "B", 0, "stop after B bytes (default: when the reader does)", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state) {
    noise_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->common;
        return 0;
    case 's':
        o->stream = (uint32_t)gm_cli_parse_integer(state, "stream", argument, 0, 255);
        return 0;
    case 'n':
        o->interleave = gm_cli_parse_integer(state, "interleave", argument, 1, MOST_INTERLEAVED);
        return 0;
    case 'B':
        o->bytes = gm_cli_parse_integer(state, "bytes", argument, 1, INT64_MAX);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Words of draws 4 block .. 4 block + 3 of all indices: draw after draw, in each the indices in
 * turn. */
static void interleaved_block(const noise_options *o, uint64_t block, uint32_t *words) {
    const size_t n = (size_t)o->interleave;
    for (size_t i = 0; i < n; ++i) {
        const gm_words w = gm_philox_block(o->common.seed, i, o->stream, block);
        words[i] = w.w0;
        words[n + i] = w.w1;
        words[2 * n + i] = w.w2;
        words[3 * n + i] = w.w3;
    }
}

/* Writes all of it; false at the end of the reader's interest or, with a message, on an error. */
static bool write_all(const void *data, size_t bytes, int *exit_code) {
    const char *at = data;
    while (bytes > 0) {
        const ssize_t written = write(STDOUT_FILENO, at, bytes);
        if (written >= 0) {
            at += written;
            bytes -= (size_t)written;
        } else if (errno != EINTR) {
            if (errno != EPIPE) {
                gm_cli_error("standard output: %s", strerror(errno));
                *exit_code = GM_EXIT_FAILURE;
            }
            return false;
        }
    }
    return true;
}

/* The next chunk of words on the host; their number, or 0 after a failure that was reported. */
static size_t next_chunk(const noise_options *o, gm_context *context, void *memory, uint64_t chunk,
                         uint32_t *words) {
    if (o->interleave > 0) {
        const size_t block_words = 4 * (size_t)o->interleave;
        const size_t blocks = CHUNK_WORDS / block_words;
        for (size_t i = 0; i < blocks; ++i) {
            interleaved_block(o, chunk * blocks + i, words + i * block_words);
        }
        return blocks * block_words;
    }
    const gm_random_stream stream = {o->common.seed, chunk * CHUNK_WORDS, o->stream};
    const gm_tensor out = gm_tensor_1d(memory, GM_U32, CHUNK_WORDS);
    gm_status status = gm_random_fill_u32(context, &stream, &out);
    if (status == GM_STATUS_OK) {
        status = gm_memory_download(context, words, memory, CHUNK_WORDS * sizeof *words);
    }
    if (status != GM_STATUS_OK) {
        gm_cli_fail(context, status, "drawing words");
        return 0;
    }
    return CHUNK_WORDS;
}

static int write_noise(const noise_options *o, gm_context *context) {
    int exit_code = GM_EXIT_OK;
    void *memory = NULL;
    uint32_t *words = malloc(CHUNK_WORDS * sizeof *words);
    const gm_status status = gm_memory_alloc(context, CHUNK_WORDS * sizeof *words, &memory);
    if (words == NULL || status != GM_STATUS_OK) {
        free(words);
        return gm_cli_fail(context, words == NULL ? GM_STATUS_OUT_OF_MEMORY : status, "a buffer");
    }
    uint64_t left = o->bytes > 0 ? (uint64_t)o->bytes : UINT64_MAX;
    for (uint64_t chunk = 0; left > 0; ++chunk) {
        const size_t bytes = next_chunk(o, context, memory, chunk, words) * sizeof *words;
        const size_t wanted = bytes < left ? bytes : (size_t)left;
        if (bytes == 0) {
            exit_code = GM_EXIT_FAILURE;
            break;
        }
        if (!write_all(words, wanted, &exit_code)) {
            break;
        }
        left -= wanted;
    }
    gm_memory_free(context, memory);
    free(words);
    return exit_code;
}

int gm_cli_noise(int argc, char **argv) {
    static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .children = children,
        .doc = "Writes the library's 32-bit random words to standard output, raw, for batteries of "
               "statistical tests.\v"
               "Examples:\n"
               "  genmath noise --seed 1 | dieharder -g 200 -a\n"
               "  genmath noise --interleave 1024 | RNG_test stdin32\n"
               "\nThe same options give the same bytes on every backend."};
    noise_options o = {0};
    gm_cli_parse(&parser, argc, argv, &o);
    if (isatty(STDOUT_FILENO)) {
        gm_cli_error("standard output is a terminal: send the words to a file or a program");
        return GM_EXIT_USAGE;
    }
    gm_context *context = gm_cli_context(&o.common);
    if (context == NULL) {
        return GM_EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN); /* the reader has seen enough: write says so */
    const int exit_code = write_noise(&o, context);
    gm_context_destroy(context);
    return exit_code;
}

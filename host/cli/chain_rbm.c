/* genmath chain rbm: a binary Boltzmann machine trained on a file of vectors, or read, and chains
 * of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/npy.h>

#include "host/cli/chain.h"
#include "host/cli/chain_rbm.h"
#include "host/cli/picture.h"
#include "host/internal.h"

enum { MOST_ROWS = 1 << 20 };
enum {
    KEY_DATA = 0x2101,
    KEY_WEIGHTS,
    KEY_EPOCHS,
    KEY_BATCH,
    KEY_RATE,
    KEY_MOMENTUM,
    KEY_DECAY,
    KEY_THRESHOLD,
    KEY_CD,
    KEY_RESUME,
    KEY_STATE,
    KEY_SAVE,
    KEY_START,
    KEY_FIRST,
    KEY_BETA,
    KEY_OUT,
    KEY_PICTURE
};

static const struct argp_option options[] = {
    {"data", KEY_DATA, "FILE", 0, "train on the vectors of this .npy file, (n, units)", 0},
    {"threshold", KEY_THRESHOLD, "X", 0, "a unit is on from here (default: the middle)", 0},
    {"hidden", 'm', "N", 0, "hidden units (default: 64)", 0},
    {"epochs", KEY_EPOCHS, "N", 0, "passes over the data (default: 20)", 0},
    {"batch", KEY_BATCH, "N", 0, "vectors and chains of a step (default: 100)", 0},
    {"k", 'k', "N", 0, "sweeps of a step (default: 1)", 0},
    {"cd", KEY_CD, NULL, 0, "chains start at the data (default: they persist)", 0},
    {"rate", KEY_RATE, "X", 0, "of learning (default: 0.05)", 0},
    {"momentum", KEY_MOMENTUM, "X", 0, "(default: 0.5)", 0},
    {"decay", KEY_DECAY, "X", 0, "of the weights (default: 1e-4)", 0},
    {"resume", KEY_RESUME, "FILE", 0, "go on from the training that --state wrote", 0},
    {"state", KEY_STATE, "FILE", 0, "write the training's state, as .npy", 0},
    {"weights", KEY_WEIGHTS, "PREFIX", 0,
     "no training: read PREFIX-w.npy (units, hidden), PREFIX-b.npy, PREFIX-c.npy", 0},
    {"save", KEY_SAVE, "PREFIX", 0, "write the weights so", 0},
    {"chains", 'n', "N", 0, "(default: 64)", 0},
    {"sweeps", 's', "N", 0, "of the chains, after training (default: 1000)", 0},
    {"beta", KEY_BETA, "X", 0, "1 / temperature of the chains (default: 1)", 0},
    {"start", KEY_START, "FILE", 0, "start the chains from what --out wrote (default: random)", 0},
    {"first-sweep", KEY_FIRST, "N", 0, "as many as were run before (default: 0)", 0},
    {"out", KEY_OUT, "FILE", 0, "write the units afterwards, u8 (chains, units), as .npy", 0},
    {"picture", KEY_PICTURE, "FILE", 0,
     "draw the chains and the filters as .png, if the units are a square", 0},
    {0}};

static int parse_numbers(int key, const char *text, const struct argp_state *state,
                         rbm_settings *s) {
    const int64_t most = INT64_C(1) << 40;
    switch (key) {
    case 'm':
        s->hidden = gm_cli_parse_integer(state, "hidden", text, 1, MOST_UNITS);
        return 0;
    case KEY_EPOCHS:
        s->epochs = gm_cli_parse_integer(state, "epochs", text, 0, 1 << 20);
        return 0;
    case KEY_BATCH:
        s->batch = gm_cli_parse_integer(state, "batch", text, 1, MOST_ROWS);
        return 0;
    case 'k':
        s->k = gm_cli_parse_integer(state, "k", text, 1, 1 << 20);
        return 0;
    case 'n':
        s->chains = gm_cli_parse_integer(state, "chains", text, 1, MOST_ROWS);
        return 0;
    case 's':
        s->sweeps = gm_cli_parse_integer(state, "sweeps", text, 0, most);
        return 0;
    case KEY_FIRST:
        s->first_sweep = gm_cli_parse_integer(state, "first-sweep", text, 0, most);
        return 0;
    case KEY_RATE:
        s->rate = gm_cli_parse_real(state, "rate", text, 0, 1e3);
        return 0;
    case KEY_MOMENTUM:
        s->momentum = gm_cli_parse_real(state, "momentum", text, 0, 0.999999);
        return 0;
    case KEY_DECAY:
        s->decay = gm_cli_parse_real(state, "decay", text, 0, 1e3);
        return 0;
    case KEY_BETA:
        s->beta = gm_cli_parse_real(state, "beta", text, 1e-9, 1e9);
        return 0;
    case KEY_THRESHOLD:
        s->threshold = gm_cli_parse_real(state, "threshold", text, -1e300, 1e300);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    rbm_settings *s = state->input;
    const struct {
        int key;
        const char **name;
    } names[] = {{KEY_DATA, &s->data},   {KEY_WEIGHTS, &s->weights}, {KEY_RESUME, &s->resume},
                 {KEY_STATE, &s->state}, {KEY_SAVE, &s->save},       {KEY_START, &s->start},
                 {KEY_OUT, &s->out},     {KEY_PICTURE, &s->picture}};
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = &s->common;
        return 0;
    }
    if (key == ARGP_KEY_END && (s->data == NULL) == (s->weights == NULL)) {
        argp_error(state, "either --data or --weights must be given");
    }
    if (key == ARGP_KEY_END && s->data == NULL && (s->resume != NULL || s->state != NULL)) {
        argp_error(state, "--resume and --state belong to --data");
    }
    if (key == KEY_CD) {
        s->cd = true;
        return 0;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
        if (names[i].key == key) {
            *names[i].name = argument;
            return 0;
        }
    }
    return parse_numbers(key, argument, state, s);
}

/* ---- what comes of it ------------------------------------------------------------------------ */

/* Chains, dark on light, and below them the filters, each in its own grey scale. */
static gm_status draw(const rbm_settings *s, const rbm_workplace *w) {
    const int64_t side = (int64_t)lround(sqrt((double)w->visible)), columns = 16;
    GM_CHECK(w->context, side * side == w->visible, GM_STATUS_INVALID_ARGUMENT,
             "--picture: %lld units are no square", (long long)w->visible);
    const int64_t chains = s->chains < 128 ? s->chains : 128;
    const int64_t filters = w->hidden < 128 ? w->hidden : 128;
    const int64_t above = (chains + columns - 1) / columns * columns;
    float *tiles = calloc((size_t)((above + filters) * w->visible), sizeof *tiles);
    GM_CHECK(w->context, tiles != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the picture");
    for (int64_t i = 0; i < chains * w->visible; ++i) {
        tiles[i] = w->units[i];
    }
    for (int64_t f = 0; f < filters; ++f) {
        float most = 1e-30f;
        for (int64_t u = 0; u < w->visible; ++u) {
            most = fmaxf(most, fabsf(w->state[w->at[W] + u * w->hidden + f]));
        }
        for (int64_t u = 0; u < w->visible; ++u) {
            tiles[(above + f) * w->visible + u] =
                0.5f + 0.5f * w->state[w->at[W] + u * w->hidden + f] / most;
        }
    }
    uint8_t *pixels = NULL;
    int64_t width, height;
    gm_status status = gm_picture_tile(w->context, tiles, above + filters, side, side, columns, 1,
                                       0, 4, &pixels, &width, &height);
    if (status == GM_STATUS_OK) {
        status = gm_picture_save_png(w->context, s->picture, width, height, 1, pixels);
    }
    free(pixels);
    free(tiles);
    return status;
}

static gm_status write_files(const rbm_settings *s, const rbm_workplace *w) {
    GM_TRY(gm_chain_rbm_save(s, w));
    if (s->out != NULL) {
        const gm_tensor units = gm_tensor_2d(w->units, GM_U8, s->chains, w->visible);
        GM_TRY(gm_npy_save(w->context, s->out, &units));
    }
    return s->picture != NULL ? draw(s, w) : GM_STATUS_OK;
}

static double updates_per_second(const rbm_settings *s, const rbm_workplace *w) {
    return (double)s->chains * (double)s->sweeps * (double)(w->visible + w->hidden) /
           fmax(w->seconds, 1e-9);
}

static int print_json(const rbm_settings *s, const rbm_workplace *w) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "command", "chain");
    cJSON_AddStringToObject(object, "model", "rbm");
    cJSON_AddStringToObject(object, "backend", gm_context_backend_name(w->context));
    cJSON_AddNumberToObject(object, "visible", (double)w->visible);
    cJSON_AddNumberToObject(object, "hidden", (double)w->hidden);
    if (s->data != NULL) {
        cJSON_AddNumberToObject(object, "vectors", (double)w->count);
        cJSON_AddNumberToObject(object, "epochs", (double)w->epochs);
        cJSON_AddNumberToObject(object, w->exact ? "log_likelihood" : "pseudo_log_likelihood",
                                w->likelihood);
    }
    cJSON_AddNumberToObject(object, "chains", (double)s->chains);
    cJSON_AddNumberToObject(object, "first_sweep", (double)s->first_sweep);
    cJSON_AddNumberToObject(object, "sweeps", (double)s->sweeps);
    cJSON_AddNumberToObject(object, "free_energy", w->energy);
    cJSON_AddNumberToObject(object, "free_energy_error", w->energy_error);
    cJSON_AddNumberToObject(object, "seconds", w->seconds);
    cJSON_AddNumberToObject(object, "updates_per_second", updates_per_second(s, w));
    return gm_cli_print_json(object);
}

static void print_text(const rbm_settings *s, const rbm_workplace *w) {
    if (s->data != NULL) {
        printf("# %lld vectors of %lld units, %lld hidden units, %lld epochs\n",
               (long long)w->count, (long long)w->visible, (long long)w->hidden,
               (long long)w->epochs);
        printf("%s: %.4f nats a vector\n",
               w->exact ? "log-likelihood (exact)" : "pseudo-log-likelihood", w->likelihood);
    }
    printf("# %lld chains, %lld sweeps in %.2f s on %s: %.3g units/s\n", (long long)s->chains,
           (long long)s->sweeps, w->seconds, gm_context_backend_name(w->context),
           updates_per_second(s, w));
    printf("free energy of the chains: %.4f +- %.2g\n", w->energy, w->energy_error);
}

static void close_workplace(rbm_workplace *w) {
    for (int i = 0; i < ARRAYS; ++i) {
        gm_memory_free(w->context, w->array[i].data);
    }
    gm_memory_free(w->context, w->batch.data);
    free(w->data);
    free(w->state);
    free(w->units);
}

static int run_on(const rbm_settings *s, gm_context *context) {
    rbm_workplace w = {.context = context};
    const char *doing = s->data != NULL ? "training" : "reading the weights";
    gm_status status = s->data != NULL ? gm_chain_rbm_train(s, &w) : gm_chain_rbm_load(s, &w);
    if (status == GM_STATUS_OK) {
        doing = "running the chains";
        status = gm_chain_rbm_sample(s, &w);
    }
    if (status == GM_STATUS_OK) {
        doing = "writing";
        status = write_files(s, &w);
    }
    int code = GM_EXIT_OK;
    if (status != GM_STATUS_OK) {
        code = gm_cli_fail(context, status, doing);
    } else if (s->common.json) {
        code = print_json(s, &w);
    } else {
        print_text(s, &w);
    }
    close_workplace(&w);
    return code;
}

int gm_chain_rbm(int argc, char **argv) {
    static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .children = children,
        .doc = "Trains a restricted Boltzmann machine of units that are on or off, or reads one, "
               "and runs chains of it.\v"
               "Examples:\n"
               "  genmath chain rbm --data samples/data/digits.npy --hidden 16 --save digits\n"
               "  genmath chain rbm --weights digits --sweeps 5000 --out units.npy\n"
               "\nA training goes on where another ended with --resume STATE and the same other "
               "options, chains with --start units.npy --first-sweep N, N being the sweeps before: "
               "on the same backend to the bit."};
    rbm_settings s = {.hidden = 64,
                      .epochs = 20,
                      .batch = 100,
                      .k = 1,
                      .chains = 64,
                      .sweeps = 1000,
                      .rate = 0.05,
                      .momentum = 0.5,
                      .decay = 1e-4,
                      .threshold = NAN,
                      .beta = 1};
    gm_cli_parse(&parser, argc, argv, &s);
    gm_context *context = gm_cli_context(&s.common);
    if (context == NULL) {
        return GM_EXIT_FAILURE;
    }
    const int code = run_on(&s, context);
    gm_context_destroy(context);
    return code;
}

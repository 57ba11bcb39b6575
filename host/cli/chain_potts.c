/* genmath chain potts: Markov chains of the Potts model on lattices. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/philox.h>
#include <genmath/potts.h>

#include "host/cli/chain_annealing.h"
#include "host/cli/chain_ladders.h"
#include "host/cli/picture.h"
#include "host/internal.h"

enum { KEY_UPDATE = 0x2101, KEY_TEMPERING, KEY_PICTURE };

typedef struct settings {
    gm_chain_settings lattice;
    gm_chain_annealing annealing;
    int64_t tempering; /* sweeps between exchanges; 0: none */
    int32_t q;
    gm_potts_update update;
    const char *picture;
} settings;

static const char *const updates[] = {"heat-bath", "metropolis", NULL};

static const struct argp_option options[] = {
    {"states", 'q', "Q", 0, "labels of a site, 2 to 256 (default: 3)", 0},
    {"update", KEY_UPDATE, "NAME", 0, "heat-bath or metropolis (default: heat-bath)", 0},
    GM_LADDERS_OPTION(KEY_TEMPERING),
    {"picture", KEY_PICTURE, "FILE", 0,
     "draw the first chain of each temperature of a plane lattice, a grey for each label, as .png; "
     "with --annealing the state of lowest energy",
     0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state) {
    settings *s = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &s->lattice;
        state->child_inputs[1] = &s->annealing;
        return 0;
    case 'q':
        s->q = (int32_t)gm_cli_parse_integer(state, "states", argument, 2, 256);
        return 0;
    case KEY_UPDATE:
        s->update = (gm_potts_update)gm_chain_parse_word(state, "update", argument, updates);
        return 0;
    case KEY_TEMPERING:
        s->tempering = gm_cli_parse_integer(state, "tempering", argument, 0, 1 << 20);
        return 0;
    case KEY_PICTURE:
        s->picture = argument;
        return 0;
    case ARGP_KEY_END:
        s->annealing.picture = s->annealing.steps > 0 ? s->picture : NULL;
        gm_chain_annealing_check(state, &s->annealing, &s->lattice, s->tempering > 0);
        gm_ladders_check(state, s->tempering, &s->lattice);
        if (s->picture != NULL && s->lattice.axes != 2) {
            argp_error(state, "--picture: a lattice of two axes can be drawn");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

static gm_status make_plan(const settings *s, gm_chain_place *w) {
    GM_TRY(gm_chain_make_lattice(w));
    const gm_potts_model model = {.sites = w->sites,
                                  .edges = w->edges,
                                  .ends = w->ends,
                                  .q = s->q,
                                  .coupling = w->coupling,
                                  .update = s->update,
                                  .order = s->lattice.order,
                                  .connected = 1};
    gm_potts_plan *plan = NULL;
    gm_potts_info info;
    GM_TRY(gm_potts_plan_create(w->context, &model, &plan));
    w->plan = plan;
    GM_TRY(gm_potts_plan_info(plan, &info));
    w->quantum = info.quantum;
    return GM_STATUS_OK;
}

/* From the file; else all 0, of a glass random. */
static gm_status make_labels(const settings *s, gm_chain_place *w, gm_chain_ladders *ladders) {
    const gm_chain_settings *l = w->settings;
    if (l->start != NULL) {
        GM_TRY(s->tempering > 0 ? gm_ladders_load(w, ladders) : gm_chain_load(w));
    }
    for (int64_t i = 0; i < w->chains * w->sites; ++i) {
        if (l->start == NULL) {
            const gm_words word =
                gm_philox_block(l->common.seed, (uint64_t)i, GM_STREAM_CHAIN_START, 0);
            w->state[i] = (uint8_t)(l->glass ? (uint64_t)word.w0 * (uint64_t)s->q >> 32 : 0);
        }
        GM_CHECK(w->context, w->state[i] < s->q, GM_STATUS_CORRUPT_DATA,
                 "%s: label %d: there are %d", l->start, (int)w->state[i], (int)s->q);
    }
    return GM_STATUS_OK;
}

static gm_status run_sweeps(const gm_chain_place *w, const gm_ising_sweeps *sweeps, bool sums,
                            gm_workspace *workspace) {
    const gm_potts_result result = {.sums = &w->device_sums};
    return gm_potts_run(w->plan, sweeps, &w->device_beta, &w->device_state, sums ? &result : NULL,
                        workspace);
}

/* Side by side, from cold to hot. */
static gm_status draw(const settings *s, const gm_chain_place *w, const gm_chain_ladders *ladders) {
    const gm_chain_settings *l = w->settings;
    const int64_t temperatures = l->temperatures;
    float *images = malloc((size_t)(temperatures * w->sites) * sizeof *images);
    GM_CHECK(w->context, images != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the picture");
    for (int64_t i = 0; i < temperatures * w->sites; ++i) {
        const int64_t t = i / w->sites;
        const int64_t chain = s->tempering > 0 ? gm_ladders_chain(w, ladders, t) : t * l->replicas;
        images[i] = w->state[chain * w->sites + i % w->sites];
    }
    const int64_t zoom = l->size[1] < 100 ? 3 : 1;
    const int64_t columns = (int64_t)ceil(sqrt((double)temperatures));
    uint8_t *pixels = NULL;
    int64_t width, height;
    gm_status status =
        gm_picture_tile(w->context, images, temperatures, l->size[1], l->size[0], columns, 0,
                        (float)(s->q - 1), zoom, &pixels, &width, &height);
    if (status == GM_STATUS_OK) {
        status = gm_picture_save_png(w->context, s->picture, width, height, 1, pixels);
    }
    free(pixels);
    free(images);
    return status;
}

static gm_status run_chains(const settings *s, gm_chain_place *w, gm_chain_ladders *ladders) {
    GM_TRY(make_plan(s, w));
    GM_TRY(gm_chain_open(w));
    GM_TRY(gm_ladders_start(w, ladders));
    GM_TRY(make_labels(s, w, ladders));
    GM_TRY(gm_chain_upload(w));
    if (s->tempering > 0) {
        ladders->potts = w->plan;
        GM_TRY(gm_ladders_open(w, ladders));
        GM_TRY(gm_ladders_run(w, ladders));
    } else {
        GM_TRY(gm_chain_run(w));
    }
    GM_TRY(gm_chain_download(w));
    GM_TRY(s->tempering > 0 ? gm_ladders_save(w, ladders) : gm_chain_save(w));
    return s->picture != NULL ? draw(s, w, ladders) : GM_STATUS_OK;
}

/* ---- what is printed ------------------------------------------------------------------------- */

/* Of all chains at one temperature, per site; order: (q max_k n_k / sites - 1) / (q - 1). */
typedef struct row {
    double temperature, energy, energy_error, heat, order, order_error, binder, flip_rate;
} row;

static row make_row(const settings *s, const gm_chain_place *w, int64_t step) {
    const double sites = (double)w->sites, q = w->quantum, t = gm_chain_temperature(w, step);
    const double most = sites * (s->q - 1);
    double unused, e_error, m_error;
    const double e = gm_chain_mean(w, step, GM_POTTS_E, &e_error);
    const double e2 = gm_chain_mean(w, step, GM_POTTS_E2, &unused);
    const double m = gm_chain_mean(w, step, GM_POTTS_M, &m_error);
    const double m2 = gm_chain_mean(w, step, GM_POTTS_M2, &unused);
    const double m4 = gm_chain_mean(w, step, GM_POTTS_M4, &unused);
    return (row){.temperature = t,
                 .energy = e * q / sites,
                 .energy_error = e_error * q / sites,
                 .heat = q * q * (e2 - e * e) / (t * t * sites),
                 .order = m / most,
                 .order_error = m_error / most,
                 .binder = 1 - m4 / (3 * m2 * m2),
                 .flip_rate = gm_chain_mean(w, step, GM_POTTS_FLIPS, &unused) / sites};
}

static int print_json(const settings *s, const gm_chain_place *w, const gm_chain_ladders *ladders) {
    cJSON *object = gm_chain_json_head(w, "potts", updates[s->update]);
    cJSON_AddNumberToObject(object, "states", s->q);
    gm_ladders_json(w, ladders, object);
    cJSON *rows = cJSON_AddArrayToObject(object, "temperatures");
    for (int64_t step = 0; step < s->lattice.temperatures; ++step) {
        const row r = make_row(s, w, step);
        cJSON *item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "temperature", r.temperature);
        cJSON_AddNumberToObject(item, "energy", r.energy);
        cJSON_AddNumberToObject(item, "energy_error", r.energy_error);
        cJSON_AddNumberToObject(item, "specific_heat", r.heat);
        cJSON_AddNumberToObject(item, "order", r.order);
        cJSON_AddNumberToObject(item, "order_error", r.order_error);
        cJSON_AddNumberToObject(item, "binder_cumulant", r.binder);
        cJSON_AddNumberToObject(item, "flip_rate", r.flip_rate);
        gm_ladders_json_acceptance(w, ladders, step, item);
        cJSON_AddItemToArray(rows, item);
    }
    return gm_cli_print_json(object);
}

static void print_text(const settings *s, const gm_chain_place *w,
                       const gm_chain_ladders *ladders) {
    gm_chain_print_head(w);
    gm_ladders_print(w, ladders);
    printf("%8s %11s %10s %10s %11s %10s %8s %8s%s\n", "T", "energy", "+-", "heat", "order", "+-",
           "Binder", "flips", s->tempering > 0 ? " accepted" : "");
    for (int64_t step = 0; step < s->lattice.temperatures; ++step) {
        const row r = make_row(s, w, step);
        printf("%8.4f %11.6f %10.2g %10.5f %11.6f %10.2g %8.5f %8.5f", r.temperature, r.energy,
               r.energy_error, r.heat, r.order, r.order_error, r.binder, r.flip_rate);
        gm_ladders_print_acceptance(w, ladders, step);
        printf("\n");
    }
}

static int anneal(const settings *s, gm_chain_place *w) {
    const gm_status status = make_plan(s, w);
    if (status != GM_STATUS_OK) {
        return gm_cli_fail(w->context, status, "making the lattice");
    }
    return gm_chain_anneal(
        w, &s->annealing,
        &(gm_chain_annealed_model){
            .potts = w->plan, .q = s->q, .name = "potts", .update = updates[s->update]});
}

static int run_on(const settings *s, gm_context *context) {
    gm_chain_place w = {.context = context,
                        .settings = &s->lattice,
                        .dtype = GM_U8,
                        .sum_count = GM_POTTS_SUMS,
                        .run = run_sweeps};
    gm_chain_ladders ladders = {.between = s->tempering, .labels = s->q};
    const bool anneals = s->annealing.steps > 0;
    const gm_status status = anneals ? GM_STATUS_OK : run_chains(s, &w, &ladders);
    int code = GM_EXIT_OK;
    if (anneals) {
        code = anneal(s, &w);
    } else if (status != GM_STATUS_OK) {
        code = gm_cli_fail(context, status, "running the chains");
    } else if (s->lattice.common.json) {
        code = print_json(s, &w, &ladders);
    } else {
        print_text(s, &w, &ladders);
    }
    gm_ladders_close(&w, &ladders);
    gm_potts_plan_destroy(w.plan);
    gm_chain_close(&w);
    return code;
}

int gm_chain_potts(int argc, char **argv) {
    static const struct argp_child children[] = {GM_CHAIN_CHILD, GM_CHAIN_ANNEALING_CHILD, {0}};
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .children = children,
        .doc = "Runs Markov chains of the Potts model on a lattice, many at each temperature "
               "(default: 0.7:1.3:9; the square lattice is critical at 1 / log(1 + sqrt(Q))), and "
               "prints what they are on average.\v"
               "Examples:\n"
               "  genmath chain potts --states 3 --size 64x64 --temperature 0.9:1.1:9\n"
               "  genmath chain potts --states 10 --temperature 0.6:0.8:9 --picture domains.png\n"
               "  genmath chain potts --size 16x16 --glass -T 0.3:1.5:13 --tempering 10\n"
               "  genmath chain potts --size 16x16 --glass -T 0.2 --annealing 2000 --log-z\n"
               "\nA run goes on where another ended with --start labels.npy --first-sweep N "
               "--burn-in 0 and the same other options, N being the sweeps before, and gives the "
               "labels of one long run. The same options give the same labels on every backend."};
    settings s = {.lattice = {GM_CHAIN_DEFAULTS, .cold = 0.7, .hot = 1.3}, .q = 3};
    gm_cli_parse(&parser, argc, argv, &s);
    gm_context *context = gm_cli_context(&s.lattice.common);
    if (context == NULL) {
        return GM_EXIT_FAILURE;
    }
    const int code = run_on(&s, context);
    gm_context_destroy(context);
    return code;
}

/* genmath chain ising: Markov chains of the Ising model on lattices. */
#include <stdio.h>
#include <stdlib.h>

#include <genmath/philox.h>

#include "host/cli/chain_ising.h"
#include "host/internal.h"

enum { KEY_FIELD = 0x2101, KEY_UPDATE, KEY_TEMPERING, KEY_PACKED, KEY_PICTURE };

static const char *const updates[] = {"heat-bath", "metropolis", "glauber", "lazy-metropolis",
                                      NULL};

static const struct argp_option options[] = {
    {"field", KEY_FIELD, "H", 0, "field at every site (default: 0)", 0},
    {"update", KEY_UPDATE, "NAME", 0,
     "heat-bath, metropolis, glauber or lazy-metropolis (default: heat-bath)", 0},
    GM_LADDERS_OPTION(KEY_TEMPERING),
    {"packed", KEY_PACKED, NULL, 0,
     "a bit a spin, much faster: square, cubic and hexagonal lattices, even where periodic, no "
     "glass, tempering or other order; the noise is another, and so are the spins",
     0},
    {"picture", KEY_PICTURE, "FILE", 0,
     "with --annealing: draw the state of lowest energy of a plane lattice, as .png", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state) {
    gm_ising_settings *s = state->input;
    const gm_chain_settings *l = &s->chain;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &s->chain;
        state->child_inputs[1] = &s->annealing;
        return 0;
    case KEY_FIELD:
        s->field = gm_cli_parse_real(state, "field", argument, -1e6, 1e6);
        return 0;
    case KEY_UPDATE:
        s->update = (gm_ising_update)gm_chain_parse_word(state, "update", argument, updates);
        return 0;
    case KEY_TEMPERING:
        s->tempering = gm_cli_parse_integer(state, "tempering", argument, 0, 1 << 20);
        return 0;
    case KEY_PACKED:
        s->packed = true;
        return 0;
    case KEY_PICTURE:
        s->annealing.picture = argument;
        return 0;
    case ARGP_KEY_END:
        gm_chain_annealing_check(state, &s->annealing, l, s->packed || s->tempering > 0);
        if (s->annealing.picture != NULL && s->annealing.steps == 0) {
            argp_error(state, "--picture: with --annealing");
        }
        if (s->packed && (l->glass || l->order != GM_ISING_COLOURED || s->tempering > 0 ||
                          l->lattice == GM_LATTICE_TRIANGULAR)) {
            argp_error(state, "--packed: not with --glass, --tempering, another --order "
                              "or a triangular --lattice");
        }
        if (s->packed && l->axes > 3) {
            argp_error(state, "--packed: --size has at most 3 axes");
        }
        gm_ladders_check(state, s->tempering, l);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

static gm_status make_plan(const gm_ising_settings *s, gm_chain_place *w) {
    GM_TRY(gm_chain_make_lattice(w));
    double *field = malloc((size_t)w->sites * sizeof *field);
    GM_CHECK(w->context, field != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the field");
    for (int64_t i = 0; i < w->sites; ++i) {
        field[i] = s->field;
    }
    const gm_ising_model model = {.sites = w->sites,
                                  .edges = w->edges,
                                  .ends = w->ends,
                                  .coupling = w->coupling,
                                  .field = field,
                                  .update = s->update,
                                  .order = s->chain.order,
                                  .connected = 1};
    gm_ising_plan *plan = NULL;
    gm_ising_info info;
    gm_status status = gm_ising_plan_create(w->context, &model, &plan);
    w->plan = plan;
    free(field);
    status = status == GM_STATUS_OK ? gm_ising_plan_info(plan, &info) : status;
    w->quantum = status == GM_STATUS_OK ? info.quantum : 0;
    return status;
}

/* From the file; else all up, as from random spins a cold magnet stays in stripes for long. */
static gm_status make_spins(const gm_ising_settings *s, gm_ising_workplace *w) {
    const gm_chain_settings *l = &s->chain;
    int8_t *spins = (int8_t *)w->chain.state;
    if (l->start != NULL) {
        GM_TRY(s->tempering > 0 ? gm_ladders_load(&w->chain, &w->ladders)
                                : gm_chain_load(&w->chain));
    }
    for (int64_t i = 0; i < w->chain.chains * w->chain.sites; ++i) {
        if (l->start == NULL) {
            const gm_words word =
                gm_philox_block(l->common.seed, (uint64_t)i, GM_STREAM_CHAIN_START, 0);
            spins[i] = !l->glass || word.w0 >> 31 != 0 ? 1 : -1;
        }
        GM_CHECK(w->chain.context, spins[i] == 1 || spins[i] == -1, GM_STATUS_CORRUPT_DATA,
                 "%s: a spin is neither -1 nor 1", l->start);
    }
    return GM_STATUS_OK;
}

static gm_status run_sweeps(const gm_chain_place *w, const gm_ising_sweeps *sweeps, bool sums,
                            gm_workspace *workspace) {
    const gm_ising_result result = {.sums = &w->device_sums};
    return gm_ising_run(w->plan, sweeps, &w->device_beta, &w->device_state, sums ? &result : NULL,
                        workspace);
}

static gm_status run_chains(const gm_ising_settings *s, gm_ising_workplace *w) {
    gm_chain_place *c = &w->chain;
    GM_TRY(s->packed ? gm_packed_plan(s, w) : make_plan(s, c));
    GM_TRY(gm_chain_open(c));
    GM_TRY(gm_chain_correlations_open(c, 0));
    GM_TRY(gm_ladders_start(c, &w->ladders));
    GM_TRY(make_spins(s, w));
    GM_TRY(gm_chain_upload(c));
    if (s->tempering == 0) {
        GM_TRY(s->packed ? gm_packed_pack(w) : GM_STATUS_OK);
        GM_TRY(gm_chain_run(c));
        GM_TRY(s->packed ? gm_packed_unpack(w) : GM_STATUS_OK);
        GM_TRY(gm_chain_download(c));
        return gm_chain_save(c);
    }
    w->ladders.ising = c->plan;
    GM_TRY(gm_ladders_open(c, &w->ladders));
    GM_TRY(gm_ladders_run(c, &w->ladders));
    GM_TRY(gm_chain_download(c));
    return gm_ladders_save(c, &w->ladders);
}

/* ---- what is printed ------------------------------------------------------------------------- */

static gm_chain_columns columns_of(const gm_chain_place *w) {
    return (gm_chain_columns){.energy = GM_ISING_E,
                              .energy2 = GM_ISING_E2,
                              .order = GM_ISING_ABS_M,
                              .order2 = GM_ISING_M2,
                              .order4 = GM_ISING_M4,
                              .flips = GM_ISING_FLIPS,
                              .most = (double)w->sites,
                              .title = "|m|",
                              .name = "magnetisation",
                              .error_name = "magnetisation_error"};
}

static int print_json(const gm_ising_settings *s, const gm_ising_workplace *w) {
    const gm_chain_columns columns = columns_of(&w->chain);
    cJSON *object = gm_chain_json_head(&w->chain, "ising", updates[s->update]);
    gm_ladders_json(&w->chain, &w->ladders, object);
    cJSON *rows = cJSON_AddArrayToObject(object, "temperatures");
    for (int64_t step = 0; step < s->chain.temperatures; ++step) {
        const gm_chain_row row = gm_chain_make_row(&w->chain, &columns, step);
        cJSON *item = gm_chain_json_row(&columns, &row);
        gm_ladders_json_acceptance(&w->chain, &w->ladders, step, item);
        cJSON_AddItemToArray(rows, item);
    }
    gm_chain_correlations_json(&w->chain, s->field == 0, object);
    return gm_cli_print_json(object);
}

static void print_text(const gm_ising_settings *s, const gm_ising_workplace *w) {
    const gm_chain_columns columns = columns_of(&w->chain);
    gm_chain_print_head(&w->chain);
    gm_ladders_print(&w->chain, &w->ladders);
    gm_chain_print_columns(&columns);
    printf("%s\n", s->tempering > 0 ? " accepted" : "");
    for (int64_t step = 0; step < s->chain.temperatures; ++step) {
        const gm_chain_row row = gm_chain_make_row(&w->chain, &columns, step);
        gm_chain_print_row(&row);
        gm_ladders_print_acceptance(&w->chain, &w->ladders, step);
        printf("\n");
    }
    gm_chain_correlations_print(&w->chain, s->field == 0);
}

static int anneal(const gm_ising_settings *s, gm_chain_place *w) {
    const gm_status status = make_plan(s, w);
    if (status != GM_STATUS_OK) {
        return gm_cli_fail(w->context, status, "making the lattice");
    }
    return gm_chain_anneal(w, &s->annealing,
                           &(gm_chain_annealed_model){.ising = w->plan,
                                                      .q = 2,
                                                      .field = s->field,
                                                      .name = "ising",
                                                      .update = updates[s->update]});
}

static int run_on(const gm_ising_settings *s, gm_context *context) {
    gm_ising_workplace w = {.chain = {.context = context,
                                      .settings = &s->chain,
                                      .dtype = GM_I8,
                                      .sum_count = GM_ISING_SUMS,
                                      .run = run_sweeps},
                            .ladders.between = s->tempering};
    const bool anneals = s->annealing.steps > 0;
    const gm_status status = anneals ? GM_STATUS_OK : run_chains(s, &w);
    int code = GM_EXIT_OK;
    if (anneals) {
        code = anneal(s, &w.chain);
    } else if (status != GM_STATUS_OK) {
        code = gm_cli_fail(context, status, "running the chains");
    } else if (s->chain.common.json) {
        code = print_json(s, &w);
    } else {
        print_text(s, &w);
    }
    gm_ladders_close(&w.chain, &w.ladders);
    gm_packed_close(&w);
    gm_ising_plan_destroy(s->packed ? NULL : w.chain.plan);
    gm_chain_close(&w.chain);
    return code;
}

int gm_chain_ising(int argc, char **argv) {
    static const struct argp_child children[] = {GM_CHAIN_CHILD, GM_CHAIN_ANNEALING_CHILD, {0}};
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .children = children,
        .doc =
            "Runs Markov chains of the Ising model on a lattice, many at each temperature "
            "(default: 1.6:3.2:9), and prints what they are on average.\v"
            "Examples:\n"
            "  genmath chain ising --size 64x64 --temperature 2:2.6:13\n"
            "  genmath chain ising --lattice hexagonal --size 48x48 --temperature 1.4:1.7:7\n"
            "  genmath chain ising --size 8x8x8 --glass --chains 256 --out spins.npy\n"
            "  genmath chain ising --size 6x6x6 --glass --temperature 0.5:2:16 --tempering 10\n"
            "  genmath chain ising --size 1024x1024 --temperature 2.2 --chains 1 --packed\n"
            "  genmath chain ising --size 128x128 --temperature 2.4 --packed --correlations 16\n"
            "  genmath chain ising --size 32x32 --glass -T 0.2 --annealing 5000 --out best.npy\n"
            "  genmath chain ising --size 4x4 -T 1:4:7 -n 1000 --annealing 200 --log-z\n"
            "\nA run goes on where another ended with --start spins.npy --first-sweep N "
            "--burn-in 0 and the same other options, N being the sweeps before, and gives the "
            "spins of one long run. The same options give the same spins on every backend."};
    gm_ising_settings s = {.chain = {GM_CHAIN_DEFAULTS, .cold = 1.6, .hot = 3.2}};
    gm_cli_parse(&parser, argc, argv, &s);
    gm_context *context = gm_cli_context(&s.chain.common);
    if (context == NULL) {
        return GM_EXIT_FAILURE;
    }
    const int code = run_on(&s, context);
    gm_context_destroy(context);
    return code;
}

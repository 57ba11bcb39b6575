/* gm_correlations_add, gm_multispin_correlations, gm_lattice_pairs: recounts of random states, and
 * wrong arguments. */
#include "tests/correlations_fixture.h"

/* ---- recounts -------------------------------------------------------------------------------- */

static int64_t recount(const gm_correlations_model *m, const uint8_t *states, int64_t group) {
    int64_t sum = 0;
    for (int64_t k = m->first[group]; k < m->first[group + 1]; ++k) {
        const int8_t x = (int8_t)states[m->ends[2 * k]], y = (int8_t)states[m->ends[2 * k + 1]];
        sum += m->q > 0 ? x == y : x * y;
    }
    return sum;
}

static uint8_t draw_state(const gm_correlations_model *m, uint64_t *seed) {
    const uint64_t bits = next_random(seed) >> 33;
    return m->q > 0                     ? (uint8_t)(bits % (uint64_t)m->q)
           : m->spins == GM_ISING_SIGNS ? (uint8_t)(bits % 2 != 0 ? 1 : 255)
                                        : (uint8_t)(bits % 2);
}

static void compare_recount(const subject *s, const groups *g, int64_t chains, bool by_site,
                            const char *kernel) {
    const gm_correlations_model *m = &g->model;
    const size_t count = (size_t)(chains * m->groups);
    uint8_t *states = malloc((size_t)(chains * m->sites) + 1);
    int64_t *sums = malloc((count + 1) * sizeof *sums), *start = malloc((count + 1) * 8);
    uint64_t seed = 77;
    for (int64_t i = 0; i < chains * m->sites; ++i) { /* every third chain: all alike, up */
        const bool alike = i / m->sites % 3 == 0;
        states[i] = alike ? 1 : draw_state(m, &seed);
    }
    for (size_t i = 0; i < count; ++i) { /* some next to where they wrap around */
        start[i] = i % 5 == 0 ? INT64_MAX - 3 : i % 5 == 1 ? INT64_MIN + 3 : (int64_t)i - 9;
    }
    memcpy(sums, start, count * sizeof *sums);
    const measurement r = {
        .chains = chains, .states = states, .sums = sums, .by_site = by_site, .kernel = kernel};
    add_measurement(s, m, &r);
    for (int64_t i = 0; i < (int64_t)count; ++i) {
        const int64_t own = recount(m, states + i / m->groups * m->sites, i % m->groups);
        if ((uint64_t)sums[i] != (uint64_t)start[i] + (uint64_t)own) {
            fail_msg("%s: chain %lld, group %lld: %lld instead of %lld", s->name,
                     (long long)(i / m->groups), (long long)(i % m->groups),
                     (long long)((uint64_t)sums[i] - (uint64_t)start[i]), (long long)own);
        }
    }
    free(states);
    free(sums);
    free(start);
}

static const struct {
    int32_t q;
    gm_ising_spins spins;
} values[] = {{0, GM_ISING_SIGNS}, {0, GM_ISING_BITS}, {5, GM_ISING_SIGNS}, {256, GM_ISING_SIGNS}};

static void sums_are_recounted(void **state) {
    (void)state;
    const int64_t size[2] = {9, 23};
    const int32_t periodic[2] = {1, 0};
    static const int64_t chains[] = {1, 3, 15, 16, 69, 130};
    FOR_EACH_SUBJECT(s) {
        for (int v = 0; v < COUNT(values); ++v) {
            groups g = no_groups(9 * 23, values[v].q, values[v].spins);
            for (int64_t r = 0; r < 9; r += 2) {
                add_lattice_group(&g, GM_LATTICE_CUBIC, 2, size, periodic, 0, r);
                add_lattice_group(&g, GM_LATTICE_CUBIC, 2, size, periodic, 1, 2 * r + 1);
            }
            (void)add_group(&g, 0);
            add_random_group(&g, 3, 1);
            add_random_group(&g, 4, 2011); /* bytes overflow unless they are emptied */
            for (int64_t k = 0; k < 20; ++k) {
                int32_t *pair = add_group(&g, 1);
                pair[0] = pair[1] = (int32_t)k;
            }
            for (int c = 0; c < COUNT(chains); ++c) {
                if (!s->is_slow || c % 3 == 1) {
                    compare_recount(s, &g, chains[c], c % 2 != 0, NULL);
                }
            }
            free_groups(&g);
        }
    }
}

/* The largest lattices leave shared memory and, of many chains, lanes; random pairs do not. */
static void large_lattices_are_recounted(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        const bool threads = !s->is_reference && !s->is_kernel;
        const int64_t size[2] = {200, 301};
        const int32_t periodic[2] = {1, 1};
        groups g = no_groups(200 * 301, 0, GM_ISING_SIGNS);
        add_lattice_group(&g, GM_LATTICE_CUBIC, 2, size, periodic, 1, 7);
        add_lattice_group(&g, GM_LATTICE_CUBIC, 2, size, periodic, 0, 100);
        (void)add_group(&g, 0);
        compare_recount(s, &g, 2, false, s->is_kernel ? "global" : threads ? "sites" : NULL);
        if (threads) {
            compare_recount(s, &g, 17, false, "sites");
            add_random_group(&g, 9, 30000);
            compare_recount(s, &g, 17, false, "lanes");
        }
        free_groups(&g);
        groups bits = no_groups(60001, 0, GM_ISING_BITS);
        add_random_group(&bits, 2, 9001);
        compare_recount(s, &bits, 3, true, s->is_kernel ? "global" : NULL);
        free_groups(&bits);
        groups small = no_groups(40, 3, GM_ISING_SIGNS);
        add_random_group(&small, 2, 500);
        add_random_group(&small, 5, 70000); /* more than 255 for each of 256 threads */
        compare_recount(s, &small, 70, false, s->is_kernel ? "shared" : threads ? "lanes" : NULL);
        free_groups(&small);
    }
}

/* All ordered pairs of sites: the square of the magnetisation. */
static void all_pairs_are_the_square(void **state) {
    (void)state;
    enum { sites = 20, chains = 30 };
    FOR_EACH_SUBJECT(s) {
        groups g = no_groups(sites, 0, GM_ISING_SIGNS);
        int32_t *ends = add_group(&g, sites * sites);
        for (int32_t k = 0; k < sites * sites; ++k) {
            ends[2 * k] = k / sites;
            ends[2 * k + 1] = k % sites;
        }
        uint8_t states[chains * sites];
        int64_t sums[chains] = {0};
        uint64_t seed = 5;
        for (int i = 0; i < chains * sites; ++i) {
            states[i] = draw_state(&g.model, &seed);
        }
        const measurement r = {.chains = chains, .states = states, .sums = sums};
        add_measurement(s, &g.model, &r);
        for (int c = 0; c < chains; ++c) {
            int64_t m = 0;
            for (int i = 0; i < sites; ++i) {
                m += (int8_t)states[c * sites + i];
            }
            assert_true(sums[c] == m * m);
        }
        free_groups(&g);
    }
}

static void bad_chains_are_left_alone(void **state) {
    (void)state;
    enum { chains = 67, sites = 50 };
    static const uint8_t wrong[] = {0, 255, 5, 0}; /* of values[] */
    FOR_EACH_SUBJECT(s) {
        for (int v = 0; v < 3; ++v) {
            for (int k = 0; k < 4; ++k) { /* many chains and few, whole and strided */
                const int64_t n = k % 2 == 0 ? chains : 5;
                groups g = no_groups(sites, values[v].q, values[v].spins);
                add_random_group(&g, 3, 100);
                add_random_group(&g, 4, 10);
                uint8_t states[chains * sites];
                int64_t good[chains * 2] = {0}, sums[chains * 2] = {0};
                int32_t status[chains];
                uint64_t seed = 8;
                for (int i = 0; i < chains * sites; ++i) {
                    states[i] = draw_state(&g.model, &seed);
                }
                measurement r = {.chains = n, .states = states, .sums = good, .by_site = k > 1};
                add_measurement(s, &g.model, &r);
                states[0] = wrong[v];
                states[3 * sites + 33] = wrong[v] == 0 ? 2 : wrong[v] == 5 ? 200 : 2;
                states[n * sites - 1] = wrong[v] == 0 ? 254 : wrong[v];
                r.sums = sums;
                r.status = status;
                add_measurement(s, &g.model, &r);
                for (int64_t c = 0; c < n; ++c) {
                    const bool bad = c == 0 || c == 3 || c == n - 1;
                    assert_int_equal(status[c], bad ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_OK);
                    assert_true(sums[2 * c] == (bad ? 0 : good[2 * c]));
                    assert_true(sums[2 * c + 1] == (bad ? 0 : good[2 * c + 1]));
                }
                free_groups(&g);
            }
        }
    }
}

/* ---- pairs of lattices ----------------------------------------------------------------------- */

static void lattices_have_their_pairs(void **state) {
    (void)state;
    const int64_t size[3] = {4, 5, 6};
    const int32_t periodic[3] = {1, 0, 1};
    for (int32_t axis = 0; axis < 3; ++axis) { /* at distance 1 together the edges */
        for (int64_t r = 0; r < size[axis]; ++r) {
            groups g = no_groups(120, 0, GM_ISING_SIGNS);
            add_lattice_group(&g, GM_LATTICE_CUBIC, 3, size, periodic, axis, r);
            const int64_t step = axis == 0 ? 30 : axis == 1 ? 6 : 1;
            int64_t k = 0;
            for (int32_t i = 0; i < 120; ++i) {
                const int64_t at = i / step % size[axis];
                if (at + r < size[axis] || periodic[axis] != 0) {
                    assert_true(g.ends[2 * k] == i);
                    assert_true(g.ends[2 * k + 1] == i + ((at + r) % size[axis] - at) * step);
                    ++k;
                }
            }
            assert_true(g.first[1] == k);
            free_groups(&g);
        }
    }
    const int32_t around[2] = {1, 0};
    groups g = no_groups(20, 0, GM_ISING_SIGNS);
    add_lattice_group(&g, GM_LATTICE_TRIANGULAR, 2, size, around, 2, 3);
    assert_true(g.first[1] == 8); /* columns 0 and 1 of 5 go on to 3 and 4, any row */
    for (int k = 0; k < 8; ++k) {
        const int32_t i = k / 2 * 5 + k % 2;
        assert_true(g.ends[2 * k] == i && g.ends[2 * k + 1] == (i / 5 + 3) % 4 * 5 + i % 5 + 3);
    }
    free_groups(&g);
    int64_t pairs = -7;
    int32_t ends[2] = {9, 9};
#define REFUSED(kind, axes, axis, distance, text)                                                  \
    ASSERT_FAILS(NULL, gm_lattice_pairs(kind, axes, size, NULL, axis, distance, ends, &pairs),     \
                 GM_STATUS_INVALID_ARGUMENT, text)
    REFUSED(GM_LATTICE_CUBIC, 2, 2, 1, "axis = 2: must be in 0 .. 1");
    REFUSED(GM_LATTICE_HEXAGONAL, 2, -1, 1, "axis = -1");
    REFUSED(GM_LATTICE_TRIANGULAR, 2, 3, 1, "axis = 3: must be in 0 .. 2");
    REFUSED(GM_LATTICE_CUBIC, 3, 1, 5, "distance = 5: must be in 0 .. size[1] - 1 = 4");
    REFUSED(GM_LATTICE_TRIANGULAR, 2, 2, 4, "size[0] - 1 = 3");
    REFUSED(GM_LATTICE_CUBIC, 3, 1, -1, "distance = -1");
    REFUSED((gm_lattice_kind)7, 3, 1, 1, "kind = 7");
#undef REFUSED
    assert_true(pairs == -7 && ends[0] == 9);
    ASSERT_FAILS(NULL, gm_lattice_pairs(GM_LATTICE_CUBIC, 2, size, NULL, 0, 1, ends, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "pairs is NULL");
}

/* ---- packed lattices ------------------------------------------------------------------------- */

static const gm_multispin_model lattices[] = {
    {.axes = 1, .size = {130}, .periodic = {1}},
    {.axes = 1, .size = {67}},
    {.axes = 1, .size = {1}},
    {.axes = 2, .size = {12, 10}, .periodic = {1, 1}},
    {.axes = 2, .size = {7, 9}},
    {.axes = 2, .size = {4, 128}, .periodic = {0, 1}},
    {.axes = 2, .size = {6, 190}, .periodic = {1, 1}},
    {.axes = 2, .size = {3, 131}},
    {.axes = 2, .size = {70, 4}, .periodic = {1, 1}},
    {.axes = 3, .size = {4, 5, 6}, .periodic = {1, 0, 1}},
    {.axes = 3, .size = {5, 4, 7}, .periodic = {0, 1, 0}},
    {.axes = 3, .size = {4, 6, 66}, .periodic = {1, 1, 1}},
    {.lattice = GM_MULTISPIN_HONEYCOMB, .axes = 2, .size = {10, 12}, .periodic = {1, 1}},
    {.lattice = GM_MULTISPIN_HONEYCOMB, .axes = 2, .size = {5, 7}},
};

/* Adds to sums (chains, count); words are (chains, words) row-major, in memory perhaps apart. */
static void correlate(const subject *s, const gm_multispin_model *model, int64_t chains,
                      const uint32_t *packed, const gm_multispin_distances *d, int64_t *sums,
                      bool by_word) {
    const int64_t words = multispin_info(model).words;
    const measurement r = {.chains = chains, .by_site = by_word};
    uint32_t *from = spread_out(&r, packed, words, 4);
    int64_t *to = spread_out(&r, sums, d->count, 8);
    const size_t bytes[2] = {(size_t)places_of(&r, words) * 4, (size_t)places_of(&r, d->count) * 8};
    void *memory[3] = {uploaded(s, from, bytes[0]), uploaded(s, to, bytes[1])};
    const gm_tensor x = view_of(&r, memory[0], GM_U32, words);
    const gm_tensor y = view_of(&r, memory[1], GM_I64, d->count);
    gm_multispin_plan *plan;
    gm_workspace workspace = {0};
    ASSERT_OK(s->context, gm_multispin_plan_create(s->context, model, &plan));
    ASSERT_OK(s->context, gm_multispin_correlations(plan, d, &x, &y, &workspace));
    ASSERT_OK(s->context, gm_memory_alloc(s->context, workspace.bytes, &memory[2]));
    workspace.data = memory[2];
    ASSERT_OK(s->context, gm_multispin_correlations(plan, d, &x, &y, &workspace));
    gm_multispin_plan_destroy(plan);
    ASSERT_OK(s->context, gm_memory_download(s->context, to, memory[1], bytes[1]));
    for (int64_t i = 0; i < chains * d->count; ++i) {
        int64_t *sum = &to[place_of(&r, d->count, i / d->count, i % d->count)];
        sums[i] = *sum;
        memset(sum, GUARD, sizeof *sum);
    }
    for (size_t i = 0; i < bytes[1]; ++i) {
        assert_int_equal(((uint8_t *)to)[i], GUARD);
    }
    for (int i = 0; i < COUNT(memory); ++i) {
        ASSERT_OK(s->context, gm_memory_free(s->context, memory[i]));
    }
    free(from);
    free(to);
}

/* Against the bits where the header says that they are, of the pairs of gm_lattice_pairs; bits that
 * are no site's are random too. */
static void compare_packed(const subject *s, const gm_multispin_model *m, int32_t axis,
                           int64_t chains) {
    const gm_multispin_info info = multispin_info(m);
    const int64_t count = m->size[axis];
    uint32_t *packed = malloc((size_t)(chains * info.words) * sizeof *packed);
    uint8_t *states = malloc((size_t)(chains * info.sites));
    int64_t *sums = malloc((size_t)(chains * count) * sizeof *sums);
    groups g = no_groups(info.sites, 0, GM_ISING_SIGNS);
    draw_packed(31, packed, chains * info.words);
    for (int64_t i = 0; i < chains * info.sites; ++i) {
        int64_t word;
        int bit;
        site_bit(m, i % info.sites, &word, &bit);
        states[i] = (packed[i / info.sites * info.words + word] >> bit & 1) != 0 ? 1 : 255;
    }
    for (int64_t r = 0; r < count; ++r) {
        add_lattice_group(&g, GM_LATTICE_CUBIC, m->axes, m->size, m->periodic, axis, r);
    }
    for (int by_word = s->is_slow && axis == 0; by_word < (s->is_slow && axis > 0 ? 1 : 2);
         ++by_word) {
        for (int64_t i = 0; i < chains * count; ++i) {
            sums[i] = i % 3 == 0 ? INT64_MAX : i;
        }
        const gm_multispin_distances low = {axis, 0, count};
        correlate(s, m, chains, packed, &low, sums, by_word != 0);
        for (int64_t i = 0; i < chains * count; ++i) {
            const int64_t start = i % 3 == 0 ? INT64_MAX : i;
            const int64_t own = recount(&g.model, states + i / count * info.sites, i % count);
            if ((uint64_t)sums[i] != (uint64_t)start + (uint64_t)own) {
                fail_msg("%s: %lld x %lld x %lld, axis %d, distance %lld: %lld instead of %lld",
                         s->name, (long long)m->size[0], (long long)m->size[1],
                         (long long)m->size[2], (int)axis, (long long)(i % count),
                         (long long)((uint64_t)sums[i] - (uint64_t)start), (long long)own);
            }
        }
    }
    const gm_multispin_distances part = {axis, count / 2, count - count / 2 > 2 ? 2 : 1};
    int64_t few[2 * 9] = {0};
    correlate(s, m, chains, packed, &part, few, false);
    for (int64_t i = 0; i < chains * part.count; ++i) {
        assert_true(few[i] == recount(&g.model, states + i / part.count * info.sites,
                                      part.first + i % part.count));
    }
    free(packed);
    free(states);
    free(sums);
    free_groups(&g);
}

static void packed_sums_are_recounted(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(lattices); ++k) {
            for (int32_t axis = 0; axis < lattices[k].axes; ++axis) {
                compare_packed(s, &lattices[k], axis, k % 3 == 0 ? 5 : 2);
            }
        }
        /* a distance takes several blocks */
        const gm_multispin_model large = {.axes = 2, .size = {300, 900}, .periodic = {1, 1}};
        const int64_t words = multispin_info(&large).words;
        uint32_t *packed = malloc((size_t)words * sizeof *packed);
        draw_packed(3, packed, words);
        for (int32_t axis = 0; axis < 2; ++axis) {
            int64_t sums[2][3] = {{0}};
            const gm_multispin_distances d = {axis, 127, 3};
            correlate(subjects, &large, 1, packed, &d, sums[0], false);
            correlate(s, &large, 1, packed, &d, sums[1], false);
            assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
        }
        free(packed);
    }
}

/* ---- wrong arguments ------------------------------------------------------------------------- */

static void wrong_models_are_refused(void **state) {
    (void)state;
    gm_context *c = subjects[0].context;
    static const int64_t first[] = {0, 1, 2}, late[] = {1, 2, 2}, back[] = {0, 2, 1},
                         huge[] = {0, (int64_t)1 << 31, (int64_t)1 << 31};
    static const int32_t ends[] = {0, 1, 4, 0}, negative[] = {0, 1, 2, -1};
    static const struct {
        gm_correlations_model model;
        const char *text;
    } cases[] = {
        {{.sites = -1, .first = first, .ends = ends}, "model.sites = -1"},
        {{.sites = ((int64_t)1 << 30) + 1, .first = first, .ends = ends}, "model.sites"},
        {{.sites = 5, .groups = -1, .first = first, .ends = ends}, "model.groups = -1"},
        {{.sites = 5, .groups = (1 << 24) + 1, .first = first, .ends = ends}, "model.groups"},
        {{.sites = 5, .groups = 2, .first = first, .ends = ends, .q = 1}, "model.q = 1"},
        {{.sites = 5, .groups = 2, .first = first, .ends = ends, .q = 257}, "model.q = 257"},
        {{.sites = 5, .groups = 2, .first = first, .ends = ends, .q = -2}, "model.q = -2"},
        {{.sites = 5, .groups = 2, .first = first, .ends = ends, .spins = (gm_ising_spins)2},
         "model.spins = 2"},
        {{.sites = 5, .groups = 2, .ends = ends}, "model.first is NULL"},
        {{.sites = 5, .groups = 2, .first = first}, "model.ends is NULL"},
        {{.sites = 5, .groups = 2, .first = late, .ends = ends}, "model.first[0] = 1"},
        {{.sites = 5, .groups = 2, .first = back, .ends = ends}, "model.first[2] = 1 after 2"},
        {{.sites = 5, .groups = 2, .first = huge, .ends = ends}, "model.first[1] = 2147483648"},
        {{.sites = 4, .groups = 2, .first = first, .ends = ends}, "model.ends[1, 0] = 4: is no"},
        {{.sites = 5, .groups = 2, .first = first, .ends = negative}, "model.ends[1, 1] = -1"},
    };
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_correlations_plan *plan = (gm_correlations_plan *)8;
        ASSERT_FAILS(c, gm_correlations_plan_create(c, &cases[k].model, &plan),
                     GM_STATUS_INVALID_ARGUMENT, cases[k].text);
        assert_null(plan);
    }
    gm_correlations_plan *plan;
    const gm_correlations_model m = {.sites = 5, .groups = 2, .first = first, .ends = ends};
    ASSERT_FAILS(NULL, gm_correlations_plan_create(NULL, &m, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "context is NULL");
    ASSERT_FAILS(c, gm_correlations_plan_create(c, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "model is NULL");
    ASSERT_FAILS(c, gm_correlations_plan_create(c, &m, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    gm_correlations_plan_destroy(NULL);
}

enum { CHAINS = 3, SITES = 16, GROUPS = 2 };

/* The checks are the host's, and so are the arrays. */
typedef struct arguments {
    _Alignas(64) int8_t scratch[1 << 14];
    int64_t sums[CHAINS * GROUPS];
    int8_t states[CHAINS * SITES];
    uint32_t packed[CHAINS * 2];
    int32_t status[CHAINS];
} arguments;

#define REFUSED(what, status_code, text) ASSERT_FAILS(c, what, status_code, text)

static void refuse_measurements(gm_context *c, const gm_correlations_plan *plan, arguments *a) {
    const gm_tensor x = gm_tensor_2d(a->states, GM_I8, CHAINS, SITES);
    const gm_tensor y = gm_tensor_2d(a->sums, GM_I64, CHAINS, GROUPS);
    const gm_tensor t = gm_tensor_1d(a->status, GM_I32, CHAINS);
    gm_workspace w = {a->scratch, sizeof a->scratch}, small = {a->scratch, 8};
    ASSERT_FAILS(NULL, gm_correlations_add(NULL, &x, &y, &t, &w), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    REFUSED(gm_correlations_add(plan, NULL, &y, &t, &w), GM_STATUS_INVALID_ARGUMENT,
            "states is NULL");
    REFUSED(gm_correlations_add(plan, &x, NULL, &t, &w), GM_STATUS_INVALID_ARGUMENT,
            "sums is NULL");
    REFUSED(gm_correlations_add(plan, &x, &y, NULL, &w), GM_STATUS_INVALID_ARGUMENT,
            "status is NULL");
    REFUSED(gm_correlations_add(plan, &x, &y, &t, NULL), GM_STATUS_INVALID_ARGUMENT,
            "workspace is NULL");
    REFUSED(gm_correlations_add(plan, &x, &y, &t, &small), GM_STATUS_WORKSPACE_TOO_SMALL, "");
    gm_tensor bad = gm_tensor_2d(a->states, GM_U8, CHAINS, SITES);
    REFUSED(gm_correlations_add(plan, &bad, &y, &t, &w), GM_STATUS_INVALID_ARGUMENT, "states");
    bad = gm_tensor_2d(a->states, GM_I8, CHAINS, SITES - 1);
    REFUSED(gm_correlations_add(plan, &bad, &y, &t, &w), GM_STATUS_SHAPE_MISMATCH,
            "states.shape[1] = 15");
    bad = gm_tensor_2d(a->sums, GM_I64, CHAINS, GROUPS - 1);
    REFUSED(gm_correlations_add(plan, &x, &bad, &t, &w), GM_STATUS_SHAPE_MISMATCH,
            "sums.shape[1] = 1");
    bad = gm_tensor_2d(a->sums, GM_I64, CHAINS - 1, GROUPS);
    REFUSED(gm_correlations_add(plan, &x, &bad, &t, &w), GM_STATUS_SHAPE_MISMATCH,
            "sums.shape[0] = 2");
    bad = gm_tensor_2d(a->sums, GM_I64, CHAINS, GROUPS);
    bad.stride[0] = 0;
    REFUSED(gm_correlations_add(plan, &x, &bad, &t, &w), GM_STATUS_INVALID_ARGUMENT, "sums");
    bad = gm_tensor_1d(a->status, GM_I32, CHAINS - 1);
    REFUSED(gm_correlations_add(plan, &x, &y, &bad, &w), GM_STATUS_SHAPE_MISMATCH,
            "status.shape[0] = 2");
    bad = gm_tensor_1d(a->sums, GM_I32, CHAINS);
    REFUSED(gm_correlations_add(plan, &x, &y, &bad, &w), GM_STATUS_INVALID_ARGUMENT, "sums");
    bad = gm_tensor_1d(a->states, GM_I32, CHAINS);
    REFUSED(gm_correlations_add(plan, &x, &y, &bad, &w), GM_STATUS_INVALID_ARGUMENT, "states");
    gm_workspace over = {a->scratch, sizeof *a};
    bad = gm_tensor_2d(a->scratch, GM_I64, CHAINS, GROUPS);
    REFUSED(gm_correlations_add(plan, &x, &bad, &t, &over), GM_STATUS_INVALID_ARGUMENT,
            "workspace");
}

static void refuse_packed(gm_context *c, const gm_multispin_plan *plan, arguments *a) {
    const gm_multispin_distances d = {0, 1, GROUPS};
    const gm_tensor x = gm_tensor_2d(a->packed, GM_U32, CHAINS, 2);
    const gm_tensor y = gm_tensor_2d(a->sums, GM_I64, CHAINS, GROUPS);
    gm_workspace w = {a->scratch, sizeof a->scratch}, small = {a->scratch, 8};
    ASSERT_FAILS(NULL, gm_multispin_correlations(NULL, &d, &x, &y, &w), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    REFUSED(gm_multispin_correlations(plan, NULL, &x, &y, &w), GM_STATUS_INVALID_ARGUMENT,
            "distances is NULL");
    REFUSED(gm_multispin_correlations(plan, &d, NULL, &y, &w), GM_STATUS_INVALID_ARGUMENT,
            "packed is NULL");
    REFUSED(gm_multispin_correlations(plan, &d, &x, NULL, &w), GM_STATUS_INVALID_ARGUMENT,
            "sums is NULL");
    REFUSED(gm_multispin_correlations(plan, &d, &x, &y, NULL), GM_STATUS_INVALID_ARGUMENT,
            "workspace is NULL");
    REFUSED(gm_multispin_correlations(plan, &d, &x, &y, &small), GM_STATUS_WORKSPACE_TOO_SMALL, "");
    static const struct {
        gm_multispin_distances d;
        const char *text;
    } wrong[] = {{{2, 1, 2}, "distances.axis = 2: the model has 2"},
                 {{-1, 1, 2}, "distances.axis = -1"},
                 {{0, -1, 2}, "distances.first = -1"},
                 {{0, 5, 0}, "distances.first = 5"},
                 {{0, 3, 2}, "distances.count = 2 after first = 3: the axis has a size of 4"},
                 {{0, 1, INT64_MAX}, "distances.count"},
                 {{0, 1, -1}, "distances.count = -1"}};
    for (int k = 0; k < COUNT(wrong); ++k) {
        REFUSED(gm_multispin_correlations(plan, &wrong[k].d, &x, &y, &w),
                GM_STATUS_INVALID_ARGUMENT, wrong[k].text);
    }
    gm_tensor bad = gm_tensor_2d(a->packed, GM_U32, CHAINS, 1);
    REFUSED(gm_multispin_correlations(plan, &d, &bad, &y, &w), GM_STATUS_SHAPE_MISMATCH,
            "packed.shape[1] = 1");
    bad = gm_tensor_2d(a->sums, GM_I64, CHAINS, 1);
    REFUSED(gm_multispin_correlations(plan, &d, &x, &bad, &w), GM_STATUS_SHAPE_MISMATCH,
            "sums.shape[1] = 1");
    bad = gm_tensor_2d(a->sums, GM_U32, CHAINS, 2);
    REFUSED(gm_multispin_correlations(plan, &d, &bad, &y, &w), GM_STATUS_INVALID_ARGUMENT, "sums");
}

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    static arguments a, before;
    gm_context *c = subjects[0].context;
    memset(&a, 1, sizeof a);
    before = a;
    groups g = no_groups(SITES, 0, GM_ISING_SIGNS);
    add_random_group(&g, 1, 5);
    add_random_group(&g, 2, 5);
    gm_correlations_plan *plan;
    ASSERT_OK(c, gm_correlations_plan_create(c, &g.model, &plan));
    refuse_measurements(c, plan, &a);
    gm_correlations_plan_destroy(plan);
    free_groups(&g);
    const gm_multispin_model m = {.axes = 2, .size = {4, 4}};
    gm_multispin_plan *packed;
    ASSERT_OK(c, gm_multispin_plan_create(c, &m, &packed));
    refuse_packed(c, packed, &a);
    gm_multispin_plan_destroy(packed);
    assert_memory_equal(&a, &before, sizeof a);
}

static void nothing_to_do_is_fine(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        static const struct {
            int64_t sites, chains;
            int groups;
        } cases[] = {{0, 3, 0}, {0, 3, 2}, {5, 0, 2}, {5, 3, 0}};
        for (int k = 0; k < COUNT(cases); ++k) {
            groups g = no_groups(cases[k].sites, 2, GM_ISING_SIGNS);
            for (int i = 0; i < cases[k].groups; ++i) {
                (void)add_group(&g, 0);
            }
            static const uint8_t states[15];
            int64_t sums[6] = {1, 2, 3, 4, 5, 6};
            const measurement r = {.chains = cases[k].chains, .states = states, .sums = sums};
            add_measurement(s, &g.model, &r);
            for (int i = 0; i < 6; ++i) {
                assert_true(sums[i] == i + 1);
            }
            free_groups(&g);
        }
        const gm_multispin_model m = {.axes = 1, .size = {5}};
        const gm_multispin_distances none = {0, 5, 0}, all = {0, 0, 5};
        const uint32_t packed[2] = {0, 0};
        int64_t sums[5] = {0};
        correlate(s, &m, 1, packed, &none, sums, false);
        correlate(s, &m, 0, packed, &all, sums, false);
        assert_true(sums[0] == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_recounted),        cmocka_unit_test(large_lattices_are_recounted),
        cmocka_unit_test(all_pairs_are_the_square),  cmocka_unit_test(bad_chains_are_left_alone),
        cmocka_unit_test(lattices_have_their_pairs), cmocka_unit_test(packed_sums_are_recounted),
        cmocka_unit_test(wrong_models_are_refused),  cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(nothing_to_do_is_fine),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}

/*
 * Contractions, exact: small integers, so that every order of summation gives the same bits, in
 * every type, layout and backend, against the sum written out in contract.c. Sums by their length
 * and order are in test_contract_sums.c.
 */
#include "tests/contract.h"

/* Small enough that the type and its partial products hold it exactly. */
static bool is_exact(gm_dtype dtype, const oracle *o) {
    const double most = dtype == GM_BF16                     ? 0x1p8
                        : dtype == GM_F16                    ? 0x1p11
                        : dtype == GM_F32 || dtype == GM_C64 ? 0x1p24
                                                             : 0x1p53;
    for (int64_t e = 0; e < o->elements; ++e) {
        if (o->magnitude[e] > most) {
            return false;
        }
    }
    return true;
}

/*
 * Every type and target on one expression. `plain` is the expression with "->" and letters alone.
 * shapes: the sizes of all operands, one after the other.
 */
static int check_case(const char *expression, const char *plain, int32_t count,
                      const int32_t *ndims, const int64_t *shapes, uint64_t seed, int type_first,
                      int type_count, int layouts, bool slow_too) {
    int ran = 0;
    for (int k = 0; k < type_count; ++k) {
        const gm_dtype type = contract_types[(type_first + k) % COUNT(contract_types)];
        for (int how = 0; how < layouts; ++how) {
            uint64_t random = seed + (uint64_t)(97 * k + how);
            block inputs[GM_MAX_OPERANDS];
            const int64_t *shape = shapes;
            if (type == GM_I8 && count > 2) {
                continue;
            }
            const filling with = type == GM_F16 || type == GM_BF16 ? UNITS : INTEGERS;
            for (int32_t i = 0; i < count; ++i) {
                inputs[i] =
                    make_block(type, ndims[i], shape, (layout)((how + i) % 5), with, &random);
                shape += ndims[i];
            }
            oracle o = work_out(plain, count, inputs);
            const gm_dtype to = output_of(type, below(&random, 4));
            FOR_EACH_TARGET(t) {
                if (t->is_slow && !slow_too) {
                    continue;
                }
                block out = make_output(plain, count, inputs, to, (layout)((how + k) % 4), &random);
                run r = {.expression = expression, .count = count, .inputs = inputs};
                r.options.order = (gm_contract_order)(seed % 4);
                assert_int_equal(run_on(t, &r, &out, false), GM_STATUS_OK);
                if (is_exact(count > 2 ? type : to, &o) && is_exact(to, &o)) {
                    assert_exact(t, expression, &out, &o);
                    ++ran;
                }
                free_block(&out);
            }
            free_oracle(&o);
            for (int32_t i = 0; i < count; ++i) {
                free_block(&inputs[i]);
            }
        }
    }
    return ran;
}

/* ---- the expressions of the book, and those that break libraries ------------------------------
 */

typedef struct known {
    const char *expression, *plain; /* plain NULL: the same */
    int32_t count, ndims[6];
    int64_t shapes[24];
} known;

static const known cases[] = {
    /* vectors and matrices */
    {"i,i->", NULL, 2, {1, 1}, {7, 7}},
    {"i,i->i", NULL, 2, {1, 1}, {7, 7}},
    {"i,j->ij", NULL, 2, {1, 1}, {3, 5}},
    {"i,j", "i,j->ij", 2, {1, 1}, {3, 5}},
    {"ij->ji", NULL, 1, {2}, {4, 6}},
    {"ji", "ji->ij", 1, {2}, {4, 6}},
    {"ij,ij->ij", NULL, 2, {2, 2}, {4, 6, 4, 6}},
    {"ij,ij->", NULL, 2, {2, 2}, {4, 6, 4, 6}},
    {"ij,j->i", NULL, 2, {2, 1}, {9, 17, 17}},
    {"ij,i->j", NULL, 2, {2, 1}, {9, 17, 9}},
    {"ij,jk", "ij,jk->ik", 2, {2, 2}, {5, 7, 7, 3}},
    {"ij,jk->ki", NULL, 2, {2, 2}, {17, 33, 33, 16}},
    {"ji,jk->ik", NULL, 2, {2, 2}, {31, 17, 31, 15}},
    {"ij,kj->ik", NULL, 2, {2, 2}, {8, 64, 9, 64}},
    {"ii->", NULL, 1, {2}, {6, 6}},
    {"ii", "ii->", 1, {2}, {6, 6}},
    {"ii->i", NULL, 1, {2}, {6, 6}},
    {"iij->ji", NULL, 1, {3}, {3, 3, 4}},
    {"iij,jk->ik", NULL, 2, {3, 2}, {3, 3, 4, 4, 5}},
    {"ij->", NULL, 1, {2}, {12, 5}},
    {"ij->j", NULL, 1, {2}, {12, 5}},
    {"bij,bjk->bik", NULL, 2, {3, 3}, {4, 5, 6, 4, 6, 3}},
    {"bij,bjk->ikb", NULL, 2, {3, 3}, {4, 5, 6, 4, 6, 3}},
    {"ib,jb->ijb", NULL, 2, {2, 2}, {3, 8, 5, 8}},
    {"bi,bi->b", NULL, 2, {2, 2}, {9, 33, 9, 33}},
    {"bi,bj->bij", NULL, 2, {2, 2}, {9, 3, 9, 4}},
    /* tensors */
    {"ijc->c", NULL, 1, {3}, {6, 5, 3}},
    {"ijct->ct", NULL, 1, {4}, {5, 4, 3, 6}},
    {"ijct,c->", NULL, 2, {4, 1}, {5, 4, 3, 6, 3}},
    {"ijct,c->ijt", NULL, 2, {4, 1}, {5, 4, 3, 6, 3}},
    {"dv,v->d", NULL, 2, {2, 1}, {8, 12, 12}},
    {"di,di->d", NULL, 2, {2, 2}, {8, 5, 8, 5}},
    {"ij,kl->ijkl", NULL, 2, {2, 2}, {2, 2, 2, 2}},
    {"ijk,kl->ijl", NULL, 2, {3, 2}, {3, 4, 5, 5, 6}},
    {"ijk,k->ij", NULL, 2, {3, 1}, {3, 4, 5, 5}},
    {"ijk,klm->ijlm", NULL, 2, {3, 3}, {2, 3, 4, 4, 3, 2}},
    {"ij,jkl->ikl", NULL, 2, {2, 3}, {5, 5, 5, 5, 5}},
    {"hd,nhd->hn", NULL, 2, {2, 3}, {2, 4, 6, 2, 4}},
    {"hn,nhd->hd", NULL, 2, {2, 3}, {2, 6, 6, 2, 4}},
    {"ijab,ab->ij", NULL, 2, {4, 2}, {3, 3, 4, 4, 4, 4}},
    {"pi,qj,ijkl,rk,sl->pqrs", NULL, 5, {2, 2, 4, 2, 2}, {2, 3, 2, 3, 3, 3, 3, 3, 2, 3, 2, 3}},
    {"ij,jk,kl->il", NULL, 3, {2, 2, 2}, {2, 9, 9, 8, 8, 3}},
    {"ij,jk,ki->", NULL, 3, {2, 2, 2}, {4, 5, 5, 6, 6, 4}},
    {"i,i,i->", NULL, 3, {1, 1, 1}, {6, 6, 6}},
    {"i,j,k->kji", NULL, 3, {1, 1, 1}, {2, 3, 4}},
    {"ab,cd,ef->", NULL, 3, {2, 2, 2}, {2, 3, 2, 2, 3, 2}},
    {"ij,kl->", NULL, 2, {2, 2}, {5, 6, 7, 2}},
    {"ij,jk->k", NULL, 2, {2, 2}, {6, 5, 5, 4}},
    {"ij,jk->", NULL, 2, {2, 2}, {6, 5, 5, 4}},
    /* sizes of 1 and 0, scalars */
    {"ij,jk->ik", NULL, 2, {2, 2}, {1, 7, 7, 1}},
    {"ij,jk->ik", NULL, 2, {2, 2}, {5, 1, 1, 6}},
    {"ij,jk->ik", NULL, 2, {2, 2}, {5, 1, 4, 6}},
    {"ij,jk->ik", NULL, 2, {2, 2}, {5, 4, 1, 6}},
    {"abc,cd->dba", NULL, 2, {3, 2}, {1, 3, 1, 1, 1}},
    {"ij,ij->ij", NULL, 2, {2, 2}, {1, 6, 5, 1}},
    {"ij,jk->ik", NULL, 2, {2, 2}, {5, 0, 0, 6}},
    {"ij,jk->ik", NULL, 2, {2, 2}, {0, 4, 4, 6}},
    {"ij->", NULL, 1, {2}, {0, 4}},
    {"i,j,k->ik", NULL, 3, {1, 1, 1}, {3, 0, 2}},
    {"->", NULL, 1, {0}, {0}},
    {"", "->", 1, {0}, {0}},
    {",->", NULL, 2, {0, 0}, {0}},
    {",i->i", NULL, 2, {0, 1}, {6}},
    {",ij,", ",ij,->ij", 3, {0, 2, 0}, {3, 4}},
    /* the notation */
    {" b i j , b j k -> b i k ", "bij,bjk->bik", 2, {3, 3}, {2, 3, 4, 2, 4, 5}},
    {"...ij,...jk", "abij,bjk->abik", 2, {4, 3}, {2, 3, 4, 5, 3, 5, 2}},
    {"...ij,...jk->...ik", "abij,abjk->abik", 2, {4, 4}, {2, 1, 4, 5, 1, 3, 5, 2}},
    {"i...->...", "iab->ab", 1, {3}, {4, 2, 3}},
    {"i...,j...->...ij", "iab,jb->abij", 2, {3, 2}, {4, 2, 3, 5, 3}},
    {"...,...", "ab,b->ab", 2, {2, 1}, {2, 3, 3}},
    {"...i->i...", "i->i", 1, {1}, {5}},
    {"i->i...", "i->i", 1, {1}, {5}},
    {"bA,Ba", "bA,Ba->ABab", 2, {2, 2}, {2, 3, 4, 5}},
    {"Zi...,iY...->ZY...", "Zia,iYa->ZYa", 2, {3, 3}, {2, 3, 4, 3, 2, 4}},
};

static void known_expressions(void **state) {
    (void)state;
    int ran = 0;
    for (int i = 0; i < COUNT(cases); ++i) {
        const known *c = &cases[i];
        ran += check_case(c->expression, c->plain != NULL ? c->plain : c->expression, c->count,
                          c->ndims, c->shapes, (uint64_t)i, 0, COUNT(contract_types), 5, true);
    }
    printf("%d runs compared\n", ran);
    assert_true(ran > 2 * COUNT(cases));
}

/* ---- random expressions ---------------------------------------------------------------------- */

typedef struct drawn {
    char expression[512];
    int32_t count, ndims[6];
    int64_t shapes[64];
} drawn;

/* Up to five operands of up to four dimensions over eight labels of sizes 1 to 6, now and then 0;
 * labels repeat, sizes broadcast, the output is any part of the labels in any order. */
static drawn draw_expression(uint64_t *random) {
    static const char letters[] = "abXdeYgh";
    drawn d = {.count = 1 + (int32_t)below(random, 5)};
    int64_t extent[8];
    bool seen[8] = {false}, whole[8] = {false};
    char *to = d.expression;
    int shapes = 0;
    for (int l = 0; l < 8; ++l) {
        extent[l] = below(random, 60) == 0 ? 0 : 1 + below(random, 6);
    }
    for (int32_t i = 0; i < d.count; ++i) {
        const int kinds = 2 + (int)below(random, 7);
        d.ndims[i] = (int32_t)below(random, 5);
        for (int32_t axis = 0; axis < d.ndims[i]; ++axis) {
            const int64_t l = below(random, kinds);
            const bool broadcasts = whole[l] && below(random, 8) == 0;
            *to++ = letters[l];
            seen[l] = true;
            whole[l] = whole[l] || !broadcasts;
            d.shapes[shapes++] = broadcasts ? 1 : extent[l];
        }
        *to++ = i + 1 < d.count ? ',' : '-';
    }
    *to++ = '>';
    for (int from = (int)below(random, 8), l = 0; l < 8; ++l) {
        const int label = (5 * l + from) % 8;
        if (seen[label] && below(random, 2) == 0) {
            *to++ = letters[label];
        }
    }
    return d;
}

static double size_of(const drawn *d) {
    double size = 1;
    bool seen[128] = {false};
    int at = 0;
    for (const char *c = d->expression; *c != '-'; ++c) {
        if (*c != ',') {
            size *= !seen[(int)*c] && d->shapes[at] > 0 ? (double)d->shapes[at] : 1;
            seen[(int)*c] = true;
            ++at;
        }
    }
    return size;
}

static void random_expressions(void **state) {
    (void)state;
    uint64_t random = 20240607;
    int done = 0, ran = 0;
    const int wanted = 2000;
    while (done < wanted) {
        const drawn d = draw_expression(&random);
        if (size_of(&d) > 4000) {
            continue;
        }
        ran += check_case(d.expression, d.expression, d.count, d.ndims, d.shapes,
                          next_random(&random) >> 8, done % COUNT(contract_types), 1, 1,
                          done % 20 == 0);
        ++done;
    }
    printf("%d expressions, %d runs compared\n", done, ran);
    assert_true(ran > 2 * wanted * 3 / 4);
}

/* ---- single points --------------------------------------------------------------------------- */

/* The examples that the book prints. */
static void printed_examples(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        uint64_t random = 1;
        const int64_t two[] = {2}, square[] = {2, 2};
        const double expected[] = {3, 4, 6, 8};
        block inputs[] = {make_block(GM_F64, 1, two, ROWS, ONES, &random),
                          make_block(GM_F64, 1, two, ROWS, ONES, &random)};
        for (int i = 0; i < 4; ++i) { /* (1, 2) x (3, 4) */
            set_element(&inputs[i / 2], i % 2, 1 + i);
        }
        block out = make_block(GM_F64, 2, square, ROWS, POISON, &random);
        run r = {.expression = "i,j->ij", .count = 2, .inputs = inputs};
        run_on(t, &r, &out, false);
        for (int e = 0; e < 4; ++e) {
            assert_true(get_element(&out, e) == expected[e]);
        }
        free_block(&inputs[0]);
        free_block(&inputs[1]);
        free_block(&out);
        /* A 2-D convolution as a tensor of four dimensions on the picture. */
        const double picture[] = {1, 2, 3, 0, 4, 5, 6, 1, 7, 8, 9, 0, 1, 0, 2, 3};
        const double result[] = {-4, -4, 2, -4, -4, 6, 7, 6, 6}, kernel[] = {1, 0, 0, -1};
        const int64_t wide[] = {3, 3, 4, 4}, pixels[] = {4, 4}, valid[] = {3, 3};
        block both[] = {make_block(GM_F64, 4, wide, PADDED, ONES, &random),
                        make_block(GM_F64, 2, pixels, COLUMNS, ONES, &random)};
        for (int e = 0; e < 144; ++e) {
            const int h = e / 4 % 4 - e / 48, w = e % 4 - e / 16 % 3;
            const bool inside = h >= 0 && h < 2 && w >= 0 && w < 2;
            set_element(&both[0], e, inside ? kernel[2 * h + w] : 0);
        }
        for (int e = 0; e < 16; ++e) {
            set_element(&both[1], e, picture[e]);
        }
        out = make_block(GM_F64, 2, valid, ROWS, POISON, &random);
        run conv = {.expression = "ijab,ab->ij", .count = 2, .inputs = both};
        run_on(t, &conv, &out, false);
        for (int e = 0; e < 9; ++e) {
            assert_true(get_element(&out, e) == result[e]);
        }
        free_block(&both[0]);
        free_block(&both[1]);
        free_block(&out);
    }
}

/* 32 labels in each of two operands: some in both, some summed, some in one. */
static void the_most_labels(void **state) {
    (void)state;
    static const char *const expressions[] = {
        "abcdefghijklmnopqrstuvwxyzABCDEF,FEDCBAzyxwvutsrqponmlkjihgfedcba->acegikmoqsuwyACE",
        "abcdefghijklmnopqrstuvwxyzABCDEF->FEDCBAzyxwvutsrqponmlkjihgfedcba",
        "abcdefghijklmnopqrstuvwxyzABCDEF,abcdefghijklmnop->ponmlkjihgfe"};
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < COUNT(expressions); ++i) {
            uint64_t random = 77;
            int64_t shape[32], other[32];
            for (int axis = 0; axis < 32; ++axis) {
                shape[axis] = axis % 3 == 0 ? 2 : 1; /* 2^11 elements */
                other[axis] = i == 0 ? (31 - axis) % 3 == 0 ? 2 : 1 : shape[axis];
            }
            const int32_t count = i == 1 ? 1 : 2;
            block inputs[] = {
                make_block(GM_F32, 32, shape, PADDED, INTEGERS, &random),
                make_block(GM_F32, i == 0 ? 32 : 16, other, BACKWARD, INTEGERS, &random)};
            oracle o = work_out(expressions[i], count, inputs);
            block out = make_output(expressions[i], count, inputs, GM_F32, PADDED, &random);
            run r = {.expression = expressions[i], .count = count, .inputs = inputs};
            run_on(t, &r, &out, false);
            assert_exact(t, expressions[i], &out, &o);
            free_block(&out);
            free_oracle(&o);
            free_block(&inputs[0]);
            free_block(&inputs[1]);
        }
    }
}

/* 64 operands, a chain of matrices, by every order. */
static void the_most_operands(void **state) {
    (void)state;
    char expression[512], *to = expression;
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEF";
    for (int i = 0; i < GM_MAX_OPERANDS; ++i) { /* two matrices between two neighbours */
        *to++ = letters[i / 2 % 32];
        *to++ = letters[(i / 2 + 1) % 32];
        *to++ = i + 1 < GM_MAX_OPERANDS ? ',' : '-';
    }
    strcpy(to, ">");
    FOR_EACH_TARGET(t) {
        if (t->is_reference || t->is_slow) {
            continue; /* a loop over 2^32 */
        }
        for (int order = 0; order < 4; ++order) {
            uint64_t random = 5;
            const int64_t shape[] = {2, 2};
            static block inputs[GM_MAX_OPERANDS];
            double product[2][2] = {{1, 0}, {0, 1}};
            for (int i = 0; i < GM_MAX_OPERANDS; ++i) {
                inputs[i] = make_block(GM_F64, 2, shape, PADDED, UNITS, &random);
                if (i % 2 == 1) { /* its elements that are in the pair's product */
                    for (int e = 0; e < 4; ++e) {
                        set_element(&inputs[i], e, (e + i / 2) % 3 == 0);
                    }
                    double next[2][2] = {{0, 0}, {0, 0}};
                    for (int e = 0; e < 8; ++e) {
                        const double both = creal(get_element(&inputs[i - 1], e % 4)) *
                                            creal(get_element(&inputs[i], e % 4));
                        next[e / 4][e % 2] += product[e / 4][e / 2 % 2] * both;
                    }
                    memcpy(product, next, sizeof product);
                }
            }
            block out = make_block(GM_F64, 0, shape, ROWS, POISON, &random);
            run r = {.expression = expression, .count = GM_MAX_OPERANDS, .inputs = inputs};
            r.options.order =
                order == GM_CONTRACT_EXACT ? GM_CONTRACT_AUTO : (gm_contract_order)order;
            run_on(t, &r, &out, false);
            assert_true(creal(get_element(&out, 0)) == product[0][0] + product[1][1]);
            assert_true(r.operations < 5000);
            free_block(&out);
            for (int i = 0; i < GM_MAX_OPERANDS; ++i) {
                free_block(&inputs[i]);
            }
        }
    }
}

/* ---- alpha, beta, C -------------------------------------------------------------------------- */

static void scales_and_addends(void **state) {
    (void)state;
    static const char *const expressions[] = {"bij,bjk->bik", "ij,jk->ki",    "ij->ji",
                                              "ij,ij->",      "ij,jk,kl->il", "ij,kj->ik"};
    static const int64_t shapes[][3][3] = {
        {{3, 4, 5}, {3, 5, 6}}, {{4, 5}, {5, 3}},         {{4, 5}},
        {{4, 5}, {4, 5}},       {{3, 4}, {4, 5}, {5, 2}}, {{4, 0}, {3, 0}}};
    static const gm_contract_scale scales[] = {{2, 0, 0, 0}, {1, 0, 1, 0},  {-1, 0, 2, 0},
                                               {0, 0, 3, 0}, {2, 1, -1, 3}, {0, 0, 0, 0}};
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < COUNT(expressions) * COUNT(scales) * COUNT(contract_types); ++i) {
            const int which = i % COUNT(expressions);
            const gm_contract_scale *s = &scales[i / COUNT(expressions) % COUNT(scales)];
            const gm_dtype type = contract_types[i / COUNT(expressions) / COUNT(scales)];
            const int32_t count = which == 2 ? 1 : which == 4 ? 3 : 2, ndim = which == 0 ? 3 : 2;
            uint64_t random = (uint64_t)i;
            block inputs[3];
            if (type == GM_I8 && count > 2) {
                continue;
            }
            for (int32_t j = 0; j < count; ++j) {
                inputs[j] = make_block(type, ndim, shapes[which][j], ROWS, UNITS, &random);
            }
            const gm_dtype to = type == GM_I8 ? GM_I32 : type;
            oracle o = work_out(expressions[which], count, inputs);
            for (int how = ROWS; how <= REPEATED + 1; ++how) { /* the last: in place */
                block out = make_output(expressions[which], count, inputs, to, PADDED, &random);
                block addend = make_block(to, out.view.ndim, out.view.shape, (layout)(how % 5),
                                          INTEGERS, &random);
                const bool is_complex = to == GM_C64 || to == GM_C128;
                const bool adds = s->beta != 0 || (is_complex && s->beta_imaginary != 0);
                oracle expected = o;
                expected.value = calloc((size_t)o.elements + 1, sizeof *o.value);
                expected.wrapped = calloc((size_t)o.elements + 1, sizeof *o.wrapped);
                for (int64_t e = 0; e < o.elements; ++e) {
                    const double complex c = get_element(&addend, e), v = o.value[e];
                    const double ai = is_complex ? s->alpha_imaginary : 0,
                                 bi = is_complex ? s->beta_imaginary : 0;
                    expected.value[e] = make_complex(
                        s->alpha * creal(v) - ai * cimag(v) + s->beta * creal(c) - bi * cimag(c),
                        s->alpha * cimag(v) + ai * creal(v) + s->beta * cimag(c) + bi * creal(c));
                    expected.wrapped[e] = (uint32_t)(int32_t)s->alpha * o.wrapped[e] +
                                          (uint32_t)(int32_t)s->beta * (uint32_t)(int32_t)creal(c);
                }
                if (!adds) { /* then C is not read: NaN in it does not matter */
                    memset(addend.memory, 0xff, addend.bytes);
                }
                run r = {.expression = expressions[which],
                         .count = count,
                         .inputs = inputs,
                         .addend = &addend,
                         .in_place = how > REPEATED,
                         .scale = s};
                run_on(t, &r, &out, false);
                assert_exact(t, expressions[which], &out, &expected);
                free(expected.value);
                free(expected.wrapped);
                free_block(&out);
                free_block(&addend);
            }
            free_oracle(&o);
            for (int32_t j = 0; j < count; ++j) {
                free_block(&inputs[j]);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_expressions), cmocka_unit_test(random_expressions),
        cmocka_unit_test(printed_examples),  cmocka_unit_test(the_most_labels),
        cmocka_unit_test(the_most_operands), cmocka_unit_test(scales_and_addends),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}

/*
 * Lowering: a path becomes steps of two operands (or one), their labels become modes, and partial
 * products get the layout that the step that reads them likes.
 */
#include <stdlib.h>
#include <string.h>

#include "host/contract/lower.h"
#include "host/internal.h"

typedef struct lowering {
    gm_context *context;
    const gm_expression *expression;
    const gm_tensor *inputs;
    gm_dtype input;
    gm_contract_steps *steps;
    gm_labels labels[3 * GM_MAX_OPERANDS]; /* of each term */
} lowering;

/* ---- the steps and their labels -------------------------------------------------------------- */

static int32_t append(lowering *l, int32_t a, int32_t b, gm_labels d) {
    const int32_t term = l->steps->operands + l->steps->count;
    gm_contract_step *step = &l->steps->step[l->steps->count++];
    *step = (gm_contract_step){.a = a, .b = b};
    step->view.a = a >= 0 ? l->labels[a] : 0;
    step->view.b = b >= 0 ? l->labels[b] : 0;
    step->view.d = d;
    l->labels[term] = d;
    return term;
}

/*
 * Labels of term x that nobody else needs can be summed before x meets y, so that y's other labels
 * do not multiply that work. Not in types whose sums are wider than themselves: the partial sums
 * would be rounded, or overflow.
 */
static int32_t sum_before(lowering *l, int32_t x, int32_t y, gm_labels needed) {
    const gm_labels a = l->labels[x], b = l->labels[y], lone = a & ~(needed | b);
    if (lone == 0 || l->input == GM_F16 || l->input == GM_BF16 || l->input == GM_I8) {
        return x;
    }
    const double at_once = gm_expression_size(l->expression, a | b);
    const double before =
        gm_expression_size(l->expression, a) + gm_expression_size(l->expression, (a & ~lone) | b);
    return before < at_once ? append(l, x, -1, a & ~lone) : x;
}

static void append_all(lowering *l, const gm_path *path) {
    const gm_expression *e = l->expression;
    int32_t term[2 * GM_MAX_OPERANDS];         /* of each number in the path */
    bool alive[2 * GM_MAX_OPERANDS] = {false}; /* not contracted yet */
    for (int32_t i = 0; i < e->operands; ++i) {
        term[i] = i;
        alive[i] = true;
        l->labels[i] = e->used[i];
    }
    if (e->empty_sum) {
        append(l, -1, -1, e->result);
        return;
    }
    if (e->operands == 1) {
        append(l, 0, -1, e->result);
        return;
    }
    for (int32_t s = 0; s < path->steps; ++s) {
        const int32_t x = path->step[s].a, y = path->step[s].b, made = e->operands + s;
        gm_labels needed = e->result;
        alive[x] = alive[y] = false;
        for (int32_t i = 0; i < made; ++i) {
            needed |= alive[i] ? l->labels[term[i]] : 0;
        }
        const int32_t a = path->whole ? term[x] : sum_before(l, term[x], term[y], needed);
        const int32_t b = path->whole ? term[y] : sum_before(l, term[y], a, needed);
        term[made] = append(l, a, b, (l->labels[a] | l->labels[b]) & needed);
        alive[made] = true;
    }
}

/* ---- layouts --------------------------------------------------------------------------------- */

static int64_t magnitude(int64_t stride) {
    return stride < 0 ? -stride : stride;
}

/* Appends the labels of a set in order of falling strides, those with equal strides as they are. */
static void append_sorted(gm_labels set, const int64_t *stride, int32_t *list, int32_t *count) {
    for (; set != 0; set &= set - 1) {
        const int32_t label = __builtin_ctz(set);
        int32_t at = (*count)++;
        for (;
             at > 0 && stride != NULL && magnitude(stride[list[at - 1]]) < magnitude(stride[label]);
             --at) {
            list[at] = list[at - 1];
        }
        list[at] = label;
    }
}

/* The label that d walks fastest; -1 for a scalar. */
static int32_t fastest(const gm_step_view *v, gm_labels set) {
    int32_t best = -1;
    for (; set != 0; set &= set - 1) {
        const int32_t label = __builtin_ctz(set);
        if (best < 0 || magnitude(v->d_stride[label]) < magnitude(v->d_stride[best])) {
            best = label;
        }
    }
    return best;
}

/* b is the operand of the free label that d walks fastest: n, not m, is contiguous. */
static void order_operands(gm_contract_step *step) {
    gm_step_view *v = &step->view;
    const int32_t label = fastest(v, v->d & (v->a ^ v->b));
    if (step->b >= 0 && label >= 0 && (v->a >> label & 1u) != 0) {
        const int32_t term = step->a;
        const gm_labels labels = v->a;
        step->a = step->b;
        step->b = term;
        v->a = v->b;
        v->b = labels;
    }
}

/* Contiguous strides over groups of labels, outermost first. */
static gm_status lay_out(lowering *l, const int32_t *list, int32_t count, int64_t *stride,
                         gm_contract_step *maker) {
    int64_t elements = 1, bytes = 0;
    for (int32_t i = count - 1; i >= 0; --i) {
        stride[list[i]] = elements;
        GM_CHECK(l->context, gm_multiply_sizes(elements, l->expression->extent[list[i]], &elements),
                 GM_STATUS_OUT_OF_MEMORY, "a partial product has over 2^63 - 1 elements");
    }
    GM_CHECK(l->context,
             gm_multiply_sizes(elements, (int64_t)gm_dtype_size(l->input), &bytes) &&
                 bytes <= INT64_MAX - 63,
             GM_STATUS_OUT_OF_MEMORY, "a partial product has over 2^63 - 1 bytes");
    maker->d_bytes = (bytes + 63) / 64 * 64;
    memcpy(maker->view.d_stride, stride, sizeof maker->view.d_stride);
    return GM_STATUS_OK;
}

/*
 * The layout of a partial product that a step reads as a or b: its batch labels, then (m, k) as a
 * and (k, n) as b, so that the step finds a row-major matrix; the batch last where d has it last.
 * Labels summed over are in the order of the other operand.
 */
static gm_status lay_out_operand(lowering *l, gm_contract_step *step, bool is_b) {
    gm_step_view *v = &step->view;
    const gm_labels own = is_b ? v->b : v->a, batch = v->a & v->b & v->d, summed = own & ~v->d;
    const gm_labels own_free = own & v->d & ~batch;
    const int32_t last = fastest(v, v->d);
    const bool batch_last = last >= 0 && (batch >> last & 1u) != 0;
    int32_t list[GM_MAX_LABELS], count = 0;
    const int64_t *others = is_b ? v->a_stride : step->b < l->steps->operands ? v->b_stride : NULL;
    const gm_labels groups[] = {batch_last ? 0 : batch, is_b ? summed : own_free,
                                is_b ? own_free : summed, batch_last ? batch : 0};
    for (int g = 0; g < 4; ++g) {
        int32_t group[GM_MAX_LABELS], size = 0;
        append_sorted(groups[g], groups[g] == summed ? others : v->d_stride, group, &size);
        memcpy(list + count, group, (size_t)size * sizeof *group);
        count += size;
    }
    const int32_t term = is_b ? step->b : step->a;
    return lay_out(l, list, count, is_b ? v->b_stride : v->a_stride,
                   &l->steps->step[term - l->steps->operands]);
}

static void take_input(lowering *l, int32_t term, int64_t *stride) {
    if (term >= 0 && term < l->steps->operands) {
        gm_expression_strides(l->expression, term, &l->inputs[term], stride);
    }
}

/* From the last step to the first: what reads a partial product says how it lies. */
static gm_status lay_out_all(lowering *l) {
    for (int32_t s = l->steps->count - 1; s >= 0; --s) {
        gm_contract_step *step = &l->steps->step[s];
        order_operands(step);
        take_input(l, step->a, step->view.a_stride);
        take_input(l, step->b, step->view.b_stride);
        if (step->a >= l->steps->operands) {
            GM_TRY(lay_out_operand(l, step, false));
        }
        if (step->b >= l->steps->operands) {
            GM_TRY(lay_out_operand(l, step, true));
        }
    }
    return GM_STATUS_OK;
}

void gm_contract_output_strides(const gm_expression *expression, const gm_tensor *view,
                                int64_t stride[GM_MAX_LABELS]) {
    memset(stride, 0, GM_MAX_LABELS * sizeof *stride);
    for (int32_t axis = 0; axis < expression->outputs; ++axis) {
        stride[expression->output[axis]] = view->shape[axis] > 1 ? view->stride[axis] : 0;
    }
}

/* ---- modes ----------------------------------------------------------------------------------- */

/* What the modes of a kind are sorted by. */
static int64_t sort_key(const gm_mode *mode, bool summed) {
    return magnitude(!summed ? mode->d : mode->a != 0 ? mode->a : mode->b);
}

/* outer and inner can be walked as one: every tensor goes on where inner ends. */
static bool continues(const gm_mode *outer, const gm_mode *inner) {
    const int64_t pairs[][2] = {{outer->a, inner->a},       {outer->b, inner->b},
                                {outer->c, inner->c},       {outer->d, inner->d},
                                {outer->bias, inner->bias}, {outer->index, inner->index}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; ++i) {
        int64_t next;
        if (!gm_multiply_sizes(inner->extent, pairs[i][1], &next) || next != pairs[i][0]) {
            return false;
        }
    }
    int64_t extent;
    return gm_multiply_sizes(outer->extent, inner->extent, &extent);
}

/* Adds the modes of one kind to those before; their number, or -1 if their product overflows. */
static int32_t add_modes(const gm_expression *e, const gm_step_view *v, gm_labels set, bool summed,
                         gm_mode *modes, int64_t *product) {
    int32_t count = 0;
    for (gm_labels rest = set; rest != 0; rest &= rest - 1) {
        const int32_t l = __builtin_ctz(rest);
        const gm_mode mode = {e->extent[l],   v->a_stride[l],    v->b_stride[l],    v->c_stride[l],
                              v->d_stride[l], v->bias_stride[l], v->index_stride[l]};
        int32_t at = count++;
        for (; at > 0 && sort_key(&modes[at - 1], summed) < sort_key(&mode, summed); --at) {
            modes[at] = modes[at - 1];
        }
        modes[at] = mode;
    }
    for (int32_t i = count - 2; i >= 0; --i) {
        if (continues(&modes[i], &modes[i + 1])) {
            modes[i + 1].extent *= modes[i].extent;
            memmove(&modes[i], &modes[i + 1], (size_t)(count - i - 1) * sizeof *modes);
            --count;
        }
    }
    *product = 1;
    for (int32_t i = 0; i < count; ++i) {
        if (!gm_multiply_sizes(*product, modes[i].extent, product)) {
            return -1;
        }
    }
    return count;
}

bool gm_contract_build(const gm_expression *expression, const gm_step_view *view,
                       gm_contraction *contraction) {
    gm_contraction *c = contraction;
    const gm_labels a = view->a, b = view->b, d = view->d;
    const bool single = c->operands == 1;
    const gm_labels sets[] = {single ? 0 : a & b & d, single ? d : d & a & ~b,
                              single ? 0 : d & b & ~a, (a | b) & ~d};
    int32_t *const counts[] = {&c->batches, &c->ms, &c->ns, &c->ks};
    int64_t *const products[] = {&c->batch, &c->m, &c->n, &c->k};
    gm_mode *modes = c->modes;
    for (int kind = 0; kind < 4; ++kind) {
        const int32_t count =
            add_modes(expression, view, sets[kind], kind == 3, modes, products[kind]);
        if (count < 0) {
            return false;
        }
        *counts[kind] = count;
        modes += count;
    }
    return true;
}

static void count_work(const gm_expression *e, gm_contract_step *step) {
    const gm_step_view *v = &step->view;
    const double all = gm_expression_size(e, v->a | v->b | v->d);
    const bool sums = step->contraction.k != 1;
    step->operations = step->a < 0 ? 0 : all * (double)((step->b >= 0) + sums);
    step->bytes = (double)gm_dtype_size(step->contraction.input) *
                      ((step->a >= 0 ? gm_expression_size(e, v->a) : 0) +
                       (step->b >= 0 ? gm_expression_size(e, v->b) : 0)) +
                  (double)gm_dtype_size(step->contraction.output) * gm_expression_size(e, v->d);
}

static gm_status build_step(lowering *l, gm_contract_step *step, gm_dtype output,
                            const gm_contract_options *options) {
    gm_contraction *c = &step->contraction;
    c->input = l->input;
    c->output = output;
    c->math = options->math;
    c->operands = step->b >= 0 ? 2 : 1;
    memcpy(step->view.c_stride, step->view.d_stride, sizeof step->view.c_stride);
    GM_CHECK(l->context, gm_contract_build(l->expression, &step->view, c),
             GM_STATUS_INVALID_ARGUMENT, "a step sums over 2^63 - 1 products");
    c->k = step->a >= 0 ? c->k : 0;
    count_work(l->expression, step);
    return GM_STATUS_OK;
}

/* What only the step that writes the output has. */
static void set_epilogue(const lowering *l, const gm_tensor *output,
                         const gm_contract_epilogue *epilogue, gm_contract_step *step) {
    gm_contraction *c = &step->contraction;
    gm_tensor index;
    if (epilogue == NULL) {
        return;
    }
    c->activation = epilogue->activation;
    c->has_bias = epilogue->bias != NULL;
    c->bias_dtype = output->dtype;
    c->sample = epilogue->sample != 0;
    c->seed = epilogue->seed;
    c->first = epilogue->first;
    if (epilogue->bias != NULL) {
        gm_contract_output_strides(l->expression, epilogue->bias, step->view.bias_stride);
    }
    if (epilogue->sample &&
        gm_tensor_view(NULL, output->dtype, output->ndim, output->shape, &index) == GM_STATUS_OK) {
        gm_contract_output_strides(l->expression, &index, step->view.index_stride);
    }
}

gm_status gm_contract_lower(gm_context *context, const gm_expression *expression,
                            const gm_tensor *inputs, const gm_tensor *output,
                            const gm_contract_options *options, const gm_path *path,
                            gm_contract_steps *steps) {
    lowering l = {.context = context,
                  .expression = expression,
                  .inputs = inputs,
                  .input = inputs[0].dtype,
                  .steps = steps};
    /* A step for each pair, and one before it for each operand. */
    steps->operands = expression->operands;
    steps->step = calloc(2 * (size_t)expression->operands, sizeof *steps->step);
    GM_CHECK(context, steps->step != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    append_all(&l, path);
    gm_contract_step *last = &steps->step[steps->count - 1];
    gm_contract_output_strides(expression, output, last->view.d_stride);
    set_epilogue(&l, output, options->epilogue, last);
    GM_TRY(lay_out_all(&l));
    for (int32_t s = 0; s < steps->count; ++s) {
        gm_contract_step *step = &steps->step[s];
        GM_TRY(build_step(&l, step, step == last ? output->dtype : l.input, options));
    }
    return GM_STATUS_OK;
}

/* ---- the workspace --------------------------------------------------------------------------- */

typedef struct block {
    int64_t at, end;
    int32_t last; /* the step after which it is free */
} block;

typedef struct blocks {
    int32_t count;
    block block[4 * GM_MAX_OPERANDS];
    int64_t end; /* of all there ever were */
} blocks;

/* The lowest place for so many bytes, a multiple of 64, among the blocks alive; -1 on overflow. */
static int64_t place(blocks *all, int64_t bytes, int32_t last) {
    int64_t at = 0, end = bytes;
    for (int32_t i = 0; i < all->count;) {
        const block *other = &all->block[i];
        if (bytes > 0 && at < other->end && other->at < end) {
            at = other->end;
            if (__builtin_add_overflow(at, bytes, &end)) {
                return -1;
            }
            i = 0;
        } else {
            ++i;
        }
    }
    if (bytes > 0) {
        all->block[all->count++] = (block){at, end, last};
        all->end = end > all->end ? end : all->end;
    }
    return at;
}

static void free_before(blocks *all, int32_t step) {
    int32_t kept = 0;
    for (int32_t i = 0; i < all->count; ++i) {
        if (all->block[i].last >= step) {
            all->block[kept++] = all->block[i];
        }
    }
    all->count = kept;
}

/* The step that reads the result of step s. */
static int32_t reader_of(const gm_contract_steps *steps, int32_t s) {
    for (int32_t t = s + 1; t < steps->count; ++t) {
        if (steps->step[t].a == steps->operands + s || steps->step[t].b == steps->operands + s) {
            return t;
        }
    }
    return s;
}

gm_status gm_contract_place(gm_context *context, gm_contract_steps *steps, int64_t *bytes) {
    blocks all = {.count = 0};
    for (int32_t s = 0; s < steps->count; ++s) {
        gm_contract_step *step = &steps->step[s];
        free_before(&all, s);
        step->d_at = place(&all, step->d_bytes, reader_of(steps, s));
        step->scratch_at = place(&all, (step->choice.workspace + 63) / 64 * 64, s);
        GM_CHECK(context, step->d_at >= 0 && step->scratch_at >= 0, GM_STATUS_OUT_OF_MEMORY,
                 "the workspace has over 2^63 - 1 bytes");
    }
    *bytes = all.end;
    return GM_STATUS_OK;
}

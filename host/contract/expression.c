/* Parsing of einsum expressions. */
#include <ctype.h>
#include <string.h>

#include "host/contract/expression.h"
#include "host/internal.h"

/* The labels of one operand, or of the output, as written. */
typedef struct term {
    char letter[GM_MAX_DIMS];
    int32_t position[GM_MAX_DIMS]; /* of each letter in the text */
    int32_t count;
    int32_t dots; /* letters before "...", -1 without it */
} term;

typedef struct parser {
    gm_context *context;
    const char *text;
    term operand[GM_MAX_OPERANDS], output;
    int32_t operands;
    bool has_output;
    int32_t broadcast; /* dimensions that "..." stands for */
    int8_t label[128]; /* of each letter, -1 if it is none yet */
    int8_t broadcast_label[GM_MAX_DIMS];
    int32_t owner[GM_MAX_LABELS]; /* the operand that gave a label its extent */
} parser;

/* ---- the text -------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static gm_status fail_at(const parser *p, int32_t position,
                                                               const char *format, ...) {
    char reason[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return gm_fail(p->context, GM_STATUS_INVALID_ARGUMENT, "expression \"%.200s\" at %d: %s",
                   p->text, (int)position, reason);
}

static gm_status take_letter(const parser *p, term *t, int32_t position) {
    if (t->count == GM_MAX_DIMS) {
        return fail_at(p, position, "more than %d labels in an operand", GM_MAX_DIMS);
    }
    t->position[t->count] = position;
    t->letter[t->count++] = p->text[position];
    return GM_STATUS_OK;
}

static gm_status take_dots(const parser *p, term *t, int32_t *position) {
    if (strncmp(p->text + *position, "...", 3) != 0) {
        return fail_at(p, *position, "a '.' that is not one of \"...\"");
    }
    if (t->dots >= 0) {
        return fail_at(p, *position, "a second \"...\" in an operand");
    }
    t->dots = t->count;
    *position += 2;
    return GM_STATUS_OK;
}

/* A comma or an arrow: the next term, or NULL with the error said. */
static term *next_term(parser *p, int32_t *position) {
    if (p->has_output) {
        fail_at(p, *position, "'%c' after the output's labels", p->text[*position]);
        return NULL;
    }
    if (p->text[*position] == ',') {
        if (p->operands == GM_MAX_OPERANDS) {
            fail_at(p, *position, "more than %d operands", GM_MAX_OPERANDS);
            return NULL;
        }
        return &p->operand[p->operands++];
    }
    if (p->text[*position + 1] != '>') {
        fail_at(p, *position, "a '-' that is not one of \"->\"");
        return NULL;
    }
    ++*position;
    p->has_output = true;
    return &p->output;
}

static gm_status read_text(parser *p) {
    term *t = &p->operand[0];
    p->operands = 1;
    t->dots = -1;
    for (int32_t i = 0; p->text[i] != '\0'; ++i) {
        const unsigned char c = (unsigned char)p->text[i];
        if (c == ' ') {
            continue;
        }
        if (c < 128 && isalpha(c)) {
            GM_TRY(take_letter(p, t, i));
        } else if (c == '.') {
            GM_TRY(take_dots(p, t, &i));
        } else if (c == ',' || c == '-') {
            t = next_term(p, &i);
            if (t == NULL) {
                return GM_STATUS_INVALID_ARGUMENT;
            }
            t->dots = -1;
        } else if (c < 128 && isprint(c)) {
            return fail_at(p, i, "'%c' is no label: letters are", c);
        } else {
            return fail_at(p, i, "the byte 0x%02x is no label: letters are", c);
        }
    }
    return GM_STATUS_OK;
}

/* ---- labels and extents ---------------------------------------------------------------------- */

static gm_status add_label(const parser *p, gm_expression *e, char letter, int8_t *label) {
    GM_CHECK(p->context, e->labels < GM_MAX_LABELS, GM_STATUS_INVALID_ARGUMENT,
             "expression \"%.200s\": more than %d labels, those of \"...\" included", p->text,
             GM_MAX_LABELS);
    e->letter[e->labels] = letter;
    e->extent[e->labels] = 1;
    *label = (int8_t)e->labels++;
    return GM_STATUS_OK;
}

/* How many dimensions "..." stands for: the most that any operand has beside its letters. */
static gm_status count_broadcast(parser *p, const gm_tensor *inputs) {
    for (int32_t i = 0; i < p->operands; ++i) {
        const term *t = &p->operand[i];
        const int32_t rest = inputs[i].ndim - t->count;
        GM_CHECK(p->context, t->dots >= 0 ? rest >= 0 : rest == 0, GM_STATUS_SHAPE_MISMATCH,
                 "inputs[%d].ndim = %d: the expression \"%.200s\" gives it %d label%s%s", (int)i,
                 (int)inputs[i].ndim, p->text, (int)t->count, t->count == 1 ? "" : "s",
                 t->dots >= 0 ? " and \"...\"" : "");
        p->broadcast = rest > p->broadcast ? rest : p->broadcast;
    }
    return GM_STATUS_OK;
}

static gm_status make_labels(parser *p, gm_expression *e) {
    memset(p->label, -1, sizeof p->label);
    for (int32_t i = 0; i < p->operands; ++i) {
        for (int32_t j = 0; j < p->operand[i].count; ++j) {
            const char letter = p->operand[i].letter[j];
            if (p->label[(int)letter] < 0) {
                GM_TRY(add_label(p, e, letter, &p->label[(int)letter]));
            }
        }
    }
    char spare = 'Z'; /* from the end of the capitals, which few expressions use */
    for (int32_t j = 0; j < p->broadcast; ++j) {
        while (p->label[(int)spare] >= 0) {
            spare = spare == 'A' ? 'z' : (char)(spare - 1);
        }
        GM_TRY(add_label(p, e, spare, &p->broadcast_label[j]));
        spare = spare == 'A' ? 'z' : (char)(spare - 1);
    }
    return GM_STATUS_OK;
}

/* The labels of the axes of a term with so many dimensions. */
static void label_axes(const parser *p, const term *t, int32_t dims, int8_t *axis) {
    const int32_t rest = dims - t->count;
    int32_t at = 0;
    for (int32_t j = 0; j <= t->count; ++j) {
        if (j == t->dots) {
            for (int32_t k = p->broadcast - rest; k < p->broadcast; ++k) {
                axis[at++] = p->broadcast_label[k];
            }
        }
        if (j < t->count) {
            axis[at++] = p->label[(int)t->letter[j]];
        }
    }
}

static gm_status fail_extent(const parser *p, const gm_expression *e, int32_t label, int64_t size,
                             int32_t operand) {
    char name[32];
    int32_t letters = e->labels - p->broadcast;
    if (label < letters) {
        snprintf(name, sizeof name, "label %c", e->letter[label]);
    } else {
        snprintf(name, sizeof name, "dimension %d of \"...\"", (int)(label - letters));
    }
    return gm_fail(
        p->context, GM_STATUS_SHAPE_MISMATCH, "%s is %lld in operand %d and %lld in operand %d",
        name, (long long)e->extent[label], (int)p->owner[label], (long long)size, (int)operand);
}

static gm_status take_extents(parser *p, gm_expression *e, const gm_tensor *inputs) {
    for (int32_t i = 0; i < p->operands; ++i) {
        e->dims[i] = inputs[i].ndim;
        label_axes(p, &p->operand[i], inputs[i].ndim, e->axis[i]);
        for (int32_t axis = 0; axis < inputs[i].ndim; ++axis) {
            const int32_t label = e->axis[i][axis];
            const int64_t size = inputs[i].shape[axis];
            if (size == 1 || size == e->extent[label]) {
                continue;
            }
            if (e->extent[label] != 1) {
                return fail_extent(p, e, label, size, i);
            }
            e->extent[label] = size;
            p->owner[label] = i;
        }
    }
    for (int32_t i = 0; i < p->operands; ++i) {
        for (int32_t axis = 0; axis < inputs[i].ndim; ++axis) {
            const int32_t label = e->axis[i][axis];
            if (e->extent[label] != 1 && inputs[i].shape[axis] != 1) {
                e->used[i] |= 1u << label;
            }
        }
    }
    return GM_STATUS_OK;
}

/* ---- the output ------------------------------------------------------------------------------ */

/* Without "->": "...", then the letters that appear once, in the order of their codes. */
static void imply_output(parser *p) {
    int32_t times[128] = {0};
    for (int32_t i = 0; i < p->operands; ++i) {
        for (int32_t j = 0; j < p->operand[i].count; ++j) {
            ++times[(int)p->operand[i].letter[j]];
        }
    }
    p->output = (term){.dots = 0};
    for (int letter = 0; letter < 128; ++letter) {
        if (times[letter] == 1) {
            p->output.letter[p->output.count++] = (char)letter;
        }
    }
}

static gm_status check_output_text(const parser *p) {
    const term *t = &p->output;
    for (int32_t j = 0; j < t->count; ++j) {
        if (p->label[(int)t->letter[j]] < 0) {
            return fail_at(p, t->position[j], "label %c of the output is in no operand",
                           t->letter[j]);
        }
        if (memchr(t->letter, t->letter[j], (size_t)j) != NULL) {
            return fail_at(p, t->position[j], "label %c appears twice in the output", t->letter[j]);
        }
    }
    if (t->dots < 0 && p->broadcast > 0) {
        return fail_at(p, (int32_t)strlen(p->text),
                       "\"...\" stands for %d dimension%s and is not in the output",
                       (int)p->broadcast, p->broadcast == 1 ? "" : "s");
    }
    return GM_STATUS_OK;
}

/* output NULL: its shape is what is asked. */
static gm_status take_output(parser *p, gm_expression *e, const gm_tensor *output) {
    if (!p->has_output) {
        imply_output(p);
    }
    GM_TRY(check_output_text(p));
    e->outputs = p->output.count + (p->output.dots >= 0 ? p->broadcast : 0);
    label_axes(p, &p->output, e->outputs, e->output);
    GM_CHECK(p->context, output == NULL || output->ndim == e->outputs, GM_STATUS_SHAPE_MISMATCH,
             "output.ndim = %d: must be %d for \"%.200s\"", (int)output->ndim, (int)e->outputs,
             p->text);
    for (int32_t axis = 0; axis < e->outputs; ++axis) {
        const int32_t label = e->output[axis];
        GM_CHECK(p->context, output == NULL || output->shape[axis] == e->extent[label],
                 GM_STATUS_SHAPE_MISMATCH,
                 "output.shape[%d] = %lld: must be %lld, the size of %s%.1s", (int)axis,
                 (long long)output->shape[axis], (long long)e->extent[label],
                 label < e->labels - p->broadcast ? "label " : "its dimension of \"...\"",
                 label < e->labels - p->broadcast ? &e->letter[label] : "");
        e->result |= e->extent[label] != 1 ? 1u << label : 0;
    }
    return GM_STATUS_OK;
}

gm_status gm_expression_parse(gm_context *context, const char *text, int32_t count,
                              const gm_tensor *inputs, const gm_tensor *output,
                              gm_expression *expression) {
    parser p = {.context = context, .text = text};
    *expression = (gm_expression){.operands = count};
    GM_TRY(read_text(&p));
    GM_CHECK(context, p.operands == count, GM_STATUS_INVALID_ARGUMENT,
             "expression \"%.200s\" has %d operand%s, count = %d", text, (int)p.operands,
             p.operands == 1 ? "" : "s", (int)count);
    GM_TRY(count_broadcast(&p, inputs));
    GM_TRY(make_labels(&p, expression));
    GM_TRY(take_extents(&p, expression, inputs));
    GM_TRY(take_output(&p, expression, output));
    for (int32_t label = 0; label < expression->labels; ++label) {
        if (expression->extent[label] == 0) {
            const bool in_output = (expression->result >> label & 1u) != 0;
            *(in_output ? &expression->empty_output : &expression->empty_sum) = true;
        }
    }
    return GM_STATUS_OK;
}

/* ---- what the plan asks ---------------------------------------------------------------------- */

void gm_expression_strides(const gm_expression *expression, int32_t operand,
                           const gm_tensor *tensor, int64_t stride[GM_MAX_LABELS]) {
    memset(stride, 0, GM_MAX_LABELS * sizeof *stride);
    for (int32_t axis = 0; axis < tensor->ndim; ++axis) {
        if (tensor->shape[axis] > 1) {
            int64_t *sum = &stride[expression->axis[operand][axis]];
            /* Fits where the tensor has elements; where it has none, the strides may be anything.
             */
            *sum = (int64_t)((uint64_t)*sum + (uint64_t)tensor->stride[axis]);
        }
    }
}

double gm_expression_size(const gm_expression *expression, gm_labels labels) {
    double size = 1;
    for (; labels != 0; labels &= labels - 1) {
        size *= (double)expression->extent[__builtin_ctz(labels)];
    }
    return size;
}

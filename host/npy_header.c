/*
 * The header of a .npy file is a Python dictionary literal. This is a parser of exactly the
 * literals that NumPy reads: the three keys, each once, in any order; strings in either quote
 * without escapes; True and False; tuples of decimal integers. Whatever else Python's grammar has
 * is refused.
 */
#include "host/npy_header.h"

#include <stdarg.h>
#include <string.h>

#include "host/internal.h"

typedef struct parser {
    gm_context *context;
    const char *path;
    const char *text;
    size_t length, at;
    bool python2;
} parser;

static gm_status corrupt(const parser *p, const char *what) {
    return gm_fail(p->context, GM_STATUS_CORRUPT_DATA, "%s: at byte %zu of the header: %s", p->path,
                   p->at, what);
}

static void skip_space(parser *p) {
    while (p->at < p->length && p->text[p->at] != '\0' &&
           strchr(" \t\r\n\f", p->text[p->at]) != NULL) {
        ++p->at;
    }
}

/* The next character that is not white space, not consumed; 0 at the end. */
static char peek(parser *p) {
    skip_space(p);
    return p->at < p->length ? p->text[p->at] : '\0';
}

static bool take(parser *p, char wanted) {
    if (peek(p) != wanted || p->at >= p->length) {
        return false;
    }
    ++p->at;
    return true;
}

static gm_status parse_string(parser *p, char *string, size_t size) {
    const char quote = peek(p);
    if (quote != '\'' && quote != '"') {
        return corrupt(p, "a string was expected");
    }
    size_t count = 0;
    for (++p->at; p->at < p->length && p->text[p->at] != quote; ++p->at) {
        const char c = p->text[p->at];
        if (c == '\\' || (unsigned char)c < ' ' || (unsigned char)c > '~') {
            return corrupt(p, "a character that no key or type has");
        }
        if (count + 1 >= size) {
            return corrupt(p, "the string is longer than any key or type");
        }
        string[count++] = c;
    }
    if (p->at >= p->length) {
        return corrupt(p, "the string does not end");
    }
    ++p->at;
    string[count] = '\0';
    return GM_STATUS_OK;
}

/* NumPy's kind and size to a type. V2 is what ml_dtypes writes for bf16: see npy.h. */
static const struct {
    const char *code;
    gm_dtype dtype;
} type_codes[] = {
    {"f8", GM_F64}, {"f4", GM_F32}, {"f2", GM_F16},  {"V2", GM_BF16}, {"i1", GM_I8},
    {"i2", GM_I16}, {"i4", GM_I32}, {"i8", GM_I64},  {"u1", GM_U8},   {"u2", GM_U16},
    {"u4", GM_U32}, {"u8", GM_U64}, {"b1", GM_BOOL}, {"c8", GM_C64},  {"c16", GM_C128},
};
enum { TYPE_CODES = sizeof type_codes / sizeof type_codes[0] };

static const char native_order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '<' : '>';

static gm_status parse_descr(parser *p, gm_npy_header *header) {
    const char first = peek(p);
    GM_CHECK(p->context, first != '[' && first != '(', GM_STATUS_UNSUPPORTED,
             "%s: a structured type has no counterpart here: save its fields one by one", p->path);
    char descr[32];
    GM_TRY(parse_string(p, descr, sizeof descr));
    const char order = descr[0];
    const bool ordered = order == '<' || order == '>';
    const char *code = ordered || order == '|' ? descr + 1 : descr;
    GM_CHECK(p->context, code[0] != 'O', GM_STATUS_UNSUPPORTED,
             "%s: the array holds Python objects, which only Python can read", p->path);
    for (int i = 0; i < TYPE_CODES; ++i) {
        if (strcmp(code, type_codes[i].code) == 0) {
            const size_t bytes = gm_dtype_size(type_codes[i].dtype);
            /* Without < or > the byte order is unknown, except for opaque bytes: ml_dtypes is '<'.
             */
            GM_CHECK(p->context, ordered || bytes == 1 || (order == '|' && code[0] == 'V'),
                     GM_STATUS_UNSUPPORTED, "%s: descr '%s' does not say its byte order", p->path,
                     descr);
            header->dtype = type_codes[i].dtype;
            header->swapped = bytes > 1 && (order == '|' ? '<' : order) != native_order;
            return GM_STATUS_OK;
        }
    }
    return gm_fail(p->context, GM_STATUS_UNSUPPORTED, "%s: type '%s' has no counterpart here",
                   p->path, descr);
}

static gm_status parse_bool(parser *p, bool *value) {
    static const char *const words[] = {"False", "True"};
    skip_space(p);
    for (int i = 0; i < 2; ++i) {
        const size_t length = strlen(words[i]);
        if (p->length - p->at >= length && memcmp(p->text + p->at, words[i], length) == 0) {
            p->at += length;
            *value = i == 1;
            return GM_STATUS_OK;
        }
    }
    return corrupt(p, "True or False was expected");
}

static bool is_digit(const parser *p) {
    return p->at < p->length && p->text[p->at] >= '0' && p->text[p->at] <= '9';
}

static gm_status parse_size(parser *p, int64_t *size) {
    if (peek(p) == '-') {
        return corrupt(p, "a negative size");
    }
    if (!is_digit(p)) {
        return corrupt(p, "a size was expected");
    }
    const size_t start = p->at;
    int64_t value = 0;
    for (; is_digit(p); ++p->at) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, p->text[p->at] - '0', &value)) {
            return corrupt(p, "a size over 2^63 - 1");
        }
    }
    if (p->text[start] == '0' && p->at - start > 1) {
        return corrupt(p, "a number that starts with 0");
    }
    if (p->python2 && p->at < p->length && p->text[p->at] == 'L') {
        ++p->at;
    }
    *size = value;
    return GM_STATUS_OK;
}

static gm_status parse_shape(parser *p, gm_npy_header *header) {
    if (!take(p, '(')) {
        return corrupt(p, "a tuple was expected");
    }
    int32_t ndim = 0;
    bool comma = false;
    while (!take(p, ')')) {
        if (ndim > 0 && !comma) {
            return corrupt(p, "a comma or ) was expected");
        }
        GM_CHECK(p->context, ndim < GM_MAX_DIMS, GM_STATUS_UNSUPPORTED, "%s: over %d dimensions",
                 p->path, GM_MAX_DIMS);
        GM_TRY(parse_size(p, &header->shape[ndim++]));
        comma = take(p, ',');
    }
    if (ndim == 1 && !comma) {
        return corrupt(p, "(n) is a number, (n,) is a tuple");
    }
    header->ndim = ndim;
    return GM_STATUS_OK;
}

static gm_status parse_entry(parser *p, unsigned *seen, gm_npy_header *header) {
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    char key[32];
    GM_TRY(parse_string(p, key, sizeof key));
    int index = 0;
    while (index < 3 && strcmp(key, keys[index]) != 0) {
        ++index;
    }
    if (index == 3) {
        return corrupt(p, "a key other than descr, fortran_order and shape");
    }
    if ((*seen >> index & 1u) != 0) {
        return corrupt(p, "a key for the second time");
    }
    *seen |= 1u << index;
    if (!take(p, ':')) {
        return corrupt(p, "a colon was expected");
    }
    return index == 0   ? parse_descr(p, header)
           : index == 1 ? parse_bool(p, &header->fortran_order)
                        : parse_shape(p, header);
}

gm_status gm_npy_header_parse(gm_context *context, const char *path, const char *text,
                              size_t length, bool python2, gm_npy_header *header) {
    parser p = {context, path, text, length, 0, python2};
    gm_npy_header parsed = {0};
    unsigned seen = 0;
    bool comma = true;
    if (!take(&p, '{')) {
        return corrupt(&p, "{ was expected");
    }
    while (!take(&p, '}')) {
        if (!comma) {
            return corrupt(&p, "a comma or } was expected");
        }
        GM_TRY(parse_entry(&p, &seen, &parsed));
        comma = take(&p, ',');
    }
    if (seen != 7u) {
        return corrupt(&p, "descr, fortran_order or shape is missing");
    }
    skip_space(&p);
    if (p.at != p.length) {
        return corrupt(&p, "something follows the dictionary");
    }
    *header = parsed;
    return GM_STATUS_OK;
}

size_t gm_npy_header_write(const gm_npy_header *header, char *text) {
    const char *code = "";
    for (int i = 0; i < TYPE_CODES; ++i) {
        if (type_codes[i].dtype == header->dtype) {
            code = type_codes[i].code;
        }
    }
    const char order = gm_dtype_size(header->dtype) == 1 ? '|' : native_order;
    size_t length = (size_t)snprintf(text, GM_NPY_HEADER_SIZE,
                                     "{'descr': '%c%s', 'fortran_order': %s, 'shape': (", order,
                                     code, header->fortran_order ? "True" : "False");
    for (int32_t axis = 0; axis < header->ndim; ++axis) {
        const char *separator = axis + 1 < header->ndim ? ", " : header->ndim == 1 ? "," : "";
        length += (size_t)snprintf(text + length, GM_NPY_HEADER_SIZE - length, "%lld%s",
                                   (long long)header->shape[axis], separator);
    }
    length += (size_t)snprintf(text + length, GM_NPY_HEADER_SIZE - length, "), }");
    return length;
}

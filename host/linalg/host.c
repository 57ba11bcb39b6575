/* What ref and cpu share: storing how a problem went. */
#include "host/linalg/host.h"

static void fill(const gm_linalg_args *args, const gm_linalg_matrix *m, int64_t problem,
                 double number, int64_t integer) {
    if (m->data == NULL) {
        return;
    }
    const int64_t first = gm_linalg_offset(args, m, problem);
    const int64_t layers = m->extra[0] * m->extra[1], entries = m->rows * m->columns;
    for (int64_t e = 0; e < layers * entries; ++e) {
        const int64_t layer = e / entries, i = e % entries / m->columns, j = e % m->columns;
        const int64_t at = first + layer / m->extra[1] * m->extra_stride[0] +
                           layer % m->extra[1] * m->extra_stride[1] + i * m->row_stride +
                           j * m->column_stride;
        switch (m->dtype) {
        case GM_F64:
            ((double *)m->data)[at] = number;
            break;
        case GM_F32:
            ((float *)m->data)[at] = (float)number;
            break;
        case GM_C128:
            ((double *)m->data)[2 * at] = ((double *)m->data)[2 * at + 1] = number;
            break;
        case GM_C64:
            ((float *)m->data)[2 * at] = ((float *)m->data)[2 * at + 1] = (float)number;
            break;
        default:
            ((int32_t *)m->data)[at] = (int32_t)integer;
        }
    }
}

void gm_linalg_finish(const gm_linalg_args *args, int64_t problem,
                      const gm_linalg_outcome *outcome) {
    if (outcome->status != GM_STATUS_OK && !outcome->outputs_hold) {
        for (int i = 0; i < GM_LINALG_OUTPUTS; ++i) {
            fill(args, &args->out[i], problem, NAN, -1);
        }
    }
    fill(args, &args->status, problem, 0, outcome->status);
    fill(args, &args->rcond, problem, outcome->rcond, 0);
    fill(args, &args->residual, problem, outcome->residual, 0);
    fill(args, &args->rank, problem, 0, outcome->rank);
}

size_t gm_linalg_item_bytes(gm_linalg_item item, const gm_linalg_args *args) {
    gm_arena arena = {0};
    (void)item(args, 0, &arena);
    return arena.used > 0 ? arena.used : 64;
}

/* What the functions on tensor trains share. */
#ifndef GENMATH_HOST_TENSOR_DECOMPOSE_TT_H
#define GENMATH_HOST_TENSOR_DECOMPOSE_TT_H

#include "host/tensor_decompose/tools.h"

enum { GM_TT_MOST_CORES = 4096 };

/* Three axes, ends of rank 1, ranks that fit their neighbours. found: the views are in and out. */
gm_status gm_tt_check(gm_context *context, const char *name, int32_t count, const gm_tensor *cores,
                      bool found);
/* No output of `cores` overlaps another core, x or a core of `others` (count of them, or NULL). */
gm_status gm_tt_check_disjoint(gm_context *context, int32_t count, const gm_tensor *cores,
                               const gm_tensor *x, const gm_tensor *others);
/* As gm_td_workspace, against any number of tensors. */
gm_status gm_tt_workspace(gm_td *td, gm_workspace *workspace, int32_t count, const gm_tensor *cores,
                          const gm_tensor *x, const gm_tensor *others, bool *sized);

#endif

/* What the files of finite Markov chains share. Matrices here are row-major n x n. */
#ifndef GENMATH_HOST_MARKOV_H
#define GENMATH_HOST_MARKOV_H

#include <genmath/markov.h>

#include "host/internal.h"

/* p is (n, n) f64; and its rows are laws. */
gm_status gm_markov_check_matrix(gm_context *context, const gm_tensor *p);
gm_status gm_markov_check_rows(gm_context *context, const gm_tensor *p);

/* Checks the rows of p and copies it to the first n^2 doubles of the workspace, whose size must be
 * doubles * sizeof(double). *ready is false where the call only asked for the size. */
gm_status gm_markov_open(gm_context *context, const char *operation, const gm_tensor *p,
                         int64_t doubles, gm_workspace *workspace, bool *ready);

/* A checked (n) law, copied to `to`. */
gm_status gm_markov_load_law(gm_context *context, const char *name, const gm_tensor *law, int64_t n,
                             double *to);

/* An optional (n) f64 output, disjoint from the input and the workspace. */
gm_status gm_markov_check_output(gm_context *context, const char *name, const gm_tensor *out,
                                 int64_t n, const gm_tensor *p, const gm_workspace *workspace);
void gm_markov_store(const double *from, int64_t n, const gm_tensor *out);

typedef struct gm_markov_classes {
    int64_t count, closed, period;
} gm_markov_classes;

/* The communicating classes; class_of[i] is the class of state i, is_closed[class] whether it is
 * never left. period is 0 unless one class is closed. scratch: 5 n. */
gm_markov_classes gm_markov_classify(int64_t n, const double *p, int64_t *class_of,
                                     int64_t *is_closed, int64_t *scratch);

/* pi of the one closed class into law. reduced: n^2 scratch. */
void gm_markov_eliminate(int64_t n, const double *p, const int64_t *class_of,
                         const int64_t *is_closed, double *reduced, double *law);

#endif

/* The oracle of Kronecker products: the dense matrix. */
#include <math.h>

#include "host/ref/linalg_ref.h"

/* A (x) B as a dense matrix of m p rows and n q columns; false if an input is not finite. */
static bool load_kronecker(const gm_linalg_args *args, int64_t problem, gm_complex *a,
                           gm_complex *b, gm_complex *x, gm_complex *dense) {
    const gm_linalg_matrix *ma = &args->in[0], *mb = &args->in[2];
    const bool finite = gm_ref_load(args, ma, problem, a) & gm_ref_load(args, mb, problem, b) &
                        gm_ref_load(args, &args->in[1], problem, x);
    const int64_t rows = ma->rows * mb->rows;
    for (int64_t e = 0; e < rows * ma->columns * mb->columns; ++e) {
        const int64_t row = e % rows, column = e / rows;
        dense[e] = a[row / mb->rows + column / mb->columns * ma->rows] *
                   b[row % mb->rows + column % mb->columns * mb->rows];
    }
    return finite;
}

gm_linalg_outcome gm_ref_item_kronecker_apply(const gm_linalg_args *args, int64_t problem,
                                              gm_arena *arena) {
    const int64_t m = args->in[0].rows * args->in[2].rows, k = args->in[1].columns;
    const int64_t n = args->in[0].columns * args->in[2].columns;
    gm_complex *a = gm_ref_take(arena, args->in[0].rows * args->in[0].columns);
    gm_complex *b = gm_ref_take(arena, args->in[2].rows * args->in[2].columns);
    gm_complex *dense = gm_ref_take(arena, m * n), *x = gm_ref_take(arena, n * k);
    gm_complex *out = gm_ref_take(arena, m * k);
    const gm_linalg_outcome outcome = {.status = GM_STATUS_OK};
    if (arena->base == NULL) {
        return outcome;
    }
    if (!load_kronecker(args, problem, a, b, x, dense)) {
        return gm_linalg_failed(GM_STATUS_NON_FINITE);
    }
    gm_ref_multiply(m, k, n, dense, x, out);
    return gm_ref_store(args, &args->out[0], problem, out, m)
               ? outcome
               : gm_linalg_failed(GM_STATUS_NON_FINITE);
}

gm_linalg_outcome gm_ref_item_kronecker_solve(const gm_linalg_args *args, int64_t problem,
                                              gm_arena *arena) {
    const int64_t k = args->in[1].columns, n = args->in[0].rows * args->in[2].rows;
    gm_complex *a = gm_ref_take(arena, args->in[0].rows * args->in[0].rows);
    gm_complex *b = gm_ref_take(arena, args->in[2].rows * args->in[2].rows);
    gm_complex *dense = gm_ref_take(arena, n * n), *lu = gm_ref_take(arena, n * n);
    gm_complex *identity = gm_ref_take(arena, n * n), *inverse = gm_ref_take(arena, n * n);
    gm_complex *x = gm_ref_take(arena, n * k), *out = gm_ref_take(arena, n * k);
    gm_complex *product = gm_ref_take(arena, n * k);
    int64_t *permutation = gm_arena_take(arena, n, sizeof *permutation);
    gm_linalg_outcome outcome = {.status = GM_STATUS_OK};
    if (arena->base == NULL) {
        return outcome;
    }
    if (!load_kronecker(args, problem, a, b, x, dense)) {
        return gm_linalg_failed(GM_STATUS_NON_FINITE);
    }
    gm_ref_copy(n * n, dense, lu);
    if (!gm_ref_lu(n, n, lu, permutation)) {
        return (gm_linalg_outcome){
            .status = GM_STATUS_SINGULAR, .rcond = 0, .residual = NAN, .rank = -1};
    }
    gm_ref_lu_solve(n, k, lu, permutation, x, out);
    gm_ref_lu_inverse(n, lu, permutation, identity, inverse);
    outcome.rcond = gm_ref_rcond(n, dense, inverse);
    const double scale = gm_ref_norm(n, n, dense) * gm_ref_norm(n, k, out) + gm_ref_norm(n, k, x);
    outcome.residual = gm_ref_relative_error(n, k, n, dense, out, x, scale, product);
    return gm_ref_store(args, &args->out[0], problem, out, n)
               ? outcome
               : gm_linalg_failed(GM_STATUS_NON_FINITE);
}

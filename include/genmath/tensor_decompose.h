/*
 * Low-rank approximation: truncated and randomized singular value decomposition of matrices;
 * canonical polyadic (CP), Tucker and tensor-train (TT) decompositions of tensors.
 *
 * The methods are driven by the host and built of gm_contract, gm_linalg_*, gm_random and the
 * elementwise operations of the context's backend: tensors and workspace are memory of the backend,
 * factors never leave it, and the host reads norms, singular values and weights, which waits for
 * the backend. A backend without the linear algebra gives UNSUPPORTED.
 *
 * Common to all functions:
 *
 *     x          [in]      F64 or F32, any strides; every size at least 1. No axis, nor the rows of
 *                          a matrix that is decomposed on the way, has more than 16384 (8192
 *                          where it has more than 16384 columns)
 *     outputs    [out]     of the type of x; they overlap nothing else
 *     options    [in]      NULL for the defaults; zero is the default of every field
 *     report     [out]     in host memory: how it went; not NULL
 *     workspace  [in,out]  as in linalg.h: a first call with data = NULL stores the bytes needed,
 *                          which here grow with the batch, and does nothing else
 *
 * Norms are Frobenius norms |x| = sqrt(sum x_i^2); errors are relative, |x - result| / |x| (0 for
 * x = 0), in the arithmetic of the type: some tens of its unit roundoff are noise.
 *
 * Ranks found. TT cores and a Tucker core with its factors are in and out: on entry each is a
 * row-major view with memory for the largest rank allowed; on return, of the same memory with the
 * ranks that were found. With tolerance = 0 those are the ranks allowed, or less where the sizes of
 * x leave no more. With tolerance = e they are the least for which the method's bound of the error
 * is within e; where the ranks allowed do not suffice, status is NOT_CONVERGED and the error says
 * how far.
 *
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, UNSUPPORTED, WORKSPACE_TOO_SMALL, OUT_OF_MEMORY; then
 * nothing is written. A problem that fails is no error of the call: its report says why. Infinite
 * or NaN entries: NON_FINITE, and its outputs are NaN.
 *
 * Determinism: the same bits in every run, for any number of threads and any batch around a
 * problem. The signs of singular vectors and of factors mean nothing. Contractions go through the
 * context's cache of plans, which allocates at the first call of each shape; nothing else is
 * allocated.
 */
#ifndef GENMATH_TENSOR_DECOMPOSE_H
#define GENMATH_TENSOR_DECOMPOSE_H

#include <genmath/linalg.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gm_approximation_report {
    gm_status status;   /* OK, NOT_CONVERGED, NON_FINITE */
    int64_t iterations; /* of CP and HOOI */
    int64_t rank;       /* of gm_svd_truncated: the singular values kept */
    double norm;        /* |x| */
    double error;       /* |x - result| / |x| */
    double bound; /* of the error, by the singular values discarded; NaN where there is none */
} gm_approximation_report;

/* ---- matrices -------------------------------------------------------------------------------- */

typedef enum gm_svd_method {
    GM_SVD_AUTO,   /* direct up to 64 rows or columns, or where the sketch has a quarter of them */
    GM_SVD_DIRECT, /* gm_linalg_svd, truncated */
    GM_SVD_RANDOMIZED /* by a sketch */
} gm_svd_method;

typedef struct gm_svd_options {
    gm_svd_method method;
    double tolerance; /* of the error; 0: the rank of s is kept */
    /* Columns p of the sketch beyond the rank, and power iterations q: 0 is the default, 10 and 2;
     * -1 is none. */
    int64_t oversampling, power_iterations;
    uint64_t seed; /* of the sketch */
} gm_svd_options;

/*
 * A ~ U diag(s) V^T, the r largest singular values or, with a tolerance, as many of those r as it
 * takes: with k of them kept the columns of U, values and rows of V^T beyond k are 0.
 *
 *     a       [in]   (..., m, n)
 *     u       [out]  (..., m, r), r <= min(m, n); NULL: not wanted
 *     s       [out]  (..., r), descending
 *     vt      [out]  (..., r, n); NULL: not wanted
 *     report  [out]  one for each problem, the last axis in front fastest
 *
 * Direct: the best approximation there is, error^2 = sum_{j > k} s_j^2 / |A|^2 (Eckart, Young,
 * Psychometrika 1, 1936).
 * Randomized: Y = A W, W (n, r + p) standard normals by (seed, GM_STREAM_FILL), the same for
 * every problem; Q = orth(Y), q times Q = orth(A orth(A^T Q)); then the decomposition of Q^T A.
 * For p >= 2 and q = 0, E |A - Q Q^T A|^2 <= (1 + r / (p - 1)) sum_{j > r} s_j^2; q power
 * iterations sketch a spectrum that decays as s_j^(2 q + 1). The error of the report is
 * measured: A - U S V^T, by panels of A.
 * Cost: randomized 4 m n (r + p) (q + 1) and 2 m n (r + p) for the error; direct that of
 * gm_linalg_svd.
 * Source: Halko, Martinsson, Tropp, SIAM Review 53, 2011: algorithms 4.4, 5.1, theorem 10.5.
 */
gm_status gm_svd_truncated(gm_context *context, const gm_svd_options *options, const gm_tensor *a,
                           const gm_tensor *u, const gm_tensor *s, const gm_tensor *vt,
                           gm_approximation_report *report, gm_workspace *workspace);

/* ---- canonical polyadic ---------------------------------------------------------------------- */

typedef enum gm_cp_start {
    GM_CP_START_RANDOM, /* standard normals by (seed, GM_STREAM_FILL), mode after mode */
    GM_CP_START_HOSVD, /* leading singular vectors of the unfoldings; normals beyond their number */
    GM_CP_START_GIVEN /* the factors as they are on entry; the first and the weights are not read */
} gm_cp_start;

typedef struct gm_cp_options {
    gm_cp_start start;
    double tolerance;       /* of the change of the error in an iteration; 0: 1e-8, F32 1e-5 */
    int64_t max_iterations; /* 0: 500 */
    double regularization;  /* mu >= 0: see below */
    uint64_t seed;
    double *history; /* NULL: not wanted. Error after iteration i + 1 of problem p at p size + i */
    int64_t history_size; /* entries for each problem: further errors are not kept */
} gm_cp_options;

/*
 * x[i_1 .. i_d] ~ sum_c w_c prod_k F_k[i_k, c] by alternating least squares.
 *
 *     x        [in]      (..., n_1, ..., n_d), 2 <= d <= 16
 *     modes    [in]      d; what is in front is the batch
 *     weights  [out]     (..., r), 1 <= r <= 4096: descending, >= 0
 *     factors  [in,out]  d tensors (..., n_k, r), columns of norm 1 (0 for a weight of 0)
 *     report   [out]     one for each problem
 *
 * Mode k in turn: F_k = M_k (V_k + mu I)^-1, M_k the unfolding times the Khatri–Rao product of
 * the other factors, V_k the entrywise product of their Gram matrices, whose diagonal is 1; by
 * Cholesky, by the pseudoinverse where V_k is singular to working precision. Columns are then
 * scaled to norm 1. Without mu the error never rises. A problem ends when its error changes by
 * the tolerance or less, while its neighbours go on; after max_iterations its status is
 * NOT_CONVERGED and its factors are the last ones. The error comes from |x|^2 - 2 <x, y> + |y|^2
 * and, where that cancels, from x - y itself.
 * ALS finds a stationary point: which one depends on the start. Where no best approximation
 * exists weights grow without bound, which mu prevents. Factors are unique up to order and sign
 * if the sum of their k-ranks is at least 2 r + d - 1.
 * Cost: an iteration 2 d r prod n_k and at most as much again for the error, + d r^2 (n_k + r).
 * Workspace: about the size of x.
 * Source: Kolda, Bader, SIAM Review 51, 2009, 3.4; Sidiropoulos, Bro, J. Chemometrics 14, 2000
 * (uniqueness).
 */
gm_status gm_cp_als(gm_context *context, const gm_cp_options *options, const gm_tensor *x,
                    int32_t modes, const gm_tensor *weights, const gm_tensor *factors,
                    gm_approximation_report *report, gm_workspace *workspace);

/*
 * out = sum_c w_c prod_k F_k[i_k, c]; shapes as above. weights NULL: all 1. One contraction,
 * without a workspace.
 */
gm_status gm_cp_reconstruct(gm_context *context, int32_t modes, const gm_tensor *weights,
                            const gm_tensor *factors, const gm_tensor *out);

/* ---- Tucker ---------------------------------------------------------------------------------- */

typedef enum gm_tucker_method {
    GM_TUCKER_ST_HOSVD, /* sequentially truncated: each mode of what the modes before it left */
    GM_TUCKER_HOSVD,    /* every mode of x */
    GM_TUCKER_HOOI      /* ST-HOSVD, then alternating improvement of the factors at its ranks */
} gm_tucker_method;

typedef struct gm_tucker_options {
    gm_tucker_method method;
    double tolerance;       /* of the error; 0: the ranks allowed */
    uint32_t keep;          /* bit k: mode k is not reduced, and factor k is the identity */
    int64_t max_iterations; /* HOOI; 0: 50 */
    double convergence;     /* HOOI: of the gain of |core| / |x|; 0: 1e-10, F32 1e-6 */
} gm_tucker_options;

/*
 * x ~ core x_1 U_1 ... x_d U_d, that is sum_j core[j_1 .. j_d] prod_k U_k[i_k, j_k], with
 * orthonormal columns in every U_k and core = x x_1 U_1^T ... x_d U_d^T.
 *
 *     x        [in]      (n_1, ..., n_d), 1 <= d <= 16
 *     core     [in,out]  (r_1, ..., r_d), row-major; 1 <= r_k: see "Ranks found"
 *     factors  [in,out]  d tensors (n_k, r_k), row-major
 *
 * U_k: leading left singular vectors of an unfolding, by a tree of QR factorizations of its
 * transpose (no Gram matrix: small singular values keep their digits). The slices of HOSVD's
 * core along a mode are orthogonal to each other and have the singular values of x's unfolding
 * as norms, up to what is truncated.
 * Error^2 <= the sum over the modes of the squares discarded (report->bound; equality for
 * ST-HOSVD; HOOI: the bound of its start), which a tolerance e holds to e^2 / d for each mode.
 * The error is at most sqrt(d) times the best at these ranks. HOOI never lowers |core|;
 * NOT_CONVERGED: also when its max_iterations are used up.
 * Cost: about 4 n_k prod n for each mode; an iteration of HOOI d + 1 contractions of x with the
 * factors. Workspace: up to 4 times x.
 * Source: De Lathauwer, De Moor, Vandewalle, SIAM J. Matrix Anal. Appl. 21, 2000 (both papers);
 * Vannieuwenhoven, Vandebril, Meerbergen, SIAM J. Sci. Comput. 34, 2012; Demmel, Grigori,
 * Hoemmen, Langou, SIAM J. Sci. Comput. 34, 2012 (QR in a tree).
 */
gm_status gm_tucker(gm_context *context, const gm_tucker_options *options, const gm_tensor *x,
                    gm_tensor *core, gm_tensor *factors, gm_approximation_report *report,
                    gm_workspace *workspace);

/*
 * out = core x_1 U_1 ... x_d U_d, any matrices U_k (n_k, r_k), any strides. One contraction in the
 * best order, without a workspace.
 */
gm_status gm_tucker_reconstruct(gm_context *context, const gm_tensor *core,
                                const gm_tensor *factors, const gm_tensor *out);

/* ---- tensor trains --------------------------------------------------------------------------- */

/*
 * A tensor train is `count` cores G_k (r_(k-1), n_k, r_k), r_0 = r_count = 1:
 * x[i_1 .. i_d] = G_1[:, i_1, :] G_2[:, i_2, :] ... G_d[:, i_d, :].
 */
typedef struct gm_tt_options {
    double tolerance; /* of the error; 0: the ranks allowed */
} gm_tt_options;

/*
 * The train of a tensor.
 *     x      [in]      (n_1, ..., n_d), d >= 1
 *     cores  [in,out]  d tensors (r_(k-1), n_k, r_k), row-major: see "Ranks found"
 * All cores but the last have orthonormal columns as (r_(k-1) n_k, r_k) matrices. Error^2 = the
 * sum of the squares discarded in the d - 1 unfoldings (report->bound; report->error is the same
 * number), each of which a tolerance e holds to e^2 / (d - 1). The error is at most sqrt(d - 1)
 * times the best at these ranks. Limit: r_(k-1) n_k <= 16384.
 * Cost: about 4 (r_(k-1) n_k) prod of the sizes left, for each core. Workspace: up to 3 times x.
 * Source: Oseledets, SIAM J. Sci. Comput. 33, 2011, algorithm 1, theorem 2.2.
 */
gm_status gm_tt_svd(gm_context *context, const gm_tt_options *options, const gm_tensor *x,
                    gm_tensor *cores, gm_approximation_report *report, gm_workspace *workspace);

/*
 * A train of lower ranks: x's own cores are made orthogonal from the right, then truncated from the
 * left as by gm_tt_svd, with its bounds. report->norm and the errors are those of the train x.
 *     count  [in]      cores, 1 to 4096
 *     x      [in]      count tensors, any strides; n_k r_k <= 16384
 *     cores  [in,out]  count tensors, row-major: see "Ranks found". They overlap no core of x
 * Cost: about 6 n r^3 a core. Source: Oseledets, algorithm 2.
 */
gm_status gm_tt_round(gm_context *context, const gm_tt_options *options, int32_t count,
                      const gm_tensor *x, gm_tensor *cores, gm_approximation_report *report,
                      gm_workspace *workspace);

/*
 * *result = sum_i x[i] y[i] of two trains of the same sizes, in host memory. An overflow on the way
 * gives infinity or NaN. The square root of <x, x> is |x|; that of <x - y, x - y> is no more
 * accurate than sqrt(eps) (|x| + |y|).
 * Cost: 2 n r^2 s + 2 n r s^2 a core. Source: Oseledets, algorithm 4.
 */
gm_status gm_tt_inner(gm_context *context, int32_t count, const gm_tensor *x, const gm_tensor *y,
                      double *result, gm_workspace *workspace);

/*
 * out = the tensor of a train.
 *     out  [out]  (n_1, ..., n_count), count <= 32, any strides
 * Cost: about 2 r prod n. Workspace: about twice r prod n / n_count, + out if it is not
 * row-major.
 */
gm_status gm_tt_reconstruct(gm_context *context, int32_t count, const gm_tensor *cores,
                            const gm_tensor *out, gm_workspace *workspace);

#ifdef __cplusplus
}
#endif
#endif

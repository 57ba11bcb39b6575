/*
 * Conformance cases: each runs one operation on a reference context and on the context under test
 * and says how far apart they are and how far they may be. `genmath verify` and
 * tests/test_conformance.c run the same tables. A capability adds a file cases_<name>.c with one
 * table and a line in GM_CASE_LIST.
 */
#ifndef GENMATH_HOST_CLI_CASES_H
#define GENMATH_HOST_CLI_CASES_H

#include <genmath/context.h>
#include <genmath/tensor.h>

typedef struct gm_case_result {
    double error, bound; /* passes if error <= bound; a NaN fails */
    char kernel[64];     /* what ran in the subject; filled from gm_last_kernel if left empty */
    char detail[160];    /* what the numbers mean, or where the first difference is; may be empty */
} gm_case_result;

/*
 * name is "<operation>/<dtype>/<what is special>". run starts from a zeroed result. It returns OK
 * if the numbers are in the result, whatever they are; UNSUPPORTED, a counted skip, if the
 * subject's backend lacks the operation; any other status is a failure and its message is printed.
 */
typedef struct gm_case {
    const char *name;
    gm_status (*run)(gm_context *reference, gm_context *subject, gm_case_result *result);
} gm_case;

/* The tables, in their order: gm_<name>_cases[] and gm_<name>_cases_count. */
#define GM_CASE_LIST(X)                                                                            \
    X(random)                                                                                      \
    X(ode)                                                                                         \
    X(sde)                                                                                         \
    X(diffusion)                                                                                   \
    X(contract)                                                                                    \
    X(contract_group)                                                                              \
    X(tensor)                                                                                      \
    X(linalg)                                                                                      \
    X(linalg_spectral)                                                                             \
    X(linalg_function)                                                                             \
    X(fft)                                                                                         \
    X(ising)                                                                                       \
    X(mcmc)                                                                                        \
    X(potts)                                                                                       \
    X(factor)                                                                                      \
    X(rbm)                                                                                         \
    X(diagnostics)                                                                                 \
    X(tempering)                                                                                   \
    X(importance)                                                                                  \
    X(hopfield)                                                                                    \
    X(multispin)                                                                                   \
    X(gibbs)                                                                                       \
    X(correlations)                                                                                \
    X(density_annealing)

#define GM_CASE_DECLARE(name)                                                                      \
    extern const gm_case gm_##name##_cases[];                                                      \
    extern const int gm_##name##_cases_count;
GM_CASE_LIST(GM_CASE_DECLARE)
#undef GM_CASE_DECLARE

/* All tables, one after the other. */
int gm_case_count(void);
const gm_case *gm_case_at(int index); /* NULL outside 0 .. gm_case_count() - 1 */

typedef enum gm_case_verdict { GM_CASE_PASS, GM_CASE_FAIL, GM_CASE_SKIP } gm_case_verdict;

/*
 * Runs a case and judges it. On a failure that has a status, and on a skip, detail holds the
 * reason.
 */
gm_case_verdict gm_case_judge(const gm_case *item, gm_context *reference, gm_context *subject,
                              gm_case_result *result);

/* Of a function that returns a gm_status: ends it with the first that is not OK. */
#define CASE_TRY(expression)                                                                       \
    do {                                                                                           \
        const gm_status case_try = (expression);                                                   \
        if (case_try != GM_STATUS_OK) {                                                            \
            return case_try;                                                                       \
        }                                                                                          \
    } while (0)

/*
 * Memory for cases, row-major. An allocated tensor is filled with bytes of all ones, which is NaN
 * in every floating type, so that what an operation forgets to write shows. upload allocates and
 * copies. download copies all elements to host. free takes a zeroed tensor too and zeroes what it
 * is given.
 */
gm_status gm_case_alloc(gm_context *context, gm_dtype dtype, int32_t ndim, const int64_t *shape,
                        gm_tensor *tensor);
gm_status gm_case_upload(gm_context *context, const void *host, gm_dtype dtype, int32_t ndim,
                         const int64_t *shape, gm_tensor *tensor);
gm_status gm_case_download(gm_context *context, const gm_tensor *tensor, void *host);
void gm_case_free(gm_context *context, gm_tensor *tensor);

/*
 * The largest |a[i] - b[i]|; infinite if one of the two is NaN or infinite and the other is not the
 * same. where gets the index of the largest difference and may be NULL. F32 and F64 only.
 */
double gm_case_difference(gm_dtype dtype, const void *a, const void *b, int64_t n, int64_t *where);

/* The number of elements of `size` bytes whose bits differ; where gets the first. */
int64_t gm_case_bit_differences(size_t size, const void *a, const void *b, int64_t n,
                                int64_t *where);

#endif

/*
 * The operations of linear algebra under one shape, so that a test can walk them: a table of what
 * each takes and gives, problems of seeded random numbers in any layout with guarded memory, and an
 * independent check of each result. A device gets copies of the guarded memory.
 */
#ifndef GENMATH_TESTS_LINALG_H
#define GENMATH_TESTS_LINALG_H

#include <complex.h>

#include "support.h"

#include <genmath/decompose.h>
#include <genmath/linalg.h>
#include <genmath/matrix_function.h>

typedef double complex number;

/* ---- the backends ---------------------------------------------------------------------------- */

typedef struct host {
    const char *name;
    gm_context_options options;
    gm_context *context; /* NULL: there is none here */
} host;

/* Those before BACKENDS are the backends; the rest are one of them in another way. */
enum { REF, CPU, EMU, CUDA, BACKENDS, CPU_3 = BACKENDS, HOSTS };
extern host hosts[HOSTS];
bool is_device(const host *s);
int open_hosts(void **state);
int close_hosts(void **state);

/* ---- the operations -------------------------------------------------------------------------- */

enum { INPUTS = 3, OUTPUTS = 3, RCOND = 1, RESIDUAL = 2 };

/*
 * An array behind the batch: its axes as letters (m, n, k the sizes of the problem, l = min(m, n),
 * h = n / 2 + 1, x = 3 n, y = 2 m, a digit itself), then its numbers: s the type of a, r real, c
 * complex, i I32. "" is none.
 */
typedef struct operation {
    const char *name;
    const char *in[INPUTS], *out[OUTPUTS];
    char matrix; /* of a: g general, r square; p Hermitian positive definite, t triangular, with
                    NaN where nothing is read */
    int report;  /* gives these for all sizes */
    gm_status (*run)(gm_context *context, const gm_tensor *in, const gm_tensor *const *out,
                     const gm_linalg_report *report, gm_workspace *workspace);
} operation;

extern const operation operations[];
extern const int operation_count;

const operation *find_operation(const char *name);

/* Whether the host is here and has the operation; a lack is printed when it is first seen. */
bool runs(const host *s, const operation *o);
bool runs_all(const host *s, const char *const *names);

/* The backends that have all of the operations named behind s. */
#define FOR_EACH_BACKEND(s, ...)                                                                   \
    for (const host *s = hosts; s < hosts + BACKENDS; ++s)                                         \
        if (runs_all(s, (const char *const[]){__VA_ARGS__, NULL}))

/* Memory as the backend reaches it: a copy on a device, else the memory itself; and back. */
void *place_on(const host *s, void *memory, size_t bytes);
void take_from(const host *s, void *placed, void *memory, size_t bytes);

/* ---- a problem and its result ---------------------------------------------------------------- */

typedef enum layout {
    ROWS,        /* contiguous */
    COLUMNS,     /* the matrix axes the other way round */
    BACKWARDS,   /* negative strides */
    INTERLEAVED, /* the batch innermost, gaps between elements */
    LAYOUTS
} layout;

/* An array of the batch in memory of its own, with guard bytes around and between the elements. */
typedef struct array {
    gm_tensor tensor;
    int64_t elements;
    uint8_t *memory, *before; /* what it was before the call */
    size_t bytes;
} array;

typedef struct batch {
    const operation *operation;
    gm_dtype dtype;
    int64_t m, n, k, problems;
    array in[INPUTS], out[OUTPUTS], status, rcond, residual;
    bool shared; /* every problem is problem 0, by a stride of 0 in the inputs */
} batch;

extern const gm_dtype dtypes[4];
double eps_of(gm_dtype dtype);
gm_dtype real_of(gm_dtype dtype);
gm_dtype complex_of(gm_dtype dtype);

/* Random inputs; the problems are those of seeds seed, seed + 1, ... whatever the layout. */
batch make_batch(const operation *o, gm_dtype dtype, int64_t m, int64_t n, int64_t k,
                 int64_t problems, layout layout, bool shared, uint64_t seed);
void free_batch(batch *b);

/* Runs with a guarded workspace and checks every guard. */
void run_batch(const host *s, batch *b);

/* Element e of a problem, counted in row-major order. */
number get(const array *a, int64_t problem, int64_t e);
void set(array *a, int64_t problem, int64_t e, number value);
/* The elements of a problem's array. */
int64_t count_of(const array *a);
/* Whether problem p of one has the bits of problem q of the other, in all outputs and the report.
 */
bool same_bits(const batch *a, int64_t p, const batch *b, int64_t q);

/* The largest scaled residual of a problem, in units of eps times the size; see linalg.c. */
double check_problem(const batch *b, int64_t problem);

/* LAPACK's own tests call a residual of 30 too large (LAPACK Working Note 41, THRESH = 30). */
#define THRESHOLD 30

#endif

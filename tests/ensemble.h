/*
 * What the tests of ODE and SDE ensembles share: every backend and instruction set of this machine,
 * and solving on one of them from host arrays. Each solve puts guard words around every array,
 * fills outputs with NaN beforehand, and checks afterwards that guards and inputs are as they were.
 */
#ifndef GENMATH_TESTS_ENSEMBLE_H
#define GENMATH_TESTS_ENSEMBLE_H

#include "tests/support.h"

#include <math.h>

#include <genmath/ode.h>
#include <genmath/sde.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

typedef struct subject {
    const char *name; /* "ref", "cpu base", ... */
    gm_context *context;
    bool is_reference, is_kernel; /* ref; emu or cuda */
    bool is_slow;                 /* emu */
} subject;

/* The subjects of this machine; those it lacks are printed as skips. subjects[0] is ref. */
extern subject subjects[8];
extern int subject_count;
int open_subjects(void **state);
int close_subjects(void **state);

#define FOR_EACH_SUBJECT(s) for (const subject *s = subjects; s < subjects + subject_count; ++s)

static const gm_dtype precisions[] = {GM_F64, GM_F32};

/* The rounding unit of a type. */
double unit_of(gm_dtype dtype);

/* How the arrays of a problem lie in memory. */
typedef enum layout {
    ROWS,    /* (dim, n) row-major, without gaps */
    COLUMNS, /* a trajectory's components side by side */
    PADDED,  /* gaps of NaN between elements and rows */
    BACKWARD /* trajectories from the end of memory to its start */
} layout;

typedef struct ensemble {
    int64_t n;
    const double *y0;     /* dim x n, row-major */
    const double *params; /* params x n; NULL without parameters */
    bool shared;          /* params is params x 1, read with a stride of 0 */
    layout how;
    bool in_place; /* end is y0 */
    int unwanted;  /* bit i: result i, in the order of gm_ode_result, is NULL */
} ensemble;

/* n trajectories from y0 with params; the second form sets further fields. */
#define ENSEMBLE(count, start, values)                                                             \
    (&(const ensemble){.n = (count), .y0 = (start), .params = (values)})
#define ENSEMBLE_WITH(count, start, values, ...)                                                   \
    (&(const ensemble){.n = (count), .y0 = (start), .params = (values), __VA_ARGS__})

/* What came back, floats widened; an unwanted array is NULL. Row-major as in the headers. */
typedef struct outcome {
    int64_t n, dim, saves;
    double *end, *saved, *time;
    double *status, *accepted, *rejected, *evaluations;
} outcome;

enum { UNWANTED_END = 1, UNWANTED_SAVED = 2, UNWANTED_TIME = 4, UNWANTED_STATUS = 8 };

/* Solve and fail the test unless the call succeeds. free_outcome releases what they give. */
outcome solve_ode(const subject *s, const gm_system *system, const gm_ode_options *options,
                  const ensemble *in);
outcome solve_sde(const subject *s, const gm_sde *sde, const gm_sde_options *options,
                  const ensemble *in);
void free_outcome(outcome *out);

/* The number of trajectories whose results differ in any bit (NaN equals NaN): trajectory i of `a`
 * from a_first on against trajectory i of `b` from b_first on. */
int64_t different_trajectories(const outcome *a, int64_t a_first, const outcome *b, int64_t b_first,
                               int64_t count);

/* max |a - b| over n numbers; infinite where just one of the two is NaN. */
double largest_difference(const double *a, const double *b, int64_t n);

/* Every status is `expected`. */
void assert_statuses(const outcome *out, gm_status expected);

/* |got - expected| <= bound, and a message that names the subject. */
#define ASSERT_NEAR(s, got, expected, bound)                                                       \
    do {                                                                                           \
        const double near_got = (got), near_expected = (expected), near_bound = (bound);           \
        if (!(fabs(near_got - near_expected) <= near_bound)) {                                     \
            fail_msg("%s: %s = %.17g, expected %.17g, off by %.3g, allowed %.3g", (s)->name, #got, \
                     near_got, near_expected, fabs(near_got - near_expected), near_bound);         \
        }                                                                                          \
    } while (0)

/* A number in [low, high) that a float holds. */
double random_between(uint64_t *state, double low, double high);

/* n numbers, to be freed. */
double *random_row(uint64_t *state, int64_t n, double low, double high);

/* The slope of the least-squares line through (log x, log y). */
double log_log_slope(const double *x, const double *y, int count);

/* tests/data/<name>, wherever the tests run from; fails the test if it is not there. */
FILE *open_data(const char *name);

/* Reads the next line that is no comment: a label, then numbers; returns how many, -1 at the end.
 */
int next_row(FILE *file, char label[64], double *values, int most);

/* Whether GENMATH_TEST_FULL asks for the sizes that take minutes. */
bool test_is_full(void);

#endif

/* matrix_function.h on the CPU, for each element type. */
#include <string.h>

#include "host/cpu/linalg_cpu.h"

/* ---- approximations of the exponential ---------------------------------------------------------
 */

/* The diagonal Padé approximant of a degree: its numerator's coefficients, and the largest 1-norm
 * at which its backward error is below the unit roundoff. Higham (2005), table 2.3 and (2.11). */
typedef struct gm_pade {
    int degree;
    double theta;
    const double *b;
} gm_pade;

static const double b3[] = {120, 60, 12, 1};
static const double b5[] = {30240, 15120, 3360, 420, 30, 1};
static const double b7[] = {17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1};
static const double b9[] = {17643225600, 8821612800, 2075673600, 302702400, 30270240,
                            2162160,     110880,     3960,       90,        1};
static const double b13[] = {64764752532480000,
                             32382376266240000,
                             7771770303897600,
                             1187353796428800,
                             129060195264000,
                             10559470521600,
                             670442572800,
                             33522128640,
                             1323241920,
                             40840800,
                             960960,
                             16380,
                             182,
                             1};

static const gm_pade gm_pade_double[] = {
    {3, 1.495585217958292e-2, b3}, {5, 2.539398330063230e-1, b5},  {7, 9.504178996162932e-1, b7},
    {9, 2.097847961257068e0, b9},  {13, 5.371920351148152e0, b13},
};
static const gm_pade gm_pade_single[] = {
    {3, 4.258730016922831e-1, b3},
    {5, 1.880152677804762e0, b5},
    {7, 3.925724783138660e0, b7},
};

/* The same for the Taylor polynomial of degree 5, 10, ... 55: Al-Mohy, Higham (2011), table 3.1. */
enum { TAYLOR_ROWS = 11 };
static const double gm_taylor_double[TAYLOR_ROWS] = {2.4e-3, 1.4e-1, 6.4e-1, 1.4, 2.4, 3.5,
                                                     4.7,    6.0,    7.2,    8.5, 9.9};
static const double gm_taylor_single[TAYLOR_ROWS] = {1.3e-1, 1.0, 2.2, 3.6, 4.9, 6.3,
                                                     7.7,    9.1, 11., 12., 13.};

/* The degree and the number of steps with the least products. */
static int gm_taylor_degree(const double *theta, double norm, int64_t *steps) {
    int best = 0;
    *steps = 1;
    for (int row = 0; row < TAYLOR_ROWS; ++row) {
        const int degree = 5 * (row + 1);
        const int64_t count = gm_cpu_max(1, (int64_t)ceil(norm / theta[row]));
        if (best == 0 || degree * count < best * *steps) {
            best = degree;
            *steps = count;
        }
    }
    return best;
}

#define GM_LINALG_EACH "host/cpu/linalg_function.inc"
#include "host/cpu/linalg_each_type.inc"

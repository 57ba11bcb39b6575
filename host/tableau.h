/*
 * Explicit Runge–Kutta pairs as data. Both have seven stages, the last at the new state (FSAL), order
 * 5 with an embedded order 4 for the error, and an interpolant of order 4.
 *
 *   k_i = f(t + c_i h, y + h sum_{j<i} a_ij k_j)      y(t + h) = y + h sum_i b_i k_i
 *   error = h sum_i e_i k_i, e = b - b_embedded       y(t + x h) = y + h sum_i k_i sum_m interpolant_im x^(m+1)
 */
#ifndef GENMATH_HOST_TABLEAU_H
#define GENMATH_HOST_TABLEAU_H

#include <genmath/ode.h>
#include <genmath/system.h>

#define GM_ERK_STAGES 7

/* The pair of an adaptive method; NULL for a method that is none. */
const gm_tableau_f64 *gm_tableau_of(gm_ode_method method);

/* The same coefficients rounded to float. */
gm_tableau_f32 gm_tableau_to_f32(const gm_tableau_f64 *tableau);

#endif

/* The oracle of matrix_function.h: series, not the rational approximations of cpu. */
#include <float.h>
#include <math.h>

#include "host/ref/linalg_ref.h"

enum { TERMS = 24 }; /* of a series at norm 1/2: 2^-24 / 24! is far below the unit roundoff */

/* How often to halve a matrix of this norm until it is at most 1/2. */
static int halvings(double norm) {
    return norm > 0.5 ? ilogb(norm) + 2 : 0;
}

/* out = sum_j z^j / (j + k)! in Horner's form, z = factor a of norm at most 1/2. */
static void series(int64_t n, int k, double factor, const gm_complex *a, gm_complex *out,
                   gm_complex *product) {
    for (int64_t i = 0; i < n * n; ++i) {
        out[i] = 0;
    }
    for (int j = TERMS; j >= 0; --j) { /* out = I + z out / (j + k + 1) */
        gm_ref_multiply(n, n, n, a, out, product);
        for (int64_t i = 0; i < n * n; ++i) {
            out[i] = factor * product[i] / (j + k + 1) + (i % (n + 1) == 0);
        }
    }
    for (int64_t i = 0; i < n * n; ++i) {
        out[i] /= tgamma(k + 1);
    }
}

bool gm_ref_exp(int64_t n, double t, const gm_complex *a, gm_complex *out, gm_complex *scratch) {
    const double norm = fabs(t) * gm_ref_norm_1(n, n, a);
    if (!isfinite(norm)) {
        return false;
    }
    const int doublings = halvings(norm);
    series(n, 0, ldexp(t, -doublings), a, out, scratch);
    for (int k = 0; k < doublings; ++k) {
        gm_ref_multiply(n, n, n, out, out, scratch);
        gm_ref_copy(n * n, scratch, out);
    }
    return gm_ref_finite(n * n, out);
}

static gm_linalg_outcome stored(bool finite) {
    const gm_linalg_outcome outcome = {.status = GM_STATUS_OK};
    return finite ? outcome : gm_linalg_failed(GM_STATUS_NON_FINITE);
}

gm_linalg_outcome gm_ref_item_exp(const gm_linalg_args *args, int64_t problem, gm_arena *arena) {
    const int64_t n = args->in[0].rows;
    gm_complex *a = gm_ref_take(arena, n * n), *out = gm_ref_take(arena, n * n);
    gm_complex *scratch = gm_ref_take(arena, n * n);
    if (arena->base == NULL) {
        return stored(true);
    }
    return stored(gm_ref_load(args, &args->in[0], problem, a) &&
                  gm_ref_exp(n, args->t, a, out, scratch) &&
                  gm_ref_store(args, &args->out[0], problem, out, n));
}

gm_linalg_outcome gm_ref_item_exp_apply(const gm_linalg_args *args, int64_t problem,
                                        gm_arena *arena) {
    const int64_t n = args->in[0].rows, k = args->in[1].columns;
    gm_complex *a = gm_ref_take(arena, n * n), *power = gm_ref_take(arena, n * n);
    gm_complex *scratch = gm_ref_take(arena, n * n);
    gm_complex *b = gm_ref_take(arena, n * k), *out = gm_ref_take(arena, n * k);
    if (arena->base == NULL) {
        return stored(true);
    }
    if (!(gm_ref_load(args, &args->in[0], problem, a) &
          gm_ref_load(args, &args->in[1], problem, b)) ||
        !gm_ref_exp(n, args->t, a, power, scratch)) {
        return stored(false);
    }
    gm_ref_multiply(n, k, n, power, b, out);
    return stored(gm_ref_store(args, &args->out[0], problem, out, n));
}

/* out = a^power, from the highest binary digit down. */
static void raise(int64_t n, uint64_t power, const gm_complex *a, gm_complex *out,
                  gm_complex *product) {
    gm_ref_identity(n, out);
    for (int digit = 63; digit >= 0; --digit) {
        if (power >> digit > 1) {
            gm_ref_multiply(n, n, n, out, out, product);
            gm_ref_copy(n * n, product, out);
        }
        if (power >> digit & 1) {
            gm_ref_multiply(n, n, n, out, a, product);
            gm_ref_copy(n * n, product, out);
        }
    }
}

gm_linalg_outcome gm_ref_item_power(const gm_linalg_args *args, int64_t problem, gm_arena *arena) {
    const int64_t n = args->in[0].rows;
    gm_complex *a = gm_ref_take(arena, n * n), *inverse = gm_ref_take(arena, n * n);
    gm_complex *out = gm_ref_take(arena, n * n), *product = gm_ref_take(arena, n * n);
    int64_t *permutation = gm_arena_take(arena, n, sizeof *permutation);
    if (arena->base == NULL) {
        return stored(true);
    }
    if (!gm_ref_load(args, &args->in[0], problem, a)) {
        return stored(false);
    }
    uint64_t power = (uint64_t)args->power;
    if (args->power < 0) {
        power = -power;
        if (!gm_ref_lu(n, n, a, permutation)) {
            return gm_linalg_failed(GM_STATUS_SINGULAR);
        }
        gm_ref_lu_inverse(n, a, permutation, product, inverse);
        gm_ref_copy(n * n, inverse, a);
    }
    raise(n, power, a, out, product);
    return stored(gm_ref_store(args, &args->out[0], problem, out, n));
}

/*
 * phi_0 .. phi_p at z = t A / 2^s by their series, then s times from z to 2 z by
 * 2^k phi_k(2 z) = phi_0(z) phi_k(z) + sum_{j = 1..k} phi_j(z) / (k - j)!.
 */
gm_linalg_outcome gm_ref_item_phi(const gm_linalg_args *args, int64_t problem, gm_arena *arena) {
    const int64_t n = args->in[0].rows, count = args->out[0].extra[0], size = n * n;
    gm_complex *a = gm_ref_take(arena, size), *phi = gm_ref_take(arena, size * count);
    gm_complex *product = gm_ref_take(arena, size);
    if (arena->base == NULL) {
        return stored(true);
    }
    bool finite = gm_ref_load(args, &args->in[0], problem, a);
    const double norm = fabs(args->t) * gm_ref_norm_1(n, n, a);
    if (!finite || !isfinite(norm)) {
        return stored(false);
    }
    const int doublings = halvings(norm);
    for (int k = 0; k < (int)count; ++k) {
        series(n, k, ldexp(args->t, -doublings), a, phi + k * size, product);
    }
    for (int step = 0; step < doublings; ++step) {
        for (int64_t k = count - 1; k >= 0; --k) { /* phi_0 last: the others still need the old */
            gm_ref_multiply(n, n, n, phi, phi + k * size, product);
            for (int64_t j = 1; j <= k; ++j) {
                for (int64_t i = 0; i < size; ++i) {
                    product[i] += phi[i + j * size] / tgamma((double)(k - j + 1));
                }
            }
            for (int64_t i = 0; i < size; ++i) {
                phi[i + k * size] = ldexp(1, (int)-k) * product[i];
            }
        }
    }
    for (int64_t k = 0; k < count; ++k) {
        finite &=
            gm_ref_store_layer(args, &args->out[0], problem, (int64_t[]){k, 0}, phi + k * size, n);
    }
    return stored(finite);
}

/* The exponent of one step. */
static bool magnus_exponent(const gm_linalg_args *args, int64_t problem, int64_t step,
                            gm_complex *const work[3], gm_complex *omega) {
    const int64_t n = args->in[0].rows, size = n * n;
    const double h = args->t;
    if (!gm_ref_load_layer(args, &args->in[0], problem, (int64_t[]){step, 0}, work[0])) {
        return false;
    }
    if (args->in[0].extra[1] == 1) {
        for (int64_t i = 0; i < size; ++i) {
            omega[i] = h * work[0][i];
        }
        return true;
    }
    if (!gm_ref_load_layer(args, &args->in[0], problem, (int64_t[]){step, 1}, work[1])) {
        return false;
    }
    gm_ref_multiply(n, n, n, work[0], work[1], omega);
    gm_ref_multiply(n, n, n, work[1], work[0], work[2]);
    for (int64_t i = 0; i < size; ++i) {
        omega[i] =
            h / 2 * (work[0][i] + work[1][i]) - sqrt(3) / 12 * h * h * (omega[i] - work[2][i]);
    }
    return true;
}

gm_linalg_outcome gm_ref_item_magnus(const gm_linalg_args *args, int64_t problem, gm_arena *arena) {
    const int64_t n = args->in[0].rows, size = n * n;
    gm_complex *const work[3] = {gm_ref_take(arena, size), gm_ref_take(arena, size),
                                 gm_ref_take(arena, size)};
    gm_complex *omega = gm_ref_take(arena, size), *out = gm_ref_take(arena, size);
    if (arena->base == NULL) {
        return stored(true);
    }
    gm_ref_identity(n, out);
    for (int64_t step = 0; step < args->in[0].extra[0]; ++step) {
        if (!magnus_exponent(args, problem, step, work, omega) ||
            !gm_ref_exp(n, 1, omega, work[0], work[1])) {
            return stored(false);
        }
        gm_ref_multiply(n, n, n, work[0], out, work[1]);
        gm_ref_copy(size, work[1], out);
    }
    return stored(gm_ref_store(args, &args->out[0], problem, out, n));
}

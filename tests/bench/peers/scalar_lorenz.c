/*
 * The plain loop a C user writes: RK4 on Lorenz, one trajectory at a time, for the compiler to make
 * the best of. The body is the one that genmath gets. usage: scalar_lorenz REFERENCE-FILE
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SAMPLES = 4096, STEPS = 1000, REPEATS = 3 };

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#define LORENZ(real)                                                                               \
    static inline void lorenz_##real(const real *y, const real *p, real *dydt) {                   \
        dydt[0] = p[0] * (y[1] - y[0]);                                                            \
        dydt[1] = y[0] * (p[1] - y[2]) - y[1];                                                     \
        dydt[2] = y[0] * y[1] - p[2] * y[2];                                                       \
    }                                                                                              \
    static void solve_##real(real h, const real *p, real *y) {                                     \
        for (int step = 0; step < STEPS; ++step) {                                                 \
            real k1[3], k2[3], k3[3], k4[3], at[3];                                                \
            lorenz_##real(y, p, k1);                                                               \
            for (int c = 0; c < 3; ++c)                                                            \
                at[c] = y[c] + h / 2 * k1[c];                                                      \
            lorenz_##real(at, p, k2);                                                              \
            for (int c = 0; c < 3; ++c)                                                            \
                at[c] = y[c] + h / 2 * k2[c];                                                      \
            lorenz_##real(at, p, k3);                                                              \
            for (int c = 0; c < 3; ++c)                                                            \
                at[c] = y[c] + h * k3[c];                                                          \
            lorenz_##real(at, p, k4);                                                              \
            for (int c = 0; c < 3; ++c)                                                            \
                y[c] += h / 6 * (k1[c] + 2 * k2[c] + 2 * k3[c] + k4[c]);                           \
        }                                                                                          \
    }                                                                                              \
    static void measure_##real(const char *dtype, const double *reference) {                       \
        static double error[SAMPLES];                                                              \
        double best = INFINITY;                                                                    \
        for (int r = 0; r < REPEATS; ++r) {                                                        \
            const double begin = seconds();                                                        \
            for (int i = 0; i < SAMPLES; ++i) {                                                    \
                const real p[3] = {10, (real)(21.0 * i / (SAMPLES - 1)), (real)(8.0 / 3)};         \
                real y[3] = {1, 0, 0};                                                             \
                solve_##real((real)(1.0 / STEPS), p, y);                                           \
                double difference = 0, size = 0;                                                   \
                for (int c = 0; c < 3; ++c) {                                                      \
                    const double right = reference[c * SAMPLES + i];                               \
                    difference += ((double)y[c] - right) * ((double)y[c] - right);                 \
                    size += right * right;                                                         \
                }                                                                                  \
                error[i] = sqrt(difference / size);                                                \
            }                                                                                      \
            best = fmin(best, seconds() - begin);                                                  \
        }                                                                                          \
        report(dtype, best, error);                                                                \
    }

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *dtype, double taken, double *error) {
    qsort(error, SAMPLES, sizeof *error, compare_doubles);
    printf(
        "{\"peer\": \"scalar loop, -O3 -march=native\", \"version\": \"%s\", \"kind\": \"rate\", "
        "\"case\": \"rk4_lorenz\", \"dtype\": \"%s\", \"n\": %d, \"seconds\": %.6g, \"rate\": "
        "%.6g, "
        "\"unit\": \"steps/s\", \"error\": %.3g}\n",
        __VERSION__, dtype, SAMPLES, taken, (double)SAMPLES * STEPS / taken, error[SAMPLES / 2]);
}

LORENZ(double)
LORENZ(float)

int main(int argc, char **argv) {
    static double reference[3 * SAMPLES];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL || fread(reference, sizeof(double), 3 * SAMPLES, file) != 3 * SAMPLES) {
        fputs("usage: scalar_lorenz REFERENCE-FILE\n", stderr);
        return 2;
    }
    fclose(file);
    measure_double("f64", reference);
    measure_float("f32", reference);
    return 0;
}

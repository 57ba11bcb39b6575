/*
 * Boost.Odeint on the same Lorenz ensemble, in each of the ways its manual offers for many small
 * systems on a CPU; the fastest of them is what genmath is set against. usage: odeint
 * REFERENCE-FILE
 *
 *     array     one trajectory at a time, std::array<real, 3>: the stepper is fully inlined
 *     vector    blocks of 64 trajectories as one state, std::vector with range_algebra
 *     fixed     the same block as a std::array<real, 3 * 64> with array_algebra
 *     simd      std::array<lanes, 3> with array_algebra, lanes being 1, 2 or 4 vectors of 512 bits
 *
 * The adaptive runs are dopri5 with odeint's own controller, one trajectory at a time, and 8 or 64
 * neighbours as one state, which share a step.
 */
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include <boost/numeric/odeint.hpp>
#include <boost/version.hpp>

namespace odeint = boost::numeric::odeint;

namespace {

constexpr int SAMPLES = 4096, STEPS = 1000, BLOCK = 64, REPEATS = 3;
double reference[3 * SAMPLES];

/* Trajectory `i` of the ensemble has parameter number place(i): in order, or (5/8 of the way round
 * each time) with neighbours that have little in common. */
bool shuffled = false;

int place(int i) {
    return shuffled ? i * 2531 % SAMPLES : i;
}

double rho_of(int i) {
    return 21.0 * place(i) / (SAMPLES - 1);
}

template <class Run> double least_time(int repeats, Run run) {
    double best = std::numeric_limits<double>::infinity();
    for (int r = 0; r < repeats; ++r) {
        const auto begin = std::chrono::steady_clock::now();
        run();
        best = std::min(
            best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return best;
}

/* The median relative error of end states stored as (3, SAMPLES). */
template <typename real> double median_error(const std::vector<real> &end) {
    std::vector<double> errors(SAMPLES);
    for (int i = 0; i < SAMPLES; ++i) {
        double difference = 0, size = 0;
        for (int c = 0; c < 3; ++c) {
            const double right = reference[c * SAMPLES + i], d = end[c * SAMPLES + i] - right;
            difference += d * d;
            size += right * right;
        }
        errors[i] = std::sqrt(difference / size);
    }
    std::nth_element(errors.begin(), errors.begin() + SAMPLES / 2, errors.end());
    return errors[SAMPLES / 2];
}

template <typename real> const char *dtype_name() {
    return sizeof(real) == 8 ? "f64" : "f32";
}

void print_head(const char *kind, const char *way, const char *what, const char *dtype) {
    std::printf(
        "{\"peer\": \"Boost.Odeint %s\", \"version\": \"%s\", \"kind\": \"%s\", \"case\": \"%s\", "
        "\"dtype\": \"%s\", \"n\": %d",
        way, BOOST_LIB_VERSION, kind, what, dtype, SAMPLES);
}

template <typename real>
void report_rate(const char *way, double taken, const std::vector<real> &end) {
    print_head("rate", way, "rk4_lorenz", dtype_name<real>());
    std::printf(", \"seconds\": %.6g, \"rate\": %.6g, \"unit\": \"steps/s\", \"error\": %.3g}\n",
                taken, double(SAMPLES) * STEPS / taken, median_error(end));
}

/* ---- systems ---- */

/* One trajectory; or, with T a vector of lanes, as many. */
template <typename T, typename real> struct lorenz_one {
    T rho;
    void operator()(const std::array<T, 3> &y, std::array<T, 3> &dydt, real) const {
        dydt[0] = real(10) * (y[1] - y[0]);
        dydt[1] = y[0] * (rho - y[2]) - y[1];
        dydt[2] = y[0] * y[1] - real(8.0 / 3) * y[2];
    }
};

/* A block of trajectories, component by component, in one state of any container. */
template <typename real, int width> struct lorenz_block {
    std::array<real, width> rho;
    template <class State> void operator()(const State &y, State &dydt, real) const {
        const real *__restrict a = &y[0], *__restrict b = a + width, *__restrict c = b + width;
        real *__restrict da = &dydt[0], *__restrict db = da + width, *__restrict dc = db + width;
        for (int i = 0; i < width; ++i) {
            da[i] = real(10) * (b[i] - a[i]);
            db[i] = a[i] * (rho[i] - c[i]) - b[i];
            dc[i] = a[i] * b[i] - real(8.0 / 3) * c[i];
        }
    }
};

template <typename real, int width> lorenz_block<real, width> block_at(int first) {
    lorenz_block<real, width> system;
    for (int i = 0; i < width; ++i) {
        system.rho[i] = real(rho_of(first + i));
    }
    return system;
}

template <class State, typename real> void start_block(State &y, int width) {
    for (int i = 0; i < width; ++i) {
        y[i] = real(1);
        y[width + i] = y[2 * width + i] = real(0);
    }
}

template <class State, typename real>
void store_block(const State &y, int first, int width, std::vector<real> &end) {
    for (int c = 0; c < 3; ++c) {
        for (int i = 0; i < width; ++i) {
            end[c * SAMPLES + place(first + i)] = y[c * width + i];
        }
    }
}

/* ---- fixed steps ---- */

template <typename real> void rate_array() {
    typedef std::array<real, 3> state;
    std::vector<real> end(3 * SAMPLES);
    const double taken = least_time(REPEATS, [&] {
        odeint::runge_kutta4<state, real> stepper;
        for (int i = 0; i < SAMPLES; ++i) {
            state y = {1, 0, 0};
            odeint::integrate_n_steps(stepper, lorenz_one<real, real>{real(rho_of(i))}, y, real(0),
                                      real(1.0 / STEPS), STEPS);
            store_block(y, i, 1, end);
        }
    });
    report_rate("array", taken, end);
}

template <class State, class Algebra, typename real> void rate_block(const char *way, State y) {
    std::vector<real> end(3 * SAMPLES);
    const double taken = least_time(REPEATS, [&] {
        odeint::runge_kutta4<State, real, State, real, Algebra> stepper;
        for (int first = 0; first < SAMPLES; first += BLOCK) {
            start_block<State, real>(y, BLOCK);
            odeint::integrate_n_steps(stepper, block_at<real, BLOCK>(first), y, real(0),
                                      real(1.0 / STEPS), STEPS);
            store_block(y, first, BLOCK, end);
        }
    });
    report_rate(way, taken, end);
}

typedef double vector_f64 __attribute__((vector_size(64)));
typedef float vector_f32 __attribute__((vector_size(64)));
template <typename real> struct vector_of;
template <> struct vector_of<double> { typedef vector_f64 type; };
template <> struct vector_of<float> { typedef vector_f32 type; };

template <typename real, int count> struct lanes {
    typename vector_of<real>::type v[count];
    static constexpr int width = count * 64 / sizeof(real);
    real &operator[](int i) {
        return reinterpret_cast<real *>(v)[i];
    }

    template <class Function> static lanes map(Function function) {
        lanes out;
        for (int i = 0; i < count; ++i) {
            out.v[i] = function(i);
        }
        return out;
    }
    friend lanes operator+(const lanes &a, const lanes &b) {
        return map([&](int i) { return a.v[i] + b.v[i]; });
    }
    friend lanes operator-(const lanes &a, const lanes &b) {
        return map([&](int i) { return a.v[i] - b.v[i]; });
    }
    friend lanes operator*(const lanes &a, const lanes &b) {
        return map([&](int i) { return a.v[i] * b.v[i]; });
    }
    friend lanes operator*(real a, const lanes &b) {
        return map([&](int i) { return a * b.v[i]; });
    }
};

template <typename real, int count> void rate_simd(const char *way) {
    typedef lanes<real, count> vector;
    typedef std::array<vector, 3> state;
    constexpr int width = vector::width;
    std::vector<real> end(3 * SAMPLES);
    const double taken = least_time(REPEATS, [&] {
        odeint::runge_kutta4<state, real, state, real, odeint::array_algebra> stepper;
        for (int first = 0; first < SAMPLES; first += width) {
            lorenz_one<vector, real> system;
            state y;
            for (int i = 0; i < width; ++i) {
                system.rho[i] = real(rho_of(first + i));
                y[0][i] = 1, y[1][i] = 0, y[2][i] = 0;
            }
            odeint::integrate_n_steps(stepper, system, y, real(0), real(1.0 / STEPS), STEPS);
            for (int i = 0; i < 3 * width; ++i) {
                end[i / width * SAMPLES + first + i % width] = y[i / width][i % width];
            }
        }
    });
    report_rate(way, taken, end);
}

template <typename real> void rates() {
    rate_array<real>();
    rate_block<std::vector<real>, odeint::range_algebra, real>("vector",
                                                               std::vector<real>(3 * BLOCK));
    rate_block<std::array<real, 3 * BLOCK>, odeint::array_algebra, real>("fixed", {});
    rate_simd<real, 1>("simd");
    rate_simd<real, 2>("simd x2");
    rate_simd<real, 4>("simd x4");
}

/* ---- adaptive ---- */

/* Neighbours of `width` in one state share a step; width 1 is one trajectory at a time. */
template <int width>
void precision(const char *way, const char *what, double first_rtol, double last_rtol) {
    typedef std::array<double, 3 * width> state;
    std::vector<double> end(3 * SAMPLES);
    for (double rtol = first_rtol; rtol > 0.9 * last_rtol; rtol *= 0.1) {
        size_t steps = 0;
        const double taken = least_time(REPEATS, [&] {
            steps = 0;
            for (int first = 0; first < SAMPLES; first += width) {
                state y;
                start_block<state, double>(y, width);
                steps += odeint::integrate_adaptive(
                    odeint::make_controlled(1e-3 * rtol, rtol, odeint::runge_kutta_dopri5<state>()),
                    block_at<double, width>(first), y, 0.0, 1.0, 0.01);
                store_block(y, first, width, end);
            }
        });
        print_head("precision", way, what, "f64");
        std::printf(", \"rtol\": %g, \"seconds\": %.6g, \"seconds_per_trajectory\": %.6g, "
                    "\"accepted_per_trajectory\": %.4g, \"error\": %.3g}\n",
                    rtol, taken, taken / SAMPLES, double(steps) * width / SAMPLES,
                    median_error(end));
    }
}

} // namespace

int main(int argc, char **argv) {
    std::FILE *file = argc == 2 ? std::fopen(argv[1], "rb") : nullptr;
    if (file == nullptr ||
        std::fread(reference, sizeof(double), 3 * SAMPLES, file) != 3 * SAMPLES) {
        std::fputs("usage: odeint REFERENCE-FILE\n", stderr);
        return 2;
    }
    std::fclose(file);
    rates<double>();
    rates<float>();
    precision<1>("array", "dopri5_lorenz", 1e-3, 1e-9);
    precision<8>("8 at a time", "dopri5_lorenz", 1e-3, 1e-9);
    precision<64>("64 at a time", "dopri5_lorenz", 1e-3, 1e-9);
    shuffled = true;
    precision<1>("array", "dopri5_lorenz_shuffled", 1e-5, 1e-7);
    precision<8>("8 at a time", "dopri5_lorenz_shuffled", 1e-5, 1e-7);
    return 0;
}

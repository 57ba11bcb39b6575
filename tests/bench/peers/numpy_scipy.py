"""NumPy and SciPy: RK4 over the whole ensemble, solve_ivp one by one and stacked, noise, GBM."""
import math

import numpy as np
import scipy
from scipy.integrate import solve_ivp

import common

options = common.arguments(__doc__)
STEPS = 1000


def rk4(dtype, n=2048):
    """In blocks that stay in the second-level cache, every operation into an array that is there."""
    p = common.rho(n).astype(dtype)
    sigma, beta, h = dtype(10), dtype(8 / 3), dtype(1 / STEPS)
    k, at, total, scratch = (np.empty((3, n), dtype) for _ in range(4))

    def slope(y, out):
        np.subtract(y[1], y[0], out=out[0])
        out[0] *= sigma
        np.subtract(p, y[2], out=out[1])
        out[1] *= y[0]
        out[1] -= y[1]
        np.multiply(y[0], y[1], out=out[2])
        np.multiply(y[2], beta, out=scratch[0])
        out[2] -= scratch[0]

    def run():
        y = np.zeros((3, n), dtype)
        y[0] = 1
        for _ in range(STEPS):
            slope(y, total)
            np.multiply(total, h / 2, out=at)
            np.add(at, y, out=at)
            for size in (h / 2, h):
                slope(at, k)
                np.multiply(k, size, out=at)
                np.add(at, y, out=at)
                k[:] *= 2
                np.add(total, k, out=total)
            slope(at, k)
            np.add(total, k, out=total)
            np.multiply(total, h / 6, out=total)
            np.add(y, total, out=y)
        return y

    seconds, y = common.least_time(run, 3)
    common.report_rate("NumPy", np.__version__, "rk4_lorenz", np.dtype(dtype).name.replace("float", "f"),
                       n, seconds, n * STEPS, "steps/s",
                       error=common.median_error(y, options.reference[:, :n]))


def one_by_one(method, case, rtol, count=24):
    chosen = np.linspace(0, common.SAMPLES - 1, count).astype(int)
    p = common.rho()

    def run():
        ends = []
        for i in chosen:
            r = float(p[i])

            def slope(_, y):
                a, b, c = y
                return [10 * (b - a), a * (r - c) - b, a * b - 8 / 3 * c]

            ends.append(solve_ivp(slope, (0, 1), [1, 0, 0], method, rtol=rtol, atol=1e-3 * rtol,
                                  first_step=0.01, t_eval=[1]).y[:, -1])
        return np.array(ends).T

    seconds, y = common.least_time(run, 1)
    common.report_precision(f"SciPy {method}", scipy.__version__, case, "f64", count, seconds, rtol,
                            common.median_error(y, options.reference[:, chosen]))


def stacked(rtol, n=common.SAMPLES):
    """One system of 3 n equations: NumPy's speed, one step size for all."""
    p = common.rho(n)

    def slope(_, y):
        a, b, c = y.reshape(3, n)
        return np.concatenate([10 * (b - a), a * (p - c) - b, a * b - 8 / 3 * c])

    start = np.concatenate([np.ones(n), np.zeros(2 * n)])

    def run():
        return solve_ivp(slope, (0, 1), start, "RK45", rtol=rtol, atol=1e-3 * rtol, first_step=0.01,
                         t_eval=[1]).y[:, -1].reshape(3, n)

    seconds, y = common.least_time(run, 2)
    common.report_precision("SciPy RK45 stacked", scipy.__version__, "dopri5_lorenz", "f64", n, seconds,
                            rtol, common.median_error(y, options.reference))


def normals(bits, dtype, n=1 << 20):
    generator = np.random.Generator(bits(1))
    out = np.empty(n, dtype)
    seconds, _ = common.least_time(lambda: generator.standard_normal(out=out, dtype=dtype), 7)
    common.report_rate(f"NumPy Generator({bits.__name__})", np.__version__, "fill_normal",
                       np.dtype(dtype).name.replace("float", "f"), n, seconds, n, "normals/s")


def gbm(bits, dtype, n=16384, steps=256):
    """Blocks of paths that stay in cache, normals drawn into an array that is there."""
    generator = np.random.Generator(bits(1))
    z = np.empty(n, dtype)
    growth, kick = dtype(1 + 0.05 / steps), dtype(0.2 / math.sqrt(steps))

    def run():
        y = np.ones(n, dtype)
        for _ in range(steps):
            generator.standard_normal(out=z, dtype=dtype)
            np.multiply(z, kick, out=z)
            np.add(z, growth, out=z)
            np.multiply(y, z, out=y)
        return y

    seconds, _ = common.least_time(run, 3)
    common.report_rate(f"NumPy Generator({bits.__name__})", np.__version__, "em_gbm",
                       np.dtype(dtype).name.replace("float", "f"), n, seconds, n * steps, "normals/s")


def check_reference(count=24):
    """The reference itself, against a method of order 8 at a tolerance near rounding."""
    one_by_one("DOP853", "reference_check", 1e-13, count)


check_reference()
for real in (np.float64, np.float32):
    rk4(real)
    for bit_generator in (np.random.SFC64, np.random.PCG64, np.random.Philox):
        normals(bit_generator, real)
    gbm(np.random.SFC64, real)
for tolerance in common.RTOLS:
    if common.has_time(options, f"SciPy at rtol {tolerance}"):
        stacked(tolerance)
        one_by_one("RK45", "dopri5_lorenz", tolerance)

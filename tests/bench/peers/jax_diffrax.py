"""JAX and diffrax: RK4 as a scan, diffrax's Tsit5 and Dopri5 over vmap, noise, GBM."""
import functools
import math
import os
import sys

import common

options = common.arguments(__doc__)
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu" if options.device == "cpu" else "cuda")
try:
    import diffrax
except ImportError:
    diffrax = None
    print("skip: diffrax is not installed", file=sys.stderr)

STEPS = 1000
LARGE = options.device == "gpu"


def slope(y, p):
    a, b, c = y
    return jnp.stack([10 * (b - a), a * (p - c) - b, a * b - y.dtype.type(8 / 3) * c])


def timed(function, *inputs, repeats=3):
    compiled = jax.jit(function)
    return common.least_time(lambda: jax.block_until_ready(compiled(*inputs)), repeats, options.end)


def rk4(dtype, n):
    h = dtype(1 / STEPS)

    def step(y, p):
        k1 = slope(y, p)
        k2 = slope(y + h / 2 * k1, p)
        k3 = slope(y + h / 2 * k2, p)
        k4 = slope(y + h * k3, p)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    def solve(p):
        y = jnp.zeros((3, n), dtype).at[0].set(1)
        return jax.lax.fori_loop(0, STEPS, lambda _, y: step(y, p), y)

    seconds, y = timed(solve, jnp.asarray(common.rho(n), dtype))
    common.report_rate("JAX fori_loop", jax.__version__, "rk4_lorenz", jnp.dtype(dtype).name.replace(
        "float", "f"), n, seconds, n * STEPS, "steps/s", error=common.median_error(y, options.reference))


def ensemble(solver, controller, dt0, dtype, max_steps):
    def one(p):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, args: slope(y, args)), solver, dtype(0), dtype(1), dt0,
            jnp.array([1, 0, 0], dtype), args=p, stepsize_controller=controller,
            saveat=diffrax.SaveAt(t1=True), max_steps=max_steps, throw=False)
        return solution.ys[-1]

    return lambda p: jax.vmap(one)(p).T


def fixed(dtype, n):
    """diffrax has no RK4; its Tsit5 with a constant step has 6 evaluations where RK4 has 4."""
    solve = ensemble(diffrax.Tsit5(), diffrax.ConstantStepSize(), dtype(1 / STEPS), dtype, STEPS + 2)
    seconds, y = timed(solve, jnp.asarray(common.rho(n), dtype), repeats=1)
    common.report_rate("diffrax Tsit5, constant step", diffrax.__version__, "rk4_lorenz",
                       jnp.dtype(dtype).name.replace("float", "f"), n, seconds, n * STEPS, "steps/s",
                       error=common.median_error(y, options.reference))


def adaptive(solver, case, rtol, n):
    controller = diffrax.PIDController(rtol=rtol, atol=1e-3 * rtol)
    solve = ensemble(solver, controller, 0.01, jnp.float64, 4096)
    seconds, y = timed(solve, jnp.asarray(common.rho(n)), repeats=2)
    common.report_precision("diffrax", diffrax.__version__, case, "f64", n, seconds, rtol,
                            common.median_error(y, options.reference))


def normals(dtype, n):
    for name in ("threefry2x32", "rbg"):
        key = jax.random.key(1, impl=name)
        seconds, _ = timed(lambda key: jax.random.normal(key, (n,), dtype), key)
        common.report_rate(f"JAX random ({name})", jax.__version__, "fill_normal",
                           jnp.dtype(dtype).name.replace("float", "f"), n, seconds, n, "normals/s")


def gbm(dtype, n, steps=256):
    growth, kick = dtype(1 + 0.05 / steps), dtype(0.2 / math.sqrt(steps))

    def step(i, state):
        y, key = state
        key, own = jax.random.split(key)
        return y * (growth + kick * jax.random.normal(own, (n,), dtype)), key

    def solve(key):
        return jax.lax.fori_loop(0, steps, step, (jnp.ones(n, dtype), key))[0]

    seconds, _ = timed(solve, jax.random.key(1, impl="rbg"), repeats=2)
    common.report_rate("JAX fori_loop", jax.__version__, "em_gbm",
                       jnp.dtype(dtype).name.replace("float", "f"), n, seconds, n * steps, "normals/s")


cases = []
for real in (jnp.float64, jnp.float32):
    cases += [functools.partial(rk4, real, 1 << 23 if LARGE else common.SAMPLES),
              functools.partial(normals, real, 1 << 27 if LARGE else 1 << 20),
              functools.partial(gbm, real, 1 << 23 if LARGE else 1 << 14)]
if diffrax is not None:
    size = 1 << 19 if LARGE else common.SAMPLES
    for rtol in (1e-3, 1e-6, 1e-8, 1e-4, 1e-5, 1e-7):
        cases.append(functools.partial(adaptive, diffrax.Tsit5(), "tsit5_lorenz", rtol, size))
    cases.append(functools.partial(fixed, jnp.float64, size))
    cases.append(functools.partial(fixed, jnp.float32, size))
    cases.append(functools.partial(adaptive, diffrax.Dopri5(), "dopri5_lorenz", 1e-6, size))
for case in cases:
    if common.has_time(options, str(case)):
        case()

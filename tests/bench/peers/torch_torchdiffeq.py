"""PyTorch and torchdiffeq: RK4 over the batch, dopri5 with its joint step, noise, GBM."""
import functools
import math
import sys

import common

options = common.arguments(__doc__)
import torch

try:
    import torchdiffeq
except ImportError:
    torchdiffeq = None
    print("skip: torchdiffeq is not installed", file=sys.stderr)

LARGE = options.device == "gpu"
DEVICE = "cuda" if LARGE else "cpu"
STEPS = 1000
if not LARGE:
    torch.set_num_threads(1)
torch.set_grad_enabled(False)
NAMES = {torch.float64: "f64", torch.float32: "f32"}


def synchronised(function):
    def run():
        value = function()
        if LARGE:
            torch.cuda.synchronize()
        return value
    return run


def inputs(dtype, n):
    p = torch.tensor(common.rho(n), dtype=dtype, device=DEVICE)
    y = torch.zeros((3, n), dtype=dtype, device=DEVICE)
    y[0] = 1
    return y, p


def slope(p):
    def f(_, y):
        a, b, c = y
        return torch.stack([10 * (b - a), a * (p - c) - b, a * b - (8 / 3) * c])
    return f


def error(y):
    return common.median_error(y.cpu().numpy(), options.reference)


def rk4(dtype, n, steps):
    """torchdiffeq's rk4 is the 3/8 rule, with as many evaluations; the first steps give the rate."""
    y, p = inputs(dtype, n)
    t = torch.tensor([0, steps / STEPS], dtype=dtype, device=DEVICE)
    run = lambda: torchdiffeq.odeint(slope(p), y, t, method="rk4", options={"step_size": 1 / STEPS})[-1]
    seconds, end = common.least_time(synchronised(run), 1, options.end)
    more = {"error": error(end)} if steps == STEPS else {}
    common.report_rate("torchdiffeq", torchdiffeq.__version__, "rk4_lorenz", NAMES[dtype], n, seconds,
                       n * steps, "steps/s", **more)


def rk4_compiled(dtype, n, steps):
    """What a PyTorch user writes for speed: one RK4 step, compiled into one loop."""
    y, p = inputs(dtype, n)
    f, h = slope(p), 1 / STEPS

    def step(y):
        k1 = f(0, y)
        k2 = f(0, y + h / 2 * k1)
        k3 = f(0, y + h / 2 * k2)
        k4 = f(0, y + h * k3)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    fused = torch.compile(step)

    def run():
        state = y
        for _ in range(steps):
            state = fused(state)
        return state

    seconds, end = common.least_time(synchronised(run), 1, options.end)
    more = {"error": error(end)} if steps == STEPS else {}
    common.report_rate("torch.compile", torch.__version__, "rk4_lorenz", NAMES[dtype], n, seconds,
                       n * steps, "steps/s", **more)


def adaptive(method, rtol, n):
    y, p = inputs(torch.float64, n)
    t = torch.tensor([0, 1], dtype=torch.float64, device=DEVICE)
    run = lambda: torchdiffeq.odeint(slope(p), y, t, method=method, rtol=rtol, atol=1e-3 * rtol,
                                     options={"first_step": 0.01})[-1]
    seconds, end = common.least_time(synchronised(run), 1, options.end)
    common.report_precision("torchdiffeq", torchdiffeq.__version__, f"{method}_lorenz", "f64", n, seconds,
                            rtol, error(end))


def normals(dtype, n):
    out = torch.empty(n, dtype=dtype, device=DEVICE)
    seconds, _ = common.least_time(synchronised(out.normal_), 7)
    common.report_rate("PyTorch normal_", torch.__version__, "fill_normal", NAMES[dtype], n, seconds, n,
                       "normals/s")


def gbm(dtype, n, steps=256):
    growth, kick = 1 + 0.05 / steps, 0.2 / math.sqrt(steps)
    z = torch.empty(n, dtype=dtype, device=DEVICE)

    def run():
        y = torch.ones(n, dtype=dtype, device=DEVICE)
        for _ in range(steps):
            y.mul_(z.normal_(growth, kick))
        return y

    seconds, _ = common.least_time(synchronised(run), 3, options.end)
    common.report_rate("PyTorch", torch.__version__, "em_gbm", NAMES[dtype], n, seconds, n * steps,
                       "normals/s")


cases = []
for real in (torch.float64, torch.float32):
    cases += [functools.partial(normals, real, 1 << 28 if LARGE else 1 << 20),
              functools.partial(gbm, real, 1 << 23 if LARGE else 1 << 14)]
    if torchdiffeq is not None:
        cases.append(functools.partial(rk4, real, 1 << 23 if LARGE else common.SAMPLES,
                                       20 if LARGE else STEPS))
if torchdiffeq is not None:
    for rtol in (1e-3, 1e-6, 1e-8, 1e-4, 1e-5, 1e-7):
        cases.append(functools.partial(adaptive, "dopri5", rtol, 1 << 19 if LARGE else common.SAMPLES))
for real in (torch.float64, torch.float32):
    cases.append(functools.partial(rk4_compiled, real, 1 << 23 if LARGE else common.SAMPLES,
                                   100 if LARGE else STEPS))
for case in cases:
    if common.has_time(options, str(case)):
        try:
            case()
        except Exception as failure:  # one case that a version cannot do must not take the others along
            print(f"skip: {case}: {type(failure).__name__}: {str(failure)[:300]}", file=sys.stderr)

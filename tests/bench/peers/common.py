"""What the Python peers share: the ensemble, the error, the clock, one JSON object a line."""
import argparse
import json
import math
import sys
import time

import numpy as np

SAMPLES = 4096
RTOLS = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8]


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("reference", help="file written by `measure reference`")
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--budget", type=float, default=60.0,
                        help="seconds after which no further case is begun")
    options = parser.parse_args()
    options.end = time.monotonic() + options.budget
    options.reference = np.fromfile(options.reference).reshape(3, SAMPLES)
    return options


def rho(n=SAMPLES):
    return np.resize(np.linspace(0.0, 21.0, SAMPLES), n)


def median_error(end, reference):
    """end: (3, n >= SAMPLES) or, for some columns of the reference, both of that width."""
    end = np.asarray(end, dtype=np.float64)[:, :reference.shape[1]]
    return float(np.median(np.linalg.norm(end - reference, axis=0) / np.linalg.norm(reference, axis=0)))


def least_time(run, repeats=3, end=math.inf):
    """run() must wait for its result. The first call, where compilation happens, is not counted."""
    value, best = run(), math.inf
    for repeat in range(repeats):
        if repeat > 0 and time.monotonic() > end:
            break
        begin = time.perf_counter()
        value = run()
        best = min(best, time.perf_counter() - begin)
    return best, value


def has_time(options, what):
    if time.monotonic() > options.end:
        print(f"skip: {what}: out of time", file=sys.stderr)
        return False
    return True


def report(peer, version, kind, case, dtype, n, seconds, **more):
    print(json.dumps({"peer": peer, "version": version, "kind": kind, "case": case, "dtype": dtype,
                      "n": n, "seconds": seconds, **more}), flush=True)


def report_rate(peer, version, case, dtype, n, seconds, items, unit, **more):
    report(peer, version, "rate", case, dtype, n, seconds, rate=items / seconds, unit=unit, **more)


def report_precision(peer, version, case, dtype, n, seconds, rtol, error, **more):
    report(peer, version, "precision", case, dtype, n, seconds, rtol=rtol,
           seconds_per_trajectory=seconds / n, error=error, **more)

"""Batches of tiny matrices: genmath through its C API against numpy.linalg, in one process, turn by turn.

usage: linear_algebra.py LIBRARY [--beside OTHER] [--size N ...] [--problems N] [--report] [--seconds S]

LIBRARY is libgenmath.so; OTHER, another build of it, is timed in the same turns. Times are medians of the time
that the one thread has computed, which what else the machine does hardly meets, per
problem. --report has ours compute condition numbers and residuals too, which NumPy does not.
"""
import argparse
import ctypes
import json
import os
import statistics
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("library")
parser.add_argument("--beside", help="another libgenmath.so")
parser.add_argument("--size", type=int, nargs="*", default=[2, 3, 4, 6, 8])
parser.add_argument("--problems", type=int, default=100000)
parser.add_argument("--report", action="store_true")
parser.add_argument("--table", action="store_true", help="ratios as text in place of JSON")
parser.add_argument("--seconds", type=float, default=1, help="of timing for a case and a type")
options = parser.parse_args()

import numpy as np

TYPES = {"f64": (np.float64, 0), "f32": (np.float32, 1)}
I32 = 6


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int), ("ndim", ctypes.c_int32),
                ("shape", ctypes.c_int64 * 32), ("stride", ctypes.c_int64 * 32)]

    def __init__(self, array, code):
        super().__init__(array.ctypes.data, code, array.ndim)
        self.array = array
        for i in range(array.ndim):
            self.shape[i], self.stride[i] = array.shape[i], array.strides[i] // array.itemsize


class Options(ctypes.Structure):
    _fields_ = [("backend", ctypes.c_int), ("isa", ctypes.c_int), ("threads", ctypes.c_int32),
                ("device", ctypes.c_int32), ("allow_fallback", ctypes.c_int32)]


class Workspace(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


class Pointers(ctypes.Structure):
    _fields_ = [("first", ctypes.c_void_p), ("second", ctypes.c_void_p), ("third", ctypes.c_void_p)]


def address(tensor):
    return ctypes.cast(ctypes.pointer(tensor), ctypes.c_void_p) if tensor is not None else None


class Genmath:
    def __init__(self, path):
        self.lib, self.context, backend_cpu = ctypes.CDLL(path), ctypes.c_void_p(), 2
        for name in ("gm_last_error", "gm_last_kernel", "gm_isa_name"):
            getattr(self.lib, name).restype = ctypes.c_char_p
        if self.lib.gm_context_create(ctypes.byref(Options(backend=backend_cpu, threads=1)),
                                      ctypes.byref(self.context)):
            sys.exit("linear_algebra.py: no context")

    def bind(self, case, a, b, out, code):
        count, n = len(a), a.shape[-1]
        numbers = [Tensor(np.empty(count, a.dtype), code) for _ in range(4)]
        status = Tensor(np.empty(count, np.int32), I32)
        rows = Tensor(np.empty((count, n), np.int32), I32)
        kept = [Tensor(x, code) for x in (a, b, out)]
        report = Pointers(address(status), *(map(address, numbers[:2]) if options.report else (None, None)))
        if case == "determinant":
            report.third = None
        results = Pointers(address(kept[2]), None, address(numbers[3]))
        arguments = {"lu": [kept[0], kept[2], rows], "cholesky": [kept[0], kept[2]],
                     "solve": kept, "inverse": [kept[0], kept[2]], "determinant": [kept[0], results]}[case]
        pointers = [ctypes.byref(x) for x in arguments]
        space, call = Workspace(), getattr(self.lib, "gm_linalg_" + case)

        def run(keep=(kept, numbers, status, rows, results, report, arguments)):
            if call(self.context, *pointers, ctypes.byref(report), ctypes.byref(space)):
                sys.exit(f"linear_algebra.py: {self.lib.gm_last_error(self.context).decode()}")
        run()
        memory = np.empty(space.bytes + 64, np.uint8)
        run.__defaults__[0][1].append(memory)
        space.data = (memory.ctypes.data + 63) // 64 * 64
        return run


def numpy_run(case, a, b):
    linalg = np.linalg
    return {"cholesky": lambda: linalg.cholesky(a), "solve": lambda: linalg.solve(a, b),
            "inverse": lambda: linalg.inv(a), "determinant": lambda: linalg.det(a)}.get(case)


def time_in_turns(runs, seconds):
    times, end = {name: [] for name in runs}, time.perf_counter() + seconds
    for run in runs.values():
        run()
    while len(times["genmath"]) < 5 or time.perf_counter() < end:
        for name, run in runs.items():
            begin = time.process_time()
            run()
            times[name].append(time.process_time() - begin)
    return {name: statistics.median(all_) for name, all_ in times.items()}


def main():
    libraries = {"genmath": Genmath(options.library)}
    if options.beside:
        libraries["beside"] = Genmath(options.beside)
    random, count = np.random.default_rng(1), options.problems
    for case in ("lu", "cholesky", "solve", "inverse", "determinant"):
        for n in options.size:
            for dtype, (kind, code) in TYPES.items():
                a = random.standard_normal((count, n, n)).astype(kind)
                if case == "cholesky":
                    a = a @ a.swapaxes(1, 2) + np.eye(n, dtype=kind)
                b = random.standard_normal((count, n, 1)).astype(kind)
                shape = (count,) if case == "determinant" else b.shape if case == "solve" else a.shape
                outs = {name: np.full(shape, np.nan, kind) for name in libraries}
                runs = {name: lib.bind(case, a, b, outs[name], code) for name, lib in libraries.items()}
                if (peer := numpy_run(case, a, b)) is not None:
                    runs["NumPy"] = peer
                    libraries_result = outs["genmath"]
                    runs["genmath"]()
                    wrong = np.median(np.abs(libraries_result - peer()))
                    if not wrong < (1e-13 if kind == np.float64 else 1e-4):
                        sys.exit(f"linear_algebra.py: {case} {n} {dtype}: median difference {wrong}")
                median = time_in_turns(runs, options.seconds)
                lib = libraries["genmath"]
                row = {"kind": "rate", "case": f"{case} {n}", "dtype": dtype, "n": count, "unit": "problems/s"}
                if options.table:
                    ratios = ", ".join(f"{p} {s / median['genmath']:.1f}" for p, s in median.items() if p != "genmath")
                    print(f"{case:12} {n} {dtype} {median['genmath'] / count * 1e9:7.1f} ns  x {ratios}", flush=True)
                for peer, seconds in median.items() if not options.table else ():
                    print(json.dumps({"peer": peer, **row, "seconds": seconds, "rate": count / seconds}), flush=True)


main()

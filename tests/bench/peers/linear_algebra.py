"""Linear algebra on batches: genmath through its C API against numpy.linalg and torch.linalg, in one
process, turn by turn, so that what else the machine does meets all of them alike.

Seconds are the least of several runs. Entries are in [-1, 1), with n added to
the diagonal; eigenvalues and singular values are compared, of the rest the results themselves.
"""
import ctypes
import json
import sys

import numpy as np

from genmath import Genmath, Tensor, aligned, arguments, pytorch, time_in_turns, view

options = arguments(__doc__)
torch = pytorch(options.threads)


class Workspace(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


def symmetric(a):
    return np.tril(a) + np.swapaxes(np.tril(a, -1), -1, -2)


# name: whether b follows a and a number comes before it, the outputs, the peers, and the number of the
# output (0 if not said) that is compared
OPERATIONS = {
    "lu": dict(outputs=["matrix", "integers"],
               torch=lambda a, b: torch.linalg.lu_factor(a)[0]),
    "cholesky": dict(outputs=["matrix"], numpy=lambda a, b: np.linalg.cholesky(a),
                     torch=lambda a, b: torch.linalg.cholesky(a)),
    "qr": dict(outputs=["matrix", "matrix"], numpy=lambda a, b: np.linalg.qr(a),
               torch=lambda a, b: torch.linalg.qr(a)),
    "solve": dict(column=True, outputs=["column"], numpy=lambda a, b: np.linalg.solve(a, b),
                  torch=lambda a, b: torch.linalg.solve(a, b)),
    "inverse": dict(outputs=["matrix"], numpy=lambda a, b: np.linalg.inv(a),
                    torch=lambda a, b: torch.linalg.inv(a)),
    "eigen_hermitian": dict(outputs=["values", "matrix"], numpy=lambda a, b: np.linalg.eigh(a),
                            torch=lambda a, b: torch.linalg.eigh(a)),
    "svd": dict(outputs=["matrix", "values", "matrix"], checked=1, numpy=lambda a, b: np.linalg.svd(a),
                torch=lambda a, b: torch.linalg.svd(a)),
    "exp": dict(number=True, outputs=["matrix"], torch=lambda a, b: torch.linalg.matrix_exp(a)),
}
SIZES = [(65536, 2), (65536, 4), (16384, 8), (4096, 16), (1024, 32), (16, 128)]


def call(genmath, name, operation, a, b):
    """A function that runs the operation, and its outputs."""
    batch, n, _ = a.shape
    make = {"matrix": lambda: np.empty_like(a), "column": lambda: np.empty((batch, n, 1), a.dtype),
            "values": lambda: np.empty((batch, n), a.dtype), "integers": lambda: np.empty((batch, n), np.int32)}
    outputs = [make[kind]() for kind in operation["outputs"]]
    views = [view(x) for x in [a, *([b] if operation.get("column") else []), *outputs]]
    numbers = [ctypes.c_double(1)] if operation.get("number") else []
    function, workspace = getattr(genmath.lib, "gm_linalg_" + name), Workspace()
    arguments = [genmath.context, *numbers, *map(ctypes.byref, views), None, ctypes.byref(workspace)]
    genmath.check(function(*arguments))
    genmath.memory, workspace.data = aligned(workspace.bytes)
    return lambda: genmath.check(function(*arguments)), outputs


def difference(got, wanted):
    """Largest difference of magnitudes, over the largest magnitude."""
    return float(np.max(np.abs(np.abs(got) - np.abs(wanted))) / np.max(np.abs(wanted)))


def main():
    genmath, random = Genmath(options.library, options.threads), np.random.default_rng(1)
    for name, operation in OPERATIONS.items():
        for batch, n in SIZES:
            for dtype, kind in {"f64": np.float64, "f32": np.float32}.items():
                case = f"{name} {n} {dtype}"
                if options.only not in case:
                    continue
                a = symmetric(random.uniform(-1, 1, (batch, n, n))).astype(kind) + n * np.eye(n, dtype=kind)
                a = a / n if name == "exp" else a
                b = random.uniform(-1, 1, (batch, n, 1)).astype(kind)
                ours, outputs = call(genmath, name, operation, a, b)
                peers = {}
                if "numpy" in operation:
                    peers["NumPy linalg"] = lambda: operation["numpy"](a, b)
                if torch is not None:
                    tensors = torch.from_numpy(a), torch.from_numpy(b)
                    peers["PyTorch linalg"] = lambda: operation["torch"](*tensors)
                ours()
                for peer in peers.values():
                    wanted, checked = peer(), operation.get("checked", 0)
                    wanted = wanted[checked] if isinstance(wanted, tuple) else wanted
                    wrong = difference(outputs[checked], np.asarray(wanted))
                    if not wrong < 100 * n * np.finfo(kind).eps:
                        sys.exit(f"linear_algebra.py: {case}: relative difference {wrong}")
                best, kernel = time_in_turns({"genmath": ours, **peers}, options.seconds), genmath.kernel()
                for peer, seconds in best.items():
                    row = {"peer": peer, "kind": "rate", "case": f"linalg {name} {n}", "dtype": dtype,
                           "n": batch, "seconds": seconds, "rate": batch / seconds, "unit": "matrices/s"}
                    if peer == "genmath":
                        row.update(isa=genmath.isa, threads=options.threads, kernel=kernel)
                    if not options.table:
                        print(json.dumps(row), flush=True)
                if options.table:
                    ratios = ", ".join(f"{p} {s / best['genmath']:.2f}" for p, s in best.items()
                                       if p != "genmath")
                    print(f"{case:24} {kernel:28} {batch / best['genmath']:10.3g} matrices/s  x {ratios}",
                          flush=True)


main()

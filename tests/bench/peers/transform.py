"""Transforms and convolutions: genmath through its C API against numpy.fft, scipy.fft, torch.fft and
torch.nn.functional.conv, in one process, turn by turn.

usage: transform.py LIBRARY [--threads N] [--only TEXT] [--table] [--seconds S]

LIBRARY is libgenmath.so. Seconds are medians; the operands are the same arrays. A convolution is what the
plan chooses by itself; the other way is timed beside it.
"""
import argparse
import ctypes
import json
import math
import statistics
import sys
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("library")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--only", default="", help="cases whose name contains this")
parser.add_argument("--table", action="store_true", help="ratios as text in place of JSON")
parser.add_argument("--seconds", type=float, default=0.4, help="of timing for a case and a type")
options = parser.parse_args()

import numpy as np

try:
    import scipy.fft
except ImportError:
    scipy = None
    print("skip: SciPy is not installed", file=sys.stderr)
try:
    import torch

    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
except ImportError:
    torch = None
    print("skip: PyTorch is not installed", file=sys.stderr)

KINDS = {"fft": 0, "ifft": 1, "rfft": 2, "irfft": 3, "dct": 4}
# name, kind, batch, lengths
TRANSFORMS = [(f"{kind} {'x'.join(map(str, n))}", kind, max(1, (1 << 18) // math.prod(n)), n)
              for kind, lengths in {
                  "fft": [(16,), (64,), (256,), (1024,), (4096,), (65536,), (1 << 20,), (1000,), (1021,), (512, 512),
                          (64, 64, 64)],
                  "rfft": [(256,), (1024,), (65536,), (512, 512)], "irfft": [(1024,)], "dct": [(1024,)]}.items()
              for n in lengths]
# name, dimensions, samples, channels, groups, side, taps: as many results as x has elements
CONVOLUTIONS = [("conv1d c=1 x=16384 k=63", 1, 1, 1, 1, 16384, 63), ("conv1d c=1 x=16384 k=511", 1, 1, 1, 1, 16384, 511),
                ("conv1d n=c=8 x=2048 k=15", 1, 8, 8, 1, 2048, 15), ("conv1d n=c=8 x=2048 k=127", 1, 8, 8, 1, 2048, 127),
                ("conv1d c=64 depthwise x=1024 k=127", 1, 4, 64, 64, 1024, 127),
                ("conv2d c=8 x=128 k=5", 2, 1, 8, 1, 128, 5), ("conv2d c=8 x=128 k=31", 2, 1, 8, 1, 128, 31)]
TYPES = {"f64": (np.float64, np.complex128), "f32": (np.float32, np.complex64)}


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int), ("ndim", ctypes.c_int32),
                ("shape", ctypes.c_int64 * 32), ("stride", ctypes.c_int64 * 32)]


class Options(ctypes.Structure):
    _fields_ = [("backend", ctypes.c_int), ("isa", ctypes.c_int), ("threads", ctypes.c_int32),
                ("device", ctypes.c_int32), ("allow_fallback", ctypes.c_int32)]


class FftOptions(ctypes.Structure):
    _fields_ = [("dtype", ctypes.c_int), ("kind", ctypes.c_int), ("norm", ctypes.c_int),
                ("axis_count", ctypes.c_int32), ("axes", ctypes.c_int32 * 3), ("length", ctypes.c_int64 * 3)]


class ConvOptions(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64 * 3) for name in ("stride", "dilation", "pad_before", "pad_after")] + [
        ("groups", ctypes.c_int64), ("flip", ctypes.c_int32), ("math", ctypes.c_int),
        ("epilogue", ctypes.c_void_p), ("algorithm", ctypes.c_int)]


class Genmath:
    def __init__(self, path, threads):
        self.lib = lib = ctypes.CDLL(path)
        for name in ("gm_last_error", "gm_last_kernel", "gm_isa_name", "gm_conv_explain", "gm_dtype_name"):
            getattr(lib, name).restype = ctypes.c_char_p
        lib.gm_conv_workspace.restype = ctypes.c_size_t
        names = {np.dtype(t): n for t, n in ((np.float64, b"f64"), (np.float32, b"f32"),
                                             (np.complex128, b"c128"), (np.complex64, b"c64"))}
        codes = {lib.gm_dtype_name(code): code for code in range(16)}
        self.codes = {dtype: codes[name] for dtype, name in names.items()}
        self.context, backend_cpu = ctypes.c_void_p(), 2
        self.check(lib.gm_context_create(ctypes.byref(Options(backend=backend_cpu, threads=threads)),
                                         ctypes.byref(self.context)))
        self.isa = lib.gm_isa_name(lib.gm_context_isa(self.context)).decode()

    def check(self, status):
        if status:
            sys.exit(f"transform.py: {self.lib.gm_last_error(self.context).decode()}")

    def view(self, array):
        t = Tensor(array.ctypes.data, self.codes[array.dtype], array.ndim)
        for i in range(array.ndim):
            t.shape[i], t.stride[i] = array.shape[i], array.strides[i] // array.itemsize
        return t

    @staticmethod
    def aligned(size):
        memory = np.empty(size + 64, np.uint8)
        return memory, ctypes.c_void_p((memory.ctypes.data + 63) // 64 * 64)

    def transform(self, kind, lengths, x, y):
        o = FftOptions(self.codes[np.dtype(np.float32 if x.itemsize // (1 + np.iscomplexobj(x)) == 4 else np.float64)],
                       KINDS[kind], 0, len(lengths))
        for i, n in enumerate(lengths):
            o.axes[i], o.length[i] = 1 + i, n
        plan, size = ctypes.c_void_p(), ctypes.c_int64()
        self.check(self.lib.gm_fft_plan_create(self.context, ctypes.byref(o), ctypes.byref(plan)))
        self.check(self.lib.gm_fft_workspace_size(plan, ctypes.byref(size)))
        memory, space = self.aligned(size.value)
        views, execute, check = (self.view(x), self.view(y)), self.lib.gm_fft_execute, self.check

        def run(keep=memory):
            check(execute(plan, ctypes.byref(views[0]), space, size, ctypes.byref(views[1])))
        return run, ""

    def convolution(self, x, w, y, groups, algorithm):
        o = ConvOptions(groups=groups, algorithm=algorithm)
        for i in range(x.ndim - 2):
            o.pad_before[i] = o.pad_after[i] = w.shape[2] // 2
        views, plan, lib, check = [self.view(a) for a in (x, w, y)], ctypes.c_void_p(), self.lib, self.check
        pointers = [ctypes.byref(v) for v in views]
        check(lib.gm_conv_plan_create(self.context, 0, *pointers, ctypes.byref(o), ctypes.byref(plan)))
        size = lib.gm_conv_workspace(plan)
        memory, space = self.aligned(size)

        def run(keep=(memory, views)):
            check(lib.gm_conv_execute(plan, None, *pointers, space, ctypes.c_size_t(size)))
        return run, lib.gm_conv_explain(plan).decode().split(":")[0]


def time_in_turns(runs, seconds):
    times, end = {name: [] for name in runs}, time.perf_counter() + seconds
    for run in runs.values():
        run()
    while len(times["genmath"]) < 3 or time.perf_counter() < end:
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(all_) for name, all_ in times.items()}


def compare(genmath, name, dtype, runs, wanted, y, work, note):
    runs["genmath"]()
    wrong = float(np.max(np.abs(y - wanted)) / np.max(np.abs(wanted)))
    if not wrong < (1e-12 if dtype == "f64" else 1e-4):
        sys.exit(f"transform.py: {name} {dtype}: relative difference {wrong}")
    kernel, best = genmath.lib.gm_last_kernel(genmath.context).decode(), time_in_turns(runs, options.seconds)
    for peer, seconds in best.items() if not options.table else ():
        row = {"peer": peer, "kind": "rate", "case": name.replace(" ", "_"), "dtype": dtype, "n": work,
               "seconds": seconds, "rate": work / seconds, "unit": "operations/s"}
        if peer == "genmath":
            row.update(isa=genmath.isa, threads=options.threads, kernel=f"{note} {kernel}".strip())
        print(json.dumps(row), flush=True)
    if options.table:
        ratios = ", ".join(f"{p} {s / best['genmath']:.2f}" for p, s in best.items() if p != "genmath")
        print(f"{name:36} {dtype} {note or kernel:12} {work / best['genmath'] * 1e-9:7.2f} G/s  x {ratios}", flush=True)


def transform_case(genmath, random, name, kind, batch, lengths, dtype):
    real, pair = TYPES[dtype]
    axes, n = tuple(range(1, 1 + len(lengths))), math.prod(lengths)
    x = random.standard_normal((batch, *lengths)).astype(real)
    x = (x + 1j * random.standard_normal(x.shape)).astype(pair) if kind == "fft" else x
    x = np.fft.rfftn(x, axes=axes).astype(pair) if kind == "irfft" else x
    shape = {"rfft": (batch, *lengths[:-1], lengths[-1] // 2 + 1)}.get(kind, (batch, *lengths))
    y = np.full(shape, np.nan, real if kind in ("irfft", "dct") else pair)
    calls = {"fft": "fftn", "rfft": "rfftn", "irfft": "irfftn", "dct": "dctn"}
    runs = {"genmath": genmath.transform(kind, lengths, x, y)[0]}
    modules = {"numpy.fft": np.fft if kind != "dct" else None, "scipy.fft": scipy and scipy.fft}
    for peer, module in modules.items():
        if module is not None:
            runs[peer] = lambda call=getattr(module, calls[kind]): call(x, axes=axes)
    if torch is not None and kind != "dct":
        tensor = torch.from_numpy(x)
        runs["torch.fft"] = lambda: getattr(torch.fft, calls[kind])(tensor, dim=axes)
    wanted = next(run for peer, run in runs.items() if peer != "genmath")()
    compare(genmath, name, dtype, runs, wanted, y,
            (5 if kind == "fft" else 2.5) * batch * n * math.log2(n), "")


def convolution_case(genmath, random, name, dims, samples, channels, groups, side, taps, dtype):
    real = TYPES[dtype][0]
    x = random.standard_normal((samples, channels, *[side] * dims)).astype(real)
    w = random.standard_normal((channels, channels // groups, *[taps] * dims)).astype(real)
    y, other = np.full_like(x, np.nan), np.empty_like(x)
    ours, way = genmath.convolution(x, w, y, groups, 0)
    runs = {"genmath": ours}
    beside = 1 if way == "transforms" else 2
    runs["genmath, " + ("contraction" if beside == 1 else "transforms")] = genmath.convolution(
        x, w, other, groups, beside)[0]
    tensors = [torch.from_numpy(a) for a in (x, w)]
    call = [torch.nn.functional.conv1d, torch.nn.functional.conv2d][dims - 1]
    runs["torch.nn.functional.conv"] = lambda: call(*tensors, padding=taps // 2, groups=groups)
    compare(genmath, name, dtype, runs, runs["torch.nn.functional.conv"]().numpy(), y,
            2 * x.size * (channels // groups) * taps ** dims, way)


def main():
    genmath, random = Genmath(options.library, options.threads), np.random.default_rng(1)
    for dtype in TYPES:
        for case in TRANSFORMS:
            if options.only in f"{case[0]} {dtype}":
                transform_case(genmath, random, *case, dtype)
        for case in CONVOLUTIONS if torch is not None else ():
            if options.only in f"{case[0]} {dtype}":
                convolution_case(genmath, random, *case, dtype)


main()

"""genmath's C API through ctypes, for peers that are timed in one process with it."""
import argparse
import ctypes
import math
import sys
import time


def arguments(description):
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", help="libgenmath.so")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--table", action="store_true", help="ratios as text in place of JSON")
    parser.add_argument("--seconds", type=float, default=0.3, help="of timing for a case and a type")
    return parser.parse_args()


def pytorch(threads):
    """The module, or None and a printed skip."""
    try:
        import torch
    except ImportError:
        print("skip: PyTorch is not installed", file=sys.stderr)
        return None
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    return torch


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int), ("ndim", ctypes.c_int32),
                ("shape", ctypes.c_int64 * 32), ("stride", ctypes.c_int64 * 32)]


class Options(ctypes.Structure):
    _fields_ = [("backend", ctypes.c_int), ("isa", ctypes.c_int), ("threads", ctypes.c_int32),
                ("device", ctypes.c_int32), ("allow_fallback", ctypes.c_int32)]


DTYPES = {"float64": 0, "float32": 1, "int32": 6}  # of gm_dtype


def view(array):
    t = Tensor(array.ctypes.data, DTYPES[array.dtype.name], array.ndim)
    for i in range(array.ndim):
        t.shape[i], t.stride[i] = array.shape[i], array.strides[i] // array.itemsize
    return t


def aligned(size):
    """Memory of the host and, in it, a pointer to `size` bytes aligned to 64; NULL for none."""
    memory = (ctypes.c_char * (size + 64))()
    return memory, ctypes.c_void_p((ctypes.addressof(memory) + 63) // 64 * 64) if size else None


class Genmath:
    def __init__(self, path, threads):
        self.lib = lib = ctypes.CDLL(path)
        for name in ("gm_last_error", "gm_last_kernel", "gm_isa_name"):
            getattr(lib, name).restype = ctypes.c_char_p
        self.context = ctypes.c_void_p()
        backend_cpu = 2
        self.check(lib.gm_context_create(ctypes.byref(Options(backend=backend_cpu, threads=threads)),
                                         ctypes.byref(self.context)))
        self.isa = lib.gm_isa_name(lib.gm_context_isa(self.context)).decode()

    def check(self, status):
        if status != 0:
            sys.exit(f"genmath: {self.lib.gm_last_error(self.context).decode()}")

    def kernel(self):
        return self.lib.gm_last_kernel(self.context).decode()


def time_in_turns(runs, seconds):
    best, end = dict.fromkeys(runs, math.inf), time.perf_counter() + seconds
    for run in runs.values():
        run()
    rounds = 0
    while rounds < 5 or time.perf_counter() < end:
        rounds += 1
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - begin)
    return best

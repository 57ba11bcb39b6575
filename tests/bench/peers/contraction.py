"""Contractions: genmath through its C API against PyTorch's einsum and bmm and NumPy's einsum and BLAS, in
one process, turn by turn, so that what else the machine does meets all of them alike.

usage: contraction.py LIBRARY [--threads N] [--only TEXT] [--table]

LIBRARY is libgenmath.so. Seconds are the least of several runs; the operands are the same arrays, and all
deliver a row-major output: einsum alone may return a view of another layout.
"""
import argparse
import ctypes
import json
import math
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
    import torch

    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
except ImportError:
    torch = None
    print("skip: PyTorch is not installed", file=sys.stderr)

# name, expression, size of each label; forms of coupled cluster and of tensor networks at 50 to 200 MFLOP
TCCG = [
    ("abcd-aebf-fdec", {**dict.fromkeys("abcd", 20), **dict.fromkeys("ef", 20)}),
    ("abcd-dbea-ec", {**dict.fromkeys("abcd", 40), "e": 40}),
    ("abcd-ebad-ce", {**dict.fromkeys("abcd", 40), "e": 36}),
    ("abcde-ecbfa-fd", {**dict.fromkeys("abcde", 18), "f": 32}),
    ("abcde-efcad-bf", {**dict.fromkeys("abcde", 18), "f": 32}),
    ("abcd-ea-ebcd", {"a": 48, "b": 40, "c": 32, "d": 32, "e": 48}),
    ("abcd-eb-aecd", {"a": 40, "b": 48, "c": 32, "d": 32, "e": 48}),
    ("abc-bda-dc", {"a": 128, "b": 96, "c": 64, "d": 64}),
    ("abc-adec-ebd", {"a": 96, "b": 72, "c": 64, "d": 12, "e": 14}),
    ("ab-cad-dcb", {"a": 192, "b": 160, "c": 40, "d": 48}),
    ("abcd-deca-be", {"a": 48, "b": 24, "c": 16, "d": 48, "e": 64}),
    ("abcdef-dega-gfbc", {**dict.fromkeys("abcdef", 12), "g": 16}),
    ("abcdef-degb-gfac", {**dict.fromkeys("abcdef", 12), "g": 16}),
    ("abij-abcd-cdij", {**dict.fromkeys("abcd", 22), **dict.fromkeys("ij", 16)}),
]


def expression_of(name):
    out, *operands = name.split("-")
    return ",".join(operands) + "->" + out


CASES = [(f"gemm {n}", "ij,jk->ik", dict.fromkeys("ijk", n)) for n in (256, 512, 1024)]
CASES += [(f"bmm {n}", "bij,bjk->bik", {"b": max(1 << 16 >> int(math.log2(n)), 64), **dict.fromkeys("ijk", n)})
          for n in (4, 8, 16, 32)]
CASES += [(f"bmm cached {n}", "bij,bjk->bik", {"b": 16384 // (n * n), **dict.fromkeys("ijk", n)})
          for n in (4, 8, 16, 32)]
CASES += [("tccg " + name, expression_of(name), sizes) for name, sizes in TCCG]
CASES += [("outer", "i,j->ij", dict.fromkeys("ij", 4096)),
          ("transposition", "ij->ji", dict.fromkeys("ij", 4096)),
          ("permutation", "abcd->dbca", dict.fromkeys("abcd", 64)),
          ("trace", "ii->", {"i": 4096}), ("row sums", "ij->i", dict.fromkeys("ij", 4096)),
          ("column sums", "ij->j", dict.fromkeys("ij", 4096)),
          ("matrix times vector", "ij,j->i", dict.fromkeys("ij", 4096)),
          ("batched dot", "bi,bi->b", {"b": 1 << 14, "i": 128}), ("dot", "i,i->", {"i": 1 << 22})]
TYPES = {"f64": (np.float64, 0), "f32": (np.float32, 1)}


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int), ("ndim", ctypes.c_int32),
                ("shape", ctypes.c_int64 * 32), ("stride", ctypes.c_int64 * 32)]


class Group(ctypes.Structure):
    _fields_ = [("operands", ctypes.c_int32), ("problems", ctypes.c_int64), ("layouts", ctypes.c_int64),
                ("layout_of", ctypes.c_void_p), ("inputs", ctypes.c_void_p), ("outputs", ctypes.c_void_p),
                ("addends", ctypes.c_void_p), ("biases", ctypes.c_void_p)]


class GroupArrays(ctypes.Structure):
    _fields_ = [("inputs", ctypes.c_void_p), ("outputs", ctypes.c_void_p), ("addends", ctypes.c_void_p),
                ("biases", ctypes.c_void_p), ("scales", ctypes.c_void_p), ("scale_count", ctypes.c_int64),
                ("first", ctypes.c_void_p)]


class Options(ctypes.Structure):
    _fields_ = [("backend", ctypes.c_int), ("isa", ctypes.c_int), ("threads", ctypes.c_int32),
                ("device", ctypes.c_int32), ("allow_fallback", ctypes.c_int32)]


class Genmath:
    def __init__(self, path, threads):
        self.lib = lib = ctypes.CDLL(path)
        for name in ("gm_last_error", "gm_last_kernel", "gm_isa_name"):
            getattr(lib, name).restype = ctypes.c_char_p
        lib.gm_contract_workspace.restype = lib.gm_contract_group_workspace.restype = ctypes.c_size_t
        self.context = ctypes.c_void_p()
        backend_cpu = 2
        if lib.gm_context_create(ctypes.byref(Options(backend=backend_cpu, threads=threads)),
                                 ctypes.byref(self.context)):
            sys.exit("contraction.py: no context")
        self.isa = lib.gm_isa_name(lib.gm_context_isa(self.context)).decode()

    def view(self, array, code):
        t = Tensor(array.ctypes.data, code, array.ndim)
        for i in range(array.ndim):
            t.shape[i], t.stride[i] = array.shape[i], array.strides[i] // array.itemsize
        return t

    def plan(self, expression, operands, out, code):
        lib, count = self.lib, len(operands)
        views, result = (Tensor * count)(*[self.view(x, code) for x in operands]), self.view(out, code)
        plan = ctypes.c_void_p()
        if lib.gm_contract_plan_create(self.context, expression.encode(), count, views, ctypes.byref(result),
                                       None, ctypes.byref(plan)):
            sys.exit(f"contraction.py: {expression}: {lib.gm_last_error(self.context).decode()}")
        size = lib.gm_contract_workspace(plan)
        self.memory = np.empty(size + 64, np.uint8)
        space = ctypes.c_void_p((self.memory.ctypes.data + 63) // 64 * 64) if size else None
        execute, context = lib.gm_contract_execute, self.context

        def run():
            if execute(plan, None, views, None, ctypes.byref(result), space, ctypes.c_size_t(size)):
                sys.exit(f"contraction.py: {lib.gm_last_error(context).decode()}")
        return run


    def group(self, lefts, rights, outs, code):
        """A group of products, planned and bound: what is timed is its execution."""
        lib, context, count = self.lib, self.context, len(outs)
        pairs = [x for pair in zip(lefts, rights) for x in pair]
        self.kept = (Tensor * (2 * count))(*[self.view(x, code) for x in pairs]), \
            (Tensor * count)(*[self.view(x, code) for x in outs]), \
            (ctypes.c_void_p * (2 * count))(*[x.ctypes.data for x in pairs]), \
            (ctypes.c_void_p * count)(*[x.ctypes.data for x in outs])
        inputs, outputs, input_data, output_data = [ctypes.cast(x, ctypes.c_void_p) for x in self.kept]
        plan = ctypes.c_void_p()
        failed = lib.gm_contract_group_plan_create(
            context, b"ij,jk->ik", ctypes.byref(Group(2, count, count, None, inputs, outputs)), None,
            ctypes.byref(plan))
        if not failed:
            size = lib.gm_contract_group_workspace(plan)
            self.memory = np.empty(size + 64, np.uint8)
            space = ctypes.c_void_p((self.memory.ctypes.data + 63) // 64 * 64)
            failed = lib.gm_contract_group_bind(plan, ctypes.byref(GroupArrays(input_data, output_data)), space,
                                                ctypes.c_size_t(size))

        def run():
            if failed or lib.gm_contract_group_execute(plan):
                sys.exit(f"contraction.py: {lib.gm_last_error(context).decode()}")
        return run


# name, (rows, summed, columns) of each product: experts with 0 to 90 tokens, tiny nets of several widths
GROUPS = [("group experts", [(e * e * 37 % 97, 256, 512) for e in range(32)]),
          ("group nets", [(3 + p % 14,) * 3 for p in range(14000)])]


def group_peers(lefts, rights, outs, sizes):
    """A product at a time; and all at once in PyTorch, padded to the largest before the clock starts."""
    def one_by_one(multiply, *lists):
        def run():
            for a, b, c in zip(*lists):
                multiply(a, b, out=c)
        return run

    runs = {"NumPy, a call each": one_by_one(np.matmul, lefts, rights, [np.empty_like(x) for x in outs])}
    if torch is not None:
        lists = [[torch.from_numpy(x) for x in arrays] for arrays in (lefts, rights, map(np.empty_like, outs))]
        runs["PyTorch, a call each"] = one_by_one(torch.mm, *lists)
        m, k, n = map(max, zip(*sizes))
        kind = lists[0][0].dtype
        a, b = torch.zeros(len(outs), m, k, dtype=kind), torch.zeros(len(outs), k, n, dtype=kind)
        for i, (x, y) in enumerate(zip(*lists[:2])):
            a[i, :x.shape[0], :x.shape[1]], b[i, :y.shape[0], :y.shape[1]] = x, y
        c = torch.empty(len(outs), m, n, dtype=kind)
        runs["PyTorch bmm, padded"] = lambda: torch.bmm(a, b, out=c)
    return runs


def peers_of(name, expression, arrays, out):
    subscripts = expression.split("->")[0].split(",")
    runs = {"NumPy einsum, optimize=True": lambda: np.ascontiguousarray(np.einsum(expression, *arrays, optimize=True))}
    if name.startswith("gemm"):
        runs["NumPy BLAS"] = lambda: np.matmul(*arrays, out=out)
    if torch is not None:
        tensors = [torch.from_numpy(x) for x in arrays]
        result = torch.from_numpy(np.empty_like(out))
        runs["PyTorch einsum"] = lambda: torch.einsum(expression, *tensors).contiguous()
        if name.startswith("bmm"):
            runs["PyTorch bmm"] = lambda: torch.bmm(*tensors, out=result)
        if name.startswith("gemm"):
            runs["PyTorch matmul"] = lambda: torch.mm(*tensors, out=result)
        if len(subscripts) == 1 and len(expression.split("->")[1]) == len(subscripts[0]):
            order = [subscripts[0].index(c) for c in expression.split("->")[1]]
            runs["PyTorch copy"] = lambda: result.copy_(tensors[0].permute(order))
    return runs


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


def report(name, dtype, genmath, kernel, best, work, products):
    for peer, seconds in best.items():
        row = {"peer": peer, "kind": "rate", "case": "contract " + name.replace(" ", "_"),
               "dtype": dtype, "n": products, "seconds": seconds, "rate": work / seconds,
               "unit": "operations/s"}
        if peer == "genmath":
            row.update(isa=genmath.isa, threads=options.threads, kernel=kernel)
        if not options.table:
            print(json.dumps(row), flush=True)
    if options.table:
        ratios = ", ".join(f"{p} {s / best['genmath']:.2f}" for p, s in best.items() if p != "genmath")
        print(f"{name:24} {dtype} {kernel:8} {work / best['genmath'] * 1e-9:8.2f} G/s  x {ratios}", flush=True)


def check(name, dtype, kind, out, wanted):
    wrong = float(np.max(np.abs(out - wanted), initial=0) / max(np.max(np.abs(wanted), initial=0), 1e-30))
    if not wrong < (1e-11 if kind == np.float64 else 1e-3):
        sys.exit(f"contraction.py: {name} {dtype}: relative difference {wrong}")


def run_groups(genmath, random):
    for name, sizes in GROUPS:
        for dtype, (kind, code) in TYPES.items():
            if options.only not in f"{name} {dtype}":
                continue
            lefts = [random.standard_normal((m, k)).astype(kind) for m, k, n in sizes]
            rights = [random.standard_normal((k, n)).astype(kind) for m, k, n in sizes]
            outs = [np.full((m, n), np.nan, kind) for m, k, n in sizes]
            ours = genmath.group(lefts, rights, outs, code)
            ours()
            kernel = genmath.lib.gm_last_kernel(genmath.context).decode()
            for a, b, c in zip(lefts, rights, outs):
                check(name, dtype, kind, c, a @ b)
            best = time_in_turns({"genmath": ours, **group_peers(lefts, rights, outs, sizes)}, options.seconds)
            products = sum(m * k * n for m, k, n in sizes)
            report(name, dtype, genmath, kernel, best, 2 * products, products)


def main():
    genmath, logs = Genmath(options.library, options.threads), {}
    random = np.random.default_rng(1)
    for name, expression, sizes in CASES:
        for dtype, (kind, code) in TYPES.items():
            if options.only not in f"{name} {dtype}":
                continue
            inputs, labels = expression.split("->")
            arrays = [random.standard_normal([sizes[c] for c in s]).astype(kind) for s in inputs.split(",")]
            out = np.full([sizes[c] for c in labels], np.nan, kind)
            ours = genmath.plan(expression, arrays, out, code)
            peers = peers_of(name, expression, arrays, np.empty_like(out))
            ours()
            kernel = genmath.lib.gm_last_kernel(genmath.context).decode()
            check(name, dtype, kind, out, np.einsum(expression, *arrays, optimize=True))
            best = time_in_turns({"genmath": ours, **peers}, options.seconds)
            products = math.prod(sizes.values())
            work = 2 * products if "," in inputs and any(c not in labels for c in sizes) else products
            for peer, seconds in best.items():
                if peer != "genmath" and name.startswith("tccg"):
                    logs.setdefault((peer, dtype), []).append(math.log(seconds / best["genmath"]))
            report(name, dtype, genmath, kernel, best, work, products)
    run_groups(genmath, random)
    for (peer, dtype), values in logs.items() if options.table else ():
        print(f"tccg {dtype} over {peer}: geometric mean {math.exp(sum(values) / len(values)):.2f}, "
              f"least {math.exp(min(values)):.2f}")


main()

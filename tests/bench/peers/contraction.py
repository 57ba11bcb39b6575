"""Contractions: genmath through its C API against PyTorch's einsum and bmm and NumPy's einsum and BLAS, in
one process, turn by turn, so that what else the machine does meets all of them alike.

Seconds are the least of several runs; the operands are the same arrays, and all
deliver a row-major output: einsum alone may return a view of another layout.
"""
import ctypes
import json
import math
import sys

import numpy as np

from genmath import Genmath, Tensor, aligned, arguments, pytorch, time_in_turns, view

options = arguments(__doc__)
torch = pytorch(options.threads)

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
TYPES = {"f64": np.float64, "f32": np.float32}


def plan(genmath, expression, operands, out):
    lib, count = genmath.lib, len(operands)
    views, result = (Tensor * count)(*map(view, operands)), view(out)
    made = ctypes.c_void_p()
    genmath.check(lib.gm_contract_plan_create(genmath.context, expression.encode(), count, views,
                                              ctypes.byref(result), None, ctypes.byref(made)))
    lib.gm_contract_workspace.restype = ctypes.c_size_t
    size = lib.gm_contract_workspace(made)
    genmath.memory, space = aligned(size)

    def run():
        genmath.check(lib.gm_contract_execute(made, None, views, None, ctypes.byref(result), space,
                                              ctypes.c_size_t(size)))
    return run


class Group(ctypes.Structure):
    _fields_ = [("operands", ctypes.c_int32), ("problems", ctypes.c_int64), ("layouts", ctypes.c_int64),
                ("layout_of", ctypes.c_void_p), ("inputs", ctypes.c_void_p), ("outputs", ctypes.c_void_p),
                ("addends", ctypes.c_void_p), ("biases", ctypes.c_void_p)]


class GroupArrays(ctypes.Structure):
    _fields_ = [("inputs", ctypes.c_void_p), ("outputs", ctypes.c_void_p), ("addends", ctypes.c_void_p),
                ("biases", ctypes.c_void_p), ("scales", ctypes.c_void_p), ("scale_count", ctypes.c_int64),
                ("first", ctypes.c_void_p)]


def plan_group(genmath, lefts, rights, outs):
    """A group of products, planned and bound: what is timed is its execution."""
    lib, count = genmath.lib, len(outs)
    pairs = [x for pair in zip(lefts, rights) for x in pair]
    genmath.kept = (Tensor * (2 * count))(*map(view, pairs)), (Tensor * count)(*map(view, outs)), \
        (ctypes.c_void_p * (2 * count))(*[x.ctypes.data for x in pairs]), \
        (ctypes.c_void_p * count)(*[x.ctypes.data for x in outs])
    inputs, outputs, input_data, output_data = [ctypes.cast(x, ctypes.c_void_p) for x in genmath.kept]
    made = ctypes.c_void_p()
    genmath.check(lib.gm_contract_group_plan_create(
        genmath.context, b"ij,jk->ik", ctypes.byref(Group(2, count, count, None, inputs, outputs)), None,
        ctypes.byref(made)))
    lib.gm_contract_group_workspace.restype = ctypes.c_size_t
    size = lib.gm_contract_group_workspace(made)
    genmath.memory, space = aligned(size)
    genmath.check(lib.gm_contract_group_bind(made, ctypes.byref(GroupArrays(input_data, output_data)), space,
                                             ctypes.c_size_t(size)))
    return lambda: genmath.check(lib.gm_contract_group_execute(made))


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
        for dtype, kind in TYPES.items():
            if options.only not in f"{name} {dtype}":
                continue
            lefts = [random.standard_normal((m, k)).astype(kind) for m, k, n in sizes]
            rights = [random.standard_normal((k, n)).astype(kind) for m, k, n in sizes]
            outs = [np.full((m, n), np.nan, kind) for m, k, n in sizes]
            ours = plan_group(genmath, lefts, rights, outs)
            ours()
            kernel = genmath.kernel()
            for a, b, c in zip(lefts, rights, outs):
                check(name, dtype, kind, c, a @ b)
            best = time_in_turns({"genmath": ours, **group_peers(lefts, rights, outs, sizes)}, options.seconds)
            products = sum(m * k * n for m, k, n in sizes)
            report(name, dtype, genmath, kernel, best, 2 * products, products)


def main():
    genmath, logs = Genmath(options.library, options.threads), {}
    random = np.random.default_rng(1)
    for name, expression, sizes in CASES:
        for dtype, kind in TYPES.items():
            if options.only not in f"{name} {dtype}":
                continue
            inputs, labels = expression.split("->")
            arrays = [random.standard_normal([sizes[c] for c in s]).astype(kind) for s in inputs.split(",")]
            out = np.full([sizes[c] for c in labels], np.nan, kind)
            ours = plan(genmath, expression, arrays, out)
            peers = peers_of(name, expression, arrays, np.empty_like(out))
            ours()
            kernel = genmath.kernel()
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

"""Boltzmann machines: a step of persistent contrastive divergence by genmath through its C API and by
PyTorch, in one process, turn by turn, so that what else the machine does meets both alike.

Binary units, floats, k = 1, momentum 0.5, weight decay 1e-4. PyTorch's step is written with what is
fastest there: addmm with the bias, sigmoid and draw in place, the gradient added by addmm into the
velocity. Seconds are the least of several runs.
"""
import ctypes
import json
import sys

import numpy as np

from genmath import Genmath, Tensor, aligned, arguments, pytorch, time_in_turns, view

options = arguments(__doc__)
torch = pytorch(options.threads)
F32, RATE, MOMENTUM, DECAY = 1, 0.05, 0.5, 1e-4
MACHINES = [(512, 784, 500), (4096, 64, 16)]  # rows, visible, hidden


class Options(ctypes.Structure):
    _fields_ = [("dtype", ctypes.c_int), ("kind", ctypes.c_int), ("rows", ctypes.c_int64),
                ("visible", ctypes.c_int64), ("hidden", ctypes.c_int64), ("colours", ctypes.c_int64),
                ("partition", ctypes.c_int32)]


class Model(ctypes.Structure):
    _fields_ = [(name, ctypes.POINTER(Tensor)) for name in ("w", "b", "c", "sigma")]


class Velocity(ctypes.Structure):
    _fields_ = [(name, ctypes.POINTER(Tensor)) for name in ("w", "b", "c")]


class Step(ctypes.Structure):
    _fields_ = [("seed", ctypes.c_uint64), ("first_chain", ctypes.c_uint64), ("first_sweep", ctypes.c_uint64),
                ("k", ctypes.c_int64), ("rate", ctypes.c_double), ("momentum", ctypes.c_double),
                ("decay", ctypes.c_double), ("persistent", ctypes.c_int32), ("sampled", ctypes.c_int32)]


class Machine:
    """Weights, velocities, data and chains, from one seed."""
    def __init__(self, rows, visible, hidden):
        random = np.random.default_rng(2)
        self.w = (0.02 * random.standard_normal((visible, hidden))).astype(np.float32)
        self.b, self.c = np.zeros(visible, np.float32), np.zeros(hidden, np.float32)
        self.velocity = [np.zeros_like(x) for x in (self.w, self.b, self.c)]
        self.data = (random.random((rows, visible)) < 0.3).astype(np.float32)
        self.chains = (random.random((rows, visible)) < 0.5).astype(np.float32)


def ours(genmath, machine):
    """A function that makes a step, from the machine's own arrays."""
    (rows, visible), hidden = machine.data.shape, machine.w.shape[1]
    lib, plan = genmath.lib, ctypes.c_void_p()
    lib.gm_rbm_workspace.restype = ctypes.c_size_t
    genmath.check(lib.gm_rbm_plan_create(
        genmath.context, ctypes.byref(Options(F32, 0, rows, visible, hidden)), ctypes.byref(plan)))
    size = lib.gm_rbm_workspace(plan)
    memory, scratch = aligned(size)
    model = Model(*(ctypes.pointer(view(x)) for x in (machine.w, machine.b, machine.c)))
    velocity = Velocity(*(ctypes.pointer(view(x)) for x in machine.velocity))
    step = Step(seed=3, k=1, rate=RATE, momentum=MOMENTUM, decay=DECAY, persistent=1)
    data, chains = view(machine.data), view(machine.chains)

    def run():
        genmath.check(lib.gm_rbm_train(plan, ctypes.byref(step), ctypes.byref(model), ctypes.byref(velocity),
                                       ctypes.byref(data), ctypes.byref(chains), scratch,
                                       ctypes.c_size_t(size)))
        step.first_sweep += 1

    run.memory = memory
    return run


def theirs(machine):
    w, b, c, v_w, v_b, v_c, data, chains = (torch.from_numpy(x) for x in (
        machine.w, machine.b, machine.c, *machine.velocity, machine.data, machine.chains))
    rows = data.shape[0]

    def run():
        hidden = torch.bernoulli(torch.addmm(c, chains, w).sigmoid_())
        torch.bernoulli(torch.addmm(b, hidden, w.T).sigmoid_(), out=chains)
        of_data, of_chains = torch.addmm(c, data, w).sigmoid_(), torch.addmm(c, chains, w).sigmoid_()
        v_w.addmm_(data.T, of_data, beta=MOMENTUM, alpha=RATE / rows)
        v_w.addmm_(chains.T, of_chains, alpha=-RATE / rows)
        v_b.mul_(MOMENTUM).add_(data.mean(0) - chains.mean(0), alpha=RATE)
        v_c.mul_(MOMENTUM).add_(of_data.mean(0) - of_chains.mean(0), alpha=RATE)
        w.mul_(1 - RATE * DECAY).add_(v_w)
        b.add_(v_b)
        c.add_(v_c)

    return run


def check(ours, theirs, rows):
    """A step of both from the same state: their weights differ by what the draws do, of 0 and 1."""
    wrong = np.abs(ours.w - theirs.w).max() / RATE * np.sqrt(rows)
    if not 0 < wrong < 6:  # standard deviations of at most 1/2 each
        sys.exit(f"rbm.py: a weight's gradient differs by {wrong:.2g} / sqrt(rows)")


def main():
    genmath = Genmath(options.library, options.threads)
    for rows, visible, hidden in MACHINES:
        case = f"rbm PCD-1 {visible}-{hidden}"
        if options.only not in case:
            continue
        machine, runs = Machine(rows, visible, hidden), {}
        runs["genmath"] = ours(genmath, machine)
        if torch is not None:
            peer = Machine(rows, visible, hidden)
            runs["PyTorch"] = theirs(peer)
            for run in runs.values():
                run()
            check(machine, peer, rows)
        best, operations = time_in_turns(runs, options.seconds), 12 * rows * visible * hidden
        for name, seconds in best.items():
            row = {"peer": name, "kind": "rate", "case": case, "dtype": "f32", "n": rows, "seconds": seconds,
                   "rate": operations / seconds, "unit": "FLOP/s"}
            if name == "genmath":
                row.update(isa=genmath.isa, threads=options.threads, kernel=genmath.kernel())
            if not options.table:
                print(json.dumps(row), flush=True)
        if options.table:
            ratios = ", ".join(f"{p} {s / best['genmath']:.2f}" for p, s in best.items() if p != "genmath")
            print(f"{case:24} {operations / best['genmath']:10.3g} FLOP/s  x {ratios}", flush=True)


main()

"""Hamiltonian Monte Carlo on a logistic regression: 1,000 rows, 25 weights, many chains, floats, on one
core. genmath beside NumPyro and BlackJAX, in turns in one process: for each a warm-up that adapts
step sizes to an acceptance of 0.8 and a diagonal mass, then draws of as many leapfrog steps each. What is
compared is the least bulk effective sample size of a weight, by the same estimator for all, over the
processor's seconds for the draws, and for warm-up and draws; compilation is not counted. That all sample one
posterior is checked: a mean that is off by over 6 of its standard errors is printed and exits with 1."""
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np

import genmath

ROWS, DIM = 1000, 25
ROOT = pathlib.Path(__file__).resolve().parents[3]
HMC, RHAT, BULK, MCSE_MEAN = 3, 0, 3, 8  # of gm_mcmc_method and gm_diagnostic


def options():
    import argparse
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", help="libgenmath.so")
    parser.add_argument("--chains", type=int, default=1024)
    parser.add_argument("--warm-up", type=int, default=150)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--leapfrogs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2, help="the fastest of each counts")
    parser.add_argument("--only-ours", action="store_true")
    return parser.parse_args()


def make_data():
    """Like the German credit data: standardised columns, some correlated, and a constant one."""
    random = np.random.default_rng(20)
    x = random.standard_normal((ROWS, DIM))
    for c in range(2, DIM, 3):
        x[:, c] = 0.6 * x[:, c - 1] + 0.8 * x[:, c]
    x[:, 0] = 1
    weights = random.standard_normal(DIM) * 0.5
    labels = random.random(ROWS) < 1 / (1 + np.exp(-x @ weights))
    return x.astype(np.float32), labels.astype(np.float32)


class McmcOptions(ctypes.Structure):
    _fields_ = [("dtype", ctypes.c_int), ("method", ctypes.c_int), ("steps", ctypes.c_int64),
                ("thin", ctypes.c_int64), ("leapfrogs", ctypes.c_int32), ("jitter", ctypes.c_int32),
                ("target", ctypes.c_double), ("seed", ctypes.c_uint64),
                ("first_index", ctypes.c_uint64), ("check", ctypes.c_void_p)]


def pointers(*names):
    return type("Pointers", (ctypes.Structure,),
                {"_fields_": [(name, ctypes.POINTER(genmath.Tensor)) for name in names]})


Input = pointers("state", "params", "step", "scale", "beta", "factor", "data")
Result = pointers("state", "draws", "mean", "variance", "step", "accepted", "outside", "status",
                  "scale", "log_density")


class DiagnoseOptions(ctypes.Structure):
    _fields_ = [("diagnostic", ctypes.c_int), ("probability", ctypes.c_double),
                ("superchains", ctypes.c_int64)]


class Workspace(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


def diagnose(gm, what, draws):
    """Of (dim, draws, chains), a number for each row."""
    out = np.empty(draws.shape[0])
    how, room = DiagnoseOptions(what, 0, 0), Workspace()
    call = (gm.context, ctypes.byref(how), ctypes.byref(genmath.view(draws)),
            ctypes.byref(genmath.view(out)), ctypes.byref(room))
    gm.check(gm.lib.gm_diagnose(*call))
    memory, room.data = genmath.aligned(room.bytes + 1)
    gm.check(gm.lib.gm_diagnose(*call))
    return out


class Ours:
    name = "genmath"

    def __init__(self, gm, o, x, labels):
        self.gm, self.o, self.version = gm, o, gm.isa
        self.folder = tempfile.TemporaryDirectory()
        helper = os.path.join(self.folder.name, "liblogistic.so")
        subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-O2", "-shared", "-fPIC",
                        f"-I{ROOT}/include", str(pathlib.Path(__file__).parent / "logistic.c"),
                        "-o", helper], check=True)
        self.helper = ctypes.CDLL(helper)
        self.helper.logistic_density.restype = ctypes.c_void_p
        self.density = ctypes.c_void_p(self.helper.logistic_density())
        self.rows = np.column_stack([x, labels])

    def steps(self, state, step, scale, first, steps, adapts):
        """Goes on from state and step, which it overwrites; the draws and the mean acceptance."""
        n = state.shape[1]
        point = np.concatenate([np.zeros(DIM), self.rows[0]])  # float64
        how = McmcOptions(1, HMC, steps, 0 if adapts else 1, self.o.leapfrogs, 0, 0.8 if adapts else 0,
                          1, 0, point.ctypes.data)
        plan, gm = ctypes.c_void_p(), self.gm
        gm.check(gm.lib.gm_mcmc_plan_create(gm.context, self.density, ctypes.byref(how),
                                            ctypes.byref(plan)))
        draws = np.empty((1 if adapts else steps, DIM, n), np.float32)
        accepted, found = np.empty(n, np.int32), np.empty(n, np.float32)
        shared = genmath.view(scale)
        shared.ndim, shared.shape[1], shared.stride[1] = 2, n, 0
        tensors = [genmath.view(a) for a in (state, step, found, draws, accepted)]
        y, h, to, kept, yes = [ctypes.pointer(t) for t in tensors]
        given = Input(state=y, step=h, scale=ctypes.pointer(shared),
                      data=ctypes.pointer(genmath.view(self.rows)))
        wanted = Result(state=y, accepted=yes)
        if adapts:
            wanted.step = to
        else:
            wanted.draws = kept
        gm.check(gm.lib.gm_mcmc_run(plan, ctypes.c_int64(first), ctypes.byref(given),
                                    ctypes.byref(wanted)))
        gm.lib.gm_mcmc_plan_destroy(plan)
        if adapts:
            step[:] = np.median(found)  # of so many chains, more certain than each one's own
        return draws, accepted.mean() / steps

    def warm_up(self, start):
        """A third of it with unit mass, then a mass from where the chains are."""
        state, step = start.T.copy(), np.full(start.shape[0], 0.05, np.float32)
        scale, head = np.ones(DIM, np.float32), self.o.warm_up // 3
        self.steps(state, step, scale, 0, head, True)
        points = genmath.view(state)
        points.ndim, points.shape[:3] = 3, [1, *state.shape]
        points.stride[:3] = [0, state.shape[1], 1]
        self.gm.check(self.gm.lib.gm_mcmc_mass(self.gm.context, ctypes.byref(points),
                                               ctypes.byref(genmath.view(scale)), None))
        self.steps(state, step, scale, head, self.o.warm_up - head, True)
        return state, step, scale

    def draw(self, warm):
        state, step, scale = (a.copy() for a in warm)
        draws, acceptance = self.steps(state, step, scale, self.o.warm_up, self.o.draws, False)
        return draws.transpose(1, 0, 2), acceptance


def log_density(x, labels):
    import jax.numpy as jnp
    from jax.nn import softplus

    def of(w):
        eta = x @ w
        return jnp.sum(labels * eta - softplus(eta)) - 0.5 * jnp.sum(w * w)
    return of


class BlackJax:
    name = "BlackJAX"

    def __init__(self, o, x, labels):
        import blackjax
        import jax
        self.version, self.jax = f"{blackjax.__version__}, jax {jax.__version__}", jax
        target = log_density(jax.numpy.asarray(x), jax.numpy.asarray(labels))
        window = blackjax.window_adaptation(blackjax.hmc, target, target_acceptance_rate=0.8,
                                            initial_step_size=0.05, num_integration_steps=o.leapfrogs)
        kernel = blackjax.hmc.build_kernel()

        def warm(key, start):
            found, _ = window.run(key, start, o.warm_up)
            p = found.parameters
            return found.state, p["step_size"], p["inverse_mass_matrix"]

        def draw(key, warm):
            state, step, mass = warm

            def once(state, key):
                state, info = kernel(key, state, target, step, mass, o.leapfrogs)
                return state, (state.position, info.is_accepted)
            _, (draws, accepted) = jax.lax.scan(once, state, jax.random.split(key, o.draws))
            return draws, accepted.mean()

        self.keys = jax.random.split(jax.random.key(1), o.chains)
        self.compiled_warm, self.compiled_draw = jax.jit(jax.vmap(warm)), jax.jit(jax.vmap(draw))

    def warm_up(self, start):
        return self.jax.block_until_ready(self.compiled_warm(self.keys, start))

    def draw(self, warm):
        draws, accepted = self.jax.block_until_ready(self.compiled_draw(self.keys, warm))
        return np.asarray(draws).transpose(2, 1, 0), float(accepted.mean())


class NumPyro:
    name = "NumPyro"

    def __init__(self, o, x, labels):
        import jax
        import numpyro
        from numpyro.infer import HMC as Kernel, MCMC
        self.version, self.jax = f"{numpyro.__version__}, jax {jax.__version__}", jax
        target = log_density(jax.numpy.asarray(x), jax.numpy.asarray(labels))
        kernel = Kernel(potential_fn=lambda w: -target(w), step_size=0.05, num_steps=o.leapfrogs,
                        trajectory_length=None, target_accept_prob=0.8)
        self.mcmc = MCMC(kernel, num_warmup=o.warm_up, num_samples=o.draws, num_chains=o.chains,
                         chain_method="vectorized", progress_bar=False)
        self.key = jax.random.key(1)

    def warm_up(self, start):
        self.mcmc.post_warmup_state = None
        self.mcmc.warmup(self.key, init_params=start)
        return self.jax.block_until_ready(self.mcmc.post_warmup_state)

    def draw(self, warm):
        self.mcmc.post_warmup_state = warm
        self.mcmc.run(warm.rng_key, extra_fields=("accept_prob",))
        draws = self.jax.block_until_ready(self.mcmc.get_samples(group_by_chain=True))
        accepted = self.mcmc.get_extra_fields()["accept_prob"].mean()
        return np.asarray(draws).transpose(2, 1, 0), float(accepted)


def timed(run, *arguments):
    begin = time.process_time()  # of the one core: what else the machine does is left out
    value = run(*arguments)
    return time.process_time() - begin, value


def main():
    o = options()
    os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    gm = genmath.Genmath(o.library, 1)
    x, labels = make_data()
    start = np.random.default_rng(3).uniform(-1, 1, (o.chains, DIM)).astype(np.float32)
    peers = [Ours(gm, o, x, labels)]
    for peer in () if o.only_ours else (NumPyro, BlackJax):
        try:
            peers.append(peer(o, x, labels))
        except ImportError as missing:
            print(f"skip: {peer.name}: {missing}", file=sys.stderr)
    best = {}
    for turn in range(o.rounds + 1):  # the first compiles
        for peer in peers:
            warming, warm = timed(peer.warm_up, start)
            drawing, (draws, acceptance) = timed(peer.draw, warm)
            if turn > 0 and warming + drawing < best.get(peer.name, {"total": np.inf})["total"]:
                best[peer.name] = {"peer": peer.name, "version": peer.version, "draw": drawing,
                                   "total": warming + drawing, "acceptance": float(acceptance),
                                   "kept": np.ascontiguousarray(draws, np.float64)}
    for row in best.values():
        kept = row.pop("kept")
        row["ess"] = float(diagnose(gm, BULK, kept).min())
        row["rhat"] = float(diagnose(gm, RHAT, kept).max())
        row["mean"], row["mcse"] = kept.mean((1, 2)), diagnose(gm, MCSE_MEAN, kept)
    ours, wrong = best["genmath"], 0
    for row in best.values():
        z = np.abs(row["mean"] - ours["mean"]) / np.hypot(row["mcse"], ours["mcse"])
        wrong += bool(z.max() > 6)
        per_draw, per_run = row["ess"] / row["draw"], row["ess"] / row["total"]
        print(json.dumps({
            "peer": row["peer"], "version": row["version"], "kind": "chains",
            "case": f"hmc logistic {DIM} x {ROWS}", "dtype": "f32", "chains": o.chains,
            "warm_up": o.warm_up, "draws": o.draws, "leapfrogs": o.leapfrogs,
            "acceptance": round(row["acceptance"], 4), "least_bulk_ess": round(row["ess"]),
            "largest_rhat": round(row["rhat"], 4), "seconds_of_draws": round(row["draw"], 3),
            "seconds": round(row["total"], 3), "ess_per_second_of_draws": round(per_draw),
            "ess_per_second": round(per_run),
            "ratio_of_draws": round(ours["ess"] / ours["draw"] / per_draw, 2),
            "ratio": round(ours["ess"] / ours["total"] / per_run, 2),
            "largest_z_of_a_mean": round(float(z.max()), 1)}), flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

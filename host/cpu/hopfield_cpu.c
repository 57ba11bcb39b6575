/* gm_hopfield_run on threads, a probe at a time: the fields are kept up to date, so that a sweep
 * costs a row of couplings for each flip. */
#include "host/cpu/cpu.h"
#include "host/hopfield_args.h"
#include "host/internal.h"
#include "host/ref/ref.h"

static void load_probe(void *argument, int64_t probe, int32_t thread) {
    (void)thread;
    gm_ref_hopfield_load(argument, probe);
}

gm_status gm_cpu_hopfield_begin(gm_call *call, const gm_hopfield_args *a) {
    gm_hopfield_args args = *a;
    gm_parallel_for(call->pool, a->probes, load_probe, &args);
    return GM_STATUS_OK;
}

/* What a neuron's step of -2 or 2 does to all fields. */
static void add_row(const gm_hopfield_args *a, int32_t *field, int32_t neuron, int32_t step) {
    const int32_t *row = a->coupling + (int64_t)neuron * a->neurons;
    GM_LANE_LOOP
    for (int32_t j = 0; j < a->neurons; ++j) {
        field[j] += step * row[j];
    }
}

static bool sweep_asynchronous(const gm_hopfield_args *a, int32_t *x, int32_t *field) {
    bool changed = false;
    for (int32_t i = 0; i < a->neurons; ++i) {
        const int32_t fresh = gm_hopfield_sign(a, field[i], x[i]);
        if (fresh != x[i]) {
            add_row(a, field, i, fresh - x[i]);
            x[i] = fresh;
            changed = true;
        }
    }
    return changed;
}

/* x becomes 3 where it turns to 1 and -3 where to -1, until all have been looked at. */
static bool sweep_synchronous(const gm_hopfield_args *a, int32_t *x, int32_t *field) {
    bool changed = false;
    for (int32_t i = 0; i < a->neurons; ++i) {
        const int32_t fresh = gm_hopfield_sign(a, field[i], x[i]);
        x[i] = fresh != x[i] ? 3 * fresh : fresh;
    }
    for (int32_t i = 0; i < a->neurons; ++i) {
        if (x[i] == 3 || x[i] == -3) {
            x[i] /= 3;
            add_row(a, field, i, 2 * x[i]);
            changed = true;
        }
    }
    return changed;
}

static void run_probe(void *argument, int64_t probe, int32_t thread) {
    (void)thread;
    const gm_hopfield_args *a = argument;
    int32_t *x = a->state + probe * a->neurons, *field = a->field + probe * a->neurons;
    gm_status status = x[0] == 0 ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_NOT_CONVERGED;
    int64_t swept = 0, sum = 0;
    for (int64_t s = 0; s < a->sweeps && status == GM_STATUS_NOT_CONVERGED; ++s) {
        if (a->synchronous ? sweep_synchronous(a, x, field) : sweep_asynchronous(a, x, field)) {
            ++swept;
        } else {
            status = GM_STATUS_OK;
        }
    }
    for (int32_t i = 0; i < a->neurons; ++i) {
        sum += (int64_t)x[i] * (field[i] + a->bias[i]);
    }
    gm_ref_hopfield_end(a, probe, status, swept, sum);
}

gm_status gm_cpu_hopfield_run(gm_call *call, const gm_hopfield_args *a) {
    call->kernel = "hopfield_rows";
    gm_hopfield_args args = *a;
    gm_parallel_for(call->pool, a->probes, run_probe, &args);
    return GM_STATUS_OK;
}

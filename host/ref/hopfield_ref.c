/* The oracle of gm_hopfield_run: every field from its formula. */
#include <stdbool.h>

#include "host/hopfield_args.h"
#include "host/ref/ref.h"

void gm_ref_hopfield_load(const gm_hopfield_args *a, int64_t probe) {
    int32_t *x = a->state + probe * a->neurons;
    bool good = true;
    for (int32_t i = 0; i < a->neurons; ++i) {
        x[i] = *gm_hopfield_user(a, probe, i);
        good = good && (x[i] == 1 || x[i] == -1);
    }
    for (int32_t i = 0; i < a->neurons && !good; ++i) {
        x[i] = 0;
    }
}

void gm_ref_hopfield_end(const gm_hopfield_args *a, int64_t probe, gm_status status, int64_t swept,
                         int64_t sum) {
    const int32_t *x = a->state + probe * a->neurons;
    for (int32_t i = 0; i < a->neurons && status != GM_STATUS_INVALID_ARGUMENT; ++i) {
        *gm_hopfield_user(a, probe, i) = (int8_t)x[i];
    }
    gm_hopfield_store(a, probe, status, swept, sum);
}

static int32_t field_of(const gm_hopfield_args *a, const int32_t *x, int32_t i) {
    int32_t field = a->bias[i];
    for (int32_t j = 0; j < a->neurons; ++j) {
        field += a->coupling[(int64_t)i * a->neurons + j] * x[j];
    }
    return field;
}

/* Whether the sweep changed something. fresh: (neurons) scratch. */
static bool sweep_once(const gm_hopfield_args *a, int32_t *x, int32_t *fresh) {
    bool changed = false;
    for (int32_t i = 0; i < a->neurons; ++i) {
        fresh[i] = gm_hopfield_sign(a, field_of(a, x, i), x[i]);
        changed = changed || fresh[i] != x[i];
        if (!a->synchronous) {
            x[i] = fresh[i];
        }
    }
    for (int32_t i = 0; i < a->neurons; ++i) {
        x[i] = fresh[i];
    }
    return changed;
}

static void run_probe(const gm_hopfield_args *a, int64_t probe) {
    int32_t *x = a->state + probe * a->neurons;
    gm_status status = x[0] == 0 ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_NOT_CONVERGED;
    int64_t swept = 0, sum = 0;
    for (int64_t s = 0; s < a->sweeps && status == GM_STATUS_NOT_CONVERGED; ++s) {
        if (sweep_once(a, x, a->field + probe * a->neurons)) {
            ++swept;
        } else {
            status = GM_STATUS_OK;
        }
    }
    for (int32_t i = 0; i < a->neurons; ++i) {
        sum += (int64_t)x[i] * (field_of(a, x, i) + a->bias[i]);
    }
    gm_ref_hopfield_end(a, probe, status, swept, sum);
}

gm_status gm_ref_hopfield_begin(gm_call *call, const gm_hopfield_args *a) {
    (void)call;
    for (int64_t p = 0; p < a->probes; ++p) {
        gm_ref_hopfield_load(a, p);
    }
    return GM_STATUS_OK;
}

gm_status gm_ref_hopfield_run(gm_call *call, const gm_hopfield_args *a) {
    call->kernel = "hopfield_ref";
    for (int64_t p = 0; p < a->probes; ++p) {
        run_probe(a, p);
    }
    return GM_STATUS_OK;
}

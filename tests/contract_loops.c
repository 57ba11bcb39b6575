/*
 * The targets of contract.h, and the backend "loops": each step as nested loops over its modes. It
 * is strict where a fast kernel would be silently wrong or slow: modes that are not sorted, not
 * fused, of extent 1, a contiguous mode of d that is not the last n, scratch memory that overlaps
 * something alive.
 */
#include "host/contract_epilogue.h"
#include "tests/contract.h"

#include "host/contract_args.h"
#include "host/ref/half.h"
#include "host/internal.h"

target targets[12];
int target_count;

enum { SCRATCH = 40 };

static int64_t key_of(const gm_mode *mode, bool summed) {
    return llabs(!summed ? mode->d : mode->a != 0 ? mode->a : mode->b);
}

static bool continues(const gm_mode *p, const gm_mode *q) {
    return p->a == q->a * q->extent && p->b == q->b * q->extent && p->c == q->c * q->extent &&
           p->d == q->d * q->extent && p->bias == q->bias * q->extent &&
           p->index == q->index * q->extent;
}

/* NULL, or the promise that a list of modes breaks. */
static const char *flaw_of_modes(const gm_mode *modes, int32_t count, int64_t product,
                                 bool summed) {
    int64_t found = 1;
    for (int32_t i = 0; i < count; ++i) {
        found *= modes[i].extent;
        if (modes[i].extent < 2) {
            return "an extent below 2";
        }
        if (i > 0 && key_of(&modes[i - 1], summed) < key_of(&modes[i], summed)) {
            return "modes not sorted";
        }
        if (i > 0 && continues(&modes[i - 1], &modes[i])) {
            return "modes not fused";
        }
    }
    return found != product ? "a wrong product of extents" : NULL;
}

static const char *flaw_of(const gm_contraction *c) {
    const gm_mode *m = c->modes + c->batches, *n = m + c->ms, *k = n + c->ns;
    const char *flaws[] = {flaw_of_modes(c->modes, c->batches, c->batch, false),
                           flaw_of_modes(m, c->ms, c->m, false),
                           flaw_of_modes(n, c->ns, c->n, false),
                           c->ks == 0 && c->k == 0 ? NULL : flaw_of_modes(k, c->ks, c->k, true)};
    for (int i = 0; i < COUNT(flaws); ++i) {
        if (flaws[i] != NULL) {
            return flaws[i];
        }
    }
    for (int32_t i = 0; i < c->ms; ++i) {
        if (m[i].b != 0 ||
            (c->operands == 2 && c->ns > 0 && llabs(m[i].d) < llabs(n[c->ns - 1].d))) {
            return "an m mode that reads b, or is faster in d than every n mode";
        }
    }
    for (int32_t i = 0; i < c->ns; ++i) {
        if (n[i].a != 0) {
            return "an n mode that reads a";
        }
    }
    for (int32_t i = 0; i < c->ks; ++i) {
        if (k[i].d != 0 || k[i].c != 0 || k[i].bias != 0 || k[i].index != 0) {
            return "a k mode of the output";
        }
    }
    if (c->operands == 1 ? c->ns + c->batches > 0 : c->ms > 0 && c->ns == 0) {
        return "m, n and batch modes that the operands do not have";
    }
    return NULL;
}

static gm_status loops_choose(gm_call *call, const gm_contraction *c, const char *kernel,
                              gm_contract_choice *choice) {
    const char *flaw = flaw_of(c);
    if (kernel != NULL && strcmp(kernel, "loops") != 0) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED, "no kernel %s", kernel);
    }
    if (flaw != NULL) {
        return gm_call_fail(call, GM_STATUS_INTERNAL, "%s", flaw);
    }
    *choice = (gm_contract_choice){.row = 0, .kernel = "loops", .workspace = SCRATCH};
    return GM_STATUS_OK;
}

static double complex load(const void *data, gm_dtype dtype, int64_t at) {
    switch (dtype) {
    case GM_F64:
        return ((const double *)data)[at];
    case GM_F32:
        return (double)((const float *)data)[at];
    case GM_F16:
        return gm_half_value(((const uint16_t *)data)[at]);
    case GM_BF16:
        return gm_bfloat_value(((const uint16_t *)data)[at]);
    case GM_C64:
        return make_complex((double)((const float *)data)[2 * at],
                            (double)((const float *)data)[2 * at + 1]);
    case GM_C128:
        return make_complex(((const double *)data)[2 * at], ((const double *)data)[2 * at + 1]);
    case GM_I8:
        return ((const int8_t *)data)[at];
    default:
        return ((const int32_t *)data)[at];
    }
}

/* Integers as doubles are exact below 2^53, and wrap here. */
static void store(void *data, gm_dtype dtype, int64_t at, double complex x) {
    switch (dtype) {
    case GM_F64:
        ((double *)data)[at] = creal(x);
        break;
    case GM_F32:
        ((float *)data)[at] = (float)creal(x);
        break;
    case GM_F16:
        ((uint16_t *)data)[at] = gm_half_from(creal(x));
        break;
    case GM_BF16:
        ((uint16_t *)data)[at] = gm_bfloat_from(creal(x));
        break;
    case GM_C64:
        ((float *)data)[2 * at] = (float)creal(x);
        ((float *)data)[2 * at + 1] = (float)cimag(x);
        break;
    case GM_C128:
        ((double *)data)[2 * at] = creal(x);
        ((double *)data)[2 * at + 1] = cimag(x);
        break;
    default:
        ((uint32_t *)data)[at] = (uint32_t)(int64_t)creal(x);
        break;
    }
}

/* Where a number of the loop over `modes` is in each tensor. */
static gm_mode place_of(const gm_mode *modes, int32_t count, int64_t number) {
    gm_mode at = {0};
    for (int32_t i = count - 1; i >= 0; --i) {
        const int64_t index = number % modes[i].extent;
        number /= modes[i].extent;
        at.a += index * modes[i].a;
        at.b += index * modes[i].b;
        at.c += index * modes[i].c;
        at.d += index * modes[i].d;
        at.bias += index * modes[i].bias;
        at.index += index * modes[i].index;
    }
    return at;
}

static double complex times(double complex x, double complex y) {
    return make_complex(creal(x) * creal(y) - cimag(x) * cimag(y),
                        creal(x) * cimag(y) + cimag(x) * creal(y));
}

static double finish(const gm_contraction *c, uint64_t index, double x) {
    x = gm_contract_activate_f64((int)c->activation, x);
    return !c->sample ? x
           : c->output == GM_F64
               ? gm_contract_sample_f64(c->seed, c->first + index, x)
               : (double)gm_contract_sample_f32(c->seed, c->first + index, (float)x);
}

static gm_status loops_run(gm_call *call, const gm_contraction *c, int32_t row,
                           const gm_contract_arrays *arrays) {
    (void)row;
    const int32_t free_modes = c->batches + c->ms + c->ns;
    if ((uintptr_t)arrays->workspace % 64 != 0) {
        return gm_call_fail(call, GM_STATUS_INTERNAL, "the scratch memory is not aligned");
    }
    memset(arrays->workspace, 0xff, SCRATCH);
    for (int64_t e = 0; e < c->batch * c->m * c->n; ++e) {
        const gm_mode at = place_of(c->modes, free_modes, e);
        double complex sum = 0;
        uint32_t whole = 0;
        for (int64_t k = 0; k < c->k; ++k) {
            const gm_mode in = place_of(c->modes + free_modes, c->ks, k);
            double complex x = load(arrays->a, c->input, at.a + in.a);
            if (c->operands == 2) {
                const double complex y = load(arrays->b, c->input, at.b + in.b);
                whole += (uint32_t)(int32_t)creal(x) * (uint32_t)(int32_t)creal(y);
                x = times(x, y);
            } else {
                whole += (uint32_t)(int32_t)creal(x);
            }
            sum += x;
        }
        sum = c->output == GM_I32 ? (double)(int32_t)whole : sum;
        sum = times(make_complex(arrays->scale.alpha, arrays->scale.alpha_imaginary), sum);
        if (arrays->c != NULL) {
            sum += times(make_complex(arrays->scale.beta, arrays->scale.beta_imaginary),
                         load(arrays->c, c->output, at.c));
        }
        if (c->has_bias) {
            sum += load(arrays->bias, c->output, at.bias);
        }
        if (c->activation != GM_ACTIVATION_NONE || c->sample) {
            sum = finish(c, (uint64_t)at.index, creal(sum));
        }
        store(arrays->d, c->output, at.d, sum);
    }
    call->kernel = "loops";
    return GM_STATUS_OK;
}

static const char *loops_kernel(int32_t row) {
    return row == 0 ? "loops" : NULL;
}

static gm_backend loops;

static void add_target(const char *name, gm_context *context, bool is_loops) {
    const gm_backend_id id = gm_context_backend(context);
    targets[target_count++] = (target){.name = name,
                                       .context = context,
                                       .is_reference = id == GM_BACKEND_REF && !is_loops,
                                       .is_loops = is_loops,
                                       .is_slow = id == GM_BACKEND_EMU};
}

/* The ref backend with kernels for steps. */
static void add_loops(gm_context *context) {
    loops = *context->backend;
    loops.name = "loops";
    loops.contract_direct = NULL;
    loops.contract_choose = loops_choose;
    loops.contract_run = loops_run;
    loops.contract_kernel = loops_kernel;
    context->backend = &loops;
    add_target("loops", context, true);
}

int open_targets(void **state) {
    static const struct {
        const char *name;
        gm_context_options options;
    } wanted[] = {
        {"ref", {.backend = GM_BACKEND_REF}},
        {"cpu base", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_BASE, .threads = 2}},
        {"cpu avx2", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX2, .threads = 2}},
        {"cpu avx512", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX512, .threads = 2}},
        {"emu", {.backend = GM_BACKEND_EMU}},
        {"cuda", {.backend = GM_BACKEND_CUDA}},
        {"loops", {.backend = GM_BACKEND_REF}},
    };
    (void)state;
    target_count = 0;
    for (int i = 0; i < COUNT(wanted); ++i) {
        gm_context *context;
        if (gm_context_create(&wanted[i].options, &context) != GM_STATUS_OK) {
            printf("skip: %s: %s\n", wanted[i].name, gm_last_error(NULL));
        } else if (i == COUNT(wanted) - 1) {
            add_loops(context);
        } else if (gm_contract_kernel_name(context, 0) == NULL) {
            printf("skip: %s: no kernels for contractions\n", wanted[i].name);
            gm_context_destroy(context);
        } else {
            add_target(wanted[i].name, context, false);
        }
    }
    return target_count < 2;
}

int close_targets(void **state) {
    (void)state;
    for (int i = 0; i < target_count; ++i) {
        gm_context_destroy(targets[i].context);
    }
    return 0;
}

gm_context *open_threads(int32_t threads) {
    gm_context *context;
    const gm_context_options options = {.backend = GM_BACKEND_CPU, .threads = threads};
    assert_int_equal(gm_context_create(&options, &context), GM_STATUS_OK);
    if (gm_contract_kernel_name(context, 0) == NULL) {
        gm_context_destroy(context);
        return NULL;
    }
    return context;
}

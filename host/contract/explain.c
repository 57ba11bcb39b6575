/* A plan as text. */
#include <inttypes.h>
#include <stdlib.h>

#include "host/contract/plan.h"

/* The labels of a tensor, from the one with the largest stride to the innermost. */
static void print_labels(FILE *out, const gm_expression *e, gm_labels set, const int64_t *stride) {
    while (set != 0) {
        int32_t outermost = -1;
        for (gm_labels rest = set; rest != 0; rest &= rest - 1) {
            const int32_t label = __builtin_ctz(rest);
            if (outermost < 0 || llabs(stride[label]) > llabs(stride[outermost])) {
                outermost = label;
            }
        }
        fputc(e->letter[outermost], out);
        set &= ~(1u << outermost);
    }
}

static void print_term(FILE *out, const gm_contract_steps *steps, int32_t term) {
    if (term < steps->operands) {
        fprintf(out, "operand %d", (int)term);
    } else {
        fprintf(out, "step %d", (int)(term - steps->operands + 1));
    }
}

static void print_step(FILE *out, const gm_contract_plan *plan, int32_t s) {
    const gm_contract_step *step = &plan->steps.step[s];
    const gm_expression *e = &plan->expression;
    const gm_contraction *c = &step->contraction;
    fprintf(out, "step %d: ", (int)(s + 1));
    if (step->a < 0) {
        fputs("zeros", out);
    } else {
        print_labels(out, e, step->view.a, step->view.a_stride);
    }
    if (step->b >= 0) {
        fputc(',', out);
        print_labels(out, e, step->view.b, step->view.b_stride);
    }
    fputs("->", out);
    print_labels(out, e, step->view.d, step->view.d_stride);
    if (step->a >= 0) {
        fputs(" of ", out);
        print_term(out, &plan->steps, step->a);
    }
    if (step->b >= 0) {
        fputs(" and ", out);
        print_term(out, &plan->steps, step->b);
    }
    fprintf(out,
            ": batch %" PRId64 ", m %" PRId64 ", n %" PRId64 ", k %" PRId64
            ", %.6g operations, %.6g bytes, kernel %s\n",
            c->batch, c->m, c->n, c->k, step->operations, step->bytes, step->choice.kernel);
}

static void print_plan(FILE *out, const gm_contract_plan *plan) {
    if (plan->expression.empty_output) {
        fputs("no elements\n", out);
    } else if (plan->direct != NULL) {
        fprintf(out, "step 1: %s at once: %.6g operations, kernel %s\n", plan->text,
                plan->operations, plan->backend->contract_kernel(0));
    }
    for (int32_t s = 0; s < plan->steps.count; ++s) {
        print_step(out, plan, s);
    }
    fprintf(out, "workspace: %" PRId64 " bytes\n", plan->workspace);
}

char *gm_contract_describe(const gm_contract_plan *plan) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    print_plan(out, plan);
    const int failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

/* The plans that gm_contract keeps: the last 64 that were used, and one workspace for all. */
#include <stdlib.h>
#include <string.h>

#include "host/contract/plan.h"

enum { PLANS = 64 };

typedef struct entry {
    uint64_t hash, used; /* used: the number of the call that used it last */
    gm_contract_plan *plan;
} entry;

struct gm_contract_cache {
    gm_context *context;
    entry entries[PLANS]; /* those without a plan are free */
    uint64_t calls;
    const gm_backend *owner; /* of the workspace */
    void *workspace;
    size_t bytes;
};

/* A step of FNV-1a (Fowler, Noll, Vo), a word at a time, with its high half folded in. */
static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

uint64_t gm_contract_mix_layout(uint64_t hash, const gm_tensor *t) {
    hash = mix(hash, (uint64_t)t->dtype << 32 | (uint32_t)t->ndim);
    for (int32_t axis = 0; axis < t->ndim; ++axis) {
        hash = mix(mix(hash, (uint64_t)t->shape[axis]), (uint64_t)t->stride[axis]);
    }
    return hash;
}

static uint64_t hash_call(const char *expression, int32_t count, const gm_tensor *inputs,
                          const gm_tensor *output) {
    uint64_t hash = mix(0xcbf29ce484222325u, (uint64_t)count);
    for (const char *c = expression; *c != '\0'; ++c) {
        hash = mix(hash, (unsigned char)*c);
    }
    for (int32_t i = 0; i < count; ++i) {
        hash = gm_contract_mix_layout(hash, &inputs[i]);
    }
    return gm_contract_mix_layout(hash, output);
}

bool gm_contract_same_layout(const gm_tensor *a, const gm_tensor *b) {
    const size_t bytes = (size_t)a->ndim * sizeof a->shape[0];
    return a->dtype == b->dtype && a->ndim == b->ndim && memcmp(a->shape, b->shape, bytes) == 0 &&
           memcmp(a->stride, b->stride, bytes) == 0;
}

static bool is_plan_of(const gm_contract_plan *plan, const char *expression, int32_t count,
                       const gm_tensor *inputs, const gm_tensor *output) {
    bool same = plan->expression.operands == count && strcmp(plan->text, expression) == 0 &&
                gm_contract_same_layout(&plan->output, output);
    for (int32_t i = 0; i < count && same; ++i) {
        same = gm_contract_same_layout(&plan->inputs[i], &inputs[i]);
    }
    return same;
}

/* What a hash may be taken of: anything else cannot be planned, and plan_create says why. */
static bool is_call(const char *expression, int32_t count, const gm_tensor *inputs,
                    const gm_tensor *output) {
    bool valid = expression != NULL && count >= 1 && count <= GM_MAX_OPERANDS && inputs != NULL &&
                 output != NULL && output->ndim >= 0 && output->ndim <= GM_MAX_DIMS;
    for (int32_t i = 0; i < count && valid; ++i) {
        valid = inputs[i].ndim >= 0 && inputs[i].ndim <= GM_MAX_DIMS;
    }
    return valid;
}

/* The entry of the call, or, if there is none, the one to take for it: free, or used longest ago.
 */
static entry *find_entry(struct gm_contract_cache *cache, uint64_t hash, const char *expression,
                         int32_t count, const gm_tensor *inputs, const gm_tensor *output,
                         bool *found) {
    entry *oldest = &cache->entries[0];
    for (entry *e = cache->entries; e < cache->entries + PLANS; ++e) {
        if (e->plan != NULL && e->hash == hash &&
            is_plan_of(e->plan, expression, count, inputs, output)) {
            *found = true;
            return e;
        }
        if (oldest->plan != NULL && (e->plan == NULL || e->used < oldest->used)) {
            oldest = e;
        }
    }
    *found = false;
    return oldest;
}

static gm_status grow_workspace(struct gm_contract_cache *cache, const gm_contract_plan *plan) {
    const size_t bytes = (size_t)plan->workspace;
    if (bytes <= cache->bytes && (bytes == 0 || cache->owner == plan->backend)) {
        return GM_STATUS_OK;
    }
    gm_contract_cache_forget_workspace(cache);
    GM_TRY(plan->backend->memory_alloc(&cache->context->call, bytes, &cache->workspace));
    cache->owner = plan->backend;
    cache->bytes = bytes;
    return GM_STATUS_OK;
}

gm_status gm_contract_cache_find(gm_context *context, const char *expression, int32_t count,
                                 const gm_tensor *inputs, const gm_tensor *output,
                                 const gm_contract_plan **plan, void **workspace, size_t *bytes) {
    gm_contract_plan *made = NULL;
    if (!is_call(expression, count, inputs, output)) {
        return gm_contract_plan_create(context, expression, count, inputs, output, NULL, &made);
    }
    if (context->contract_cache == NULL) {
        context->contract_cache = calloc(1, sizeof *context->contract_cache);
        GM_CHECK(context, context->contract_cache != NULL, GM_STATUS_OUT_OF_MEMORY,
                 "no memory for plans");
        context->contract_cache->context = context;
    }
    struct gm_contract_cache *cache = context->contract_cache;
    const uint64_t hash = hash_call(expression, count, inputs, output);
    bool found;
    entry *e = find_entry(cache, hash, expression, count, inputs, output, &found);
    if (!found) {
        GM_TRY(gm_contract_plan_create(context, expression, count, inputs, output, NULL, &made));
        gm_contract_plan_destroy(e->plan);
        *e = (entry){.hash = hash, .plan = made};
    }
    e->used = ++cache->calls;
    GM_TRY(grow_workspace(cache, e->plan));
    *plan = e->plan;
    *workspace = e->plan->workspace > 0 ? cache->workspace : NULL;
    *bytes = (size_t)e->plan->workspace;
    return GM_STATUS_OK;
}

void gm_contract_cache_forget_workspace(struct gm_contract_cache *cache) {
    if (cache != NULL && cache->workspace != NULL) {
        cache->owner->memory_free(&cache->context->call, cache->workspace);
        cache->workspace = NULL;
        cache->bytes = 0;
    }
}

void gm_contract_cache_destroy(struct gm_contract_cache *cache) {
    if (cache == NULL) {
        return;
    }
    gm_contract_cache_forget_workspace(cache);
    for (int i = 0; i < PLANS; ++i) {
        gm_contract_plan_destroy(cache->entries[i].plan);
    }
    free(cache);
}

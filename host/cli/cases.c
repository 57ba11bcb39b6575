/* The list of all conformance cases, the judge, and the memory of cases. */
#include "host/cli/cases.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const gm_case *cases;
    const int *count;
} tables[] = {
    {gm_random_cases, &gm_random_cases_count},
    {gm_ode_cases, &gm_ode_cases_count},
    {gm_sde_cases, &gm_sde_cases_count},
    {gm_diffusion_cases, &gm_diffusion_cases_count},
    {gm_contract_cases, &gm_contract_cases_count},
    {gm_tensor_cases, &gm_tensor_cases_count},
    {gm_mcmc_cases, &gm_mcmc_cases_count},
};
enum { TABLES = sizeof tables / sizeof tables[0] };

int gm_case_count(void) {
    int count = 0;
    for (int i = 0; i < TABLES; ++i) {
        count += *tables[i].count;
    }
    return count;
}

const gm_case *gm_case_at(int index) {
    for (int i = 0; i < TABLES && index >= 0; ++i) {
        if (index < *tables[i].count) {
            return &tables[i].cases[index];
        }
        index -= *tables[i].count;
    }
    return NULL;
}

gm_case_verdict gm_case_judge(const gm_case *item, gm_context *reference, gm_context *subject,
                              gm_case_result *result) {
    *result = (gm_case_result){0};
    const gm_status status = item->run(reference, subject, result);
    if (status == GM_STATUS_OK) {
        if (result->kernel[0] == '\0') {
            snprintf(result->kernel, sizeof result->kernel, "%s", gm_last_kernel(subject));
        }
        return result->error <= result->bound ? GM_CASE_PASS : GM_CASE_FAIL;
    }
    const char *reason = gm_last_error(subject);
    if (reason[0] == '\0') {
        reason = gm_last_error(reference);
    }
    snprintf(result->detail, sizeof result->detail, "%s: %s", gm_status_name(status),
             reason[0] != '\0' ? reason : gm_status_string(status));
    result->error = NAN;
    return status == GM_STATUS_UNSUPPORTED ? GM_CASE_SKIP : GM_CASE_FAIL;
}

/* The bytes of a tensor that gm_tensor_view made. */
static size_t tensor_bytes(const gm_tensor *tensor) {
    int64_t elements = 0;
    return gm_tensor_elements(tensor, &elements) == GM_STATUS_OK
               ? (size_t)elements * gm_dtype_size(tensor->dtype)
               : 0;
}

/* Memory filled from host, or with ones if host is NULL. */
static gm_status make(gm_context *context, const void *host, gm_dtype dtype, int32_t ndim,
                      const int64_t *shape, gm_tensor *tensor) {
    gm_tensor made;
    gm_status status = gm_tensor_view(NULL, dtype, ndim, shape, &made);
    if (status != GM_STATUS_OK) {
        return status;
    }
    const size_t bytes = tensor_bytes(&made);
    void *poison = NULL;
    if (host == NULL && bytes > 0) {
        poison = malloc(bytes);
        if (poison == NULL) {
            return GM_STATUS_OUT_OF_MEMORY;
        }
        memset(poison, 0xff, bytes);
        host = poison;
    }
    status = gm_memory_alloc(context, bytes, &made.data);
    if (status == GM_STATUS_OK && bytes > 0) {
        status = gm_memory_upload(context, made.data, host, bytes);
        if (status != GM_STATUS_OK) {
            gm_memory_free(context, made.data);
        }
    }
    free(poison);
    if (status == GM_STATUS_OK) {
        *tensor = made;
    }
    return status;
}

gm_status gm_case_alloc(gm_context *context, gm_dtype dtype, int32_t ndim, const int64_t *shape,
                        gm_tensor *tensor) {
    return make(context, NULL, dtype, ndim, shape, tensor);
}

gm_status gm_case_upload(gm_context *context, const void *host, gm_dtype dtype, int32_t ndim,
                         const int64_t *shape, gm_tensor *tensor) {
    return make(context, host, dtype, ndim, shape, tensor);
}

gm_status gm_case_download(gm_context *context, const gm_tensor *tensor, void *host) {
    return gm_memory_download(context, host, tensor->data, tensor_bytes(tensor));
}

void gm_case_free(gm_context *context, gm_tensor *tensor) {
    gm_memory_free(context, tensor->data);
    *tensor = (gm_tensor){0};
}

static double element(gm_dtype dtype, const void *values, int64_t i) {
    return dtype == GM_F64 ? ((const double *)values)[i] : (double)((const float *)values)[i];
}

double gm_case_difference(gm_dtype dtype, const void *a, const void *b, int64_t n, int64_t *where) {
    double largest = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double x = element(dtype, a, i), y = element(dtype, b, i);
        const bool both_nan = isnan(x) && isnan(y);
        double difference = x == y || both_nan ? 0 : fabs(x - y);
        if (isnan(difference)) {
            difference = INFINITY;
        }
        if (difference > largest) {
            largest = difference;
            at = i;
        }
    }
    if (where != NULL) {
        *where = at;
    }
    return largest;
}

int64_t gm_case_bit_differences(size_t size, const void *a, const void *b, int64_t n,
                                int64_t *where) {
    int64_t count = 0, first = 0;
    for (int64_t i = 0; i < n; ++i) {
        const size_t at = (size_t)i * size;
        if (memcmp((const char *)a + at, (const char *)b + at, size) != 0) {
            first = count == 0 ? i : first;
            ++count;
        }
    }
    if (where != NULL) {
        *where = first;
    }
    return count;
}

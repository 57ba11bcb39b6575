/* Reading the vectors of `genmath sample`, and searching for the nearest of them. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/compiler.h>
#include <genmath/npy.h>

#include "host/cli/sample.h"
#include "host/internal.h"

/* At most so many points are looked at, so that the search stays short beside the sampling. */
static const int64_t most_points = 4096;

static double half_value(uint16_t bits) {
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const double magnitude = exponent == 0    ? ldexp(mantissa, -24)
                             : exponent == 31 ? (mantissa != 0 ? (double)NAN : (double)INFINITY)
                                              : ldexp(1024 + mantissa, exponent - 25);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

static double bfloat_value(uint16_t bits) {
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return (double)value;
}

/* Element `at` of an array of any real type. */
static double element(const void *data, gm_dtype dtype, int64_t at) {
    switch (dtype) {
    case GM_F64:
        return ((const double *)data)[at];
    case GM_F32:
        return (double)((const float *)data)[at];
    case GM_F16:
        return half_value(((const uint16_t *)data)[at]);
    case GM_BF16:
        return bfloat_value(((const uint16_t *)data)[at]);
    case GM_I8:
        return ((const int8_t *)data)[at];
    case GM_I16:
        return ((const int16_t *)data)[at];
    case GM_I32:
        return ((const int32_t *)data)[at];
    case GM_I64:
        return (double)((const int64_t *)data)[at];
    case GM_U16:
        return ((const uint16_t *)data)[at];
    case GM_U32:
        return ((const uint32_t *)data)[at];
    case GM_U64:
        return (double)((const uint64_t *)data)[at];
    default: /* U8, BOOL */
        return ((const uint8_t *)data)[at];
    }
}

static gm_status check_file(const char *path, const gm_tensor *file) {
    GM_CHECK(NULL, file->ndim == 2 || file->ndim == 3, GM_STATUS_CORRUPT_DATA,
             "%s has %d dimensions: must be (n, d) or (n, height, width)", path, (int)file->ndim);
    GM_CHECK(NULL, file->dtype != GM_C64 && file->dtype != GM_C128, GM_STATUS_CORRUPT_DATA,
             "%s holds complex numbers: must be real", path);
    for (int32_t axis = 0; axis < file->ndim; ++axis) {
        GM_CHECK(NULL, file->shape[axis] > 0, GM_STATUS_CORRUPT_DATA, "%s holds no vectors", path);
    }
    return GM_STATUS_OK;
}

static gm_status copy_values(const char *path, const gm_tensor *file, gm_vectors *vectors) {
    const int64_t columns = file->ndim == 3 ? file->shape[2] : vectors->dim;
    vectors->low = DBL_MAX;
    vectors->high = -DBL_MAX;
    for (int64_t i = 0; i < vectors->count; ++i) {
        for (int64_t j = 0; j < vectors->dim; ++j) {
            const int64_t within =
                file->ndim == 3 ? j / columns * file->stride[1] + j % columns * file->stride[2]
                                : j * file->stride[1];
            const double value = element(file->data, file->dtype, i * file->stride[0] + within);
            GM_CHECK(NULL, isfinite(value), GM_STATUS_CORRUPT_DATA,
                     "%s: component %lld of vector %lld is not a finite number", path, (long long)j,
                     (long long)i);
            vectors->values[i * vectors->dim + j] = value;
            vectors->low = fmin(vectors->low, value);
            vectors->high = fmax(vectors->high, value);
        }
    }
    return GM_STATUS_OK;
}

static gm_status take_file(const char *path, const gm_tensor *file, gm_vectors *vectors) {
    GM_TRY(check_file(path, file));
    vectors->count = file->shape[0];
    vectors->dim = file->ndim == 3 ? file->shape[1] * file->shape[2] : file->shape[1];
    const int64_t side = (int64_t)lround(sqrt((double)vectors->dim));
    if (file->ndim == 3) {
        vectors->stacked = true;
        vectors->height = file->shape[1];
        vectors->width = file->shape[2];
    } else if (side > 1 && side * side == vectors->dim) {
        vectors->height = vectors->width = side;
    }
    vectors->values = calloc((size_t)vectors->count * (size_t)vectors->dim, sizeof(double));
    GM_CHECK(NULL, vectors->values != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for %s", path);
    return copy_values(path, file, vectors);
}

gm_status gm_vectors_load(const char *path, gm_vectors *vectors) {
    gm_tensor file;
    *vectors = (gm_vectors){.scale = 1.0};
    GM_TRY(gm_npy_load(NULL, path, &file));
    const gm_status status = take_file(path, &file, vectors);
    gm_npy_free(&file);
    if (status != GM_STATUS_OK) {
        gm_vectors_free(vectors);
    }
    return status;
}

void gm_vectors_standardise(gm_vectors *vectors) {
    const int64_t total = vectors->count * vectors->dim;
    double mean = 0.0, square = 0.0;
    for (int64_t i = 0; i < total; ++i) {
        mean += vectors->values[i] / (double)total;
    }
    for (int64_t i = 0; i < total; ++i) {
        square += (vectors->values[i] - mean) * (vectors->values[i] - mean) / (double)total;
    }
    vectors->mean = mean;
    vectors->scale = square > 0.0 ? sqrt(square) : 1.0;
    for (int64_t i = 0; i < total; ++i) {
        vectors->values[i] = (vectors->values[i] - mean) / vectors->scale;
    }
}

void gm_vectors_free(gm_vectors *vectors) {
    free(vectors->values);
    *vectors = (gm_vectors){.scale = 1.0};
}

/* The squared distance, or something not below `limit` as soon as that is passed. */
static inline float distance2_below(const float *restrict a, const float *restrict b, int64_t dim,
                                    float limit) {
    enum { STRIDE = 16 };
    float total = 0.0f;
    int64_t j = 0;
    for (; j + STRIDE <= dim && total < limit; j += STRIDE) {
        float part[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        for (int i = 0; i < STRIDE; i += 4) {
            for (int lane = 0; lane < 4; ++lane) {
                const float difference = a[j + i + lane] - b[j + i + lane];
                part[lane] += difference * difference;
            }
        }
        total += (part[0] + part[1]) + (part[2] + part[3]);
    }
    for (; j < dim && total < limit; ++j) {
        total += (a[j] - b[j]) * (a[j] - b[j]);
    }
    return total;
}

static int ascending(const void *a, const void *b) {
    const float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

typedef struct search {
    const gm_vectors *data;
    float *rows; /* the data */
    const float *points;
    int64_t count, step;  /* point i is row i * step of points */
    double limit;         /* of copies, in the data's units */
    bool own;             /* points are the data: point i is not its own neighbour */
    float *distances;     /* of each point */
    unsigned char *found; /* of each datum: it is somebody's nearest */
} search;

static void find_nearest(search *s) {
    const int64_t dim = s->data->dim;
    for (int64_t i = 0; i < s->count; ++i) {
        const float *point = s->points + i * s->step * dim;
        float best = FLT_MAX;
        int64_t nearest = -1;
        for (int64_t k = 0; k < s->data->count; ++k) {
            if (s->own && k == i * s->step) {
                continue;
            }
            const float distance2 = distance2_below(point, s->rows + k * dim, dim, best);
            if (distance2 < best) {
                best = distance2;
                nearest = k;
            }
        }
        s->distances[i] = sqrtf(best);
        if (nearest >= 0) {
            s->found[nearest] = 1;
        }
    }
}

static gm_status measure(search *s, gm_nearness *nearness) {
    const gm_vectors *data = s->data;
    s->distances = calloc((size_t)s->count, sizeof *s->distances);
    s->found = calloc((size_t)data->count, 1);
    GM_CHECK(NULL, s->distances != NULL && s->found != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory for the search");
    find_nearest(s);
    qsort(s->distances, (size_t)s->count, sizeof *s->distances, ascending);
    *nearness = (gm_nearness){.points = s->count,
                              .least = data->scale * (double)s->distances[0],
                              .median = data->scale * (double)s->distances[s->count / 2],
                              .most = data->scale * (double)s->distances[s->count - 1]};
    for (int64_t k = 0; k < data->count; ++k) {
        nearness->distinct += s->found[k];
    }
    for (int64_t i = 0; i < s->count; ++i) {
        nearness->copies += data->scale * (double)s->distances[i] < s->limit;
    }
    return GM_STATUS_OK;
}

static gm_status run_search(const gm_vectors *data, const float *points, int64_t count,
                            double limit, gm_nearness *nearness) {
    const int64_t total = data->count * data->dim;
    search s = {.data = data, .limit = limit, .own = points == NULL};
    *nearness = (gm_nearness){.points = 0};
    if (count == 0) {
        return GM_STATUS_OK;
    }
    s.rows = malloc((size_t)total * sizeof *s.rows);
    GM_CHECK(NULL, s.rows != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the search");
    for (int64_t i = 0; i < total; ++i) {
        s.rows[i] = (float)data->values[i];
    }
    s.points = s.own ? s.rows : points;
    /*
     * Data may be sorted by class, so theirs are taken all over the file; samples are alike
     * anywhere.
     */
    s.step = s.own ? (count + most_points - 1) / most_points : 1;
    s.count = s.own ? (count + s.step - 1) / s.step : count < most_points ? count : most_points;
    const gm_status status = measure(&s, nearness);
    free(s.rows);
    free(s.distances);
    free(s.found);
    return status;
}

gm_status gm_nearness_of(const gm_vectors *data, const float *points, int64_t count, double limit,
                         gm_nearness *nearness) {
    return run_search(data, points, count, limit, nearness);
}

gm_status gm_nearness_own(const gm_vectors *data, gm_nearness *nearness) {
    return run_search(data, NULL, data->count > 1 ? data->count : 0, 0.0, nearness);
}

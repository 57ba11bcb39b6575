/*
 * The parts of `genmath sample`: the vectors it reads, how near samples are to them, the picture.
 */
#ifndef GENMATH_HOST_CLI_SAMPLE_H
#define GENMATH_HOST_CLI_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include <genmath/context.h>

/* Vectors as doubles, row-major, with the image they are if the file says so or d is a square. */
typedef struct gm_vectors {
    int64_t count, dim;
    int64_t height, width; /* height * width = dim, or both 0: no image */
    bool stacked;          /* the file was (n, height, width) */
    double *values;        /* standardised by gm_vectors_standardise */
    double mean, scale;    /* value in the file = mean + scale * standardised */
    double low, high;      /* smallest and largest value in the file */
} gm_vectors;

/*
 * Reads an .npy file of shape (n, d) or (n, h, w) and any real type. Errors: those of gm_npy_load,
 * and CORRUPT_DATA for another shape, no rows, complex numbers, or a value that is not finite. The
 * reason is in gm_last_error(NULL).
 */
gm_status gm_vectors_load(const char *path, gm_vectors *vectors);

/*
 * Subtracts the mean of all values of all vectors and divides by their standard deviation (1 if 0).
 */
void gm_vectors_standardise(gm_vectors *vectors);

void gm_vectors_free(gm_vectors *vectors);

/* How far each of some points is from the nearest of the data, in the data's units. */
typedef struct gm_nearness {
    int64_t points;             /* that were looked at: the first ones if there are too many */
    double least, median, most; /* distance */
    int64_t distinct;           /* data that are the nearest of some point */
    int64_t copies;             /* points nearer to a datum than the limit given */
} gm_nearness;

/*
 * points: (count, d) standardised; limit: in the data's units. OUT_OF_MEMORY, said by
 * gm_last_error(NULL).
 */
gm_status gm_nearness_of(const gm_vectors *data, const float *points, int64_t count, double limit,
                         gm_nearness *nearness);

/* The same for the data themselves, each without itself. All 0 for a single datum. */
gm_status gm_nearness_own(const gm_vectors *data, gm_nearness *nearness);

/* Why there is no picture of `count` samples like the data; NULL if there is one. */
const char *gm_sample_no_picture(const gm_vectors *data, int64_t count);

/*
 * Draws samples (count, d), in the data's units: a grid of images, for d = 2 a scatter plot over
 * the data, for d = 1 a histogram over that of the data. gm_sample_no_picture has been asked.
 * Errors: those of gm_picture_save_png; the reason is in gm_last_error(context).
 */
gm_status gm_sample_picture(gm_context *context, const char *path, const gm_vectors *data,
                            const float *samples, int64_t count);

#endif

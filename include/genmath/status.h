/*
 * Status codes: what every public function returns. One list makes the enum, the strings and the
 * test that walks them. gm_last_error (context.h) says which argument and why.
 */
#ifndef GENMATH_STATUS_H
#define GENMATH_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define GM_STATUS_LIST(X)                                                                          \
    X(GM_STATUS_OK, "success")                                                                     \
    X(GM_STATUS_INVALID_ARGUMENT, "an argument is null, out of range or inconsistent")             \
    X(GM_STATUS_SHAPE_MISMATCH, "the shapes of two arguments do not fit each other")               \
    X(GM_STATUS_UNSUPPORTED, "not implemented by the chosen backend")                              \
    X(GM_STATUS_OUT_OF_MEMORY, "an allocation failed")                                             \
    X(GM_STATUS_WORKSPACE_TOO_SMALL, "the workspace is smaller than the plan asked for")           \
    X(GM_STATUS_NO_DEVICE, "no usable device for the chosen backend")                              \
    X(GM_STATUS_DEVICE_ERROR, "the device reported an error")                                      \
    X(GM_STATUS_COMPILE_ERROR, "the body of a system does not compile")                            \
    X(GM_STATUS_NOT_CONVERGED, "the allowed number of iterations was used up")                     \
    X(GM_STATUS_STEP_TOO_SMALL, "the step size fell below the smallest allowed")                   \
    X(GM_STATUS_NON_FINITE, "a value became infinite or not a number")                             \
    X(GM_STATUS_IO_ERROR, "a file could not be read or written")                                   \
    X(GM_STATUS_CORRUPT_DATA, "a file's content is not what its format allows")                    \
    X(GM_STATUS_INTERNAL, "an internal invariant does not hold: a bug in genmath")                 \
    X(GM_STATUS_SINGULAR, "a matrix is singular, or not positive definite")

#define GM_STATUS_ENUM_ITEM(name, text) name,
typedef enum gm_status { GM_STATUS_LIST(GM_STATUS_ENUM_ITEM) GM_STATUS_COUNT } gm_status;
#undef GM_STATUS_ENUM_ITEM

/* The meaning of a status in a few words; "unknown status" for a value outside the list. */
const char *gm_status_string(gm_status status);

/* The name of a status as it is written in code, "GM_STATUS_OK"; NULL outside the list. */
const char *gm_status_name(gm_status status);

#ifdef __cplusplus
}
#endif
#endif

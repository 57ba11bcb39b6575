/* Reading and writing .npy files. */
#include <genmath/npy.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file.h"
#include "host/internal.h"
#include "host/npy_header.h"

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* Every header that NumPy writes for a type we have is a few hundred bytes; version 1 ends here
 * too. */
enum { LONGEST_HEADER = 65535, HEADER_ALIGNMENT = 64 };

/* ---- reading -----------------------------------------------------------------------------------
 */

/* Opens a regular file. Without O_NONBLOCK a named pipe would wait for a writer before it is
 * refused. */
static gm_status open_regular(gm_context *context, const char *path, FILE **stream,
                              int64_t *bytes) {
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    GM_CHECK(context, descriptor >= 0, GM_STATUS_IO_ERROR, "%s: %s", path, strerror(errno));
    struct stat status;
    const bool known = fstat(descriptor, &status) == 0;
    if (!known || !S_ISREG(status.st_mode)) {
        const int reason = errno;
        close(descriptor);
        return gm_fail(context, GM_STATUS_IO_ERROR, "%s: %s", path,
                       known ? "not a regular file" : strerror(reason));
    }
    *stream = fdopen(descriptor, "rb");
    if (*stream == NULL) {
        close(descriptor);
        return gm_fail(context, GM_STATUS_OUT_OF_MEMORY, "%s: no memory to read it", path);
    }
    *bytes = status.st_size;
    return GM_STATUS_OK;
}

/* A short read: the system's reason if there is one, else the file ends too early. */
static gm_status read_bytes(gm_context *context, const char *path, FILE *stream, void *bytes,
                            size_t count, const char *what) {
    errno = 0;
    if (fread(bytes, 1, count, stream) == count) {
        return GM_STATUS_OK;
    }
    if (ferror(stream)) {
        return gm_fail(context, GM_STATUS_IO_ERROR, "%s: %s", path, strerror(errno));
    }
    return gm_fail(context, GM_STATUS_CORRUPT_DATA, "%s: the file ends within %s", path, what);
}

/* Reads up to the first byte of data, whose position goes to data_start. */
static gm_status read_header(gm_context *context, const char *path, FILE *stream,
                             gm_npy_header *header, int64_t *data_start) {
    uint8_t start[8], size[4] = {0};
    GM_TRY(read_bytes(context, path, stream, start, sizeof start, "the first 8 bytes"));
    GM_CHECK(context, memcmp(start, magic, sizeof magic) == 0, GM_STATUS_CORRUPT_DATA,
             "%s: not a .npy file", path);
    const int major = start[6], minor = start[7];
    GM_CHECK(context, major >= 1 && major <= 3 && minor == 0, GM_STATUS_UNSUPPORTED,
             "%s: version %d.%d of the format is not known", path, major, minor);
    const size_t size_bytes = major == 1 ? 2 : 4;
    GM_TRY(read_bytes(context, path, stream, size, size_bytes, "the header's length"));
    const uint32_t length = (uint32_t)size[0] | (uint32_t)size[1] << 8 | (uint32_t)size[2] << 16 |
                            (uint32_t)size[3] << 24;
    GM_CHECK(context, length <= LONGEST_HEADER, GM_STATUS_CORRUPT_DATA,
             "%s: a header of %u bytes: over %d is refused", path, length, LONGEST_HEADER);
    char *text = malloc((size_t)length + 1);
    GM_CHECK(context, text != NULL, GM_STATUS_OUT_OF_MEMORY, "%s: no memory for the header", path);
    gm_status status = read_bytes(context, path, stream, text, length, "the header");
    if (status == GM_STATUS_OK) {
        status = gm_npy_header_parse(context, path, text, length, major < 3, header);
    }
    free(text);
    *data_start = (int64_t)(sizeof start + size_bytes) + length;
    return status;
}

/* The tensor that the header describes, without data. */
static gm_status lay_out(gm_context *context, const char *path, const gm_npy_header *header,
                         gm_tensor *tensor, int64_t *bytes) {
    if (gm_tensor_view(NULL, header->dtype, header->ndim, header->shape, tensor) != GM_STATUS_OK) {
        return gm_fail(context, GM_STATUS_CORRUPT_DATA,
                       "%s: the header's sizes multiply to over 2^63 - 1 bytes", path);
    }
    int64_t stride = 1;
    for (int32_t axis = 0; header->fortran_order && axis < header->ndim; ++axis) {
        tensor->stride[axis] = stride;
        stride *= header->shape[axis] > 0 ? header->shape[axis] : 1;
    }
    int64_t elements;
    GM_TRY(gm_tensor_elements(tensor, &elements));
    *bytes = elements * (int64_t)gm_dtype_size(header->dtype);
    return GM_STATUS_OK;
}

/* Reverses each number; a complex element is two. */
static void swap_bytes(uint8_t *data, int64_t bytes, gm_dtype dtype) {
    const int64_t element = (int64_t)gm_dtype_size(dtype);
    const int64_t size = dtype == GM_C64 || dtype == GM_C128 ? element / 2 : element;
    for (int64_t start = 0; start < bytes; start += size) {
        for (int64_t low = start, high = start + size - 1; low < high; ++low, --high) {
            const uint8_t byte = data[low];
            data[low] = data[high];
            data[high] = byte;
        }
    }
}

/* A C bool with another value than 0 or 1 is undefined behaviour waiting in the caller. */
static gm_status check_bools(gm_context *context, const char *path, const uint8_t *data,
                             int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
        GM_CHECK(context, data[i] <= 1, GM_STATUS_CORRUPT_DATA,
                 "%s: element %lld is a bool with the value %d", path, (long long)i, data[i]);
    }
    return GM_STATUS_OK;
}

static gm_status read_data(gm_context *context, const char *path, FILE *stream,
                           const gm_npy_header *header, uint8_t *data, int64_t bytes) {
    GM_TRY(read_bytes(context, path, stream, data, (size_t)bytes, "the data"));
    if (header->swapped) {
        swap_bytes(data, bytes, header->dtype);
    }
    return header->dtype == GM_BOOL ? check_bools(context, path, data, bytes) : GM_STATUS_OK;
}

static gm_status load(gm_context *context, const char *path, FILE *stream, int64_t file_bytes,
                      gm_tensor *tensor) {
    gm_npy_header header;
    gm_tensor loaded;
    int64_t start = 0, bytes = 0;
    GM_TRY(read_header(context, path, stream, &header, &start));
    GM_TRY(lay_out(context, path, &header, &loaded, &bytes));
    GM_CHECK(context, file_bytes - start == bytes, GM_STATUS_CORRUPT_DATA,
             "%s: the header announces %lld bytes of data, the file has %lld", path,
             (long long)bytes, (long long)(file_bytes - start));
    if (bytes > 0) {
        loaded.data = malloc((size_t)bytes);
        GM_CHECK(context, loaded.data != NULL, GM_STATUS_OUT_OF_MEMORY,
                 "%s: no memory for %lld bytes", path, (long long)bytes);
        const gm_status status = read_data(context, path, stream, &header, loaded.data, bytes);
        if (status != GM_STATUS_OK) {
            free(loaded.data);
            return status;
        }
    }
    *tensor = loaded;
    return GM_STATUS_OK;
}

gm_status gm_npy_load(gm_context *context, const char *path, gm_tensor *tensor) {
    GM_CHECK(context, path != NULL, GM_STATUS_INVALID_ARGUMENT, "path is NULL");
    GM_CHECK(context, tensor != NULL, GM_STATUS_INVALID_ARGUMENT, "tensor is NULL");
    FILE *stream;
    int64_t bytes = 0;
    GM_TRY(open_regular(context, path, &stream, &bytes));
    const gm_status status = load(context, path, stream, bytes, tensor);
    fclose(stream);
    return status;
}

void gm_npy_free(gm_tensor *tensor) {
    if (tensor != NULL) {
        free(tensor->data);
        *tensor = (gm_tensor){0};
    }
}

/* ---- writing -----------------------------------------------------------------------------------
 */

/* The magic, version 1.0, the header's length and the header, padded so that the data is aligned.
 */
static bool write_header(FILE *stream, const gm_npy_header *header) {
    char text[GM_NPY_HEADER_SIZE];
    const size_t length = gm_npy_header_write(header, text);
    const size_t fixed = sizeof magic + 4;      /* version and length are two bytes each */
    const size_t unpadded = fixed + length + 1; /* a newline ends the header */
    const size_t padding = (HEADER_ALIGNMENT - unpadded % HEADER_ALIGNMENT) % HEADER_ALIGNMENT;
    const size_t announced = length + padding + 1;
    const uint8_t version_and_length[4] = {1, 0, (uint8_t)(announced & 0xff),
                                           (uint8_t)(announced >> 8)};
    return fwrite(magic, sizeof magic, 1, stream) == 1 &&
           fwrite(version_and_length, sizeof version_and_length, 1, stream) == 1 &&
           fwrite(text, length, 1, stream) == 1 &&
           fprintf(stream, "%*s\n", (int)padding, "") == (int)padding + 1;
}

/* Row-major order; runs that are contiguous in the last dimension go out in one piece. */
static bool write_elements(FILE *stream, const gm_tensor *tensor, int64_t elements) {
    const size_t size = gm_dtype_size(tensor->dtype);
    const int32_t last = tensor->ndim - 1;
    if (elements == 0) {
        return true;
    }
    if (gm_tensor_is_contiguous(tensor)) {
        return fwrite(tensor->data, size, (size_t)elements, stream) == (size_t)elements;
    }
    int64_t index[GM_MAX_DIMS] = {0}, offset = 0;
    const bool runs = tensor->stride[last] == 1;
    const int64_t step = runs ? tensor->shape[last] : 1;
    for (int64_t written = 0; written < elements; written += step) {
        const char *from = (const char *)tensor->data + offset * (int64_t)size;
        if (fwrite(from, size, (size_t)step, stream) != (size_t)step) {
            return false;
        }
        for (int32_t axis = runs ? last - 1 : last; axis >= 0; --axis) {
            offset += tensor->stride[axis];
            if (++index[axis] < tensor->shape[axis]) {
                break;
            }
            offset -= tensor->stride[axis] * tensor->shape[axis];
            index[axis] = 0;
        }
    }
    return true;
}

static gm_tensor reversed(const gm_tensor *tensor) {
    gm_tensor view = *tensor;
    for (int32_t axis = 0; axis < tensor->ndim; ++axis) {
        view.shape[axis] = tensor->shape[tensor->ndim - 1 - axis];
        view.stride[axis] = tensor->stride[tensor->ndim - 1 - axis];
    }
    return view;
}

gm_status gm_npy_save(gm_context *context, const char *path, const gm_tensor *tensor) {
    GM_CHECK(context, path != NULL, GM_STATUS_INVALID_ARGUMENT, "path is NULL");
    GM_CHECK(context, tensor != NULL, GM_STATUS_INVALID_ARGUMENT, "tensor is NULL");
    gm_tensor compact;
    int64_t elements, low, high;
    if (gm_tensor_view(NULL, tensor->dtype, tensor->ndim, tensor->shape, &compact) !=
        GM_STATUS_OK) {
        return gm_fail(context, GM_STATUS_INVALID_ARGUMENT, "tensor: %s", gm_last_error(NULL));
    }
    GM_TRY(gm_tensor_elements(tensor, &elements));
    GM_CHECK(context, elements == 0 || tensor->data != NULL, GM_STATUS_INVALID_ARGUMENT,
             "tensor.data is NULL");
    GM_CHECK(context, elements == 0 || gm_tensor_reach(tensor, &low, &high),
             GM_STATUS_INVALID_ARGUMENT, "tensor: its strides reach over 2^63 - 1 bytes");

    /* A column-major array is the row-major array of its transpose; the header says which it is. */
    const gm_tensor transpose = reversed(tensor);
    gm_npy_header header = {.dtype = tensor->dtype, .ndim = tensor->ndim};
    header.fortran_order = !gm_tensor_is_contiguous(tensor) && gm_tensor_is_contiguous(&transpose);
    memcpy(header.shape, tensor->shape, sizeof header.shape);

    gm_file file;
    GM_TRY(gm_file_begin(context, path, &file));
    errno = 0;
    if (!write_header(file.stream, &header) ||
        !write_elements(file.stream, header.fortran_order ? &transpose : tensor, elements)) {
        const int reason = errno;
        gm_file_abandon(&file);
        return gm_fail(context, GM_STATUS_IO_ERROR, "%s: %s", path, strerror(reason));
    }
    return gm_file_commit(context, &file);
}

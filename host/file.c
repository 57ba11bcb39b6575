/* Atomic writing: a temporary file beside the target, flushed to the disk, then renamed over it. */
#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/internal.h"

static void release(gm_file *file) {
    free(file->path);
    free(file->temporary);
    *file = (gm_file){0};
}

/*
 * Makes the temporary file under a name that no other file has, with the rights that the user's
 * umask leaves, or those of the file it will replace. Returns -1 with errno set.
 */
static int create_beside(gm_file *file, const struct stat *old) {
    const size_t size = strlen(file->path) + 32;
    file->temporary = malloc(size);
    if (file->temporary == NULL) {
        return -1;
    }
    int descriptor = -1;
    for (unsigned attempt = 0; attempt < 1000 && descriptor < 0; ++attempt) {
        snprintf(file->temporary, size, "%s.%ld.%u.tmp", file->path, (long)getpid(), attempt);
        descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0 && errno != EEXIST) {
            break;
        }
    }
    if (descriptor >= 0 && old != NULL) {
        fchmod(descriptor, old->st_mode & 0777);
    }
    return descriptor;
}

gm_status gm_file_begin(gm_context *context, const char *path, gm_file *file) {
    *file = (gm_file){0};
    GM_CHECK(context, path != NULL, GM_STATUS_INVALID_ARGUMENT, "path is NULL");
    GM_CHECK(context, path[0] != '\0', GM_STATUS_INVALID_ARGUMENT, "path is empty");

    struct stat old;
    const bool exists = stat(path, &old) == 0;
    GM_CHECK(context, !exists || S_ISREG(old.st_mode), GM_STATUS_IO_ERROR,
             "%s: not a regular file, so it is not replaced", path);
    gm_file made = {0};
    made.path = exists ? realpath(path, NULL) : strdup(path);
    GM_CHECK(context, made.path != NULL,
             errno == ENOMEM ? GM_STATUS_OUT_OF_MEMORY : GM_STATUS_IO_ERROR, "%s: %s", path,
             strerror(errno));

    const int descriptor = create_beside(&made, exists ? &old : NULL);
    int reason = errno;
    if (descriptor >= 0) {
        made.stream = fdopen(descriptor, "wb");
        reason = errno;
        if (made.stream == NULL) {
            close(descriptor);
            unlink(made.temporary);
        }
    }
    if (made.stream == NULL) {
        release(&made);
        return gm_fail(context, reason == ENOMEM ? GM_STATUS_OUT_OF_MEMORY : GM_STATUS_IO_ERROR,
                       "%s: %s", path, strerror(reason));
    }
    *file = made;
    return GM_STATUS_OK;
}

gm_status gm_file_commit(gm_context *context, gm_file *file) {
    errno = 0;
    bool written =
        fflush(file->stream) == 0 && !ferror(file->stream) && fsync(fileno(file->stream)) == 0;
    int reason = errno;
    if (fclose(file->stream) != 0 && written) {
        written = false;
        reason = errno;
    }
    if (written && rename(file->temporary, file->path) != 0) {
        written = false;
        reason = errno;
    }
    if (!written) {
        gm_fail(context, GM_STATUS_IO_ERROR, "%s: %s", file->path,
                strerror(reason != 0 ? reason : EIO));
        unlink(file->temporary);
    }
    release(file);
    return written ? GM_STATUS_OK : GM_STATUS_IO_ERROR;
}

void gm_file_abandon(gm_file *file) {
    if (file->stream != NULL) {
        fclose(file->stream);
        unlink(file->temporary);
    }
    release(file);
}

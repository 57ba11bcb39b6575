/* Files that are written completely or not at all. */
#ifndef GENMATH_HOST_FILE_H
#define GENMATH_HOST_FILE_H

#include <stdio.h>

#include <genmath/context.h>

typedef struct gm_file {
    FILE *stream; /* write here */
    char *path, *temporary;
} gm_file;

/*
 * Opens a temporary file in the folder of path; what is at path stays as it is until
 * gm_file_commit. A symbolic link is followed. Errors: INVALID_ARGUMENT (path NULL or empty),
 * OUT_OF_MEMORY, IO_ERROR (no such folder, no permission, or something at path that is not a
 * regular file).
 */
gm_status gm_file_begin(gm_context *context, const char *path, gm_file *file);

/*
 * Flushes to the disk and renames the temporary file to path. On IO_ERROR, as after a failed write
 * to the stream, the temporary file is gone and path is as it was. Releases the file in every case.
 */
gm_status gm_file_commit(gm_context *context, gm_file *file);

/* Gives up: removes the temporary file. */
void gm_file_abandon(gm_file *file);

#endif

/* Tensor infos and attributes: what the caller tells of tensors, and keeps with us. */
#include <stdlib.h>
#include <string.h>

#include "host/tapp/object.h"

/* ---- tensor infos ---------------------------------------------------------------------------- */

static TAPP_error check_shape(int nmode, const int64_t *extents) {
    for (int i = 0; i < nmode; ++i) {
        if (extents[i] < 0) {
            return tapp_fail(TAPP_ERR_EXTENTS_NEGATIVE, "extents[%d] = %lld", i,
                             (long long)extents[i]);
        }
    }
    return TAPP_SUCCESS;
}

static TAPP_error resize(tapp_info *info, int nmode) {
    if (nmode < 0) {
        return tapp_fail(TAPP_ERR_NMODE_NEGATIVE, "nmode = %d", nmode);
    }
    /* One more than needed: 0 modes are no failure of calloc. */
    int64_t *extents = calloc((size_t)nmode + 1, sizeof *extents);
    int64_t *strides = calloc((size_t)nmode + 1, sizeof *strides);
    if (extents == NULL || strides == NULL) {
        free(extents);
        free(strides);
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for %d modes", nmode);
    }
    for (int i = 0; i < nmode; ++i) {
        extents[i] = i < info->nmode ? info->extents[i] : 1;
        strides[i] = i < info->nmode ? info->strides[i] : 0;
    }
    free(info->extents);
    free(info->strides);
    info->nmode = nmode;
    info->extents = extents;
    info->strides = strides;
    return TAPP_SUCCESS;
}

static TAPP_error fill(tapp_info *info, int nmode, const int64_t *extents, const int64_t *strides) {
    TAPP_TRY(resize(info, nmode));
    if (nmode > 0) {
        TAPP_NOT_NULL(extents, "extents");
        TAPP_NOT_NULL(strides, "strides");
        TAPP_TRY(check_shape(nmode, extents));
        memcpy(info->extents, extents, (size_t)nmode * sizeof *extents);
        memcpy(info->strides, strides, (size_t)nmode * sizeof *strides);
    }
    return TAPP_SUCCESS;
}

static void free_info(tapp_info *info) {
    free(info->extents);
    free(info->strides);
    free(info);
}

TAPP_error TAPP_create_tensor_info(TAPP_tensor_info *info, TAPP_handle handle, TAPP_datatype type,
                                   int nmode, const int64_t *extents, const int64_t *strides) {
    const tapp_library *library;
    TAPP_NOT_NULL(info, "info");
    *info = 0;
    TAPP_FIND(library, TAPP_KIND_HANDLE, handle, "handle");
    (void)library;
    if (type < TAPP_F32 || type > TAPP_BF16) {
        return tapp_fail(TAPP_ERR_NOT_IMPLEMENTED, "type = %d is not a known type", type);
    }
    tapp_info *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for a tensor info");
    }
    made->type = type;
    const TAPP_error error = fill(made, nmode, extents, strides);
    if (!TAPP_check_success(error)) {
        free_info(made);
        return error;
    }
    *info = tapp_object_add(TAPP_KIND_INFO, made);
    if (*info == 0) {
        free_info(made);
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for a handle");
    }
    return TAPP_SUCCESS;
}

TAPP_error TAPP_destroy_tensor_info(TAPP_tensor_info info) {
    tapp_info *i;
    TAPP_TAKE(i, TAPP_KIND_INFO, info, "info");
    free_info(i);
    return TAPP_SUCCESS;
}

int TAPP_get_nmodes(TAPP_tensor_info info) {
    const tapp_info *i = tapp_object_find(TAPP_KIND_INFO, info);
    return i != NULL ? i->nmode : -1;
}

TAPP_error TAPP_set_nmodes(TAPP_tensor_info info, int nmode) {
    tapp_info *i;
    TAPP_FIND(i, TAPP_KIND_INFO, info, "info");
    return resize(i, nmode);
}

void TAPP_get_extents(TAPP_tensor_info info, int64_t *extents) {
    const tapp_info *i = tapp_object_find(TAPP_KIND_INFO, info);
    if (i != NULL && i->nmode > 0 && extents != NULL) {
        memcpy(extents, i->extents, (size_t)i->nmode * sizeof *extents);
    }
}

TAPP_error TAPP_set_extents(TAPP_tensor_info info, const int64_t *extents) {
    tapp_info *i;
    TAPP_FIND(i, TAPP_KIND_INFO, info, "info");
    if (i->nmode > 0) {
        TAPP_NOT_NULL(extents, "extents");
        TAPP_TRY(check_shape(i->nmode, extents));
        memcpy(i->extents, extents, (size_t)i->nmode * sizeof *extents);
    }
    return TAPP_SUCCESS;
}

void TAPP_get_strides(TAPP_tensor_info info, int64_t *strides) {
    const tapp_info *i = tapp_object_find(TAPP_KIND_INFO, info);
    if (i != NULL && i->nmode > 0 && strides != NULL) {
        memcpy(strides, i->strides, (size_t)i->nmode * sizeof *strides);
    }
}

TAPP_error TAPP_set_strides(TAPP_tensor_info info, const int64_t *strides) {
    tapp_info *i;
    TAPP_FIND(i, TAPP_KIND_INFO, info, "info");
    if (i->nmode > 0) {
        TAPP_NOT_NULL(strides, "strides");
        memcpy(i->strides, strides, (size_t)i->nmode * sizeof *strides);
    }
    return TAPP_SUCCESS;
}

/* ---- attributes ------------------------------------------------------------------------------ */

typedef struct entry {
    struct entry *next;
    TAPP_key key;
    size_t size;
    void *value;
} entry;

typedef struct attr_list {
    entry *first;
} attr_list;

/* Where the pointer to the entry of a key is; to NULL if there is none. */
static entry **find_entry(attr_list *list, TAPP_key key) {
    entry **at = &list->first;
    while (*at != NULL && (*at)->key != key) {
        at = &(*at)->next;
    }
    return at;
}

static void remove_entry(entry **at) {
    entry *gone = *at;
    *at = gone->next;
    free(gone->value);
    free(gone);
}

TAPP_error TAPP_create_attr(TAPP_attr *attr) {
    TAPP_NOT_NULL(attr, "attr");
    attr_list *list = calloc(1, sizeof *list);
    *attr = list != NULL ? tapp_object_add(TAPP_KIND_ATTR, list) : 0;
    if (*attr == 0) {
        free(list);
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for attributes");
    }
    return TAPP_SUCCESS;
}

TAPP_error TAPP_destroy_attr(TAPP_attr *attr) {
    attr_list *list;
    TAPP_NOT_NULL(attr, "attr");
    TAPP_TAKE(list, TAPP_KIND_ATTR, *attr, "*attr");
    while (list->first != NULL) {
        remove_entry(&list->first);
    }
    free(list);
    *attr = 0;
    return TAPP_SUCCESS;
}

TAPP_error TAPP_set_attr(TAPP_attr attr, TAPP_key key, size_t size, void *value) {
    attr_list *list;
    TAPP_FIND(list, TAPP_KIND_ATTR, attr, "attr");
    if (key < 0) {
        return tapp_fail(TAPP_ERR_INVALID_KEY, "key = %d is negative", key);
    }
    if (size > 0) {
        TAPP_NOT_NULL(value, "value");
    }
    entry *made = calloc(1, sizeof *made);
    void *copy = malloc(size > 0 ? size : 1);
    if (made == NULL || copy == NULL) {
        free(made);
        free(copy);
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for %zu bytes", size);
    }
    if (size > 0) {
        memcpy(copy, value, size);
    }
    entry **at = find_entry(list, key);
    if (*at != NULL) {
        remove_entry(at);
    }
    *made = (entry){.next = list->first, .key = key, .size = size, .value = copy};
    list->first = made;
    return TAPP_SUCCESS;
}

TAPP_error TAPP_get_attr(TAPP_attr attr, TAPP_key key, size_t *size, void **value) {
    attr_list *list;
    TAPP_FIND(list, TAPP_KIND_ATTR, attr, "attr");
    const entry *found = *find_entry(list, key);
    if (found == NULL) {
        return tapp_fail(TAPP_ERR_INVALID_KEY, "key = %d has no value", key);
    }
    if (size != NULL) {
        *size = found->size;
    }
    if (value != NULL) {
        *value = found->value;
    }
    return TAPP_SUCCESS;
}

TAPP_error TAPP_clear_attr(TAPP_attr attr, TAPP_key key) {
    attr_list *list;
    TAPP_FIND(list, TAPP_KIND_ATTR, attr, "attr");
    entry **at = find_entry(list, key);
    if (*at == NULL) {
        return tapp_fail(TAPP_ERR_INVALID_KEY, "key = %d has no value", key);
    }
    remove_entry(at);
    return TAPP_SUCCESS;
}

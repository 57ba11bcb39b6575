/*
 * Handles: not addresses but places in a table, with the kind of the object and a number that each
 * object in a place raises, so that a wrong or stale handle is found without touching memory that
 * is not ours.
 */
#include <stdlib.h>

#include "host/tapp/object.h"

/* Bits of a handle, from the lowest: kind, place, number. */
enum { KIND_BITS = 3, PLACE_BITS = 22, CHUNK_BITS = 10 };
enum { CHUNK = 1 << CHUNK_BITS, CHUNKS = 1 << (PLACE_BITS - CHUNK_BITS) };

typedef struct place {
    _Atomic uintptr_t handle; /* 0: free */
    void *_Atomic object;
    uintptr_t number; /* of the last object here */
    uint32_t next;    /* of the free places, plus 1 */
} place;

/* Chunks are made as needed and never move or end, so that finding an object takes no lock. */
static place *_Atomic chunks[CHUNKS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t places, first_free; /* first_free: plus 1 */

static place *place_at(uint32_t index) {
    place *chunk = atomic_load(&chunks[index >> CHUNK_BITS]);
    return chunk != NULL ? &chunk[index & (CHUNK - 1)] : NULL;
}

/* A free place's index plus 1; 0 if there is none. */
static uint32_t take_place(void) {
    if (first_free != 0) {
        const uint32_t index = first_free;
        first_free = place_at(index - 1)->next;
        return index;
    }
    if (places == (uint32_t)CHUNK * CHUNKS) {
        return 0;
    }
    if (places % CHUNK == 0) {
        place *chunk = calloc(CHUNK, sizeof *chunk);
        if (chunk == NULL) {
            return 0;
        }
        atomic_store(&chunks[places >> CHUNK_BITS], chunk);
    }
    return ++places;
}

intptr_t tapp_object_add(tapp_kind kind, void *object) {
    uintptr_t handle = 0;
    pthread_mutex_lock(&lock);
    const uint32_t index = take_place();
    if (index != 0) {
        place *p = place_at(index - 1);
        handle = (++p->number << PLACE_BITS | (index - 1)) << KIND_BITS | (uintptr_t)kind;
        atomic_store(&p->object, object);
        atomic_store(&p->handle, handle);
    }
    pthread_mutex_unlock(&lock);
    return (intptr_t)handle;
}

static place *find_place(tapp_kind kind, intptr_t handle) {
    const uintptr_t bits = (uintptr_t)handle;
    place *p = place_at((uint32_t)(bits >> KIND_BITS & ((1u << PLACE_BITS) - 1)));
    return (bits & ((1u << KIND_BITS) - 1)) == (uintptr_t)kind && p != NULL &&
                   atomic_load(&p->handle) == bits
               ? p
               : NULL;
}

void *tapp_object_find(tapp_kind kind, intptr_t handle) {
    place *p = find_place(kind, handle);
    return p != NULL ? atomic_load(&p->object) : NULL;
}

void *tapp_object_remove(tapp_kind kind, intptr_t handle) {
    void *object = NULL;
    pthread_mutex_lock(&lock);
    place *p = find_place(kind, handle);
    if (p != NULL) {
        object = atomic_load(&p->object);
        atomic_store(&p->handle, 0);
        p->next = first_free;
        first_free = (uint32_t)((uintptr_t)handle >> KIND_BITS & ((1u << PLACE_BITS) - 1)) + 1;
    }
    pthread_mutex_unlock(&lock);
    return object;
}

/*
 * A pool of threads that run numbered blocks. The caller works too, so a pool of one thread starts
 * none. Blocks are taken from a counter: which thread runs a block is not determined, what a block
 * computes is.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "host/internal.h"

typedef struct gm_worker {
    gm_pool *pool;
    pthread_t thread;
    int32_t index;
} gm_worker;

struct gm_pool {
    int32_t threads; /* the caller included */
    gm_worker *workers;
    pthread_mutex_t lock;
    pthread_cond_t work_ready, work_done;
    uint64_t generation; /* counts the calls of gm_parallel_for */
    int32_t busy;
    bool stopping;
    void (*body)(void *, int64_t, int32_t);
    void *argument;
    int64_t blocks;
    atomic_llong next_block;
};

static void run_blocks(gm_pool *pool, int32_t thread) {
    for (;;) {
        const int64_t block = atomic_fetch_add_explicit(&pool->next_block, 1, memory_order_relaxed);
        if (block >= pool->blocks) {
            return;
        }
        pool->body(pool->argument, block, thread);
    }
}

static void *worker_main(void *argument) {
    const gm_worker *worker = argument;
    gm_pool *pool = worker->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->generation == seen && !pool->stopping) {
            pthread_cond_wait(&pool->work_ready, &pool->lock);
        }
        if (pool->stopping) {
            break;
        }
        seen = pool->generation;
        pthread_mutex_unlock(&pool->lock);
        run_blocks(pool, worker->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0) {
            pthread_cond_signal(&pool->work_done);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

gm_pool *gm_pool_create(int32_t threads) {
    gm_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return NULL;
    }
    pool->workers = calloc((size_t)threads, sizeof *pool->workers);
    if (pool->workers == NULL) {
        free(pool);
        return NULL;
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work_ready, NULL);
    pthread_cond_init(&pool->work_done, NULL);
    pool->threads = 1;
    for (int32_t i = 1; i < threads; ++i) {
        gm_worker *worker = &pool->workers[i];
        *worker = (gm_worker){.pool = pool, .index = i};
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
            break; /* fewer threads than asked for still give the same results */
        }
        pool->threads = i + 1;
    }
    return pool;
}

void gm_pool_destroy(gm_pool *pool) {
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);
    for (int32_t i = 1; i < pool->threads; ++i) {
        pthread_join(pool->workers[i].thread, NULL);
    }
    pthread_cond_destroy(&pool->work_ready);
    pthread_cond_destroy(&pool->work_done);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

int32_t gm_pool_threads(const gm_pool *pool) {
    return pool->threads;
}

void gm_parallel_for(gm_pool *pool, int64_t blocks,
                     void (*body)(void *argument, int64_t block, int32_t thread), void *argument) {
    if (pool->threads == 1 || blocks <= 1) {
        for (int64_t block = 0; block < blocks; ++block) {
            body(argument, block, 0);
        }
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->body = body;
    pool->argument = argument;
    pool->blocks = blocks;
    atomic_store_explicit(&pool->next_block, 0, memory_order_relaxed);
    pool->busy = pool->threads - 1;
    ++pool->generation;
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);
    run_blocks(pool, 0);
    pthread_mutex_lock(&pool->lock);
    while (pool->busy > 0) {
        pthread_cond_wait(&pool->work_done, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
}

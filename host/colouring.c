/* Two colours where they suffice, else DSATUR. */
#include "host/colouring.h"

#include <stdlib.h>

static bool is_free(const gm_adjacency *g, int32_t site) {
    return g->clamped == NULL || g->clamped[site] == 0;
}

/* Two colours by walks from the lowest sites on; false if there is an odd cycle. */
static bool colour_bipartite(const gm_adjacency *g, int32_t *colour, int32_t *queue) {
    for (int32_t i = 0; i < g->sites; ++i) {
        colour[i] = -1;
    }
    for (int32_t start = 0; start < g->sites; ++start) {
        if (colour[start] >= 0 || !is_free(g, start)) {
            continue;
        }
        int32_t head = 0, tail = 0;
        colour[start] = 0;
        queue[tail++] = start;
        while (head < tail) {
            const int32_t i = queue[head++];
            for (int32_t k = g->first[i]; k < g->first[i + 1]; ++k) {
                const int32_t j = g->neighbour[k];
                if (!is_free(g, j)) {
                    continue;
                }
                if (colour[j] == colour[i]) {
                    return false;
                }
                if (colour[j] < 0) {
                    colour[j] = 1 - colour[i];
                    queue[tail++] = j;
                }
            }
        }
    }
    return true;
}

/* A site that waits for its colour, as it was when it was put into the heap. */
typedef struct waiting {
    int32_t saturation, degree, site;
} waiting;

static bool goes_before(const waiting *a, const waiting *b) {
    return a->saturation != b->saturation ? a->saturation > b->saturation
           : a->degree != b->degree       ? a->degree > b->degree
                                          : a->site < b->site;
}

static void push(waiting *heap, int64_t *size, waiting item) {
    int64_t at = (*size)++;
    for (; at > 0 && goes_before(&item, &heap[(at - 1) / 2]); at = (at - 1) / 2) {
        heap[at] = heap[(at - 1) / 2];
    }
    heap[at] = item;
}

static waiting pop(waiting *heap, int64_t *size) {
    const waiting top = heap[0], item = heap[--*size];
    int64_t at = 0;
    for (int64_t child; (child = 2 * at + 1) < *size; at = child) {
        child += child + 1 < *size && goes_before(&heap[child + 1], &heap[child]);
        if (!goes_before(&heap[child], &item)) {
            break;
        }
        heap[at] = heap[child];
    }
    heap[at] = item;
    return top;
}

/* How many of the neighbours of site have the colour. */
static int32_t count_colour(const gm_adjacency *g, const int32_t *colour, int32_t site,
                            int32_t wanted) {
    int32_t count = 0;
    for (int32_t k = g->first[site]; k < g->first[site + 1]; ++k) {
        count += colour[g->neighbour[k]] == wanted;
    }
    return count;
}

/* The lowest colour that no neighbour has. seen: (sites) scratch, no entry equal to site. */
static int32_t lowest_colour(const gm_adjacency *g, const int32_t *colour, int32_t site,
                             int32_t *seen) {
    for (int32_t k = g->first[site]; k < g->first[site + 1]; ++k) {
        const int32_t c = colour[g->neighbour[k]];
        if (c >= 0) {
            seen[c] = site;
        }
    }
    int32_t lowest = 0;
    while (seen[lowest] == site) {
        ++lowest;
    }
    return lowest;
}

/*
 * DSATUR: next is the site whose neighbours have the most colours, of these the one with the most
 * neighbours, of these the lowest. heap: (sites + neighbours); saturation, seen: (sites + 1).
 */
static void colour_by_saturation(const gm_adjacency *g, int32_t *colour, waiting *heap,
                                 int32_t *saturation, int32_t *seen) {
    int64_t size = 0;
    for (int32_t i = 0; i < g->sites; ++i) {
        saturation[i] = 0;
        seen[i] = -1;
        colour[i] = -1;
        if (is_free(g, i)) {
            push(heap, &size, (waiting){0, g->first[i + 1] - g->first[i], i});
        }
    }
    seen[g->sites] = -1;
    while (size > 0) {
        const waiting next = pop(heap, &size);
        const int32_t i = next.site;
        if (colour[i] >= 0 || next.saturation != saturation[i]) {
            continue;
        }
        colour[i] = lowest_colour(g, colour, i, seen);
        for (int32_t k = g->first[i]; k < g->first[i + 1]; ++k) {
            const int32_t j = g->neighbour[k];
            if (colour[j] < 0 && is_free(g, j) && count_colour(g, colour, j, colour[i]) == 1) {
                push(heap, &size, (waiting){++saturation[j], g->first[j + 1] - g->first[j], j});
            }
        }
    }
}

gm_status gm_colour_sites(gm_context *context, const gm_adjacency *graph, int32_t *colour,
                          int32_t *scratch) {
    if (colour_bipartite(graph, colour, scratch)) {
        return GM_STATUS_OK;
    }
    const size_t sites = (size_t)graph->sites, ends = (size_t)graph->first[graph->sites];
    waiting *heap = malloc((sites + ends) * sizeof *heap);
    int32_t *counts = malloc(2 * (sites + 1) * sizeof *counts);
    if (heap != NULL && counts != NULL) {
        colour_by_saturation(graph, colour, heap, counts, counts + sites + 1);
    }
    free(counts);
    free(heap);
    GM_CHECK(context, heap != NULL && counts != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory for a plan");
    return GM_STATUS_OK;
}

gm_status gm_count_colours(gm_context *context, const int32_t *colour, int32_t sites,
                           int32_t *colours, int32_t **count) {
    *colours = 0;
    for (int32_t i = 0; i < sites; ++i) {
        *colours = colour[i] >= *colours ? colour[i] + 1 : *colours;
    }
    *count = calloc((size_t)*colours + 1, sizeof **count);
    GM_CHECK(context, *count != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    for (int32_t i = 0; i < sites; ++i) {
        (*count)[colour[i] < 0 ? *colours : colour[i]] += 1;
    }
    return GM_STATUS_OK;
}

void gm_place_colours(int32_t *count, int32_t colours, int32_t multiple, int32_t *range) {
    int32_t start = 0;
    for (int32_t c = 0; c <= colours; ++c) {
        const int32_t sites = count[c];
        count[c] = start;
        if (c < colours) {
            range[2 * c] = start;
            range[2 * c + 1] = start + sites;
            start += (sites + multiple - 1) / multiple * multiple;
        }
    }
}

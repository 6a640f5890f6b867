// A skip list (Pugh 1990): each node stands in a chain per level; a coin decides how many.
#include "store/memory/ordered.h"

#include <stdlib.h>

enum { LEVELS = 20 };

struct ordered_node {
    void *value;
    struct slice partition;
    struct slice key;
    unsigned height;
    struct ordered_node *next[]; // height of them, then the bytes of partition and key
};

static struct ordered_node *node_new(unsigned height, struct slice partition, struct slice key)
{
    size_t links = height * sizeof(struct ordered_node *);
    struct ordered_node *node = calloc(1, sizeof *node + links + partition.len + key.len);
    if (node == NULL)
        return NULL;
    uint8_t *bytes = (uint8_t *)node + sizeof *node + links;
    if (partition.len > 0)
        memcpy(bytes, partition.at, partition.len);
    if (key.len > 0)
        memcpy(bytes + partition.len, key.at, key.len);
    node->height = height;
    node->partition = slice_of(bytes, partition.len);
    node->key = slice_of(bytes + partition.len, key.len);
    return node;
}

struct err ordered_init(struct ordered *o)
{
    *o = (struct ordered){.head = node_new(LEVELS, (struct slice){0}, (struct slice){0}),
                          .coin = 0x9e3779b97f4a7c15};
    return o->head == NULL ? FAIL(ERR_NO_MEMORY) : OK;
}

void ordered_release(struct ordered *o)
{
    if (o == NULL || o->head == NULL)
        return;
    INVARIANT(o->head->next[0] == NULL);
    free(o->head);
    o->head = NULL;
}

static int compare(const struct ordered_node *node, struct slice partition, struct slice key)
{
    int c = slice_compare(node->partition, partition);
    return c != 0 ? c : slice_compare(node->key, key);
}

// The last node before the place, on each level.
static void find_before(const struct ordered *o, struct slice partition, struct slice key,
                        struct ordered_node *before[LEVELS])
{
    struct ordered_node *at = o->head;
    for (unsigned level = LEVELS; level-- > 0;) {
        while (at->next[level] != NULL && compare(at->next[level], partition, key) < 0)
            at = at->next[level];
        before[level] = at;
    }
}

struct ordered_node *ordered_find(const struct ordered *o, struct slice partition, struct slice key)
{
    struct ordered_node *node = ordered_after(o, partition, key, true);
    return node != NULL && compare(node, partition, key) == 0 ? node : NULL;
}

struct ordered_node *ordered_after(const struct ordered *o, struct slice partition, struct slice key,
                                   bool or_at)
{
    struct ordered_node *before[LEVELS];
    find_before(o, partition, key, before);
    struct ordered_node *node = before[0]->next[0];
    if (!or_at && node != NULL && compare(node, partition, key) == 0)
        node = node->next[0];
    return node;
}

struct ordered_node *ordered_next(const struct ordered_node *node)
{
    return node->next[0];
}

static unsigned toss(struct ordered *o)
{
    o->coin ^= o->coin << 13; // xorshift64
    o->coin ^= o->coin >> 7;
    o->coin ^= o->coin << 17;
    unsigned height = 1;
    for (uint64_t bits = o->coin; (bits & 3) == 0 && height < LEVELS; bits >>= 2)
        height++;
    return height;
}

struct err ordered_insert(struct ordered *o, struct slice partition, struct slice key,
                          struct ordered_node **out)
{
    struct ordered_node *before[LEVELS];
    find_before(o, partition, key, before);
    struct ordered_node *node = node_new(toss(o), partition, key);
    if (node == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (unsigned level = 0; level < node->height; level++) {
        node->next[level] = before[level]->next[level];
        before[level]->next[level] = node;
    }
    *out = node;
    return OK;
}

void ordered_remove(struct ordered *o, struct ordered_node *node)
{
    struct ordered_node *before[LEVELS];
    find_before(o, node->partition, node->key, before);
    for (unsigned level = 0; level < node->height; level++)
        before[level]->next[level] = node->next[level];
    free(node);
}

void **ordered_value(struct ordered_node *node)
{
    return &node->value;
}

struct slice ordered_partition(const struct ordered_node *node)
{
    return node->partition;
}

struct slice ordered_key(const struct ordered_node *node)
{
    return node->key;
}

// Query texts: whatever is parsed keeps to its bounds, and evaluating and checking it always ends.
#include "domain/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct query_value *value_of(void *context, struct slice path)
{
    static const struct query_value values[] = {{.kind = QUERY_INTEGER, .integer = 1},
                                                {.kind = QUERY_REAL, .real = 0.5},
                                                {.kind = QUERY_BOOLEAN, .boolean = true},
                                                {.kind = QUERY_TEXT, .text = {(const uint8_t *)"x", 1}}};
    (void)context;
    return path.len % 5 < 4 ? &values[path.len % 5] : NULL;
}

static bool known(void *context, struct slice path)
{
    (void)context;
    return path.len < 20;
}

static size_t count_nodes(const struct query_node *node)
{
    return node == NULL ? 0 : 1 + count_nodes(node->left) + count_nodes(node->right);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = arena_capped(65536);
    struct query query;
    struct why why;
    if (!failed(query_parse(&arena, slice_of(data, size), &query, &why))) {
        INVARIANT(count_nodes(query.where) <= QUERY_NODES_MAX);
        (void)query_matches(query.where, value_of, NULL);
        struct err e = query_check_paths(query.where, known, NULL, &why);
        (void)e;
    }
    arena_release(&arena);
    return 0;
}

// The memory store does what every store must do.
#include "store/memory/memory.h"

#include "store/conformance_test.h"

static struct err open_memory(struct conformance_factory *factory, size_t under_way_cap, struct store **out)
{
    (void)factory;
    return store_memory_new(&(struct store_memory_options){.under_way_cap = under_way_cap}, out, NULL);
}

static void close_memory(struct conformance_factory *factory, struct store *store)
{
    (void)factory;
    store_free(store);
}

int main(void)
{
    return store_conformance("store_memory", &(struct conformance_factory){open_memory, close_memory});
}

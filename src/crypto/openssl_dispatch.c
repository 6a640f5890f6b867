// Tables that end with a zero.
#include "crypto/openssl_dispatch.h"

#include <stddef.h>

dispatch_function dispatch_find(const OSSL_DISPATCH *table, int id)
{
    for (; table->function_id != 0; table++) {
        if (table->function_id == id)
            return table->function;
    }
    return NULL;
}

bool dispatch_copy_but(const OSSL_DISPATCH *table, int id, dispatch_function ours,
                       OSSL_DISPATCH out[DISPATCH_MAX])
{
    size_t i = 0;
    for (; table[i].function_id != 0; i++) {
        if (i == DISPATCH_MAX - 1)
            return false;
        out[i] = table[i];
        if (table[i].function_id == id)
            out[i].function = ours;
    }
    out[i] = (OSSL_DISPATCH){0, NULL};
    return true;
}

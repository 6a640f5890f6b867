// The tables of functions by which OpenSSL's providers offer their algorithms (provider-base(7)): for those
// files that replace one of the functions.
#pragma once

#include <openssl/core.h>
#include <stdbool.h>

enum { DISPATCH_MAX = 48 };

typedef void (*dispatch_function)(void);

// NULL when the table has none of this number.
dispatch_function dispatch_find(const OSSL_DISPATCH *table, int id);
// A copy of the table in which one function is ours; false when it has more than we have room for.
bool dispatch_copy_but(const OSSL_DISPATCH *table, int id, dispatch_function ours,
                       OSSL_DISPATCH out[DISPATCH_MAX]);

// For unit tests only: cmocka with the headers that it wants before it, and what the tests of all folders ask
// of slices.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/slice.h"

// The slice holds exactly this text.
static inline void assert_slice(struct slice have, const char *want)
{
    if (!slice_equal(have, slice_text(want)))
        fail_msg("have '%.*s', want '%s'", SLICE_ARG(have), want);
}

// A slice over a list of bytes.
#define BYTES(...) slice_of((const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

// What the tests of this folder share: cmocka and feeding.
#pragma once

#include "base/testing.h"
#include "wire/http/http.h"

// Feeds `step` bytes a time until there is something other than HTTP_MORE; *fed says how many bytes were
// taken.
static inline enum http_result feed(struct http_decoder *d, struct slice bytes, size_t step,
                                    struct http_request *out, size_t *fed, struct why *why)
{
    *fed = 0;
    while (*fed < bytes.len) {
        struct slice in = slice_to(slice_from(bytes, *fed), step);
        size_t given = in.len;
        enum http_result result = http_decode(d, &in, out, why);
        *fed += given - in.len;
        if (result != HTTP_MORE)
            return result;
        assert_int_equal(in.len, 0);
    }
    return HTTP_MORE;
}

// Decodes a text that must be exactly one request.
static inline void decode_text(struct http_decoder *d, const char *text, struct http_request *out)
{
    struct slice in = slice_text(text);
    struct why why = {0};
    http_decoder_init(d);
    if (http_decode(d, &in, out, &why) != HTTP_REQUEST)
        fail_msg("not a request: %s: %s", text, why.text);
    assert_int_equal(in.len, 0);
}

// SAS tokens: nothing that is parsed reaches outside the text, no fuzzer finds a signature, and what is
// signed again parses to the same token and verifies.
#include "crypto/sas.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct secret key = {.len = 32, .bytes = {1, 2, 3}};

static void sign_again(const struct sas_token *token)
{
    struct buf out = buf_capped(4 * SAS_TOKEN_MAX);
    struct sas_token again;
    struct why why;
    sas_sign(&out, token->resource, token->expiry_s, &key, (struct slice){0});
    INVARIANT(!failed(buf_err(&out)));
    // signing spells the time anew, without leading zeros, and adds at most 71 bytes to the resource
    if (out.len <= SAS_TOKEN_MAX) {
        INVARIANT(!failed(sas_parse(buf_slice(&out), &again, &why)));
        INVARIANT(slice_equal(again.resource, token->resource) && again.expiry_s == token->expiry_s);
        INVARIANT(!failed(sas_verify(&again, NULL, &key)));
    }
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = arena_capped(65536);
    struct sas_token token;
    struct slice policy;
    struct why why;
    if (!failed(sas_parse(slice_of(data, size), &token, &why))) {
        INVARIANT(token.expiry_s >= 0 && token.expiry_s <= SAS_EXPIRY_MAX);
        INVARIANT(sas_verify(&token, &key, NULL).code == ERR_SAS_SIGNATURE);
        struct err e = sas_resource_is(&token, &arena, SLICE("0ne1/registrations/d"), &why);
        struct err f = sas_resource_covers(&token, &arena, SLICE("localhost"), SLICE("devices/d"), &why);
        INVARIANT(!failed(e) || e.code == ERR_SAS_RESOURCE);
        INVARIANT(!failed(f) || f.code == ERR_SAS_RESOURCE);
        INVARIANT(!failed(e) ? failed(f) : true); // no resource is both
        e = sas_policy(&token, &arena, &policy, &why);
        INVARIANT(!failed(e) || e.code == ERR_SAS_MALFORMED);
        sign_again(&token);
    }
    arena_release(&arena);
    return 0;
}

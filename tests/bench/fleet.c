// Makes the certificates of a fleet, all below one issuer, and a TLS context for each.
#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>

static struct err make_one(const struct fleet *fleet, const char *prefix, long number, struct buf *chain,
                           struct buf *key, struct tls_context **out, struct why *why)
{
    char id[BENCH_NAME_MAX + 1];
    int len = snprintf(id, sizeof id, "%s%07ld", prefix, number);
    struct bench_spec spec = {
        .role = BENCH_DEVICE,
        .key = BENCH_EC,
        .common_name = slice_of(id, (size_t)len),
        .issuer_certificate = buf_slice(&fleet->issuer),
        .issuer_key = buf_slice(&fleet->issuer_key),
        .now_us = fleet->now_us,
    };
    buf_clear(chain);
    buf_clear(key);
    TRY(bench_make(&spec, chain, key, why));
    buf_bytes(chain, buf_slice(&fleet->issuer));
    TRY(buf_err(chain));
    struct tls_settings settings = {.client = true,
                                    .trusted_pem = buf_slice(&fleet->ca),
                                    .chain_pem = buf_slice(chain),
                                    .key_pem = buf_slice(key)};
    return tls_context_new(&settings, out, why);
}

bool fleet_make(struct fleet *fleet, const char *prefix, long first, long stride, long count, struct why *why)
{
    struct buf chain = buf_capped(BENCH_PEM_MAX);
    struct buf key = buf_capped(BENCH_PEM_MAX);
    fleet->contexts = calloc((size_t)count, sizeof(struct tls_context *));
    struct err e = fleet->contexts != NULL ? OK : FAIL(ERR_NO_MEMORY);
    for (long i = 0; i < count && !failed(e); i++)
        e = make_one(fleet, prefix, first + i * stride, &chain, &key, &fleet->contexts[i], why);
    buf_release(&chain);
    buf_release(&key);
    return !failed(e);
}

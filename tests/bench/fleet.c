#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>

static struct err make_one(struct fleet *fleet, long index, const char *prefix, long number, struct why *why)
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
    fleet->leaves[index] = buf_capped(BENCH_PEM_MAX);
    fleet->keys[index] = buf_capped(BENCH_PEM_MAX);
    TRY(bench_make(&spec, &fleet->leaves[index], &fleet->keys[index], why));
    buf_bytes(&fleet->leaves[index], buf_slice(&fleet->issuer));
    return buf_err(&fleet->leaves[index]);
}

bool fleet_make(struct fleet *fleet, const char *prefix, long first, long stride, long count, struct why *why)
{
    fleet->leaves = calloc((size_t)count, sizeof *fleet->leaves);
    fleet->keys = calloc((size_t)count, sizeof *fleet->keys);
    if (fleet->leaves == NULL || fleet->keys == NULL)
        return false;
    for (long i = 0; i < count; i++) {
        if (failed(make_one(fleet, i, prefix, first + i * stride, why)))
            return false;
    }
    fleet->count = count;
    return true;
}

struct err fleet_context(const struct fleet *fleet, long index, struct tls_context **out, struct why *why)
{
    struct tls_settings settings = {.client = true,
                                    .trusted_pem = buf_slice(&fleet->ca),
                                    .chain_pem = buf_slice(&fleet->leaves[index]),
                                    .key_pem = buf_slice(&fleet->keys[index])};
    return tls_context_new(&settings, out, why);
}

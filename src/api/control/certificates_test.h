// What the tests of CA certificates share, beside what all tests of this folder do: certificates made for the
// occasion. Each test program includes it once.
#pragma once

#include "api/control/control_test.h"

#include "base/text.h"
#include "crypto/bench_pki.h"
#include "crypto/possession.h"

#define ALL "/control/services/one/certificates"
#define CA  ALL "/Factory-CA"
#define ANY "If-Match: *\r\n"

// A certificate and its key, as PEM.
struct pair {
    struct buf certificate;
    struct buf key;
};
static struct pair factory, other;

static inline void make_pair(struct pair *pair, enum bench_role role, const char *name,
                             const struct pair *issuer, int days)
{
    struct why why = {0};
    *pair = (struct pair){buf_capped(BENCH_PEM_MAX), buf_capped(BENCH_PEM_MAX)};
    struct bench_spec spec = {.role = role,
                              .common_name = slice_text(name),
                              .path_len = BENCH_ANY_DEPTH,
                              .days = days,
                              .now_us = bench.now_us};
    if (issuer != NULL) {
        spec.issuer_certificate = buf_slice(&issuer->certificate);
        spec.issuer_key = buf_slice(&issuer->key);
    }
    if (failed(bench_make(&spec, &pair->certificate, &pair->key, &why)))
        fail_msg("%s", why.text);
}

static inline void release_pair(struct pair *pair)
{
    buf_release(&pair->certificate);
    buf_release(&pair->key);
}

static inline int start(void **state)
{
    (void)state;
    bench_start(&bench);
    put_services();
    open_area((struct control_api_settings){0});
    make_pair(&factory, BENCH_ROOT, "Factory CA", NULL, 0);
    make_pair(&other, BENCH_ROOT, "Other CA", NULL, 0);
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    release_pair(&factory);
    release_pair(&other);
    control_api_free(api);
    bench_stop(&bench);
    return 0;
}

// {"certificate":…,"isVerified":…}, to be freed.
static inline char *body_of(const struct pair *pair, bool verified)
{
    struct buf text = buf_capped(BENCH_PEM_MAX);
    struct json_writer w;
    json_begin(&w, &text);
    json_object_open(&w);
    json_field_text(&w, "certificate", buf_slice(&pair->certificate));
    if (verified)
        json_field_bool(&w, "isVerified", true);
    json_object_close(&w);
    buf_u8(&text, 0);
    assert_false(failed(buf_err(&text)));
    return (char *)text.at;
}

static inline unsigned upload(const char *path, const char *more, const struct pair *pair, bool verified,
                              struct reply *reply)
{
    char *body = body_of(pair, verified);
    unsigned status = bench_local(&bench, "PUT", path, more, body, reply);
    free(body);
    return status;
}

static inline const struct json *property(const struct reply *reply, const char *name)
{
    return json_get(json_get(json_root(&reply->json), "properties"), name);
}

static inline bool is_verified(const struct reply *reply)
{
    bool verified = false;
    assert_true(json_as_bool(property(reply, "isVerified"), &verified));
    return verified;
}

// "If-Match: …" with the etag of an answer.
struct condition {
    char text[128];
};
static inline struct condition if_match(const struct reply *reply)
{
    struct condition condition;
    (void)snprintf(condition.text, sizeof condition.text, "If-Match: %s\r\n", reply_text(reply, "etag"));
    return condition;
}

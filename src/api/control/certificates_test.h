// What the tests of CA certificates share: services "one" and "two" behind the area, and certificates made
// for the occasion. Each test program includes it once.
#pragma once

#include "api/control/control.h"

#include <stdio.h>

#include "api/fake_front_test.h"
#include "base/text.h"
#include "crypto/bench_pki.h"
#include "crypto/possession.h"
#include "json/json.h"

#define ALL "/control/services/one/certificates"
#define CA  ALL "/Factory-CA"
#define ANY "If-Match: *\r\n"

static struct bench bench;
static struct control_api *api;

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

static inline void settings_changed(void *context, struct directory_wait *done)
{
    directory_reload(((struct bench *)context)->directory, done);
}

static inline int start(void **state)
{
    (void)state;
    struct policy more[] = {{.name = SLICE("config"), .rights = RIGHT_SERVICE_CONFIG},
                            {.name = SLICE("rest"), .rights = RIGHT_ALL & ~RIGHT_SERVICE_CONFIG}};
    bench_start(&bench);
    bench_put_service(&bench, "one", "0neAAAAAAAA", more, 2);
    bench_put_service(&bench, "two", "0neBBBBBBBB", NULL, 0);
    bench_reload(&bench);
    struct control_api_settings settings = {.store = bench.client,
                                            .directory = bench.directory,
                                            .clock = &bench.clock,
                                            .random = &bench.random,
                                            .log = &bench.log,
                                            .version = "1.2.3",
                                            .context = &bench,
                                            .settings_changed = settings_changed};
    assert_false(failed(control_api_new(&settings, &api)));
    bench.area = control_http_area(api);
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

// The number of the error; 0 for an answer that is none.
static inline int64_t number_of(const char *method, const char *path, const char *more, const char *body)
{
    struct reply reply;
    unsigned got = bench_local(&bench, method, path, more, body, &reply);
    int64_t number = got < 300 ? 0 : reply_number(&reply, "errorCode");
    reply_release(&reply);
    return number;
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

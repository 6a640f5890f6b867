// What the tests of this folder share: a service "one" and a service "two" behind the area, and calls on
// "one". Each test program includes it once.
#pragma once

#include "api/service/service.h"

#include <stdio.h>

#include "api/fake_front_test.h"
#include "base/text.h"
#include "json/json.h"

#define VERSION   "?api-version=2021-10-01"
#define SYMMETRIC "\"attestation\":{\"type\":\"symmetricKey\"}"

static struct bench bench;
static struct service_api *api;

static inline int start(void **state)
{
    (void)state;
    bench_start(&bench);
    bench_put_service(&bench, "one", "0neAAAAAAAA", NULL, 0);
    bench_put_service(&bench, "two", "0neBBBBBBBB", NULL, 0);
    bench_reload(&bench);
    struct service_api_settings settings = {.store = bench.client,
                                            .directory = bench.directory,
                                            .clock = &bench.clock,
                                            .random = &bench.random,
                                            .log = &bench.log,
                                            .continuation_key = bench_key("continuation", "key", false)};
    assert_false(failed(service_api_new(&settings, &api)));
    bench.area = service_http_area(api);
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    service_api_free(api);
    bench_stop(&bench);
    return 0;
}

static inline unsigned call(const char *method, const char *path, const char *more, const char *body,
                            struct reply *reply)
{
    char target[512];
    (void)snprintf(target, sizeof target, "%s" VERSION, path);
    return bench_call(&bench, "one", method, target, more, body, reply);
}

// The number of the error, 0 for an answer that is none.
static inline int64_t number_of(const char *method, const char *path, const char *more, const char *body)
{
    struct reply reply;
    unsigned status = call(method, path, more, body, &reply);
    int64_t number = status < 300 ? 0 : reply_number(&reply, "errorCode");
    if (status >= 300)
        assert_int_equal(number / 1000, status);
    reply_release(&reply);
    return number;
}

static inline struct slice at2(const struct reply *reply, const char *first, const char *second,
                               const char *third)
{
    const struct json *value = json_get(json_get(json_root(&reply->json), first), second);
    return json_as_string(third != NULL ? json_get(value, third) : value);
}

// What the tests of this folder share: services "one" and "two" behind the area. Each test program includes
// it once.
#pragma once

#include "api/control/control.h"

#include <stdio.h>

#include "api/fake_front_test.h"
#include "json/json.h"

static struct bench bench;
static struct control_api *api;
static size_t reloads;

static inline void settings_changed(void *context, struct directory_wait *done)
{
    reloads++;
    directory_reload(((struct bench *)context)->directory, done);
}

static inline void put_services(void)
{
    struct policy more[] = {{.name = SLICE("config"), .rights = RIGHT_SERVICE_CONFIG},
                            {.name = SLICE("rest"), .rights = RIGHT_ALL & ~RIGHT_SERVICE_CONFIG}};
    bench_put_service(&bench, "one", "0neAAAAAAAA", more, 2);
    bench_put_service(&bench, "two", "0neBBBBBBBB", NULL, 0);
}

// Over what the store has by now; in the settings is only what the test itself brings.
static inline void open_area(struct control_api_settings settings)
{
    bench_reload(&bench);
    settings.store = bench.client;
    settings.directory = bench.directory;
    settings.clock = &bench.clock;
    settings.random = &bench.random;
    settings.log = &bench.log;
    settings.version = "1.2.3";
    settings.context = &bench;
    settings.settings_changed = settings_changed;
    assert_false(failed(control_api_new(&settings, &api)));
    bench.area = control_http_area(api);
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

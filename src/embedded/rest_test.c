// The hub's REST API, as operators' clients use it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "embedded/fake_front_test.h"

static int setup(void **state)
{
    *state = world_new();
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

#define KEYED(id)                                                                                            \
    "{\"deviceId\":\"" id "\",\"authentication\":{\"type\":\"sas\",\"symmetricKey\":{\"primaryKey\":\"\","   \
    "\"secondaryKey\":\"\"}}}"

static void make(struct world *w, const char *id)
{
    char path[200];
    (void)snprintf(path, sizeof path, "/devices/%s?api-version=2021-04-12", id);
    assert_int_equal(world_ask(w, (struct ask){.method = "PUT", .path = path, .body = "{}"})->status, 200);
}

static void assert_holds(const struct answer *a, const char *text)
{
    if (strstr(a->text, text) == NULL)
        fail_msg("%s is not in %u %s", text, a->status, a->text);
}

// Copies the value of "name":"…" out of a body.
static void value_of(const struct answer *a, const char *name, char *out, size_t room)
{
    char key[64];
    (void)snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *at = strstr(a->text, key);
    assert_non_null(at);
    at += strlen(key);
    (void)snprintf(out, room, "%.*s", (int)strcspn(at, "\""), at);
}

static void a_device_is_created_read_and_deleted(void **state)
{
    struct world *w = *state;
    struct answer *a =
        world_ask(w, (struct ask){.method = "PUT", .path = "/devices/dev1", .body = KEYED("dev1")});
    char key[80];
    assert_int_equal(a->status, 200);
    assert_holds(a, "\"connectionState\":\"Disconnected\"");
    value_of(a, "primaryKey", key, sizeof key);
    assert_int_equal(strlen(key), 44); // base64 of 32 bytes
    assert_int_equal(
        world_ask(w, (struct ask){.method = "PUT", .path = "/devices/dev1", .body = KEYED("dev1")})->code,
        ERR_HUB_DEVICE_EXISTS);
    a = world_ask(w, (struct ask){.method = "GET", .path = "/Devices/dev1/"});
    assert_holds(a, key);
    assert_int_equal(world_ask(w, (struct ask){.method = "GET", .path = "/devices/DEV1"})->code,
                     ERR_HUB_DEVICE_NOT_FOUND);
    assert_int_equal(world_ask(w, (struct ask){.method = "DELETE", .path = "/devices/dev1"})->code,
                     ERR_HUB_ARGUMENT);
    a = world_ask(w, (struct ask){.method = "DELETE", .path = "/devices/dev1", .if_match = "\"*\""});
    assert_int_equal(a->status, 204);
    assert_string_equal(a->text, "");
    a = world_ask(w, (struct ask){.method = "GET", .path = "/devices/dev1"});
    assert_int_equal(a->status, 404);
    assert_holds(a, "ErrorCode:DeviceNotFound;");
}

static void updating_needs_the_etag_that_is_there(void **state)
{
    struct world *w = *state;
    char etag[80];
    char quoted[84];
    char key[80];
    assert_int_equal(
        world_ask(w, (struct ask){.method = "PUT", .path = "/devices/d", .body = "{}", .if_match = "\"*\""})
            ->code,
        ERR_HUB_DEVICE_NOT_FOUND);
    struct answer *a = world_ask(w, (struct ask){.method = "PUT", .path = "/devices/d", .body = KEYED("d")});
    value_of(a, "etag", etag, sizeof etag);
    value_of(a, "primaryKey", key, sizeof key);
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", etag);
    struct ask ask = {
        .method = "PUT", .path = "/devices/d", .body = "{\"status\":\"disabled\"}", .if_match = quoted};
    a = world_ask(w, ask);
    assert_int_equal(a->status, 200);
    assert_holds(a, "\"status\":\"disabled\"");
    assert_holds(a, key); // a body without keys keeps them
    a = world_ask(w, ask);
    assert_int_equal(a->status, 412);
    assert_int_equal(a->code, ERR_HUB_ETAG);
    assert_int_equal(
        world_ask(w, (struct ask){.method = "DELETE", .path = "/devices/d", .if_match = quoted})->code,
        ERR_HUB_ETAG);
    ask.if_match = "*";
    assert_int_equal(world_ask(w, ask)->status, 200);
}

static void a_device_made_again_has_none_of_the_old_ones_etags(void **state)
{
    struct world *w = *state;
    char first[80];
    char second[80];
    value_of(world_ask(w, (struct ask){.method = "PUT", .path = "/devices/d", .body = "{}"}), "etag", first,
             80);
    assert_int_equal(
        world_ask(w, (struct ask){.method = "DELETE", .path = "/devices/d", .if_match = "*"})->status, 204);
    value_of(world_ask(w, (struct ask){.method = "PUT", .path = "/devices/d", .body = "{}"}), "etag", second,
             80);
    assert_string_not_equal(first, second);
}

// Every route with every default policy: what the policy's rights allow, and nothing else (threats D7).
static void each_policy_may_call_what_its_rights_name(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *method, *path, *body, *if_match;
        uint32_t rights;
    } calls[] = {
        {"GET", "/devices", NULL, NULL, HUB_REGISTRY_READ},
        {"GET", "/devices/d", NULL, NULL, HUB_REGISTRY_READ},
        {"GET", "/statistics/devices", NULL, NULL, HUB_REGISTRY_READ},
        {"GET", "/statistics/service", NULL, NULL, HUB_REGISTRY_READ | HUB_SERVICE_CONNECT},
        {"PUT", "/devices/d", "{}", "*", HUB_REGISTRY_WRITE},
        {"POST", "/devices", "[{\"id\":\"x\"}]", NULL, HUB_REGISTRY_WRITE},
        {"POST", "/devices/query", "{}", NULL, HUB_SERVICE_CONNECT},
        {"GET", "/twins/d", NULL, NULL, HUB_SERVICE_CONNECT},
        {"PATCH", "/twins/d", "{\"tags\":{\"a\":1}}", NULL, HUB_SERVICE_CONNECT},
        {"PUT", "/twins/d", "{}", NULL, HUB_SERVICE_CONNECT},
        {"POST", "/twins/d/methods", "{\"methodName\":\"m\"}", NULL, HUB_SERVICE_CONNECT},
        {"DELETE", "/devices/x", NULL, "*", HUB_REGISTRY_WRITE},
    };
    static const struct {
        const char *name;
        uint32_t rights;
    } policies[] = {
        {"registryRead", HUB_REGISTRY_READ},
        {"registryReadWrite", HUB_REGISTRY_READ | HUB_REGISTRY_WRITE},
        {"service", HUB_SERVICE_CONNECT},
        {"device", HUB_DEVICE_CONNECT},
    };
    make(w, "d");
    for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
        for (size_t p = 0; p < sizeof policies / sizeof policies[0]; p++) {
            struct answer *a = world_ask(w, (struct ask){.method = calls[c].method,
                                                         .path = calls[c].path,
                                                         .body = calls[c].body,
                                                         .if_match = calls[c].if_match,
                                                         .policy = policies[p].name});
            bool passed = a->status != 401;
            if (passed != ((calls[c].rights & policies[p].rights) != 0))
                fail_msg("%s %s as %s: %u %s", calls[c].method, calls[c].path, policies[p].name, a->status,
                         a->reason);
        }
    }
}

static void tokens_that_do_not_count_are_refused_alike(void **state)
{
    struct world *w = *state;
    const struct secret *owner = &world_policy(w, "iothubowner")->primary;
    const struct secret *second = &world_policy(w, "iothubowner")->secondary;
    const struct secret *other = &world_policy(w, "service")->primary;
    const struct {
        const char *token;
        bool counts;
    } table[] = {
        {"", false},
        {"Bearer abc", false},
        {"SharedAccessSignature sr=hub.local", false},
        {world_token(w, "hub.local", NOW_S + 60, owner, "iothubowner"), true},
        {world_token(w, "HUB.local%3a8884", NOW_S + 60, second, "IoTHubOwner"), true},
        {world_token(w, "hub.local%3A8884%2Fdevices", NOW_S + 60, owner, "iothubowner"), true},
        {world_token(w, "hub.local%2Fdevices%2Fd", NOW_S + 60, owner, "iothubowner"), true},
        {world_token(w, "hub.local%2Fdevices%2FD", NOW_S + 60, owner, "iothubowner"),
         false}, // another device
        {world_token(w, "hub.local%2Ftwins", NOW_S + 60, owner, "iothubowner"), false},
        {world_token(w, "hub.local%2Fdev", NOW_S + 60, owner, "iothubowner"), false},
        {world_token(w, "other.local", NOW_S + 60, owner, "iothubowner"), false},
        {world_token(w, "hub.local", NOW_S + 60, other, "iothubowner"), false},
        {world_token(w, "hub.local", NOW_S + 60, owner, NULL), false},
        {world_token(w, "hub.local", NOW_S + 60, owner, "nobody"), false},
        {world_token(w, "hub.local", NOW_S - 200, owner, "iothubowner"), true}, // clocks differ
        {world_token(w, "hub.local", NOW_S - 400, owner, "iothubowner"), false},
    };
    make(w, "d");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct answer *a = world_ask(
            w, (struct ask){.method = "GET", .path = "/devices/d", .authorization = table[i].token});
        if ((a->status == 200) != table[i].counts)
            fail_msg("token %zu: %u %s", i, a->status, a->reason);
        if (table[i].counts)
            continue;
        assert_int_equal(a->code, ERR_HUB_CALLER);
        assert_holds(a, "ErrorCode:IotHubUnauthorizedAccess;Unauthorized\"");
    }
    assert_int_equal(world_ask(w, (struct ask){.method = "GET", .path = "/devices/d", .local = true})->status,
                     200);
}

static void what_is_not_in_the_table_is_refused(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *method, *path;
        uint32_t code;
    } table[] = {
        {"PATCH", "/devices/d", ERR_METHOD},
        {"DELETE", "/devices", ERR_METHOD},
        {"POST", "/twins/d", ERR_METHOD},
        {"GET", "/twins", ERR_ROUTE},
        {"GET", "/devices/d/modules", ERR_ROUTE},
        {"GET", "/statistics/everything", ERR_ROUTE},
        {"GET", "/devices/a%20b", ERR_HUB_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(world_ask(w, (struct ask){.method = table[i].method, .path = table[i].path})->code,
                         table[i].code);
}

static void bodies_that_are_wrong_are_refused_with_a_reason(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *method, *path, *body, *why;
    } table[] = {
        {"PUT", "/devices/d", "{", "line"},
        {"PUT", "/devices/d", NULL, "object"},
        {"PUT", "/devices/d", "{\"deviceId\":\"e\"}", "deviceId"},
        {"POST", "/devices", "{}", "array"},
        {"POST", "/devices", "[]", "1 to 100"},
        {"POST", "/devices/query", "{\"query\":\"SELECT * FROM jobs\"}", "devices"},
        {"POST", "/devices/query", "{\"query\":\"SELECT * FROM devices WHERE\"}", ""},
        {"POST", "/devices/query", "{\"query\":7}", "query"},
        {"PATCH", "/twins/d", "{\"tags\":[]}", "tags"},
        {"PATCH", "/twins/d", "{\"properties\":{\"desired\":{\"a.b\":1}}}", "a.b"},
        {"POST", "/twins/d/methods", "{}", "methodName"},
        {"POST", "/twins/d/methods", "{\"methodName\":\"a/b\"}", "methodName"},
        {"POST", "/twins/d/methods", "{\"methodName\":\"m\",\"responseTimeoutInSeconds\":4}",
         "responseTimeout"},
        {"POST", "/twins/d/methods", "{\"methodName\":\"m\",\"responseTimeoutInSeconds\":301}",
         "responseTimeout"},
    };
    make(w, "d");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct answer *a = world_ask(
            w, (struct ask){.method = table[i].method, .path = table[i].path, .body = table[i].body});
        if (a->status != 400 || strstr(a->reason, table[i].why) == NULL)
            fail_msg("%s %s %s: %u %s", table[i].method, table[i].path, table[i].body, a->status, a->reason);
    }
}

static void twins_are_patched_and_replaced_under_their_etag(void **state)
{
    struct world *w = *state;
    make(w, "d");
    struct answer *a =
        world_ask(w, (struct ask){.method = "PATCH",
                                  .path = "/twins/d",
                                  .if_match = "\"AAAAAAAAAAE=\"",
                                  .body = "{\"tags\":{\"t\":1},\"properties\":{\"desired\":{\"d\":2}}}"});
    assert_int_equal(a->status, 200);
    assert_holds(a, "\"tags\":{\"t\":1}");
    assert_holds(a, "\"desired\":{\"d\":2,\"$metadata\"");
    assert_holds(a, "\"etag\":\"AAAAAAAAAAI=\"");
    a = world_ask(
        w, (struct ask){.method = "PATCH", .path = "/twins/d", .if_match = "\"AAAAAAAAAAE=\"", .body = "{}"});
    assert_int_equal(a->code, ERR_HUB_ETAG);
    a = world_ask(w, (struct ask){.method = "PUT", .path = "/twins/d", .body = "{\"tags\":{\"u\":3}}"});
    assert_holds(a, "\"tags\":{\"u\":3}");
    assert_holds(a, "\"desired\":{\"$metadata\"");
    a = world_ask(w, (struct ask){.method = "GET", .path = "/twins/d"});
    assert_holds(a, "\"tags\":{\"u\":3}");
    assert_int_equal(world_ask(w, (struct ask){.method = "GET", .path = "/twins/e"})->code,
                     ERR_HUB_DEVICE_NOT_FOUND);
}

static void changes_at_the_same_time_are_all_kept(void **state)
{
    struct world *w = *state;
    struct answer *answers[6];
    char part[64];
    make(w, "d");
    for (size_t i = 0; i < 6; i++) {
        char body[64];
        (void)snprintf(body, sizeof body, "{\"tags\":{\"t%zu\":%zu}}", i, i);
        answers[i] = world_ask(
            w, (struct ask){
                   .loop = i % LOOPS, .method = "PATCH", .path = "/twins/d", .body = body, .no_wait = true});
    }
    for (size_t i = 0; i < 6; i++) {
        world_pump(w, &answers[i]->done);
        assert_int_equal(answers[i]->status, 200);
    }
    struct answer *a = world_ask(w, (struct ask){.method = "GET", .path = "/twins/d"});
    for (size_t i = 0; i < 6; i++) {
        (void)snprintf(part, sizeof part, "\"t%zu\":%zu", i, i);
        assert_holds(a, part);
    }
    assert_holds(a, "\"etag\":\"AAAAAAAAAAc=\"");
}

static void queries_come_in_pages_that_end(void **state)
{
    struct world *w = *state;
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    char continuation[256] = "";
    size_t seen = 0;
    for (size_t i = 0; i < 5; i++)
        make(w, ids[i]);
    for (int page = 0; page < 3; page++) {
        struct answer *a =
            world_ask(w, (struct ask){.method = "POST",
                                      .path = "/devices/query?api-version=2021-04-12",
                                      .body = "{\"query\":\"SELECT * FROM devices\"}",
                                      .count = "2",
                                      .continuation = continuation[0] != '\0' ? continuation : NULL});
        assert_int_equal(a->status, 200);
        assert_string_equal(a->item_type, "twin");
        for (size_t i = 0; i < 5; i++) {
            char text[32];
            (void)snprintf(text, sizeof text, "\"deviceId\":\"%s\"", ids[i]);
            bool here = strstr(a->text, text) != NULL;
            assert_int_equal(here, i / 2 == (size_t)page);
            seen += here;
        }
        assert_null(strstr(a->text, "primaryKey")); // twins hold no keys
        assert_int_equal(a->continuation[0] != '\0', page < 2);
        memcpy(continuation, a->continuation, sizeof continuation);
    }
    assert_int_equal(seen, 5);
    assert_int_equal(
        world_ask(w, (struct ask){.method = "POST", .path = "/devices/query", .continuation = "!"})->code,
        ERR_HUB_ARGUMENT);
    assert_int_equal(
        world_ask(w, (struct ask){.method = "POST", .path = "/devices/query", .count = "0"})->code,
        ERR_HUB_ARGUMENT);
}

static void queries_have_conditions_on_tags_and_status(void **state)
{
    struct world *w = *state;
    make(w, "a");
    make(w, "b");
    assert_int_equal(
        world_ask(w,
                  (struct ask){.method = "PATCH", .path = "/twins/b", .body = "{\"tags\":{\"site\":\"x\"}}"})
            ->status,
        200);
    struct answer *a =
        world_ask(w, (struct ask){.method = "POST",
                                  .path = "/devices/query",
                                  .body = "{\"query\":\"select * from devices where tags.site = 'x'\"}"});
    assert_holds(a, "\"deviceId\":\"b\"");
    assert_null(strstr(a->text, "\"deviceId\":\"a\""));
    a = world_ask(w, (struct ask){.method = "GET", .path = "/devices?top=1&api-version=2024-03-31"});
    assert_holds(a, "\"deviceId\":\"a\"");
    assert_holds(a, "primaryKey");
    assert_null(strstr(a->text, "\"deviceId\":\"b\""));
}

static void statistics_count_devices_by_status(void **state)
{
    struct world *w = *state;
    make(w, "a");
    make(w, "b");
    assert_int_equal(world_ask(w, (struct ask){.method = "PUT",
                                               .path = "/devices/b",
                                               .if_match = "*",
                                               .body = "{\"status\":\"disabled\"}"})
                         ->status,
                     200);
    struct answer *a = world_ask(w, (struct ask){.method = "GET", .path = "/statistics/devices"});
    assert_string_equal(a->text,
                        "{\"totalDeviceCount\":2,\"enabledDeviceCount\":1,\"disabledDeviceCount\":1}");
    a = world_ask(w, (struct ask){.method = "GET", .path = "/statistics/service"});
    assert_string_equal(a->text, "{\"connectedDeviceCount\":0}");
}

static void bulk_modes_do_what_their_names_say(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *mode, *more;
        bool there, works;
        const char *error;
    } table[] = {
        {"create", "", false, true, NULL},
        {"Create", "", true, false, "DeviceAlreadyExists"},
        {"createOrUpdate", "", false, true, NULL},
        {"createOrUpdate", "", true, true, NULL},
        {"update", "", true, true, NULL},
        {"update", "", false, false, "DeviceNotFound"},
        {"updateIfMatchETag", ",\"eTag\":\"AAAA\"", true, false, "PreconditionFailed"},
        {"updateIfMatchETag", ",\"eTag\":\"*\"", true, true, NULL},
        {"createOrUpdateIfMatchETag", ",\"eTag\":\"AAAA\"", true, false, "PreconditionFailed"},
        {"createOrUpdateIfMatchETag", "", false, true, NULL},
        {"Delete", "", true, true, NULL},
        {"delete", "", false, false, "DeviceNotFound"},
        {"deleteIfMatchETag", ",\"eTag\":\"AAAA\"", true, false, "PreconditionFailed"},
        {"updateTwin", ",\"tags\":{\"a\":1}", true, true, NULL},
        {"updateTwin", ",\"tags\":{\"a\":1}", false, false, "DeviceNotFound"},
        {"updateTwinIfMatchETag", ",\"twinETag\":\"AAAAAAAAAAE=\"", true, true, NULL},
        {"updateTwinIfMatchETag", ",\"twinETag\":\"AAAAAAAAAAI=\"", true, false, "PreconditionFailed"},
        {"explode", "", true, false, "ArgumentInvalid"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char id[16];
        char body[256];
        (void)snprintf(id, sizeof id, "bulk%zu", i);
        if (table[i].there)
            make(w, id);
        (void)snprintf(body, sizeof body, "[{\"id\":\"%s\",\"importMode\":\"%s\"%s}]", id, table[i].mode,
                       table[i].more);
        struct answer *a = world_ask(w, (struct ask){.method = "POST", .path = "/devices", .body = body});
        if (table[i].works != (a->status == 200) ||
            (!table[i].works && strstr(a->text, table[i].error) == NULL))
            fail_msg("%s (%s): %u %s", table[i].mode, table[i].there ? "there" : "absent", a->status,
                     a->text);
        assert_holds(a, table[i].works ? "\"isSuccessful\":true" : "\"isSuccessful\":false");
    }
}

// The way in which a provisioning service brings a device from another hub (service-api H.3).
static void a_device_from_elsewhere_brings_what_it_reported(void **state)
{
    struct world *w = *state;
    static const char item[] = "[{\"id\":\"d\",\"importMode\":\"updateTwin\",\"properties\":{\"reported\":"
                               "{\"fan\":900}}}]";
    struct ask import = {.method = "POST", .path = "/devices", .body = item};
    for (int i = 0; i < 2; i++) { // an identity that is made again begins anew
        make(w, "d");
        assert_holds(world_ask(w, import), "\"isSuccessful\":true");
        struct answer *a = world_ask(
            w, (struct ask){.method = "PUT",
                            .path = "/twins/d",
                            .if_match = "*",
                            .body = "{\"tags\":{\"t\":1},\"properties\":{\"desired\":{\"e\":60}}}"});
        assert_int_equal(a->status, 200);
        assert_holds(a, "\"reported\":{\"fan\":900,");
        assert_holds(a, "\"$version\":2}},\"capabilities\"");
        assert_holds(a, "\"desired\":{\"e\":60,");
        assert_int_equal(
            world_ask(w, (struct ask){.method = "DELETE", .path = "/devices/d", .if_match = "*"})->status,
            204);
    }
    make(w, "d");
    struct answer *fresh = world_ask(w, (struct ask){.method = "GET", .path = "/twins/d"});
    assert_holds(fresh, "\"tags\":{}");
    assert_holds(fresh, "\"reported\":{\"$metadata\"");
    assert_holds(fresh, "\"$version\":1}},\"capabilities\"");
    import.body = "[{\"id\":\"d\",\"importMode\":\"updateTwin\",\"tags\":{\"t\":2},\"properties\":"
                  "{\"reported\":{\"a.b\":1}}}]";
    assert_holds(world_ask(w, import), "\"isSuccessful\":false");
    fresh = world_ask(w, (struct ask){.method = "GET", .path = "/twins/d"});
    assert_holds(fresh, "\"tags\":{}"); // all of an item or nothing
}

static void one_bad_item_does_not_stop_the_others(void **state)
{
    struct world *w = *state;
    struct answer *a = world_ask(
        w, (struct ask){.method = "POST",
                        .path = "/devices",
                        .body = "[{\"id\":\"a\"},{\"id\":\"b b\"},7,{\"id\":\"c\",\"tags\":{\"t\":1},"
                                "\"properties\":{\"reported\":{\"r\":1}}}]"});
    assert_int_equal(a->status, 400);
    assert_holds(a, "\"deviceId\":\"b b\",\"errorCode\":\"ArgumentInvalid\"");
    assert_int_equal(world_ask(w, (struct ask){.method = "GET", .path = "/devices/a"})->status, 200);
    a = world_ask(w, (struct ask){.method = "GET", .path = "/twins/c"});
    assert_holds(a, "\"tags\":{\"t\":1}");
    assert_holds(a, "\"reported\":{\"r\":1,");
}

static void a_method_needs_a_device_that_is_connected(void **state)
{
    struct world *w = *state;
    struct ask ask = {.method = "POST", .path = "/twins/d/methods", .body = "{\"methodName\":\"m\"}"};
    assert_int_equal(world_ask(w, ask)->code, ERR_HUB_DEVICE_NOT_FOUND);
    make(w, "d");
    struct answer *a = world_ask(w, ask);
    assert_int_equal(a->status, 404);
    assert_holds(a, "ErrorCode:DeviceNotOnline;");
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_device_is_created_read_and_deleted),
        WITH_WORLD(updating_needs_the_etag_that_is_there),
        WITH_WORLD(a_device_made_again_has_none_of_the_old_ones_etags),
        WITH_WORLD(each_policy_may_call_what_its_rights_name),
        WITH_WORLD(tokens_that_do_not_count_are_refused_alike),
        WITH_WORLD(what_is_not_in_the_table_is_refused),
        WITH_WORLD(bodies_that_are_wrong_are_refused_with_a_reason),
        WITH_WORLD(twins_are_patched_and_replaced_under_their_etag),
        WITH_WORLD(changes_at_the_same_time_are_all_kept),
        WITH_WORLD(queries_come_in_pages_that_end),
        WITH_WORLD(queries_have_conditions_on_tags_and_status),
        WITH_WORLD(statistics_count_devices_by_status),
        WITH_WORLD(bulk_modes_do_what_their_names_say),
        WITH_WORLD(a_device_from_elsewhere_brings_what_it_reported),
        WITH_WORLD(one_bad_item_does_not_stop_the_others),
        WITH_WORLD(a_method_needs_a_device_that_is_connected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// The rules of twins as tables: what a change does to a section, and what is refused with which words.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "domain/twin.h"

#define T0         (INT64_C(1700000000) * 1000000) // 2023-11-14T22:13:20Z
#define LATER      (T0 + INT64_C(5000000))
#define T0_TEXT    "2023-11-14T22:13:20.000Z"
#define LATER_TEXT "2023-11-14T22:13:25.000Z"

struct world {
    struct arena arena;
    struct device device;
    struct why why;
};

static void setup(struct world *w)
{
    *w = (struct world){.arena = arena_capped(4 << 20)};
    assert_false(failed(device_fresh(&w->arena, SLICE("dev1"), T0, 41, &w->device)));
}

static struct err change(struct world *w, enum twin_section section, enum twin_how how, struct slice text)
{
    struct json_doc doc;
    assert_false(failed(json_read(text, JSON_LIMITS_DEFAULT, &doc, NULL)));
    struct err e = twin_change(&w->arena, &w->device, section, how, json_root(&doc), LATER, &w->why);
    json_doc_release(&doc);
    return e;
}

static void assert_text(struct slice got, const char *want)
{
    char *text = strndup((const char *)got.at, got.len);
    assert_string_equal(text, want);
    free(text);
}

static void patches_merge_and_null_deletes(void **state)
{
    (void)state;
    static const struct {
        const char *before, *patch, *merged, *replaced;
    } table[] = {
        {"{}", "{\"a\":1}", "{\"a\":1}", "{\"a\":1}"},
        {"{\"a\":1}", "{\"a\":null}", "{}", "{}"},
        {"{\"a\":1}", "{\"b\":{\"c\":2,\"d\":null}}", "{\"a\":1,\"b\":{\"c\":2}}", "{\"b\":{\"c\":2}}"},
        {"{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":null}}", "{\"a\":{\"c\":2}}", "{\"a\":{}}"},
        {"{\"a\":{\"b\":1}}", "{\"a\":[1,2]}", "{\"a\":[1,2]}", "{\"a\":[1,2]}"},
        {"{\"a\":1}", "{}", "{\"a\":1}", "{}"},
        {"{\"a\":1}", "{\"$version\":9,\"$metadata\":{\"$lastUpdated\":\"x\"},\"b\":2}", "{\"a\":1,\"b\":2}",
         "{\"b\":2}"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (int replace = 0; replace < 2; replace++) {
            struct world w;
            setup(&w);
            w.device.desired = slice_text(table[i].before);
            enum twin_how how = replace ? TWIN_REPLACE : TWIN_MERGE;
            assert_false(failed(change(&w, TWIN_DESIRED, how, slice_text(table[i].patch))));
            assert_text(w.device.desired, replace ? table[i].replaced : table[i].merged);
            assert_int_equal(w.device.desired_version, 2);
            assert_int_equal(w.device.reported_version, 1);
            arena_release(&w.arena);
        }
    }
}

static void metadata_mirrors_the_section_and_stamps_what_was_touched(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    assert_text(w.device.reported_metadata, "{\"$lastUpdated\":\"" T0_TEXT "\"}");
    w.device.reported = SLICE("{\"a\":{\"b\":1,\"c\":2},\"gone\":1}");
    w.device.reported_metadata =
        SLICE("{\"$lastUpdated\":\"" T0_TEXT "\",\"a\":{\"$lastUpdated\":\"" T0_TEXT
              "\",\"b\":{\"$lastUpdated\":\"" T0_TEXT "\"},\"c\":{\"$lastUpdated\":\"" T0_TEXT
              "\"}},\"gone\":{\"$lastUpdated\":\"" T0_TEXT "\"}}");
    assert_false(
        failed(change(&w, TWIN_REPORTED, TWIN_MERGE, SLICE("{\"a\":{\"b\":5},\"gone\":null,\"n\":[1]}"))));
    assert_text(w.device.reported, "{\"a\":{\"b\":5,\"c\":2},\"n\":[1]}");
    assert_text(w.device.reported_metadata,
                "{\"$lastUpdated\":\"" LATER_TEXT "\",\"a\":{\"$lastUpdated\":\"" LATER_TEXT
                "\",\"b\":{\"$lastUpdated\":\"" LATER_TEXT "\"},\"c\":{\"$lastUpdated\":\"" T0_TEXT
                "\"}},\"n\":{\"$lastUpdated\":\"" LATER_TEXT "\"}}");
    arena_release(&w.arena);
}

static struct slice nested(char *room, unsigned levels)
{
    size_t at = 0;
    for (unsigned i = 0; i < levels; i++) {
        memcpy(room + at, "{\"a\":", 5);
        at += 5;
    }
    memcpy(room + at, "{}", 2);
    at += 2;
    memset(room + at, '}', levels);
    return slice_of(room, at + levels);
}

static void what_breaks_a_rule_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *patch, *why; // NULL: it is taken
    } table[] = {
        {"{\"a.b\":1}", "a.b"},
        {"{\"a$\":1}", "a$"},
        {"{\"a b\":1}", "a b"},
        {"{\"a\":{\"$version\":1}}", "$version"},
        {"{\"a\\u0007\":1}", "control"},
        {"{\"a\\u0085\":1}", "control"},
        {"{\"a\\u007f\":1}", "control"},
        {"{\"\":1}", "empty key"},
        {"{\"a\":4503599627370495}", NULL},
        {"{\"a\":4503599627370496}", "4503599627370496"},
        {"{\"a\":-4503599627370496}", NULL},
        {"{\"a\":[-4503599627370497]}", "-4503599627370497"},
        {"{\"\xc3\xa4\":1.5}", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct world w;
        setup(&w);
        struct err e = change(&w, TWIN_REPORTED, TWIN_MERGE, slice_text(table[i].patch));
        assert_int_equal(e.code, table[i].why != NULL ? ERR_INVALID : ERR_NONE);
        assert_int_equal(w.device.reported_version, table[i].why != NULL ? 1 : 2);
        if (table[i].why != NULL) {
            assert_non_null(strstr(w.why.text, table[i].why));
            assert_non_null(strstr(w.why.text, "reported"));
            assert_text(w.device.reported, "{}");
        }
        arena_release(&w.arena);
    }
}

static void ten_levels_are_taken_and_eleven_are_not(void **state)
{
    (void)state;
    char room[128];
    struct world w;
    setup(&w);
    assert_int_equal(change(&w, TWIN_DESIRED, TWIN_MERGE, nested(room, 10)).code, ERR_NONE);
    assert_int_equal(change(&w, TWIN_DESIRED, TWIN_MERGE, nested(room, 11)).code, ERR_INVALID);
    arena_release(&w.arena);
}

static void sizes_are_limited_per_key_string_and_section(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    struct buf text = buf_capped(64 << 10);
    for (int over = 0; over < 2; over++) {
        buf_clear(&text);
        buf_printf(&text, "{\"%0*d\":1}", TWIN_KEY_MAX + over, 0);
        assert_int_equal(change(&w, TWIN_TAGS, TWIN_MERGE, buf_slice(&text)).code,
                         over ? ERR_INVALID : ERR_NONE);
        buf_clear(&text);
        buf_printf(&text, "{\"k\":\"%0*d\"}", TWIN_STRING_MAX + over, 0);
        assert_int_equal(change(&w, TWIN_TAGS, TWIN_MERGE, buf_slice(&text)).code,
                         over ? ERR_INVALID : ERR_NONE);
    }
    buf_clear(&text);
    buf_printf(&text, "{\"m\":\"%04000d\"}", 0);
    assert_int_equal(change(&w, TWIN_TAGS, TWIN_MERGE, buf_slice(&text)).code, ERR_INVALID);
    assert_non_null(strstr(w.why.text, "tags"));
    assert_int_equal(change(&w, TWIN_DESIRED, TWIN_MERGE, buf_slice(&text)).code, ERR_NONE);
    buf_release(&text);
    arena_release(&w.arena);
}

static void one_request_changes_tags_and_desired_as_one_version(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    struct json_doc doc;
    struct twin_parts parts;
    assert_false(failed(json_read(SLICE("{\"tags\":{\"t\":1},\"properties\":{\"desired\":{\"d\":1}}}"),
                                  JSON_LIMITS_DEFAULT, &doc, NULL)));
    assert_false(failed(twin_parts_read(json_root(&doc), &parts, &w.why)));
    assert_false(failed(twin_apply(&w.arena, &w.device, TWIN_MERGE, false, &parts, LATER, &w.why)));
    assert_int_equal(w.device.twin_version, 2);
    assert_text(w.device.tags, "{\"t\":1}");
    parts = (struct twin_parts){.tags = parts.tags};
    assert_false(failed(twin_apply(&w.arena, &w.device, TWIN_REPLACE, true, &parts, LATER, &w.why)));
    assert_text(w.device.desired, "{}");
    assert_text(w.device.tags, "{\"t\":1}");
    assert_int_equal(w.device.desired_version, 3);
    json_doc_release(&doc);
    arena_release(&w.arena);
}

static void a_refused_part_leaves_the_whole_twin_as_it_was(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    struct json_doc doc;
    struct twin_parts parts;
    assert_false(failed(json_read(SLICE("{\"tags\":{\"t\":1},\"properties\":{\"desired\":{\"d.\":1}}}"),
                                  JSON_LIMITS_DEFAULT, &doc, NULL)));
    assert_false(failed(twin_parts_read(json_root(&doc), &parts, &w.why)));
    assert_int_equal(twin_apply(&w.arena, &w.device, TWIN_MERGE, false, &parts, LATER, &w.why).code,
                     ERR_INVALID);
    assert_text(w.device.tags, "{}");
    assert_int_equal(w.device.twin_version, 1);
    json_doc_release(&doc);
    arena_release(&w.arena);
}

static void a_service_sees_the_whole_twin(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    assert_false(failed(change(&w, TWIN_DESIRED, TWIN_MERGE, SLICE("{\"a\":1}"))));
    struct buf out = buf_capped(8192);
    struct json_writer writer;
    json_begin(&writer, &out);
    twin_write(&writer, &w.device, (struct device_presence){0});
    assert_text(
        buf_slice(&out),
        "{\"deviceId\":\"dev1\",\"etag\":\"AAAAAAAAAAE=\",\"deviceEtag\":\"NDI=\",\"status\":\"enabled\","
        "\"statusUpdateTime\":\"0001-01-01T00:00:00\",\"connectionState\":\"Disconnected\","
        "\"lastActivityTime\":\"0001-01-01T00:00:00\",\"cloudToDeviceMessageCount\":0,"
        "\"authenticationType\":\"sas\",\"x509Thumbprint\":{\"primaryThumbprint\":null,"
        "\"secondaryThumbprint\":null},\"modelId\":\"\",\"version\":2,\"tags\":{},"
        "\"properties\":{\"desired\":{\"a\":1,\"$metadata\":{\"$lastUpdated\":\"" LATER_TEXT
        "\",\"a\":{\"$lastUpdated\":\"" LATER_TEXT "\"}},\"$version\":2},"
        "\"reported\":{\"$metadata\":{\"$lastUpdated\":\"" T0_TEXT "\"},\"$version\":1}},"
        "\"capabilities\":{\"iotEdge\":false}}");
    buf_release(&out);
    arena_release(&w.arena);
}

static void a_device_sees_desired_and_reported_with_versions_only(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    assert_false(failed(change(&w, TWIN_DESIRED, TWIN_MERGE, SLICE("{\"a\":{\"b\":true}}"))));
    struct buf out = buf_capped(8192);
    twin_write_for_device(&out, &w.device);
    assert_text(buf_slice(&out),
                "{\"desired\":{\"a\":{\"b\":true},\"$version\":2},\"reported\":{\"$version\":1}}");
    buf_clear(&out);
    struct json_doc doc;
    assert_false(failed(json_read(SLICE("{\"a\":null,\"$version\":77}"), JSON_LIMITS_DEFAULT, &doc, NULL)));
    twin_write_push(&out, json_root(&doc), 3);
    assert_text(buf_slice(&out), "{\"a\":null,\"$version\":3}");
    json_doc_release(&doc);
    buf_release(&out);
    arena_release(&w.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patches_merge_and_null_deletes),
        cmocka_unit_test(metadata_mirrors_the_section_and_stamps_what_was_touched),
        cmocka_unit_test(what_breaks_a_rule_is_refused_by_name),
        cmocka_unit_test(ten_levels_are_taken_and_eleven_are_not),
        cmocka_unit_test(sizes_are_limited_per_key_string_and_section),
        cmocka_unit_test(one_request_changes_tags_and_desired_as_one_version),
        cmocka_unit_test(a_refused_part_leaves_the_whole_twin_as_it_was),
        cmocka_unit_test(a_service_sees_the_whole_twin),
        cmocka_unit_test(a_device_sees_desired_and_reported_with_versions_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

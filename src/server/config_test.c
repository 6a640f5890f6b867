// The configuration file: what is taken, and what is refused in words that help.
#include "base/testing.h"

#include "server/config.h"

static struct err read(const char *yaml, struct config *config, struct arena *arena, struct why *why)
{
    *arena = arena_capped(1 << 20);
    config_init(config);
    return config_read(config, arena, slice_text(yaml), why);
}

static void settings_are_read_from_nested_yaml(void **state)
{
    (void)state;
    struct config config;
    struct arena arena;
    struct why why = {0};
    assert_false(failed(read("# a comment\n"
                             "listen:\n"
                             "  https: {address: \"::1\", port: 8443}\n"
                             "  mqtt:\n"
                             "    port: 0\n"
                             "store:\n"
                             "  kind: memory\n"
                             "embeddedHubs: [a, 'b']\n"
                             "device: {strictPolling: true}\n",
                             &config, &arena, &why)));
    assert_slice(config.https_address, "::1");
    assert_int_equal(config.https_port, 8443);
    assert_int_equal(config.mqtt_port, 0);
    assert_slice(config.mqtt_address, "127.0.0.1");
    assert_slice(config.store_kind, "memory");
    assert_int_equal(config.embedded_hubs.count, 2);
    assert_slice(config.embedded_hubs.items[1], "b");
    assert_true(config.strict_polling);
    arena_release(&arena);
}

static void a_list_of_one_may_be_written_as_a_value_and_a_file_may_be_empty(void **state)
{
    (void)state;
    struct config config;
    struct arena arena;
    struct why why = {0};
    assert_false(failed(read("embeddedHubs: a\n", &config, &arena, &why)));
    assert_int_equal(config.embedded_hubs.count, 1);
    arena_release(&arena);
    static const char *const empty[] = {"", "# nothing\n", "{}\n", "---\n{}\n", "embeddedHubs: []\n"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        assert_false(failed(read(empty[i], &config, &arena, &why)));
        assert_int_equal(config.https_port, 443);
        arena_release(&arena);
    }
}

// Nothing that somebody wrote is passed over in silence.
static void what_is_not_a_setting_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } table[] = {
        {"listen:\n  htps: {port: 1}\n", "line 2: there is no setting \"listen.htps.port\""},
        {"listen:\n  https: 443\n", "line 2: there is no setting \"listen.https\""},
        {"threads: many\n", "line 1: threads is \"many\""},
        {"threads:\n", "threads is \"\""},
        {"threads: 65\n", "from 0 to 64"},
        {"store: {kind: mysql}\n", "one of sqlite|memory"},
        {"device: {strictPolling: yes}\n", "must be true or false"},
        {"threads: 1\nthreads: 2\n", "line 2: threads is there twice"},
        {"threads: [1, 2]\n", "takes one value, not a list"},
        {"threads: {}\n", "\"threads\" has no settings in it"},
        {"listen:\n  {}\n", "\"listen\" has no settings in it"},
        {"? {threads: 1}\n: 2\n", "a mapping is not expected here"},
        {"? [threads]\n: 2\n", "a list is not expected here"},
        {"embeddedHubs: [[a]]\n", "a list is not expected here"},
        {"embeddedHubs: [{a: b}]\n", "a mapping is not expected here"},
        {"- threads\n", "a list is not expected here"},
        {"threads\n", "must be a mapping of settings"},
        {"threads: 1\n---\nthreads: 2\n", "line 2: the file must be one document"},
        {"threads: &x 1\nlog: {level: *x}\n", "anchors and aliases are not taken"},
        {"a: {b: {c: {d: {e: {f: {g: 1}}}}}}\n", "nested too deep"},
        {"threads: \"1\n", "not YAML"},
        {"tls: {key: \"a\\0b\"}\n", "holds a NUL"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct config config;
        struct arena arena;
        struct why why = {0};
        struct err e = read(table[i].yaml, &config, &arena, &why);
        if (e.code != ERR_CONFIG || strstr(why.text, table[i].says) == NULL)
            fail_msg("%s: %s: %s", table[i].yaml, err_info(e)->name, why.text);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_read_from_nested_yaml),
        cmocka_unit_test(a_list_of_one_may_be_written_as_a_value_and_a_file_may_be_empty),
        cmocka_unit_test(what_is_not_a_setting_is_refused_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

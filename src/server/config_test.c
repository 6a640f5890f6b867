// The settings: what a file may say, what its mistakes are answered with, and that the manual and the table
// agree.
#include "server/config.h"

#include "base/testing.h"

static const char *manual_path;

struct reading {
    struct config config;
    struct arena arena;
    struct why why;
};

static struct err read_text(struct reading *r, const char *yaml)
{
    *r = (struct reading){.arena = arena_capped(1 << 16)};
    config_init(&r->config);
    return config_read(&r->config, &r->arena, slice_text(yaml), &r->why);
}

static void refused(const char *yaml, const char *because)
{
    struct reading r;
    assert_int_equal(read_text(&r, yaml).code, ERR_CONFIG);
    if (strstr(r.why.text, because) == NULL)
        fail_msg("\"%s\" does not say: %s", r.why.text, because);
    arena_release(&r.arena);
}

static void a_file_sets_what_it_names_and_leaves_the_rest(void **state)
{
    (void)state;
    struct reading r;
    assert_false(failed(read_text(
        &r, "listen:\n  https: {port: 8443}\nembeddedHubs: [one, two]\ndevice:\n  strictPolling: true\n")));
    assert_int_equal(r.config.https_port, 8443);
    assert_int_equal(r.config.mqtt_port, 8883);
    assert_true(r.config.strict_polling);
    assert_int_equal(r.config.embedded_hubs.count, 2);
    assert_slice(r.config.embedded_hubs.items[1], "two");
    arena_release(&r.arena);
}

static void devices_are_asked_for_certificates_unless_that_is_switched_off(void **state)
{
    (void)state;
    struct reading r;
    assert_false(failed(read_text(&r, "")));
    assert_true(r.config.tls_client_certificates);
    assert_false(r.config.expired_anchors);
    assert_false(failed(
        read_text(&r, "tls: {clientCertificates: false}\nattestation: {expiredCaCertificates: true}\n")));
    assert_false(r.config.tls_client_certificates);
    assert_true(r.config.expired_anchors);
    arena_release(&r.arena);
}

static void networks_of_proxies_are_checked_with_the_settings(void **state)
{
    (void)state;
    struct reading r;
    struct ip_network proxies[CONFIG_LIST_MAX];
    static const char tls[] = "tls: {certificate: a, key: b}\n";
    char yaml[200];
    (void)snprintf(yaml, sizeof yaml, "%slisten: {proxyNetworks: [10.0.0.0/24, '2001:db8::/32']}\n", tls);
    assert_false(failed(read_text(&r, yaml)));
    assert_false(failed(config_check(&r.config, &r.why)));
    assert_false(failed(config_proxies(&r.config, proxies, &r.why)));
    assert_int_equal(proxies[0].bits, 96 + 24);
    assert_int_equal(proxies[1].bits, 32);
    arena_release(&r.arena);
    (void)snprintf(yaml, sizeof yaml, "%slisten: {proxyNetworks: [10.0.0.0/24, 10.0.0.1/8]}\n", tls);
    assert_false(failed(read_text(&r, yaml)));
    assert_int_equal(config_check(&r.config, &r.why).code, ERR_CONFIG);
    assert_non_null(strstr(r.why.text, "listen.proxyNetworks: 10.0.0.1/8 has bits behind its prefix"));
    arena_release(&r.arena);
}

static void an_empty_file_leaves_every_setting_at_its_default(void **state)
{
    (void)state;
    static const char *const empty[] = {"", "\n", "# nothing but a comment\n"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        struct reading r;
        assert_false(failed(read_text(&r, empty[i])));
        assert_int_equal(r.config.https_port, 443);
        arena_release(&r.arena);
    }
    struct config config;
    struct arena arena = arena_capped(1024);
    config_init(&config);
    assert_false(
        failed(config_read(&config, &arena, (struct slice){0}, NULL))); // as a file of no bytes arrives
}

static void a_mistake_is_named_with_its_line(void **state)
{
    (void)state;
    refused("listen:\n  htps:\n    port: 443\n",
            "line 3: there is no setting \"listen.htps.port\"; did you mean \"listen.https");
    refused("threads: many\n", "line 1: threads is \"many\"; it must be a whole number from 0 to 64");
    refused("threads: 65\n", "from 0 to 64");
    refused("log: {level: loud}\n", "debug|info|warn|error");
    refused("device: {strictPolling: maybe}\n", "true or false");
    refused("listen: {https: {port: 1\n", "not YAML");
    refused("threads: 1\nthreads: 2\n", "line 2: threads is set twice");
    refused("- threads\n", "the file must be a mapping of settings");
}

static void check_webhooks(const char *yaml, const char *because)
{
    struct reading r;
    assert_false(failed(read_text(&r, yaml)));
    r.config.tls_certificate = r.config.tls_key = SLICE("/x.pem");
    struct err e = config_check(&r.config, &r.why);
    assert_int_equal(failed(e), because != NULL);
    if (because != NULL && strstr(r.why.text, because) == NULL)
        fail_msg("\"%s\" does not say: %s", r.why.text, because);
    arena_release(&r.arena);
}

static void what_webhooks_may_be_called_is_checked_before_the_start(void **state)
{
    (void)state;
    check_webhooks("", NULL);
    check_webhooks("webhook: {allowAddresses: [10.0.0.0/8, '::1'], ports: [443, 7071], deadline: 2000}\n",
                   NULL);
    check_webhooks("webhook: {allowAddresses: [10.0.0.0/8, ten]}\n",
                   "webhook.allowAddresses: \"ten\" is no network");
    check_webhooks("webhook: {allowAddresses: [10.0.0.1/8]}\n", "10.0.0.0/8 is the network");
    check_webhooks("webhook: {ports: [https]}\n", "webhook.ports: \"https\" is no port");
    check_webhooks("webhook: {ports: [0]}\n", "webhook.ports: \"0\" is no port");
    refused("webhook: {deadline: 99}\n", "from 100 to 60000");
}

// Whatever else YAML can say is not passed over in silence.
static void what_is_no_setting_is_refused(void **state)
{
    (void)state;
    refused("listen:\n  https: 443\n", "line 2: there is no setting \"listen.https\"");
    refused("thread: []\n", "there is no setting \"thread\"; did you mean \"threads\"?");
    refused("threads:\n", "threads is \"\"");
    refused("threads: [1, 2]\n", "takes one value, not a list");
    refused("threads: {}\n", "\"threads\" has no settings in it");
    refused("listen:\n  {}\n", "\"listen\" has no settings in it");
    refused("? {threads: 1}\n: 2\n", "a mapping is not expected here");
    refused("? [threads]\n: 2\n", "a list is not expected here");
    refused("embeddedHubs: [[a]]\n", "a list is not expected here");
    refused("embeddedHubs: [{a: b}]\n", "a mapping is not expected here");
    refused("embeddedHubs: [a]\nembeddedHubs: b\n", "embeddedHubs is set twice");
    refused("[]\n", "the file must be a mapping of settings");
    refused("threads\n", "the file must be a mapping of settings");
    refused("threads: 1\n---\nthreads: 2\n", "line 2: the file must be one document");
    refused("threads: &x 1\nlog: {level: *x}\n", "anchors and aliases are not taken");
    refused("a: {b: {c: {d: {e: {f: {g: 1}}}}}}\n", "nested too deep");
    refused("tls: {key: \"a\\0b\"}\n", "holds a NUL");
}

// A row of the manual's table: | `name` | type | default | ... with the default as it would be written, or
// `none`.
static void the_manual_has_every_setting_with_its_default(void **state)
{
    (void)state;
    static char text[256 * 1024];
    FILE *file = fopen(manual_path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    assert_int_equal(fclose(file), 0);
    text[len] = '\0';
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        char row[256];
        char range[64];
        (void)snprintf(row, sizeof row, "| `%s` |", key->name);
        const char *at = strstr(text, row);
        if (at == NULL)
            fail_msg("docs/configuration.md has no row %s", row);
        const char *end = strchr(at, '\n');
        assert_non_null(end);
        struct slice line = slice_of(at, (size_t)(end - at));
        (void)snprintf(row, sizeof row, key->standard[0] != '\0' ? "| `%s` |" : "| none%s |", key->standard);
        if (slice_find(line, slice_text(row)) == line.len)
            fail_msg("docs/configuration.md: %s should have the default %s", key->name, row);
        (void)snprintf(range, sizeof range, "%lld to %lld", (long long)key->least, (long long)key->most);
        if (key->type == CONFIG_NUMBER && slice_find(line, slice_text(range)) == line.len)
            fail_msg("docs/configuration.md: %s should have the range %s", key->name, range);
        if (slice_find(line, slice_text(key->unit)) == line.len && key->unit[0] != '\0')
            fail_msg("docs/configuration.md: %s should have the unit %s", key->name, key->unit);
    }
    size_t rows = 0;
    for (const char *at = text; (at = strstr(at, "\n| `")) != NULL; at++)
        rows++;
    assert_int_equal(rows, config_key_count); // none that is no longer there
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_sets_what_it_names_and_leaves_the_rest),
        cmocka_unit_test(devices_are_asked_for_certificates_unless_that_is_switched_off),
        cmocka_unit_test(networks_of_proxies_are_checked_with_the_settings),
        cmocka_unit_test(an_empty_file_leaves_every_setting_at_its_default),
        cmocka_unit_test(a_mistake_is_named_with_its_line),
        cmocka_unit_test(what_is_no_setting_is_refused),
        cmocka_unit_test(what_webhooks_may_be_called_is_checked_before_the_start),
        cmocka_unit_test(the_manual_has_every_setting_with_its_default),
    };
    if (argc != 2)
        return 2;
    manual_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}

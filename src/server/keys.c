// The table of the daemon's settings, and setting one of them.
#include "server/config.h"

#include <stddef.h>

#include "flow/hub_health.h"
#include "server/webhooks.h"

#define AT(member) offsetof(struct config, member)

const struct config_key config_keys[] = {
    {"listen.https.address", CONFIG_TEXT, AT(https_address), 0, 0, "", "", "localhost",
     "address of the HTTPS door (device, service, control and hub API; MQTT and AMQP over WebSocket); "
     "localhost is both loopback addresses"},
    {"listen.https.port", CONFIG_NUMBER, AT(https_port), 0, 65535, "", "", "443",
     "its port; 0 takes any free one"},
    {"listen.mqtt.address", CONFIG_TEXT, AT(mqtt_address), 0, 0, "", "", "localhost",
     "address of the MQTT door"},
    {"listen.mqtt.port", CONFIG_NUMBER, AT(mqtt_port), 0, 65535, "", "", "8883",
     "its port; 0 takes any free one"},
    {"listen.amqp.address", CONFIG_TEXT, AT(amqp_address), 0, 0, "", "", "localhost",
     "address of the AMQP door"},
    {"listen.amqp.port", CONFIG_NUMBER, AT(amqp_port), 0, 65535, "", "", "5671",
     "its port; 0 takes any free one"},
    {"listen.proxyNetworks", CONFIG_LIST, AT(proxy_networks), 0, 0, "", "", "",
     "networks of proxies that send a PROXY header (version 2) in front of each connection, as in "
     "10.0.0.0/24: "
     "from there it is required, from elsewhere none is read"},
    {"control.socket", CONFIG_PATH, AT(control_socket), 0, 0, "", "", "/run/usher/control.sock",
     "Unix socket for usher; who may open it may do everything"},
    {"tls.certificate", CONFIG_PATH, AT(tls_certificate), 0, 0, "", "", "",
     "PEM file with the server certificate and its chain; read again on SIGHUP"},
    {"tls.key", CONFIG_PATH, AT(tls_key), 0, 0, "", "", "", "PEM file with its private key; mode 0600"},
    {"tls.clientCertificates", CONFIG_SWITCH, AT(tls_client_certificates), 0, 0, "", "", "true",
     "devices are asked for a certificate, and none is required; off: only symmetric keys and TPMs can "
     "prove a device"},
    {"attestation.expiredCaCertificates", CONFIG_SWITCH, AT(expired_anchors), 0, 0, "", "", "false",
     "a service's verified CA certificate counts although it expired: for a fleet whose CA cannot be "
     "replaced "
     "in time"},
    {"store.kind", CONFIG_CHOICE, AT(store_kind), 0, 0, "", "sqlite|memory", "sqlite",
     "where records live; memory forgets all at the end"},
    {"store.path", CONFIG_PATH, AT(store_path), 0, 0, "", "", "/var/lib/usher/usher.db", "the SQLite file"},
    {"store.masterKeyFile", CONFIG_PATH, AT(master_key_file), 0, 0, "", "", "/etc/usher/master.key",
     "32 bytes in base64 that seal secrets at rest; mode 0600; keep it apart from backups of the store"},
    {"log.level", CONFIG_CHOICE, AT(log_level), 0, 0, "", "debug|info|warn|error", "info",
     "the least that is logged"},
    {"log.anonymousPerSecond", CONFIG_NUMBER, AT(log_anonymous_per_s), 1, 1000000, "lines", "", "10",
     "how many lines a loop may log in a second about peers that are refused"},
    {"threads", CONFIG_NUMBER, AT(threads), 0, HUB_HEALTH_LOOPS_MAX, "", "", "0",
     "event loops; 0 is one for each processor, up to 64"},
    {"limits.connections", CONFIG_NUMBER, AT(max_connections), 16, 1000000, "", "", "20000",
     "connections at once, over all doors"},
    {"limits.connectionsPerAddress", CONFIG_NUMBER, AT(max_per_address), 0, 1000000, "", "", "10000",
     "connections at once from one address (of IPv6: one /64); 0 is no limit"},
    {"limits.handshakesPerAddress", CONFIG_NUMBER, AT(new_per_address), 0, 1000000, "a second", "", "10000",
     "new connections from one address (ten times as many at once after a quiet time); 0 is no limit. Where "
     "devices "
     "do not share addresses, 50 is plenty"},
    {"limits.deviceRequests", CONFIG_NUMBER, AT(device_requests_per_s), 0, 1000000, "a second", "", "10",
     "register calls and polls of one device, for each loop (ten times as many at once after a quiet time); "
     "0 is no limit"},
    {"embeddedHubs", CONFIG_LIST, AT(embedded_hubs), 0, 0, "", "", "",
     "names of the hubs that this daemon itself is"},
    {"device.inlineWait", CONFIG_NUMBER, AT(inline_wait_ms), 0, 60000, "ms", "", "1500",
     "how long a register call may wait for its result before it is answered `assigning`"},
    {"device.strictPolling", CONFIG_SWITCH, AT(strict_polling), 0, 0, "", "", "false",
     "answer `assigning` first, always, as Azure does"},
    {"device.retryAfter", CONFIG_NUMBER, AT(retry_after_s), 1, 300, "s", "", "2",
     "when to ask again, told with `assigning`"},
    {"device.operationLife", CONFIG_NUMBER, AT(operation_minutes), 1, 1440, "min", "", "10",
     "how long an operation goes on trying to reach its hub"},
    {"hubs.callDeadline", CONFIG_NUMBER, AT(hub_call_ms), 100, 120000, "ms", "", "10000",
     "deadline of one call to a hub"},
    {"hubs.caFile", CONFIG_PATH, AT(hub_ca_file), 0, 0, "", "", "",
     "PEM file of the CAs that linked hubs are trusted by; empty: those of the system"},
    {"geo.networks", CONFIG_PATH, AT(geo_networks), 0, 0, "", "", "",
     "file of networks, their zones and places, for geoLatency; outranks the database; read again on SIGHUP"},
    {"geo.database", CONFIG_PATH, AT(geo_database), 0, 0, "", "", "",
     "database of cities in MaxMind's format (.mmdb), for geoLatency; read again on SIGHUP; replace it by "
     "renaming, never by copying over it"},
    {"webhook.allowHttp", CONFIG_SWITCH, AT(webhook_http), 0, 0, "", "", "false",
     "webhooks of custom allocation may be called over http, which anybody on the way can read and change"},
    {"webhook.allowAddresses", CONFIG_LIST, AT(webhook_networks), 0, 0, "", "", "",
     "networks (10.1.0.0/16, fd00::/8) that webhooks may be in although they are internal; empty: only "
     "public "
     "addresses are called"},
    {"webhook.ports", CONFIG_LIST, AT(webhook_ports), 0, 0, "", "", "",
     "ports that a webhook's URL may name; empty: 443 and 8443"},
    {"webhook.caFile", CONFIG_PATH, AT(webhook_ca_file), 0, 0, "", "", "",
     "PEM file of the CAs that webhooks are trusted by; empty: those of the system"},
    {"webhook.deadline", CONFIG_NUMBER, AT(webhook_ms), 100, 60000, "ms", "", "5000",
     "how long a webhook may take to answer, everything included; then the registration fails"},
    {"stop.wait", CONFIG_NUMBER, AT(stop_s), 0, 300, "s", "", "30",
     "how long a graceful stop waits for what is under way"},
};
const size_t config_key_count = sizeof config_keys / sizeof config_keys[0];

static struct err set_choice(const struct config_key *key, struct slice value, struct why *why)
{
    struct slice words = slice_text(key->choices);
    struct slice word;
    while (slice_cut(&words, '|', &word)) {
        if (slice_equal(word, value))
            return OK;
    }
    return why_fail(why, ERR_CONFIG, "%s is \"%.*s\"; it must be one of %s", key->name, SLICE_ARG(value),
                    key->choices);
}

static struct err set_number(const struct config_key *key, struct slice value, int64_t *out, struct why *why)
{
    uint64_t number = 0;
    if (!slice_to_u64(value, &number) || number > INT64_MAX || (int64_t)number < key->least ||
        (int64_t)number > key->most) {
        return why_fail(why, ERR_CONFIG, "%s is \"%.*s\"; it must be a whole number from %lld to %lld%s%s",
                        key->name, SLICE_ARG(value), (long long)key->least, (long long)key->most,
                        key->unit[0] ? " " : "", key->unit);
    }
    *out = (int64_t)number;
    return OK;
}

static struct err set_switch(const struct config_key *key, struct slice value, bool *out, struct why *why)
{
    *out = slice_equal(value, SLICE("true"));
    if (*out || slice_equal(value, SLICE("false")))
        return OK;
    return why_fail(why, ERR_CONFIG, "%s is \"%.*s\"; it must be true or false", key->name, SLICE_ARG(value));
}

static struct err add_item(const struct config_key *key, struct arena *arena, struct slice value,
                           struct config_list *list, struct why *why)
{
    if (list->count == CONFIG_LIST_MAX)
        return why_fail(why, ERR_CONFIG, "%s has more than %d items", key->name, CONFIG_LIST_MAX);
    if (value.len == 0)
        return why_fail(why, ERR_CONFIG, "%s has an empty item", key->name);
    return arena_copy(arena, value, &list->items[list->count++]);
}

// Paths and addresses go to the system as they are: with a NUL behind, and none inside.
static struct err set_text(const struct config_key *key, struct arena *arena, struct slice value,
                           struct slice *out, struct why *why)
{
    if (slice_find_byte(value, 0) < value.len)
        return why_fail(why, ERR_CONFIG, "%s holds a NUL", key->name);
    const char *text = arena_cstr(arena, value);
    if (text == NULL)
        return FAIL(ERR_NO_MEMORY);
    *out = slice_of(text, value.len);
    return OK;
}

static struct err set(struct config *config, struct arena *arena, const struct config_key *key,
                      struct slice value, struct why *why)
{
    void *at = (char *)config + key->offset;
    switch (key->type) {
    case CONFIG_CHOICE:
        TRY(set_choice(key, value, why));
        return set_text(key, arena, value, at, why);
    case CONFIG_TEXT:
    case CONFIG_PATH:
        return set_text(key, arena, value, at, why);
    case CONFIG_NUMBER:
        return set_number(key, value, at, why);
    case CONFIG_SWITCH:
        return set_switch(key, value, at, why);
    case CONFIG_LIST:
        return add_item(key, arena, value, at, why);
    }
    return FAIL(ERR_INTERNAL);
}

// How many leading bytes two names share: enough to point at a misspelt key.
static size_t likeness(struct slice a, struct slice b)
{
    size_t same = 0;
    while (same < a.len && same < b.len && a.at[same] == b.at[same])
        same++;
    return same;
}

struct err config_set(struct config *config, struct arena *arena, struct slice name, struct slice value,
                      struct why *why)
{
    const struct config_key *nearest = &config_keys[0];
    for (size_t i = 0; i < config_key_count; i++) {
        struct slice known = slice_text(config_keys[i].name);
        if (slice_equal(known, name))
            return set(config, arena, &config_keys[i], value, why);
        if (likeness(known, name) > likeness(slice_text(nearest->name), name))
            nearest = &config_keys[i];
    }
    return why_fail(why, ERR_CONFIG, "there is no setting \"%.*s\"; did you mean \"%s\"?", SLICE_ARG(name),
                    nearest->name);
}

void config_init(struct config *config)
{
    *config = (struct config){0};
    struct arena none = arena_capped(0);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        bool text = key->type == CONFIG_TEXT || key->type == CONFIG_PATH || key->type == CONFIG_CHOICE;
        if (text)
            *(struct slice *)((char *)config + key->offset) = slice_text(key->standard);
        else if (key->type != CONFIG_LIST)
            INVARIANT(!failed(set(config, &none, key, slice_text(key->standard), NULL)));
    }
}

void config_help(struct buf *out)
{
    static const char *const types[] = {"text", "path", "number", "true|false", "", "list"};
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        buf_printf(out, "  %-22s %s", key->name,
                   key->type == CONFIG_CHOICE ? key->choices : types[key->type]);
        if (key->type == CONFIG_NUMBER)
            buf_printf(out, " %lld..%lld%s%s", (long long)key->least, (long long)key->most,
                       key->unit[0] ? " " : "", key->unit);
        buf_printf(out, "%s%s\n      %s\n", key->standard[0] ? "; default " : "", key->standard, key->help);
    }
}

struct err config_proxies(const struct config *config, struct ip_network out[CONFIG_LIST_MAX],
                          struct why *why)
{
    for (size_t i = 0; i < config->proxy_networks.count; i++) {
        struct why inner = {0};
        if (failed(ip_network_read(config->proxy_networks.items[i], &out[i], &inner)))
            return why_fail(why, ERR_CONFIG, "listen.proxyNetworks: %.200s", inner.text);
    }
    return OK;
}

struct err config_check(const struct config *config, struct why *why)
{
    struct ip_network proxies[CONFIG_LIST_MAX];
    TRY(config_proxies(config, proxies, why));
    if (config->tls_certificate.len == 0 || config->tls_key.len == 0)
        return why_fail(why, ERR_CONFIG, "tls.certificate and tls.key must name PEM files");
    if (config->control_socket.len == 0)
        return why_fail(why, ERR_CONFIG, "control.socket must not be empty: usher has no other way in");
    struct guard ignored;
    return webhook_guard(config, &ignored, why);
}

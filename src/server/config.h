// The daemon's settings: one table of keys makes validation, documentation and --help (keys.c). What belongs
// to one service lives in the store instead.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/ip.h"

enum { CONFIG_LIST_MAX = 16 };

struct config_list {
    struct slice items[CONFIG_LIST_MAX];
    size_t count;
};

struct config {
    struct slice https_address;
    int64_t https_port;
    struct slice mqtt_address;
    int64_t mqtt_port;
    struct slice amqp_address;
    int64_t amqp_port;
    struct config_list proxy_networks; // whose connections begin with a PROXY header
    struct slice control_socket;
    struct slice tls_certificate; // paths of PEM files
    struct slice tls_key;
    bool tls_client_certificates; // devices are asked for theirs
    bool expired_anchors;         // CA certificates of a service count although they expired
    struct slice store_kind;
    struct slice store_path;
    struct slice master_key_file;
    struct slice log_level;
    int64_t log_anonymous_per_s;
    int64_t threads;
    int64_t max_connections;
    int64_t max_per_address;
    int64_t new_per_address;
    int64_t device_requests_per_s;
    struct config_list embedded_hubs;
    int64_t inline_wait_ms;
    bool strict_polling;
    int64_t retry_after_s;
    int64_t operation_minutes;
    int64_t hub_call_ms;
    struct slice hub_ca_file;
    struct slice geo_networks; // paths; empty: none
    struct slice geo_database;
    bool webhook_http;
    struct config_list webhook_networks; // allowed although they are internal
    struct config_list webhook_ports;    // none: the usual ones
    struct slice webhook_ca_file;
    int64_t webhook_ms;
    int64_t stop_s;
};

enum config_type { CONFIG_TEXT, CONFIG_PATH, CONFIG_NUMBER, CONFIG_SWITCH, CONFIG_CHOICE, CONFIG_LIST };

// One row of the table.
struct config_key {
    const char *name; // dotted: listen.https.port
    enum config_type type;
    size_t offset; // into struct config
    int64_t least; // numbers
    int64_t most;
    const char *unit;     // of a number, or ""
    const char *choices;  // of a choice: words between '|'
    const char *standard; // the default, as it would be written
    const char *help;
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

// All keys at their defaults; slices are literals.
void config_init(struct config *config);
// One setting by name, from text. ERR_CONFIG with why: unknown key (with the nearest known one), wrong type,
// out of range.
struct err config_set(struct config *config, struct arena *arena, struct slice name, struct slice value,
                      struct why *why);
// YAML: nested mappings of the keys' parts; a list for a list. An unknown key is an error; why names the
// line.
struct err config_read(struct config *config, struct arena *arena, struct slice yaml, struct why *why);
// listen.proxyNetworks as networks: as many as the list has.
struct err config_proxies(const struct config *config, struct ip_network out[CONFIG_LIST_MAX],
                          struct why *why);
// What must hold between keys, such as a certificate when there is a listener.
struct err config_check(const struct config *config, struct why *why);
// The table as text for --help. docs/configuration.md is the same table for people (config_test.c holds them
// together).
void config_help(struct buf *out);

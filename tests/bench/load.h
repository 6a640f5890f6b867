// What the files of the load generator share: its options, a device, and all of them.
#pragma once

#include "base/secret.h"
#include "wire/http/http.h"
#include "wire/mqtt/mqtt.h"
#include "wire/tls/tls.h"

#include "amqp_client.h"
#include "fleet.h"
#include "soft_tpm.h"
#include "websocket_client.h"

enum { SLOTS_MAX = 4096, MESSAGE_CAP = 64 * 1024 };

enum protocol { LOAD_MQTT, LOAD_HTTPS, LOAD_TPM, LOAD_AMQP, LOAD_GET, LOAD_ECHO };

struct kind {
    const char *name;
    enum protocol protocol;
    const char *websocket; // the subprotocol, or NULL
};

struct options {
    const struct kind *kind;
    enum amqp_client_order order;
    uint16_t port;
    const char *ca_file;
    const char *certificate_file; // the client certificate, or NULL
    const char *key_file;
    const char *issuer_file; // devices prove themselves by certificates that this one signs, or NULL
    const char *issuer_key_file;
    const char *tpm_file; // the keys of the TPMs that devices have in turns, or NULL
    const char *scope;
    const char *prefix;
    struct secret group_key;
    bool own_key; // the key is each device's own, not a group's
    long count;
    long first;
    long stride; // from the number of one device to that of the next
    long concurrency;
    long pings; // MQTT: round trips that each device makes for nothing before it subscribes
    bool keep;  // connections stay open until stdin ends
};

// False: say usage.
bool options_read(struct options *o, int argc, char **argv);
extern const char options_usage[];

struct device {
    int fd;
    struct load *load;
    struct tls_session *tls;
    struct mqtt_decoder mqtt;
    struct http_decoder http;
    struct websocket_client websocket;
    struct amqp_client amqp;
    struct buf plain;  // out of TLS
    struct buf stream; // out of WebSocket
    long number;
    long pinged; // PINGREQs so far
    char id[64];
    int64_t started_us;
    double took_ms;
    bool upgraded;   // to WebSocket
    bool challenged; // TPM
    bool answered;   // assigned, and saying goodbye
    bool busy;
};

struct load {
    struct options o;
    struct tls_context *context;
    struct fleet fleet;
    struct soft_tpm *tpms;
    size_t tpm_count;
    int epoll;
    struct device *devices;
    double *took_ms;
    long begun, done, failed;
    int64_t se;
    char first_failure[300];
};

// What a device says, each time into its TLS session. All of it is as in device-protocol 2 to 4.
void say_first(struct device *d);
void say_ping(struct device *d);
void say_subscribe(struct device *d);
void say_publish(struct device *d);
void say_goodbye(struct device *d, const struct mqtt_publish *answer);
// The answer to a TPM's challenge. False: the blob in it is no good.
bool say_activated(struct device *d, struct slice challenge);
// The SAS token of a device that has a key; else empty.
void say_token(const struct device *d, struct buf *out);

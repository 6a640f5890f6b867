// One MQTT connection over TLS, step by step. The only file that includes mosquitto.h is session.c. Private
// to src/client.
#pragma once

#include "base/arena.h"

struct session;

struct session_settings {
    const char *host;
    uint16_t port;
    const char *ca_file;          // PEM; NULL: the CAs of the system
    const char *certificate_file; // PEM of the device, the leaf first; NULL: none
    const char *key_file;
    const char *client_id;
    const char *user_name;
    const char *password; // NULL: none
};

struct session_message {
    struct slice topic;
    struct slice payload;
};

// Connects and waits for CONNACK. The TCP connect itself is bounded by the kernel, not by deadline_us (of
// wait_now_us), because libmosquitto has no limit for it. ERR_SYSTEM, ERR_TIMEOUT or, when the server
// refuses, ERR_CREDENTIAL_MISSING, with why; ERR_INVALID for files that cannot be used. *out is NULL then.
struct err session_open(const struct session_settings *settings, int64_t deadline_us, struct session **out,
                        struct why *why);
// Sends DISCONNECT and frees; NULL is fine.
void session_close(struct session *session);
// Waits for SUBACK; ERR_CONFLICT when the server does not grant it.
struct err session_subscribe(struct session *session, const char *topic, int qos, int64_t deadline_us,
                             struct why *why);
// Waits for PUBACK.
struct err session_publish(struct session *session, const char *topic, struct slice payload,
                           int64_t deadline_us, struct why *why);
// Publishes with QoS 1, then waits for a message whose topic starts with `prefix` and has "$rid={rid}" in it.
struct err session_ask(struct session *session, const char *topic, struct slice payload, const char *prefix,
                       unsigned rid, int64_t deadline_us, struct arena *arena, struct session_message *reply,
                       struct why *why);
// Lets time pass while the connection is kept alive.
struct err session_idle(struct session *session, int64_t until_us, struct why *why);

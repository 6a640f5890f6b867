// One device's MQTT session (service-api H.4): what it may publish and subscribe to, and what the hub sends
// it. How it got in is door.c and credential.c.
#pragma once

#include "crypto/sas.h"
#include "embedded/presence.h"

// What a device may subscribe to, as bits of session.subscriptions.
enum subscription {
    SUBSCRIBED_TWIN_RESULTS = 1 << 0,
    SUBSCRIBED_DESIRED = 1 << 1,
    SUBSCRIBED_METHODS = 1 << 2,
    SUBSCRIBED_DEVICEBOUND = 1 << 3, // granted; the hub has no sender of messages to devices yet
};

struct session {
    struct embedded *embedded;
    struct mqtt_link *link; // NULL once it is closed
    struct hubs *hubs;      // held
    const struct hub *hub;
    struct embedded_count *count; // may be NULL
    struct slice id;              // in `text`
    bool has_token;               // else it is known by its certificate, which the link holds
    struct sas_token token;       // in `text`
    struct list in_admitting;     // while its first look-up is under way
    bool looking;                 // the device's record is being read
    bool look_again;              // because it was changed meanwhile
    int64_t stamp;                // 0 until admitted
    unsigned holds;               // the link, and store calls under way: freed when there is none
    unsigned subscriptions;
    bool twin_busy;            // a twin request is under way
    struct list twin_requests; // those that wait, in the order they came
    size_t twin_count;         // how many these are
    struct list methods;       // struct outstanding: invoked, not answered yet
    size_t method_count;
    size_t text_len;
    uint8_t text[]; // what the device sent with CONNECT and is judged by; wiped
};

void session_let_go(struct session *session);

// --- for the door
bool session_publish(void *session, const struct mqtt_publish *publish);
uint8_t session_subscribe(void *session, struct slice filter, uint8_t qos);
void session_unsubscribe(void *session, struct slice filter);
void session_closed(void *session);

// --- for notes of this and other loops
void session_displace(struct session *session); // the device has a newer connection
// The identity may have changed: judges the device anew and closes its connection if it does not hold.
void session_recheck(struct session *session); // in door.c
void session_stop(struct session *session);    // closes the connection, for no fault of the device's
void session_push_desired(struct session *session, int64_t version, struct slice body);
// False when the device does not take methods now.
bool session_invoke(struct session *session, const struct note *note);
// Offline answers to what waits for this device.
void session_methods_end(struct session *session);

// --- twin_requests.c: "$iothub/twin/…" topics
// False when the topic is not one of them.
bool session_twin_publish(struct session *session, const struct mqtt_publish *publish);
void session_twin_forget(struct session *session);
// --- session_methods.c: "$iothub/methods/res/{status}/?$rid={rid}"
bool session_method_publish(struct session *session, const struct mqtt_publish *publish);
// The value of $rid in "?$rid=…[&…]"; false when there is none.
bool session_rid(struct slice query, struct slice *rid);

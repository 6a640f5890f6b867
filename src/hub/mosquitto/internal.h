// What the connector's files share: the connector, what it knows of each broker, and the calls under way.
#pragma once

#include "base/list.h"
#include "hub/mosquitto/command.h"
#include "hub/mosquitto/hub_mosquitto.h"
#include "hub/mosquitto/link.h"

enum {
    BROKERS_MAX = 256, // with a connection each
    BROKERS_PER_HOST_MAX = 32,
    BROKER_ACTIVE_MAX = 32, // calls under way at once, the others wait
    BROKER_WAITING_MAX = 4096,
    BROKER_BURST = 10,             // calls that a limit per minute lets go at once, over all connectors
    BROKER_IDLE_MS = 600000,       // then a connection that works is closed
    BROKER_GONE_MS = 3600000,      // and one that does not
    BROKER_PROBE_MS = 5000,        // for the plugin to say how it is set up
    BROKER_PROBE_PAUSE_MS = 10000, // before asking again, unless the settings say otherwise
    BROKER_HOLD_MS = 800,          // shorter pauses between connections are waited for in line
    BROKER_SILENT_MAX = 3,         // calls in a row without an answer: the hub fails
    CALL_TOPICS_MAX = 1024,        // retained messages that are cleared at once
    CALL_CLEAR_MAX = 16,           // of them, under way
};

struct hub_mosquitto {
    struct hub_connector connector;
    struct hub_mosquitto_settings settings; // ca_file: into ca_text
    char *ca_text;
    uint64_t id; // of its correlations
    struct list brokers;
    size_t broker_count;
    struct list retired; // links
};

enum broker_state {
    BROKER_CONNECTING, // calls wait
    BROKER_PROBING,    // connected; calls wait for what the plugin says
    BROKER_READY,
    BROKER_DOWN, // calls are sent away until the next try
};

// A service's connection to one: per host, service, user and password. Nothing is shared between services, so
// that a wrong link of one of them harms no other.
struct broker {
    struct list link;
    struct hub_mosquitto *connector;
    struct slice host; // as linked, in small letters
    struct slice id_scope;
    struct slice user;
    struct secret password;
    struct link *connection;
    uint32_t generation; // of the connection
    enum broker_state state;
    bool linked;     // the connection stands
    bool superseded; // the service has another user or password there by now
    bool failing;    // as the watch was told
    struct err trouble_code;
    struct why trouble;
    int64_t retry_us; // while DOWN
    int64_t ask_us;   // while READY and failing: when to ask how it is, if nobody else does
    int64_t probe_until_us;
    uint64_t probe_tag;
    int64_t used_us;
    int64_t pace;    // base/bucket.h
    int64_t turn_us; // when it lets the next one go
    unsigned silent; // calls in a row that ran out of time
    struct list waiting;
    size_t waiting_count;
    struct list active;
    size_t active_count;
    uint64_t last_id; // of calls
    struct poll_timer timer;
    bool pumping;
    uint8_t text[]; // host, id_scope and user
};

enum call_step {
    CALL_SUBSCRIBE,
    CALL_LOOK,
    CALL_STATE, // retained messages are written
    CALL_WRITE,
    CALL_DELETE,
    CALL_CLEAR, // retained messages are taken away
};

// One hub_request on its way through its steps.
struct call {
    struct list link; // in waiting or active
    struct broker *broker;
    struct hub_request *request;
    int64_t expires_us;
    uint64_t id;
    uint64_t turn; // of its steps; id and turn make the tag
    enum call_step step;
    unsigned acknowledgements; // awaited
    bool subscribed;
    bool overflow; // more topics than are remembered
    struct json_doc known_doc;
    struct command_device known;
    struct json_doc twin_doc;
    struct slice desired; // READ, in the request's arena
    struct slice reported;
    struct buf topics; // REMOVE: what is retained, each with a NUL
    size_t topic_count;
    size_t cleared; // bytes of topics
};

// --- call.c: the steps of one call. Each ends by broker_call_end, now or later.

void broker_call_begin(struct call *call);
void broker_call_acknowledged(struct call *call, uint64_t tag, bool denied);
// Takes the document over.
void broker_call_answered(struct call *call, uint64_t tag, struct json_doc *doc);
void broker_call_heard(struct call *call, const struct link_event *event);
// It is over, while the connection is still there: takes back what it asked of the broker.
void broker_call_finish(struct call *call);
void broker_call_free(struct call *call);
// Which call a tag belongs to.
uint64_t broker_call_id_of(uint64_t tag);
// The topic below devices/{id}/; empty when it is another device's.
struct slice broker_call_topic_of(const struct call *call, struct slice topic);

// --- broker.c: who may talk to a broker, and when

struct broker *broker_of(struct hub_mosquitto *connector, const struct linked_hub *hub, struct slice id_scope,
                         struct why *why);
void broker_submit(struct broker *broker, struct call *call);
void broker_call_end(struct call *call, struct err e);
// No call is under way.
void broker_free(struct broker *broker);

// --- hub_mosquitto.c

int64_t hub_mosquitto_now_us(const struct hub_mosquitto *connector);
void hub_mosquitto_answer(struct hub_mosquitto *connector, struct hub_request *request, struct err e,
                          int64_t retry_after_ms);

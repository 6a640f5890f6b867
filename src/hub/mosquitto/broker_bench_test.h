// A real Mosquitto with its dynamic security plugin on loopback, the connector on a real loop, and devices
// that knock at the broker's doors.
#pragma once

#include <spawn.h>

#include <mosquitto.h>

#include "base/testing.h"
#include "hub/mosquitto/hub_mosquitto.h"
#include "net/bench_test.h"

#define SERVICE_USER "usher-5e1f"
#define SERVICE_KEY  "the password of the service"
#define KEY_1        "primary key of the device"
#define KEY_1_TEXT   "cHJpbWFyeSBrZXkgb2YgdGhlIGRldmljZQ==" // base64 of the same
#define KEY_2        "another key of the device"
#define KEY_2_TEXT   "YW5vdGhlciBrZXkgb2YgdGhlIGRldmljZQ=="
#define TWIN         "{\"tags\":{\"floor\":\"3\"},\"properties\":{\"desired\":{\"rate\":5}}}"

struct broker_bench {
    struct bench bench;
    char dir[64];
    uint16_t key_port;         // user name and password
    uint16_t certificate_port; // certificates of the bench's "other" CA
    char host[32];             // localhost:key_port
    pid_t pid;                 // 0: not running
    bool without_plugin;
    struct hub_connector *connector;
    int64_t probe_pause_ms; // of the connector's settings
    unsigned shares;        // likewise
    struct clock clock;
    struct random random;
    uint64_t next_random;
    // what the watch was told, under the bench's lock
    unsigned told_failing;
    unsigned told_well;
    char told_scope[40];
};

// The bench that a test made WITH_BROKER has.
extern struct broker_bench bench;
int broker_bench_setup(void **state);
int broker_bench_teardown(void **state);
#define WITH_BROKER(test) cmocka_unit_test_setup_teardown(test, broker_bench_setup, broker_bench_teardown)

// Everything, with the connector and a service user that may do what it needs. *b: zeroed, but for
// what the connector's settings shall be.
void broker_bench_start(struct broker_bench *b);
void broker_bench_end(struct broker_bench *b);
void broker_start(struct broker_bench *b); // at the same ports, with what it knew
void broker_stop(struct broker_bench *b);
// Said to the plugin by its administrator, who is not the service; the whole answer must hold `expect`.
void broker_command(struct broker_bench *b, const char *command, const char *expect);

struct shot {
    struct broker_bench *broker;
    struct linked_hub hub;
    struct hub_request request;
    struct arena arena;
    struct outcome outcome;
};

// HUB_ASSIGN of a device with KEY_1 and a deadline of ten seconds, not fired yet.
void shot_init(struct shot *shot, struct broker_bench *b, const char *device_id);
void shots_fire(struct shot *shots, size_t count); // in one turn of the loop
struct err shot_wait(struct shot *shot);
struct err shot_run(struct shot *shot);
void shot_release(struct shot *shot);
// From nothing: init, run, release; must succeed.
void assign_device(struct broker_bench *b, const char *device_id, enum hub_twin how, const char *twin,
                   const char *reported);
void remove_device(struct broker_bench *b, const char *device_id);

// A device, or whoever else.
struct knocker {
    struct mosquitto *client;
    int connack; // -1: none
    int code;    // of the last acknowledgement; -1: none yet
    bool lost;
    char heard[8192]; // "topic payload\n" for each message
};

enum { ALLOWED = 0, DENIED = 135 };

// The reason code of the CONNACK.
int knock(struct knocker *k, struct broker_bench *b, const char *user, const char *password,
          const char *client_id);
int knock_with_certificate(struct knocker *k, struct broker_bench *b, const char *client_id);
int knocker_publish(struct knocker *k, const char *topic, const char *payload, bool retain);
int knocker_subscribe(struct knocker *k, const char *topic);
void knocker_await(struct knocker *k, const char *part); // in what it heard
bool knocker_await_loss(struct knocker *k);
void knocker_leave(struct knocker *k);
// What is retained below a topic, as the administrator sees it: "topic payload\n" for each.
void retained_below(struct broker_bench *b, const char *topic, char *out, size_t room);

#define assert_result(shot, want)                                                                            \
    do {                                                                                                     \
        if ((shot)->request.result.code != (want))                                                           \
            fail_msg("have %s: %s", err_info((shot)->request.result)->name, (shot)->request.why.text);       \
    } while (0)
static inline bool says(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

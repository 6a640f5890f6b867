// A bench with several hubs that keep what they are told, a journal of what was done in which order, and a
// power switch: after the n-th write or call nothing is done any more, until the flow is started again.
#pragma once

#include "flow/flow_bench_test.h"

enum { IDENTITIES = 32, TROUBLES = 8, PUTS = 64 };

struct identity {
    char hub[40]; // "": none
    char id[40];
    char twin[200];
    char reported[200];
    unsigned made; // how many were made before it
    enum switch_state edge;
    uint8_t key; // the first byte of its primary key; 0: it has none
};

struct trouble {
    const char *hub; // NULL: none
    enum hub_verb verb;
    struct err result;
    int times;  // -1: always
    bool after; // it is done all the same, and only the answer says so
};

struct hubs {
    struct world *world;
    struct identity identities[IDENTITIES];
    unsigned made;
    struct trouble troubles[TROUBLES];
    char
        journal[4000]; // "put", "read a.hub", "assign b.hub import", "remove a.hub"; each followed by a comma
    bool quiet;        // no journal
    bool holds;        // calls wait in world->calls
    struct store_client gate;
    struct store gate_store;
    struct store_client *behind;
    struct put {
        const struct store_request *request; // NULL: free
        void (*done)(struct store_request *request);
    } puts[PUTS];    // under way
    int events;      // writes of registrations, and calls
    int dies_at;     // 0: never
    bool dies_after; // that event is still done
    bool dead;
    bool unnamed; // an identity was somewhere, and no record said so
    bool none;    // a device that had been assigned was nowhere
    bool early;   // something was removed that had no copy yet
    bool was_assigned;
    enum switch_state edge;     // what enrollments say
    bool resets;                // an identity may be made anew, so that there is none for a moment
    struct registration record; // the last durable one; its text in the world's arena
    // before a call is carried out, and before it is answered
    void (*before)(struct hubs *hubs, const struct hub_request *request);
    void (*meanwhile)(struct hubs *hubs, const struct hub_request *request);
};

// The world of flow_bench_test with these hubs linked: a.hub, b.hub and c.hub.
int hubs_setup(void **state);
int hubs_teardown(void **state);
struct hubs *hubs_of(void);

// Which of them are linked: letters of a, b, c; A, B, C are draining.
void link_hubs(struct world *w, const char *letters, enum unreachable_rule unreachable);
// The same, and the first of them takes so many devices.
void link_full(struct world *w, const char *letters, uint32_t capacity);
void delete_service(struct world *w);
enum data { NEVER, MIGRATE, RESET };
// dev1 goes to the first of these hubs (letters).
void enroll(struct world *w, const char *letters, enum data data);
void enroll_other(struct world *w, const char *id, const char *letters);
void enroll_near(struct world *w, const char *letters);                   // geoLatency chooses among them
void enroll_custom(struct world *w, const char *letters, enum data data); // a webhook chooses among them
struct identity *identity_at(const char *hub, const char *id);            // NULL: it is not there
size_t identities(void);
void set_twin(const char *hub, const char *twin, const char *reported);
// calls of this verb to that hub come to this
void trouble(const char *hub, enum hub_verb verb, enum err_code code, int times, bool after);
void no_trouble(void);
// Registers dev1 and waits for an answer; and until all is done.
void enter_dev1(struct world *w);
// dev1 registers from this address (static text), with this payload (the same).
void ask_from(struct world *w, const char *peer, const char *payload);
// Time goes on until nothing is under way, in steps of ms.
void run_down(struct world *w, int64_t ms);
// The flow as another process would start it.
void start_again(struct world *w);
void assert_names_hold(void);

// The registration of dev1, which is there.
const struct registration *dev1(struct world *w);
// dev1 is at a.hub, with data of its own.
void settle_at_a(struct world *w);
void assert_is_only_at(struct world *w, const char *hub, enum registration_substatus substatus);
void assert_has_own_data(const char *hub);
void assert_has_initial_twin(const char *hub);

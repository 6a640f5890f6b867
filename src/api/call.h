// One call of an operator as a list of steps, so that a handler reads from top to bottom although it waits
// for the store in between. An area has one table of routes; what is not in the table is refused.
#pragma once

#include "api/exchange.h"
#include "flow/directory.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/store.h"
#include "json/json.h"
#include "json/write.h"

struct call;

enum {
    CALL_STEPS_MAX = 7,
    CALL_NAMES_MAX = 2,
    CALL_BODY_MAX = 96 * 1024,
    CALL_BODY_LARGE_MAX = 2 << 20,
    CALL_SCRATCH_CAP = 8 << 20
};

enum call_body {
    CALL_BODY_IGNORED,
    CALL_BODY_OPTIONAL, // JSON, or nothing at all
    CALL_BODY_NEEDED,   // JSON, with a length
    CALL_BODY_LARGE,    // the same, of up to CALL_BODY_LARGE_MAX bytes where the front takes that (http_area)
    CALL_BODY_LARGE_OPTIONAL,
};

struct call_route {
    const char *method; // "": the path is known, but nothing can be done with it
    const char *path;   // segments compare without case; {} stands for any that is not empty
    uint32_t right;     // enum right; 0: nobody but over the control socket
    enum call_body body;
    // In order. A step that asks or pauses is followed by the next one when the answer is there; after the
    // last, x->body is answered with call->status. A step that fails ends the call.
    struct err (*steps[CALL_STEPS_MAX])(struct call *call);
};

struct call_area {
    void *api; // whose area it is
    struct store_client *store;
    struct directory *directory;
    const struct clock *clock;
    struct random *random;
    const struct log *log;
    const struct call_route *routes;
    size_t route_count;
    size_t state_size; // of call->state
    // Finds call->service and checks call->route->right before anything else of the call is looked at.
    struct err (*admit)(struct call *call);
};

struct call {
    const struct call_area *area;
    struct exchange *x;
    const struct call_route *route;
    struct slice names[CALL_NAMES_MAX]; // what stands for each {}
    struct directory_snapshot *held;    // until the end of the call
    const struct service *service;      // may be NULL when admit says so
    struct json_doc body;
    struct arena scratch; // results of the store; a step may release it when nothing in it is needed any more
    struct store_request request; // the last one; its result is for the next step to judge
    struct why why;
    unsigned status; // 200
    int64_t now_us;  // wall clock at the beginning
    void *state;     // zeroed, state_size bytes
    // private
    size_t step;
    bool waiting;
};

// Handles an exchange by the area's table: for the http_area whose context is the call_area.
void call_begin(void *area, struct exchange *x);
// Returned by a step: hand a request to the store and go on when it is answered. arena, done and context are
// filled in.
struct err call_ask(struct call *call, struct store_request request);
// Returned by a step that waits for something else, which calls call_resume later, not from within.
struct err call_pause(struct call *call);
void call_resume(struct call *call);
// Goes on with this step of the route instead of the next.
void call_go_to(struct call *call, struct err (*step)(struct call *call));

// The result of the last request, with its reason kept for the caller; ERR_ABSENT becomes `absent`.
struct err call_asked(struct call *call, enum err_code absent);
// The answer {"value":[ … ]}, around what it lists.
void call_list_open(struct call *call, struct json_writer *w);
struct err call_list_close(struct call *call, struct json_writer *w);
// The one line for an applied change (invariant I7): what, to which record, of which service, by whom.
void call_log_change(struct call *call, const char *event, enum log_key key, struct slice id);
// The same line, not ended yet, for more fields or of another level.
void call_log_begin(struct call *call, struct log_line *line, enum err_level level, const char *event,
                    enum log_key key, struct slice id);

// If-Match, service-api A.4.
struct call_condition {
    bool given;
    bool any; // *
    uint64_t etag;
};
struct err call_condition(struct call *call, struct call_condition *out);

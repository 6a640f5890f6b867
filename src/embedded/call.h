// One REST request to a hub, from its routing to its answer.
#pragma once

#include "domain/twin.h"
#include "embedded/core.h"
#include "hub/embedded/device_update.h"

enum { CALL_ARENA_CAP = 16 << 20, ETAG_ROOM = 40 };

// Freed by call_answer and call_refuse.
struct call {
    struct embedded *embedded;
    struct exchange *x;
    struct hubs *hubs; // held
    const struct hub *hub;
    struct slice id; // the device's, when the path has one
    struct json_doc body;
    struct arena arena; // for large results, besides the exchange's
    struct store_request store;
    struct device_update update;
    // If-Match
    bool has_etag;
    bool any_etag;
    struct slice etag;
    // what an operation needs besides
    struct twin_parts parts;
    enum twin_how how;
    void (*write)(struct json_writer *w, const struct device *device, struct device_presence presence);
    size_t limit; // pages.c
    bool twins;   // pages.c: twins, not identities
    struct slice after;
    const struct query_node *where;
    size_t counted;    // pages.c
    struct bulk *bulk; // bulk.c
};

// Sends the answer and frees the call. A call that changed something is logged with `event`, else NULL.
void call_answer(struct call *call, unsigned status, const char *event);
// The same with 200 and the device as call->write writes it: device_write, twin_write.
void call_answer_device(struct call *call, const struct device *device, const char *event);
// With an error body of the hub API; errors of other parts become the hub's.
void call_refuse(struct call *call, struct err e, const struct why *why);
struct err call_error(struct err e);
// ERR_HUB_ETAG unless If-Match allows for what is there.
struct err call_match(const struct call *call, struct slice etag);
// A zeroed update of the device of this call.
void call_update_init(struct call *call, struct err (*change)(struct device_update *, struct device *),
                      void (*done)(struct device_update *));
// Tells the device of a change of its desired properties, if it is connected.
void call_push_desired(struct call *call, struct slice id, const struct json *change, int64_t version);
// Random keys where there is none.
void call_make_keys(struct call *call, struct device *device);
// Has the device's connection closed, if there is one, unless what it showed holds for the identity as it is
// now.
void call_recheck(struct call *call, struct slice id);

// The handlers of route.c's table.
// Answers with the device that the path names, as call->write writes it.
void call_show_device(struct call *call);
// Asks the store for that device; done finds the call in request->context.
void call_read_device(struct call *call, void (*done)(struct store_request *request));

void devices_list(struct call *call);
void devices_query(struct call *call);
void devices_bulk(struct call *call);
void device_get(struct call *call);
void device_put(struct call *call);
void device_delete(struct call *call);
void statistics_devices(struct call *call);
void statistics_service(struct call *call);
void twin_get(struct call *call);
void twin_patch(struct call *call);
void twin_put(struct call *call);
void method_invoke(struct call *call);

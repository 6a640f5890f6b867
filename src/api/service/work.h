// What the steps of this folder share. Not for other folders.
#pragma once

#include "api/call.h"

// One write of an enrollment or a group, whether alone or as an item of a bulk call.
struct change {
    struct slice id; // as the caller wrote it; the key in the store is its lower case
    struct slice key;
    struct call_condition condition;
    const struct json *body; // of a PUT
    const struct enrollment *stored;
    struct enrollment *record;
    struct slice unknown[2]; // CA certificates that it refers to and did not before
    size_t unknown_count;
    bool asked; // for the last of them
    bool created;
    unsigned tries;
};

struct bulk {
    const struct json *items;
    size_t index;
    unsigned mode;
    struct err failure; // of this item, before anything was asked
    bool failed;        // some item did
    struct json_writer writer;
};

struct listing {
    const struct query_node *where;
    size_t left; // of the page
    struct slice after;
    bool more;
    struct json_writer writer;
};

struct work {
    const struct service_api *api;
    // of enrollments and groups, by the path
    enum enrollment_kind kind;
    enum store_table table;
    struct slice key;
    const struct enrollment *shown;
    struct change change;
    struct bulk bulk;
    struct listing listing;
};

static inline struct work *work_of(struct call *call)
{
    return call->state;
}

struct service_api {
    struct call_area area;
    struct secret continuation_key;
};

enum err_code work_not_found(const struct work *work);
enum log_key work_log_key(const struct work *work);
// The canonical key of the first name in the path. ERR_ENROLLMENT_NOT_FOUND and its like when no record can
// have it.
struct err work_key(struct call *call, struct slice *key);

// change.c. In this order; each that asks is followed by the next when the answer is there.
struct err change_load(struct call *call, struct change *change);
// Makes the record; asks for a CA certificate that it newly refers to, if any.
struct err change_make(struct call *call, struct change *change);
// *more: another CA certificate was asked for, and the next step is this one again.
struct err change_put(struct call *call, struct change *change, bool *more);
struct err change_delete(struct call *call, struct change *change);
// The outcome of put: *again when somebody else was faster and the caller did not say which state it meant.
struct err change_put_done(struct call *call, struct change *change, bool *again);
struct err change_delete_done(struct call *call, const struct change *change);

// Steps, in the order of a route. enrollments.c
struct err enrollment_load(struct call *call);
struct err enrollment_load_state(struct call *call);
struct err enrollment_show(struct call *call);
struct err enrollment_show_attestation(struct call *call);
struct err enrollment_begin_put(struct call *call);
struct err enrollment_reload(struct call *call);
struct err enrollment_make(struct call *call);
struct err enrollment_put(struct call *call);
struct err enrollment_show_written(struct call *call);
struct err enrollment_delete(struct call *call);
struct err enrollment_deleted(struct call *call);
// bulk.c
struct err bulk_begin(struct call *call);
struct err bulk_load(struct call *call);
struct err bulk_make(struct call *call);
struct err bulk_apply(struct call *call);
struct err bulk_note(struct call *call);
// registrations.c
struct err registration_load(struct call *call);
struct err registration_show(struct call *call);
struct err registration_delete(struct call *call);
struct err registration_deleted(struct call *call);
struct err registration_list(struct call *call);
// listing.c
struct err listing_begin(struct call *call);
struct err listing_ask(struct call *call);
struct err listing_write(struct call *call);
// Reads the query and the paging headers; `of_group`, canonical, is the group whose registrations are listed,
// or empty.
struct err listing_read(struct call *call, struct slice of_group);

// continuation.c: a place in a list as a text that only this service accepts.
struct err continuation_write(struct call *call, struct slice after, struct slice *token);
struct err continuation_read(struct call *call, struct slice token, struct slice *after);

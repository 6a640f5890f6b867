// What the steps of this folder share. Not for other folders.
#pragma once

#include "api/call.h"
#include "api/control/control.h"

struct control_api {
    struct call_area area;
    struct control_api_settings settings;
    int64_t started_us; // monotonic
};

struct work {
    const struct control_api *api;
    // the service, as read from the store and then as changed
    struct slice key;
    struct service *service; // NULL: there is none
    struct call_condition condition;
    bool create_only;
    unsigned tries;
    struct service_record record;
    struct directory_wait wait;
    struct err reloaded;
    // what is logged of the change
    const char *event;
    enum log_key log_key;
    struct slice log_id;
    // what is counted before a service is deleted, and the devices of an embedded hub
    size_t counted[3];
    size_t counting;
    // embedded hubs
    struct hub_record **hubs;
    size_t hub_count;
    size_t hub_at;
    struct json_writer writer;
};

static inline struct work *work_of(struct call *call)
{
    return call->state;
}

// settings.c: reading and changing the settings of one service. Steps, in the order of a route:
struct err settings_begin(struct call *call); // reads the preconditions of a change
struct err settings_load(struct call *call);
struct err settings_saved(struct call *call); // starts again when somebody else was faster; tells all loops
struct err settings_told(struct call *call);
// For the step after settings_load: work->service, or NULL. ERR_ETAG when If-Match does not hold.
struct err settings_loaded(struct call *call);
// The same; ERR_SERVICE_NOT_FOUND when there is none.
struct err settings_loaded_required(struct call *call);
// Returned by the step that changed work->service. event, key and id are for the log.
struct err settings_save(struct call *call, const char *event, enum log_key key, struct slice id);
struct err settings_remove(struct call *call);
// If-None-Match: * and there is one already.
struct err settings_check_new(struct call *call, bool exists);

// services.c
struct err service_list(struct call *call);
struct err service_show(struct call *call);
struct err service_put(struct call *call);
struct err service_put_told(struct call *call);
struct err service_check_unused(struct call *call);
struct err service_counted(struct call *call);
struct err service_deleted(struct call *call); // also after the deletion of a hub or a policy
// linked_hubs.c
struct err linked_hub_list(struct call *call);
struct err linked_hub_show(struct call *call);
struct err linked_hub_check_embedded(struct call *call);
struct err linked_hub_begin(struct call *call);
struct err linked_hub_put(struct call *call);
struct err linked_hub_put_told(struct call *call);
struct err linked_hub_delete(struct call *call);
void linked_hub_write(struct json_writer *w, const struct linked_hub *hub);
// policies.c
struct err policy_list(struct call *call);
struct err policy_list_keys(struct call *call);
struct err policy_show(struct call *call);
struct err policy_show_keys(struct call *call);
struct err policy_put(struct call *call);
struct err policy_put_told(struct call *call);
struct err policy_delete(struct call *call);
void policy_write(struct json_writer *w, const struct policy *policy, bool keys);
// Two new keys of 32 bytes.
void policy_make_keys(struct random *random, struct policy *policy);
// embedded_hubs.c
struct err embedded_hub_list(struct call *call);
struct err embedded_hub_listed(struct call *call);
struct err embedded_hub_next(struct call *call);
struct err embedded_hub_counted(struct call *call);
struct err embedded_hub_load(struct call *call);
struct err embedded_hub_found(struct call *call);
struct err embedded_hub_count(struct call *call);
struct err embedded_hub_show(struct call *call);
struct err embedded_hub_show_keys(struct call *call);
// control.c
struct err status_show(struct call *call);

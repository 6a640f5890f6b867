// What the steps of this folder share. Not for other folders.
#pragma once

#include "api/call.h"
#include "api/control/control.h"

struct control_api {
    struct call_area area;
    struct control_api_settings settings;
    int64_t started_us; // monotonic
};

// A CA certificate on its way from the store and back.
struct certificate_work {
    struct slice key;              // its canonical name
    struct ca_certificate *stored; // as read; NULL: there is none
    struct ca_certificate record;  // as it is to be
    const char *event;             // what is logged of the change
    struct ca_crl list;            // a revocation list that is written with it
    struct store_request also;
    uint64_t list_etag;        // of the stored list; 0: there is none
    struct slice word;         // asks for the groups that refer to it
    struct slice warning;      // what the change means for devices; empty: nothing out of the ordinary
    struct json_writer writer; // of the list of all
    struct slice after;
    size_t written;
};

// Changes of enrollments that are read, one by one, for a dry run.
struct dry_run_work {
    struct dry_run_change *changes;
    const struct json **bodies;
    size_t count;
    size_t at;
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
    size_t counted[4];
    size_t counting;
    // embedded hubs
    struct hub_record **hubs;
    size_t hub_count;
    size_t hub_at;
    struct json_writer writer;
    struct certificate_work certificate;
    struct dry_run_work dry_run;
    struct expiry_wait look;
};

static inline struct work *work_of(struct call *call)
{
    return call->state;
}

static inline struct certificate_work *certificate_of(struct call *call)
{
    return &work_of(call)->certificate;
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
// Whether a TPM of an individual enrollment must show its endorsement key's certificate: false, true.
extern const struct names tpm_certificate_names;
// service_change.c: what a body says of a service, but for its host name. Text is made in the arena.
struct err service_change(struct arena *arena, const struct json_in *in, struct service *service,
                          struct why *why);
// linked_hubs.c
struct err linked_hub_list(struct call *call);
struct err linked_hub_count(struct call *call);
struct err linked_hub_show(struct call *call);
struct err linked_hub_check_embedded(struct call *call);
struct err linked_hub_begin(struct call *call);
struct err linked_hub_put(struct call *call);
struct err linked_hub_put_told(struct call *call);
struct err linked_hub_delete(struct call *call);
void linked_hub_write(struct json_writer *w, const struct control_api *api, const struct service *service,
                      const struct linked_hub *hub);
// hub_change.c: what a body says of a linked hub
enum { CONNECTION_STRING_MAX = 1024 };
#define LINKED_HUB_MASK "****"
struct err linked_hub_kind(const struct json_in *in, bool *embedded,
                           struct why *why); // does it say embedded?
// `stored`: it is linked already; `local`: who asks may link embedded hubs. Text is made in the arena.
struct err linked_hub_change(struct arena *arena, const struct json_in *in, bool local, bool stored,
                             struct linked_hub *hub, struct why *why);
// A new one at the end, with defaults; service->hubs then is in the arena. Keeps `host` as it is.
struct err linked_hub_add(struct arena *arena, struct service *service, struct slice host,
                          struct linked_hub **out, struct why *why);
struct linked_hub *linked_hub_find(struct service *service, struct slice host); // NULL: there is none
// With what was measured to it. Changes what the service points to.
void linked_hub_remove(struct service *service, struct linked_hub *hub);
// registrations.c
struct err registration_find(struct call *call);
struct err registration_show_all(struct call *call);
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
// certificate_change.c: reading and changing one CA certificate. Steps:
struct err certificate_begin(struct call *call); // reads name and preconditions
struct err certificate_load(struct call *call);
struct err certificate_load_list(struct call *call); // its revocation list, to know its etag
// For the step after certificate_load: stored, or NULL; ERR_ETAG when If-Match does not hold.
struct err certificate_loaded(struct call *call);
struct err certificate_loaded_required(struct call *call); // ERR_SETTING_NOT_FOUND when there is none
// For the step after certificate_load_list.
struct err certificate_list_loaded(struct call *call);
// Returned by the step that made work->certificate.record; `list` may be NULL.
struct err certificate_save(struct call *call, const char *event, const struct ca_crl *list);
// For the step after that. *again: as certificate_overtaken.
struct err certificate_saved(struct call *call, bool *again);
// The event, with work->certificate.warning (if any) in the log and in the answer's header x-usher-warning.
void certificate_tell(struct call *call, struct slice name);
// Somebody else was faster, and the caller did not say which state it meant: the call goes on with
// certificate_load.
bool certificate_overtaken(struct call *call);
// Asks to delete a list that no record refers to any more, if it is still the one that was read. What becomes
// of it does not matter: it is looked for only through the record of its certificate.
struct err certificate_drop_list(struct call *call);
struct err certificate_answer(struct call *call, bool with_code);
// certificates.c
struct err certificate_list(struct call *call);
struct err certificate_list_page(struct call *call);
struct err certificate_show(struct call *call);
struct err certificate_prepare(struct call *call);
struct err certificate_put(struct call *call);
struct err certificate_put_saved(struct call *call);
struct err certificate_put_done(struct call *call);
struct err certificate_begin_delete(struct call *call);
struct err certificate_count_groups(struct call *call);
struct err certificate_groups_counted(struct call *call);
struct err certificate_delete(struct call *call);
struct err certificate_deleted(struct call *call);
struct err certificate_gone(struct call *call);
// certificate_proof.c
struct err proof_make_code(struct call *call);
struct err proof_code_made(struct call *call);
struct err proof_verify(struct call *call);
struct err proof_verified(struct call *call);
// certificate_crl.c
struct err crl_load(struct call *call);
struct err crl_show(struct call *call);
struct err crl_put(struct call *call);
struct err crl_put_done(struct call *call);
struct err crl_delete(struct call *call);
struct err crl_deleted(struct call *call);
struct err crl_gone(struct call *call);
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
// dry_runs.c
struct err dry_run_read(struct call *call);
struct err dry_run_ask(struct call *call);
struct err dry_run_take(struct call *call);
struct err dry_run_show(struct call *call);
// metrics.c
struct err metrics_look(struct call *call);
struct err metrics_show(struct call *call);
// control.c
struct err status_show(struct call *call);

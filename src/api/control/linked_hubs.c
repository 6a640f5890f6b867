// The hubs that a service may assign to (service-api B.3), with what keeps a fleet in order: their state,
// capacity, place and health.
#include "api/control/work.h"

#include "base/instant.h"
#include "base/text.h"
#include "domain/identifier.h"

static void write_connection_string(struct json_writer *w, const char *name, const struct linked_hub *hub)
{
    struct buf text = buf_capped(CONNECTION_STRING_MAX * 2);
    bool broker = hub->kind == HUB_KIND_MOSQUITTO;
    buf_text(&text, "HostName=");
    buf_bytes(&text, hub->host);
    buf_text(&text, broker ? ";UserName=" : ";SharedAccessKeyName=");
    buf_bytes(&text, hub->policy_name);
    buf_text(&text, broker ? ";Password=" LINKED_HUB_MASK : ";SharedAccessKey=" LINKED_HUB_MASK);
    json_field_text(w, name, buf_slice(&text));
    buf_release(&text);
}

// null: what holds when nothing is said.
static void field_number_or_null(struct json_writer *w, const char *key, bool given, int64_t number)
{
    json_key(w, key);
    if (given)
        json_number(w, number);
    else
        json_nothing(w);
}

static void write_settings(struct json_writer *w, const struct linked_hub *hub)
{
    json_key(w, "applyAllocationPolicy");
    if (hub->allocate_set)
        json_bool(w, hub->allocate);
    else
        json_nothing(w);
    field_number_or_null(w, "allocationWeight", hub->weight_set, hub->weight);
    json_field_text(w, "state", name_of(&hub_state_names, hub->state));
    field_number_or_null(w, "capacity", hub->capacity > 0, hub->capacity);
    field_number_or_null(w, "callsPerMinute", hub->calls_per_minute > 0, hub->calls_per_minute);
    json_key(w, "location");
    if (hub->location.len > 0)
        json_text(w, hub->location);
    else
        json_nothing(w);
}

static void write_health(struct json_writer *w, const struct hub_health *health,
                         const struct service *service, const struct linked_hub *hub)
{
    if (health == NULL)
        return;
    struct hub_health_state state = hub_health_of_link(health, hub->host, service->id_scope);
    json_key(w, "health");
    json_object_open(w);
    json_field_text(w, "state", state.failing ? SLICE("failing") : SLICE("well"));
    if (state.since_us != 0) {
        char text[40];
        struct buf since = {.at = (uint8_t *)text, .room = sizeof text, .cap = sizeof text};
        instant_format(&since, state.since_us);
        json_field_text(w, "since", buf_slice(&since));
    }
    if (state.failing)
        json_field_text_if(w, "reason", slice_text(state.why.text));
    json_object_close(w);
}

static void write_hub(struct json_writer *w, const struct control_api *api, const struct service *service,
                      const struct linked_hub *hub, const size_t *devices)
{
    json_object_open(w);
    json_field_text(w, "name", hub->host);
    json_field_text(w, "kind", name_of(&hub_kind_names, hub->kind));
    json_field_bool(w, "embedded", hub->kind == HUB_KIND_EMBEDDED);
    if (hub->kind != HUB_KIND_EMBEDDED)
        write_connection_string(w, "connectionString", hub);
    if (hub->policy_key_secondary.len > 0)
        write_connection_string(w, "secondaryConnectionString", hub);
    write_settings(w, hub);
    json_field_text(w, "authenticationType", SLICE("KeyBased"));
    if (devices != NULL)
        json_field_number(w, "devices", (int64_t)*devices);
    write_health(w, api->settings.health, service, hub);
    json_object_close(w);
}

void linked_hub_write(struct json_writer *w, const struct control_api *api, const struct service *service,
                      const struct linked_hub *hub)
{
    write_hub(w, api, service, hub, NULL);
}

struct err linked_hub_list(struct call *call)
{
    struct json_writer w;
    TRY(settings_loaded_required(call));
    const struct service *service = work_of(call)->service;
    call_list_open(call, &w);
    for (size_t i = 0; i < service->hub_count; i++)
        linked_hub_write(&w, work_of(call)->api, service, &service->hubs[i]);
    return call_list_close(call, &w);
}

// ---- one

// How many devices the service has there.
struct err linked_hub_count(struct call *call)
{
    TRY(settings_loaded_required(call));
    const struct work *work = work_of(call);
    const struct linked_hub *hub = linked_hub_find(work->service, call->names[1]);
    if (hub == NULL)
        return FAIL(ERR_SETTING_NOT_FOUND);
    struct query_node *where = arena_take(&call->scratch, sizeof *where);
    struct query_value *value = arena_take(&call->scratch, sizeof *value);
    if (where == NULL || value == NULL)
        return FAIL(ERR_NO_MEMORY);
    *value = (struct query_value){.kind = QUERY_TEXT, .text = hub->host};
    *where = (struct query_node){.op = QUERY_EQ, .path = SLICE("assignedHub"), .values = value, .count = 1};
    return call_ask(call, (struct store_request){
                              .verb = STORE_COUNT,
                              .table = STORE_REGISTRATION,
                              .partition = work->service->id_scope,
                              .where = where,
                          });
}

struct err linked_hub_show(struct call *call)
{
    const struct work *work = work_of(call);
    struct json_writer w;
    TRY(call_asked(call, ERR_SETTING_NOT_FOUND));
    json_begin(&w, &call->x->body);
    write_hub(&w, work->api, work->service, linked_hub_find(work->service, call->names[1]),
              &call->request.count);
    return buf_err(&call->x->body);
}

// ---- changes

// The embedded hub must be there.
struct err linked_hub_check_embedded(struct call *call)
{
    struct json_in in;
    bool embedded = false;
    struct slice key = {0};
    TRY(host_check(call->names[1], "the hub in the path", &call->why));
    TRY(json_in_root(json_root(&call->body), "the body", &in, &call->why));
    TRY(linked_hub_kind(&in, &embedded, &call->why));
    if (!embedded)
        return OK;
    TRY(arena_lower(&call->x->arena, call->names[1], &key));
    return call_ask(call, (struct store_request){.verb = STORE_GET, .table = STORE_HUB, .key = key});
}

struct err linked_hub_begin(struct call *call)
{
    if (call->request.result.code == ERR_ABSENT)
        return why_fail(&call->why, ERR_INVALID, "this daemon has no embedded hub %.*s",
                        SLICE_ARG(slice_to(call->names[1], 100)));
    TRY(call_asked(call, ERR_ABSENT));
    return settings_begin(call);
}

struct err linked_hub_put(struct call *call)
{
    struct json_in in;
    TRY(settings_loaded_required(call));
    struct linked_hub *hub = linked_hub_find(work_of(call)->service, call->names[1]);
    bool exists = hub != NULL;
    TRY(settings_check_new(call, exists));
    if (!exists)
        TRY(linked_hub_add(&call->scratch, work_of(call)->service, call->names[1], &hub, &call->why));
    TRY(json_in_root(json_root(&call->body), "the body", &in, &call->why));
    TRY(linked_hub_change(&call->scratch, &in, call->x->local, exists, hub, &call->why));
    return settings_save(call, exists ? "hub.updated" : "hub.linked", LOG_hub, hub->host);
}

struct err linked_hub_put_told(struct call *call)
{
    struct json_writer w;
    TRY(settings_told(call));
    json_begin(&w, &call->x->body);
    linked_hub_write(&w, work_of(call)->api, work_of(call)->service,
                     linked_hub_find(work_of(call)->service, call->names[1]));
    return buf_err(&call->x->body);
}

struct err linked_hub_delete(struct call *call)
{
    TRY(settings_loaded_required(call));
    struct service *service = work_of(call)->service;
    struct linked_hub *hub = linked_hub_find(service, call->names[1]);
    if (hub == NULL)
        return FAIL(ERR_SETTING_NOT_FOUND);
    struct slice host = hub->host;
    linked_hub_remove(service, hub);
    return settings_save(call, "hub.unlinked", LOG_hub, host);
}

// The hubs that a service may assign to (service-api B.3).
#include "api/control/work.h"

#include "base/text.h"
#include "domain/identifier.h"

enum { CONNECTION_STRING_MAX = 1024, WEIGHT_MAX = 1000 };
#define MASK "SharedAccessKey=****"

static void write_connection_string(struct json_writer *w, const struct linked_hub *hub)
{
    struct buf text = buf_capped(CONNECTION_STRING_MAX * 2);
    buf_text(&text, "HostName=");
    buf_bytes(&text, hub->host);
    buf_text(&text, ";SharedAccessKeyName=");
    buf_bytes(&text, hub->policy_name);
    buf_text(&text, ";" MASK);
    json_field_text(w, "connectionString", buf_slice(&text));
    buf_release(&text);
}

void linked_hub_write(struct json_writer *w, const struct linked_hub *hub)
{
    json_object_open(w);
    json_field_text(w, "name", hub->host);
    json_field_bool(w, "embedded", hub->kind == HUB_KIND_EMBEDDED);
    if (hub->kind == HUB_KIND_AZURE)
        write_connection_string(w, hub);
    json_key(w, "applyAllocationPolicy");
    if (hub->allocate_set)
        json_bool(w, hub->allocate);
    else
        json_nothing(w);
    json_key(w, "allocationWeight");
    if (hub->weight_set)
        json_number(w, hub->weight);
    else
        json_nothing(w);
    json_field_text(w, "authenticationType", SLICE("KeyBased"));
    json_object_close(w);
}

struct err linked_hub_list(struct call *call)
{
    struct json_writer w;
    TRY(settings_loaded_required(call));
    const struct service *service = work_of(call)->service;
    call_list_open(call, &w);
    for (size_t i = 0; i < service->hub_count; i++)
        linked_hub_write(&w, &service->hubs[i]);
    return call_list_close(call, &w);
}

static struct linked_hub *find(struct service *service, struct slice host)
{
    const struct linked_hub *found = service_hub(service, host);
    return found != NULL ? &service->hubs[found - service->hubs] : NULL;
}

static struct err write_one(struct call *call)
{
    struct json_writer w;
    const struct linked_hub *hub = find(work_of(call)->service, call->names[1]);
    if (hub == NULL)
        return FAIL(ERR_SETTING_NOT_FOUND);
    json_begin(&w, &call->x->body);
    linked_hub_write(&w, hub);
    return buf_err(&call->x->body);
}

struct err linked_hub_show(struct call *call)
{
    TRY(settings_loaded_required(call));
    return write_one(call);
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
    TRY(json_want_bool(&in, "embedded", JSON_OPTIONAL, &embedded, &call->why));
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

// An embedded hub asks for no key, and a service that links it may take over devices that others have there:
// so only who runs the daemon links one. A link that is there can be changed over HTTPS, too.
//
// A connection string as it is shown, with its key masked, leaves the stored one as it is.
static struct err read_kind(struct call *call, const struct json_in *in, bool stored, struct linked_hub *hub)
{
    bool embedded = false;
    struct slice text = {0};
    struct linked_hub read = {0};
    struct why *why = &call->why;
    TRY(json_want_bool(in, "embedded", JSON_OPTIONAL, &embedded, why));
    TRY(json_want_string(in, "connectionString", JSON_OPTIONAL, CONNECTION_STRING_MAX, &text, why));
    bool masked = stored && hub->kind == HUB_KIND_AZURE && slice_find(text, SLICE(MASK)) < text.len;
    if (embedded && !call->x->local && !(stored && hub->kind == HUB_KIND_EMBEDDED))
        return why_fail(why, ERR_RIGHT_MISSING, "an embedded hub is linked over the control socket only");
    if (embedded && text.len > 0)
        return json_refuse(in, "connectionString", why, "is not for an embedded hub");
    if (!embedded && text.len == 0 && !stored)
        return json_refuse(in, "connectionString", why,
                           "is missing; or is it an embedded hub? Then send \"embedded\":true");
    if (!embedded && (text.len == 0 || masked))
        return OK;
    if (!embedded) {
        TRY(hub_connection_string_read(&call->scratch, text, &read, why));
        if (!slice_equal_nocase(read.host, call->names[1]))
            return json_refuse(in, "connectionString", why, "is of another hub than the path names");
    }
    hub->kind = embedded ? HUB_KIND_EMBEDDED : HUB_KIND_AZURE;
    hub->policy_name = read.policy_name;
    hub->policy_key = read.policy_key;
    secret_wipe(&read.policy_key);
    return OK;
}

// null means the default, which is shown as null again; absent leaves what is stored.
static struct err read_allocation(struct call *call, const struct json_in *in, struct linked_hub *hub)
{
    const struct json *allocate = json_get(in->object, "applyAllocationPolicy");
    const struct json *weight = json_get(in->object, "allocationWeight");
    int64_t number = 1;
    if (allocate != NULL) {
        hub->allocate_set = json_given(allocate);
        hub->allocate = true;
        TRY(json_want_bool(in, "applyAllocationPolicy", JSON_OPTIONAL, &hub->allocate, &call->why));
    }
    if (weight != NULL) {
        hub->weight_set = json_given(weight);
        TRY(json_want_int(in, "allocationWeight", JSON_OPTIONAL, 1, WEIGHT_MAX, &number, &call->why));
        hub->weight = (uint32_t)number;
    }
    return OK;
}

static struct err add_hub(struct call *call, struct linked_hub **out)
{
    struct service *service = work_of(call)->service;
    if (service->hub_count == SERVICE_HUBS_MAX)
        return why_fail(&call->why, ERR_INVALID, "a service has at most %d linked hubs", SERVICE_HUBS_MAX);
    struct linked_hub *hubs = arena_take_many(&call->scratch, service->hub_count + 1, sizeof *hubs);
    if (hubs == NULL)
        return FAIL(ERR_NO_MEMORY);
    if (service->hub_count > 0)
        memcpy(hubs, service->hubs, service->hub_count * sizeof *hubs);
    *out = &hubs[service->hub_count++];
    **out = (struct linked_hub){.host = call->names[1], .weight = 1, .allocate = true};
    service->hubs = hubs;
    return OK;
}

struct err linked_hub_put(struct call *call)
{
    struct json_in in;
    TRY(settings_loaded_required(call));
    struct linked_hub *hub = find(work_of(call)->service, call->names[1]);
    bool exists = hub != NULL;
    TRY(settings_check_new(call, exists));
    if (!exists)
        TRY(add_hub(call, &hub));
    TRY(json_in_root(json_root(&call->body), "the body", &in, &call->why));
    TRY(read_kind(call, &in, exists, hub));
    TRY(read_allocation(call, &in, hub));
    return settings_save(call, exists ? "hub.updated" : "hub.linked", LOG_hub, hub->host);
}

struct err linked_hub_put_told(struct call *call)
{
    TRY(settings_told(call));
    return write_one(call);
}

struct err linked_hub_delete(struct call *call)
{
    TRY(settings_loaded_required(call));
    struct service *service = work_of(call)->service;
    struct linked_hub *hub = find(service, call->names[1]);
    if (hub == NULL)
        return FAIL(ERR_SETTING_NOT_FOUND);
    struct slice host = hub->host;
    struct linked_hub *end = service->hubs + service->hub_count--;
    memmove(hub, hub + 1, (size_t)(end - hub - 1) * sizeof *hub);
    return settings_save(call, "hub.unlinked", LOG_hub, host);
}

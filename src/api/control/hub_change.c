// Applies what the body of PUT says to a linked hub. What is left out stays; null is what holds when nothing
// was ever said. Without the store: a dry run reads its changes with the same function.
#include "api/control/work.h"

enum { WEIGHT_MAX = 1000 };

static struct err read_word(const struct json_in *in, const char *name, const struct names *words,
                            unsigned *out, struct why *why)
{
    struct slice word = {0};
    TRY(json_want_string(in, name, JSON_OPTIONAL, 64, &word, why));
    if (word.at == NULL || name_read(words, word, out))
        return OK;
    struct buf known = buf_capped(256);
    for (unsigned i = 0; i < words->count; i++)
        buf_printf(&known, "%s%s", i == 0 ? "" : i + 1 == words->count ? " or " : ", ", words->words[i]);
    struct err e = json_refuse(in, name, why, "must be %.*s", SLICE_ARG(buf_slice(&known)));
    buf_release(&known);
    return e;
}

// `kind`, or the older `embedded`. *said: one of them is there.
static struct err read_kind(const struct json_in *in, enum hub_kind *out, bool *said, struct why *why)
{
    unsigned kind = HUB_KIND_COUNT;
    bool embedded = false;
    TRY(read_word(in, "kind", &hub_kind_names, &kind, why));
    TRY(json_want_bool(in, "embedded", JSON_OPTIONAL, &embedded, why));
    *said = kind != HUB_KIND_COUNT || embedded;
    if (kind != HUB_KIND_COUNT && embedded && kind != HUB_KIND_EMBEDDED)
        return json_refuse(in, "embedded", why, "is true, but the kind is another");
    if (*said)
        *out = embedded ? HUB_KIND_EMBEDDED : (enum hub_kind)kind;
    return OK;
}

struct err linked_hub_kind(const struct json_in *in, bool *embedded, struct why *why)
{
    enum hub_kind kind = HUB_KIND_COUNT;
    bool said = false;
    TRY(read_kind(in, &kind, &said, why));
    *embedded = said && kind == HUB_KIND_EMBEDDED;
    return OK;
}

static struct err read_text(struct arena *arena, const struct json_in *in, const char *name,
                            struct slice text, struct slice host, struct linked_hub *read, struct why *why)
{
    TRY(hub_connection_string_read(arena, text, read, why));
    if (!slice_equal_nocase(read->host, host))
        return json_refuse(in, name, why, "is of another hub than the path names");
    return OK;
}

static bool is_masked(struct slice text)
{
    return slice_ends_with(slice_trim(text), SLICE("=" LINKED_HUB_MASK));
}

// A connection string as it is shown, with its secret masked, leaves the stored one as it is.
static struct err read_connection(struct arena *arena, const struct json_in *in, bool stored,
                                  struct linked_hub *hub, struct why *why)
{
    static const char *const name = "connectionString";
    enum hub_kind kind = hub->kind;
    bool said = false;
    struct slice text = {0};
    struct linked_hub read = {0};
    TRY(read_kind(in, &kind, &said, why));
    TRY(json_want_string(in, name, JSON_OPTIONAL, CONNECTION_STRING_MAX, &text, why));
    if (said && kind == HUB_KIND_EMBEDDED) {
        if (text.len > 0)
            return json_refuse(in, name, why, "is not for an embedded hub");
        hub->kind = HUB_KIND_EMBEDDED;
        hub->policy_name = (struct slice){0};
        secret_wipe(&hub->policy_key);
        secret_wipe(&hub->policy_key_secondary);
        return OK;
    }
    bool same_kind = stored && (!said || kind == hub->kind);
    if (same_kind && (text.len == 0 || (hub->kind != HUB_KIND_EMBEDDED && is_masked(text))))
        return OK;
    if (text.len == 0)
        return json_refuse(in, name, why,
                           "is missing; or is it an embedded hub? Then send \"embedded\":true");
    if (is_masked(text)) // a password could be that
        return json_refuse(in, name, why, "has " LINKED_HUB_MASK " where the secret stands: send it whole");
    TRY(read_text(arena, in, name, text, hub->host, &read, why));
    if (said && read.kind != kind)
        return json_refuse(in, name, why, "is one of %s",
                           read.kind == HUB_KIND_AZURE ? "an IoT hub" : "a broker");
    if (read.kind != hub->kind || !slice_equal(read.policy_name, hub->policy_name))
        secret_wipe(&hub->policy_key_secondary); // of the policy that was used till now
    hub->kind = read.kind;
    hub->policy_name = read.policy_name;
    hub->policy_key = read.policy_key;
    secret_wipe(&read.policy_key);
    return OK;
}

// The other key of the same access policy, so that either can be made anew while devices register.
static struct err read_secondary(struct arena *arena, const struct json_in *in, struct linked_hub *hub,
                                 struct why *why)
{
    static const char *const name = "secondaryConnectionString";
    struct slice text = {0};
    struct linked_hub read = {0};
    if (json_get(in->object, name) == NULL)
        return OK;
    TRY(json_want_string(in, name, JSON_OPTIONAL, CONNECTION_STRING_MAX, &text, why));
    if (text.len > 0 && hub->kind != HUB_KIND_AZURE)
        return json_refuse(in, name, why, "is for IoT hubs only");
    if (text.len > 0 && is_masked(text) && hub->policy_key_secondary.len > 0)
        return OK;
    secret_wipe(&hub->policy_key_secondary);
    if (text.len == 0)
        return OK;
    TRY(read_text(arena, in, name, text, hub->host, &read, why));
    if (read.kind != HUB_KIND_AZURE || !slice_equal(read.policy_name, hub->policy_name))
        return json_refuse(in, name, why, "must have the other key of the access policy %.*s",
                           SLICE_ARG(slice_to(hub->policy_name, 64)));
    hub->policy_key_secondary = read.policy_key;
    secret_wipe(&read.policy_key);
    return OK;
}

static struct err read_number(const struct json_in *in, const char *name, uint32_t *out, struct why *why)
{
    int64_t number = 0;
    if (json_get(in->object, name) == NULL)
        return OK;
    TRY(json_want_int(in, name, JSON_OPTIONAL, 0, UINT32_MAX, &number, why));
    *out = (uint32_t)number;
    return OK;
}

static struct err read_location(struct arena *arena, const struct json_in *in, struct linked_hub *hub,
                                struct why *why)
{
    struct slice text = {0};
    struct why reason = {0};
    if (json_get(in->object, "location") == NULL)
        return OK;
    TRY(json_want_string(in, "location", JSON_OPTIONAL, PLACE_TEXT_MAX, &text, why));
    hub->place = (struct place){0};
    hub->location = (struct slice){0};
    if (slice_trim(text).len == 0)
        return OK;
    if (failed(place_read(text, &hub->place, &reason)))
        return json_refuse(in, "location", why, "%s", reason.text);
    return arena_copy(arena, slice_trim(text), &hub->location);
}

static struct err read_allocation(const struct json_in *in, struct linked_hub *hub, struct why *why)
{
    const struct json *allocate = json_get(in->object, "applyAllocationPolicy");
    const struct json *weight = json_get(in->object, "allocationWeight");
    int64_t number = 1;
    if (allocate != NULL) {
        hub->allocate_set = json_given(allocate);
        hub->allocate = true;
        TRY(json_want_bool(in, "applyAllocationPolicy", JSON_OPTIONAL, &hub->allocate, why));
    }
    if (weight != NULL) {
        hub->weight_set = json_given(weight);
        TRY(json_want_int(in, "allocationWeight", JSON_OPTIONAL, 1, WEIGHT_MAX, &number, why));
        hub->weight = (uint32_t)number;
    }
    return OK;
}

// An embedded hub asks for no key, and a service that links it may take over devices that others have there:
// so only who runs the daemon links one. A link that is there can be changed over HTTPS, too.
struct err linked_hub_change(struct arena *arena, const struct json_in *in, bool local, bool stored,
                             struct linked_hub *hub, struct why *why)
{
    bool embedded = false;
    unsigned state = HUB_OPEN;
    TRY(linked_hub_kind(in, &embedded, why));
    if (embedded && !local && !(stored && hub->kind == HUB_KIND_EMBEDDED))
        return why_fail(why, ERR_RIGHT_MISSING, "an embedded hub is linked over the control socket only");
    TRY(read_connection(arena, in, stored, hub, why));
    TRY(read_secondary(arena, in, hub, why));
    if (json_get(in->object, "state") != NULL) {
        TRY(read_word(in, "state", &hub_state_names, &state, why));
        hub->state = (enum hub_state)state;
    }
    TRY(read_number(in, "capacity", &hub->capacity, why));
    TRY(read_number(in, "callsPerMinute", &hub->calls_per_minute, why));
    TRY(read_location(arena, in, hub, why));
    return read_allocation(in, hub, why);
}

struct err linked_hub_add(struct arena *arena, struct service *service, struct slice host,
                          struct linked_hub **out, struct why *why)
{
    if (service->hub_count == SERVICE_HUBS_MAX)
        return why_fail(why, ERR_INVALID, "a service has at most %d linked hubs", SERVICE_HUBS_MAX);
    struct linked_hub *hubs = arena_take_many(arena, service->hub_count + 1, sizeof *hubs);
    if (hubs == NULL)
        return FAIL(ERR_NO_MEMORY);
    if (service->hub_count > 0)
        memcpy(hubs, service->hubs, service->hub_count * sizeof *hubs);
    *out = &hubs[service->hub_count++];
    **out = (struct linked_hub){.host = host, .weight = 1, .allocate = true};
    service->hubs = hubs;
    return OK;
}

struct linked_hub *linked_hub_find(struct service *service, struct slice host)
{
    const struct linked_hub *found = service_hub(service, host);
    return found != NULL ? &service->hubs[found - service->hubs] : NULL;
}

void linked_hub_remove(struct service *service, struct linked_hub *hub)
{
    size_t kept = 0;
    for (size_t i = 0; i < service->latency_count; i++) {
        if (!slice_equal_nocase(service->latencies[i].hub, hub->host))
            service->latencies[kept++] = service->latencies[i];
    }
    service->latency_count = kept;
    struct linked_hub *end = service->hubs + service->hub_count--;
    memmove(hub, hub + 1, (size_t)(end - hub - 1) * sizeof *hub);
}

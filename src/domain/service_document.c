// The stored document of a service: JSON, written and read by the same list of members.
#include "domain/service.h"
#include "domain/want.h"

#include "base/text.h"

enum { TEXT_MAX = 1024, WEIGHT_MAX = 1000, DOCUMENT_MAX = 1 << 20 };

static void write_policy(struct json_writer *w, const struct policy *policy)
{
    json_object_open(w);
    json_field_text(w, "name", policy->name);
    field_base64_if(w, "primaryKey", secret_slice(&policy->primary));
    field_base64_if(w, "secondaryKey", secret_slice(&policy->secondary));
    json_field_number(w, "rights", policy->rights);
    json_object_close(w);
}

static void write_hub(struct json_writer *w, const struct linked_hub *hub)
{
    json_object_open(w);
    json_field_text(w, "host", hub->host);
    field_word_if(w, "kind", &hub_kind_names, hub->kind);
    json_field_text_if(w, "policyName", hub->policy_name);
    field_base64_if(w, "policyKey", secret_slice(&hub->policy_key));
    json_field_number(w, "weight", hub->weight);
    json_field_bool(w, "weightSet", hub->weight_set);
    json_field_bool(w, "allocate", hub->allocate);
    json_field_bool(w, "allocateSet", hub->allocate_set);
    field_base64_if(w, "secondaryPolicyKey", secret_slice(&hub->policy_key_secondary));
    if (hub->state != HUB_OPEN)
        field_word_if(w, "state", &hub_state_names, hub->state);
    if (hub->capacity > 0)
        json_field_number(w, "capacity", hub->capacity);
    if (hub->calls_per_minute > 0)
        json_field_number(w, "callsPerMinute", hub->calls_per_minute);
    json_field_text_if(w, "location", hub->location);
    json_object_close(w);
}

static void write_latency(struct json_writer *w, const struct latency *latency)
{
    json_object_open(w);
    json_field_text(w, "zone", latency->zone);
    json_field_text(w, "hub", latency->hub);
    json_field_number(w, "us", latency->us);
    json_object_close(w);
}

struct err service_document_write(const struct service *service, struct buf *out)
{
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    json_field_text(&w, "name", service->name);
    json_field_text_if(&w, "hostName", service->host_name);
    json_field_text(&w, "idScope", service->id_scope);
    field_word_if(&w, "allocationPolicy", &allocation_policy_names, service->allocation);
    if (service->tpm_certificate_required)
        json_field_bool(&w, "tpmCertificateRequired", true);
    if (service->avoid_failing_hubs)
        json_field_bool(&w, "avoidFailingHubs", true);
    field_word_if(&w, "unreachableHub", &unreachable_rule_names, service->unreachable);
    if (service->latency_count > 0) {
        json_key(&w, "latencies");
        json_array_open(&w);
        for (size_t i = 0; i < service->latency_count; i++)
            write_latency(&w, &service->latencies[i]);
        json_array_close(&w);
    }
    json_key(&w, "policies");
    json_array_open(&w);
    for (size_t i = 0; i < service->policy_count; i++)
        write_policy(&w, &service->policies[i]);
    json_array_close(&w);
    json_key(&w, "hubs");
    json_array_open(&w);
    for (size_t i = 0; i < service->hub_count; i++)
        write_hub(&w, &service->hubs[i]);
    json_array_close(&w);
    json_object_close(&w);
    return buf_err(out);
}

// A key that some hub made may be shorter than what we would give out: any length up to SECRET_MAX is read
// back.
static struct err read_key(const struct json_in *in, const char *name, struct secret *out, struct why *why)
{
    uint8_t bytes[SECRET_MAX];
    size_t len = 0;
    struct slice text = {0};
    TRY(json_want_string(in, name, JSON_OPTIONAL, TEXT_MAX, &text, why));
    bool good = text.len == 0 || b64_decode(text, bytes, sizeof bytes, &len);
    if (good)
        (void)secret_set(out, slice_of(bytes, len));
    bytes_wipe(bytes, sizeof bytes);
    return good ? OK : json_refuse(in, name, why, "is no key");
}

static struct err read_policy(const struct json_in *in, struct arena *arena, struct policy *out,
                              struct why *why)
{
    int64_t rights = 0;
    TRY(want_copy(in, "name", JSON_REQUIRED, TEXT_MAX, arena, &out->name, why));
    TRY(read_key(in, "primaryKey", &out->primary, why));
    TRY(read_key(in, "secondaryKey", &out->secondary, why));
    TRY(json_want_int(in, "rights", JSON_REQUIRED, 0, RIGHT_ALL, &rights, why));
    out->rights = (uint32_t)rights;
    return OK;
}

static struct err read_hub(const struct json_in *in, struct arena *arena, struct linked_hub *out,
                           struct why *why)
{
    int64_t weight = 0, capacity = 0, calls = 0;
    unsigned kind = 0, state = HUB_OPEN;
    TRY(want_copy(in, "host", JSON_REQUIRED, TEXT_MAX, arena, &out->host, why));
    TRY(want_word(in, "kind", JSON_REQUIRED, &hub_kind_names, &kind, why));
    TRY(want_copy(in, "policyName", JSON_OPTIONAL, TEXT_MAX, arena, &out->policy_name, why));
    TRY(read_key(in, "policyKey", &out->policy_key, why));
    TRY(json_want_int(in, "weight", JSON_REQUIRED, 1, WEIGHT_MAX, &weight, why));
    TRY(json_want_bool(in, "weightSet", JSON_REQUIRED, &out->weight_set, why));
    TRY(json_want_bool(in, "allocate", JSON_REQUIRED, &out->allocate, why));
    TRY(json_want_bool(in, "allocateSet", JSON_REQUIRED, &out->allocate_set, why));
    TRY(read_key(in, "secondaryPolicyKey", &out->policy_key_secondary, why));
    TRY(want_word(in, "state", JSON_OPTIONAL, &hub_state_names, &state, why));
    TRY(json_want_int(in, "capacity", JSON_OPTIONAL, 0, UINT32_MAX, &capacity, why));
    TRY(json_want_int(in, "callsPerMinute", JSON_OPTIONAL, 0, UINT32_MAX, &calls, why));
    TRY(want_copy(in, "location", JSON_OPTIONAL, PLACE_TEXT_MAX, arena, &out->location, why));
    if (out->location.len > 0)
        TRY(place_read(out->location, &out->place, why));
    out->kind = (enum hub_kind)kind;
    out->state = (enum hub_state)state;
    out->capacity = (uint32_t)capacity;
    out->calls_per_minute = (uint32_t)calls;
    out->weight = (uint32_t)weight;
    return OK;
}

static struct err read_policies(const struct json_in *in, struct arena *arena, struct service *out,
                                struct why *why)
{
    const struct json *array = NULL;
    TRY(json_want_array(in, "policies", JSON_REQUIRED, SERVICE_POLICIES_MAX, &array, why));
    out->policy_count = json_count(array);
    out->policies = arena_take_many(arena, out->policy_count, sizeof *out->policies);
    if (out->policies == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < out->policy_count; i++) {
        struct json_in policy;
        TRY(json_want_element(in, "policies", i, &policy, why));
        TRY(read_policy(&policy, arena, &out->policies[i], why));
    }
    return OK;
}

static struct err read_hubs(const struct json_in *in, struct arena *arena, struct service *out,
                            struct why *why)
{
    const struct json *array = NULL;
    TRY(json_want_array(in, "hubs", JSON_REQUIRED, SERVICE_HUBS_MAX, &array, why));
    out->hub_count = json_count(array);
    out->hubs = arena_take_many(arena, out->hub_count, sizeof *out->hubs);
    if (out->hubs == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < out->hub_count; i++) {
        struct json_in hub;
        TRY(json_want_element(in, "hubs", i, &hub, why));
        TRY(read_hub(&hub, arena, &out->hubs[i], why));
    }
    return OK;
}

static struct err read_latencies(const struct json_in *in, struct arena *arena, struct service *out,
                                 struct why *why)
{
    const struct json *array = NULL;
    TRY(json_want_array(in, "latencies", JSON_OPTIONAL, SERVICE_LATENCIES_MAX, &array, why));
    if (array == NULL)
        return OK;
    out->latency_count = json_count(array);
    out->latencies = arena_take_many(arena, out->latency_count, sizeof *out->latencies);
    if (out->latencies == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < out->latency_count; i++) {
        struct json_in latency;
        TRY(json_want_element(in, "latencies", i, &latency, why));
        TRY(want_copy(&latency, "zone", JSON_REQUIRED, PLACE_TEXT_MAX, arena, &out->latencies[i].zone, why));
        TRY(want_copy(&latency, "hub", JSON_REQUIRED, TEXT_MAX, arena, &out->latencies[i].hub, why));
        TRY(json_want_int(&latency, "us", JSON_REQUIRED, 0, INT64_MAX, &out->latencies[i].us, why));
    }
    return OK;
}

static struct err read_service(const struct json *root, struct arena *arena, struct service *out,
                               struct why *why)
{
    struct json_in in;
    unsigned allocation = ALLOCATION_UNSET, unreachable = UNREACHABLE_UNSET;
    TRY(json_in_root(root, "the service's document", &in, why));
    TRY(want_copy(&in, "name", JSON_REQUIRED, TEXT_MAX, arena, &out->name, why));
    TRY(want_copy(&in, "hostName", JSON_OPTIONAL, TEXT_MAX, arena, &out->host_name, why));
    TRY(want_copy(&in, "idScope", JSON_REQUIRED, ID_SCOPE_MAX, arena, &out->id_scope, why));
    TRY(want_word(&in, "allocationPolicy", JSON_OPTIONAL, &allocation_policy_names, &allocation, why));
    out->allocation = (enum allocation_policy)allocation;
    TRY(json_want_bool(&in, "tpmCertificateRequired", JSON_OPTIONAL, &out->tpm_certificate_required, why));
    TRY(json_want_bool(&in, "avoidFailingHubs", JSON_OPTIONAL, &out->avoid_failing_hubs, why));
    TRY(want_word(&in, "unreachableHub", JSON_OPTIONAL, &unreachable_rule_names, &unreachable, why));
    out->unreachable = (enum unreachable_rule)unreachable;
    TRY(read_latencies(&in, arena, out, why));
    TRY(read_policies(&in, arena, out, why));
    return read_hubs(&in, arena, out, why);
}

struct err service_document_read(struct arena *arena, struct slice document, struct service *out,
                                 struct why *why)
{
    struct json_doc doc = {0};
    *out = (struct service){0};
    struct json_limits limits = {.bytes = DOCUMENT_MAX, .depth = JSON_DEPTH_MAX};
    struct err e = json_read(document, limits, &doc, why);
    if (!failed(e))
        e = read_service(json_root(&doc), arena, out, why);
    json_doc_release(&doc);
    return !failed(e) || e.code == ERR_NO_MEMORY ? e : FAIL(ERR_INTERNAL);
}

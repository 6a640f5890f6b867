// Access policies of a service (service-api B.4).
#include "api/control/work.h"

#include "base/text.h"
#include "crypto/keys.h"

enum { NAME_MAX_LENGTH = 64, RIGHTS_MAX = 256, KEY_TEXT_MAX = 128, KEY_BYTES = 32 };

void policy_make_keys(struct random *random, struct policy *policy)
{
    uint8_t bytes[2][KEY_BYTES];
    random_fill_from(random, bytes, sizeof bytes);
    (void)secret_set(&policy->primary, slice_of(bytes[0], KEY_BYTES));
    (void)secret_set(&policy->secondary, slice_of(bytes[1], KEY_BYTES));
    bytes_wipe(bytes, sizeof bytes);
}

static void write_key(struct json_writer *w, const char *name, const struct secret *key)
{
    uint8_t room[KEY_TEXT_MAX];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    b64_encode(&text, secret_slice(key));
    json_field_text(w, name, buf_slice(&text));
    bytes_wipe(room, sizeof room);
}

void policy_write(struct json_writer *w, const struct policy *policy, bool keys)
{
    uint8_t room[RIGHTS_MAX];
    struct buf rights = {.at = room, .room = sizeof room, .cap = sizeof room};
    rights_write(&rights, policy->rights);
    json_object_open(w);
    json_field_text(w, "keyName", policy->name);
    if (keys) {
        write_key(w, "primaryKey", &policy->primary);
        write_key(w, "secondaryKey", &policy->secondary);
    }
    json_field_text(w, "rights", buf_slice(&rights));
    json_object_close(w);
}

static struct err write_all(struct call *call, bool keys)
{
    struct json_writer w;
    TRY(settings_loaded_required(call));
    const struct service *service = work_of(call)->service;
    call_list_open(call, &w);
    for (size_t i = 0; i < service->policy_count; i++)
        policy_write(&w, &service->policies[i], keys);
    return call_list_close(call, &w);
}

struct err policy_list(struct call *call)
{
    return write_all(call, false);
}

struct err policy_list_keys(struct call *call)
{
    return write_all(call, true);
}

static struct err write_one(struct call *call, bool keys)
{
    struct json_writer w;
    const struct policy *policy = service_policy(work_of(call)->service, call->names[1]);
    if (policy == NULL)
        return FAIL(ERR_SETTING_NOT_FOUND);
    json_begin(&w, &call->x->body);
    policy_write(&w, policy, keys);
    return buf_err(&call->x->body);
}

struct err policy_show(struct call *call)
{
    TRY(settings_loaded_required(call));
    return write_one(call, false);
}

struct err policy_show_keys(struct call *call)
{
    TRY(settings_loaded_required(call));
    return write_one(call, true);
}

// ---- changes

static struct err check_name(struct slice name, struct why *why)
{
    static const char others[] = "-._";
    bool good = name.len <= NAME_MAX_LENGTH;
    for (size_t i = 0; i < name.len && good; i++) {
        uint8_t c = name.at[i];
        good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c != 0 && strchr(others, c) != NULL);
    }
    return good ? OK
                : why_fail(why, ERR_INVALID, "a policy's name has 1 to 64 letters, digits, '-', '.' and '_'");
}

static struct err read_key(const struct json_in *in, const char *name, struct secret *key, struct why *why)
{
    struct slice text = {0};
    struct why problem = {0};
    TRY(json_want_string(in, name, JSON_OPTIONAL, KEY_TEXT_MAX, &text, why));
    struct err e = text.len > 0 ? key_read_b64(text, key, &problem) : OK;
    return failed(e) ? json_refuse(in, name, why, ": %s", problem.text) : OK;
}

static struct err read_policy(struct call *call, struct policy *policy)
{
    struct json_in in;
    struct slice name = {0};
    struct slice rights = {0};
    TRY(json_in_root(json_root(&call->body), "the body", &in, &call->why));
    TRY(json_want_string(&in, "keyName", JSON_OPTIONAL, NAME_MAX_LENGTH, &name, &call->why));
    if (name.len > 0 && !slice_equal_nocase(name, call->names[1]))
        return json_refuse(&in, "keyName", &call->why, "is not the name in the path");
    TRY(json_want_string(&in, "rights", policy->rights == 0 ? JSON_REQUIRED : JSON_OPTIONAL, RIGHTS_MAX,
                         &rights, &call->why));
    if (rights.at != NULL)
        TRY(rights_read(rights, &policy->rights, &call->why));
    TRY(read_key(&in, "primaryKey", &policy->primary, &call->why));
    return read_key(&in, "secondaryKey", &policy->secondary, &call->why);
}

// A new last policy with fresh keys, in a copy of the list.
static struct err add_policy(struct call *call, struct policy **out)
{
    struct service *service = work_of(call)->service;
    if (service->policy_count == SERVICE_POLICIES_MAX)
        return why_fail(&call->why, ERR_INVALID, "a service has at most %d policies", SERVICE_POLICIES_MAX);
    TRY(check_name(call->names[1], &call->why));
    struct policy *policies = arena_take_many(&call->scratch, service->policy_count + 1, sizeof *policies);
    if (policies == NULL)
        return FAIL(ERR_NO_MEMORY);
    if (service->policy_count > 0)
        memcpy(policies, service->policies, service->policy_count * sizeof *policies);
    *out = &policies[service->policy_count++];
    (*out)->name = call->names[1];
    policy_make_keys(call->area->random, *out);
    service->policies = policies;
    return OK;
}

static struct policy *find(struct service *service, struct slice name)
{
    const struct policy *found = service_policy(service, name);
    return found != NULL ? &service->policies[found - service->policies] : NULL;
}

struct err policy_put(struct call *call)
{
    TRY(settings_loaded_required(call));
    struct policy *policy = find(work_of(call)->service, call->names[1]);
    bool exists = policy != NULL;
    TRY(settings_check_new(call, exists));
    if (!exists)
        TRY(add_policy(call, &policy));
    TRY(read_policy(call, policy));
    return settings_save(call, exists ? "policy.updated" : "policy.created", LOG_detail, policy->name);
}

struct err policy_put_told(struct call *call)
{
    TRY(settings_told(call));
    return write_one(call, false);
}

struct err policy_delete(struct call *call)
{
    TRY(settings_loaded_required(call));
    struct service *service = work_of(call)->service;
    struct policy *policy = find(service, call->names[1]);
    if (policy == NULL)
        return FAIL(ERR_SETTING_NOT_FOUND);
    struct slice name = policy->name;
    struct policy *end = service->policies + service->policy_count--;
    memmove(policy, policy + 1, (size_t)(end - policy - 1) * sizeof *policy);
    return settings_save(call, "policy.deleted", LOG_detail, name);
}

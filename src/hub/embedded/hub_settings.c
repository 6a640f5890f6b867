// Policies of an embedded hub and their stored document.
#include "hub/embedded/hub_settings.h"

#include "base/text.h"

static const struct {
    uint32_t right;
    const char *name;
} rights_table[] = {
    {HUB_REGISTRY_READ, "RegistryRead"},
    {HUB_REGISTRY_WRITE, "RegistryWrite"},
    {HUB_SERVICE_CONNECT, "ServiceConnect"},
    {HUB_DEVICE_CONNECT, "DeviceConnect"},
};
enum { RIGHTS = sizeof rights_table / sizeof rights_table[0] };

static const struct {
    const char *name;
    uint32_t rights;
} default_policies[] = {
    {"iothubowner", HUB_RIGHTS_ALL},
    {"service", HUB_SERVICE_CONNECT},
    {"device", HUB_DEVICE_CONNECT},
    {"registryRead", HUB_REGISTRY_READ},
    {"registryReadWrite", HUB_REGISTRY_READ | HUB_REGISTRY_WRITE},
};
enum { DEFAULT_POLICIES = sizeof default_policies / sizeof default_policies[0] };

static void fresh_key(struct random *random, struct secret *key)
{
    key->len = 32;
    random_fill_from(random, key->bytes, key->len);
}

struct err hub_settings_default(struct arena *arena, struct random *random, struct hub_settings *out)
{
    struct policy *policies = arena_take_many(arena, DEFAULT_POLICIES, sizeof *policies);
    if (policies == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < DEFAULT_POLICIES; i++) {
        policies[i].name = slice_text(default_policies[i].name);
        policies[i].rights = default_policies[i].rights;
        fresh_key(random, &policies[i].primary);
        fresh_key(random, &policies[i].secondary);
    }
    *out = (struct hub_settings){policies, DEFAULT_POLICIES};
    return OK;
}

void hub_rights_write(struct buf *out, uint32_t rights)
{
    const char *between = "";
    for (size_t i = 0; i < RIGHTS; i++) {
        if ((rights & rights_table[i].right) == 0)
            continue;
        buf_text(out, between);
        buf_text(out, rights_table[i].name);
        between = ", ";
    }
}

static bool rights_of(struct slice text, uint32_t *rights)
{
    struct slice word;
    *rights = 0;
    while (slice_cut(&text, ',', &word)) {
        size_t i = 0;
        while (i < RIGHTS && !slice_equal_nocase(slice_trim(word), slice_text(rights_table[i].name)))
            i++;
        if (i == RIGHTS)
            return false;
        *rights |= rights_table[i].right;
    }
    return true;
}

static void key_write(struct json_writer *w, const char *name, const struct secret *key)
{
    uint8_t room[(SECRET_MAX + 2) / 3 * 4];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    b64_encode(&text, secret_slice(key));
    json_field_text(w, name, buf_slice(&text));
    bytes_wipe(room, sizeof room);
}

struct err hub_settings_write(const struct hub_settings *settings, struct buf *out)
{
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    json_key(&w, "policies");
    json_array_open(&w);
    for (size_t i = 0; i < settings->policy_count; i++) {
        const struct policy *policy = &settings->policies[i];
        uint8_t room[96];
        struct buf rights = {.at = room, .room = sizeof room, .cap = sizeof room};
        hub_rights_write(&rights, policy->rights);
        json_object_open(&w);
        json_field_text(&w, "name", policy->name);
        key_write(&w, "primaryKey", &policy->primary);
        key_write(&w, "secondaryKey", &policy->secondary);
        json_field_text(&w, "rights", buf_slice(&rights));
        json_object_close(&w);
    }
    json_array_close(&w);
    json_object_close(&w);
    return buf_err(out);
}

static struct err key_read(const struct json_in *in, const char *name, struct secret *key, struct why *why)
{
    struct slice text;
    TRY(json_want_string(in, name, JSON_REQUIRED, 4 * SECRET_MAX, &text, why));
    if (!b64_decode(text, key->bytes, sizeof key->bytes, &key->len) || key->len == 0)
        return json_refuse(in, name, why, "is no key");
    return OK;
}

static struct err policy_read(struct arena *arena, const struct json_in *in, struct policy *out,
                              struct why *why)
{
    struct slice name;
    struct slice rights;
    TRY(json_want_string(in, "name", JSON_REQUIRED, 64, &name, why));
    TRY(json_want_string(in, "rights", JSON_REQUIRED, 128, &rights, why));
    TRY(key_read(in, "primaryKey", &out->primary, why));
    TRY(key_read(in, "secondaryKey", &out->secondary, why));
    if (!rights_of(rights, &out->rights))
        return json_refuse(in, "rights", why, "holds an unknown right");
    return arena_copy(arena, name, &out->name);
}

static struct err policies_read(struct arena *arena, const struct json *root, struct hub_settings *out,
                                struct why *why)
{
    struct json_in in;
    const struct json *list;
    TRY(json_in_root(root, "the hub's document", &in, why));
    TRY(json_want_array(&in, "policies", JSON_REQUIRED, HUB_POLICIES_MAX, &list, why));
    out->policies = arena_take_many(arena, json_count(list), sizeof *out->policies);
    if (out->policies == NULL && json_count(list) > 0)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < json_count(list); i++) {
        struct json_in element;
        TRY(json_want_element(&in, "policies", i, &element, why));
        TRY(policy_read(arena, &element, &out->policies[i], why));
        out->policy_count++;
    }
    return OK;
}

struct err hub_settings_read(struct arena *arena, struct slice document, struct hub_settings *out,
                             struct why *why)
{
    *out = (struct hub_settings){0};
    struct json_doc doc;
    struct err e = json_read(document, JSON_LIMITS_DEFAULT, &doc, why);
    if (!failed(e))
        e = policies_read(arena, json_root(&doc), out, why);
    json_doc_release(&doc);
    return !failed(e) || e.code == ERR_NO_MEMORY ? e : FAIL(ERR_INTERNAL);
}

const struct policy *hub_settings_policy(const struct hub_settings *settings, struct slice name)
{
    for (size_t i = 0; i < settings->policy_count; i++) {
        if (slice_equal_nocase(settings->policies[i].name, name))
            return &settings->policies[i];
    }
    return NULL;
}

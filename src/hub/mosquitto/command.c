// Writing commands and reading their answers.
#include "hub/mosquitto/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "domain/identifier.h"
#include "json/write.h"

#define ROLE_PREFIX    "usher-device-"
#define BY_KEY         "Usher device (key)"
#define BY_CERTIFICATE "Usher device (certificate)"

static const struct json_limits limits = {.bytes = COMMAND_ANSWER_MAX, .depth = JSON_DEPTH_MAX};

struct err command_device_check(struct slice device_id, struct slice user, struct why *why)
{
    if (device_id.len == 0 || device_id.len > DEVICE_ID_MAX)
        return why_fail(why, ERR_HUB_REFUSED, "a device ID for Mosquitto has 1 to 128 characters");
    for (size_t i = 0; i < device_id.len; i++) {
        uint8_t c = device_id.at[i];
        if (c <= ' ' || c >= 0x7f || strchr("+#/%", c) != NULL)
            return why_fail(
                why, ERR_HUB_REFUSED,
                "the device ID %.*s cannot be one of Mosquitto, where + # / and %% mean something "
                "in topics: give the enrollment another deviceId",
                SLICE_ARG(slice_to(device_id, 60)));
    }
    if (slice_equal(device_id, user))
        return why_fail(why, ERR_HUB_REFUSED,
                        "the device ID is the name that Usher itself has at the broker");
    return OK;
}

// --- writing
// --------------------------------------------------------------------------------------------------------------

struct message {
    struct json_writer w;
    char correlation[COMMAND_CORRELATION];
};

static void begin(struct message *m, struct buf *out, struct command_correlation correlation)
{
    (void)snprintf(m->correlation, sizeof m->correlation, "usher-%016llx-%016llx",
                   (unsigned long long)correlation.connector, (unsigned long long)correlation.tag);
    json_begin(&m->w, out);
    json_object_open(&m->w);
    json_key(&m->w, "commands");
    json_array_open(&m->w);
}

static void end(struct message *m)
{
    json_array_close(&m->w);
    json_object_close(&m->w);
}

static void command_open(struct message *m, const char *name)
{
    json_object_open(&m->w);
    json_field_text(&m->w, "command", slice_text(name));
    json_field_text(&m->w, "correlationData", slice_text(m->correlation));
}

static void command_close(struct message *m)
{
    json_object_close(&m->w);
}

// prefix + device ID + suffix, without a copy of it all on the heap.
static void field_around(struct json_writer *w, const char *key, const char *prefix, struct slice device_id,
                         const char *suffix)
{
    uint8_t room[DEVICE_ID_MAX + 64];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    buf_text(&text, prefix);
    buf_bytes(&text, device_id);
    buf_text(&text, suffix);
    INVARIANT(text.broken == 0);
    json_field_text(w, key, buf_slice(&text));
}

static void about_client(struct message *m, const char *name, struct slice device_id)
{
    command_open(m, name);
    json_field_text(&m->w, "username", device_id);
}

static void about_role(struct message *m, const char *name, struct slice device_id)
{
    command_open(m, name);
    field_around(&m->w, "rolename", ROLE_PREFIX, device_id, "");
}

void command_defaults(struct buf *out, struct command_correlation correlation)
{
    struct message m;
    begin(&m, out, correlation);
    command_open(&m, "getDefaultACLAccess");
    command_close(&m);
    end(&m);
}

void command_look(struct buf *out, struct command_correlation correlation, struct slice device_id)
{
    struct message m;
    begin(&m, out, correlation);
    about_client(&m, "getClient", device_id);
    command_close(&m);
    about_role(&m, "getRole", device_id);
    command_close(&m);
    end(&m);
}

void command_remove(struct buf *out, struct command_correlation correlation, struct slice device_id)
{
    struct message m;
    begin(&m, out, correlation);
    about_client(&m, "deleteClient", device_id);
    command_close(&m);
    about_role(&m, "deleteRole", device_id);
    command_close(&m);
    end(&m);
}

// All that a device may do, and the only place that says so (docs/mosquitto.md shows it).
static void write_acls(struct json_writer *w, struct slice device_id)
{
    static const struct {
        const char *type;
        const char *topic;
    } acls[] = {
        {"publishClientSend", "/messages/events/#"},         {"publishClientSend", "/" TOPIC_REPORTED},
        {"publishClientReceive", "/messages/devicebound/#"}, {"publishClientReceive", "/twin/#"},
        {"subscribePattern", "/messages/devicebound/#"},     {"subscribePattern", "/twin/#"},
        {"unsubscribePattern", "/messages/devicebound/#"},   {"unsubscribePattern", "/twin/#"},
    };
    json_key(w, "acls");
    json_array_open(w);
    for (size_t i = 0; i < sizeof acls / sizeof acls[0]; i++) {
        json_object_open(w);
        json_field_text(w, "acltype", slice_text(acls[i].type));
        field_around(w, "topic", "devices/", device_id, acls[i].topic);
        json_field_number(w, "priority", 0);
        json_field_bool(w, "allow", true);
        json_object_close(w);
    }
    json_array_close(w);
}

static void write_role(struct message *m, const struct command_change *change)
{
    about_role(m, change->before->role_there ? "modifyRole" : "createRole", change->identity->device_id);
    write_acls(&m->w, change->identity->device_id);
    command_close(m);
}

// The key as the device was given it: its base64, which is text, as a password must be.
static void write_password(struct json_writer *w, const struct secret *key)
{
    uint8_t room[2 * SECRET_MAX];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    b64_encode(&text, secret_slice(key));
    json_field_text(w, "password", buf_slice(&text));
    bytes_wipe(room, sizeof room);
}

static bool by_certificate(const struct hub_identity *identity)
{
    return identity->authentication != HUB_AUTH_SAS;
}

static void write_what_it_is(struct message *m, const struct command_change *change, struct slice tags)
{
    bool certificate = by_certificate(change->identity);
    json_field_text(&m->w, "clientid", change->identity->device_id);
    json_field_text(&m->w, "textname", slice_text(certificate ? BY_CERTIFICATE : BY_KEY));
    if (tags.len > 0)
        json_field_text(&m->w, "textdescription", tags);
    if (!certificate)
        write_password(&m->w, &change->identity->primary_key);
}

// A client that has a password cannot be rid of it: to make it one that has none it is made anew, with what
// else it had.
static void write_new_client(struct message *m, const struct command_change *change, bool keep)
{
    const struct command_device *before = change->before;
    struct slice tags = change->tags_given || !keep ? change->tags : before->tags;
    about_client(m, "createClient", change->identity->device_id);
    write_what_it_is(m, change, tags.len > 0 ? tags : SLICE("{}"));
    json_key(&m->w, "roles");
    json_array_open(&m->w);
    json_object_open(&m->w);
    field_around(&m->w, "rolename", ROLE_PREFIX, change->identity->device_id, "");
    json_object_close(&m->w);
    for (size_t i = 0; keep && i < json_count(before->roles); i++) {
        struct slice name = json_as_string(json_get(json_at(before->roles, i), "rolename"));
        bool own = slice_starts_with(name, SLICE(ROLE_PREFIX)) &&
                   slice_equal(slice_from(name, strlen(ROLE_PREFIX)), change->identity->device_id);
        if (!own)
            json_node(&m->w, json_at(before->roles, i));
    }
    json_array_close(&m->w);
    if (keep)
        json_field_node(&m->w, "groups", before->groups);
    command_close(m);
    if (keep && before->disabled) {
        about_client(m, "disableClient", change->identity->device_id);
        command_close(m);
    }
}

static void write_same_client(struct message *m, const struct command_change *change)
{
    about_client(m, "modifyClient", change->identity->device_id);
    write_what_it_is(m, change, change->tags_given ? change->tags : (struct slice){0});
    command_close(m);
    if (change->before->has_role)
        return;
    about_client(m, "addClientRole", change->identity->device_id);
    field_around(&m->w, "rolename", ROLE_PREFIX, change->identity->device_id, "");
    command_close(m);
}

void command_write(struct buf *out, struct command_correlation correlation,
                   const struct command_change *change)
{
    struct message m;
    const struct command_device *before = change->before;
    bool other_kind = before->certificate != by_certificate(change->identity);
    begin(&m, out, correlation);
    write_role(&m, change);
    if (!before->there) {
        write_new_client(&m, change, false);
    } else if (change->anew || other_kind) {
        about_client(&m, "deleteClient", change->identity->device_id);
        command_close(&m);
        write_new_client(&m, change, !change->anew);
    } else {
        write_same_client(&m, change);
    }
    end(&m);
}

// --- reading
// --------------------------------------------------------------------------------------------------------------

static const struct json *responses(const struct json_doc *doc)
{
    return json_get(json_root(doc), "responses");
}

bool command_answer(struct slice payload, uint64_t connector, struct json_doc *doc, uint64_t *tag)
{
    char prefix[COMMAND_CORRELATION];
    uint8_t bytes[8];
    size_t len = 0;
    (void)snprintf(prefix, sizeof prefix, "usher-%016llx-", (unsigned long long)connector);
    *doc = (struct json_doc){0};
    if (slice_find(payload, slice_text(prefix)) == payload.len ||
        failed(json_read(payload, limits, doc, NULL)))
        return false;
    struct slice correlation = json_as_string(json_get(json_at(responses(doc), 0), "correlationData"));
    if (slice_starts_with(correlation, slice_text(prefix)) &&
        hex_decode(slice_from(correlation, strlen(prefix)), bytes, sizeof bytes, &len) &&
        len == sizeof bytes) {
        *tag = 0;
        for (size_t i = 0; i < sizeof bytes; i++)
            *tag = *tag << 8 | bytes[i];
        return true;
    }
    json_doc_release(doc);
    return false;
}

static struct slice error_of(const struct json *response)
{
    return json_as_string(json_get(response, "error"));
}

static bool is(const struct json *response, const char *command)
{
    return slice_equal(json_as_string(json_get(response, "command")), slice_text(command));
}

// The plugin's way to say that something is there already, or is not.
static bool says_there(struct slice error)
{
    return slice_ends_with(error, SLICE("already exists")) ||
           slice_ends_with(error, SLICE("is already in this role"));
}

static bool says_absent(struct slice error)
{
    return slice_ends_with(error, SLICE("not found")) || slice_ends_with(error, SLICE("does not exist"));
}

struct err command_defaults_read(const struct json_doc *doc, struct why *why)
{
    static const char *const needed[] = {"publishClientSend", "subscribe"};
    const struct json *response = json_at(responses(doc), 0);
    const struct json *acls = json_get(json_get(response, "data"), "acls");
    if (error_of(response).len > 0)
        return why_fail(why, ERR_HUB_REFUSED, "the dynamic security plugin says: %.*s",
                        SLICE_ARG(slice_to(error_of(response), 120)));
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        bool denied = false;
        for (size_t j = 0; j < json_count(acls); j++) {
            bool allow = true;
            struct slice type = json_as_string(json_get(json_at(acls, j), "acltype"));
            (void)json_as_bool(json_get(json_at(acls, j), "allow"), &allow);
            denied = denied || (slice_equal(type, slice_text(needed[i])) && !allow);
        }
        if (!denied)
            return why_fail(why, ERR_HUB_REFUSED,
                            "the broker allows %s by default, so its devices would not be confined to their "
                            "own topics: mosquitto_ctrl dynsec setDefaultACLAccess %s deny",
                            needed[i], needed[i]);
    }
    return OK;
}

static void read_client(const struct json *client, struct slice device_id, struct command_device *out)
{
    struct slice name = json_as_string(json_get(client, "textname"));
    out->there = true;
    out->certificate = slice_equal(name, SLICE(BY_CERTIFICATE));
    out->ours = out->certificate || slice_equal(name, SLICE(BY_KEY));
    out->tags = json_as_string(json_get(client, "textdescription"));
    out->roles = json_get(client, "roles");
    out->groups = json_get(client, "groups");
    (void)json_as_bool(json_get(client, "disabled"), &out->disabled);
    for (size_t i = 0; i < json_count(out->roles); i++) {
        struct slice role = json_as_string(json_get(json_at(out->roles, i), "rolename"));
        out->has_role = out->has_role || (slice_starts_with(role, SLICE(ROLE_PREFIX)) &&
                                          slice_equal(slice_from(role, strlen(ROLE_PREFIX)), device_id));
    }
}

struct err command_look_read(const struct json_doc *doc, struct slice device_id, struct command_device *out,
                             struct why *why)
{
    const struct json *client = json_at(responses(doc), 0);
    const struct json *role = json_at(responses(doc), 1);
    const struct json *data = json_get(json_get(client, "data"), "client");
    *out = (struct command_device){0};
    bool client_clear = is(client, "getClient") && (says_absent(error_of(client)) || data != NULL);
    bool role_clear = is(role, "getRole") && (says_absent(error_of(role)) || error_of(role).len == 0);
    if (!client_clear || !role_clear)
        return why_fail(why, ERR_HUB_UNAVAILABLE, "the broker's dynamic security plugin answers: %.*s",
                        SLICE_ARG(slice_to(error_of(client_clear ? role : client), 120)));
    if (data != NULL)
        read_client(data, device_id, out);
    out->role_there = error_of(role).len == 0;
    return OK;
}

struct err command_write_read(const struct json_doc *doc, bool *left_there, struct why *why)
{
    struct err e = OK;
    *left_there = false;
    for (size_t i = 0; i < json_count(responses(doc)); i++) {
        const struct json *response = json_at(responses(doc), i);
        struct slice error = error_of(response);
        if (error.len == 0) {
            *left_there = *left_there || is(response, "createClient") || is(response, "modifyClient") ||
                          is(response, "deleteClient"); // to make it anew: nobody else knows that it is gone
            continue;
        }
        bool raced = says_there(error) || says_absent(error);
        if (!failed(e))
            e = why_fail(why, raced ? ERR_HUB_UNAVAILABLE : ERR_HUB_REFUSED,
                         "the broker's dynamic security plugin refuses %.*s: %.*s",
                         SLICE_ARG(slice_to(json_as_string(json_get(response, "command")), 30)),
                         SLICE_ARG(slice_to(error, 120)));
    }
    return e;
}

struct err command_remove_read(const struct json_doc *doc, struct why *why)
{
    for (size_t i = 0; i < json_count(responses(doc)); i++) {
        struct slice error = error_of(json_at(responses(doc), i));
        if (error.len > 0 && !says_absent(error))
            return why_fail(why, ERR_HUB_REFUSED, "the broker's dynamic security plugin refuses: %.*s",
                            SLICE_ARG(slice_to(error, 120)));
    }
    return OK;
}

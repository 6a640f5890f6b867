// Reads the connection string of a hub that is to be linked.
#include "domain/identifier.h"
#include "domain/service.h"

#include "base/text.h"

enum { POLICY_NAME_MAX = 64 };

enum part_name { HOST_NAME, AZURE_NAME, AZURE_KEY, BROKER_USER, BROKER_PASSWORD, PARTS };

struct part {
    const char *name;
    struct slice value;
    bool seen;
};

// Parts may hold '=' in their value (base64 does), so each is cut at its first one.
static struct err cut_parts(struct slice text, struct part parts[PARTS], struct why *why)
{
    struct slice piece;
    while (slice_cut(&text, ';', &piece)) {
        struct slice name = slice_trim(slice_to(piece, slice_find_byte(piece, '=')));
        struct slice value =
            slice_trim(slice_from(piece, name.len == 0 ? 0 : slice_find_byte(piece, '=') + 1));
        for (size_t i = 0; i < PARTS; i++) {
            if (!slice_equal_nocase(name, slice_text(parts[i].name)))
                continue;
            if (parts[i].seen)
                return why_fail(why, ERR_INVALID, "the connection string has %s twice", parts[i].name);
            parts[i].seen = true;
            parts[i].value = value;
        }
    }
    return OK;
}

static struct err check_parts(const struct part parts[PARTS], bool broker, struct why *why)
{
    static const enum part_name azure[] = {HOST_NAME, AZURE_NAME, AZURE_KEY},
                                mosquitto[] = {HOST_NAME, BROKER_USER, BROKER_PASSWORD};
    const enum part_name *needed = broker ? mosquitto : azure;
    if (broker && (parts[AZURE_NAME].seen || parts[AZURE_KEY].seen))
        return why_fail(why, ERR_INVALID,
                        "the connection string has a key of an IoT hub and a user of a broker");
    for (size_t i = 0; i < 3; i++) {
        if (parts[needed[i]].value.len == 0)
            return why_fail(why, ERR_INVALID, "the connection string lacks %s; it reads %s",
                            parts[needed[i]].name,
                            broker ? "HostName=...;UserName=...;Password=..."
                                   : "HostName=...;SharedAccessKeyName=...;SharedAccessKey=...");
    }
    return OK;
}

static struct err read_key(struct slice text, struct secret *out, struct why *why)
{
    uint8_t key[SECRET_MAX];
    size_t len = 0;
    bool good = b64_decode(text, key, sizeof key, &len) && len > 0;
    if (good)
        (void)secret_set(out, slice_of(key, len));
    bytes_wipe(key, sizeof key);
    return good ? OK
                : why_fail(why, ERR_INVALID, "SharedAccessKey is not base64 of 1 to %d bytes", SECRET_MAX);
}

struct err hub_connection_string_read(struct arena *arena, struct slice text, struct linked_hub *out,
                                      struct why *why)
{
    struct part parts[PARTS] = {[HOST_NAME] = {.name = "HostName"},
                                [AZURE_NAME] = {.name = "SharedAccessKeyName"},
                                [AZURE_KEY] = {.name = "SharedAccessKey"},
                                [BROKER_USER] = {.name = "UserName"},
                                [BROKER_PASSWORD] = {.name = "Password"}};
    TRY(cut_parts(slice_trim(text), parts, why));
    bool broker = parts[BROKER_USER].seen || parts[BROKER_PASSWORD].seen;
    const struct part *name = &parts[broker ? BROKER_USER : AZURE_NAME];
    TRY(check_parts(parts, broker, why));
    TRY(host_check(parts[HOST_NAME].value, "HostName", why));
    if (name->value.len > POLICY_NAME_MAX)
        return why_fail(why, ERR_INVALID, "%s is longer than %d characters", name->name, POLICY_NAME_MAX);
    TRY(arena_copy(arena, parts[HOST_NAME].value, &out->host));
    TRY(arena_copy(arena, name->value, &out->policy_name));
    out->kind = broker ? HUB_KIND_MOSQUITTO : HUB_KIND_AZURE;
    if (!broker)
        return read_key(parts[AZURE_KEY].value, &out->policy_key, why);
    return secret_set(&out->policy_key, parts[BROKER_PASSWORD].value)
               ? OK
               : why_fail(why, ERR_INVALID, "Password is longer than %d bytes", SECRET_MAX);
}

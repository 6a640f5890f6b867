// Reads the connection string of a hub that is to be linked.
#include "domain/identifier.h"
#include "domain/service.h"

#include "base/text.h"

enum { PARTS = 3, POLICY_NAME_MAX = 64 };

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
    for (size_t i = 0; i < PARTS; i++) {
        if (parts[i].value.len == 0)
            return why_fail(why, ERR_INVALID,
                            "the connection string lacks %s; it reads "
                            "HostName=...;SharedAccessKeyName=...;SharedAccessKey=...",
                            parts[i].name);
    }
    return OK;
}

struct err hub_connection_string_read(struct arena *arena, struct slice text, struct linked_hub *out,
                                      struct why *why)
{
    struct part parts[PARTS] = {
        {.name = "HostName"}, {.name = "SharedAccessKeyName"}, {.name = "SharedAccessKey"}};
    uint8_t key[SECRET_MAX];
    size_t len = 0;
    TRY(cut_parts(slice_trim(text), parts, why));
    TRY(host_check(parts[0].value, "HostName", why));
    if (parts[1].value.len > POLICY_NAME_MAX)
        return why_fail(why, ERR_INVALID, "SharedAccessKeyName is longer than %d characters",
                        POLICY_NAME_MAX);
    TRY(arena_copy(arena, parts[0].value, &out->host));
    TRY(arena_copy(arena, parts[1].value, &out->policy_name));
    bool good = b64_decode(parts[2].value, key, sizeof key, &len) && len > 0;
    if (good)
        (void)secret_set(&out->policy_key, slice_of(key, len));
    bytes_wipe(key, sizeof key);
    return good ? OK
                : why_fail(why, ERR_INVALID, "SharedAccessKey is not base64 of 1 to %d bytes", SECRET_MAX);
}

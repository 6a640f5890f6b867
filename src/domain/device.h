// A device of the embedded hub: its identity and its twin, as one record (service-api H.2). The twin's rules
// are in twin.h.
#pragma once

#include "base/arena.h"
#include "base/secret.h"
#include "domain/names.h"
#include "json/json.h"
#include "json/write.h"

struct device {
    struct slice id; // case-sensitive
    int64_t generation;
    enum device_status status;
    struct slice status_reason;
    enum hub_authentication authentication;
    struct secret primary_key;
    struct secret secondary_key;
    struct slice primary_thumbprint; // 40 or 64 hex digits, or empty
    struct slice secondary_thumbprint;
    enum switch_state iot_edge;
    struct slice tags;             // JSON object text
    struct slice desired;          // JSON object text without $metadata and $version
    struct slice reported;         // the same
    struct slice desired_metadata; // JSON object text that mirrors desired with $lastUpdated
    struct slice reported_metadata;
    int64_t desired_version;
    int64_t reported_version;
    int64_t twin_version;     // of tags and desired: the twin's etag
    int64_t identity_version; // of the identity: the device's etag
    int64_t created_us;
    int64_t updated_us;
    int64_t status_updated_us;
    uint64_t etag; // of the whole record, new at each write
};

// A key of a device: what the hub makes when none is given, and what it takes.
enum { DEVICE_KEY_NEW = 32, DEVICE_KEY_MIN = 16 };

// What the hub knows of a device besides its record.
struct device_presence {
    bool connected;
    int64_t since_us; // when it connected, wall clock
};

// An enabled device as it is when created: empty twin, every version 1. `salt` is random: an identity that is
// deleted and made again never has an etag of the old one. id is not copied.
struct err device_fresh(struct arena *arena, struct slice id, int64_t now_us, uint64_t salt,
                        struct device *out);

// Reads the identity in `body` (PUT /devices/{id}, or an item of a bulk call) into *out, which holds a fresh
// device or the stored one and is changed only where the body rules: status, reason, authentication,
// capabilities. Empty keys leave those of *out (device_needs_keys says whether there are any). The body's own
// ID, when it has one under `id_name`, must be that of *out. Slices are copied to the arena.
struct err device_read(struct arena *arena, const struct json *body, const char *id_name, int64_t now_us,
                       struct device *out, struct why *why);
// A device that proves itself by keys and lacks one.
bool device_needs_keys(const struct device *device);

// Device identity JSON, with keys.
void device_write(struct json_writer *w, const struct device *device, struct device_presence presence);
// The members that identity and twin share, such as "capabilities".
void device_write_capabilities(struct json_writer *w, const struct device *device);
void device_write_thumbprints(struct json_writer *w, const struct device *device);
// "YYYY-MM-DDTHH:MM:SS.fffffffZ"; 0 gives the hub's "never", "0001-01-01T00:00:00".
void device_write_time(struct json_writer *w, const char *key, int64_t us);

// ETags of the hub: base64 of the identity's version in decimal, base64 of the twin's version in 8 bytes.
void device_etag_write(struct buf *out, const struct device *device);
void twin_etag_write(struct buf *out, const struct device *device);

// An If-Match value of the hub API: clients quote it, `"*"` too. *etag views `text`; *any for `*`.
void hub_etag_read(struct slice text, bool *any, struct slice *etag);

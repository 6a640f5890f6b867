// The rules of a device's twin (service-api H.2): merging, versions, metadata and limits, as pure functions
// on JSON text. Not for sending a twin anywhere: that is embedded/.
#pragma once

#include "domain/device.h"

enum {
    TWIN_KEY_MAX = 1024,      // bytes of a key
    TWIN_STRING_MAX = 4096,   // bytes of a string value
    TWIN_DEPTH_MAX = 10,      // objects and arrays within each other, below the section itself
    TWIN_TAGS_MAX = 8 * 1024, // bytes of a section's compact JSON
    TWIN_PROPERTIES_MAX = 32 * 1024,
};
#define TWIN_INTEGER_MIN (-4503599627370496LL)
#define TWIN_INTEGER_MAX 4503599627370495LL

enum twin_section { TWIN_TAGS, TWIN_DESIRED, TWIN_REPORTED };

// MERGE: null deletes, the rest is merged. REPLACE: what is given becomes the whole section.
enum twin_how { TWIN_MERGE, TWIN_REPLACE };

// Brings `change` (an object) into one section of the device: text, metadata, version. $metadata and $version
// at the top of the change, which clients send back with a twin they read, are ignored; updated_us is set.
// ERR_INVALID names the member that breaks a rule, or the section that would be too large. After an error the
// device is unchanged.
struct err twin_change(struct arena *arena, struct device *device, enum twin_section which, enum twin_how how,
                       const struct json *change, int64_t now_us, struct why *why);

// What a twin request or an item of a bulk call brings:
// {"tags":{…},"properties":{"desired":{…},"reported":{…}}}, each part NULL when absent. ERR_INVALID when a
// part is no object.
struct twin_parts {
    const struct json *tags;
    const struct json *desired;
    const struct json *reported;
};
struct err twin_parts_read(const struct json *body, struct twin_parts *out, struct why *why);
// tags and desired of the parts; twin_version goes up by one if there is either. With TWIN_REPLACE an absent
// part is emptied when `whole` is set, else left.
struct err twin_apply(struct arena *arena, struct device *device, enum twin_how how, bool whole,
                      const struct twin_parts *parts, int64_t now_us, struct why *why);

// The full twin for services.
void twin_write(struct json_writer *w, const struct device *device, struct device_presence presence);
// The twin as the device sees it: {"desired":{…,"$version":n},"reported":{…,"$version":m}}.
void twin_write_for_device(struct buf *out, const struct device *device);
// What a device is told of a change of its desired properties: the change and "$version".
void twin_write_push(struct buf *out, const struct json *change, int64_t version);

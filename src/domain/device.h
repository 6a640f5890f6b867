// A device of the embedded hub: its identity and its twin, as one record (service-api H.2). The twin's rules are in twin.h.
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
    struct slice tags;     // JSON object text
    struct slice desired;  // JSON object text without $metadata and $version
    struct slice reported; // the same
    struct slice desired_metadata;  // JSON object text that mirrors desired with $lastUpdated
    struct slice reported_metadata;
    int64_t desired_version;
    int64_t reported_version;
    int64_t twin_version; // of tags and desired: the twin's etag
    int64_t identity_version; // of the identity: the device's etag
    int64_t created_us;
    int64_t updated_us;
    int64_t status_updated_us;
    uint64_t etag; // of the whole record, new at each write
};

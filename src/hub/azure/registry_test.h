// What a hub keeps, as far as the connector can tell: identities and twins, behind the REST API of
// service-api H.2. Used by the scripted hub when no script says otherwise.
#pragma once

#include "base/buf.h"
#include "base/secret.h"

enum { REGISTRY_DEVICES_MAX = 96, REGISTRY_TEXT_MAX = 2048 };

struct registry_device {
    bool there;
    char id[130];
    char etag[24];
    char status[16];
    char reason[64];
    char authentication[REGISTRY_TEXT_MAX]; // JSON
    bool edge;
    char tags[REGISTRY_TEXT_MAX]; // JSON objects
    char desired[REGISTRY_TEXT_MAX];
    char reported[REGISTRY_TEXT_MAX];
    unsigned desired_version;
    unsigned reported_version;
};

// What becomes of reported properties in a bulk call.
enum registry_manner { REGISTRY_TAKES, REGISTRY_REFUSES, REGISTRY_IGNORES, REGISTRY_KNOWS_NO_BULK };

struct registry {
    struct registry_device devices[REGISTRY_DEVICES_MAX];
    unsigned changes;
    enum registry_manner reported;
    struct secret keys[2]; // that make good tokens; both none: any token is good
};

// Carries out one request, head and body, and appends the whole response.
void registry_answer(struct registry *registry, struct slice request, struct slice body, struct buf *out);
// NULL when it is not there.
struct registry_device *registry_find(struct registry *registry, struct slice id);

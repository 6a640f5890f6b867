// The settings of one embedded hub: its access policies, and the document that the store keeps of them
// (struct hub_record). Not for deciding who may do what: that is embedded/route.c.
#pragma once

#include "domain/service.h"
#include "ports/random.h"

// Bits of policy.rights for a hub's policies (service-api H.1).
enum hub_right {
    HUB_REGISTRY_READ = 1 << 0,
    HUB_REGISTRY_WRITE = 1 << 1,
    HUB_SERVICE_CONNECT = 1 << 2,
    HUB_DEVICE_CONNECT = 1 << 3,
    HUB_RIGHTS_ALL = (1 << 4) - 1,
};

enum { HUB_POLICIES_MAX = 16, HUB_HOST_MAX = 260 };

struct hub_settings {
    struct policy *policies;
    size_t policy_count;
};

// The five policies that every hub starts with, with fresh keys of 32 bytes: iothubowner, service, device,
// registryRead, registryReadWrite.
struct err hub_settings_default(struct arena *arena, struct random *random, struct hub_settings *out);
// {"policies":[{"name","primaryKey","secondaryKey","rights":"RegistryRead, …"}]}
struct err hub_settings_write(const struct hub_settings *settings, struct buf *out);
// All is copied to the arena. ERR_INTERNAL when it is not what hub_settings_write made.
struct err hub_settings_read(struct arena *arena, struct slice document, struct hub_settings *out,
                             struct why *why);
// Names compare without case; NULL when there is none.
const struct policy *hub_settings_policy(const struct hub_settings *settings, struct slice name);
// "RegistryRead, RegistryWrite", in the order of the enum.
void hub_rights_write(struct buf *out, uint32_t rights);

// A service is one tenant: who may operate it, which hubs it may assign to, and what holds unless an
// enrollment says otherwise. One daemon serves many. Shapes: service-api B.2 to B.4.
#pragma once

#include "base/arena.h"
#include "base/secret.h"
#include "domain/names.h"
#include "domain/place.h"
#include "json/json.h"
#include "json/write.h"

// Bits of policy.rights (service-api B.4). A write right includes its read right.
enum right {
    RIGHT_SERVICE_CONFIG = 1 << 0,
    RIGHT_ENROLLMENT_READ = 1 << 1,
    RIGHT_ENROLLMENT_WRITE = 1 << 2,
    RIGHT_DEVICE_CONNECT = 1 << 3,
    RIGHT_REGISTRATION_READ = 1 << 4,
    RIGHT_REGISTRATION_WRITE = 1 << 5,
    RIGHT_ALL = (1 << 6) - 1,
};

struct policy {
    struct slice name;
    struct secret primary;
    struct secret secondary;
    uint32_t rights; // enum right
};

struct linked_hub {
    struct slice host; // host name, with `:port` when the hub is not on the standard ports; the hub's name
    enum hub_kind kind;
    // azure: the hub's access policy that the service uses, and its key; mosquitto: who may change its
    // dynamic security, and the password's bytes
    struct slice policy_name;
    struct secret policy_key;
    struct secret policy_key_secondary; // azure: tried when the hub turns the other down; or empty
    enum hub_state state;
    uint32_t capacity;         // devices that the service may have there; 0: no limit
    uint32_t calls_per_minute; // to the hub's own API; 0: the connector's default
    struct slice location;     // as the operator wrote it: a region's name, or "latitude,longitude"; or empty
    struct place place;        // the same, read
    uint32_t weight;           // 1..1000
    bool allocate;             // false: applyAllocationPolicy is off, never a candidate
    bool allocate_set;         // whether the operator said so (null stays null on reading)
    bool weight_set;
};

// How far it is from somewhere to a hub, as somebody measured it.
struct latency {
    struct slice zone; // struct place.zone of devices, without case
    struct slice hub;  // host
    int64_t us;
};

enum { SERVICE_LATENCIES_MAX = 5000 };
enum { SERVICE_HUBS_MAX = 50, SERVICE_POLICIES_MAX = 64, ID_SCOPE_MAX = 32 };

struct service {
    struct slice name;      // 3..50 of [A-Za-z0-9-]
    struct slice host_name; // what operators and devices may call it; compared without case and port
    struct slice id_scope;  // immutable
    enum allocation_policy allocation;
    // A TPM device of an individual enrollment too must show its endorsement key's certificate, and one of
    // the service's CA certificates must vouch for it (threats C1). In a group that is always so.
    bool tpm_certificate_required;
    bool avoid_failing_hubs;           // a hub that fails gets no new devices until it recovers
    enum unreachable_rule unreachable; // when a device leaves a hub that cannot be reached
    struct latency *latencies;         // outrank distance (geoLatency)
    size_t latency_count;
    struct policy *policies;
    size_t policy_count;
    struct linked_hub *hubs;
    size_t hub_count;
    int64_t created_us;
    int64_t updated_us;
    uint64_t etag;
};

// NULL when there is none. Policy names and host names compare without case.
const struct policy *service_policy(const struct service *service, struct slice name);
const struct linked_hub *service_hub(const struct service *service, struct slice host);

// "EnrollmentWrite, ServiceConfig" <-> bits, in any order and case; what is written has the order of the
// enum.
struct err rights_read(struct slice text, uint32_t *rights, struct why *why);
void rights_write(struct buf *out, uint32_t rights);

// The stored document of a service: everything but created_us, updated_us and etag, which stand beside it in
// the store's record. Keys are in it in base64: it is sealed by whoever stores it, and `out` is wiped by the
// caller.
struct err service_document_write(const struct service *service, struct buf *out);
// Views into nothing: all is copied to the arena. ERR_INTERNAL when the document is not what
// service_document_write made.
struct err service_document_read(struct arena *arena, struct slice document, struct service *out,
                                 struct why *why);

// `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…` of an IoT hub, or `HostName=…;UserName=…;Password=…`
// of a Mosquitto broker, into kind, host, policy_name and policy_key. ERR_INVALID says what is missing;
// unknown parts are ignored, and the other members of *out are left alone.
struct err hub_connection_string_read(struct arena *arena, struct slice text, struct linked_hub *out,
                                      struct why *why);

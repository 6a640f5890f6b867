// The control API: the services' own settings, over the control socket and, for a policy with ServiceConfig,
// over HTTPS. Shapes are those of service-api B.2 to B.4 without the wrapping in `properties`; lists are
// {"value":[…]}.
//
// clang-format off
//   GET        /control/status                                    control socket only
//   GET        /control/metrics                                   control socket only; Prometheus' text
//   GET        /control/services                                  control socket only
//   GET PUT    /control/services/{name}                           creating: control socket only. PUT takes
//                                                                 allocationPolicy, serviceOperationsHostName,
//                                                                 tpmEndorsementCertificates,
//                                                                 avoidFailingHubs, unreachableHub, latencies
//   DELETE     /control/services/{name}                           control socket only; refused while it has
//                                                                 enrollments, registrations or
//                                                                 CA certificates
//   GET        /control/services/{name}/linkedHubs
//   GET PUT DELETE  …/linkedHubs/{host}
//   POST       /control/services/{name}/dryRuns                   control socket only; 202 {"id"}
//   GET        /control/services/{name}/dryRuns/{id}              control socket only; how far it is
//   GET        /control/services/{name}/registrations/{id}        with address, leftHub …; over HTTPS needs
//                                                                 RegistrationStatusRead too
//   GET        /control/services/{name}/policies
//   GET PUT DELETE  …/policies/{policy}
//   POST       /control/services/{name}/listkeys, …/policies/{policy}/listkeys
//   GET        /control/services/{name}/certificates              CA certificates; ?after= and nextLink
//   GET PUT DELETE  …/certificates/{certificate}
//   POST       …/certificates/{certificate}/generateVerificationCode, …/verify
//   GET PUT DELETE  …/certificates/{certificate}/crl              its revocation list
//   GET        /control/hubs, /control/hubs/{host}                control socket only; counts
//   POST       /control/hubs/{host}/listkeys                      control socket only; policies with keys
// clang-format on
//
// PUT creates or updates, and answers 200 with what is there afterwards. If-Match is optional: an etag is
// that of the whole service. `If-None-Match: *` makes PUT create only. Answers to changes come after all
// loops use them.
//
// CA certificates have the shapes of service-api B.5, an etag each, and are not part of the service: every
// registration reads them anew. To replace or delete one, If-Match is needed (409 and 400 without); for the
// rest of what is done with one it is optional. A revocation list of more than 96 KB goes over the control
// socket.
#pragma once

#include "api/exchange.h"
#include "flow/directory.h"
#include "flow/dry_run.h"
#include "flow/expiry.h"
#include "flow/hub_health.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/store.h"
#include "json/write.h"

struct control_api;

// All pointers outlive the API; everything on one loop.
struct control_api_settings {
    struct store_client *store;
    struct directory *directory; // this loop's
    const struct clock *clock;
    struct random *random;
    const struct log *log;
    struct hub_health *health; // this loop's; NULL: nothing is known of it, and nothing shown
    struct dry_runs *dry_runs; // this loop's; NULL on loops that have no control socket
    struct expiry *expiry;     // the daemon's watch; NULL on loops that have no control socket
    const char *version;
    void *context; // of the functions below
    // Makes all loops read their directories again, then calls done->loaded, later; done is the API's storage
    // till then.
    void (*settings_changed)(void *context, struct directory_wait *done);
    // Writes the array of listeners: [{"protocol","address","port"},…].
    void (*status)(void *context, struct json_writer *w);
    // What an embedded hub counted since start, over all loops.
    void (*hub_counts)(void *context, struct slice host, int64_t *telemetry, int64_t *connected);
    // Writes the policies that the document of an embedded hub (struct hub_record) holds, with keys, as an
    // array:
    // [{"keyName","primaryKey","secondaryKey","rights"},…].
    struct err (*hub_policies)(void *context, struct slice document, struct json_writer *w, struct why *why);
};

struct err control_api_new(const struct control_api_settings *settings, struct control_api **out);
void control_api_free(struct control_api *api); // no exchange is under way

// Claims paths that begin with control.
struct http_area control_http_area(struct control_api *api);

// The REST API of a service for its operators: enrollments, enrollment groups and registrations (service-api
// section A). Settings of the service itself are in api/control.
#pragma once

#include "api/exchange.h"
#include "flow/directory.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/store.h"

struct service_api;

// All pointers outlive the API; everything on one loop.
struct service_api_settings {
    struct store_client *store;
    struct directory *directory;
    const struct clock *clock;
    struct random *random;
    const struct log *log;
    // Signs continuation tokens: the same on every loop and node, or else a list cannot be gone through.
    struct secret continuation_key;
};

struct err service_api_new(const struct service_api_settings *settings, struct service_api **out);
void service_api_free(struct service_api *api); // no exchange is under way

// Claims paths that begin with enrollments, enrollmentGroups or registrations. Must be asked before the
// device API, which would take an enrollment called "registrations" for one of its own paths.
struct http_area service_http_area(struct service_api *api);

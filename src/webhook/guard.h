// Which webhooks may be called at all (threats D1): pure functions over a URL and over an address. A URL is
// an operator's text and its host a name that leads wherever its owner likes, so the address decides, each
// time a connection is made; what is checked of the URL is what an address does not show.
#pragma once

#include "base/ip.h"

enum { GUARD_NETWORKS_MAX = 16, GUARD_PORTS_MAX = 16, GUARD_HOST_MAX = 255 };

struct guard {
    bool http; // besides https
    uint16_t ports[GUARD_PORTS_MAX];
    size_t port_count;
    struct ip_network allowed[GUARD_NETWORKS_MAX]; // although they are internal
    size_t allowed_count;
};

// The parts of a URL that matter here.
struct guard_url {
    char host[GUARD_HOST_MAX + 8]; // in small letters, with its port: what calls are counted by
    uint16_t port;
    bool http;
};

// NULL: it may be connected to. Else what it is, in words that follow "leads to": "a loopback address".
const char *guard_refuses(const struct guard *guard, const struct ip *address);
// Ports that are not listed are refused whatever the address is: behind an address there is more than a
// webhook.
bool guard_port(const struct guard *guard, uint16_t port);
// Scheme, userinfo, host and port. ERR_WEBHOOK with why, which never quotes more of the URL than scheme, host
// and port: a function's key is in its query (service-api C.1).
struct err guard_url_read(const struct guard *guard, struct slice url, struct guard_url *out,
                          struct why *why);

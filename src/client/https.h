// One HTTPS connection, a request at a time. Private to src/client.
#pragma once

#include "base/arena.h"
#include "wire/http/http.h"

struct https;

struct https_settings {
    const char *host;
    uint16_t port;
    const char *ca_file;          // PEM; NULL: the CAs of the system
    const char *certificate_file; // PEM of the client, the leaf first; NULL: none
    const char *key_file;
};

// ERR_SYSTEM, ERR_TIMEOUT, ERR_INVALID for files that cannot be used, with why; *out is NULL then. The
// look-up of the name is bounded by the resolver, everything else by deadline_us (of wait_now_us).
struct err https_open(const struct https_settings *settings, int64_t deadline_us, struct https **out,
                      struct why *why);
void https_close(struct https *https); // NULL is fine
// The slices of *answer are valid until the next call. ERR_SYSTEM when the connection ended, ERR_PROTOCOL for
// what is not HTTP.
struct err https_ask(struct https *https, const struct http_outgoing *request, int64_t deadline_us,
                     struct http_answer *answer, struct why *why);

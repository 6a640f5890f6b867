// A client of libmosquitto as this folder wants one: MQTT 5, TLS whose certificates are always verified, and
// a broker that sends no packet longer than LINK_PACKET_MAX.
#pragma once

#include <mosquitto.h>

#include "base/secret.h"

struct client_settings { // lent for the call
    const char *host;
    int port;
    const char *user;
    const struct secret *password;
    const char *ca_file; // PEM; NULL: the system's
    size_t way;          // of CLIENT_WAYS
};

// A name may lead to addresses of IPv4 and of IPv6, and the broker listen on one of them only. libmosquitto
// tries the first of them and no other, so its user does: by the system's order, by IPv4 alone, by IPv6
// alone.
enum { CLIENT_WAYS = 3 };

// Sets the client up and begins to connect; names are looked up before it returns. Returns a code of
// libmosquitto; `what` is set where there is more to say than client_error does.
int client_begin(struct mosquitto *client, const struct client_settings *settings, const char **what);

// For people; a code of libmosquitto, and errno where it is MOSQ_ERR_ERRNO.
const char *client_error(int rc);

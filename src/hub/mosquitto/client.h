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
};

// Sets the client up and begins to connect; names are looked up before it returns. Returns a code of
// libmosquitto; `what` is set where there is more to say than client_error does.
int client_begin(struct mosquitto *client, const struct client_settings *settings, const char **what);

// For people; a code of libmosquitto, and errno where it is MOSQ_ERR_ERRNO.
const char *client_error(int rc);

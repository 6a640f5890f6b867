// The settings libmosquitto takes, in the order it takes them, and one that it only takes by a detour.
#include "hub/mosquitto/client.h"

#include <errno.h>
#include <string.h>

#include <mqtt_protocol.h>

#include "hub/mosquitto/link.h"

enum { KEEP_ALIVE_S = 20, VERIFY_PEER = 1 };

static int no_passphrase(char *room, int size, int writing, void *context)
{
    (void)room;
    (void)size;
    (void)writing;
    (void)context;
    return 0;
}

// libmosquitto makes room for a packet as its sender announces it, up to 256 MB: the broker is told to send
// none that long (MQTT 5, 3.1.2.11.4). Only mosquitto_connect_bind_v5 takes properties, and it waits for TCP;
// given a port that is none it keeps them all the same, for mosquitto_connect_bind_async.
static int limit_packets(struct mosquitto *client, const char *host)
{
    mosquitto_property *properties = NULL;
    int rc = mosquitto_property_add_int32(&properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, LINK_PACKET_MAX);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_connect_bind_v5(client, host, -1, KEEP_ALIVE_S, NULL, properties);
    mosquitto_property_free_all(&properties);
    return rc == MOSQ_ERR_INVAL ? MOSQ_ERR_SUCCESS : rc;
}

// To be bound to it, a socket must be of its family; those of others are passed over.
static const char *const sources[CLIENT_WAYS] = {NULL, "0.0.0.0", "::"};

int client_begin(struct mosquitto *client, const struct client_settings *settings, const char **what)
{
    const char *system_cas = settings->ca_file == NULL ? "/etc/ssl/certs" : NULL;
    char password[SECRET_MAX + 1] = {0};
    memcpy(password, settings->password->bytes, settings->password->len);
    int rc = mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_tls_set(client, settings->ca_file, system_cas, NULL, NULL, no_passphrase);
    if (rc == MOSQ_ERR_INVAL)
        *what = "the file of CAs to trust for hubs cannot be read";
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_tls_opts_set(client, VERIFY_PEER, NULL, NULL);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_username_pw_set(client, settings->user, password);
    bytes_wipe(password, sizeof password);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = limit_packets(client, settings->host);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_connect_bind_async(client, settings->host, settings->port, KEEP_ALIVE_S,
                                          sources[settings->way]);
    return rc;
}

const char *client_error(int rc)
{
    switch (rc) {
    case MOSQ_ERR_EAI:
        return "there is no such host";
    case MOSQ_ERR_ERRNO:
        return strerrordesc_np(errno);
    case MOSQ_ERR_CONN_LOST:
        return "the connection was lost";
    default:
        return mosquitto_strerror(rc);
    }
}

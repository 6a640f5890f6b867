// libmosquitto, driven one step at a time.
#include "client/session.h"

#include <errno.h>
#include <mosquitto.h>
#include <stdlib.h>

#include "client/wait.h"

enum {
    KEEP_ALIVE_S = 60,
    CONNACK_NONE = -1,
    CONNACK_NOT_AUTHORISED = 5,
    PAYLOAD_MAX = 1 << 20,
    SLICE_US = 100 * 1000
};

struct session {
    struct mosquitto *mosquitto;
    int connack;    // CONNACK_NONE until it came
    bool gone;      // the connection ended
    int subscribed; // message ID of the last SUBACK, and what it granted
    int granted;
    int published;       // message ID of the last PUBACK
    const char *prefix;  // of the message waited for; NULL for none
    char rid[24];        // "$rid=7"
    struct arena *arena; // for *reply
    struct session_message *reply;
    bool replied;
    bool no_memory;
    struct why trouble; // the last error that libmosquitto logged
};

static void on_connect(struct mosquitto *mosquitto, void *context, int code)
{
    (void)mosquitto;
    struct session *session = context;
    session->connack = code;
}

static void on_disconnect(struct mosquitto *mosquitto, void *context, int code)
{
    (void)mosquitto;
    (void)code;
    struct session *session = context;
    session->gone = true;
}

static void on_subscribe(struct mosquitto *mosquitto, void *context, int id, int count, const int *granted)
{
    (void)mosquitto;
    struct session *session = context;
    session->subscribed = id;
    session->granted = count > 0 ? granted[0] : 0x80;
}

static void on_publish(struct mosquitto *mosquitto, void *context, int id)
{
    (void)mosquitto;
    struct session *session = context;
    session->published = id;
}

// "$rid=7" is in the topic, and not as the beginning of "$rid=70".
static bool names_rid(struct slice topic, const char *rid)
{
    size_t at = slice_find(topic, slice_text(rid));
    struct slice after = slice_from(topic, at + strlen(rid));
    return at < topic.len && (slice_empty(after) || after.at[0] == '&');
}

static void on_message(struct mosquitto *mosquitto, void *context, const struct mosquitto_message *message)
{
    (void)mosquitto;
    struct session *session = context;
    struct slice topic = slice_text(message->topic);
    if (session->prefix == NULL || session->replied || message->payloadlen > PAYLOAD_MAX ||
        !slice_starts_with(topic, slice_text(session->prefix)) || !names_rid(topic, session->rid))
        return;
    struct slice payload = slice_of(message->payload, (size_t)message->payloadlen);
    session->no_memory = failed(arena_copy(session->arena, topic, &session->reply->topic)) ||
                         failed(arena_copy(session->arena, payload, &session->reply->payload));
    session->replied = true;
}

static void on_log(struct mosquitto *mosquitto, void *context, int level, const char *text)
{
    (void)mosquitto;
    struct session *session = context;
    if ((level & (MOSQ_LOG_ERR | MOSQ_LOG_WARNING)) != 0 && session->trouble.text[0] == '\0')
        (void)why_fail(&session->trouble, ERR_SYSTEM, "%s", text);
}

static struct err lost(const struct session *session, int code, struct why *why)
{
    if (strstr(session->trouble.text, "certificate verify failed") != NULL)
        return why_fail(
            why, ERR_SYSTEM,
            "the server's certificate is not trusted, or is of another host: say with --ca whom to trust "
            "(usherd --dev prints it)");
    // OpenSSL's security level is the client's own, so that these never reach the service.
    if (strstr(session->trouble.text, "load client certificate") != NULL)
        return why_fail(why, ERR_SYSTEM,
                        "the device's certificate cannot be used: it is not PEM, or weak (SHA-1, RSA of less "
                        "than 2048 bits)");
    if (strstr(session->trouble.text, "load client key") != NULL)
        return why_fail(
            why, ERR_SYSTEM,
            "the device's key cannot be used: it is encrypted, not PEM, or not the key of the first "
            "certificate in the other file");
    if (session->trouble.text[0] != '\0')
        return why_fail(why, ERR_SYSTEM, "the connection failed: %s", session->trouble.text);
    if (code == MOSQ_ERR_PROTOCOL)
        return why_fail(why, ERR_SYSTEM, "what answers does not speak MQTT: is this the right port?");
    if (code == MOSQ_ERR_CONN_LOST || code == MOSQ_ERR_SUCCESS || (code == MOSQ_ERR_ERRNO && errno == 0))
        return why_fail(why, ERR_SYSTEM, "the server closed the connection%s",
                        session->connack != CONNACK_NONE ? "" : ": is this the port of its MQTT?");
    return why_fail(why, ERR_SYSTEM, "the connection failed: %s",
                    code == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(code));
}

// One turn of the loop, at most until the deadline; any event may have happened after it.
static struct err turn(struct session *session, int64_t deadline_us, struct why *why)
{
    int64_t left_us = deadline_us - wait_now_us();
    if (left_us <= 0)
        return why_fail(why, ERR_TIMEOUT, "no answer in time");
    if (session->gone)
        return lost(session, MOSQ_ERR_SUCCESS, why);
    int code =
        mosquitto_loop(session->mosquitto, (int)((left_us < SLICE_US ? left_us : SLICE_US) / 1000 + 1), 1);
    // A refused CONNECT ends the connection too, and its code says more.
    return code == MOSQ_ERR_SUCCESS || session->connack > 0 ? OK : lost(session, code, why);
}

// Nobody is asked for the passphrase of an encrypted key: it is refused.
static int no_passphrase(char *to, int room, int writing, void *context)
{
    (void)to;
    (void)room;
    (void)writing;
    (void)context;
    return 0;
}

static struct err set_up(struct session *session, const struct session_settings *settings, struct why *why)
{
    struct mosquitto *m = session->mosquitto;
    mosquitto_connect_callback_set(m, on_connect);
    mosquitto_disconnect_callback_set(m, on_disconnect);
    mosquitto_subscribe_callback_set(m, on_subscribe);
    mosquitto_publish_callback_set(m, on_publish);
    mosquitto_message_callback_set(m, on_message);
    mosquitto_log_callback_set(m, on_log);
    mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
    const char *system_cas = settings->ca_file == NULL ? "/etc/ssl/certs" : NULL;
    int code = mosquitto_tls_set(m, settings->ca_file, system_cas, settings->certificate_file,
                                 settings->key_file, no_passphrase);
    if (code == MOSQ_ERR_INVAL)
        return why_fail(why, ERR_INVALID,
                        "one of the files with certificates and keys cannot be read: %s%s%s",
                        settings->ca_file != NULL ? settings->ca_file : system_cas,
                        settings->certificate_file != NULL ? " " : "",
                        settings->certificate_file != NULL ? settings->certificate_file : "");
    if (code == MOSQ_ERR_SUCCESS)
        code = mosquitto_username_pw_set(m, settings->user_name, settings->password);
    return code == MOSQ_ERR_SUCCESS ? OK : why_fail(why, ERR_SYSTEM, "%s", mosquitto_strerror(code));
}

static struct err connect_and_wait(struct session *session, const struct session_settings *settings,
                                   int64_t deadline_us, struct why *why)
{
    int code = mosquitto_connect(session->mosquitto, settings->host, settings->port, KEEP_ALIVE_S);
    if (code == MOSQ_ERR_EAI)
        return why_fail(why, ERR_SYSTEM, "%s: no such host", settings->host);
    if (code != MOSQ_ERR_SUCCESS)
        return lost(session, code, why);
    while (session->connack == CONNACK_NONE)
        TRY(turn(session, deadline_us, why));
    if (session->connack != 0)
        return why_fail(why, ERR_CREDENTIAL_MISSING, "%s (CONNACK %d)%s",
                        mosquitto_connack_string(session->connack), session->connack,
                        session->connack == CONNACK_NOT_AUTHORISED
                            ? ": the name, ID scope or proof is wrong; usherd's log says which"
                            : "");
    return OK;
}

struct err session_open(const struct session_settings *settings, int64_t deadline_us, struct session **out,
                        struct why *why)
{
    struct session *session = calloc(1, sizeof *session);
    *out = NULL;
    if (session == NULL)
        return FAIL(ERR_NO_MEMORY);
    session->connack = CONNACK_NONE;
    mosquitto_lib_init(); // counts its callers
    session->mosquitto = mosquitto_new(settings->client_id, true, session);
    struct err e = session->mosquitto != NULL ? set_up(session, settings, why) : FAIL(ERR_NO_MEMORY);
    if (!failed(e))
        e = connect_and_wait(session, settings, deadline_us, why);
    if (failed(e)) {
        struct why what = why != NULL ? *why : (struct why){0};
        session_close(session);
        return why_fail(why, e.code, "%s:%u: %s", settings->host, settings->port, what.text);
    }
    *out = session;
    return OK;
}

void session_close(struct session *session)
{
    if (session == NULL)
        return;
    if (session->mosquitto != NULL) {
        if (session->connack == 0 && !session->gone)
            mosquitto_disconnect(session->mosquitto); // written at once: nothing else is in its queue
        mosquitto_destroy(session->mosquitto);
    }
    mosquitto_lib_cleanup();
    free(session);
}

struct err session_subscribe(struct session *session, const char *topic, int qos, int64_t deadline_us,
                             struct why *why)
{
    int id = 0;
    session->subscribed = 0;
    int code = mosquitto_subscribe(session->mosquitto, &id, topic, qos);
    if (code != MOSQ_ERR_SUCCESS)
        return lost(session, code, why);
    while (session->subscribed != id)
        TRY(turn(session, deadline_us, why));
    return session->granted < 0x80 ? OK : why_fail(why, ERR_CONFLICT, "the server does not grant %s", topic);
}

struct err session_publish(struct session *session, const char *topic, struct slice payload,
                           int64_t deadline_us, struct why *why)
{
    int id = 0;
    session->published = 0;
    int code = mosquitto_publish(session->mosquitto, &id, topic, (int)payload.len, payload.at, 1, false);
    if (code == MOSQ_ERR_INVAL)
        return why_fail(why, ERR_INVALID, "%s cannot be a topic", topic);
    if (code != MOSQ_ERR_SUCCESS)
        return lost(session, code, why);
    while (session->published != id)
        TRY(turn(session, deadline_us, why));
    return OK;
}

struct err session_ask(struct session *session, const char *topic, struct slice payload, const char *prefix,
                       unsigned rid, int64_t deadline_us, struct arena *arena, struct session_message *reply,
                       struct why *why)
{
    int id = 0;
    snprintf(session->rid, sizeof session->rid, "$rid=%u", rid);
    session->prefix = prefix;
    session->arena = arena;
    session->reply = reply;
    session->replied = false;
    int code = mosquitto_publish(session->mosquitto, &id, topic, (int)payload.len, payload.at, 1, false);
    struct err e = code == MOSQ_ERR_SUCCESS ? OK : lost(session, code, why);
    while (!failed(e) && !session->replied)
        e = turn(session, deadline_us, why);
    session->prefix = NULL;
    session->reply = NULL;
    return failed(e) || !session->no_memory ? e : FAIL(ERR_NO_MEMORY);
}

struct err session_idle(struct session *session, int64_t until_us, struct why *why)
{
    while (wait_now_us() < until_us)
        TRY(turn(session, until_us, why));
    return OK;
}

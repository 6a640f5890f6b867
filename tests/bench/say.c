// What a device says.
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "crypto/keys.h"
#include "crypto/sas.h"

// One write of a client's: over WebSocket a message.
static void send_bytes(struct device *d, struct slice bytes)
{
    struct buf framed = buf_capped(2 * MESSAGE_CAP);
    if (d->upgraded) {
        websocket_client_frame(&framed, WEBSOCKET_CLIENT_BINARY, bytes);
        bytes = buf_slice(&framed);
    }
    if (failed(buf_err(&framed)) || failed(tls_write(d->tls, bytes)))
        d->busy = false;
    buf_release(&framed);
}

static void send_buf(struct device *d, struct buf *out)
{
    if (failed(buf_err(out)))
        d->busy = false;
    else
        send_bytes(d, buf_slice(out));
    buf_release(out);
}

static const struct options *options_of(const struct device *d)
{
    return &d->load->o;
}

// ---- SAS tokens
// ---------------------------------------------------------------------------------------------------------------

static void sign(const struct device *d, const struct secret *key, struct buf *out)
{
    char resource[160];
    (void)snprintf(resource, sizeof resource, "%s%%2Fregistrations%%2F%s", options_of(d)->scope, d->id);
    sas_sign(out, slice_text(resource), d->load->se, key, SLICE("registration"));
}

void say_token(const struct device *d, struct buf *out)
{
    const struct options *o = options_of(d);
    struct secret key = o->group_key;
    if (o->group_key.len == 0)
        return;
    if (!o->own_key && failed(key_derive(&o->group_key, slice_text(d->id), &key)))
        abort();
    sign(d, &key, out);
}

// ---- MQTT
// ---------------------------------------------------------------------------------------------------------------------

static bool echoes(const struct device *d)
{
    return options_of(d)->kind->protocol == LOAD_ECHO;
}

static void say_connect(struct device *d)
{
    struct buf out = buf_capped(MESSAGE_CAP);
    struct buf sas = buf_capped(4096);
    char user[200];
    struct mqtt_connect connect = {.clean_session = true, .keep_alive_s = 60, .client_id = slice_text(d->id)};
    if (!echoes(d)) {
        say_token(d, &sas);
        (void)snprintf(user, sizeof user, "%s/registrations/%s/api-version=2019-03-31&ClientVersion=bench",
                       options_of(d)->scope, d->id);
        connect.has_user_name = true;
        connect.user_name = slice_text(user);
        connect.has_password = sas.len > 0;
        connect.password = buf_slice(&sas);
    }
    mqtt_encode_connect(&out, &connect);
    send_buf(d, &out);
    buf_release(&sas);
}

void say_ping(struct device *d)
{
    struct buf out = buf_capped(MESSAGE_CAP);
    mqtt_encode_pingreq(&out);
    send_buf(d, &out);
}

void say_subscribe(struct device *d)
{
    struct buf out = buf_capped(MESSAGE_CAP);
    char topic[200];
    (void)snprintf(topic, sizeof topic, "bench/%s", d->id);
    struct slice filter = echoes(d) ? slice_text(topic) : SLICE("$dps/registrations/res/#");
    struct mqtt_subscribe subscribe = {.packet_id = 1, .count = 1, .filters = {{.topic = filter, .qos = 1}}};
    mqtt_encode_subscribe(&out, &subscribe);
    send_buf(d, &out);
}

void say_publish(struct device *d)
{
    struct buf out = buf_capped(MESSAGE_CAP);
    char topic[200];
    char body[200];
    int len = snprintf(body, sizeof body, "{\"registrationId\":\"%s\"}", d->id);
    (void)snprintf(topic, sizeof topic, "bench/%s", d->id);
    struct mqtt_publish publish = {
        .qos = 1,
        .packet_id = 2,
        .topic = echoes(d) ? slice_text(topic) : SLICE("$dps/registrations/PUT/iotdps-register/?$rid=1"),
        .payload = slice_of(body, (size_t)len),
    };
    mqtt_encode_publish(&out, &publish);
    send_buf(d, &out);
}

void say_goodbye(struct device *d, const struct mqtt_publish *answer)
{
    struct buf out = buf_capped(MESSAGE_CAP);
    if (answer->qos > 0)
        mqtt_encode_puback(&out, answer->packet_id);
    mqtt_encode_disconnect(&out);
    if (!d->upgraded) {
        send_buf(d, &out);
        return;
    }
    struct buf framed = buf_capped(MESSAGE_CAP);
    websocket_client_frame(&framed, WEBSOCKET_CLIENT_BINARY, buf_slice(&out));
    websocket_client_frame(&framed, WEBSOCKET_CLIENT_CLOSE, SLICE("\x03\xe8"));
    d->upgraded = false; // it is framed already
    send_buf(d, &framed);
    d->upgraded = true;
    buf_release(&out);
}

// ---- HTTP
// ---------------------------------------------------------------------------------------------------------------------

static void say_get(struct device *d)
{
    struct buf out = buf_capped(MESSAGE_CAP);
    struct http_outgoing request = {.method = SLICE("GET"), .target = SLICE("/"), .host = SLICE("localhost")};
    http_encode_request(&out, &request);
    send_buf(d, &out);
}

static void put_body(const struct device *d, struct buf *body)
{
    buf_printf(body, "{\"registrationId\":\"%s\"", d->id);
    if (options_of(d)->kind->protocol == LOAD_TPM) {
        const struct soft_tpm *tpm = &d->load->tpms[(size_t)d->number % d->load->tpm_count];
        buf_text(body, ",\"tpm\":{\"endorsementKey\":\"");
        b64_encode(body, buf_slice(&tpm->endorsement_public));
        buf_text(body, "\",\"storageRootKey\":\"");
        b64_encode(body, buf_slice(&tpm->storage_root_public));
        buf_text(body, "\"}");
    }
    buf_text(body, "}");
}

static void say_register(struct device *d, struct slice token)
{
    struct buf out = buf_capped(MESSAGE_CAP);
    struct buf body = buf_capped(MESSAGE_CAP);
    char target[200];
    (void)snprintf(target, sizeof target, "/%s/registrations/%s/register?api-version=2019-03-31",
                   options_of(d)->scope, d->id);
    put_body(d, &body);
    struct http_field fields[2] = {{SLICE("Content-Type"), SLICE("application/json; charset=utf-8")},
                                   {SLICE("Authorization"), token}};
    struct http_outgoing request = {.method = SLICE("PUT"),
                                    .target = slice_text(target),
                                    .host = SLICE("localhost"),
                                    .fields = fields,
                                    .field_count = token.len > 0 ? 2 : 1,
                                    .has_body = true,
                                    .body = buf_slice(&body)};
    http_encode_request(&out, &request);
    send_buf(d, &out);
    buf_release(&body);
}

bool say_activated(struct device *d, struct slice challenge)
{
    const struct slice name = SLICE("\"authenticationKey\":\"");
    const struct soft_tpm *tpm = &d->load->tpms[(size_t)d->number % d->load->tpm_count];
    uint8_t blob[4096];
    size_t len = 0;
    struct slice rest = slice_from(challenge, slice_find(challenge, name) + name.len);
    struct secret key = {0};
    struct buf sas = buf_capped(4096);
    d->challenged = true;
    if (!b64_decode(slice_to(rest, slice_find_byte(rest, '"')), blob, sizeof blob, &len) ||
        !soft_tpm_activate(tpm, slice_of(blob, len), &key))
        return false;
    sign(d, &key, &sas);
    say_register(d, buf_slice(&sas));
    buf_release(&sas);
    return true;
}

// ---- the first thing
// -------------------------------------------------------------------------------------------------------------

static void write_amqp(void *context, struct slice bytes)
{
    send_bytes(context, bytes);
}

static void say_upgrade(struct device *d)
{
    struct buf out = buf_capped(MESSAGE_CAP);
    websocket_client_ask(&out, options_of(d)->kind->websocket);
    send_buf(d, &out);
}

void say_first(struct device *d)
{
    const struct options *o = options_of(d);
    struct buf token = buf_capped(4096);
    if (o->kind->websocket != NULL && !d->upgraded) {
        say_upgrade(d);
        return;
    }
    switch (o->kind->protocol) {
    case LOAD_MQTT:
    case LOAD_ECHO:
        say_connect(d);
        break;
    case LOAD_GET:
        say_get(d);
        break;
    case LOAD_HTTPS:
    case LOAD_TPM:
        say_token(d, &token);
        say_register(d, buf_slice(&token));
        break;
    case LOAD_AMQP:
        say_token(d, &token);
        d->amqp = (struct amqp_client){
            .order = o->order, .id_scope = o->scope, .id = d->id, .write = write_amqp, .context = d};
        amqp_client_begin(&d->amqp, buf_slice(&token));
        break;
    }
    buf_release(&token);
}

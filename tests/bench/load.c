// A load generator: plays N devices, at most C of them at once, each on a TCP and TLS connection of its own,
// and prints one JSON line with how long they took. It plays plain clients of other servers too, so that they
// are measured the same way. One thread, epoll; talks to 127.0.0.1 only.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/keys.h"
#include "crypto/sas.h"
#include "wire/http/http.h"
#include "wire/mqtt/mqtt.h"
#include "wire/tls/tls.h"

#include "fleet.h"

enum { SLOTS_MAX = 4096, EVENTS = 256, MESSAGE_CAP = 64 * 1024, DEVICE_S = 30 };

enum kind { KIND_MQTT, KIND_HTTPS, KIND_GET, KIND_ECHO };
static const char *const kinds[] = {"mqtt", "https", "get", "echo"};

struct options {
    enum kind kind;
    uint16_t port;
    const char *ca_file;
    const char *certificate_file; // the client certificate, or NULL
    const char *key_file;
    const char *issuer_file; // devices prove themselves by certificates that this one signs, or NULL
    const char *issuer_key_file;
    const char *scope;
    const char *prefix;
    struct secret group_key;
    bool own_key; // the key is each device's own, not a group's
    long count;
    long first;
    long stride; // from the number of one device to that of the next
    long concurrency;
    bool keep; // connections stay open until stdin ends
};

struct device {
    int fd;
    struct tls_session *tls;
    struct mqtt_decoder mqtt;
    struct http_decoder http;
    struct buf plain;
    long number;
    char id[64];
    int64_t started_us;
    bool greeted;
    bool busy;
};

struct load {
    struct options o;
    struct tls_context *context;
    struct fleet fleet;
    int epoll;
    struct device *devices;
    double *took_ms;
    long begun, done, failed;
    int64_t se;
    char first_failure[300];
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// ---- what a device says
// ----------------------------------------------------------------------------------------------------------

static void token(const struct load *l, const struct device *d, struct buf *out)
{
    struct secret key = l->o.group_key;
    char resource[160];
    (void)snprintf(resource, sizeof resource, "%s%%2Fregistrations%%2F%s", l->o.scope, d->id);
    if (!l->o.own_key && failed(key_derive(&l->o.group_key, slice_text(d->id), &key)))
        abort();
    sas_sign(out, slice_text(resource), l->se, &key, SLICE("registration"));
}

static void send_plain(struct device *d, const struct buf *bytes)
{
    if (failed(buf_err(bytes)) || failed(tls_write(d->tls, buf_slice(bytes))))
        d->busy = false;
}

static void say_mqtt(const struct load *l, struct device *d, bool echo)
{
    struct buf out = buf_capped(MESSAGE_CAP);
    struct buf sas = buf_capped(4096);
    char user[200];
    char topic[200];
    struct mqtt_connect connect = {.clean_session = true, .keep_alive_s = 60, .client_id = slice_text(d->id)};
    if (!echo) {
        connect.has_password = l->o.issuer_file == NULL;
        if (connect.has_password)
            token(l, d, &sas);
        (void)snprintf(user, sizeof user, "%s/registrations/%s/api-version=2019-03-31&ClientVersion=bench",
                       l->o.scope, d->id);
        connect.has_user_name = true;
        connect.user_name = slice_text(user);
        connect.password = buf_slice(&sas);
    }
    mqtt_encode_connect(&out, &connect);
    (void)snprintf(topic, sizeof topic, "bench/%s", d->id);
    struct slice filter = echo ? slice_text(topic) : SLICE("$dps/registrations/res/#");
    struct mqtt_subscribe subscribe = {.packet_id = 1, .count = 1, .filters = {{.topic = filter, .qos = 1}}};
    if (d->greeted) {
        out.len = 0;
        mqtt_encode_subscribe(&out, &subscribe);
    }
    send_plain(d, &out);
    buf_release(&out);
    buf_release(&sas);
}

static void say_publish(struct device *d, bool echo)
{
    struct buf out = buf_capped(MESSAGE_CAP);
    char topic[200];
    char body[200];
    int len = snprintf(body, sizeof body, "{\"registrationId\":\"%s\"}", d->id);
    (void)snprintf(topic, sizeof topic, "bench/%s", d->id);
    struct mqtt_publish publish = {
        .qos = 1,
        .packet_id = 2,
        .topic = echo ? slice_text(topic) : SLICE("$dps/registrations/PUT/iotdps-register/?$rid=1"),
        .payload = slice_of(body, (size_t)len),
    };
    mqtt_encode_publish(&out, &publish);
    send_plain(d, &out);
    buf_release(&out);
}

static void say_http(const struct load *l, struct device *d)
{
    struct buf out = buf_capped(MESSAGE_CAP);
    struct buf sas = buf_capped(4096);
    char target[200] = "/";
    char body[200] = "";
    struct http_outgoing request = {.method = SLICE("GET"), .host = SLICE("localhost")};
    struct http_field fields[2] = {{SLICE("Content-Type"), SLICE("application/json; charset=utf-8")}};
    if (l->o.kind == KIND_HTTPS) {
        if (l->o.issuer_file == NULL)
            token(l, d, &sas);
        (void)snprintf(target, sizeof target, "/%s/registrations/%s/register?api-version=2019-03-31",
                       l->o.scope, d->id);
        (void)snprintf(body, sizeof body, "{\"registrationId\":\"%s\"}", d->id);
        fields[1] = (struct http_field){SLICE("Authorization"), buf_slice(&sas)};
        request.method = SLICE("PUT");
        request.fields = fields;
        request.field_count = l->o.issuer_file == NULL ? 2 : 1;
        request.has_body = true;
    }
    request.target = slice_text(target);
    request.body = slice_text(body);
    http_encode_request(&out, &request);
    send_plain(d, &out);
    buf_release(&out);
    buf_release(&sas);
}

// What a client says before it goes.
static void say_goodbye(struct device *d, const struct mqtt_publish *answer)
{
    struct buf out = buf_capped(MESSAGE_CAP);
    if (answer->qos > 0)
        mqtt_encode_puback(&out, answer->packet_id);
    mqtt_encode_disconnect(&out);
    send_plain(d, &out);
    buf_release(&out);
}

// ---- a device's life
// ---------------------------------------------------------------------------------------------------------------

static void end(struct load *l, struct device *d, bool good, const char *what, struct slice detail)
{
    if (good) {
        l->took_ms[l->done] = (double)(now_us() - d->started_us) / 1000.0;
    } else if (l->first_failure[0] == '\0') {
        (void)snprintf(l->first_failure, sizeof l->first_failure, "%s: %.*s", what,
                       SLICE_ARG(slice_to(detail, 200)));
    }
    l->failed += !good;
    l->done++;
    d->busy = false;
    if (l->o.keep && good)
        return;
    tls_close(d->tls);
    struct buf *out = tls_output(d->tls);
    ssize_t ignored = out->len > 0 ? send(d->fd, out->at, out->len, MSG_NOSIGNAL) : 0;
    (void)ignored;
    close(d->fd);
    tls_session_free(d->tls);
    mqtt_decoder_release(&d->mqtt);
    http_decoder_release(&d->http);
    d->plain.len = 0;
    d->fd = -1;
}

static bool begin(struct load *l, struct device *d)
{
    struct buf plain = d->plain;
    *d = (struct device){
        .plain = plain, .number = l->o.first + l->begun * l->o.stride, .busy = true, .started_us = now_us()};
    (void)snprintf(d->id, sizeof d->id, "%s%07ld", l->o.prefix, d->number);
    d->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(l->o.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    if (d->fd < 0 || (connect(d->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS))
        return false;
    (void)setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct tls_context *context = l->o.issuer_file != NULL ? l->fleet.contexts[l->begun] : l->context;
    if (failed(tls_session_new(context, "localhost", &d->tls)))
        return false;
    mqtt_decoder_init_client(&d->mqtt, MESSAGE_CAP);
    http_decoder_init(&d->http);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = d};
    l->begun++;
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, d->fd, &event) == 0;
}

static void mqtt_packet(struct load *l, struct device *d, const struct mqtt_packet *p)
{
    bool echo = l->o.kind == KIND_ECHO;
    if (p->type == MQTT_CONNACK && p->connack.code == 0) {
        d->greeted = true;
        say_mqtt(l, d, echo);
    } else if (p->type == MQTT_SUBACK) {
        say_publish(d, echo);
    } else if (p->type == MQTT_PUBLISH) {
        bool good =
            echo || slice_find(p->publish.payload, SLICE("\"status\":\"assigned\"")) < p->publish.payload.len;
        if (good && !l->o.keep)
            say_goodbye(d, &p->publish);
        end(l, d, good, "not assigned", p->publish.payload);
    } else if (p->type != MQTT_PUBACK) {
        end(l, d, false, "refused", slice_text(mqtt_type_name(p->type)));
    }
}

static void take_plain(struct load *l, struct device *d)
{
    struct slice in = buf_slice(&d->plain);
    struct why why = {0};
    while (d->busy && in.len > 0) {
        if (l->o.kind == KIND_MQTT || l->o.kind == KIND_ECHO) {
            struct mqtt_packet packet;
            enum mqtt_result r = mqtt_decode(&d->mqtt, &in, &packet, &why);
            if (r == MQTT_PACKET)
                mqtt_packet(l, d, &packet);
            else if (r == MQTT_BAD)
                end(l, d, false, "bad MQTT", slice_text(why.text));
            continue;
        }
        struct http_answer answer;
        enum http_result r = http_decode_answer(&d->http, &in, &answer, &why);
        bool get = l->o.kind == KIND_GET;
        if (r == HTTP_REQUEST)
            end(l, d,
                get ? answer.status == 200
                    : answer.status == 202 &&
                          slice_find(answer.body, SLICE("\"status\":\"assigned\"")) < answer.body.len,
                "not assigned", answer.body);
        else if (r == HTTP_BAD)
            end(l, d, false, "bad HTTP", slice_text(why.text));
    }
    d->plain.len = 0;
}

static void flush(struct load *l, struct device *d)
{
    struct buf *out = tls_output(d->tls);
    while (d->busy && out->len > 0) {
        ssize_t sent = send(d->fd, out->at, out->len, MSG_NOSIGNAL);
        if (sent > 0)
            buf_consume(out, (size_t)sent);
        else if (errno == EAGAIN || errno == EINPROGRESS || errno == ENOTCONN)
            return;
        else
            end(l, d, false, "send", slice_text(strerror(errno)));
    }
}

static void ready(struct load *l, struct device *d)
{
    static uint8_t bytes[64 * 1024];
    flush(l, d);
    while (d->busy) {
        ssize_t got = recv(d->fd, bytes, sizeof bytes, 0);
        if (got < 0 && (errno == EAGAIN || errno == ENOTCONN))
            return;
        if (got <= 0) {
            end(l, d, false, "the server closed the connection", (struct slice){0});
            return;
        }
        struct slice in = slice_of(bytes, (size_t)got);
        bool was_open = tls_session_state(d->tls) == TLS_OPEN;
        if (failed(tls_feed(d->tls, &in, &d->plain))) {
            end(l, d, false, "TLS", slice_text(tls_session_why(d->tls)->text));
            return;
        }
        if (!was_open && tls_session_state(d->tls) == TLS_OPEN) {
            if (l->o.kind == KIND_MQTT || l->o.kind == KIND_ECHO)
                say_mqtt(l, d, l->o.kind == KIND_ECHO);
            else
                say_http(l, d);
        }
        take_plain(l, d);
        if (d->busy)
            flush(l, d);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(struct load *l, int64_t elapsed_us)
{
    long good = l->done - l->failed;
    qsort(l->took_ms, (size_t)l->done, sizeof *l->took_ms, compare);
    const double *ok = l->took_ms + l->failed; // failures count as 0 ms and sort first
    (void)printf(
        "{\"ops\":%ld,\"failed\":%ld,\"seconds\":%.3f,\"per_second\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n",
        good, l->failed, (double)elapsed_us / 1e6, (double)good / ((double)elapsed_us / 1e6),
        good > 0 ? ok[good / 2] : 0.0, good > 0 ? ok[good * 99 / 100] : 0.0);
    if (l->failed > 0)
        (void)fprintf(stderr, "load: %ld of %ld failed; the first: %s\n", l->failed, l->done,
                      l->first_failure);
    (void)fflush(stdout);
}

static void drop_late(struct load *l)
{
    for (long i = 0; i < (l->o.keep ? l->begun : l->o.concurrency); i++) {
        struct device *d = &l->devices[i];
        if (d->busy && now_us() - d->started_us > DEVICE_S * (int64_t)1000000)
            end(l, d, false, "no answer in time", slice_text(d->id));
    }
}

static int run(struct load *l)
{
    int64_t began = now_us();
    for (long i = 0; i < l->o.concurrency && l->begun < l->o.count; i++) {
        if (!begin(l, &l->devices[i]))
            return 1;
    }
    while (l->done < l->o.count) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(l->epoll, events, EVENTS, 1000);
        for (int i = 0; i < count; i++) {
            struct device *d = events[i].data.ptr;
            if (d->busy)
                ready(l, d);
            if (!d->busy && l->begun < l->o.count && !begin(l, l->o.keep ? &l->devices[l->begun] : d))
                return 1;
        }
        if (count == 0)
            drop_late(l);
    }
    report(l, now_us() - began);
    if (l->o.keep)
        (void)getchar();
    return l->failed > 0 ? 1 : 0;
}

static bool kind_of(const char *name, enum kind *out)
{
    for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        if (strcmp(kinds[k], name) == 0) {
            *out = (enum kind)k;
            return true;
        }
    }
    return false;
}

static bool read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){
        .scope = "", .prefix = "bench-", .count = 1, .stride = 1, .concurrency = 1, .kind = KIND_MQTT};
    for (int i = 1; i + 1 < argc; i += 2) {
        struct slice name = slice_text(argv[i]);
        const char *value = argv[i + 1];
        uint64_t number = 0;
        (void)slice_to_u64(slice_text(value), &number);
        if (slice_equal(name, SLICE("--kind"))) {
            if (!kind_of(value, &o->kind))
                return false;
        } else if (slice_equal(name, SLICE("--port"))) {
            o->port = (uint16_t)number;
        } else if (slice_equal(name, SLICE("--ca"))) {
            o->ca_file = value;
        } else if (slice_equal(name, SLICE("--certificate"))) {
            o->certificate_file = value;
        } else if (slice_equal(name, SLICE("--certificate-key"))) {
            o->key_file = value;
        } else if (slice_equal(name, SLICE("--issuer"))) {
            o->issuer_file = value;
        } else if (slice_equal(name, SLICE("--issuer-key"))) {
            o->issuer_key_file = value;
        } else if (slice_equal(name, SLICE("--scope"))) {
            o->scope = value;
        } else if (slice_equal(name, SLICE("--prefix"))) {
            o->prefix = value;
        } else if (slice_equal(name, SLICE("--group-key")) || slice_equal(name, SLICE("--key"))) {
            struct why why = {0};
            o->own_key = slice_equal(name, SLICE("--key"));
            if (failed(key_read_b64(slice_text(value), &o->group_key, &why)))
                return false;
        } else if (slice_equal(name, SLICE("--count"))) {
            o->count = (long)number;
        } else if (slice_equal(name, SLICE("--first"))) {
            o->first = (long)number;
        } else if (slice_equal(name, SLICE("--stride"))) {
            o->stride = (long)number;
        } else if (slice_equal(name, SLICE("--concurrency"))) {
            o->concurrency = (long)number;
        } else if (slice_equal(name, SLICE("--keep"))) {
            o->keep = number != 0;
        } else {
            return false;
        }
    }
    return o->port != 0 && o->ca_file != NULL && o->count > 0 && o->concurrency > 0 &&
           o->concurrency <= SLOTS_MAX && argc % 2 == 1;
}

static bool read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    uint8_t bytes[4096];
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, file)) > 0;)
        buf_bytes(out, slice_of(bytes, got));
    (void)fclose(file);
    return true;
}

static bool make_fleet(struct load *l, struct why *why)
{
    const struct options *o = &l->o;
    struct fleet *f = &l->fleet;
    *f = (struct fleet){.ca = buf_capped(1 << 20),
                        .issuer = buf_capped(1 << 20),
                        .issuer_key = buf_capped(1 << 20),
                        .now_us = (int64_t)time(NULL) * 1000000};
    return read_file(o->ca_file, &f->ca) && read_file(o->issuer_file, &f->issuer) &&
           o->issuer_key_file != NULL && read_file(o->issuer_key_file, &f->issuer_key) &&
           fleet_make(f, o->prefix, o->first, o->stride, o->count, why);
}

static bool make_context(struct load *l, struct why *why)
{
    struct buf ca = buf_capped(1 << 20);
    struct buf chain = buf_capped(1 << 20);
    struct buf key = buf_capped(1 << 20);
    bool good = read_file(l->o.ca_file, &ca);
    if (l->o.certificate_file != NULL && l->o.key_file != NULL)
        good = good && read_file(l->o.certificate_file, &chain) && read_file(l->o.key_file, &key);
    struct tls_settings settings = {.client = true,
                                    .trusted_pem = buf_slice(&ca),
                                    .chain_pem = buf_slice(&chain),
                                    .key_pem = buf_slice(&key)};
    good = good && !failed(tls_context_new(&settings, &l->context, why));
    buf_release(&ca);
    buf_release(&chain);
    buf_release(&key);
    return good;
}

int main(int argc, char **argv)
{
    struct load l = {.epoll = epoll_create1(EPOLL_CLOEXEC), .se = (int64_t)time(NULL) + 3600};
    struct why why = {0};
    if (!read_options(&l.o, argc, argv)) {
        (void)fputs(
            "usher-load --kind mqtt|https|get|echo --port N --ca FILE [--scope S]\n"
            "           [--group-key B64 | --key B64 | --issuer FILE --issuer-key FILE]\n"
            "           [--certificate FILE --certificate-key FILE]\n"
            "           [--prefix P] [--first N] [--stride N] [--count N] [--concurrency N] [--keep 1]\n",
            stderr);
        return 2;
    }
    if (!make_context(&l, &why) || (l.o.issuer_file != NULL && !make_fleet(&l, &why))) {
        (void)fprintf(stderr, "load: the certificates: %s\n",
                      why.text[0] != '\0' ? why.text : "cannot be read");
        return 2;
    }
    long slots = l.o.keep ? l.o.count : l.o.concurrency; // those that stay take no other's place
    l.devices = calloc((size_t)slots, sizeof *l.devices);
    l.took_ms = calloc((size_t)l.o.count, sizeof *l.took_ms);
    for (long i = 0; l.devices != NULL && i < slots; i++)
        l.devices[i].plain = buf_capped(256 * 1024);
    return l.devices != NULL && l.took_ms != NULL ? run(&l) : 2;
}

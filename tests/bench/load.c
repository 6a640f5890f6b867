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

#include "load.h"

enum { EVENTS = 256, DEVICE_S = 30 };

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// ---- a device's life
// ---------------------------------------------------------------------------------------------------------------

static void end(struct load *l, struct device *d, bool good, const char *what, struct slice detail)
{
    if (!d->answered)
        d->took_ms = (double)(now_us() - d->started_us) / 1000.0;
    if (good)
        l->took_ms[l->done] = d->took_ms;
    else if (l->first_failure[0] == '\0')
        (void)snprintf(l->first_failure, sizeof l->first_failure, "%s: %.*s", what,
                       SLICE_ARG(slice_to(detail, 200)));
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
    amqp_client_release(&d->amqp);
    d->plain.len = 0;
    d->stream.len = 0;
    d->fd = -1;
}

// Some say goodbye and wait for the other side's: the time that counts is that until now.
static void answered(struct device *d)
{
    d->took_ms = (double)(now_us() - d->started_us) / 1000.0;
    d->answered = true;
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

static bool begin(struct load *l, struct device *d)
{
    *d = (struct device){.load = l,
                         .plain = d->plain,
                         .stream = d->stream,
                         .number = l->o.first + l->begun * l->o.stride,
                         .busy = true,
                         .started_us = now_us()};
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

static bool assigned(struct slice body)
{
    return slice_find(body, SLICE("\"status\":\"assigned\"")) < body.len;
}

static void mqtt_answered(struct load *l, struct device *d, const struct mqtt_publish *answer)
{
    bool good = l->o.kind->protocol == LOAD_ECHO || assigned(answer->payload);
    if (good && !l->o.keep) {
        answered(d);
        say_goodbye(d, answer);
        if (d->upgraded) // a client waits for the server's Close
            return;
    }
    end(l, d, good, "not assigned", answer->payload);
}

// Each PINGREQ waits for the answer to the one before.
static void ping_or_subscribe(struct load *l, struct device *d)
{
    if (d->pinged < l->o.pings) {
        d->pinged++;
        say_ping(d);
    } else {
        say_subscribe(d);
    }
}

static void mqtt_packet(struct load *l, struct device *d, const struct mqtt_packet *p)
{
    if ((p->type == MQTT_CONNACK && p->connack.code == 0) || (p->type == MQTT_PINGRESP && d->pinged > 0))
        ping_or_subscribe(l, d);
    else if (p->type == MQTT_SUBACK)
        say_publish(d);
    else if (p->type == MQTT_PUBLISH)
        mqtt_answered(l, d, &p->publish);
    else if (p->type != MQTT_PUBACK)
        end(l, d, false, "refused", slice_text(mqtt_type_name(p->type)));
}

static void take_mqtt(struct load *l, struct device *d, struct slice *in)
{
    struct why why = {0};
    struct mqtt_packet packet;
    enum mqtt_result r = mqtt_decode(&d->mqtt, in, &packet, &why);
    if (r == MQTT_PACKET)
        mqtt_packet(l, d, &packet);
    else if (r == MQTT_BAD)
        end(l, d, false, "bad MQTT", slice_text(why.text));
}

static void take_amqp(struct load *l, struct device *d, struct slice *in)
{
    struct buf token = buf_capped(4096);
    if (!d->amqp.sasl_over)
        say_token(d, &token);
    enum amqp_client_result r = amqp_client_feed(&d->amqp, in, buf_slice(&token));
    buf_release(&token);
    bool good = assigned(d->amqp.answer);
    switch (r) {
    case AMQP_CLIENT_MORE:
        break;
    case AMQP_CLIENT_ANSWERED:
        answered(d);
        amqp_client_settle(&d->amqp);
        flush(l, d);
        if (!good || l->o.keep)
            end(l, d, good, "not assigned", d->amqp.answer);
        else
            amqp_client_leave(&d->amqp);
        break;
    case AMQP_CLIENT_REFUSED:
        end(l, d, false, "refused", d->amqp.answer);
        break;
    case AMQP_CLIENT_GONE:
        end(l, d, true, "", (struct slice){0});
        break;
    }
}

static void http_answered(struct load *l, struct device *d, const struct http_answer *answer)
{
    bool get = l->o.kind->protocol == LOAD_GET;
    if (l->o.kind->protocol == LOAD_TPM && answer->status == 401 && !d->challenged) {
        if (!say_activated(d, answer->body))
            end(l, d, false, "a challenge that the TPM refuses", answer->body);
        return;
    }
    end(l, d, get ? answer->status == 200 : answer->status == 202 && assigned(answer->body), "not assigned",
        answer->body);
}

static void take_http(struct load *l, struct device *d, struct slice *in)
{
    struct why why = {0};
    struct http_answer answer;
    enum http_result r = http_decode_answer(&d->http, in, &answer, &why);
    if (r == HTTP_BAD) {
        end(l, d, false, "bad HTTP", slice_text(why.text));
    } else if (r == HTTP_REQUEST && l->o.kind->websocket != NULL) {
        d->upgraded = answer.status == 101;
        if (d->upgraded)
            say_first(d);
        else
            end(l, d, false, "no WebSocket", answer.body);
    } else if (r == HTTP_REQUEST) {
        http_answered(l, d, &answer);
    }
}

static void take_protocol(struct load *l, struct device *d, struct slice in)
{
    while (d->busy && in.len > 0) {
        if (l->o.kind->protocol == LOAD_AMQP)
            take_amqp(l, d, &in);
        else if (l->o.kind->protocol == LOAD_MQTT || l->o.kind->protocol == LOAD_ECHO)
            take_mqtt(l, d, &in);
        else
            take_http(l, d, &in);
    }
}

static void take_plain(struct load *l, struct device *d)
{
    struct slice in = buf_slice(&d->plain);
    if (l->o.kind->websocket == NULL) {
        take_protocol(l, d, in);
    } else {
        while (d->busy && !d->upgraded && in.len > 0)
            take_http(l, d, &in);
        if (d->busy && !websocket_client_feed(&d->websocket, in, &d->stream))
            end(l, d, false, "bad WebSocket", in);
        take_protocol(l, d, buf_slice(&d->stream));
        d->stream.len = 0;
        if (d->busy && d->websocket.closed)
            end(l, d, d->answered, "the server closed the WebSocket", (struct slice){0});
    }
    d->plain.len = 0;
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
            end(l, d, d->answered, "the server closed the connection", (struct slice){0});
            return;
        }
        struct slice in = slice_of(bytes, (size_t)got);
        bool was_open = tls_session_state(d->tls) == TLS_OPEN;
        if (failed(tls_feed(d->tls, &in, &d->plain))) {
            end(l, d, false, "TLS", slice_text(tls_session_why(d->tls)->text));
            return;
        }
        if (!was_open && tls_session_state(d->tls) == TLS_OPEN)
            say_first(d);
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
    if (!options_read(&l.o, argc, argv)) {
        (void)fputs(options_usage, stderr);
        return 2;
    }
    if (l.o.tpm_file != NULL && !soft_tpm_read(l.o.tpm_file, &l.tpms, &l.tpm_count)) {
        (void)fprintf(stderr, "load: %s: no keys of TPMs\n", l.o.tpm_file);
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
    for (long i = 0; l.devices != NULL && i < slots; i++) // none has memory yet
        l.devices[i].plain = l.devices[i].stream = buf_capped(256 * 1024);
    return l.devices != NULL && l.took_ms != NULL ? run(&l) : 2;
}

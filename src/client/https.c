// A socket, wire/tls and wire/http, joined by blocking reads and writes.
#include "client/https.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"
#include "client/wait.h"
#include "wire/tls/tls.h"

enum { CHUNK = 16 * 1024, REQUEST_MAX = 256 * 1024, ANSWER_MAX = 1 << 20, PEM_MAX = 1 << 20 };

struct https {
    int socket;
    struct tls_context *context;
    struct tls_session *tls;
    struct buf plain; // decrypted, not yet decoded
    struct http_decoder decoder;
};

static struct err connect_one(const struct addrinfo *address, int64_t deadline_us, int *connected,
                              struct why *why)
{
    int made = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int reason = 0, on = 1;
    socklen_t size = sizeof reason;
    if (made < 0)
        return why_fail(why, ERR_SYSTEM, "cannot make a socket: %s", strerror(errno));
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(made, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS)
        reason = errno;
    struct err e = reason == 0 ? wait_for(made, POLLOUT, deadline_us, why) : OK;
    if (!failed(e) && reason == 0 && getsockopt(made, SOL_SOCKET, SO_ERROR, &reason, &size) != 0)
        reason = errno;
    if (!failed(e) && reason != 0)
        e = why_fail(why, ERR_SYSTEM, "%s", strerror(reason));
    if (failed(e))
        close(made);
    else
        *connected = made;
    return e;
}

// To the first address of the name that takes the connection.
static struct err connect_any(const char *host, uint16_t port, int64_t deadline_us, int *connected,
                              struct why *why)
{
    char service[8];
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    snprintf(service, sizeof service, "%u", port);
    int code = getaddrinfo(host, service, &hints, &found);
    if (code != 0)
        return why_fail(why, ERR_SYSTEM, "%s", gai_strerror(code));
    struct err e = why_fail(why, ERR_SYSTEM, "no address");
    for (const struct addrinfo *address = found; address != NULL && failed(e); address = address->ai_next)
        e = connect_one(address, deadline_us, connected, why);
    freeaddrinfo(found);
    return e;
}

static struct err read_file(const char *path, struct buf *out, struct why *why)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return why_fail(why, ERR_INVALID, "%s: %s", path, strerror(errno));
    size_t got = 1;
    while (got > 0 && !out->broken) {
        uint8_t *to = buf_reserve(out, CHUNK);
        got = to != NULL ? fread(to, 1, CHUNK, file) : 0;
        buf_added(out, got);
    }
    bool bad = ferror(file) != 0 || out->broken || out->len == 0;
    fclose(file);
    return bad ? why_fail(why, ERR_INVALID, "%s: is empty, or cannot be read", path) : OK;
}

static struct err make_context(const struct https_settings *wanted, struct tls_context **context,
                               struct why *why)
{
    const char *const files[] = {wanted->ca_file, wanted->certificate_file, wanted->key_file};
    struct buf pem[] = {buf_capped(PEM_MAX), buf_capped(PEM_MAX), buf_capped(PEM_MAX)};
    struct err e = OK;
    for (size_t i = 0; i < 3 && !failed(e); i++)
        e = files[i] != NULL ? read_file(files[i], &pem[i], why) : OK;
    const struct tls_settings settings = {.client = true,
                                          .trusted_pem = buf_slice(&pem[0]),
                                          .chain_pem = buf_slice(&pem[1]),
                                          .key_pem = buf_slice(&pem[2])};
    if (!failed(e))
        e = tls_context_new(&settings, context, why);
    bytes_wipe(pem[2].at, pem[2].room);
    for (size_t i = 0; i < 3; i++)
        buf_release(&pem[i]);
    return e;
}

static struct err send_output(struct https *https, int64_t deadline_us, struct why *why)
{
    struct buf *output = tls_output(https->tls);
    while (output->len > 0) {
        TRY(wait_for(https->socket, POLLOUT, deadline_us, why));
        ssize_t sent = send(https->socket, output->at, output->len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            buf_consume(output, (size_t)sent);
        else if (errno != EINTR && errno != EAGAIN)
            return why_fail(why, ERR_SYSTEM, "the connection failed: %s", strerror(errno));
    }
    return OK;
}

// Takes what has arrived, through TLS.
static struct err receive(struct https *https, int64_t deadline_us, struct why *why)
{
    uint8_t chunk[CHUNK];
    TRY(wait_for(https->socket, POLLIN, deadline_us, why));
    ssize_t got = recv(https->socket, chunk, sizeof chunk, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return OK;
    if (got < 0)
        return why_fail(why, ERR_SYSTEM, "the connection failed: %s", strerror(errno));
    if (got == 0)
        return why_fail(why, ERR_SYSTEM, "the server closed the connection");
    struct slice in = slice_of(chunk, (size_t)got);
    struct err e = tls_feed(https->tls, &in, &https->plain);
    if (!failed(e))
        e = buf_err(&https->plain);
    if (failed(e))
        return why_fail(why, e.code, "TLS: %s", tls_session_why(https->tls)->text);
    return send_output(https, deadline_us, why);
}

static struct err open_all(struct https *https, const struct https_settings *settings, int64_t deadline_us,
                           struct why *why)
{
    TRY(make_context(settings, &https->context, why));
    TRY(connect_any(settings->host, settings->port, deadline_us, &https->socket, why));
    TRY(tls_session_new(https->context, settings->host, &https->tls));
    TRY(send_output(https, deadline_us, why));
    while (tls_session_state(https->tls) == TLS_HANDSHAKING)
        TRY(receive(https, deadline_us, why));
    return OK;
}

struct err https_open(const struct https_settings *settings, int64_t deadline_us, struct https **out,
                      struct why *why)
{
    struct https *https = calloc(1, sizeof *https);
    struct why what = {0};
    *out = NULL;
    if (https == NULL)
        return FAIL(ERR_NO_MEMORY);
    https->socket = -1;
    https->plain = buf_capped(ANSWER_MAX + TLS_PLAIN_MAX + CHUNK);
    http_decoder_init(&https->decoder);
    http_decoder_limit(&https->decoder, ANSWER_MAX);
    struct err e = open_all(https, settings, deadline_us, &what);
    if (failed(e)) {
        https_close(https);
        return why_fail(why, e.code, "%s:%u: %s", settings->host, settings->port, what.text);
    }
    *out = https;
    return OK;
}

void https_close(struct https *https)
{
    struct why unused;
    if (https == NULL)
        return;
    if (https->tls != NULL && tls_session_state(https->tls) == TLS_OPEN) {
        tls_close(https->tls);
        (void)send_output(https, wait_now_us() + 100 * 1000, &unused); // a courtesy
    }
    if (https->socket >= 0)
        close(https->socket);
    tls_session_free(https->tls);
    tls_context_free(https->context);
    http_decoder_release(&https->decoder);
    buf_release(&https->plain);
    free(https);
}

static struct err write_request(struct https *https, const struct http_outgoing *request, struct why *why)
{
    struct buf out = buf_capped(REQUEST_MAX);
    http_encode_request(&out, request);
    struct err e = buf_err(&out);
    if (failed(e))
        e = why_fail(why, e.code, "the request cannot be sent: %s", err_info(e)->sentence);
    else
        e = tls_write(https->tls, buf_slice(&out));
    buf_release(&out);
    return e;
}

struct err https_ask(struct https *https, const struct http_outgoing *request, int64_t deadline_us,
                     struct http_answer *answer, struct why *why)
{
    struct why what;
    buf_clear(&https->plain); // nothing that was not asked for is kept
    TRY(write_request(https, request, why));
    TRY(send_output(https, deadline_us, why));
    for (;;) {
        struct slice in = buf_slice(&https->plain);
        enum http_result result = HTTP_MORE;
        if (in.len > 0)
            result = http_decode_answer(&https->decoder, &in, answer, &what);
        if (result == HTTP_REQUEST)
            return OK;
        if (result == HTTP_BAD)
            return why_fail(why, ERR_PROTOCOL, "the answer cannot be read: %s", what.text);
        buf_clear(&https->plain); // the decoder holds what it needs of it
        TRY(receive(https, deadline_us, why));
    }
}

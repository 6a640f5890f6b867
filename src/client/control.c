// A connection per request: what `usher` asks is little, and nothing has to be kept alive.
#include "client/control.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/secret.h"
#include "client/wait.h"
#include "wire/http/http.h"

enum { REQUEST_MAX = 1 << 20, CHUNK = 32 * 1024 };

static struct err connect_to(const char *path, int *connection, struct why *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof address.sun_path)
        return why_fail(why, ERR_SYSTEM, "%s: the path is longer than a socket's may be (%zu)", path,
                        sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, len);
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0)
        return why_fail(why, ERR_SYSTEM, "cannot make a socket: %s", strerror(errno));
    if (connect(made, (const struct sockaddr *)&address, sizeof address) == 0) {
        *connection = made;
        return OK;
    }
    int reason = errno;
    close(made);
    if (reason == ENOENT || reason == ECONNREFUSED)
        return why_fail(why, ERR_SYSTEM, "%s: usherd is not running, or give --socket", path);
    if (reason == EACCES || reason == EPERM)
        return why_fail(why, ERR_SYSTEM, "%s: you may not use this socket; ask as the user of usherd", path);
    return why_fail(why, ERR_SYSTEM, "%s: %s", path, strerror(reason));
}

static struct err encode(const struct control_request *request, struct buf *out, struct why *why)
{
    struct http_field fields[6];
    size_t count = 0;
    char max_items[24];
    fields[count++] = (struct http_field){SLICE("Accept"), SLICE("application/json")};
    if (!slice_empty(request->body))
        fields[count++] =
            (struct http_field){SLICE("Content-Type"), SLICE("application/json; charset=utf-8")};
    if (!slice_empty(request->service))
        fields[count++] = (struct http_field){SLICE("x-usher-service"), request->service};
    if (!slice_empty(request->if_match))
        fields[count++] = (struct http_field){SLICE("If-Match"), request->if_match};
    else if (request->create_only)
        fields[count++] = (struct http_field){SLICE("If-None-Match"), SLICE("*")};
    if (!slice_empty(request->continuation))
        fields[count++] = (struct http_field){SLICE("x-ms-continuation"), request->continuation};
    if (request->max_items > 0) {
        int len = snprintf(max_items, sizeof max_items, "%zu", request->max_items);
        fields[count++] = (struct http_field){SLICE("x-ms-max-item-count"), slice_of(max_items, (size_t)len)};
    }
    bool has_body =
        !slice_equal(request->method, SLICE("GET")) && !slice_equal(request->method, SLICE("DELETE"));
    http_encode_request(out, &(struct http_outgoing){.method = request->method,
                                                     .target = request->target,
                                                     .host = SLICE("localhost"),
                                                     .fields = fields,
                                                     .field_count = count,
                                                     .body = request->body,
                                                     .has_body = has_body,
                                                     .close = true});
    if (out->broken == ERR_INVALID)
        return why_fail(why, ERR_INVALID, "a value has characters that cannot be sent");
    if (out->broken == ERR_CAPPED)
        return why_fail(why, ERR_CAPPED, "the request is larger than the service takes");
    return buf_err(out);
}

static struct err send_all(int connection, struct slice bytes, int64_t deadline_us, struct why *why)
{
    while (bytes.len > 0) {
        TRY(wait_for(connection, POLLOUT, deadline_us, why));
        ssize_t sent = send(connection, bytes.at, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            bytes = slice_from(bytes, (size_t)sent);
        else if (errno == EPIPE || errno == ECONNRESET)
            return OK; // what usherd said before it closed is still to be read
        else if (errno != EINTR && errno != EAGAIN)
            return why_fail(why, ERR_SYSTEM, "cannot send to usherd: %s", strerror(errno));
    }
    return OK;
}

static struct err keep(const struct http_answer *from, struct arena *arena, struct control_answer *to)
{
    to->status = from->status;
    TRY(arena_copy(arena, from->body, &to->body));
    TRY(arena_copy(arena, http_answer_header(from, SLICE("x-usher-warning")), &to->warning));
    return arena_copy(arena, http_answer_header(from, SLICE("x-ms-continuation")), &to->continuation);
}

static struct err receive(int connection, int64_t deadline_us, struct arena *arena,
                          struct control_answer *answer, struct why *why)
{
    static uint8_t chunk[CHUNK]; // `usher` has one thread
    struct http_decoder decoder;
    struct http_answer decoded;
    struct why what = {0};
    http_decoder_init(&decoder);
    http_decoder_limit(&decoder, CONTROL_ANSWER_MAX);
    struct err e;
    for (;;) {
        e = wait_for(connection, POLLIN, deadline_us, why);
        if (failed(e))
            break;
        ssize_t got = recv(connection, chunk, sizeof chunk, MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0) {
            e = why_fail(why, ERR_PROTOCOL, "usherd closed the connection without an answer");
            break;
        }
        struct slice in = slice_of(chunk, (size_t)got);
        enum http_result result = http_decode_answer(&decoder, &in, &decoded, &what);
        if (result == HTTP_BAD) {
            e = why_fail(why, decoder.broken == ERR_CAPPED ? ERR_CAPPED : ERR_PROTOCOL,
                         "the answer cannot be read: %s", what.text);
            break;
        }
        if (result == HTTP_REQUEST) {
            e = keep(&decoded, arena, answer);
            break;
        }
    }
    bytes_wipe(chunk, sizeof chunk); // answers hold keys
    http_decoder_release(&decoder);
    return e;
}

struct err control_ask(const char *socket_path, const struct control_request *request, struct arena *arena,
                       struct control_answer *answer, struct why *why)
{
    *answer = (struct control_answer){0};
    int64_t deadline_us = wait_now_us() + INT64_C(1000000) * CONTROL_DEADLINE_S;
    struct buf out = buf_capped(REQUEST_MAX);
    int connection = -1;
    struct err e = encode(request, &out, why);
    if (!failed(e))
        e = connect_to(socket_path, &connection, why);
    if (!failed(e))
        e = send_all(connection, buf_slice(&out), deadline_us, why);
    if (!failed(e))
        e = receive(connection, deadline_us, arena, answer, why);
    if (connection >= 0)
        close(connection);
    if (out.at != NULL)
        bytes_wipe(out.at, out.room);
    buf_release(&out);
    return e;
}

// Takes connections in, or turns them away when there are too many. When the process is out of descriptors
// libuv gives up a spare one to accept and close what waits, so the loop does not spin.
#include <stdlib.h>
#include <unistd.h>

#include "net/internal.h"

enum { BACKLOG = 1024 };

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void turn_away(struct listener *listener)
{
    union stream *io = calloc(1, sizeof *io);
    if (io == NULL)
        return;
    uv_loop_t *uv = &listener->loop->uv;
    if ((listener->unix_path != NULL ? uv_pipe_init(uv, &io->pipe, 0) : uv_tcp_init(uv, &io->tcp)) != 0) {
        free(io);
        return;
    }
    (void)uv_accept(&listener->io.stream, &io->stream);
    uv_close(&io->handle, free_handle);
}

static void log_turned_away(struct listener *listener, const char *reason)
{
    if (!loop_may_log(listener->loop))
        return;
    struct log_line line;
    log_begin(&line, listener->loop->settings.log, ERR_LEVEL_WARN, "connection.refused");
    log_text(&line, LOG_protocol, slice_text(listener->settings.protocol->name));
    log_number(&line, LOG_port, listener->port);
    log_number(&line, LOG_count, (int64_t)listener->loop->connections);
    log_text(&line, LOG_reason, slice_text(reason));
    log_end(&line);
}

// The control socket must work when the doors are full, so it has a cap of its own.
static bool full(const struct listener *listener)
{
    const struct loop *loop = listener->loop;
    if (listener->unix_path != NULL)
        return loop->unix_connections >= UNIX_CONNECTIONS_MAX;
    return loop->connections - loop->unix_connections >= loop->settings.max_connections;
}

static void connection_waits(uv_stream_t *stream, int status)
{
    struct listener *listener = stream->data;
    if (status != 0) {
        log_turned_away(listener, uv_strerror(status));
        return;
    }
    if (full(listener)) {
        turn_away(listener);
        log_turned_away(listener, "too many connections");
        return;
    }
    struct conn *conn = conn_new(listener->loop, listener);
    if (conn == NULL) {
        log_turned_away(listener, "out of memory");
        return;
    }
    // whom a proxy brings is counted once the proxy has said who it is
    struct why why;
    if (conn->proxied || crowd_enter(conn, &why)) {
        pump_start(conn);
        return;
    }
    conn_log_noise(conn, "connection.refused", FAIL(ERR_OVERLOADED), &why);
    conn_kill(conn);
}

static void listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    tls_context_free(listener->settings.tls);
    free(listener->unix_path);
    free(listener);
}

void listener_close(struct listener *listener)
{
    list_remove(&listener->in_loop);
    if (listener->unix_path != NULL)
        (void)unlink(listener->unix_path);
    uv_close(&listener->io.handle, listener_closed);
}

void listener_free(struct listener *listener)
{
    if (listener != NULL)
        listener_close(listener);
}

static int listen_on(struct listener *listener, int fd)
{
    uv_loop_t *uv = &listener->loop->uv;
    bool over_unix = listener->unix_path != NULL;
    INVARIANT((over_unix ? uv_pipe_init(uv, &listener->io.pipe, 0) : uv_tcp_init(uv, &listener->io.tcp)) ==
              0);
    listener->io.handle.data = listener;
    list_append(&listener->loop->listeners, &listener->in_loop);
    int result = over_unix ? uv_pipe_open(&listener->io.pipe, fd) : uv_tcp_open(&listener->io.tcp, fd);
    if (result != 0) {
        (void)close(fd);
        return result;
    }
    return uv_listen(&listener->io.stream, BACKLOG, connection_waits);
}

struct err listener_new(struct loop *loop, const struct listener_settings *settings, struct listener **out,
                        struct why *why)
{
    *out = NULL;
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return FAIL(ERR_NO_MEMORY);
    listener->loop = loop;
    listener->settings = *settings;
    listener->settings.tls = NULL;
    int fd = -1;
    struct err result;
    if (settings->unix_path != NULL) {
        listener->unix_path = strdup(settings->unix_path);
        result = listener->unix_path != NULL ? address_listen_unix(settings->unix_path, &fd, why)
                                             : FAIL(ERR_NO_MEMORY);
    } else {
        result =
            address_listen_tcp(settings->host, settings->port, settings->join, &fd, &listener->port, why);
    }
    if (failed(result)) {
        free(listener->unix_path);
        free(listener);
        return result;
    }
    listener_set_tls(listener, settings->tls);
    int listening = listen_on(listener, fd);
    if (listening != 0) {
        listener_close(listener);
        return why_fail(why, ERR_CONFIG, "cannot listen on %s port %u: %s",
                        settings->unix_path != NULL ? settings->unix_path : settings->host, settings->port,
                        uv_strerror(listening));
    }
    *out = listener;
    return OK;
}

uint16_t listener_port(const struct listener *listener)
{
    return listener->port;
}

void listener_set_tls(struct listener *listener, struct tls_context *tls)
{
    struct tls_context *before = listener->settings.tls;
    listener->settings.tls = tls != NULL ? tls_context_share(tls) : NULL;
    tls_context_free(before);
}

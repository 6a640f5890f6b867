// A server on a Unix socket that gives the answers a test has written down, one connection each, and keeps
// the requests.
#pragma once

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/testing.h"
#include "wire/http/http.h"

enum { FAKE_ANSWERS_MAX = 8, FAKE_REQUEST_MAX = 16 * 1024 };

struct fake_answer {
    const char *status;  // "200 OK"
    const char *headers; // more of them, each with its line end
    const char *body;    // JSON
    const char *raw;     // sent instead, as it is, when not NULL
};

struct fake_usherd {
    char folder[64];
    char path[96];
    int listener;
    pthread_t thread;
    struct fake_answer answers[FAKE_ANSWERS_MAX];      // a zeroed one ends them
    char requests[FAKE_ANSWERS_MAX][FAKE_REQUEST_MAX]; // as text
    size_t served;
};

// Reads one whole request, so that the client is never cut off while it sends.
static void fake_read(int connection, char *request)
{
    struct http_decoder decoder;
    struct http_request decoded;
    size_t len = 0;
    http_decoder_init(&decoder);
    for (enum http_result result = HTTP_MORE; result == HTTP_MORE && len < FAKE_REQUEST_MAX - 1;) {
        ssize_t got = read(connection, request + len, FAKE_REQUEST_MAX - 1 - len);
        if (got <= 0)
            break;
        struct slice in = slice_of(request + len, (size_t)got);
        result = http_decode(&decoder, &in, &decoded, NULL);
        len += (size_t)got;
    }
    request[len] = '\0';
    http_decoder_release(&decoder);
}

static void fake_write(int connection, const struct fake_answer *answer)
{
    if (answer->raw != NULL)
        dprintf(connection, "%s", answer->raw);
    else
        dprintf(
            connection,
            "HTTP/1.1 %s\r\nContent-Type: application/json; charset=utf-8\r\n%sContent-Length: %zu\r\n\r\n%s",
            answer->status, answer->headers, strlen(answer->body), answer->body);
}

static void *fake_serve(void *context)
{
    struct fake_usherd *fake = context;
    for (size_t i = 0;
         i < FAKE_ANSWERS_MAX && (fake->answers[i].status != NULL || fake->answers[i].raw != NULL); i++) {
        int connection = accept(fake->listener, NULL, NULL);
        if (connection < 0)
            break;
        fake_read(connection, fake->requests[i]);
        fake_write(connection, &fake->answers[i]);
        fake->served++;
        close(connection);
    }
    return NULL;
}

// answers must be set.
static void fake_start(struct fake_usherd *fake)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(fake->folder, sizeof fake->folder, "/tmp/usher-cli-test-XXXXXX");
    assert_non_null(mkdtemp(fake->folder));
    snprintf(fake->path, sizeof fake->path, "%s/control.sock", fake->folder);
    memcpy(address.sun_path, fake->path, strlen(fake->path));
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fake->listener >= 0);
    assert_int_equal(bind(fake->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fake->listener, 8), 0);
    assert_int_equal(pthread_create(&fake->thread, NULL, fake_serve, fake), 0);
}

// Waits for the thread; answers that nobody asked for are given up.
static void fake_stop(struct fake_usherd *fake)
{
    shutdown(fake->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(fake->thread, NULL), 0);
    close(fake->listener);
    unlink(fake->path);
    rmdir(fake->folder);
}

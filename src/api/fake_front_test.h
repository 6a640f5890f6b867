// For unit tests of the HTTP areas: a front without connections, a memory store, a clock that the test sets,
// and what an operator would send. Not part of the daemon.
#pragma once

#include "api/exchange.h"
#include "base/testing.h"
#include "flow/directory.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/store.h"

struct bench {
    struct mailbox replies;
    struct store *store;
    struct store_client *client;
    struct directory *directory;
    struct clock clock;
    int64_t now_us;
    struct random random;
    uint64_t seed;
    struct log log;
    struct buf lines; // everything logged
    struct http_area area;
};

void bench_start(struct bench *bench);
void bench_stop(struct bench *bench);
// Delivers the store's answers until *done, or fails after five seconds.
void bench_run_until(struct bench *bench, const bool *done);
// A service `name` with host name `name`.test, scope as given, the policy "owner" with all rights, and the
// linked hub hub.test. Keys are what bench_key makes of the policy's name and the service's.
void bench_put_service(struct bench *bench, const char *name, const char *id_scope, const struct policy *more,
                       size_t more_count);
void bench_reload(struct bench *bench);
struct secret bench_key(const char *service, const char *policy, bool secondary);
void bench_put(struct bench *bench, enum store_table table, const char *partition, const char *key,
               const void *record);
size_t bench_count_lines(const struct bench *bench, const char *text);

struct reply {
    bool done;
    unsigned status;
    char *body;         // NUL-terminated
    struct buf headers; // "name: value\n" each
    struct json_doc json;
};

// `head` is everything before the blank line, lines ended by \r\n, without Content-Length, which is added
// when body is not NULL. The reply is made later: bench_run_until. To be released.
void bench_send(struct bench *bench, bool local, const char *head, const char *body, struct reply *reply);
void reply_release(struct reply *reply);
// The value of the answer's header, or NULL. The test's to free.
char *reply_header(const struct reply *reply, const char *name);
// Text of a member of the JSON body; "" when there is none.
const char *reply_text(const struct reply *reply, const char *member);
int64_t reply_number(const struct reply *reply, const char *member);

// A token of the policy; resource as it is to stand in it. The test's to free.
char *bench_token(const struct bench *bench, const char *service, const char *policy, const char *resource,
                  int64_t seconds);
// METHOD target over HTTPS with a token of `service`'s policy "owner", more header lines ("" or "Name:
// value\r\n"), and a body or NULL. Returns the status; *reply may be NULL.
unsigned bench_call(struct bench *bench, const char *service, const char *method, const char *target,
                    const char *more, const char *body, struct reply *reply);
// The same over the control socket.
unsigned bench_local(struct bench *bench, const char *method, const char *target, const char *more,
                     const char *body, struct reply *reply);

// A loop on a thread of its own with a protocol of text lines, and blocking clients, for the tests of this
// folder.
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "net/conn.h"
#include "net/listener.h"
#include "net/loop.h"
#include "wire/tls/testing.h"
#include "wire/tls/tls.h"

enum { PATIENCE_MS = 10000 }; // nothing in these tests takes that long

// Lines the protocol understands (the rest of a line after a blank is its argument):
//   echo TEXT     answers TEXT          bye           answers "bye" and closes
//   flood BYTES   writes that many      answer BYTES  the same, with conn_make_room
//   die           aborts
//   hold          pauses; bench_answer answers later, by ticket, and resumes
//   become        answers "becoming" and goes on with lines in the frames of WebSocket
//   deadline MS   sets a deadline "the next line"     who   answers the user at the other end
//   peer          answers the address at the other end
struct bench {
    struct loop *loop;
    pthread_t thread;
    struct loop_settings settings;
    struct log log;
    struct tls_testing certificates;
    struct tls_context *server_tls;
    struct tls_context *client_tls;
    // the rest under lock, with `changed` signalled
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct buf lines; // of the log
    unsigned opened;
    unsigned closed;
    unsigned held;
    unsigned told_to_stop;
    struct ticket ticket; // of the last one that said hold
    bool ended;           // loop_run returned
};

extern const struct protocol line_protocol; // context: the bench

// settings.log is the bench's own.
void bench_start(struct bench *b, const struct loop_settings *settings);
// Stops the loop if it still runs, joins and frees everything.
void bench_end(struct bench *b);
struct listener *bench_listen(struct bench *b, bool tls);
struct listener *bench_listen_on(struct bench *b, const struct listener_settings *settings); // must succeed
// Runs call(argument) on the loop's thread and waits for it.
void bench_do(struct bench *b, void (*call)(void *argument), void *argument);
// The same for each of `count` elements in turn, in one turn of the loop.
void bench_do_each(struct bench *b, void (*call)(void *element), void *elements, size_t count, size_t size);
// Answers the connection that holds this ticket with a line; false when it is gone.
bool bench_answer(struct bench *b, struct ticket ticket, const char *text);
// Writes to the connection that holds this ticket until the kernel takes no more.
void bench_fill(struct bench *b, struct ticket ticket);
// Waits until *count (one of the above) has reached n; fails the test when it does not.
void bench_await(struct bench *b, const unsigned *count, unsigned n);
void bench_await_log(struct bench *b, const char *part);
unsigned bench_count_log(struct bench *b, const char *part);
void bench_await_end(struct bench *b);
struct ticket bench_ticket(struct bench *b);
int64_t bench_clock_us(clockid_t id);
int64_t bench_now_ms(void); // monotonic

// How something ends that is started on the loop and calls back: once, and never from within its start.
struct outcome {
    sem_t there;
    unsigned times; // since it was last awaited
    bool starting;  // set by the test while it starts it
    bool early;
};

void outcome_init(struct outcome *outcome);
void outcome_arrive(struct outcome *outcome); // what calls back says so
// Waits for it; fails the test when it does not come, or not as it should. Then it may start again.
void outcome_await(struct outcome *outcome);

int client_connect(uint16_t port);                        // must succeed
int client_connect_from(const char *from, uint16_t port); // from another loopback address
int client_connect_with_window(uint16_t port, int bytes);
int client_connect_unix(const char *path); // must succeed
void client_say(int fd, const char *text);
void client_send(int fd, struct slice bytes);
void client_expect(int fd, const char *text); // exactly these bytes next
void client_expect_end(int fd);               // FIN or RST, and nothing before it

struct tls_client {
    int fd;
    struct tls_session *session;
    struct buf plain;
};
void tls_client_connect(struct tls_client *c, struct bench *b, uint16_t port); // must succeed
void tls_client_begin(struct tls_client *c, struct bench *b, int fd); // on this connection; must succeed
void tls_client_say(struct tls_client *c, const char *text);
void tls_client_expect(struct tls_client *c, const char *text);
void tls_client_expect_end(struct tls_client *c); // close_notify and nothing before it
void tls_client_close(struct tls_client *c);

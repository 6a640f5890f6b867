// One thread's event loop: its connections, timers, and the mailbox through which others reach it.
#pragma once

#include "base/err.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "ports/poller.h"

struct loop;

struct loop_settings {
    const struct log *log; // must outlive the loop; NULL: no lines
    size_t
        max_connections; // beyond it a new connection is closed at once; Unix sockets do not count. 0: 10,000
    size_t max_per_address;    // connections at once from one address (of IPv6: one /64). 0: no limit
    size_t new_per_address;    // and new ones a second; ten times as many after a quiet time. 0: no limit
    uint64_t seed;             // random, so that nobody can choose with whom an address shares its count
    int64_t handshake_ms;      // for the whole TLS handshake; 0: 10,000
    int64_t closing_ms;        // for the last bytes and the peer's FIN; 0: 5,000
    unsigned noise_per_second; // lines about what anonymous peers do wrong; 0: 10
};

struct err loop_new(const struct loop_settings *settings, struct loop **out, struct why *why);
// Cuts off what is still connected. Not while loop_run runs. Mail that was not delivered is forgotten, and
// all poll_timer and poll_watch of its poller have been released.
void loop_free(struct loop *loop);
// Runs on the calling thread, which owns the loop from now on, until loop_stop has taken effect. Blocks
// SIGPIPE on this thread.
void loop_run(struct loop *loop);
// Stops listening, lets connections finish for up to grace_ms, then cuts them off and ends loop_run. Calling
// again shortens the time. Any thread, signal handlers too.
void loop_stop(struct loop *loop, int64_t grace_ms);

// For modules that only know mailboxes. Mail posted on the loop's own thread is delivered in the same turn of
// the loop or at once in the next, without a system call; posting is how a callback is made asynchronous.
struct mailbox *loop_mailbox(struct loop *loop);
// Timers and descriptors on this loop, for modules below net/.
struct poller *loop_poller(struct loop *loop);
// Monotonic time at which this turn of the loop began.
int64_t loop_now_us(const struct loop *loop);
// Asked before a log line about an anonymous peer: false when there were enough this second (threats A10).
// How many were left out is logged.
bool loop_may_log(struct loop *loop);
size_t loop_connections(const struct loop *loop);

// HTTPS calls by libcurl's multi interface, driven by a loop's poller. Knows TLS, time and bytes; what is
// called and what an answer means is decided elsewhere. Nobody else includes curl's headers.
#pragma once

#include <curl/curl.h>

#include "base/buf.h"
#include "base/list.h"
#include "ports/poller.h"

enum {
    OUTBOUND_ANSWER_MAX = 256 * 1024, // bytes of a body that is read
    OUTBOUND_BODY_MAX = 512 * 1024,   // bytes of a body that is sent
};

struct outbound_transfer;
struct sockaddr;

// What holds for the calls of one outbound beside what always holds. Zeroed: nothing more.
struct outbound_rules {
    bool http;         // http as well as https
    size_t answer_max; // bytes of a body that is read; 0: OUTBOUND_ANSWER_MAX
    // Whether a connection to this address and port may be opened. Asked with the address itself, after the
    // name was looked up and before there is a socket: a name that leads elsewhere the next time is asked
    // about anew (threats D1). Only then is a socket made. NULL: all addresses.
    bool (*may_connect)(struct outbound_transfer *transfer, const struct sockaddr *address);
};

struct outbound {
    struct poller *poller;
    struct outbound_rules rules;
    CURLM *multi;
    char *ca_pem; // NULL: the system's CAs
    size_t ca_len;
    struct poll_timer timer;
    bool timer_wanted;
    struct list sockets; // those that curl wants watched
    struct list spare;   // transfers that nobody uses
};

enum outbound_end {
    OUTBOUND_END_ANSWERED,  // status, answer and retry_after_ms are set
    OUTBOUND_END_UNTRUSTED, // the host's certificate was not accepted
    OUTBOUND_END_FORBIDDEN, // may_connect refused all its addresses; none was connected to
    OUTBOUND_END_TIMED_OUT,
    OUTBOUND_END_TOO_LONG, // more than rules.answer_max
    OUTBOUND_END_BROKEN,   // no connection, no TLS, or cut off
    OUTBOUND_END_NO_MEMORY,
};

// One call at a time, and room for it. Taken, used for any number of calls one after the other, given back.
struct outbound_transfer {
    struct list link;
    struct outbound *transport;
    CURL *easy;

    // Filled by the owner before a start.
    struct buf url;
    struct buf authorization;                         // the header's whole line; empty for none
    struct buf if_match;                              // the header's whole line; empty for none
    struct buf extra;                                 // one more header's whole line; empty for none
    struct buf body;                                  // empty for none
    void (*done)(struct outbound_transfer *transfer); // never from within a start; may start the next call
    void *context;

    // Valid in done.
    enum outbound_end end;
    long status;
    struct buf answer;
    int64_t retry_after_ms;       // 0: the host did not say
    char detail[CURL_ERROR_SIZE]; // for the ends that are failures: what happened, holds no secret

    unsigned sockets;             // that this call opened
    unsigned refused;             // addresses that may_connect did
    struct curl_slist headers[6]; // ours, not curl's: they point into the buffers above
};

// ca_pem: copied; empty means the system's CAs. ERR_NO_MEMORY or ERR_SYSTEM.
struct err outbound_init(struct outbound *transport, struct poller *poller, struct slice ca_pem);
// Before the first transfer is taken.
void outbound_restrict(struct outbound *transport, const struct outbound_rules *rules);
// All transfers were given back. Zeroed or half-made is fine.
void outbound_release(struct outbound *transport);

// NULL when there is no memory.
struct outbound_transfer *outbound_transfer_take(struct outbound *transport);
// No call is under way. What was sent and received is wiped.
void outbound_transfer_give_back(struct outbound_transfer *transfer);
// method: static text. The time covers everything from name lookup to the answer's last byte; more than 0. An
// error is what broke one of the buffers, or ERR_NO_MEMORY; then done is not called.
struct err outbound_transfer_start(struct outbound_transfer *transfer, const char *method,
                                   int64_t timeout_ms);
// Empties the buffers that the owner fills, wiping them.
void outbound_transfer_clear(struct outbound_transfer *transfer);

// One request to usherd over its control socket: HTTP/1.1 without TLS and without a secret, because whoever
// may open the socket may do everything. Blocks up to a deadline. Not for the network.
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum {
    CONTROL_ANSWER_MAX = 8 << 20, // bytes of the largest answer taken
    CONTROL_DEADLINE_S = 30,      // for the whole call
};

struct control_request {
    struct slice method;
    struct slice target;       // path and query, percent-encoded
    struct slice service;      // which service it is for; empty when there is only one
    struct slice if_match;     // an ETag or "*"; empty for none
    bool create_only;          // refused when the thing is there already
    struct slice continuation; // of the page before; empty for the first
    size_t max_items;          // per page; 0 leaves it to the service
    struct slice body;         // JSON; empty for none
};

struct control_answer {
    unsigned status;
    struct slice body;
    struct slice continuation; // empty: this was the last page
    struct slice warning;      // what the operator should know although it was done; mostly empty
};

// What the answer holds lives in the arena. ERR_SYSTEM when the socket cannot be reached, ERR_TIMEOUT,
// ERR_PROTOCOL for an answer that is not HTTP, ERR_CAPPED for one that is too large, ERR_NO_MEMORY; each with
// why. Any status is a success here. ERR_INVALID for a request that cannot be put into HTTP.
struct err control_ask(const char *socket_path, const struct control_request *request, struct arena *arena,
                       struct control_answer *answer, struct why *why);

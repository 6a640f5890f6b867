// What every store does alike with a request: checking it, its condition, collecting the rows of a query,
// answering.
#pragma once

#include <stdatomic.h>

#include "store/columns.h"

enum { STORE_KEY_MAX = 512, STORE_WORD_MAX = 1024, STORE_SCRATCH_MAX = 4 << 20 };

// Empties the results, so that a request can be used again.
void store_request_begin(struct store_request *request, void *client);
// What only a bug of the caller, or an operator's limit out of range, would break: ERR_INVALID with
// request->why.
struct err store_request_check(struct store_request *request);
// Whether the condition of a PUT or DELETE holds for what is there.
struct err store_request_condition(const struct store_request *request, bool present, uint64_t etag);
// The place to go on after, taken from `after`.
void store_request_after(const struct store_request *request, struct slice *partition, struct slice *key);

// Where a client's answers go. Its owner may take the last answer, and then free client and mailbox, while
// the store's thread is still on its way out of the post: store_replies_end waits for that.
struct store_replies {
    struct mailbox *to;
    atomic_uint posting;
};
void store_replies_end(struct store_replies *replies);
// Posts the request to the mailbox of its client, with this result. After that the request is the client's.
void store_request_answer(struct store_request *request, struct store_replies *replies, struct err result);

// Makes room for the rows. To be called once, before store_rows_add.
struct err store_rows_begin(struct store_request *request);
// One more match. With *full the limit was reached before it: `more` is set and the row is not taken; else a
// copy of `record` is made in the arena and *out (may be NULL) points to it. `last` is set with the last row
// of a full page.
struct err store_rows_add(struct store_request *request, struct slice partition, struct slice key,
                          const void *record, void **out, bool *full);

// Whether the group of this canonical ID admitted the device before. `registration` may be NULL.
bool store_admitted_before(const struct registration *registration, struct slice group_key);

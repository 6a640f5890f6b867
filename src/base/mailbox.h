// How threads hand work to one another: any thread posts, one owner takes. The only lock in the flow of a
// request.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

// Embedded as a member of whatever is sent. The sender owns the memory until deliver is called on the owner's
// thread.
struct mail {
    struct mail *next;
    void (*deliver)(struct mail *mail);
};

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct mail *first;
    struct mail *last;
    size_t count;
    void (*wake)(void *context); // called after a post to an empty box, and by mailbox_ring; NULL when the
                                 // owner waits in mailbox_wait
    void *context;
};

void mailbox_init(struct mailbox *box, void (*wake)(void *context), void *context);
// Mail still inside is forgotten, not delivered.
void mailbox_release(struct mailbox *box);
// Any thread. Never fails, never blocks for long. The number of mails is bounded by what the senders may have
// under way.
void mailbox_post(struct mailbox *box, struct mail *mail);
// The same in two steps, for a sender with more to post: the owner may sleep on until it is rung for, or look
// by itself. Whoever puts rings soon, once for all that it put, and before its own storage goes: until then
// what others post to the box does not wake the owner either.
void mailbox_put(struct mailbox *box, struct mail *mail);
void mailbox_ring(struct mailbox *box);
// Owner only. Takes back one mail that was posted and not taken yet, so that its memory may go; false when it
// is not in the box.
bool mailbox_withdraw(struct mailbox *box, struct mail *mail);
// Owner only. All mail in the order of posting, linked by next; NULL when there is none.
struct mail *mailbox_take(struct mailbox *box);
// Owner only. Like mailbox_take, but waits up to timeout_ms for the first.
struct mail *mailbox_wait(struct mailbox *box, int timeout_ms);
// Owner only. Takes all and calls deliver on each; returns how many.
size_t mailbox_deliver(struct mailbox *box);

// What TPM devices have been asked to prove: the key that was planted, and for which TPM
// (device-protocol 6.6, threats C2). One table for the process, on one loop, because an HTTP device may
// answer on another connection; all others ask it by mail. Lost at the end of the process: a device that
// meanwhile answers is asked anew.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/mailbox.h"
#include "base/secret.h"
#include "base/slice.h"
#include "ports/clock.h"

enum {
    CHALLENGE_ANSWER_MS = 60000,    // a challenge must be answered within
    CHALLENGE_POLL_MS = 15 * 60000, // and then proves the device to its operation's polls as long; or lets it
                                    // register, when it was let in before
    CHALLENGES_MAX = 50000,
    CHALLENGES_OF_DEVICE_MAX =
        16, // on whatever channels: beyond, its oldest is forgotten. As many that it has answered
    CHALLENGES_BYTES_MAX = 64 << 20, // of all of them
    CHALLENGE_CERTIFICATES_MAX = 4
};

// A new one replaces the one before of the same device and channel, unless that was answered: whoever knows a
// public key may ask for challenges, and must not take a registration away from the TPM that has it. Who is
// challenged has proved nothing yet, so that one device's must not take the room of all others.
struct challenge {
    struct secret key; // planted in the TPM
    struct slice endorsement_key;
    struct slice storage_root_key;
    // DER, that of the endorsement key first; may be none
    struct slice certificates[CHALLENGE_CERTIFICATES_MAX];
    size_t certificate_count;
};

enum challenge_verb {
    CHALLENGE_KEEP, // `challenge` is copied. ERR_OVERLOADED when there are CHALLENGES_MAX, or too many bytes
    // The one that fits, else the newest; ERR_ABSENT: none, it was not answered in time, or it was replaced.
    CHALLENGE_RECALL,
    // The device of this serial's challenge has answered it and is let in, on this channel: it may register
    // later. Nothing new when it has registered. ERR_ABSENT as above.
    CHALLENGE_LET_IN,
    // For a register call that is proven: the challenge of this serial is its alone. ERR_CONFLICT while
    // another call has it, and after SPEND; ERR_ABSENT as above.
    CHALLENGE_CLAIM,
    CHALLENGE_GIVE_BACK, // the register call led to no operation: it may be claimed again
    CHALLENGE_SPEND,     // it did: from now on it proves the device to polls only, in place of the one before
};

struct challenge_request {
    struct mail mail; // the table's
    enum challenge_verb verb;
    // Which one: (ID scope, canonical registration ID, channel). Everything here and what it points to
    // belongs to the table until `done`.
    struct slice id_scope;
    struct slice registration_id;
    uint64_t channel; // flow_request.challenge_channel
    uint64_t serial;  // RECALL: out. LET_IN, CLAIM, GIVE_BACK, SPEND: of which; another is left alone
    struct challenge challenge; // KEEP: in. RECALL: out, made in `arena`
    struct arena *arena;        // RECALL
    // RECALL: whether the answer is one to this challenge; NULL: none is. On the owner's loop.
    bool (*fits)(const struct challenge_request *request, const struct challenge *kept);
    struct err result;
    void (*done)(struct challenge_request *request); // on the caller's loop, never from within submit
    void *context;
    void *client; // the table's
};

struct challenges;
struct challenges_client;

// `owner`: the mailbox of the loop that holds the table. `seed`: random.
struct err challenges_new(struct mailbox *owner, const struct clock *clock, uint64_t seed,
                          struct challenges **out);
void challenges_free(struct challenges *challenges); // the owner's loop has ended, and no client is left
// One per loop; replies go to its mailbox.
struct err challenges_client_new(struct challenges *challenges, struct mailbox *replies,
                                 struct challenges_client **out);
void challenges_client_free(struct challenges_client *client); // no request of it is under way
void challenges_submit(struct challenges_client *client, struct challenge_request *request);
// Owner only. How many are kept, those included whose time is over and that nothing has swept yet.
size_t challenges_count(const struct challenges *challenges);

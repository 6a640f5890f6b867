// Who is connected, and on which loop. Each loop keeps the whole directory; the loops tell one another of
// every device that comes and goes, by notes in their mailboxes. The newest connection of a device is the one
// that counts.
#pragma once

#include "domain/device.h"
#include "embedded/core.h"

struct session;

struct presence {
    int64_t stamp; // of the connection: unique, and larger for a later one
    size_t loop;
    int64_t since_us;        // wall clock
    struct session *session; // when it is of this loop
};

enum note_kind {
    NOTE_CONNECTED,     // hub, device, stamp, since_us
    NOTE_GONE,          // hub, device, stamp
    NOTE_IDENTITY,      // hub, device: the identity was changed or removed
    NOTE_DESIRED,       // hub, device, version; body: what its desired properties changed by
    NOTE_METHOD,        // hub, device, method, text: the method's name, body, deadline_us
    NOTE_METHOD_RESULT, // hub, device, method, body; status, or error
};

// Sent by value: note_send copies what it points to.
struct note {
    enum note_kind kind;
    size_t from; // the sending loop
    struct slice hub;
    struct slice device;
    struct slice text;
    struct slice body;
    int64_t stamp;
    int64_t since_us;
    uint64_t method;
    int64_t deadline_us; // monotonic
    int64_t status;      // of NOTE_METHOD_RESULT
    int64_t version;     // of NOTE_DESIRED
    struct err error;
};

// To the loop `to`, this one too; delivered later. Without memory the note is lost and false returned.
// Nothing is sent any more once this instance stops.
bool note_send(struct embedded *embedded, size_t to, const struct note *note);

// NULL when the device is not connected.
const struct presence *presence_find(const struct embedded *embedded, struct slice hub, struct slice device);
// For a device's JSON.
struct device_presence presence_of(const struct embedded *embedded, struct slice hub, struct slice device);
size_t presence_count(const struct embedded *embedded, struct slice hub);
// A session of this loop begins: an older one of the device is closed, here or elsewhere. Returns its stamp.
int64_t presence_begin(struct embedded *embedded, struct session *session, struct slice hub,
                       struct slice device);
void presence_end(struct embedded *embedded, struct slice hub, struct slice device, int64_t stamp);
// Closes the connections of all devices on this loop: it stops.
void presence_close_all(struct embedded *embedded);
// Has the device's sessions judged anew, on whichever loop they are.
void presence_recheck(struct embedded *embedded, struct slice hub, struct slice device);
// To the loop that has the device, if any has.
void presence_tell(struct embedded *embedded, struct note *note);
void presence_release(struct embedded *embedded);

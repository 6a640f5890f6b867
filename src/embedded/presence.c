// The directory of connected devices, and the notes between loops.
#include "embedded/presence.h"

#include <stdlib.h>

#include "domain/identifier.h"
#include "embedded/methods.h"
#include "embedded/session.h"

enum { KEY_MAX = HUB_HOST_MAX + 1 + DEVICE_ID_MAX };

// ---- notes --------------------------------------------------------------------------------------
struct note_mail {
    struct mail mail;
    struct embedded_peer *to;
    struct note note;
    uint8_t bytes[]; // what the note's slices view
};

static void note_act(struct embedded *e, const struct note *note);

static void note_deliver(struct mail *mail)
{
    struct note_mail *sent = CONTAINER_OF(mail, struct note_mail, mail);
    if (sent->to->embedded != NULL)
        note_act(sent->to->embedded, &sent->note);
    free(sent);
}

static struct slice keep(uint8_t **at, struct slice s)
{
    struct slice kept = slice_of(*at, s.len);
    if (s.len > 0)
        memcpy(*at, s.at, s.len);
    *at += s.len;
    return kept;
}

bool note_send(struct embedded *e, size_t to, const struct note *note)
{
    if (e->stopping) // so do the other loops, and one that has ended takes no mail any more
        return true;
    struct note_mail *sent =
        malloc(sizeof *sent + note->hub.len + note->device.len + note->text.len + note->body.len);
    if (sent == NULL)
        return false;
    uint8_t *at = sent->bytes;
    sent->mail = (struct mail){.deliver = note_deliver};
    sent->to = &e->settings.peers[to];
    sent->note = *note;
    sent->note.from = e->settings.index;
    sent->note.hub = keep(&at, note->hub);
    sent->note.device = keep(&at, note->device);
    sent->note.text = keep(&at, note->text);
    sent->note.body = keep(&at, note->body);
    mailbox_post(sent->to->mailbox, &sent->mail);
    return true;
}

static void note_to_others(struct embedded *e, const struct note *note)
{
    for (size_t i = 0; i < e->settings.peer_count; i++) {
        if (i == e->settings.index || note_send(e, i, note))
            continue;
        struct log_line line;
        log_begin(&line, e->settings.log, ERR_LEVEL_ERROR, "hub.note_lost");
        log_text(&line, LOG_deviceId, note->device);
        log_failure(&line, FAIL(ERR_NO_MEMORY), NULL);
        log_end(&line);
    }
}

// ---- the directory ------------------------------------------------------------------------------
static struct slice key_of(uint8_t room[KEY_MAX], struct slice hub, struct slice device)
{
    INVARIANT(hub.len + 1 + device.len <= KEY_MAX);
    memcpy(room, hub.at, hub.len);
    room[hub.len] = 0;
    memcpy(room + hub.len + 1, device.at, device.len);
    return slice_of(room, hub.len + 1 + device.len);
}

static struct presence *find(const struct embedded *e, struct slice hub, struct slice device)
{
    uint8_t room[KEY_MAX];
    return device.len > DEVICE_ID_MAX ? NULL : map_get(&e->presence, key_of(room, hub, device));
}

const struct presence *presence_find(const struct embedded *e, struct slice hub, struct slice device)
{
    return find(e, hub, device);
}

struct device_presence presence_of(const struct embedded *e, struct slice hub, struct slice device)
{
    const struct presence *p = find(e, hub, device);
    return (struct device_presence){.connected = p != NULL, .since_us = p != NULL ? p->since_us : 0};
}

size_t presence_count(const struct embedded *e, struct slice hub)
{
    size_t count = 0;
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(&e->presence, &at, &key, &value))
        count += key.len > hub.len && key.at[hub.len] == 0 && slice_equal(slice_to(key, hub.len), hub);
    return count;
}

void presence_close_all(struct embedded *e)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(&e->presence, &at, &key, &value)) {
        const struct presence *p = value;
        if (p->session != NULL)
            session_stop(p->session);
    }
}

// The connection counts if it is newer than the one that is known; the older one is closed if it is of this
// loop.
static void note_connection(struct embedded *e, struct slice hub, struct slice device,
                            struct presence connection)
{
    uint8_t room[KEY_MAX];
    struct presence *p = find(e, hub, device);
    if (p != NULL && p->stamp > connection.stamp) {
        if (connection.session != NULL)
            session_displace(connection.session);
        return;
    }
    if (p != NULL) {
        if (p->session != NULL)
            session_displace(p->session);
        *p = connection;
        return;
    }
    p = malloc(sizeof *p);
    if (p == NULL)
        return;
    *p = connection;
    if (failed(map_put(&e->presence, key_of(room, hub, device), p, NULL)))
        free(p);
}

static void note_end(struct embedded *e, struct slice hub, struct slice device, int64_t stamp)
{
    uint8_t room[KEY_MAX];
    struct presence *p = find(e, hub, device);
    if (p == NULL || p->stamp != stamp)
        return;
    (void)map_remove(&e->presence, key_of(room, hub, device));
    free(p);
}

int64_t presence_begin(struct embedded *e, struct session *session, struct slice hub, struct slice device)
{
    // Grows with time on all loops alike, and past every stamp that this loop has heard of; the index tells
    // stamps of one instant apart.
    int64_t now = clock_monotonic_us(e->settings.clock);
    int64_t stamp = now * METHOD_LOOPS_MAX + (int64_t)e->settings.index;
    if (stamp <= e->last_stamp)
        stamp = (e->last_stamp / METHOD_LOOPS_MAX + 1) * METHOD_LOOPS_MAX + (int64_t)e->settings.index;
    e->last_stamp = stamp;
    struct presence connection = {
        .stamp = stamp, .loop = e->settings.index, .since_us = embedded_wall_us(e), .session = session};
    note_connection(e, hub, device, connection);
    struct note note = {.kind = NOTE_CONNECTED,
                        .hub = hub,
                        .device = device,
                        .stamp = stamp,
                        .since_us = connection.since_us};
    note_to_others(e, &note);
    return stamp;
}

// Told even when a newer connection took its place: another loop may hear of the two in the other order.
void presence_end(struct embedded *e, struct slice hub, struct slice device, int64_t stamp)
{
    note_end(e, hub, device, stamp);
    struct note note = {.kind = NOTE_GONE, .hub = hub, .device = device, .stamp = stamp};
    note_to_others(e, &note);
}

void presence_tell(struct embedded *e, struct note *note)
{
    const struct presence *p = find(e, note->hub, note->device);
    if (p != NULL) // a note that is lost is a change that the device learns when it reads its twin
        (void)note_send(e, p->loop, note);
}

static struct session *session_here(struct embedded *e, const struct note *note)
{
    const struct presence *p = find(e, note->hub, note->device);
    return p != NULL ? p->session : NULL;
}

// Those too that were read before the change and are not admitted yet.
static void recheck(struct embedded *e, const struct note *note)
{
    struct session *session = session_here(e, note);
    if (session != NULL)
        session_recheck(session);
    LIST_EACH (at, &e->admitting) {
        struct session *other = CONTAINER_OF(at, struct session, in_admitting);
        if (slice_equal(other->id, note->device) && slice_equal(other->hub->host, note->hub))
            session_recheck(other);
    }
}

// To each loop: one that has heard nothing of the device may be about to admit it.
void presence_recheck(struct embedded *e, struct slice hub, struct slice device)
{
    struct note note = {.kind = NOTE_IDENTITY, .hub = hub, .device = device};
    note_to_others(e, &note);
    recheck(e, &note);
}

void embedded_identity_changed(struct embedded *e, struct slice host, struct slice device_id)
{
    presence_recheck(e, host, device_id);
}

static void note_act(struct embedded *e, const struct note *note)
{
    struct session *session = session_here(e, note);
    switch (note->kind) {
    case NOTE_CONNECTED:
        if (note->stamp > e->last_stamp)
            e->last_stamp = note->stamp;
        note_connection(
            e, note->hub, note->device,
            (struct presence){.stamp = note->stamp, .loop = note->from, .since_us = note->since_us});
        break;
    case NOTE_GONE:
        note_end(e, note->hub, note->device, note->stamp);
        break;
    case NOTE_IDENTITY:
        recheck(e, note);
        break;
    case NOTE_DESIRED:
        if (session != NULL)
            session_push_desired(session, note->version, note->body);
        break;
    case NOTE_METHOD:
        if (session == NULL || !session_invoke(session, note))
            methods_offline(e, note);
        break;
    case NOTE_METHOD_RESULT:
        methods_result(e, note);
        break;
    }
}

void presence_release(struct embedded *e)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(&e->presence, &at, &key, &value))
        free(value);
    map_release(&e->presence);
}

// Direct methods, the device's side: sent to the device as a message, its answer sent back to the caller's
// loop.
#include <stdlib.h>

#include "embedded/methods.h"
#include "embedded/session.h"

struct outstanding {
    struct list links;
    uint64_t number;
    size_t from;
    int64_t deadline_us; // monotonic: the caller no longer waits
};

static void outstanding_end(struct session *s, struct outstanding *o)
{
    list_remove(&o->links);
    s->method_count--;
    free(o);
}

static void forget_late(struct session *s)
{
    int64_t now = clock_monotonic_us(s->embedded->settings.clock);
    LIST_EACH (at, &s->methods) {
        struct outstanding *o = CONTAINER_OF(at, struct outstanding, links);
        if (o->deadline_us <= now)
            outstanding_end(s, o);
    }
}

static void tell(struct session *s, const struct outstanding *o, struct err error, int64_t status,
                 struct slice body)
{
    struct note note = {.kind = NOTE_METHOD_RESULT,
                        .hub = s->hub->host,
                        .device = s->id,
                        .body = body,
                        .method = o->number,
                        .status = status,
                        .error = error};
    (void)note_send(s->embedded, o->from, &note); // lost: the caller's time-out answers
}

bool session_invoke(struct session *s, const struct note *note)
{
    char topic[256];
    struct buf out = {.at = (uint8_t *)topic, .room = sizeof topic, .cap = sizeof topic};
    if (s->link == NULL || (s->subscriptions & SUBSCRIBED_METHODS) == 0)
        return false;
    forget_late(s);
    struct outstanding *o = s->method_count < EMBEDDED_SESSION_METHODS_MAX ? calloc(1, sizeof *o) : NULL;
    if (o == NULL) {
        tell(s, &(struct outstanding){.number = note->method, .from = note->from}, FAIL(ERR_THROTTLED), 0,
             (struct slice){0});
        return true;
    }
    *o = (struct outstanding){.number = note->method, .from = note->from, .deadline_us = note->deadline_us};
    list_append(&s->methods, &o->links);
    s->method_count++;
    buf_printf(&out, "$iothub/methods/POST/%.*s/?$rid=%llx", SLICE_ARG(note->text),
               (unsigned long long)note->method);
    // when it cannot be sent the link is being closed, which ends what is outstanding
    (void)mqtt_link_publish(s->link, buf_slice(&out), note->body, 0);
    return true;
}

static bool hex_read(struct slice text, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < text.len; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = strchr(digits, text.at[i] | 0x20);
        if (text.at[i] == 0 || digit == NULL || *digit == '\0')
            return false;
        *number = *number * 16 + (uint64_t)(digit - digits);
    }
    return text.len > 0 && text.len <= 16;
}

// {status}/?$rid={rid}
static bool answer_read(struct slice topic, uint64_t *status, uint64_t *number)
{
    struct slice word;
    struct slice rid;
    if (!slice_cut(&topic, '/', &word) || !slice_to_u64(word, status) || *status > INT32_MAX)
        return false;
    return session_rid(topic, &rid) && hex_read(rid, number);
}

// An answer that nobody waits for is taken and dropped: it may only be late.
bool session_method_publish(struct session *s, const struct mqtt_publish *publish)
{
    uint64_t status;
    uint64_t number;
    if (!slice_starts_with(publish->topic, SLICE("$iothub/methods/res/")))
        return false;
    if (!answer_read(slice_from(publish->topic, sizeof "$iothub/methods/res/" - 1), &status, &number))
        return false;
    LIST_EACH (at, &s->methods) {
        struct outstanding *o = CONTAINER_OF(at, struct outstanding, links);
        if (o->number != number)
            continue;
        tell(s, o, OK, (int64_t)status, publish->payload);
        outstanding_end(s, o);
        break;
    }
    return true;
}

void session_methods_end(struct session *s)
{
    LIST_EACH (at, &s->methods) {
        struct outstanding *o = CONTAINER_OF(at, struct outstanding, links);
        tell(s, o, FAIL(ERR_HUB_DEVICE_OFFLINE), 0, (struct slice){0});
        outstanding_end(s, o);
    }
}

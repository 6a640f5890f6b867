// One connection: how it opens, idles and closes, and what its caller sees of it.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "base/text.h"
#include "wire/amqp/internal.h"

enum open { OPEN_CONTAINER, OPEN_HOSTNAME, OPEN_FRAME_MAX, OPEN_CHANNEL_MAX, OPEN_IDLE };
enum close { CLOSE_ERROR };

struct err amqp_peer_new(const struct amqp_settings *settings, struct amqp_peer **out)
{
    *out = NULL;
    struct amqp_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return FAIL(ERR_NO_MEMORY);
    peer->settings = settings;
    peer->message_max = AMQP_MESSAGE_MAX;
    peer->frame_max = AMQP_FRAME_MIN; // until its open says more
    peer->held = buf_capped(AMQP_HELD_MAX + AMQP_FRAME_MAX);
    peer->out = buf_capped(AMQP_OUTPUT_MAX);
    *out = peer;
    return OK;
}

void amqp_peer_free(struct amqp_peer *peer)
{
    if (peer == NULL)
        return;
    amqp_unsent_drop(peer, NULL);
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++)
        amqp_link_free(&peer->links[i]);
    amqp_inbox_free(peer->inbox);
    if (peer->held.len > 0 && peer->phase <= AMQP_AT_PLAIN_HEADER)
        bytes_wipe(peer->held.at, peer->held.len);
    buf_release(&peer->held);
    buf_release(&peer->out);
    free(peer->why);
    free(peer);
}

static void end(struct amqp_peer *peer, enum amqp_event_kind how)
{
    if (peer->over)
        return;
    peer->over = true;
    peer->has_last = true;
    peer->last = how;
}

static void explain(struct amqp_peer *peer, struct slice condition, struct slice text)
{
    if (peer->why == NULL)
        peer->why = calloc(1, sizeof *peer->why);
    (void)why_fail(peer->why, ERR_PROTOCOL, "%.*s: %.*s", SLICE_ARG(condition), SLICE_ARG(text));
}

struct amqp_compound amqp_say(struct amqp_peer *peer, uint16_t channel, enum amqp_descriptor performative)
{
    return amqp_frame_begin(&peer->out, AMQP_PLAIN_FRAME, channel, (uint8_t)performative);
}

void amqp_tell(struct amqp_peer *peer, struct amqp_compound *performative, struct slice payload)
{
    size_t len = amqp_frame_end(performative, payload);
    if (len == 0) {
        if (!peer->over)
            explain(peer, SLICE("amqp:internal-error"), SLICE("too much output waits for the peer"));
        end(peer, AMQP_BROKEN);
    } else if (peer->closing) { // a close is the last that is sent (AMQP 1.0, 2.4.3)
        peer->out.len -= len;
    } else if (len > peer->frame_max) {
        peer->out.len -= len;
        amqp_break(peer, "amqp:frame-size-too-small", "a frame of %zu bytes is to be sent; the peer takes %u",
                   len, peer->frame_max);
    }
}

// Both spellings, because one SDK looks for this and one for that, and neither for other case
// (device-protocol 4.7).
static void put_retry_after(struct amqp_compound *error, uint32_t seconds)
{
    int32_t value = seconds < INT32_MAX ? (int32_t)seconds : INT32_MAX;
    struct amqp_compound info = amqp_map_in(error);
    amqp_put_symbol(&info, SLICE("Retry-After"));
    amqp_put_int(&info, value);
    amqp_put_symbol(&info, SLICE("retry-after"));
    amqp_put_int(&info, value);
    amqp_end(&info);
}

// Text that was cut may end within a character (UTF-8).
static struct slice whole_characters(struct slice text)
{
    size_t last = text.len; // where its last character begins, behind the first byte
    while (last > 1 && (text.at[last - 1] & 0xc0) == 0x80)
        last--;
    bool whole = last == 0 || utf8_character(slice_from(text, last - 1)) == text.len - (last - 1);
    return whole ? text : slice_to(text, last - 1);
}

void amqp_put_error(const struct amqp_peer *peer, struct amqp_compound *in, struct slice condition,
                    struct slice description, uint32_t retry_after_s)
{
    enum { REST = 192 }; // bytes of a frame with an error, beside the description
    size_t room = peer->frame_max - REST;
    if (slice_empty(condition))
        return;
    struct amqp_compound error = amqp_list_in(in, AMQP_ERROR);
    amqp_put_symbol(&error, slice_to(condition, AMQP_CONDITION_MAX));
    size_t most = room < AMQP_DESCRIPTION_MAX ? room : AMQP_DESCRIPTION_MAX;
    amqp_put_string(&error, whole_characters(slice_to(description, most)));
    if (retry_after_s > 0)
        put_retry_after(&error, retry_after_s);
    amqp_end(&error);
}

static void send_open(struct amqp_peer *peer)
{
    struct amqp_compound f = amqp_say(peer, 0, AMQP_OPEN);
    amqp_put_string(&f, slice_text(peer->settings->container));
    amqp_put_null(&f); // hostname
    amqp_put_uint(&f, AMQP_FRAME_MAX);
    amqp_put_ushort(&f, AMQP_SESSIONS_MAX - 1); // channel-max
    if (peer->settings->idle_ms > 0)
        amqp_put_uint(&f, (uint32_t)peer->settings->idle_ms);
    amqp_tell(peer, &f, (struct slice){0});
    peer->opened = true;
}

static void send_close(struct amqp_peer *peer, struct slice condition, struct slice description)
{
    if (peer->closing)
        return;
    if (!peer->opened)
        send_open(peer);
    struct amqp_compound f = amqp_say(peer, 0, AMQP_CLOSE);
    amqp_put_error(peer, &f, condition, description, 0);
    amqp_tell(peer, &f, (struct slice){0});
    peer->closing = true;
}

void amqp_break(struct amqp_peer *peer, const char *condition, const char *format, ...)
{
    if (peer->over)
        return;
    char text[sizeof peer->why->text];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    explain(peer, slice_text(condition), slice_text(text));
    end(peer, AMQP_BROKEN);
    if (peer->phase >= AMQP_AT_OPEN)
        send_close(peer, slice_text(condition), slice_text(text));
}

void amqp_break_field(struct amqp_peer *peer, const char *what)
{
    amqp_break(peer, "amqp:decode-error", "%s", what);
}

void amqp_ask(struct amqp_peer *peer, struct amqp_event event)
{
    peer->event = event;
    peer->has_event = peer->blocked = true;
}

static void take_open(struct amqp_peer *peer, struct amqp_frame *f)
{
    uint32_t bytes;
    peer->frame_max = !amqp_to_uint(&f->fields[OPEN_FRAME_MAX], &bytes) ? UINT32_MAX
                      : bytes > AMQP_FRAME_MIN                          ? bytes
                                                                        : AMQP_FRAME_MIN;
    if (amqp_to_uint(&f->fields[OPEN_IDLE], &peer->idle_ms) && peer->idle_ms > 0 &&
        peer->idle_ms < AMQP_IDLE_MIN_MS) {
        amqp_break(peer, "amqp:not-allowed", "idle-time-out of %u ms; the least is %d", peer->idle_ms,
                   AMQP_IDLE_MIN_MS);
        return;
    }
    peer->phase = AMQP_AT_FRAMES;
    amqp_ask(peer, (struct amqp_event){.kind = AMQP_OPENED,
                                       .sasl = peer->sasl,
                                       .container = amqp_to_string(&f->fields[OPEN_CONTAINER]),
                                       .hostname = amqp_to_string(&f->fields[OPEN_HOSTNAME])});
}

static void take_close(struct amqp_peer *peer, struct amqp_frame *f)
{
    struct amqp_elements fields = amqp_elements_of(&f->fields[CLOSE_ERROR]);
    struct amqp_value condition = amqp_element(&fields), description = amqp_element(&fields);
    if (!slice_empty(amqp_to_symbol(&condition)))
        explain(peer, condition.body, amqp_to_string(&description));
    send_close(peer, (struct slice){0}, (struct slice){0});
    end(peer, AMQP_CLOSED);
}

// What may come in each phase: one performative, or, once open, any that is not about opening.
void amqp_take_frame(struct amqp_peer *peer, struct amqp_frame *f)
{
    static const struct row {
        const char *name;
        void (*take)(struct amqp_peer *, struct amqp_frame *);
    } rows[] = {
        [AMQP_OPEN] = {"open", take_open},
        [AMQP_BEGIN] = {"begin", amqp_take_begin},
        [AMQP_ATTACH] = {"attach", amqp_take_attach},
        [AMQP_FLOW] = {"flow", amqp_take_flow},
        [AMQP_TRANSFER] = {"transfer", amqp_take_transfer},
        [AMQP_DISPOSITION] = {"disposition", amqp_take_disposition},
        [AMQP_DETACH] = {"detach", amqp_take_detach},
        [AMQP_END] = {"end", amqp_take_end},
        [AMQP_CLOSE] = {"close", take_close},
        [AMQP_INIT] = {"sasl-init", amqp_take_init},
        [AMQP_RESPONSE] = {"sasl-response", amqp_take_response},
    };
    static const uint8_t due[] = {
        [AMQP_AT_SASL_INIT] = AMQP_INIT,
        [AMQP_AT_SASL_ANSWER] = AMQP_RESPONSE,
        [AMQP_AT_OPEN] = AMQP_OPEN,
        [AMQP_AT_FRAMES] = 0,
    };
    uint8_t only = due[peer->phase]; // 0: it is open
    if (peer->closing && f->what != AMQP_CLOSE)
        return;
    if (only != 0 && f->what != only) {
        amqp_break(peer, "amqp:not-allowed", "performative 0x%llx instead of %s", (unsigned long long)f->what,
                   rows[only].name);
        return;
    }
    if (only == 0 && (f->what < AMQP_BEGIN || f->what > AMQP_CLOSE)) {
        amqp_break(peer, "amqp:not-allowed",
                   f->what == AMQP_OPEN ? "a second open" : "unknown performative 0x%llx",
                   (unsigned long long)f->what);
        return;
    }
    INVARIANT(rows[f->what].take != NULL);
    rows[f->what].take(peer, f);
}

void amqp_feed(struct amqp_peer *peer, struct slice *in)
{
    peer->heard |= in->len > 0;
    amqp_advance(peer, in);
}

// A link whose DETACHED is to be reported, or NULL; none once the connection ends.
static struct amqp_link *link_gone(struct amqp_peer *peer)
{
    if (peer->gone == 0 || peer->over || peer->closing)
        return NULL;
    struct amqp_link *link = peer->links;
    while (link->state != AMQP_LINK_GONE)
        link++;
    return link;
}

static bool take_waiting(struct amqp_peer *peer, struct amqp_event *event)
{
    if (peer->has_event) {
        *event = peer->event;
        peer->has_event = false;
        return true;
    }
    struct amqp_link *gone = link_gone(peer);
    if (gone != NULL) {
        gone->state = AMQP_LINK_OVER;
        peer->gone--;
        peer->parted++;
        *event = (struct amqp_event){.kind = AMQP_DETACHED, .link = gone};
        return true;
    }
    if (!peer->has_last)
        return false;
    peer->has_last = false;
    *event = (struct amqp_event){.kind = peer->last};
    return true;
}

bool amqp_next(struct amqp_peer *peer, struct amqp_event *event)
{
    struct slice none = {0};
    if (take_waiting(peer, event))
        return true;
    amqp_advance(peer, &none);
    return take_waiting(peer, event);
}

void amqp_output(struct amqp_peer *peer, struct buf *out)
{
    buf_move(out, &peer->out);
}

bool amqp_is_over(const struct amqp_peer *peer)
{
    return peer->over;
}

bool amqp_is_amid(const struct amqp_peer *peer)
{
    bool amid = peer->held.len > peer->frame;
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++)
        amid |= peer->links[i].state != AMQP_LINK_FREE && peer->links[i].partial;
    return amid && !peer->over;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

// AMQP 1.0, 2.4.5: what a side tells is half of what it waits for, here at least. The peer hears from us
// twice as often as it asks, whatever else was sent.
int64_t amqp_tick(struct amqp_peer *peer, int64_t now_ms)
{
    if (peer->over || peer->phase < AMQP_AT_OPEN)
        return 0;
    if (peer->silent_at == 0 || peer->heard)
        peer->silent_at = peer->settings->idle_ms > 0 ? now_ms + 2 * peer->settings->idle_ms : 0;
    bool open = peer->opened && !peer->closing; // an open is the first that is sent, a close the last
    if (peer->speak_at == 0 || !open)
        peer->speak_at = open && peer->idle_ms > 0 ? now_ms + peer->idle_ms / 2 : 0;
    peer->heard = false;
    if (peer->silent_at != 0 && now_ms >= peer->silent_at) {
        amqp_break(peer, "amqp:resource-limit-exceeded", "nothing came for %lld ms or more",
                   2 * (long long)peer->settings->idle_ms);
        return 0;
    }
    if (peer->speak_at != 0 && now_ms >= peer->speak_at) {
        buf_bytes(&peer->out, SLICE("\0\0\0\10\2\0\0\0")); // a frame without a body is a sign of life
        peer->speak_at = now_ms + peer->idle_ms / 2;
    }
    return sooner(peer->silent_at, peer->speak_at);
}

void amqp_limit(struct amqp_peer *peer, size_t max_message)
{
    peer->message_max = max_message < AMQP_MESSAGE_MAX ? max_message : AMQP_MESSAGE_MAX;
}

const struct why *amqp_why(const struct amqp_peer *peer)
{
    static const struct why none;
    return peer->why != NULL ? peer->why : &none;
}

void amqp_open(struct amqp_peer *peer)
{
    if (peer->over || peer->closing || peer->opened || !peer->blocked || peer->phase != AMQP_AT_FRAMES)
        return;
    send_open(peer);
    peer->blocked = false;
}

void amqp_close(struct amqp_peer *peer, struct slice condition, struct slice description)
{
    if (peer->over)
        return;
    if (peer->phase != AMQP_AT_FRAMES) {
        peer->over = true;
        return;
    }
    send_close(peer, condition, description);
    peer->blocked = peer->has_event = false;
}

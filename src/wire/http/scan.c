// Finds the end of a head, line by line, and refuses what makes readers disagree about where a line ends:
// bare CR, bare LF, folded lines, controls. llhttp 8.1 lets some of these pass (CVE-2023-30589), so it never
// gets to see them.
#include "wire/http/message.h"

// 1 in any line, 2 in header lines only, 0 nowhere (CR and LF are dealt with before).
static uint8_t place_of(uint8_t c)
{
    if (c == '\t' || c >= 0x80)
        return 2;
    return c >= 0x20 && c != 0x7f ? 1 : 0;
}

// The bytes that MQTT and AMQP begin with.
static struct err judge_foreign(struct http_decoder *d, uint8_t c, struct why *why)
{
    if (d->line_len == 0 && c == 0x10)
        return http_refuse(d, 400, why, "this is not HTTP; MQTT begins like this: a wrong port?");
    if (d->line_len == strlen("AMQP") && c <= 3)
        return http_refuse(d, 400, why, "this is not HTTP; AMQP begins like this: a wrong port?");
    return OK;
}

static struct err judge_byte(struct http_decoder *d, uint8_t c, struct why *why)
{
    bool in_line = d->phase == HTTP_PHASE_LINE;
    uint8_t place = place_of(c);
    if (c == '\n')
        return http_refuse(d, 400, why, "a line ends with LF alone (RFC 9112 2.2)");
    if (in_line && place == 0)
        TRY(judge_foreign(d, c, why));
    if (place == 0 || (place == 2 && in_line))
        return http_refuse(d, 400, why, "byte 0x%02x in the %s (RFC 9112 %s)", c,
                           in_line ? "request line" : "header section", in_line ? "3" : "5");
    if (d->line_len == 0 && in_line && !(c >= 'A' && c <= 'Z'))
        return http_refuse(d, 400, why, "this is not HTTP: the first byte is 0x%02x", c);
    if (d->line_len == 0 && (c == ' ' || c == '\t'))
        return http_refuse(d, 400, why, "a header field is folded (RFC 9112 5.2)");
    return OK;
}

// A line is over. *done when it was the blank one after the headers.
static struct err end_line(struct http_decoder *d, bool *done, struct why *why)
{
    bool blank = d->line_len == 0;
    d->line_len = 0;
    if (d->phase != HTTP_PHASE_LINE) {
        *done = blank;
        return OK;
    }
    if (!blank) {
        d->phase = HTTP_PHASE_HEADERS;
        return OK;
    }
    // RFC 9112 2.2: one blank line before the request line is an old client's slip
    if (d->skipped_blank_line)
        return http_refuse(d, 400, why, "blank lines come before the request line (RFC 9112 2.2)");
    d->skipped_blank_line = true;
    return OK;
}

static struct err too_long(struct http_decoder *d, struct why *why)
{
    bool in_line = d->phase == HTTP_PHASE_LINE;
    return http_refuse(d, in_line ? 414 : 431, why, "the %s is longer than %d bytes",
                       in_line ? "request line" : "header section", HTTP_MAX_HEAD);
}

struct err http_scan(struct http_decoder *d, struct slice in, size_t *len, bool *done, struct why *why)
{
    *done = false;
    size_t room = HTTP_MAX_HEAD - d->head.len;
    size_t i = 0;
    for (; i < in.len && !*done; i++) {
        uint8_t c = in.at[i];
        if (i == room)
            return too_long(d, why);
        if (d->phase == HTTP_PHASE_IDLE)
            d->phase = HTTP_PHASE_LINE;
        if (d->cr) {
            if (c != '\n')
                return http_refuse(d, 400, why, "a CR without LF (RFC 9112 2.2)");
            d->cr = false;
            TRY(end_line(d, done, why));
        } else if (c == '\r') {
            d->cr = true;
        } else if (d->line_len > 0 && c >= 0x20 && c < 0x7f) {
            d->line_len++; // nearly all bytes
        } else {
            TRY(judge_byte(d, c, why));
            d->line_len++;
        }
    }
    *len = i;
    return OK;
}

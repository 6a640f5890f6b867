// Builds log lines in a fixed buffer: a line that does not fit is cut at a field, never torn.
#include "base/log.h"

#include "base/instant.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};

#define LOG_AS_NAME(key) [LOG_##key] = #key,
static const char *const key_names[LOG_KEY_COUNT] = {LOG_KEYS(LOG_AS_NAME)};
#undef LOG_AS_NAME

enum { VALUE_MAX = 512, TRACE_MAX_BYTES = 1536, TAIL = 2 };

void log_begin(struct log_line *line, const struct log *log, enum err_level level, const char *event)
{
    line->log = log;
    line->dropped = log == NULL || log->write == NULL || level < log->least;
    if (line->dropped)
        return;
    line->text =
        (struct buf){.at = line->room, .room = sizeof line->room - TAIL, .cap = sizeof line->room - TAIL};
    buf_text(&line->text, "{\"time\":\"");
    instant_format_ms(&line->text, log->now_us != NULL ? log->now_us(log->context) : 0);
    buf_printf(&line->text, "\",\"level\":\"%s\",\"event\":\"%s\"", level_names[level], event);
}

// Bytes of the well-formed UTF-8 character at s (1 to 4) with its code point, or 0.
static size_t character(struct slice s, uint32_t *point)
{
    uint8_t c = s.at[0];
    size_t len = c < 0x80                ? 1
                 : c >= 0xc2 && c < 0xe0 ? 2
                 : c >= 0xe0 && c < 0xf0 ? 3
                 : c >= 0xf0 && c < 0xf5 ? 4
                                         : 0;
    if (len == 0 || len > s.len)
        return 0;
    *point = len == 1 ? c : c & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((s.at[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (s.at[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool surrogate = *point >= 0xd800 && *point < 0xe000;
    return *point < least[len] || *point > 0x10ffff || surrogate ? 0 : len;
}

static bool harmless(uint32_t point)
{
    bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    bool bidi = (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
                (point >= 0x2066 && point <= 0x2069) || point == 0x061c || point == 0xfeff;
    return !control && !bidi;
}

// How many bytes of it stand for themselves, whatever comes after them.
static size_t plain(struct slice value)
{
    size_t len = 0;
    while (len < value.len && value.at[len] >= 0x20 && value.at[len] < 0x7f && value.at[len] != '"' &&
           value.at[len] != '\\')
        len++;
    return len;
}

static void escaped(struct buf *out, struct slice value)
{
    for (;;) {
        size_t as_it_is = plain(value);
        buf_bytes(out, slice_to(value, as_it_is));
        value = slice_from(value, as_it_is);
        if (value.len == 0)
            return;
        uint32_t point = value.at[0];
        size_t len = character(value, &point);
        if (len == 0) {
            point = value.at[0];
            len = 1;
            buf_printf(out, "\\u%04x", point);
        } else if (point == '"' || point == '\\') {
            buf_printf(out, "\\%c", (int)point);
        } else if (!harmless(point)) {
            buf_printf(out, "\\u%04x", point);
        } else {
            buf_bytes(out, slice_to(value, len));
        }
        value = slice_from(value, len);
    }
}

void log_text(struct log_line *line, enum log_key key, struct slice value)
{
    if (line->dropped || value.len == 0)
        return;
    size_t before = line->text.len;
    buf_text(&line->text, ",\"");
    buf_text(&line->text, key_names[key]);
    buf_text(&line->text, "\":\"");
    escaped(&line->text, slice_to(value, key == LOG_trace ? TRACE_MAX_BYTES : VALUE_MAX));
    buf_text(&line->text, "\"");
    if (line->text.broken != 0) {
        line->text.len = before;
        line->text.broken = 0;
    }
}

void log_number(struct log_line *line, enum log_key key, int64_t value)
{
    if (line->dropped)
        return;
    size_t before = line->text.len;
    buf_printf(&line->text, ",\"%s\":%lld", key_names[key], (long long)value);
    if (line->text.broken != 0) {
        line->text.len = before;
        line->text.broken = 0;
    }
}

void log_failure(struct log_line *line, struct err e, const struct why *why)
{
    log_text(line, LOG_error, slice_text(err_info(e)->name));
    if (why != NULL)
        log_text(line, LOG_reason, slice_text(why->text));
}

void log_end(struct log_line *line)
{
    if (line->dropped)
        return;
    line->text.cap += TAIL;
    line->text.room += TAIL;
    buf_text(&line->text, "}\n");
    line->log->write(line->log->context, buf_slice(&line->text));
}

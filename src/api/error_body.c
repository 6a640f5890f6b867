// Errors as JSON.
#include "api/error_body.h"

#include <stdio.h>

#include "base/instant.h"
#include "json/write.h"

struct why error_sentence(struct err e, const struct why *why)
{
    const struct err_info *info = err_info(e);
    bool told =
        info->class == ERR_CLASS_INPUT || info->class == ERR_CLASS_CONFLICT || info->class == ERR_CLASS_BUSY;
    struct why sentence = {0};
    if (told && why != NULL && why->text[0] != '\0')
        (void)snprintf(sentence.text, sizeof sentence.text, "%.100s (%.*s)", info->sentence,
                       (int)(sizeof sentence.text - strlen(info->sentence) - sizeof " ()"), why->text);
    else
        (void)snprintf(sentence.text, sizeof sentence.text, "%s", info->sentence);
    return sentence;
}

static void stamp(char text[40], int64_t now_us)
{
    struct buf out = {.at = (uint8_t *)text, .room = 39, .cap = 39};
    instant_format(&out, now_us);
    text[out.len] = '\0';
}

void error_body_write(struct buf *out, struct err e, const struct why *why, struct slice tracking_id,
                      int64_t now_us)
{
    error_body_write_numbered(out, err_info(e)->number, e, why, tracking_id, now_us);
}

void error_body_write_numbered(struct buf *out, uint32_t number, struct err e, const struct why *why,
                               struct slice tracking_id, int64_t now_us)
{
    struct why sentence = error_sentence(e, why);
    char now[40];
    stamp(now, now_us);
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    json_field_number(&w, "errorCode", number);
    json_field_text(&w, "trackingId", tracking_id);
    json_field_text(&w, "message", slice_text(sentence.text));
    json_field_text(&w, "timestampUtc", slice_text(now));
    json_object_close(&w);
}

void error_body_write_as_hub(struct buf *out, struct err e, const struct why *why, struct slice tracking_id,
                             int64_t now_us)
{
    struct why sentence = error_sentence(e, why);
    char now[40];
    char text[400];
    stamp(now, now_us);
    // clients split Message at ';' and ':', so that the sentence must hold neither
    for (char *c = sentence.text; *c != '\0'; c++)
        *c = *c == ';' || *c == ':' ? ',' : *c;
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    (void)snprintf(text, sizeof text, "ErrorCode:%s;%s", err_info(e)->name, sentence.text);
    json_field_text(&w, "Message", slice_text(text));
    (void)snprintf(text, sizeof text, "Tracking ID:%.*s-TimeStamp:%s", SLICE_ARG(tracking_id), now);
    json_field_text(&w, "ExceptionMessage", slice_text(text));
    json_object_close(&w);
}

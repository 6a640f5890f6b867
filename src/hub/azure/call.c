// The steps of one call: create the identity, adopt the one that is there, set the twin, remove (service-api
// H.3). Each may be repeated after an unknown outcome and ends in the same state.
#include "base/text.h"
#include "hub/azure/internal.h"
#include "hub/azure/message.h"

enum { READS_MAX = 3, ERROR_TEXT_MAX = 1024 };

#define API_VERSION "?api-version=2021-04-12"

static const char *const methods[] = {
    [AZURE_CREATE] = "PUT", [AZURE_READ] = "GET",      [AZURE_UPDATE] = "PUT",
    [AZURE_TWIN] = "PUT",   [AZURE_REMOVE] = "DELETE",
};

static void end(struct azure_call *call, enum err_code code, int64_t retry_after_ms, enum azure_health health)
{
    azure_call_end(call, (struct azure_result){FAIL(code), retry_after_ms, health});
}

// --- asking
// ------------------------------------------------------------------------------------------------------------

static int64_t left_ms(const struct azure_call *call)
{
    return (call->expires_us - azure_now_us(call->hub->azure)) / 1000;
}

static struct err fill_body(struct azure_call *call)
{
    const struct hub_request *request = call->request;
    struct outbound_transfer *t = call->transfer;
    struct why *why = &call->request->why;
    uint8_t room[160];
    struct buf etag = {.at = room, .room = sizeof room, .cap = sizeof room};
    switch (call->step) {
    case AZURE_CREATE:
        return azure_identity_create(&t->body, &request->identity);
    case AZURE_UPDATE:
        // The etag and not `*`: what an operator changes meanwhile, such as the status, is not overwritten
        // (threats F9).
        TRY(azure_identity_adopt(buf_slice(&t->answer), &request->identity, &t->body, &etag, why));
        buf_printf(&t->if_match, "If-Match: \"%.*s\"", (int)(etag.len > 0 ? etag.len : 1),
                   etag.len > 0 ? (const char *)etag.at : "*");
        return OK;
    case AZURE_TWIN:
        buf_text(&t->if_match, "If-Match: \"*\"");
        return azure_twin_write(&t->body, request->identity.device_id, request->twin, why);
    case AZURE_REMOVE:
        buf_text(&t->if_match, "If-Match: \"*\"");
        return OK;
    case AZURE_READ:
    default:
        return OK;
    }
}

static struct err ask(struct azure_call *call)
{
    const struct hub_request *request = call->request;
    struct outbound_transfer *t = call->transfer;
    outbound_transfer_clear(t);
    buf_printf(&t->url, "https://%s/%s/", call->hub->host, call->step == AZURE_TWIN ? "twins" : "devices");
    percent_encode(&t->url, request->identity.device_id);
    buf_text(&t->url, API_VERSION);
    buf_text(&t->authorization, "Authorization: ");
    TRY(azure_token_append(&call->hub->token, request->hub, request->now_us, &t->authorization));
    TRY(fill_body(call));
    return outbound_transfer_start(t, methods[call->step], call->step_ms);
}

static void begin(struct azure_call *call, enum azure_step step)
{
    call->step = step;
    call->step_ms = left_ms(call);
    if (call->step_ms <= 0) {
        (void)!failed(why_fail(&call->request->why, ERR_HUB_UNAVAILABLE,
                               "%s: out of time before the call was over", call->hub->host));
        return end(call, ERR_HUB_UNAVAILABLE, 0, AZURE_UNKNOWN);
    }
    struct err e = ask(call);
    if (!failed(e))
        return;
    if (e.code == ERR_HUB_UNAVAILABLE) // the hub's answer, which the step is made from, makes no sense
        return end(call, ERR_HUB_UNAVAILABLE, 0, AZURE_SICK);
    if (e.code == ERR_HUB_REFUSED)
        return end(call, ERR_HUB_REFUSED, 0, AZURE_HEALTHY);
    if (e.code == ERR_CAPPED) {
        (void)!failed(
            why_fail(&call->request->why, e.code, "what would be sent to %s is too long", call->hub->host));
        return end(call, ERR_HUB_REFUSED, 0, AZURE_UNKNOWN);
    }
    (void)!failed(why_fail(&call->request->why, e.code, "%s cannot be called: %s", call->hub->host,
                           err_info(e)->sentence));
    end(call, ERR_HUB_UNAVAILABLE, 0, AZURE_UNKNOWN);
}

// --- what an answer means
// --------------------------------------------------------------------------------------------------------------

// No answer: whether the hub did what it was asked nobody knows, so it is always retryable (invariant I11).
static void unanswered(struct azure_call *call)
{
    const struct outbound_transfer *t = call->transfer;
    const char *host = call->hub->host;
    struct why *why = &call->request->why;
    enum azure_health health = AZURE_SICK;
    struct err e = FAIL(ERR_HUB_UNAVAILABLE);
    switch (t->end) {
    case OUTBOUND_END_UNTRUSTED:
        e = why_fail(why, e.code, "the certificate of %s is not accepted, nothing was sent: %s", host,
                     t->detail);
        break;
    case OUTBOUND_END_TIMED_OUT:
        e = why_fail(why, e.code, "%s did not answer in time: %s", host, t->detail);
        // one that waited for most of its time says more about the crowd than about the hub
        if (call->step_ms * 2 < call->request->deadline_ms)
            health = AZURE_UNKNOWN;
        break;
    case OUTBOUND_END_TOO_LONG:
        e = why_fail(why, e.code, "%s answered with more than %d bytes", host, OUTBOUND_ANSWER_MAX);
        break;
    case OUTBOUND_END_NO_MEMORY:
        e = why_fail(why, e.code, "out of memory while calling %s", host);
        health = AZURE_UNKNOWN;
        break;
    case OUTBOUND_END_ANSWERED:
    case OUTBOUND_END_FORBIDDEN: // hubs have no rules of their own
    case OUTBOUND_END_BROKEN:
    default:
        e = why_fail(why, e.code, "%s cannot be reached: %s", host, t->detail);
    }
    end(call, e.code, 0, health);
}

// An answer that is no success and no part of the steps.
static void turned_down(struct azure_call *call)
{
    struct outbound_transfer *t = call->transfer;
    bool unauthorized = t->status == 401 || t->status == 403;
    uint8_t room[ERROR_TEXT_MAX];
    struct buf said = {.at = room, .room = sizeof room, .cap = sizeof room};
    struct slice text = azure_error_text(buf_slice(&t->answer), unauthorized, call->request, &said);
    struct why *why = &call->request->why;
    // 400209 carries the hub's own words and nothing else (service-api A.6)
    if (unauthorized && text.len > 0)
        return end(call, why_fail(why, ERR_HUB_UNAUTHORIZED, "%.*s", SLICE_ARG(text)).code, 0, AZURE_HEALTHY);
    enum err_code code = ERR_HUB_REFUSED;
    if (unauthorized)
        code = ERR_HUB_UNAUTHORIZED;
    else if (t->status >= 500 || t->status == 429 || t->status == 408)
        code = ERR_HUB_UNAVAILABLE;
    (void)!failed(why_fail(why, code, "%s answered %ld%s%.*s", call->hub->host, t->status,
                           text.len > 0 ? ": " : "", SLICE_ARG(text)));
    end(call, code, code == ERR_HUB_UNAVAILABLE ? t->retry_after_ms : 0,
        t->status >= 500 ? AZURE_SICK : AZURE_HEALTHY);
}

static void moved_on(struct azure_call *call)
{
    (void)!failed(why_fail(&call->request->why, ERR_HUB_UNAVAILABLE,
                           "%s: somebody else changes the same device at the same time", call->hub->host));
    end(call, ERR_HUB_UNAVAILABLE, 0, AZURE_HEALTHY);
}

static void identity_stands(struct azure_call *call)
{
    struct hub_request *request = call->request;
    struct err e =
        azure_identity_check(buf_slice(&call->transfer->answer), &request->identity, &request->why);
    if (failed(e))
        return end(call, e.code, 0, e.code == ERR_HUB_UNAVAILABLE ? AZURE_SICK : AZURE_HEALTHY);
    if (request->twin_how != HUB_TWIN_KEEP)
        return begin(call, AZURE_TWIN);
    end(call, ERR_NONE, 0, AZURE_HEALTHY);
}

static void twin_stands(struct azure_call *call)
{
    struct hub_request *request = call->request;
    struct err e =
        azure_twin_check(buf_slice(&call->transfer->answer), request->identity.device_id, &request->why);
    end(call, e.code, 0, e.code == ERR_HUB_UNAVAILABLE ? AZURE_SICK : AZURE_HEALTHY);
}

static void read_to_adopt(struct azure_call *call)
{
    if (++call->reads > READS_MAX)
        return moved_on(call);
    begin(call, AZURE_READ);
}

static void ended(struct outbound_transfer *t)
{
    struct azure_call *call = t->context;
    if (t->end != OUTBOUND_END_ANSWERED)
        return unanswered(call);
    bool good = t->status >= 200 && t->status < 300;
    bool moved = t->status == 404 || t->status == 409 || t->status == 412;
    call->request->left_there |= good && (call->step == AZURE_CREATE || call->step == AZURE_UPDATE);
    switch (call->step) {
    case AZURE_CREATE:
        if (t->status == 409)
            return read_to_adopt(call);
        return good ? identity_stands(call) : turned_down(call);
    case AZURE_READ:
        if (good)
            return begin(call, AZURE_UPDATE);
        return t->status == 404 ? moved_on(call) : turned_down(call);
    case AZURE_UPDATE:
        if (moved)
            return read_to_adopt(call);
        return good ? identity_stands(call) : turned_down(call);
    case AZURE_TWIN:
        if (moved)
            return moved_on(call);
        return good ? twin_stands(call) : turned_down(call);
    case AZURE_REMOVE:
    default:
        if (good || t->status == 404)
            return end(call, ERR_NONE, 0, AZURE_HEALTHY);
        return t->status == 409 || t->status == 412 ? moved_on(call) : turned_down(call);
    }
}

void azure_call_begin(struct azure_call *call)
{
    call->transfer->done = ended;
    call->transfer->context = call;
    begin(call, call->request->verb == HUB_REMOVE ? AZURE_REMOVE : AZURE_CREATE);
}

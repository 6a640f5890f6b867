// The steps of one call (service-api H.3): create the identity, or adopt the one that is there, or remove it
// and make another; bring the twin; remove; read. All of them may be repeated after an unknown outcome, from
// the first, and end in the same state.
#include "base/text.h"
#include "hub/azure/internal.h"
#include "hub/azure/message.h"
#include "hub/azure/twin.h"

enum { READS_MAX = 3, ERROR_TEXT_MAX = 1024 };

#define API_VERSION "?api-version=2021-04-12"

static const char *const methods[] = {
    [AZURE_CREATE] = "PUT",    [AZURE_READ] = "GET", [AZURE_UPDATE] = "PUT", [AZURE_REMOVE] = "DELETE",
    [AZURE_REPORTED] = "POST", [AZURE_TWIN] = "PUT", [AZURE_TELL] = "GET",
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

// What is there and what was read are the same thing, or the hub says 412.
static void match_etag(const struct azure_call *call)
{
    buf_printf(&call->transfer->if_match, "If-Match: \"%s\"", call->etag[0] != '\0' ? call->etag : "*");
}

static struct err fill_body(struct azure_call *call)
{
    const struct hub_request *request = call->request;
    struct outbound_transfer *t = call->transfer;
    struct why *why = &call->request->why;
    switch (call->step) {
    case AZURE_CREATE:
        if (call->body.len == 0)
            return azure_identity_create(&t->body, &request->identity);
        buf_bytes(&t->body, buf_slice(&call->body));
        return OK;
    case AZURE_UPDATE:
        // The etag and not `*`: what an operator changes meanwhile, such as the status, is not overwritten
        // (threats F9).
        match_etag(call);
        buf_bytes(&t->body, buf_slice(&call->body));
        return OK;
    case AZURE_REMOVE:
        match_etag(call);
        return OK;
    case AZURE_REPORTED:
        return azure_reported_write(&t->body, request->identity.device_id, request->reported, why);
    case AZURE_TWIN:
        buf_text(&t->if_match, "If-Match: \"*\"");
        return azure_twin_write(&t->body, request->identity.device_id, request->twin, why);
    case AZURE_READ:
    case AZURE_TELL:
    default:
        return OK;
    }
}

static struct err ask(struct azure_call *call)
{
    const struct hub_request *request = call->request;
    struct azure_hub *hub = call->hub;
    struct outbound_transfer *t = call->transfer;
    bool twin = call->step == AZURE_TWIN || call->step == AZURE_TELL;
    outbound_transfer_clear(t);
    buf_printf(&t->url, "https://%s/%s", hub->host, twin ? "twins" : "devices");
    if (call->step != AZURE_REPORTED) {
        buf_u8(&t->url, '/');
        percent_encode(&t->url, request->identity.device_id);
    }
    buf_text(&t->url, API_VERSION);
    buf_text(&t->authorization, "Authorization: ");
    call->second = call->account->second && request->hub->policy_key_secondary.len > 0;
    TRY(azure_token_append(&call->account->token, request->hub,
                           call->second ? &request->hub->policy_key_secondary : &request->hub->policy_key,
                           request->now_us, &t->authorization));
    TRY(fill_body(call));
    if (!twin) // twins have limits of their own, which are far away
        azure_pace_take(&call->account->pace);
    return outbound_transfer_start(t, methods[call->step], call->step_ms);
}

// A step cannot be made.
static void cannot(struct azure_call *call, struct err e)
{
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
    if (failed(e))
        cannot(call, e);
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
        e = why_fail(why, e.code, "%s answered with more than %d bytes", host, AZURE_ANSWER_MAX);
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

// --- the steps
// --------------------------------------------------------------------------------------------------------------

static void identity_stands(struct azure_call *call)
{
    struct hub_request *request = call->request;
    struct err e =
        azure_identity_check(buf_slice(&call->transfer->answer), &request->identity, &request->why);
    if (failed(e))
        return end(call, e.code, 0, e.code == ERR_HUB_UNAVAILABLE ? AZURE_SICK : AZURE_HEALTHY);
    if (request->twin_how == HUB_TWIN_KEEP)
        return end(call, ERR_NONE, 0, AZURE_HEALTHY);
    // reported properties first: the answer to the other half shows whether they stand
    bool reported = request->twin_how == HUB_TWIN_IMPORT && azure_reported_any(request->reported);
    begin(call, reported ? AZURE_REPORTED : AZURE_TWIN);
}

// No reason to leave the device where it is: it reports anew at its new hub.
static void not_taken(struct azure_call *call, struct slice text)
{
    struct log_line line;
    struct why *why = &call->request->why;
    call->lossy = true;
    (void)!failed(why_fail(why, ERR_HUB_REFUSED, "%s did not take the reported properties%s%.*s",
                           call->hub->host, text.len > 0 ? ": " : "", SLICE_ARG(text)));
    log_begin(&line, call->hub->azure->settings.log, ERR_LEVEL_WARN, "hub.reported_not_taken");
    log_text(&line, LOG_hub, slice_text(call->hub->host));
    log_text(&line, LOG_deviceId, call->request->identity.device_id);
    log_failure(&line, FAIL(ERR_HUB_REFUSED), why);
    log_end(&line);
}

static void reported_answered(struct azure_call *call, bool good)
{
    const struct outbound_transfer *t = call->transfer;
    uint8_t room[ERROR_TEXT_MAX];
    struct buf said = {.at = room, .room = sizeof room, .cap = sizeof room};
    bool other =
        t->status >= 500 || t->status == 401 || t->status == 403 || t->status == 408 || t->status == 429;
    if (!good && other)
        return turned_down(call);
    if (!good || !azure_reported_taken(buf_slice(&t->answer)))
        not_taken(call, azure_error_text(buf_slice(&t->answer), false, call->request, &said));
    begin(call, AZURE_TWIN);
}

static void twin_stands(struct azure_call *call)
{
    struct hub_request *request = call->request;
    bool import = request->twin_how == HUB_TWIN_IMPORT && !call->lossy;
    bool stands = true;
    struct err e = azure_twin_check(buf_slice(&call->transfer->answer), request->identity.device_id,
                                    import ? request->reported : (struct slice){0}, &stands, &request->why);
    if (!failed(e) && !stands)
        not_taken(call, SLICE("it said that it did"));
    end(call, e.code, 0, e.code == ERR_HUB_UNAVAILABLE ? AZURE_SICK : AZURE_HEALTHY);
}

static void read_again(struct azure_call *call)
{
    if (++call->reads > READS_MAX)
        return moved_on(call);
    begin(call, AZURE_READ);
}

// The identity that is there is changed, or another is made in its place.
static void identity_was_read(struct azure_call *call)
{
    struct hub_request *request = call->request;
    struct slice answer = buf_slice(&call->transfer->answer);
    struct buf etag = {.at = (uint8_t *)call->etag, .room = AZURE_ETAG_MAX, .cap = AZURE_ETAG_MAX};
    if (call->body.len > 0)
        bytes_wipe(call->body.at, call->body.len);
    buf_clear(&call->body);
    struct err e = call->renews
                       ? azure_identity_renew(answer, &request->identity, &call->body, &etag, &request->why)
                       : azure_identity_adopt(answer, &request->identity, &call->body, &etag, &request->why);
    call->etag[failed(e) ? 0 : etag.len] = '\0';
    if (failed(e))
        return cannot(call, e);
    begin(call, call->renews ? AZURE_REMOVE : AZURE_UPDATE);
}

static void removed(struct azure_call *call)
{
    if (!call->renews)
        return end(call, ERR_NONE, 0, AZURE_HEALTHY);
    // The old identity is gone and the new one not there yet: should it be refused now, the record must go on
    // naming this hub as where the device is on its way to, for nobody else knows that it is nowhere.
    call->request->left_there = true;
    begin(call, AZURE_CREATE);
}

// A 404 that is not about the device: of a gateway, or of a hub that is being moved. The device may well be
// there.
static void not_found(struct azure_call *call)
{
    (void)!failed(why_fail(&call->request->why, ERR_HUB_UNAVAILABLE,
                           "%s answered 404, but not that there is no such device", call->hub->host));
    end(call, ERR_HUB_UNAVAILABLE, call->transfer->retry_after_ms, AZURE_SICK);
}

static void told(struct azure_call *call)
{
    struct err e = azure_twin_tell(buf_slice(&call->transfer->answer), call->request);
    if (failed(e))
        return cannot(call, e);
    end(call, ERR_NONE, 0, AZURE_HEALTHY);
}

static void answered(struct azure_call *call, bool good)
{
    struct outbound_transfer *t = call->transfer;
    bool moved = t->status == 404 || t->status == 409 || t->status == 412;
    switch (call->step) {
    case AZURE_CREATE:
        if (t->status == 409)
            return read_again(call);
        return good ? identity_stands(call) : turned_down(call);
    case AZURE_READ:
        if (good)
            return identity_was_read(call);
        if (t->status == 404 && call->renews)
            return begin(call, AZURE_CREATE);
        return t->status == 404 ? moved_on(call) : turned_down(call);
    case AZURE_UPDATE:
        if (moved)
            return read_again(call);
        return good ? identity_stands(call) : turned_down(call);
    case AZURE_REPORTED:
        return reported_answered(call, good);
    case AZURE_TWIN:
        if (moved)
            return moved_on(call);
        return good ? twin_stands(call) : turned_down(call);
    case AZURE_TELL:
        if (t->status == 404 && azure_error_is_absent(buf_slice(&t->answer)))
            return end(call, ERR_NONE, 0, AZURE_HEALTHY);
        return good ? told(call) : turned_down(call);
    case AZURE_REMOVE:
    default:
        if (good || (t->status == 404 && azure_error_is_absent(buf_slice(&t->answer))))
            return removed(call);
        if (t->status == 404)
            return not_found(call);
        if (t->status != 409 && t->status != 412)
            return turned_down(call);
        return call->renews ? read_again(call) : moved_on(call);
    }
}

static void ended(struct outbound_transfer *t)
{
    struct azure_call *call = t->context;
    if (t->end != OUTBOUND_END_ANSWERED)
        return unanswered(call);
    if (t->status == 401 && azure_hub_other_key(call))
        return begin(call, call->step); // what the step is made of is kept
    bool good = t->status >= 200 && t->status < 300;
    call->request->left_there |= good && (call->step == AZURE_CREATE || call->step == AZURE_UPDATE);
    answered(call, good);
}

void azure_call_begin(struct azure_call *call)
{
    call->transfer->done = ended;
    call->transfer->context = call;
    switch (call->request->verb) {
    case HUB_REMOVE:
        return begin(call, AZURE_REMOVE);
    case HUB_READ:
        call->request->found = false;
        return begin(call, AZURE_TELL);
    case HUB_ASSIGN:
    default:
        return begin(call, call->renews ? AZURE_READ : AZURE_CREATE);
    }
}

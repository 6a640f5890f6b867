// One question: what is sent, which addresses it may go to, and what came of it in words for whoever owns the
// function (service-api C.3). What an answer says is read by domain/custom.h.
#include <netinet/in.h>
#include <sys/socket.h>

#include "webhook/internal.h"

// --- where to
// -----------------------------------------------------------------------------------------------------------

bool webhook_may_connect(struct outbound_transfer *transfer, const struct sockaddr *address)
{
    struct webhook_call *call = transfer->context;
    const struct guard *guard = &call->host->caller->settings.guard;
    struct ip to = {0};
    uint16_t port = 0;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof four);
        to = ip_from_v4((const uint8_t *)&four.sin_addr);
        port = ntohs(four.sin_port);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, address, sizeof six);
        memcpy(to.at, &six.sin6_addr, sizeof to.at);
        port = ntohs(six.sin6_port);
    } else {
        call->refused = "no internet address";
        return false;
    }
    const char *what = guard_port(guard, port) ? guard_refuses(guard, &to) : "a port that is not listed";
    if (what != NULL)
        call->refused = what;
    return what == NULL;
}

// --- what came of it
// -----------------------------------------------------------------------------------------------------------

static void unanswered(struct webhook_call *call)
{
    const struct outbound_transfer *t = call->transfer;
    const char *host = call->host->name;
    struct why *why = &call->request->why;
    enum webhook_health health = WEBHOOK_SICK;
    struct err e = FAIL(ERR_WEBHOOK);
    switch (t->end) {
    case OUTBOUND_END_UNTRUSTED:
        e = why_fail(why, e.code, "the certificate of the webhook %s is not accepted, nothing was sent: %s",
                     host, t->detail);
        break;
    case OUTBOUND_END_FORBIDDEN:
        e = why_fail(why, e.code,
                     "the webhook %s leads to %s, which is not called unless webhook.allowAddresses has it",
                     host, call->refused != NULL ? call->refused : "an address");
        health = WEBHOOK_UNKNOWN;
        break;
    case OUTBOUND_END_TIMED_OUT:
        e = why_fail(why, e.code, "the webhook %s did not answer within %lld ms", host,
                     (long long)call->request->deadline_ms);
        // one that waited for most of its time says more about the crowd than about the host
        if (call->given_ms * 2 < call->request->deadline_ms)
            health = WEBHOOK_UNKNOWN;
        break;
    case OUTBOUND_END_TOO_LONG:
        e = why_fail(why, e.code, "the webhook %s answered with more than %d bytes", host,
                     WEBHOOK_ANSWER_MAX);
        health = WEBHOOK_HEALTHY;
        break;
    case OUTBOUND_END_NO_MEMORY:
        // curl says so too of a header line beyond all bounds
        e = why_fail(why, e.code, "the webhook %s could not be asked: no memory for what it sends", host);
        health = WEBHOOK_UNKNOWN;
        break;
    case OUTBOUND_END_ANSWERED:
    case OUTBOUND_END_BROKEN:
    default:
        e = why_fail(why, e.code, "the webhook %s could not be asked: %s", host, t->detail);
    }
    webhook_call_end(call, e, health);
}

static void answered(struct webhook_call *call)
{
    const struct outbound_transfer *t = call->transfer;
    struct webhook_request *request = call->request;
    request->status = t->status;
    if (t->status < 200 || t->status > 299) {
        // These words exactly, which Azure says (service-api C.3). Of what fails in front of a function, and
        // not in it, the host is sick.
        bool sick = t->status >= 502 && t->status <= 504;
        struct err e =
            why_fail(&request->why, ERR_WEBHOOK, "Custom allocation failed with status code: %ld", t->status);
        return webhook_call_end(call, e, sick ? WEBHOOK_SICK : WEBHOOK_HEALTHY);
    }
    struct err e = arena_copy(request->arena, buf_slice(&t->answer), &request->answer);
    if (failed(e))
        e = why_fail(&request->why, ERR_WEBHOOK, "out of memory for the answer of the webhook %s",
                     call->host->name);
    webhook_call_end(call, e, WEBHOOK_HEALTHY);
}

static void ended(struct outbound_transfer *transfer)
{
    struct webhook_call *call = transfer->context;
    if (transfer->end == OUTBOUND_END_ANSWERED)
        answered(call);
    else
        unanswered(call);
}

// --- asking
// -----------------------------------------------------------------------------------------------------------

// A header's value must not end its line.
static bool one_word(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] <= ' ' || text.at[i] >= 0x7f)
            return false;
    }
    return text.len > 0;
}

void webhook_call_begin(struct webhook_call *call)
{
    struct outbound_transfer *t = call->transfer;
    struct webhook_request *request = call->request;
    t->done = ended;
    t->context = call;
    call->given_ms = (call->expires_us - webhook_now_us(call->host->caller)) / 1000;
    if (call->given_ms <= 0)
        return webhook_call_end(call,
                                why_fail(&request->why, ERR_WEBHOOK,
                                         "out of time before the webhook %s could be asked",
                                         call->host->name),
                                WEBHOOK_UNKNOWN);
    outbound_transfer_clear(t);
    buf_bytes(&t->url, request->url);
    buf_bytes(&t->body, request->body);
    if (one_word(request->traceparent)) {
        buf_text(&t->extra, "traceparent: ");
        buf_bytes(&t->extra, request->traceparent);
    }
    struct err e = outbound_transfer_start(t, "POST", call->given_ms);
    if (failed(e))
        webhook_call_end(call,
                         why_fail(&request->why, ERR_WEBHOOK, "the webhook %s cannot be called: %s",
                                  call->host->name, err_info(e)->sentence),
                         WEBHOOK_UNKNOWN);
}

// POST /twins/{id}/methods: checks the call, sends it to the device's loop, waits for answer or time-out.
#include "embedded/methods.h"

#include <stdlib.h>

#include "embedded/call.h"

enum {
    METHOD_NAME_MAX = 100,
    METHOD_PAYLOAD_MAX = 128 * 1024,
    TIMEOUT_MIN_S = 5,
    TIMEOUT_MAX_S = 300,
    TIMEOUT_S = 30
};

struct method_call {
    struct list links; // of embedded.methods
    struct call *call;
    uint64_t number;
    struct poll_timer timer;
};

static void forget(struct method_call *m)
{
    struct embedded *e = m->call->embedded;
    list_remove(&m->links);
    e->method_count--;
    poller_timer_release(e->settings.poller, &m->timer);
    free(m);
}

static void fail(struct method_call *m, struct err e, const struct why *why)
{
    struct call *call = m->call;
    forget(m);
    call_refuse(call, e, why);
}

static void timed_out(struct poll_timer *timer)
{
    struct why why = {"the method was sent to the device and not answered"};
    fail(timer->context, FAIL(ERR_HUB_DEVICE_TIMEOUT), &why);
}

static void succeed(struct method_call *m, int64_t status, struct slice payload)
{
    struct call *call = m->call;
    struct json_doc doc = {0};
    struct why why = {0};
    struct json_limits limits = {.bytes = METHOD_PAYLOAD_MAX, .depth = JSON_DEPTH_MAX};
    if (!slice_empty(payload) && failed(json_read(payload, limits, &doc, NULL))) {
        fail(m, why_fail(&why, ERR_HUB_FORMAT, "the device's answer is no JSON"), &why);
        return;
    }
    struct json_writer w;
    json_begin(&w, &call->x->body);
    json_object_open(&w);
    json_field_number(&w, "status", status);
    json_field_node(&w, "payload", json_root(&doc));
    json_object_close(&w);
    json_doc_release(&doc);
    forget(m);
    call_answer(call, 200, NULL);
}

// The device named in the note must be the one that was asked: its loop says so, not the device.
void methods_result(struct embedded *e, const struct note *note)
{
    LIST_EACH (at, &e->methods) {
        struct method_call *m = CONTAINER_OF(at, struct method_call, links);
        if (m->number != note->method || !slice_equal(m->call->id, note->device) ||
            !slice_equal(m->call->hub->host, note->hub))
            continue;
        if (failed(note->error))
            fail(m, note->error, NULL);
        else
            succeed(m, note->status, note->body);
        return;
    }
}

void methods_offline(struct embedded *e, const struct note *invoked)
{
    struct note note = {.kind = NOTE_METHOD_RESULT,
                        .hub = invoked->hub,
                        .device = invoked->device,
                        .method = invoked->method,
                        .error = FAIL(ERR_HUB_DEVICE_OFFLINE)};
    (void)note_send(e, invoked->from, &note); // lost: the caller's time-out answers
}

void methods_fail_all(struct embedded *e, struct err error)
{
    LIST_EACH (at, &e->methods) {
        fail(CONTAINER_OF(at, struct method_call, links), error, NULL);
    }
}

// ---- the call -----------------------------------------------------------------------------------
struct invocation {
    struct slice name;
    int64_t timeout_s;
    struct buf payload;
};

static struct err name_check(const struct json_in *in, struct slice name, struct why *why)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        if (c <= ' ' || c >= 0x7f || c == '/' || c == '+' || c == '#' || c == '?')
            return json_refuse(in, "methodName", why, "must be printable ASCII without blanks, / + # and ?");
    }
    return slice_empty(name) ? json_refuse(in, "methodName", why, "is empty") : OK;
}

static struct err invocation_read(const struct json *body, struct invocation *out, struct why *why)
{
    struct json_in in;
    out->timeout_s = TIMEOUT_S;
    TRY(json_in_root(body, "the body", &in, why));
    TRY(json_want_string(&in, "methodName", JSON_REQUIRED, METHOD_NAME_MAX, &out->name, why));
    TRY(name_check(&in, out->name, why));
    TRY(json_want_int(&in, "responseTimeoutInSeconds", JSON_OPTIONAL, TIMEOUT_MIN_S, TIMEOUT_MAX_S,
                      &out->timeout_s, why));
    const struct json *payload = json_get(body, "payload");
    if (payload == NULL)
        return OK;
    struct json_writer w;
    json_begin(&w, &out->payload);
    json_node(&w, payload);
    return buf_err(&out->payload);
}

static struct err wait_for_answer(struct call *call, int64_t timeout_s, struct method_call **out,
                                  struct why *why)
{
    struct embedded *e = call->embedded;
    if (e->method_count >= EMBEDDED_METHODS_MAX)
        return why_fail(why, ERR_OVERLOADED, "%zu method calls are under way", e->method_count);
    struct method_call *m = calloc(1, sizeof *m);
    if (m == NULL)
        return FAIL(ERR_NO_MEMORY);
    m->call = call;
    m->number = ++e->last_method * METHOD_LOOPS_MAX + e->settings.index;
    m->timer = (struct poll_timer){.fire = timed_out, .context = m};
    if (failed(poller_timer_start(e->settings.poller, &m->timer, timeout_s * 1000))) {
        free(m);
        return FAIL(ERR_NO_MEMORY);
    }
    list_append(&e->methods, &m->links);
    e->method_count++;
    *out = m;
    return OK;
}

static struct err invoke(struct call *call, const struct invocation *invocation, struct why *why)
{
    struct embedded *e = call->embedded;
    struct method_call *m = NULL;
    const struct presence *presence = presence_find(e, call->hub->host, call->id);
    if (presence == NULL)
        return FAIL(ERR_HUB_DEVICE_OFFLINE);
    TRY(wait_for_answer(call, invocation->timeout_s, &m, why));
    struct note note = {
        .kind = NOTE_METHOD,
        .hub = call->hub->host,
        .device = call->id,
        .text = invocation->name,
        .body = buf_slice(&invocation->payload),
        .method = m->number,
        .deadline_us = clock_monotonic_us(e->settings.clock) + invocation->timeout_s * 1000000,
    };
    if (note_send(e, presence->loop, &note))
        return OK;
    forget(m);
    return FAIL(ERR_NO_MEMORY);
}

// A device that the hub does not know is not the same as one that is not connected.
static void device_read_for_method(struct store_request *request)
{
    struct call *call = request->context;
    struct why why = request->why;
    struct invocation invocation = {.payload = buf_capped(METHOD_PAYLOAD_MAX)};
    struct err e = request->result;
    if (!failed(e) && call->embedded->stopping)
        e = FAIL(ERR_STOPPING);
    if (!failed(e))
        e = invocation_read(json_root(&call->body), &invocation, &why);
    if (!failed(e))
        e = invoke(call, &invocation, &why);
    buf_release(&invocation.payload);
    if (failed(e))
        call_refuse(call, e, &why);
}

void method_invoke(struct call *call)
{
    call_read_device(call, device_read_for_method);
}

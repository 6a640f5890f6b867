// A decision without a device.
#include "domain/preview.h"

#include "domain/match.h"

// What the device would be told, as opposed to what kept us from finding out.
static bool is_an_answer(struct err e)
{
    return e.code == ERR_ENROLLMENT_NOT_FOUND || e.code == ERR_ENROLLMENT_DISABLED || e.code == ERR_NO_HUB ||
           e.code == ERR_WEBHOOK;
}

struct err decide_preview(const struct admission *admission, struct arena *arena, struct preview *out,
                          struct trace *trace)
{
    struct decision decision = {0};
    *out = (struct preview){0};
    INVARIANT(admission->prior != NULL);
    struct err e = match_former(admission, &decision, trace, arena, &out->why);
    if (!failed(e))
        e = decide_plan(admission, arena, &decision, trace, &out->why);
    if (failed(e) && !is_an_answer(e))
        return e;
    if (failed(e)) {
        out->end = PREVIEW_REFUSED;
        return OK;
    }
    if (decision.ask) {
        out->end = PREVIEW_UNKNOWN;
        return OK;
    }
    bool there = slice_equal_nocase(admission->prior->assigned_hub, decision.hub->host);
    out->end = there ? PREVIEW_STAYS : PREVIEW_MOVES;
    out->hub = decision.hub;
    return OK;
}

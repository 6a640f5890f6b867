// Proof of possession: whoever uploads a CA certificate shows that its key is theirs, by signing a
// certificate whose common name is a code that only they were told (service-api E.1, threats B17).
#include "api/control/work.h"

#include "crypto/certificate.h"
#include "crypto/possession.h"

struct err proof_make_code(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    uint8_t random[POSSESSION_CODE_SIZE];
    TRY(certificate_loaded_required(call));
    c->record = *c->stored;
    random_fill_from(call->area->random, random, sizeof random);
    ca_certificate_make_code(&c->record, random, clock_wall_us(call->area->clock));
    bytes_wipe(random, sizeof random);
    return certificate_save(call, "certificate.code_made", NULL);
}

// The only answer that shows the code.
struct err proof_code_made(struct call *call)
{
    bool again = false;
    TRY(certificate_saved(call, &again));
    return again ? OK : certificate_answer(call, true);
}

// Somebody may be trying: each failure has its line, whatever the rate.
static struct err refused(struct call *call, struct err e)
{
    struct log_line line;
    call_log_begin(call, &line, ERR_LEVEL_WARN, "certificate.proof_refused", LOG_certificate,
                   certificate_of(call)->stored->name);
    log_failure(&line, e, &call->why);
    log_end(&line);
    call->x->logged = true;
    return e;
}

struct err proof_verify(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    struct slice proof = {0};
    struct json_in in;
    TRY(json_in_root(json_root(&call->body), "the body", &in, &call->why));
    TRY(json_want_string(&in, "certificate", JSON_REQUIRED, CERTIFICATE_TEXT_MAX, &proof, &call->why));
    TRY(certificate_loaded_required(call));
    c->record = *c->stored;
    struct err e =
        ca_certificate_prove(&c->record, &call->scratch, proof, clock_wall_us(call->area->clock), &call->why);
    if (failed(e))
        return refused(call, e);
    return certificate_save(call, "certificate.verified", NULL);
}

struct err proof_verified(struct call *call)
{
    bool again = false;
    TRY(certificate_saved(call, &again));
    return again ? OK : certificate_answer(call, false);
}

// A scripted function over TLS on loopback, and questions to it through the caller, all on one real loop.
#pragma once

#include "base/testing.h"
#include "outbound/fake_peer_test.h"
#include "webhook/webhook.h"

// Everything after "HTTP/1.1 ", with the lengths written by the script itself.
struct fake_answer {
    enum peer_manner manner;
    const char *text;
    size_t body; // as many bytes of 'x' behind it
};

struct fake {
    struct peer peer;
    char url[128]; // https://localhost:PORT/api/allocate?code=SECRET
    struct webhook *webhook;
    struct webhook_settings settings; // of the caller: what fake_restart makes it with
    struct fake_answer answer;        // to every request; of the loop's thread
};

// Loopback is allowed, and the function's port; a new certificate for localhost, of a CA that is trusted.
void fake_start(struct fake *fake);
// The same with a certificate for this name that is so many days old, or of a CA that is not trusted.
void fake_start_as(struct fake *fake, const char *name, int64_t age_days, bool trusted);
// Another caller, with what was set in fake->settings.
void fake_restart(struct fake *fake);
void fake_end(struct fake *fake);
void fake_say(struct fake *fake, const char *status_and_headers, const char *body);

struct shot {
    struct fake *fake;
    struct webhook_request request;
    struct arena arena;
    struct outcome outcome;
};

// A question with a deadline of ten seconds, not fired yet. Released by shot_release.
void shot_init(struct shot *shot, struct fake *fake, const char *url);
void shot_release(struct shot *shot);
void shots_fire(struct shot *shots, size_t count); // in one turn of the loop
void shot_wait(struct shot *shot);
struct err shot_run(struct shot *shot); // fire, wait, the result

// ERR_WEBHOOK with a reason that says so, and never what is in the URL's query.
void assert_refused(const struct shot *shot, const char *part);

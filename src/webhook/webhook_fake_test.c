// The scripted function: what it answers, the caller that asks it, and questions.
#include <stdio.h>

#include "webhook/webhook_test.h"

static enum peer_manner answer(void *context, struct slice request, struct slice body, struct buf *out)
{
    const struct fake_answer *answer = &((struct fake *)context)->answer;
    (void)request;
    (void)body;
    if (peer_responds(answer->manner)) {
        buf_printf(out, "HTTP/1.1 %s", answer->text);
        for (size_t i = 0; i < answer->body; i++)
            buf_u8(out, 'x');
    }
    return answer->manner;
}

static void make(void *argument)
{
    struct fake *fake = argument;
    webhook_free(fake->webhook);
    assert_false(failed(webhook_new(&fake->settings, &fake->webhook, NULL)));
}

void fake_restart(struct fake *fake)
{
    bench_do(&fake->peer.bench, make, fake);
}

void fake_start_as(struct fake *fake, const char *name, int64_t age_days, bool trusted)
{
    struct peer *peer = &fake->peer;
    *fake = (struct fake){0};
    struct peer_settings function = {.answer = answer, .context = fake, .name = name, .age_days = age_days};
    peer_start(peer, &function);
    (void)snprintf(fake->url, sizeof fake->url, "https://localhost:%u/api/allocate?code=SECRET", peer->port);
    fake->settings = (struct webhook_settings){
        .poller = loop_poller(peer->bench.loop),
        .replies = loop_mailbox(peer->bench.loop),
        .clock = &peer->clock,
        .random = &peer->random,
        .log = &peer->bench.log,
        .ca_pem = buf_slice(trusted ? &peer->ca_pem : &peer->bench.certificates.ca_pem),
        .guard = {.ports = {peer->port}, .port_count = 1},
    };
    struct guard *guard = &fake->settings.guard;
    assert_false(failed(ip_network_read(SLICE("127.0.0.1"), &guard->allowed[0], NULL)));
    guard->allowed_count = 1;
    fake_restart(fake);
    fake_say(fake, "200 OK\r\nContent-Type: application/json\r\n", "{}");
}

void fake_start(struct fake *fake)
{
    fake_start_as(fake, "localhost", 0, true);
}

static void unmake(void *argument)
{
    struct fake *fake = argument;
    webhook_free(fake->webhook);
}

void fake_end(struct fake *fake)
{
    bench_do(&fake->peer.bench, unmake, fake);
    peer_end(&fake->peer);
}

void fake_say(struct fake *fake, const char *status_and_headers, const char *body)
{
    static char text[4096];
    (void)snprintf(text, sizeof text, "%sContent-Length: %zu\r\n\r\n%s", status_and_headers, strlen(body),
                   body);
    fake->answer = (struct fake_answer){.text = text};
}

// --- questions
// -------------------------------------------------------------------------------------------------------------

static void done(struct webhook_request *request)
{
    outcome_arrive(&((struct shot *)request->context)->outcome);
}

void shot_init(struct shot *shot, struct fake *fake, const char *url)
{
    *shot = (struct shot){.fake = fake, .arena = arena_capped(1 << 20)};
    outcome_init(&shot->outcome);
    shot->request = (struct webhook_request){
        .url = slice_text(url),
        .body = SLICE("{\"question\":1}"),
        .deadline_ms = 10000,
        .arena = &shot->arena,
        .done = done,
        .context = shot,
    };
}

void shot_release(struct shot *shot)
{
    arena_release(&shot->arena);
}

static void submit(void *element)
{
    struct shot *shot = element;
    shot->outcome.starting = true;
    webhook_submit(shot->fake->webhook, &shot->request);
    shot->outcome.starting = false;
}

void shots_fire(struct shot *shots, size_t count)
{
    bench_do_each(&shots[0].fake->peer.bench, submit, shots, count, sizeof *shots);
}

void shot_wait(struct shot *shot)
{
    outcome_await(&shot->outcome);
}

struct err shot_run(struct shot *shot)
{
    shots_fire(shot, 1);
    shot_wait(shot);
    return shot->request.result;
}

void assert_refused(const struct shot *shot, const char *part)
{
    const char *why = shot->request.why.text;
    assert_string_equal(err_info(shot->request.result)->name, err_info(FAIL(ERR_WEBHOOK))->name);
    if (strstr(why, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, part);
    if (strstr(why, "SECRET") != NULL || strstr(why, "/api") != NULL)
        fail_msg("\"%s\" shows what is in the URL", why);
}

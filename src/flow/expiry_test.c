// What an operator hears of certificates that come to their end, with the clock moved from day to day.
#include "flow/expiry.h"

#include <stdio.h>

#include "base/list.h"
#include "base/testing.h"
#include "store/memory/memory.h"

enum { DAY_S = 86400 };
static int64_t const day_us = DAY_S * INT64_C(1000000);
static int64_t const begin_us = INT64_C(1700000000000000);

struct world {
    struct mailbox replies;
    struct store *store;
    struct store_client *client;
    struct directory *directory;
    struct clock clock;
    int64_t now_us;
    struct poller poller;
    struct poll_timer *armed;
    int64_t armed_ms;
    struct log log;
    struct buf lines;
    int64_t server_us;
    struct expiry *expiry;
    bool looked;
    bool idle;
};

static int64_t wall_us(const struct clock *clock)
{
    return CONTAINER_OF(clock, struct world, clock)->now_us;
}

static struct err timer_start(struct poller *poller, struct poll_timer *timer, int64_t ms)
{
    struct world *w = CONTAINER_OF(poller, struct world, poller);
    w->armed = timer;
    w->armed_ms = ms;
    return OK;
}

static void timer_release(struct poller *poller, struct poll_timer *timer)
{
    struct world *w = CONTAINER_OF(poller, struct world, poller);
    if (w->armed == timer)
        w->armed = NULL;
}

static const struct poller_methods poller_methods = {.timer_start = timer_start,
                                                     .timer_release = timer_release};

static void keep_line(void *context, struct slice line)
{
    buf_bytes(&((struct world *)context)->lines, line);
}

static int64_t server_expires_us(void *context)
{
    return ((const struct world *)context)->server_us;
}

static void run_until(struct world *w, const bool *done)
{
    while (!*done) {
        struct mail *mail = mailbox_wait(&w->replies, 5000);
        if (mail == NULL)
            fail_msg("no answer within five seconds");
        for (struct mail *next; mail != NULL; mail = next) {
            next = mail->next;
            mail->deliver(mail);
        }
    }
}

static void answered(struct store_request *request)
{
    assert_false(failed(request->result));
    *(bool *)request->context = true;
}

static void submit(struct world *w, struct store_request request)
{
    bool done = false;
    struct arena arena = arena_capped(1 << 20);
    request.arena = &arena;
    request.done = answered;
    request.context = &done;
    store_submit(w->client, &request);
    run_until(w, &done);
    arena_release(&arena);
}

static void put_service(struct world *w, const char *name, const char *scope)
{
    struct buf document = buf_capped(4096);
    struct service service = {
        .name = slice_text(name), .host_name = slice_text(name), .id_scope = slice_text(scope)};
    assert_false(failed(service_document_write(&service, &document)));
    struct service_record record = {
        .name = service.name, .id_scope = service.id_scope, .document = buf_slice(&document), .etag = 1};
    submit(w, (struct store_request){
                  .verb = STORE_PUT, .table = STORE_SERVICE, .key = slice_text(name), .record = &record});
    buf_release(&document);
}

static void put_certificate(struct world *w, const char *scope, const struct ca_certificate *certificate)
{
    struct ca_certificate record = *certificate;
    record.certificate = SLICE("DER");
    record.updated_us = w->now_us;
    record.etag = 1;
    submit(w, (struct store_request){.verb = STORE_PUT,
                                     .table = STORE_CERTIFICATE,
                                     .partition = slice_text(scope),
                                     .key = record.name,
                                     .record = &record});
}

static void loaded(struct directory_wait *wait, struct err result)
{
    assert_false(failed(result));
    *(bool *)wait->context = true;
}

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->now_us = begin_us;
    w->clock = (struct clock){.wall_us = wall_us, .monotonic_us = wall_us};
    w->poller = (struct poller){&poller_methods};
    w->lines = buf_capped(4 << 20);
    w->log = (struct log){.least = ERR_LEVEL_DEBUG, .write = keep_line, .context = w};
    mailbox_init(&w->replies, NULL, NULL);
    assert_false(failed(store_memory_new(&(struct store_memory_options){0}, &w->store, NULL)));
    assert_false(failed(store_client_new(w->store, &w->replies, &w->client)));
    assert_false(failed(directory_new(w->client, &w->log, &w->directory)));
    put_service(w, "one", "0neAAAAAAAA");
    put_service(w, "two", "0neBBBBBBBB");
    bool done = false;
    struct directory_wait wait = {.loaded = loaded, .context = &done};
    directory_reload(w->directory, &wait);
    run_until(w, &done);
    struct expiry_settings settings = {.store = w->client,
                                       .directory = w->directory,
                                       .clock = &w->clock,
                                       .poller = &w->poller,
                                       .log = &w->log,
                                       .server_expires_us = server_expires_us,
                                       .server_file = SLICE("server.pem"),
                                       .context = w};
    assert_false(failed(expiry_new(&settings, &w->expiry)));
    return w;
}

static void became_idle(void *context)
{
    ((struct world *)context)->idle = true;
}

static void world_free(struct world *w)
{
    expiry_stop(w->expiry, became_idle, w);
    run_until(w, &w->idle);
    expiry_free(w->expiry);
    directory_free(w->directory);
    store_client_free(w->client);
    store_free(w->store);
    mailbox_release(&w->replies);
    buf_release(&w->lines);
    free(w);
}

static void looked(struct expiry_wait *wait, struct err result)
{
    assert_false(failed(result));
    *(bool *)wait->context = true;
}

static void look(struct world *w)
{
    bool done = false;
    struct expiry_wait wait = {.looked = looked, .context = &done};
    expiry_look(w->expiry, &wait);
    assert_false(done); // always later
    run_until(w, &done);
}

// How many lines since the last call hold both; then forgets them all when told to.
static size_t told(const struct world *w, const char *event, const char *what)
{
    struct slice rest = buf_slice(&w->lines);
    struct slice line;
    size_t count = 0;
    while (slice_cut(&rest, '\n', &line))
        count +=
            slice_find(line, slice_text(event)) < line.len && slice_find(line, slice_text(what)) < line.len;
    return count;
}

#define EXPIRING "\"event\":\"certificate.expiring\""
#define EXPIRED  "\"event\":\"certificate.expired\""
#define SOON     "\"event\":\"crl.expiring\""
#define STALE    "\"event\":\"crl.stale\""
#define ANYTHING "\"event\""

static void each_threshold_is_told_once_when_it_is_crossed(void **state)
{
    (void)state;
    static const struct {
        int64_t days_left;
        const char *event, *what;
    } days[] = {{40, NULL, NULL},
                {31, NULL, NULL},
                {29, EXPIRING, "less than 30 days"},
                {20, NULL, NULL},
                {8, NULL, NULL},
                {6, EXPIRING, "less than 7 days"},
                {2, NULL, NULL},
                {1, EXPIRING, "less than a day"},
                {-1, EXPIRED, "it is past"},
                {-2, NULL, NULL},
                {-50, NULL, NULL}};
    struct world *w = world_new();
    int64_t end_us = begin_us + 100 * day_us;
    put_certificate(w, "0neAAAAAAAA",
                    &(struct ca_certificate){.name = SLICE("Root"), .not_after_us = end_us});
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        w->now_us = end_us - days[i].days_left * day_us;
        buf_clear(&w->lines);
        look(w);
        look(w);
        assert_int_equal(told(w, ANYTHING, ""), days[i].event != NULL ? 1 : 0);
        if (days[i].event == NULL)
            continue;
        assert_int_equal(told(w, days[i].event, days[i].what), 1);
        assert_int_equal(told(w, "\"certificate\":\"Root\"", "\"service\":\"one\""), 1);
    }
    world_free(w);
}

static void of_several_thresholds_at_once_only_the_last_is_told(void **state)
{
    (void)state;
    struct world *w = world_new();
    int64_t end_us = begin_us + 100 * day_us;
    put_certificate(w, "0neAAAAAAAA",
                    &(struct ca_certificate){.name = SLICE("Root"), .not_after_us = end_us});
    look(w);
    w->now_us = end_us + day_us;
    look(w);
    assert_int_equal(told(w, ANYTHING, ""), 1);
    assert_int_equal(told(w, EXPIRED, "Root"), 1);
    world_free(w);
}

static void at_the_start_everything_inside_a_window_is_told_once(void **state)
{
    (void)state;
    struct world *w = world_new();
    static const struct {
        const char *name;
        int64_t days;
    } all[] = {{"far", 31}, {"month", 25}, {"week", 5}, {"day", 1}, {"past", -3}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        put_certificate(w, "0neBBBBBBBB",
                        &(struct ca_certificate){.name = slice_text(all[i].name),
                                                 .not_after_us = begin_us + all[i].days * day_us});
    w->now_us += 5;
    assert_false(failed(expiry_start(w->expiry)));
    assert_int_equal(w->armed_ms, 0);
    w->armed->fire(w->armed);
    look(w); // the one after it
    assert_int_equal(told(w, ANYTHING, ""), 4);
    assert_int_equal(told(w, EXPIRING, "\"service\":\"two\""), 3);
    assert_int_equal(told(w, EXPIRED, "past"), 1);
    assert_int_equal(w->armed_ms, 3600 * 1000);
    struct expiry_counts counts = expiry_of(w->expiry, SLICE("0neBBBBBBBB"));
    for (size_t window = 0; window <= CA_EXPIRY_PAST; window++)
        assert_int_equal(counts.certificates[window], 1);
    counts = expiry_of(w->expiry, SLICE("0neAAAAAAAA"));
    for (size_t window = 0; window <= CA_EXPIRY_PAST; window++)
        assert_int_equal(counts.certificates[window], 0);
    world_free(w);
}

static void one_uploaded_late_in_its_life_is_told_at_the_next_look(void **state)
{
    (void)state;
    struct world *w = world_new();
    look(w);
    w->now_us += 1000000;
    put_certificate(w, "0neAAAAAAAA",
                    &(struct ca_certificate){.name = SLICE("late"), .not_after_us = begin_us + 3 * day_us});
    w->now_us += 1000000;
    look(w);
    look(w);
    assert_int_equal(told(w, ANYTHING, ""), 1);
    assert_int_equal(told(w, EXPIRING, "less than 7 days"), 1);
    world_free(w);
}

static void a_list_is_told_of_a_day_before_it_is_stale_and_then(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct ca_certificate c = {.name = SLICE("Root"),
                               .not_after_us = begin_us + 4000 * day_us,
                               .crl_digest = SLICE("a digest"),
                               .crl_next_update_us = begin_us + 10 * day_us};
    put_certificate(w, "0neAAAAAAAA", &c);
    for (int hours = 0; hours < 24 * 12; hours += 5) {
        w->now_us = begin_us + hours * INT64_C(3600000000) + 1;
        look(w);
    }
    assert_int_equal(told(w, ANYTHING, ""), 2);
    assert_int_equal(told(w, SOON, "\"level\":\"warn\""), 1);
    assert_int_equal(told(w, STALE, "\"level\":\"warn\""), 1);
    assert_int_equal(expiry_of(w->expiry, SLICE("0neAAAAAAAA")).stale_lists, 1);
    // a fresh one, that lives for half a day, is nothing to tell; when it is stale and required, all wait
    buf_clear(&w->lines);
    c.crl_next_update_us = w->now_us + day_us / 2;
    c.crl_required = true;
    put_certificate(w, "0neAAAAAAAA", &c);
    look(w);
    assert_int_equal(told(w, ANYTHING, ""), 0);
    assert_int_equal(expiry_of(w->expiry, SLICE("0neAAAAAAAA")).stale_lists, 0);
    w->now_us += day_us;
    look(w);
    look(w);
    assert_int_equal(told(w, ANYTHING, ""), 1);
    assert_int_equal(told(w, STALE, "\"level\":\"error\""), 1);
    world_free(w);
}

static void the_servers_own_certificate_is_watched_and_a_new_one_too(void **state)
{
    (void)state;
    struct world *w = world_new();
    look(w); // it has none
    assert_int_equal(expiry_server_us(w->expiry), 0);
    w->server_us = begin_us + 20 * day_us;
    look(w);
    look(w);
    assert_int_equal(told(w, ANYTHING, ""), 1);
    assert_int_equal(told(w, EXPIRING, "\"file\":\"server.pem\""), 1);
    assert_int_equal(expiry_server_us(w->expiry), w->server_us);
    w->now_us = w->server_us + 1;
    look(w);
    assert_int_equal(told(w, EXPIRED, "\"level\":\"error\""), 1);
    w->server_us = w->now_us + 90 * day_us;
    look(w);
    assert_int_equal(told(w, ANYTHING, ""), 2);
    w->server_us = w->now_us + 2 * day_us;
    look(w);
    assert_int_equal(told(w, EXPIRING, "less than 7 days"), 1);
    world_free(w);
}

static void many_pages_of_many_services_are_counted_whole(void **state)
{
    (void)state;
    struct world *w = world_new();
    for (int i = 0; i < 300; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "ca%03d", i);
        put_certificate(w, i % 3 == 0 ? "0neAAAAAAAA" : "0neBBBBBBBB",
                        &(struct ca_certificate){.name = slice_text(name),
                                                 .not_after_us = begin_us + (i < 150 ? 5 : 90) * day_us});
    }
    w->now_us++;
    look(w);
    struct expiry_counts one = expiry_of(w->expiry, SLICE("0neAAAAAAAA"));
    struct expiry_counts two = expiry_of(w->expiry, SLICE("0neBBBBBBBB"));
    assert_int_equal(one.certificates[CA_EXPIRY_7_DAYS], 50);
    assert_int_equal(one.certificates[CA_EXPIRY_FAR], 50);
    assert_int_equal(two.certificates[CA_EXPIRY_7_DAYS], 100);
    assert_int_equal(two.certificates[CA_EXPIRY_FAR], 100);
    assert_int_equal(told(w, EXPIRING, "\"service\":\"two\""), 100);
    look(w);
    assert_int_equal(expiry_of(w->expiry, SLICE("0neBBBBBBBB")).certificates[CA_EXPIRY_FAR], 100);
    world_free(w);
}

// Whoever asks while a look is under way gets the one after it: what was written before it asked is counted.
static void asking_during_a_look_waits_for_the_next_one_and_stopping_for_both(void **state)
{
    (void)state;
    struct world *w = world_new();
    bool first_done = false;
    bool second_done = false;
    struct expiry_wait first = {.looked = looked, .context = &first_done};
    struct expiry_wait second = {.looked = looked, .context = &second_done};
    expiry_look(w->expiry, &first);
    expiry_look(w->expiry, &second);
    assert_true(expiry_looking(w->expiry));
    expiry_stop(w->expiry, became_idle, w);
    assert_false(w->idle);
    run_until(w, &first_done);
    assert_false(second_done);
    assert_false(w->idle);
    run_until(w, &w->idle);
    assert_true(second_done);
    assert_null(w->armed);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_threshold_is_told_once_when_it_is_crossed),
        cmocka_unit_test(of_several_thresholds_at_once_only_the_last_is_told),
        cmocka_unit_test(at_the_start_everything_inside_a_window_is_told_once),
        cmocka_unit_test(one_uploaded_late_in_its_life_is_told_at_the_next_look),
        cmocka_unit_test(a_list_is_told_of_a_day_before_it_is_stale_and_then),
        cmocka_unit_test(the_servers_own_certificate_is_watched_and_a_new_one_too),
        cmocka_unit_test(many_pages_of_many_services_are_counted_whole),
        cmocka_unit_test(asking_during_a_look_waits_for_the_next_one_and_stopping_for_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

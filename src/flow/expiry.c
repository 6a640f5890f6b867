// Pages through all CA certificates and compares where each stands now with where it stood at the last look.
// Nothing is kept per certificate: both follow from its end and the two times.
#include "flow/expiry.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/instant.h"
#include "base/list.h"

enum { LOOK_MS = 3600 * 1000, RETRY_MS = 60 * 1000, PAGE = 64, PAGE_CAP = 4 << 20, PLACE_MAX = 1024 };

struct expiry {
    struct expiry_settings settings;
    struct poll_timer timer;
    struct store_request request;
    struct arena arena; // of one page
    bool looking;
    bool stopping;
    void (*idle)(void *context);
    void *idle_context;
    struct expiry_wait *waiting;   // for the look under way
    struct expiry_wait *next_look; // for the one after it
    int64_t look_us;               // when the look under way began
    int64_t last_us;               // when the last complete one did; 0: there was none
    int64_t server_end_us;         // as seen at the last look
    uint8_t place[PLACE_MAX];      // where the look under way goes on
    struct tally {
        struct expiry_counts *at; // in the order of their ID scopes
        size_t count;
        size_t room;
    } counting, counted;
};

static enum ca_expiry window_of(int64_t end_us, int64_t now_us)
{
    const struct ca_certificate c = {.not_after_us = end_us};
    return ca_certificate_expiry(&c, now_us);
}

// ---- what is told
// ------------------------------------------------------------------------------------------------

static void end_line(struct log_line *line, enum ca_expiry window, int64_t end_us)
{
    static const char *const text[] = {[CA_EXPIRY_30_DAYS] = "less than 30 days are left",
                                       [CA_EXPIRY_7_DAYS] = "less than 7 days are left",
                                       [CA_EXPIRY_1_DAY] = "less than a day is left",
                                       [CA_EXPIRY_PAST] = "it is past"};
    struct why reason = {0};
    char end[40] = {0};
    struct buf out = {.at = (uint8_t *)end, .room = sizeof end - 1, .cap = sizeof end - 1};
    instant_format_http(&out, end_us);
    (void)snprintf(reason.text, sizeof reason.text, "the end is %s: %s", end, text[window]);
    log_text(line, LOG_reason, slice_text(reason.text));
    log_end(line);
}

static void begin_line(const struct expiry *e, struct log_line *line, enum err_level level, const char *event,
                       struct slice id_scope, struct slice name)
{
    struct directory_snapshot *services = directory_hold(e->settings.directory);
    const struct service *service = directory_by_scope(services, id_scope);
    log_begin(line, e->settings.log, level, event);
    log_text(line, LOG_service, service != NULL ? service->name : (struct slice){0});
    log_text(line, LOG_idScope, id_scope);
    log_text(line, LOG_certificate, name);
    directory_release(services);
}

static void look_at_certificate(const struct expiry *e, struct slice id_scope, const struct ca_certificate *c,
                                struct expiry_counts *counts)
{
    bool unseen = e->last_us == 0 || c->updated_us >= e->last_us;
    enum ca_expiry now = ca_certificate_expiry(c, e->look_us);
    enum ca_expiry before = unseen ? CA_EXPIRY_FAR : ca_certificate_expiry(c, e->last_us);
    struct log_line line;
    counts->certificates[now]++;
    if (now <= before)
        return;
    begin_line(e, &line, ERR_LEVEL_WARN,
               now == CA_EXPIRY_PAST ? "certificate.expired" : "certificate.expiring", id_scope, c->name);
    end_line(&line, now, c->not_after_us);
}

static enum ca_expiry window_of_list(const struct ca_certificate *c, int64_t now_us)
{
    enum ca_expiry window = window_of(c->crl_next_update_us, now_us);
    return window >= CA_EXPIRY_1_DAY ? window : CA_EXPIRY_FAR;
}

static void look_at_list(const struct expiry *e, struct slice id_scope, const struct ca_certificate *c,
                         struct expiry_counts *counts)
{
    if (c->crl_digest.len == 0 || c->crl_next_update_us == 0)
        return;
    bool just_changed = e->last_us != 0 && c->updated_us >= e->last_us;
    enum ca_expiry now = window_of_list(c, e->look_us);
    enum ca_expiry before = e->last_us == 0 ? CA_EXPIRY_FAR
                            : just_changed  ? CA_EXPIRY_1_DAY
                                            : window_of_list(c, e->last_us);
    bool stale = now == CA_EXPIRY_PAST;
    struct log_line line;
    counts->stale_lists += stale;
    if (now <= before)
        return;
    // without a fresh list nothing that the CA issued is let in, where the list is required
    begin_line(e, &line, stale && c->crl_required ? ERR_LEVEL_ERROR : ERR_LEVEL_WARN,
               stale ? "crl.stale" : "crl.expiring", id_scope, c->name);
    end_line(&line, now, c->crl_next_update_us);
}

static void look_at_server(struct expiry *e)
{
    int64_t end_us = e->settings.server_expires_us(e->settings.context);
    bool unseen = e->last_us == 0 || end_us != e->server_end_us;
    enum ca_expiry now = end_us != 0 ? window_of(end_us, e->look_us) : CA_EXPIRY_FAR;
    enum ca_expiry before = unseen ? CA_EXPIRY_FAR : window_of(end_us, e->last_us);
    bool past = now == CA_EXPIRY_PAST;
    struct log_line line;
    e->server_end_us = end_us;
    if (now <= before)
        return;
    log_begin(&line, e->settings.log, past ? ERR_LEVEL_ERROR : ERR_LEVEL_WARN,
              past ? "certificate.expired" : "certificate.expiring");
    log_text(&line, LOG_file, e->settings.server_file);
    end_line(&line, now, end_us);
}

// ---- what is counted
// ---------------------------------------------------------------------------------------------

static struct slice scope_of(const struct expiry_counts *counts)
{
    return slice_of(counts->id_scope, counts->id_scope_len);
}

// The records come in the order of their ID scopes.
static struct expiry_counts *counts_of(struct tally *tally, struct slice id_scope)
{
    if (tally->count > 0 && slice_equal(scope_of(&tally->at[tally->count - 1]), id_scope))
        return &tally->at[tally->count - 1];
    if (tally->count == tally->room) {
        size_t room = tally->room * 2 + 16;
        struct expiry_counts *at = realloc(tally->at, room * sizeof *at);
        if (at == NULL)
            return NULL;
        tally->at = at;
        tally->room = room;
    }
    struct expiry_counts *counts = &tally->at[tally->count++];
    *counts = (struct expiry_counts){.id_scope_len = slice_to(id_scope, sizeof counts->id_scope).len};
    memcpy(counts->id_scope, id_scope.at, counts->id_scope_len);
    return counts;
}

struct expiry_counts expiry_of(const struct expiry *e, struct slice id_scope)
{
    size_t low = 0;
    size_t high = e->counted.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(scope_of(&e->counted.at[middle]), id_scope);
        if (order == 0)
            return e->counted.at[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return (struct expiry_counts){0};
}

int64_t expiry_server_us(const struct expiry *e)
{
    return e->server_end_us;
}

// ---- looking
// -----------------------------------------------------------------------------------------------------

static void answered(struct store_request *request);

static void ask_page(struct expiry *e, struct slice after)
{
    e->request = (struct store_request){.verb = STORE_QUERY,
                                        .table = STORE_CERTIFICATE,
                                        .limit = PAGE,
                                        .after = after,
                                        .arena = &e->arena,
                                        .done = answered,
                                        .context = e};
    store_submit(e->settings.store, &e->request);
}

static void begin_look(struct expiry *e)
{
    e->looking = true;
    e->waiting = e->next_look;
    e->next_look = NULL;
    e->look_us = clock_wall_us(e->settings.clock);
    e->counting.count = 0;
    ask_page(e, (struct slice){0});
}

static void log_failure_of(const struct expiry *e, struct err result)
{
    struct log_line line;
    log_begin(&line, e->settings.log, ERR_LEVEL_WARN, "expiry.unread");
    log_failure(&line, result, &e->request.why);
    log_end(&line);
}

// Without memory for the timer the watch rests until the next look that somebody asks for.
static void rest(struct expiry *e, int64_t ms)
{
    if (e->stopping)
        return;
    struct err started = poller_timer_start(e->settings.poller, &e->timer, ms);
    if (failed(started))
        log_failure_of(e, started);
}

static void end_look(struct expiry *e, struct err result)
{
    struct expiry_wait *waiting = e->waiting;
    e->looking = false;
    e->waiting = NULL;
    arena_release(&e->arena);
    if (failed(result)) {
        log_failure_of(e, result);
    } else {
        struct tally old = e->counted;
        look_at_server(e);
        e->last_us = e->look_us;
        e->counted = e->counting;
        e->counting = old;
    }
    rest(e, failed(result) ? RETRY_MS : LOOK_MS);
    if (e->next_look != NULL)
        begin_look(e);
    for (struct expiry_wait *next; waiting != NULL; waiting = next) {
        next = waiting->next;
        waiting->looked(waiting, result);
    }
    if (!e->looking && e->idle != NULL) {
        void (*idle)(void *context) = e->idle;
        e->idle = NULL;
        idle(e->idle_context);
    }
}

static struct err take_page(struct expiry *e)
{
    const struct store_request *page = &e->request;
    TRY(page->result);
    for (size_t i = 0; i < page->count; i++) {
        struct expiry_counts *counts = counts_of(&e->counting, page->row_partitions[i]);
        if (counts == NULL)
            return FAIL(ERR_NO_MEMORY);
        look_at_certificate(e, page->row_partitions[i], page->rows[i], counts);
        look_at_list(e, page->row_partitions[i], page->rows[i], counts);
    }
    return OK;
}

static void answered(struct store_request *request)
{
    struct expiry *e = request->context;
    struct err result = take_page(e);
    if (failed(result) || !request->more) {
        end_look(e, result);
        return;
    }
    INVARIANT(request->last.len <= sizeof e->place);
    struct slice after = slice_of(e->place, request->last.len);
    memcpy(e->place, request->last.at, request->last.len);
    arena_release(&e->arena);
    ask_page(e, after);
}

void expiry_look(struct expiry *e, struct expiry_wait *wait)
{
    wait->next = e->next_look;
    e->next_look = wait;
    if (!e->looking)
        begin_look(e);
}

// ---- its life
// ----------------------------------------------------------------------------------------------------

static void due(struct poll_timer *timer)
{
    struct expiry *e = timer->context;
    if (!e->looking)
        begin_look(e);
}

struct err expiry_new(const struct expiry_settings *settings, struct expiry **out)
{
    struct expiry *e = calloc(1, sizeof *e);
    *out = e;
    if (e == NULL)
        return FAIL(ERR_NO_MEMORY);
    e->settings = *settings;
    e->arena = arena_capped(PAGE_CAP);
    e->arena.wipe = true; // codes that wait for their proof pass through it
    e->timer = (struct poll_timer){.fire = due, .context = e};
    return OK;
}

void expiry_free(struct expiry *e)
{
    if (e == NULL)
        return;
    INVARIANT(!e->looking);
    poller_timer_release(e->settings.poller, &e->timer);
    free(e->counting.at);
    free(e->counted.at);
    free(e);
}

struct err expiry_start(struct expiry *e)
{
    return poller_timer_start(e->settings.poller, &e->timer, 0);
}

void expiry_stop(struct expiry *e, void (*idle)(void *context), void *context)
{
    e->stopping = true;
    poller_timer_release(e->settings.poller, &e->timer);
    if (e->looking) {
        e->idle = idle;
        e->idle_context = context;
        return;
    }
    idle(context);
}

bool expiry_looking(const struct expiry *e)
{
    return e->looking;
}

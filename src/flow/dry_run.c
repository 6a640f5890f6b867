// Walks over the registrations by pages, beside them over the individual enrollments in the same order, and
// keeps the groups that it met. In slices, so that the loop's devices hardly wait for it.
#include "flow/dry_run.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "domain/preview.h"

enum {
    PAGE = 256,
    PAGE_CAP = 64 << 20, // records are at most about 100 KB
    SLICE_DEVICES = 64,
    GROUPS_KEPT = 1024,
    GROUPS_CAP = 128 << 20,
    SCRATCH_CAP = 4 << 20,
    NAMES_CAP = 1 << 20,
    PLACE_MAX = 512,
};

// A page of records in the order of their keys.
struct page {
    struct arena arena;
    enum store_table table;
    void **rows;
    size_t count;
    size_t at;
    bool more;
    uint8_t place[PLACE_MAX]; // where the next one begins
    size_t place_len;
};

struct run {
    struct dry_runs *owner;
    bool used;
    char id[DRY_RUN_ID + 1];
    char id_scope[ID_SCOPE_MAX];
    size_t id_scope_len;
    int64_t ended_us; // monotonic
    struct dry_run_plan plan;
    struct dry_run_report report;
    struct arena names; // hosts of the report; kept with it
    struct dry_run_hub hubs[DRY_RUN_HUBS_MAX];
    // while it runs
    struct poll_timer timer;
    struct store_request request;
    bool asking;
    struct err (*answered)(struct run *run);
    struct page registrations, individuals;
    struct map groups; // by canonical ID
    struct arena group_arena, scratch;
    struct slice wanted; // the group asked for, in the scratch
    struct hub_condition *conditions;
    size_t counted; // how many of the service's hubs have their devices counted
};

struct dry_runs {
    struct dry_runs_settings settings;
    struct run runs[DRY_RUNS_KEPT];
    bool stopping;
    void (*idle)(void *context);
    void *idle_context;
};

// Stands for a group that is not there, in the map.
static const struct enrollment no_group;

// ---- its end

static void page_release(struct page *page)
{
    arena_release(&page->arena);
    *page = (struct page){.table = page->table, .arena = page->arena};
}

static void release_work(struct run *run)
{
    poller_timer_release(run->owner->settings.poller, &run->timer);
    page_release(&run->registrations);
    page_release(&run->individuals);
    map_release(&run->groups);
    arena_release(&run->group_arena);
    arena_release(&run->scratch);
    arena_release(&run->plan.arena);
    run->conditions = NULL;
}

static void tell_idle(struct dry_runs *runs)
{
    void (*idle)(void *context) = runs->idle;
    if (idle == NULL || dry_runs_running(runs))
        return;
    runs->idle = NULL;
    idle(runs->idle_context);
}

static void end(struct run *run, struct err result, const struct why *why)
{
    release_work(run);
    run->ended_us = clock_monotonic_us(run->owner->settings.clock);
    run->report.status = failed(result) ? DRY_RUN_FAILED : DRY_RUN_DONE;
    run->report.result = result;
    if (failed(result) && why != NULL)
        run->report.why = *why;
    tell_idle(run->owner);
}

// ---- asking the store

static void go_on(struct run *run, struct err e)
{
    if (failed(e))
        end(run, e, &run->request.why);
}

static void answered(struct store_request *request)
{
    struct run *run = request->context;
    run->asking = false;
    go_on(run, run->owner->stopping ? FAIL(ERR_STOPPING) : run->answered(run));
}

static struct err ask(struct run *run, struct store_request request, struct err (*next)(struct run *run))
{
    request.partition = slice_of(run->id_scope, run->id_scope_len);
    request.done = answered;
    request.context = run;
    run->request = request;
    run->answered = next;
    run->asking = true;
    store_submit(run->owner->settings.store, &run->request);
    return OK;
}

static struct err ask_page(struct run *run, struct page *page, struct err (*next)(struct run *run))
{
    arena_release(&page->arena);
    page->rows = NULL;
    page->count = 0;
    page->at = 0;
    return ask(run,
               (struct store_request){.verb = STORE_QUERY,
                                      .table = page->table,
                                      .limit = PAGE,
                                      .after = slice_of(page->place, page->place_len),
                                      .arena = &page->arena},
               next);
}

static struct err take_page(struct run *run, struct page *page)
{
    const struct store_request *r = &run->request;
    TRY(r->result);
    page->rows = r->rows;
    page->count = r->count;
    page->more = r->more;
    INVARIANT(r->last.len <= sizeof page->place);
    if (r->last.len > 0)
        memcpy(page->place, r->last.at, r->last.len);
    page->place_len = r->last.len;
    return OK;
}

// ---- counting by hub

static struct err tally(struct run *run, struct slice host, struct dry_run_hub **out)
{
    struct dry_run_report *report = &run->report;
    for (size_t i = 0; i < report->hub_count; i++) {
        *out = &run->hubs[i];
        if (slice_equal_nocase(run->hubs[i].host, host))
            return OK;
    }
    // that many hubs are not linked any more: the rest is one
    if (report->hub_count == DRY_RUN_HUBS_MAX)
        return OK;
    if (report->hub_count == DRY_RUN_HUBS_MAX - 1)
        host = SLICE("(others)");
    *out = &run->hubs[report->hub_count];
    TRY(arena_copy(&run->names, host, &(*out)->host));
    report->hub_count++;
    return OK;
}

// The service's hubs stand first, in its order.
static void moved(struct run *run, const struct dry_run_hub *hub, int64_t by)
{
    size_t i = (size_t)(hub - run->hubs);
    if (i < run->plan.service->hub_count)
        run->conditions[i].devices += by;
}

static struct err count_move(struct run *run, const struct linked_hub *hub, struct dry_run_hub *from)
{
    struct dry_run_hub *to = NULL;
    TRY(tally(run, hub->host, &to));
    to->arrive++;
    moved(run, to, 1);
    if (from == NULL) {
        run->report.assign++;
        return OK;
    }
    from->leave++;
    moved(run, from, -1);
    run->report.move++;
    return OK;
}

static struct err count_outcome(struct run *run, const struct registration *r, const struct preview *preview)
{
    struct dry_run_report *report = &run->report;
    struct dry_run_hub *from = NULL;
    report->done++;
    if (r->assigned_hub.len > 0) {
        TRY(tally(run, r->assigned_hub, &from));
        from->now++;
    }
    switch (preview->end) {
    case PREVIEW_STAYS:
        report->stay++;
        return OK;
    case PREVIEW_MOVES:
        return count_move(run, preview->hub, from);
    case PREVIEW_REFUSED:
        report->refused++;
        return OK;
    case PREVIEW_UNKNOWN:
        report->unknown++;
        return OK;
    }
    return FAIL(ERR_INTERNAL);
}

// ---- who admits a device

static const struct dry_run_change *changed(const struct run *run, enum enrollment_kind kind,
                                            struct slice key)
{
    for (size_t i = 0; i < run->plan.change_count; i++) {
        const struct dry_run_change *change = &run->plan.changes[i];
        if (change->kind == kind && slice_equal(change->key, key))
            return change;
    }
    return NULL;
}

static struct err walk(struct run *run);

static struct err group_found(struct run *run)
{
    const struct store_request *r = &run->request;
    if (r->result.code != ERR_ABSENT)
        TRY(r->result);
    TRY(map_put(&run->groups, run->wanted, r->found != NULL ? r->found : (void *)(uintptr_t)&no_group, NULL));
    return walk(run);
}

static struct err ask_group(struct run *run, struct slice key)
{
    if (run->groups.count == GROUPS_KEPT) {
        map_release(&run->groups);
        map_init(&run->groups, random_etag(run->owner->settings.random));
        arena_release(&run->group_arena);
    }
    run->wanted = key;
    return ask(run,
               (struct store_request){
                   .verb = STORE_GET, .table = STORE_GROUP, .key = key, .arena = &run->group_arena},
               group_found);
}

static struct err individuals_found(struct run *run)
{
    TRY(take_page(run, &run->individuals));
    return walk(run);
}

// The individual enrollment of this key, or NULL. *missing: its page has been asked for.
static struct err find_individual(struct run *run, struct slice key, const struct enrollment **out,
                                  bool *missing)
{
    struct page *page = &run->individuals;
    *out = NULL;
    for (; page->at < page->count; page->at++) {
        const struct enrollment *e = page->rows[page->at];
        struct slice own;
        TRY(arena_lower(&run->scratch, e->id, &own));
        int order = slice_compare(own, key);
        *out = order == 0 ? e : NULL;
        if (order >= 0)
            return OK;
    }
    *missing = page->more;
    return page->more ? ask_page(run, page, individuals_found) : OK;
}

// *missing: something was asked for, and the walk goes on when it is there.
static struct err find_enrollments(struct run *run, const struct registration *r, struct slice key,
                                   struct admission *out, bool *missing)
{
    const struct dry_run_change *change = changed(run, ENROLLMENT_INDIVIDUAL, key);
    if (change != NULL)
        out->individual = change->enrollment;
    else
        TRY(find_individual(run, key, &out->individual, missing));
    if (*missing || r->enrollment_kind != ENROLLMENT_GROUP)
        return OK;
    change = changed(run, ENROLLMENT_GROUP, r->enrollment_id);
    if (change != NULL) {
        out->former = change->enrollment;
        return OK;
    }
    const struct enrollment *group = map_get(&run->groups, r->enrollment_id);
    *missing = group == NULL;
    if (group == NULL)
        return ask_group(run, r->enrollment_id);
    out->former = group == &no_group ? NULL : group;
    return OK;
}

// ---- the walk

static struct err look_at(struct run *run, const struct registration *r, bool *missing)
{
    const struct dry_runs_settings *settings = &run->owner->settings;
    struct admission admission = {.service = run->plan.service,
                                  .registration_id = r->id,
                                  .prior = r,
                                  .conditions = run->conditions,
                                  .now_us = clock_wall_us(settings->clock)};
    struct preview preview = {0};
    struct slice key;
    TRY(arena_lower(&run->scratch, r->id, &key));
    TRY(find_enrollments(run, r, key, &admission, missing));
    if (*missing)
        return OK;
    if (r->address.len > 0)
        (void)places_find(settings->places, r->address, &admission.place);
    struct err e = decide_preview(&admission, &run->scratch, &preview, NULL);
    if (!failed(e))
        e = count_outcome(run, r, &preview);
    arena_release(&run->scratch);
    return e;
}

static struct err registrations_found(struct run *run)
{
    TRY(take_page(run, &run->registrations));
    return walk(run);
}

static struct err walk(struct run *run)
{
    struct page *page = &run->registrations;
    for (unsigned n = 0; page->at < page->count; n++) {
        bool missing = false;
        if (n == SLICE_DEVICES)
            return poller_timer_start(run->owner->settings.poller, &run->timer, 0);
        TRY(look_at(run, page->rows[page->at], &missing));
        if (missing)
            return OK;
        page->at++;
    }
    if (page->more)
        return ask_page(run, page, registrations_found);
    end(run, OK, NULL);
    return OK;
}

static void next_slice(struct poll_timer *timer)
{
    struct run *run = timer->context;
    run->request.why = (struct why){0};
    go_on(run, walk(run));
}

// ---- its beginning

static struct err count_next(struct run *run);

static struct err hub_counted(struct run *run)
{
    TRY(run->request.result);
    run->conditions[run->counted++].devices = (int64_t)run->request.count;
    arena_release(&run->scratch);
    return count_next(run);
}

// What the hubs have now counts for those that are capped.
static struct err count_next(struct run *run)
{
    const struct service *service = run->plan.service;
    while (run->counted < service->hub_count && service->hubs[run->counted].capacity == 0)
        run->counted++;
    if (run->counted == service->hub_count)
        return ask_page(run, &run->registrations, registrations_found);
    struct query_node *where = arena_take(&run->scratch, sizeof *where);
    struct query_value *value = arena_take(&run->scratch, sizeof *value);
    if (where == NULL || value == NULL)
        return FAIL(ERR_NO_MEMORY);
    *value = (struct query_value){.kind = QUERY_TEXT, .text = service->hubs[run->counted].host};
    *where = (struct query_node){.op = QUERY_EQ, .path = SLICE("assignedHub"), .values = value, .count = 1};
    return ask(run,
               (struct store_request){
                   .verb = STORE_COUNT, .table = STORE_REGISTRATION, .where = where, .arena = &run->scratch},
               hub_counted);
}

static struct err total_counted(struct run *run)
{
    TRY(run->request.result);
    run->report.total = run->request.count;
    return count_next(run);
}

static struct err begin(struct run *run)
{
    const struct dry_runs_settings *settings = &run->owner->settings;
    const struct service *service = run->plan.service;
    run->conditions = arena_take_many(&run->plan.arena, service->hub_count + 1, sizeof *run->conditions);
    if (run->conditions == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < service->hub_count; i++) {
        struct dry_run_hub *hub;
        TRY(tally(run, service->hubs[i].host, &hub));
        run->conditions[i].failing =
            settings->health != NULL &&
            hub_health_of_link(settings->health, hub->host, service->id_scope).failing;
    }
    return ask(
        run, (struct store_request){.verb = STORE_COUNT, .table = STORE_REGISTRATION, .arena = &run->scratch},
        total_counted);
}

static void forget(struct run *run)
{
    arena_release(&run->names);
    run->used = false;
}

// A free one; else the one that ended first.
static struct run *find_room(struct dry_runs *runs)
{
    struct run *oldest = NULL;
    for (size_t i = 0; i < DRY_RUNS_KEPT; i++) {
        struct run *run = &runs->runs[i];
        if (!run->used)
            return run;
        if (run->report.status != DRY_RUN_RUNNING && (oldest == NULL || run->ended_us < oldest->ended_us))
            oldest = run;
    }
    if (oldest != NULL)
        forget(oldest);
    return oldest;
}

struct err dry_run_start(struct dry_runs *runs, struct dry_run_plan *plan, char id[DRY_RUN_ID + 1],
                         struct why *why)
{
    struct run *run = runs->stopping ? NULL : find_room(runs);
    if (run == NULL) {
        arena_release(&plan->arena);
        return runs->stopping ? FAIL(ERR_STOPPING)
                              : why_fail(why, ERR_OVERLOADED, "%d dry runs are under way", DRY_RUNS_KEPT);
    }
    *run = (struct run){.owner = runs, .used = true, .plan = *plan};
    plan->arena = arena_capped(0);
    (void)snprintf(run->id, sizeof run->id, "%016llx",
                   (unsigned long long)random_etag(runs->settings.random));
    run->id_scope_len = slice_to(run->plan.service->id_scope, sizeof run->id_scope).len;
    memcpy(run->id_scope, run->plan.service->id_scope.at, run->id_scope_len);
    run->registrations = (struct page){.table = STORE_REGISTRATION, .arena = arena_capped(PAGE_CAP)};
    run->individuals =
        (struct page){.table = STORE_ENROLLMENT, .arena = arena_capped(PAGE_CAP), .more = true};
    run->registrations.arena.wipe = true;
    run->individuals.arena.wipe = true; // keys
    run->group_arena = arena_capped(GROUPS_CAP);
    run->group_arena.wipe = true;
    run->scratch = arena_capped(SCRATCH_CAP);
    run->names = arena_capped(NAMES_CAP);
    run->report.hubs = run->hubs;
    run->timer = (struct poll_timer){.fire = next_slice, .context = run};
    map_init(&run->groups, random_etag(runs->settings.random));
    memcpy(id, run->id, sizeof run->id);
    struct err e = begin(run);
    if (failed(e)) {
        release_work(run);
        forget(run);
    }
    return e;
}

const struct dry_run_report *dry_run_find(struct dry_runs *runs, struct slice id_scope, struct slice id)
{
    for (size_t i = 0; i < DRY_RUNS_KEPT; i++) {
        struct run *run = &runs->runs[i];
        bool ended = run->used && run->report.status != DRY_RUN_RUNNING;
        int64_t age_us = ended ? clock_monotonic_us(runs->settings.clock) - run->ended_us : 0;
        if (age_us > DRY_RUN_KEPT_S * INT64_C(1000000))
            forget(run);
        if (run->used && slice_equal(slice_text(run->id), id) &&
            slice_equal(slice_of(run->id_scope, run->id_scope_len), id_scope))
            return &run->report;
    }
    return NULL;
}

// ---- all of them

struct err dry_runs_new(const struct dry_runs_settings *settings, struct dry_runs **out)
{
    struct dry_runs *runs = calloc(1, sizeof *runs);
    *out = runs;
    if (runs == NULL)
        return FAIL(ERR_NO_MEMORY);
    runs->settings = *settings;
    return OK;
}

void dry_runs_free(struct dry_runs *runs)
{
    if (runs == NULL)
        return;
    INVARIANT(!dry_runs_running(runs));
    for (size_t i = 0; i < DRY_RUNS_KEPT; i++)
        forget(&runs->runs[i]);
    free(runs);
}

bool dry_runs_running(const struct dry_runs *runs)
{
    for (size_t i = 0; i < DRY_RUNS_KEPT; i++) {
        if (runs->runs[i].used && runs->runs[i].report.status == DRY_RUN_RUNNING)
            return true;
    }
    return false;
}

// One that waits for the store ends with its answer.
void dry_runs_stop(struct dry_runs *runs, void (*idle)(void *context), void *context)
{
    runs->stopping = true;
    for (size_t i = 0; i < DRY_RUNS_KEPT; i++) {
        struct run *run = &runs->runs[i];
        if (run->used && run->report.status == DRY_RUN_RUNNING && !run->asking)
            end(run, FAIL(ERR_STOPPING), NULL);
    }
    runs->idle = idle;
    runs->idle_context = context;
    tell_idle(runs);
}

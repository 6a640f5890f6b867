// The hubs of the bench, and the gate before its store.
#include "flow/flow_hubs_test.h"

#include <stdio.h>

#include "json/json.h"

static struct hubs hubs;

struct hubs *hubs_of(void)
{
    return &hubs;
}

// ---- what is told of it
// ----------------------------------------------------------------------------------------------------

static void note(const char *what, struct slice where, const char *how)
{
    if (hubs.quiet)
        return;
    size_t at = strlen(hubs.journal);
    (void)snprintf(hubs.journal + at, sizeof hubs.journal - at, "%s%s%.*s%s%s,", what,
                   where.len > 0 ? " " : "", SLICE_ARG(where), how[0] != '\0' ? " " : "", how);
}

static bool names(struct slice hub, struct slice id, const struct identity *identity)
{
    return slice_equal(hub, slice_text(identity->hub)) && slice_equal(id, slice_text(identity->id));
}

static void look(void)
{
    const struct registration *r = &hubs.record;
    size_t count = 0;
    for (size_t i = 0; i < IDENTITIES; i++) {
        const struct identity *at = &hubs.identities[i];
        if (at->hub[0] == '\0')
            continue;
        count++;
        hubs.unnamed |= !names(r->assigned_hub, r->device_id, at) &&
                        !names(r->intended_hub, r->intended_device_id, at) &&
                        !names(r->left_hub, r->left_device_id, at);
    }
    hubs.was_assigned |= r->status == STATUS_ASSIGNED;
    hubs.none |= hubs.was_assigned && !hubs.resets && count == 0;
}

void assert_names_hold(void)
{
    assert_false(hubs.unnamed);
    assert_false(hubs.none);
    assert_false(hubs.early);
}

// ---- the power switch
// ------------------------------------------------------------------------------------------------------

// Whether this event is still done.
static bool event(void)
{
    if (hubs.dead)
        return false;
    if (++hubs.events != hubs.dies_at)
        return true;
    hubs.dead = true;
    return hubs.dies_after;
}

// ---- hubs
// -------------------------------------------------------------------------------------------------------------------

struct identity *identity_at(const char *hub, const char *id)
{
    for (size_t i = 0; i < IDENTITIES; i++) {
        if (strcmp(hubs.identities[i].hub, hub) == 0 && strcmp(hubs.identities[i].id, id) == 0)
            return &hubs.identities[i];
    }
    return NULL;
}

size_t identities(void)
{
    size_t count = 0;
    for (size_t i = 0; i < IDENTITIES; i++)
        count += hubs.identities[i].hub[0] != '\0';
    return count;
}

static void copy_text(char *to, size_t room, struct slice text)
{
    assert_true(text.len < room);
    (void)snprintf(to, room, "%.*s", SLICE_ARG(text));
}

static struct identity *make_identity(const char *hub, const char *id)
{
    for (size_t i = 0; i < IDENTITIES; i++) {
        struct identity *at = &hubs.identities[i];
        if (at->hub[0] != '\0')
            continue;
        *at = (struct identity){.made = hubs.made++};
        copy_text(at->hub, sizeof at->hub, slice_text(hub));
        copy_text(at->id, sizeof at->id, slice_text(id));
        return at;
    }
    fail_msg("too many identities");
    return NULL;
}

static void assign(const struct hub_request *request, const char *hub, const char *id)
{
    struct identity *at = identity_at(hub, id);
    if (at != NULL && request->twin_how == HUB_TWIN_RESET) {
        at->hub[0] = '\0';
        at = NULL;
    }
    if (at == NULL)
        at = make_identity(hub, id);
    at->key = request->identity.primary_key.len > 0 ? secret_slice(&request->identity.primary_key).at[0] : 0;
    if (request->identity.iot_edge != SWITCH_UNSET)
        at->edge = request->identity.iot_edge;
    if (request->twin_how != HUB_TWIN_KEEP)
        copy_text(at->twin, sizeof at->twin, request->twin);
    if (request->twin_how == HUB_TWIN_IMPORT)
        copy_text(at->reported, sizeof at->reported, request->reported);
}

// Whether the device is where the record says.
static bool has_home(void)
{
    const struct registration *r = &hubs.record;
    for (size_t i = 0; i < IDENTITIES; i++) {
        if (hubs.identities[i].hub[0] != '\0' && names(r->assigned_hub, r->device_id, &hubs.identities[i]))
            return true;
    }
    return false;
}

static void carry_out(struct hub_request *request, const char *hub, const char *id)
{
    struct identity *at = identity_at(hub, id);
    switch (request->verb) {
    case HUB_ASSIGN:
        assign(request, hub, id);
        break;
    case HUB_REMOVE:
        // what it is removed for stands, and a record says so
        hubs.early |= !has_home() || slice_equal(hubs.record.assigned_hub, slice_text(hub)) ||
                      slice_equal(hubs.record.intended_hub, slice_text(hub)) ||
                      (hubs.record.left_hub.len > 0 && hubs.record.plan_steps != PLAN_REMOVE_LEFT);
        if (at != NULL)
            at->hub[0] = '\0';
        break;
    case HUB_READ:
        request->found = at != NULL;
        if (at != NULL) {
            request->identity.iot_edge = at->edge == SWITCH_ON ? SWITCH_ON : SWITCH_OFF;
            assert_false(failed(arena_copy(request->arena, slice_text(at->twin), &request->twin)));
            assert_false(failed(arena_copy(request->arena, slice_text(at->reported), &request->reported)));
        }
        break;
    }
    look();
}

static struct trouble *trouble_of(const struct hub_request *request)
{
    for (size_t i = 0; i < TROUBLES; i++) {
        struct trouble *t = &hubs.troubles[i];
        if (t->hub != NULL && t->times != 0 && t->verb == request->verb &&
            slice_equal(request->hub->host, slice_text(t->hub)))
            return t;
    }
    return NULL;
}

static void deliver_call(struct mail *mail)
{
    struct hub_request *request = CONTAINER_OF(mail, struct hub_request, mail);
    request->done(request);
}

static void take(struct hub_connector *connector, struct hub_request *request)
{
    assert_slice(request->id_scope, SCOPE); // connectors keep services apart by it
    static const char *const verbs[] = {
        [HUB_ASSIGN] = "assign", [HUB_REMOVE] = "remove", [HUB_READ] = "read"};
    static const char *const hows[] = {[HUB_TWIN_KEEP] = "keep",
                                       [HUB_TWIN_SET] = "set",
                                       [HUB_TWIN_RESET] = "reset",
                                       [HUB_TWIN_IMPORT] = "import"};
    struct world *w = CONTAINER_OF(connector, struct world, hub);
    char hub[40], id[40];
    copy_text(hub, sizeof hub, request->hub->host);
    copy_text(id, sizeof id, request->identity.device_id);
    w->hub_calls++;
    note(verbs[request->verb], request->hub->host,
         request->verb == HUB_ASSIGN ? hows[request->twin_how] : "");
    if (hubs.before != NULL && !hubs.dead)
        hubs.before(&hubs, request);
    struct trouble *t = trouble_of(request);
    bool done = event() && (t == NULL || t->after);
    if (done)
        carry_out(request, hub, id);
    if (t != NULL) {
        request->result = t->result;
        t->times -= t->times > 0;
    }
    if (hubs.dead)
        request->result = FAIL(ERR_HUB_UNAVAILABLE);
    if (hubs.meanwhile != NULL && !hubs.dead)
        hubs.meanwhile(&hubs, request);
    request->mail.deliver = deliver_call;
    if (hubs.holds)
        w->calls[w->call_count++] = request;
    else
        mailbox_post(&w->replies, &request->mail);
}

static const struct hub_methods methods = {.submit = take};

void set_twin(const char *hub, const char *twin, const char *reported)
{
    struct identity *at = identity_at(hub, "dev1");
    assert_non_null(at);
    copy_text(at->twin, sizeof at->twin, slice_text(twin));
    copy_text(at->reported, sizeof at->reported, slice_text(reported));
}

void trouble(const char *hub, enum hub_verb verb, enum err_code code, int times, bool after)
{
    for (size_t i = 0; i < TROUBLES; i++) {
        if (hubs.troubles[i].hub != NULL)
            continue;
        hubs.troubles[i] = (struct trouble){hub, verb, FAIL(code), times, after};
        return;
    }
    fail_msg("too much trouble");
}

void no_trouble(void)
{
    memset(hubs.troubles, 0, sizeof hubs.troubles);
}

// ---- the gate before the store
// --------------------------------------------------------------------------------------------

static void keep_record(const struct registration *r)
{
    struct arena *arena = &hubs.world->arena;
    hubs.record = *r;
    struct slice *texts[] = {&hubs.record.assigned_hub, &hubs.record.device_id,
                             &hubs.record.intended_hub, &hubs.record.intended_device_id,
                             &hubs.record.left_hub,     &hubs.record.left_device_id};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(failed(arena_copy(arena, *texts[i], texts[i])));
}

static void keep_done(const struct store_request *request)
{
    size_t i = 0;
    while (i < PUTS && hubs.puts[i].request != NULL)
        i++;
    assert_true(i < PUTS);
    hubs.puts[i] = (struct put){request, request->done};
}

static void give_done_back(struct store_request *request)
{
    size_t i = 0;
    while (hubs.puts[i].request != request)
        i++;
    request->done = hubs.puts[i].done;
    hubs.puts[i].request = NULL;
}

static void put_done(struct store_request *request)
{
    give_done_back(request);
    if (!failed(request->result)) {
        keep_record(request->record);
        look();
    }
    if (hubs.dead)
        request->result = FAIL(ERR_OVERLOADED);
    request->done(request);
}

static void answer_dead(struct mail *mail)
{
    struct store_request *request = CONTAINER_OF(mail, struct store_request, mail);
    request->done(request);
}

static void pass_on(struct store_client *client, struct store_request *request)
{
    (void)client;
    bool put = request->verb == STORE_PUT && request->table == STORE_REGISTRATION;
    if (put)
        note("put", (struct slice){0}, "");
    bool done = put ? event() : !hubs.dead;
    if (!done) {
        request->result = FAIL(ERR_OVERLOADED);
        request->found = NULL;
        request->count = 0;
        request->more = false;
        request->admission = (struct store_admission){0};
        request->mail.deliver = answer_dead;
        mailbox_post(&hubs.world->replies, &request->mail);
        return;
    }
    if (put) {
        keep_done(request);
        request->done = put_done;
    }
    store_submit(hubs.behind, request);
}

static const struct store_methods gate_methods = {.submit = pass_on};

// ---- settings
// ---------------------------------------------------------------------------------------------------------------

static void reloaded(struct directory_wait *wait, struct err result)
{
    assert_false(failed(result));
    *(bool *)wait->context = true;
}

static void reload(struct world *w)
{
    bool done = false;
    struct directory_wait wait = {.loaded = reloaded, .context = &done};
    directory_reload(w->directory, &wait);
    for (int i = 0; i < 2000 && !done; i++)
        deliver(w, 5);
    assert_true(done);
}

// capacity: of the first of them
static void link_some(struct world *w, const char *letters, enum unreachable_rule unreachable,
                      uint32_t capacity)
{
    static const char *const hosts[] = {"a.hub", "b.hub", "c.hub"};
    static const char *const places[] = {"52.37,4.90", "40.71,-74.01", "35.68,139.69"};
    struct linked_hub linked[3] = {0};
    size_t count = 0;
    for (; letters[count] != '\0'; count++) {
        bool draining = letters[count] < 'a';
        int i = letters[count] - (draining ? 'A' : 'a');
        linked[count] = (struct linked_hub){.host = slice_text(hosts[i]),
                                            .kind = HUB_KIND_AZURE,
                                            .policy_name = SLICE("usher"),
                                            .policy_key = device_key(),
                                            .weight = 1,
                                            .location = slice_text(places[i]),
                                            .capacity = count == 0 ? capacity : 0,
                                            .state = draining ? HUB_DRAINING : HUB_OPEN,
                                            .allocate = true};
    }
    struct service service = {.name = SLICE("bench"),
                              .host_name = SLICE("localhost"),
                              .id_scope = SLICE(SCOPE),
                              .allocation = ALLOCATION_HASHED,
                              .unreachable = unreachable,
                              .avoid_failing_hubs = true,
                              .hubs = linked,
                              .hub_count = count,
                              .etag = ++w->next_random};
    struct buf document = buf_capped(65536);
    assert_false(failed(service_document_write(&service, &document)));
    struct service_record record = {.name = service.name,
                                    .id_scope = service.id_scope,
                                    .document = buf_slice(&document),
                                    .etag = ++w->next_random};
    struct store_request put = {
        .verb = STORE_PUT, .table = STORE_SERVICE, .key = service.name, .record = &record};
    store_do(w, &put);
    assert_false(failed(put.result));
    buf_release(&document);
    reload(w);
}

void delete_service(struct world *w)
{
    struct store_request gone = {.verb = STORE_DELETE, .table = STORE_SERVICE, .key = SLICE("bench")};
    store_do(w, &gone);
    assert_false(failed(gone.result));
    reload(w);
}

void link_hubs(struct world *w, const char *letters, enum unreachable_rule unreachable)
{
    link_some(w, letters, unreachable, 0);
}

void link_full(struct world *w, const char *letters, uint32_t capacity)
{
    link_some(w, letters, UNREACHABLE_UNSET, capacity);
}

static void enroll_with(struct world *w, const char *id, const char *letters, enum data data,
                        enum allocation_policy allocation)
{
    bool custom = allocation == ALLOCATION_CUSTOM;
    char list[100] = "[";
    for (const char *at = letters; *at != '\0'; at++) {
        size_t len = strlen(list);
        (void)snprintf(list + len, sizeof list - len, "%s\"%c.hub\"", at > letters ? "," : "", *at);
    }
    size_t end = strlen(list);
    (void)snprintf(list + end, sizeof list - end, "]");
    struct enrollment e = {.id = slice_text(id),
                           .provisioning_status = PROVISIONING_ENABLED,
                           .allocation = allocation,
                           .webhook_url = custom ? SLICE("https://function.example/allocate?code=secret")
                                                 : (struct slice){0},
                           .webhook_api_version = custom ? SLICE("2019-03-31") : (struct slice){0},
                           .hubs = slice_text(list),
                           .initial_twin = SLICE("{\"tags\":{\"initial\":1}}"),
                           .iot_edge = hubs.edge,
                           .reprovision_set = true,
                           .update_hub_assignment = data != NEVER,
                           .migrate_device_data = data == MIGRATE,
                           .etag = ++w->next_random};
    e.attestation = (struct attestation){
        .type = ATTESTATION_SYMMETRIC_KEY, .primary_key = device_key(), .secondary_key = device_key()};
    struct store_request put = {
        .verb = STORE_PUT, .table = STORE_ENROLLMENT, .partition = SLICE(SCOPE), .key = e.id, .record = &e};
    store_do(w, &put);
    assert_false(failed(put.result));
}

void enroll(struct world *w, const char *letters, enum data data)
{
    enroll_with(w, "dev1", letters, data, ALLOCATION_STATIC);
}

void enroll_other(struct world *w, const char *id, const char *letters)
{
    enroll_with(w, id, letters, MIGRATE, ALLOCATION_STATIC);
}

void enroll_near(struct world *w, const char *letters)
{
    enroll_with(w, "dev1", letters, MIGRATE, ALLOCATION_GEO_LATENCY);
}

void enroll_custom(struct world *w, const char *letters, enum data data)
{
    enroll_with(w, "dev1", letters, data, ALLOCATION_CUSTOM);
}

// ---- moving the world
// ------------------------------------------------------------------------------------------------------

static void ignore_idle(void *context)
{
    (void)context;
}

void run_down(struct world *w, int64_t ms)
{
    bool stopped = false;
    for (int i = 0; i < 5000 && flow_under_way(w->flow) > 0; i++) {
        if (hubs.dead && !stopped) {
            stopped = true;
            flow_stop(w->flow, ignore_idle, NULL);
        }
        deliver(w, 1);
        if (!hubs.dead)
            pass(w, ms);
    }
    assert_int_equal(flow_under_way(w->flow), 0);
}

void enter_dev1(struct world *w)
{
    hubs.journal[0] = '\0';
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 1);
}

void start_again(struct world *w)
{
    flow_free(w->flow);
    memset(w->timers, 0, sizeof w->timers);
    hubs.dead = false;
    hubs.dies_at = 0;
    hubs.journal[0] = '\0';
    make_flow(w);
}

void ask_from(struct world *w, const char *peer, const char *payload)
{
    struct flow_request *request = flow_request_new(w->flow);
    assert_non_null(request);
    request->payload = slice_text(payload);
    request->peer = slice_text(peer);
    struct buf token = buf_capped(4096);
    struct secret key = device_key();
    sas_sign(&token, SLICE(SCOPE "%2fregistrations%2fdev1"), T0 / 1000000 + 3600, &key,
             SLICE("registration"));
    struct slice text = {0};
    assert_false(failed(arena_copy(&request->arena, buf_slice(&token), &text)));
    buf_release(&token);
    assert_false(failed(sas_parse(text, &request->credential.sas, NULL)));
    request->credential.kind = CREDENTIAL_SAS;
    hand_over(w, request, FLOW_REGISTER, "dev1", "");
}

int hubs_setup(void **state)
{
    if (world_setup(state) != 0)
        return -1;
    struct world *w = *state;
    hubs = (struct hubs){.world = w, .behind = w->client, .gate_store = {&gate_methods}};
    hubs.gate.store = &hubs.gate_store;
    w->hub.methods = &methods;
    link_hubs(w, "abc", UNREACHABLE_UNSET);
    enroll(w, "a", MIGRATE);
    flow_free(w->flow);
    w->client = &hubs.gate;
    make_flow(w);
    return 0;
}

int hubs_teardown(void **state)
{
    struct world *w = *state;
    run_down(w, 1000);
    w->client = hubs.behind;
    return world_teardown(state);
}

// ---- what is expected

const struct registration *dev1(struct world *w)
{
    const struct registration *r = stored_registration(w, SLICE("dev1"));
    assert_non_null(r);
    return r;
}

// dev1 is at a.hub, with data of its own.
void settle_at_a(struct world *w)
{
    enter_dev1(w);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, "a.hub");
    set_twin("a.hub", "{\"tags\":{\"own\":1}}", "{\"seen\":2}");
}

void assert_is_only_at(struct world *w, const char *hub, enum registration_substatus substatus)
{
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_int_equal(r->substatus, substatus);
    assert_slice(r->assigned_hub, hub);
    assert_slice(r->device_id, "dev1");
    assert_int_equal(r->intended_hub.len, 0);
    assert_int_equal(r->left_hub.len, 0);
    assert_int_equal(r->plan_steps, 0);
    assert_non_null(identity_at(hub, "dev1"));
    assert_int_equal(identities(), 1);
    assert_names_hold();
}

void assert_has_own_data(const char *hub)
{
    assert_string_equal(identity_at(hub, "dev1")->twin, "{\"tags\":{\"own\":1}}");
    assert_string_equal(identity_at(hub, "dev1")->reported, "{\"seen\":2}");
}

void assert_has_initial_twin(const char *hub)
{
    assert_string_equal(identity_at(hub, "dev1")->twin, "{\"tags\":{\"initial\":1}}");
    assert_string_equal(identity_at(hub, "dev1")->reported, "");
}

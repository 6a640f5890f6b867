// Where an admitted device is taken, given what the records say about it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domain/decide.h"

enum {
    REFRESH = PLAN_ASSIGN_IDENTITY,
    SET_UP = PLAN_ASSIGN_IDENTITY | PLAN_SET_TWIN,
    AFRESH = PLAN_ASSIGN_IDENTITY | PLAN_SET_TWIN | PLAN_RESET,
    BRING = PLAN_ASSIGN_IDENTITY | PLAN_MIGRATE | PLAN_REMOVE_LEFT,
};

static struct linked_hub hubs[] = {
    {.host = SLICE("a.example.com"), .weight = 1, .allocate = true},
    {.host = SLICE("b.example.com"), .weight = 1, .allocate = true},
    {.host = SLICE("c.example.com"), .weight = 1, .allocate = true},
    {.host = SLICE("off.example.com"), .weight = 1, .allocate = false},
    {.host = SLICE("full.example.com"), .weight = 1, .allocate = true, .capacity = 1},
    {.host = SLICE("drain.example.com"), .weight = 1, .allocate = true, .state = HUB_DRAINING},
};
enum { HUBS = sizeof hubs / sizeof hubs[0] };
static const struct hub_condition conditions[HUBS] = {[4] = {.devices = 1}};
static struct policy no_policies[1];
// static: the first hub is a
static const struct service service = {.id_scope = SLICE("0ne1"),
                                       .allocation = ALLOCATION_STATIC,
                                       .policies = no_policies,
                                       .hubs = hubs,
                                       .hub_count = HUBS};

enum wish { ABSENT, NEVER, MIGRATE, RESET };

#define AT(hub)                                                                                              \
    {                                                                                                        \
        .id = SLICE("dev"), .status = STATUS_ASSIGNED, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT,            \
        .assigned_hub = SLICE(hub), .device_id = SLICE("Dev")                                                \
    }
#define PRIOR(...)                                                                                           \
    {                                                                                                        \
        .id = SLICE("dev"), __VA_ARGS__                                                                      \
    }
// An operation that was taking it from one hub (or from nowhere) to another.
#define GOING(from, to, steps, ...)                                                                          \
    PRIOR(.status = STATUS_ASSIGNING, .assigned_hub = SLICE(from), .device_id = SLICE("Dev"),                \
          .intended_hub = SLICE(to), .intended_device_id = SLICE("Dev"), .plan_steps = steps, __VA_ARGS__)
#define ANSWERED                                                                                             \
    {                                                                                                        \
        .hub = SLICE("b.example.com"), .payload = SLICE("{\"p\":1}")                                         \
    }
#define ANSWERED_TWIN                                                                                        \
    {                                                                                                        \
        .hub = SLICE("B.example.com"), .has_twin = true, .twin = SLICE("{\"tags\":{}}")                      \
    }
static const struct plan_case {
    const char *says;
    enum wish policy;
    const char *api_version;     // of the device
    const char *hubs;            // of the enrollment; NULL: none
    const char *device_id;       // of the enrollment
    const char *twin;            // of the enrollment
    struct custom_answer answer; // hub empty: static allocation; else custom
    struct registration prior;   // id empty: none
    // expected
    const char *hub; // NULL: ERR_NO_HUB
    const char *device;
    uint32_t steps;
    bool moves;
    enum registration_substatus substatus;
    const char *left;      // what the record names as left behind; NULL: nothing
    const char *uses_twin; // NULL: none
} plans[] = {
    // ---- for the first time
    {"never registered", .hub = "a.example.com", .device = "Dev", .steps = REFRESH,
     .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"never registered, with an initial twin", .twin = "{}", .hub = "a.example.com", .device = "Dev",
     .steps = SET_UP, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT, .uses_twin = "{}"},
    {"never registered, with a device ID", .device_id = "pump", .hub = "a.example.com", .device = "pump",
     .steps = REFRESH, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"never registered: the webhook's choice and twin count", .twin = "{}", .answer = ANSWERED_TWIN,
     .hub = "b.example.com", .device = "Dev", .steps = SET_UP, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT,
     .uses_twin = "{\"tags\":{}}"},
    {"never registered: a webhook that gives no twin leaves the enrollment's", .twin = "{}",
     .answer = ANSWERED, .hub = "b.example.com", .device = "Dev", .steps = SET_UP,
     .substatus = SUBSTATUS_INITIAL_ASSIGNMENT, .uses_twin = "{}"},
    {"failed before", .prior = PRIOR(.status = STATUS_FAILED), .hub = "a.example.com", .device = "Dev",
     .steps = REFRESH, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"disabled before", .prior = PRIOR(.status = STATUS_DISABLED), .hub = "a.example.com", .device = "Dev",
     .steps = REFRESH, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"no hub", .hubs = "[\"gone.example.com\"]"},

    // ---- never: it stays, whatever became of its hub
    {"never: stays though another hub is first", .policy = NEVER, .prior = AT("B.example.com"),
     .hub = "b.example.com", .device = "Dev", .steps = REFRESH, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"never: keeps its device ID and substatus", .policy = NEVER, .device_id = "new-name",
     .prior = PRIOR(.status = STATUS_ASSIGNED, .substatus = SUBSTATUS_DATA_MIGRATED,
                    .assigned_hub = SLICE("b.example.com"), .device_id = SLICE("old-name")),
     .hub = "b.example.com", .device = "old-name", .steps = REFRESH, .substatus = SUBSTATUS_DATA_MIGRATED},
    {"never: stays at a hub that is drained", .policy = NEVER, .prior = AT("drain.example.com"),
     .hub = "drain.example.com", .device = "Dev", .steps = REFRESH,
     .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"never: stays at a hub that the enrollment does not name", .policy = NEVER,
     .hubs = "[\"a.example.com\"]", .prior = AT("b.example.com"), .hub = "b.example.com", .device = "Dev",
     .steps = REFRESH, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"never: no webhook is asked", .policy = NEVER, .answer = ANSWERED_TWIN, .prior = AT("a.example.com"),
     .hub = "a.example.com", .device = "Dev", .steps = REFRESH, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"never: a later failure does not take it away from where it is", .policy = NEVER,
     .prior =
         PRIOR(.status = STATUS_FAILED, .assigned_hub = SLICE("b.example.com"), .device_id = SLICE("Dev")),
     .hub = "b.example.com", .device = "Dev", .steps = REFRESH, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"never: what is still to be removed elsewhere stays named", .policy = NEVER,
     .prior = PRIOR(.status = STATUS_ASSIGNED, .substatus = SUBSTATUS_DATA_MIGRATED,
                    .assigned_hub = SLICE("b.example.com"), .device_id = SLICE("Dev"),
                    .left_hub = SLICE("a.example.com"), .left_device_id = SLICE("Dev")),
     .hub = "b.example.com", .device = "Dev", .steps = REFRESH, .substatus = SUBSTATUS_DATA_MIGRATED,
     .left = "a.example.com"},

    // ---- no policy at all: old devices stay, others move with their data
    {"no policy: an old device stays", .api_version = "2018-04-01", .prior = AT("b.example.com"),
     .hub = "b.example.com", .device = "Dev", .steps = REFRESH, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"no policy: a device with a preview from before stays", .api_version = "2017-08-31-preview",
     .prior = AT("b.example.com"), .hub = "b.example.com", .device = "Dev", .steps = REFRESH,
     .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"no policy: a newer device moves", .api_version = "2018-09-01-preview", .prior = AT("b.example.com"),
     .hub = "a.example.com", .device = "Dev", .steps = BRING, .moves = true,
     .substatus = SUBSTATUS_DATA_MIGRATED, .left = "b.example.com"},
    {"no policy: a device that does not say moves", .prior = AT("b.example.com"), .hub = "a.example.com",
     .device = "Dev", .steps = BRING, .moves = true, .substatus = SUBSTATUS_DATA_MIGRATED,
     .left = "b.example.com"},
    {"a policy counts for old devices too", .policy = MIGRATE, .api_version = "2018-04-01",
     .prior = AT("b.example.com"), .hub = "a.example.com", .device = "Dev", .steps = BRING, .moves = true,
     .substatus = SUBSTATUS_DATA_MIGRATED, .left = "b.example.com"},

    // ---- migrate
    {"migrate: the same hub again", .policy = MIGRATE, .twin = "{}", .prior = AT("A.example.com"),
     .hub = "a.example.com", .device = "Dev", .steps = REFRESH, .substatus = SUBSTATUS_REPROVISIONED,
     .uses_twin = "{}"},
    {"migrate: another hub", .policy = MIGRATE, .twin = "{}", .prior = AT("b.example.com"),
     .hub = "a.example.com", .device = "Dev", .steps = BRING, .moves = true,
     .substatus = SUBSTATUS_DATA_MIGRATED, .left = "b.example.com", .uses_twin = "{}"},
    {"migrate: it keeps its device ID", .policy = MIGRATE, .device_id = "new-name",
     .prior = AT("b.example.com"), .hub = "a.example.com", .device = "Dev", .steps = BRING, .moves = true,
     .substatus = SUBSTATUS_DATA_MIGRATED, .left = "b.example.com"},
    {"migrate: stays at a hub that is full", .policy = MIGRATE,
     .hubs = "[\"full.example.com\",\"a.example.com\"]", .prior = AT("full.example.com"),
     .hub = "full.example.com", .device = "Dev", .steps = REFRESH, .substatus = SUBSTATUS_REPROVISIONED},
    {"migrate: leaves a hub that is drained", .policy = MIGRATE,
     .hubs = "[\"drain.example.com\",\"c.example.com\"]", .prior = AT("drain.example.com"),
     .hub = "c.example.com", .device = "Dev", .steps = BRING, .moves = true,
     .substatus = SUBSTATUS_DATA_MIGRATED, .left = "drain.example.com"},
    {"migrate: leaves a hub that takes no part any more", .policy = MIGRATE, .prior = AT("off.example.com"),
     .hub = "a.example.com", .device = "Dev", .steps = BRING, .moves = true,
     .substatus = SUBSTATUS_DATA_MIGRATED, .left = "off.example.com"},
    {"migrate: where the webhook says, with its data", .policy = MIGRATE, .answer = ANSWERED,
     .prior = AT("a.example.com"), .hub = "b.example.com", .device = "Dev", .steps = BRING, .moves = true,
     .substatus = SUBSTATUS_DATA_MIGRATED, .left = "a.example.com"},
    {"migrate: the webhook's twin outranks its data", .policy = MIGRATE, .answer = ANSWERED_TWIN,
     .prior = AT("a.example.com"), .hub = "b.example.com", .device = "Dev",
     .steps = AFRESH | PLAN_REMOVE_LEFT, .moves = true, .substatus = SUBSTATUS_DATA_RESET,
     .left = "a.example.com", .uses_twin = "{\"tags\":{}}"},
    {"migrate: the webhook's twin resets it where it is", .policy = MIGRATE, .answer = ANSWERED_TWIN,
     .prior = AT("b.example.com"), .hub = "b.example.com", .device = "Dev", .steps = AFRESH,
     .substatus = SUBSTATUS_DATA_RESET, .uses_twin = "{\"tags\":{}}"},
    {"migrate: no hub is left", .policy = MIGRATE, .hubs = "[\"gone.example.com\"]",
     .prior = AT("a.example.com")},
    {"migrate: stays until what it left earlier is removed", .policy = MIGRATE, .hubs = "[\"c.example.com\"]",
     .prior = PRIOR(.status = STATUS_ASSIGNED, .substatus = SUBSTATUS_DATA_MIGRATED,
                    .assigned_hub = SLICE("b.example.com"), .device_id = SLICE("Dev"),
                    .left_hub = SLICE("a.example.com"), .left_device_id = SLICE("Dev")),
     .hub = "b.example.com", .device = "Dev", .steps = REFRESH, .substatus = SUBSTATUS_DATA_MIGRATED,
     .left = "a.example.com"},
    {"migrate: goes back to the hub where it is still to be removed", .policy = MIGRATE,
     .prior =
         PRIOR(.status = STATUS_ASSIGNED, .assigned_hub = SLICE("b.example.com"), .device_id = SLICE("Dev"),
               .left_hub = SLICE("a.example.com"), .left_device_id = SLICE("Dev")),
     .hub = "a.example.com", .device = "Dev", .steps = BRING, .moves = true,
     .substatus = SUBSTATUS_DATA_MIGRATED, .left = "b.example.com"},
    {"migrate: what it left at an unlinked hub holds nobody up", .policy = MIGRATE,
     .prior =
         PRIOR(.status = STATUS_ASSIGNED, .assigned_hub = SLICE("b.example.com"), .device_id = SLICE("Dev"),
               .left_hub = SLICE("gone.example.com"), .left_device_id = SLICE("Dev")),
     .hub = "a.example.com", .device = "Dev", .steps = BRING, .moves = true,
     .substatus = SUBSTATUS_DATA_MIGRATED, .left = "b.example.com"},

    // ---- reset
    {"reset: the same hub again", .policy = RESET, .twin = "{}", .prior = AT("a.example.com"),
     .hub = "a.example.com", .device = "Dev", .steps = AFRESH, .substatus = SUBSTATUS_DATA_RESET,
     .uses_twin = "{}"},
    {"reset: another hub", .policy = RESET, .twin = "{}", .prior = AT("b.example.com"),
     .hub = "a.example.com", .device = "Dev", .steps = AFRESH | PLAN_REMOVE_LEFT, .moves = true,
     .substatus = SUBSTATUS_DATA_RESET, .left = "b.example.com", .uses_twin = "{}"},
    {"reset: without an initial twin it has none afterwards", .policy = RESET, .prior = AT("a.example.com"),
     .hub = "a.example.com", .device = "Dev", .steps = AFRESH, .substatus = SUBSTATUS_DATA_RESET},

    // ---- its hub was unlinked: assigned anew, whatever the policy
    {"unlinked: never", .policy = NEVER, .twin = "{}", .prior = AT("gone.example.com"),
     .hub = "a.example.com", .device = "Dev", .steps = SET_UP, .moves = true,
     .substatus = SUBSTATUS_DATA_RESET, .left = "gone.example.com", .uses_twin = "{}"},
    {"unlinked: migrate", .policy = MIGRATE, .prior = AT("gone.example.com"), .hub = "a.example.com",
     .device = "Dev", .steps = SET_UP, .moves = true, .substatus = SUBSTATUS_DATA_RESET,
     .left = "gone.example.com"},
    {"unlinked: reset", .policy = RESET, .device_id = "new-name", .prior = AT("gone.example.com"),
     .hub = "a.example.com", .device = "Dev", .steps = SET_UP, .moves = true,
     .substatus = SUBSTATUS_DATA_RESET, .left = "gone.example.com"},
    {"unlinked: where the webhook says, with its twin", .policy = NEVER, .answer = ANSWERED_TWIN,
     .prior = AT("gone.example.com"), .hub = "b.example.com", .device = "Dev", .steps = SET_UP, .moves = true,
     .substatus = SUBSTATUS_DATA_RESET, .left = "gone.example.com", .uses_twin = "{\"tags\":{}}"},

    // ---- an operation was under way
    {"under way: taken up", .device_id = "new-name",
     .prior = PRIOR(.status = STATUS_ASSIGNING, .intended_hub = SLICE("b.example.com"),
                    .intended_device_id = SLICE("Dev"), .plan_steps = SET_UP),
     .hub = "b.example.com", .device = "Dev", .steps = SET_UP, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"under way: taken up even if its hub is not to be used any more", .hubs = "[\"a.example.com\"]",
     .prior = PRIOR(.status = STATUS_ASSIGNING, .intended_hub = SLICE("off.example.com"),
                    .intended_device_id = SLICE("Dev"), .plan_steps = SET_UP),
     .hub = "off.example.com", .device = "Dev", .steps = SET_UP, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"under way: a refresh",
     .prior = GOING("b.example.com", "b.example.com", REFRESH, .intended_substatus = SUBSTATUS_REPROVISIONED),
     .hub = "b.example.com", .device = "Dev", .steps = REFRESH, .substatus = SUBSTATUS_REPROVISIONED},
    {"under way: one that was given up, as the hub may hold the device", .hubs = "[\"a.example.com\"]",
     .prior = PRIOR(.status = STATUS_FAILED, .intended_hub = SLICE("b.example.com"),
                    .intended_device_id = SLICE("Dev"), .plan_steps = SET_UP),
     .hub = "b.example.com", .device = "Dev", .steps = SET_UP, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"given up on the way to a hub that is drained: elsewhere, and that one is named",
     .prior = PRIOR(.status = STATUS_FAILED, .intended_hub = SLICE("drain.example.com"),
                    .intended_device_id = SLICE("Dev"), .plan_steps = SET_UP),
     .hub = "a.example.com", .device = "Dev", .steps = REFRESH, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT,
     .left = "drain.example.com"},
    {"on the way to a hub that is drained: carried on",
     .prior = PRIOR(.status = STATUS_ASSIGNING, .intended_hub = SLICE("drain.example.com"),
                    .intended_device_id = SLICE("Dev"), .plan_steps = SET_UP),
     .hub = "drain.example.com", .device = "Dev", .steps = SET_UP, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT},
    {"given up on the way to a hub that is drained, and another one is named: carried on",
     .prior = PRIOR(.status = STATUS_FAILED, .intended_hub = SLICE("drain.example.com"),
                    .intended_device_id = SLICE("Dev"), .plan_steps = SET_UP,
                    .left_hub = SLICE("c.example.com"), .left_device_id = SLICE("Dev")),
     .hub = "drain.example.com", .device = "Dev", .steps = SET_UP, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT,
     .left = "c.example.com"},
    {"under way: to a hub that was unlinked begins anew, and names what that hub may have",
     .prior = PRIOR(.status = STATUS_ASSIGNING, .intended_hub = SLICE("gone.example.com"),
                    .intended_device_id = SLICE("Dev"), .plan_steps = SET_UP),
     .hub = "a.example.com", .device = "Dev", .steps = REFRESH, .substatus = SUBSTATUS_INITIAL_ASSIGNMENT,
     .left = "gone.example.com"},
    {"under way: a move with its data", .policy = RESET, // since then
     .prior = GOING("a.example.com", "b.example.com", BRING, .left_hub = SLICE("a.example.com"),
                    .left_device_id = SLICE("Dev"), .intended_substatus = SUBSTATUS_DATA_MIGRATED),
     .hub = "b.example.com", .device = "Dev", .steps = BRING, .moves = true,
     .substatus = SUBSTATUS_DATA_MIGRATED, .left = "a.example.com"},
    {"under way: a move of which only the removal is left",
     .prior = GOING("a.example.com", "b.example.com", PLAN_REMOVE_LEFT, .left_hub = SLICE("a.example.com"),
                    .left_device_id = SLICE("Dev"), .intended_substatus = SUBSTATUS_DATA_RESET),
     .hub = "b.example.com", .device = "Dev", .steps = PLAN_REMOVE_LEFT, .moves = true,
     .substatus = SUBSTATUS_DATA_RESET, .left = "a.example.com"},
    {"under way: a move whose old hub was unlinked has no data to bring", .twin = "{}",
     .prior = GOING("gone.example.com", "b.example.com", BRING, .left_hub = SLICE("gone.example.com"),
                    .left_device_id = SLICE("Dev"), .intended_substatus = SUBSTATUS_DATA_MIGRATED),
     .hub = "b.example.com", .device = "Dev", .steps = SET_UP, .moves = true,
     .substatus = SUBSTATUS_DATA_RESET, .left = "gone.example.com", .uses_twin = "{}"},
    {"under way: a move with the twin that the webhook gave", .twin = "{}",
     .prior = GOING("a.example.com", "b.example.com", AFRESH | PLAN_REMOVE_LEFT,
                    .left_hub = SLICE("a.example.com"), .left_device_id = SLICE("Dev"),
                    .intended_substatus = SUBSTATUS_DATA_RESET, .twin = SLICE("{\"tags\":{\"w\":1}}")),
     .hub = "b.example.com", .device = "Dev", .steps = AFRESH | PLAN_REMOVE_LEFT, .moves = true,
     .substatus = SUBSTATUS_DATA_RESET, .left = "a.example.com", .uses_twin = "{\"tags\":{\"w\":1}}"},
};

static struct enrollment group_of(const struct plan_case *c)
{
    return (struct enrollment){.kind = ENROLLMENT_GROUP,
                               .id = SLICE("Group"),
                               .device_id = slice_text(c->device_id),
                               .initial_twin = slice_text(c->twin),
                               .reprovision_set = c->policy != ABSENT,
                               .update_hub_assignment = c->policy == MIGRATE || c->policy == RESET,
                               .migrate_device_data = c->policy == MIGRATE,
                               .allocation = c->answer.hub.len > 0 ? ALLOCATION_CUSTOM : ALLOCATION_STATIC,
                               .webhook_url = SLICE("https://example.com/"),
                               .hubs = slice_text(c->hubs)};
}

static bool as_expected(const struct plan_case *c, const struct decision *out)
{
    bool removes = (out->steps & PLAN_REMOVE_LEFT) != 0;
    if (out->ask || !slice_equal(out->hub->host, slice_text(c->hub)) ||
        !slice_equal(out->device_id, slice_text(c->device)) || out->steps != c->steps ||
        out->moves != c->moves || out->substatus != c->substatus)
        return false;
    if (!slice_equal_nocase(out->left_host, slice_text(c->left)) ||
        (out->left_device_id.len > 0) != (c->left != NULL))
        return false;
    // whom to ask for the data, and to remove it, is there exactly when that is to be done
    if ((out->left != NULL) != removes || (removes && !slice_equal(out->left->host, slice_text(c->left))))
        return false;
    return slice_equal(out->twin, slice_text(c->uses_twin));
}

static void check_plan(const struct plan_case *c)
{
    struct arena arena = arena_capped(65536);
    struct enrollment e = group_of(c);
    struct admission admission = {.service = &service,
                                  .registration_id = SLICE("Dev"),
                                  .api_version = slice_text(c->api_version),
                                  .conditions = conditions,
                                  .answer = c->answer.hub.len > 0 ? &c->answer : NULL,
                                  .prior = c->prior.id.len > 0 ? &c->prior : NULL};
    struct decision out = {.enrollment = &e};
    struct trace trace = {0};
    struct why why = {0};
    struct err result = decide_plan(&admission, &arena, &out, &trace, &why);
    if (c->hub == NULL) {
        assert_int_equal(result.code, ERR_NO_HUB);
        assert_non_null(strstr(why.text, "gone.example.com (not linked)"));
    } else if (failed(result) || !as_expected(c, &out)) {
        fail_msg("%s: %u %s; hub %.*s device %.*s steps %u moves %d substatus %d left %.*s twin %.*s",
                 c->says, result.code, why.text,
                 SLICE_ARG(out.hub != NULL ? out.hub->host : (struct slice){0}), SLICE_ARG(out.device_id),
                 out.steps, out.moves, out.substatus, SLICE_ARG(out.left_host), SLICE_ARG(out.twin));
    }
    assert_true(trace.count >= 2);
    arena_release(&arena);
}

static void a_device_is_taken_where_the_records_and_the_policy_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++)
        check_plan(&plans[i]);
}

// Its credentials may have changed since: the hub is told the new ones.
static void a_device_that_comes_back_during_a_removal_has_its_credentials_refreshed(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct enrollment e = {.kind = ENROLLMENT_GROUP, .id = SLICE("Group")};
    struct registration prior =
        GOING("a.example.com", "b.example.com", PLAN_REMOVE_LEFT, .left_hub = SLICE("a.example.com"),
              .left_device_id = SLICE("Dev"), .intended_substatus = SUBSTATUS_DATA_MIGRATED);
    struct admission admission = {.service = &service,
                                  .registration_id = SLICE("Dev"),
                                  .prior = &prior,
                                  .credential.kind = CREDENTIAL_SAS};
    struct decision out = {.enrollment = &e};
    assert_false(failed(decide_plan(&admission, &arena, &out, NULL, NULL)));
    assert_int_equal(out.steps, PLAN_ASSIGN_IDENTITY | PLAN_REMOVE_LEFT);
    assert_int_equal(out.substatus, SUBSTATUS_DATA_MIGRATED);
    arena_release(&arena);
}

static void an_individual_device_is_named_like_its_enrollment(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct enrollment e = {.kind = ENROLLMENT_INDIVIDUAL, .id = SLICE("DEV")};
    struct admission admission = {.service = &service, .registration_id = SLICE("dev"), .individual = &e};
    struct decision out = {.enrollment = &e};
    assert_false(failed(decide_plan(&admission, &arena, &out, NULL, NULL)));
    assert_true(slice_equal(out.device_id, SLICE("DEV")));
    arena_release(&arena);
}

static void a_webhook_is_asked_before_a_hub_is_chosen_and_its_answer_carried_out(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct enrollment e = {.kind = ENROLLMENT_GROUP,
                           .id = SLICE("Group"),
                           .hubs = SLICE("[\"b.example.com\",\"drain.example.com\",\"a.example.com\"]"),
                           .allocation = ALLOCATION_CUSTOM,
                           .webhook_url = SLICE("https://example.com/")};
    struct admission admission = {.service = &service, .registration_id = SLICE("Dev")};
    struct decision out = {.enrollment = &e};
    assert_false(failed(decide_plan(&admission, &arena, &out, NULL, NULL)));
    assert_true(out.ask);
    assert_int_equal(out.candidate_count, 2);
    assert_ptr_equal(out.candidates[0], &hubs[1]);
    assert_ptr_equal(out.candidates[1], &hubs[0]);
    assert_null(out.hub);
    assert_true(slice_equal(out.device_id, SLICE("Dev")));
    struct custom_answer answer = ANSWERED;
    admission.answer = &answer;
    assert_false(failed(decide_plan(&admission, &arena, &out, NULL, NULL)));
    assert_false(out.ask);
    assert_ptr_equal(out.hub, &hubs[1]);
    assert_true(slice_equal(out.payload, answer.payload));
    arena_release(&arena);
}

static void a_webhook_that_names_no_candidate_fails_the_registration(void **state)
{
    (void)state;
    static const char *const names[] = {"gone.example.com", "off.example.com", "drain.example.com", ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct arena arena = arena_capped(65536);
        struct custom_answer answer = {.hub = slice_text(names[i])};
        struct enrollment e = {.id = SLICE("dev"),
                               .allocation = ALLOCATION_CUSTOM,
                               .webhook_url = SLICE("https://example.com/")};
        struct admission admission = {
            .service = &service, .registration_id = SLICE("dev"), .individual = &e, .answer = &answer};
        struct decision out = {.enrollment = &e};
        struct why why = {0};
        struct err result = decide_plan(&admission, &arena, &out, NULL, &why);
        assert_int_equal(err_info(result)->number, 400207);
        assert_non_null(strstr(why.text, names[i]));
        arena_release(&arena);
    }
}

static void custom_allocation_without_a_webhook_fails_the_registration(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct enrollment e = {.id = SLICE("dev"), .allocation = ALLOCATION_CUSTOM};
    struct admission admission = {.service = &service, .registration_id = SLICE("dev"), .individual = &e};
    struct decision out = {.enrollment = &e};
    struct why why = {0};
    struct err result = decide_plan(&admission, &arena, &out, NULL, &why);
    assert_int_equal(err_info(result)->number, 400207);
    assert_non_null(strstr(why.text, "customAllocationDefinition"));
    arena_release(&arena);
}

static void a_full_trace_drops_lines_and_nothing_else(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct trace trace = {0};
    for (int i = 0; i < TRACE_MAX + 10; i++)
        trace_add(&trace, &arena, "test", "line %d", i);
    assert_int_equal(trace.count, TRACE_MAX);
    assert_true(slice_equal(trace.lines[TRACE_MAX - 1].text, SLICE("line 23")));
    trace_add(NULL, &arena, "test", "nobody listens");
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_taken_where_the_records_and_the_policy_say),
        cmocka_unit_test(a_device_that_comes_back_during_a_removal_has_its_credentials_refreshed),
        cmocka_unit_test(an_individual_device_is_named_like_its_enrollment),
        cmocka_unit_test(a_webhook_is_asked_before_a_hub_is_chosen_and_its_answer_carried_out),
        cmocka_unit_test(a_webhook_that_names_no_candidate_fails_the_registration),
        cmocka_unit_test(custom_allocation_without_a_webhook_fails_the_registration),
        cmocka_unit_test(a_full_trace_drops_lines_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Assigning, reading, removing, and what becomes of the twin, through nothing but the port.
#include "hub/conformance_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_CAP = 4 << 20, CROWD = 60, DEADLINE_MS = 5000 };
#define TWIN    "{\"tags\":{\"site\":\"north\"},\"properties\":{\"desired\":{\"every\":60}}}"
#define NO_TAGS "{\"tags\":{},\"properties\":{\"desired\":{\"every\":60}}}"
#define OTHER   "{\"tags\":{\"site\":\"south\"},\"properties\":{\"desired\":{\"mode\":{\"eco\":true}}}}"
#define EMPTY   "{\"tags\":{},\"properties\":{\"desired\":{}}}"

// --- asking
// ------------------------------------------------------------------------------------------------------------

// A request, and how it was answered.
struct asked {
    struct hub_subject *subject;
    struct hub_request request;
    struct arena arena;
    char device_id[130];
    size_t *left;
    unsigned times;
    bool inside;
    bool early;
};

static void answered(struct hub_request *request)
{
    struct asked *a = request->context;
    a->early = a->early || a->inside;
    a->times++;
    *a->left -= 1;
}

static void prepare(struct asked *a, struct hub_subject *subject, enum hub_verb verb, const char *device_id)
{
    *a = (struct asked){.subject = subject, .arena = {.cap = ARENA_CAP, .wipe = true}};
    (void)snprintf(a->device_id, sizeof a->device_id, "%s", device_id);
    a->request = (struct hub_request){
        .verb = verb,
        .hub = &subject->hub,
        .identity = {.device_id = slice_text(a->device_id), .authentication = HUB_AUTH_SAS},
        .now_us = INT64_C(1700000000) * 1000000,
        .deadline_ms = DEADLINE_MS,
        .arena = &a->arena,
        .done = answered,
        .context = a,
    };
    assert_true(secret_set(&a->request.identity.primary_key, SLICE("primary key of the dev.")));
    assert_true(secret_set(&a->request.identity.secondary_key, SLICE("secondary key of the d.")));
}

static void submit(void *argument)
{
    struct asked *a = argument;
    a->inside = true;
    hub_submit(a->subject->connector, &a->request);
    a->inside = false;
}

// Each is answered once, and never from within submit.
static void carry_out(struct asked *a, size_t count)
{
    size_t left = count;
    for (size_t i = 0; i < count; i++)
        a[i].left = &left;
    for (size_t i = 0; i < count; i++)
        a[i].subject->on_loop(a[i].subject, submit, &a[i]);
    a->subject->await(a->subject, &left);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(a[i].times, 1);
        assert_false(a[i].early);
    }
}

static void forget(struct asked *a)
{
    arena_release(&a->arena);
}

static void assert_result(const struct asked *a, enum err_code want)
{
    if (a->request.result.code != want)
        fail_msg("'%s' instead of '%s': %s", err_info(a->request.result)->name, err_info(FAIL(want))->name,
                 a->request.why.text);
}

static void assign(struct hub_subject *subject, const char *device_id, enum hub_twin how, const char *twin,
                   const char *reported)
{
    struct asked a;
    prepare(&a, subject, HUB_ASSIGN, device_id);
    a.request.twin_how = how;
    a.request.twin = slice_text(twin);
    a.request.reported = slice_text(reported);
    carry_out(&a, 1);
    assert_result(&a, ERR_NONE);
    assert_string_equal(a.request.why.text, "");
    forget(&a);
}

static void take_away(struct hub_subject *subject, const char *device_id)
{
    struct asked a;
    prepare(&a, subject, HUB_REMOVE, device_id);
    carry_out(&a, 1);
    assert_result(&a, ERR_NONE);
    forget(&a);
}

static bool same_json(struct slice a, const char *b)
{
    struct json_doc left = {0};
    struct json_doc right = {0};
    assert_false(failed(json_read(a, JSON_LIMITS_DEFAULT, &left, NULL)));
    assert_false(failed(json_read(slice_text(b), JSON_LIMITS_DEFAULT, &right, NULL)));
    bool same = json_same(json_root(&left), json_root(&right));
    json_doc_release(&left);
    json_doc_release(&right);
    return same;
}

// twin NULL: the device is not there. What a hub does not keep is not asked for.
static void assert_there(struct hub_subject *subject, const char *device_id, const char *twin,
                         const char *reported)
{
    struct asked a;
    prepare(&a, subject, HUB_READ, device_id);
    carry_out(&a, 1);
    assert_result(&a, ERR_NONE);
    assert_int_equal(a.request.found, twin != NULL);
    if (twin != NULL && subject->keeps_no_tags && strcmp(twin, TWIN) == 0)
        twin = NO_TAGS;
    if (twin != NULL && !same_json(a.request.twin, twin))
        fail_msg("the twin is %.*s and not %s", SLICE_ARG(a.request.twin), twin);
    if (twin != NULL && subject->report != NULL && !same_json(a.request.reported, reported))
        fail_msg("%.*s is reported and not %s", SLICE_ARG(a.request.reported), reported);
    forget(&a);
}

static void report(struct hub_subject *subject, const char *device_id, const char *reported)
{
    if (subject->report != NULL)
        subject->report(subject, device_id, reported);
}

// --- what holds
// --------------------------------------------------------------------------------------------------------------

static void a_device_that_is_not_there_is_read_as_such(void **state)
{
    assert_there(*state, "dev1", NULL, NULL);
}

static void an_assigned_device_is_there_with_its_first_twin(void **state)
{
    assign(*state, "dev1", HUB_TWIN_SET, TWIN, NULL);
    assert_there(*state, "dev1", TWIN, "{}");
    assert_there(*state, "Dev1", NULL, NULL); // IDs tell capital letters apart
}

static void without_an_initial_twin_both_parts_are_empty(void **state)
{
    assign(*state, "dev1", HUB_TWIN_SET, NULL, NULL);
    assert_there(*state, "dev1", EMPTY, "{}");
    assign(*state, "dev2", HUB_TWIN_KEEP, NULL, NULL);
    assert_there(*state, "dev2", EMPTY, "{}");
}

static void a_twin_that_is_kept_stays_with_what_was_reported(void **state)
{
    assign(*state, "dev1", HUB_TWIN_SET, TWIN, NULL);
    report(*state, "dev1", "{\"fan\":900}");
    assign(*state, "dev1", HUB_TWIN_KEEP, OTHER, NULL);
    assert_there(*state, "dev1", TWIN, "{\"fan\":900}");
}

static void a_twin_that_is_set_leaves_what_was_reported(void **state)
{
    struct hub_subject *subject = *state;
    assign(subject, "dev1", HUB_TWIN_SET, OTHER, NULL);
    report(subject, "dev1", "{\"fan\":900}");
    for (int again = 0; again < 2; again++) {
        assign(subject, "dev1", HUB_TWIN_SET, TWIN, NULL);
        assert_there(subject, "dev1", TWIN, "{\"fan\":900}");
    }
}

static void a_reset_leaves_nothing_of_before(void **state)
{
    struct hub_subject *subject = *state;
    assign(subject, "dev1", HUB_TWIN_SET, OTHER, NULL);
    report(subject, "dev1", "{\"fan\":900}");
    for (int again = 0; again < 2; again++) {
        assign(subject, "dev1", HUB_TWIN_RESET, TWIN, NULL);
        assert_there(subject, "dev1", TWIN, "{}");
    }
    assign(subject, "dev2", HUB_TWIN_RESET, TWIN, NULL); // one that was never there
    assert_there(subject, "dev2", TWIN, "{}");
}

static void an_imported_device_has_what_it_had(void **state)
{
    struct hub_subject *subject = *state;
    const char *had = "{\"fan\":{\"rpm\":900},\"name\":\"\xc3\xbc\\\"x\\\\\",\"ratio\":0.25}";
    for (int again = 0; again < 2; again++) {
        assign(subject, "dev1", HUB_TWIN_IMPORT, TWIN, had);
        assert_there(subject, "dev1", TWIN, had);
    }
    assign(subject, "dev1", HUB_TWIN_IMPORT, TWIN, "{\"lamp\":\"on\"}");
    assert_there(subject, "dev1", TWIN, "{\"lamp\":\"on\"}"); // nothing of an earlier stay
    assign(subject, "dev1", HUB_TWIN_IMPORT, TWIN, "{}");
    assert_there(subject, "dev1", TWIN, "{}");
    assign(subject, "dev1", HUB_TWIN_IMPORT, NULL, NULL);
    assert_there(subject, "dev1", EMPTY, "{}");
}

// What is read at one hub is taken by the next as it is.
static void what_was_read_can_be_imported(void **state)
{
    struct hub_subject *subject = *state;
    struct asked read;
    struct asked import;
    assign(subject, "dev1", HUB_TWIN_SET, TWIN, NULL);
    report(subject, "dev1", "{\"fan\":900}");
    prepare(&read, subject, HUB_READ, "dev1");
    carry_out(&read, 1);
    prepare(&import, subject, HUB_ASSIGN, "dev2");
    import.request.twin_how = HUB_TWIN_IMPORT;
    import.request.twin = read.request.twin;
    import.request.reported = read.request.reported;
    carry_out(&import, 1);
    assert_result(&import, ERR_NONE);
    assert_there(subject, "dev2", TWIN, "{\"fan\":900}");
    assert_there(subject, "dev1", TWIN, "{\"fan\":900}"); // reading changed nothing
    forget(&read);
    forget(&import);
}

static void a_removed_device_is_gone_and_leaves_nothing(void **state)
{
    struct hub_subject *subject = *state;
    assign(subject, "dev1", HUB_TWIN_SET, TWIN, NULL);
    report(subject, "dev1", "{\"fan\":900}");
    for (int again = 0; again < 2; again++) {
        take_away(subject, "dev1");
        assert_there(subject, "dev1", NULL, NULL);
    }
    assign(subject, "dev1", HUB_TWIN_KEEP, NULL, NULL);
    assert_there(subject, "dev1", EMPTY, "{}");
}

static void new_credentials_take_the_place_of_the_old_ones(void **state)
{
    struct hub_subject *subject = *state;
    static const enum hub_twin hows[] = {HUB_TWIN_KEEP, HUB_TWIN_SET, HUB_TWIN_RESET, HUB_TWIN_IMPORT};
    for (size_t i = 0; i < 4; i++) {
        struct asked a;
        prepare(&a, subject, HUB_ASSIGN, "dev1");
        struct secret old = a.request.identity.primary_key;
        assign(subject, "dev1", HUB_TWIN_KEEP, NULL, NULL);
        assert_true(subject->admits(subject, "dev1", &old));
        a.request.twin_how = hows[i];
        assert_true(secret_set(&a.request.identity.primary_key, SLICE("a key that is quite new")));
        assert_true(secret_set(&a.request.identity.secondary_key, SLICE("another that is quite n")));
        carry_out(&a, 1);
        assert_result(&a, ERR_NONE);
        assert_true(subject->admits(subject, "dev1", &a.request.identity.primary_key));
        assert_false(subject->admits(subject, "dev1", &old));
        take_away(subject, "dev1");
        assert_false(subject->admits(subject, "dev1", &a.request.identity.primary_key));
        forget(&a);
    }
}

static void a_twin_that_cannot_be_is_refused_with_a_reason(void **state)
{
    struct hub_subject *subject = *state;
    static const char *const twins[] = {"{\"tags\":", "[]{}"};
    static const enum hub_twin hows[] = {HUB_TWIN_SET, HUB_TWIN_RESET, HUB_TWIN_IMPORT};
    for (size_t i = 0; i < 6; i++) {
        struct asked a;
        prepare(&a, subject, HUB_ASSIGN, "dev1");
        a.request.twin_how = hows[i % 3];
        a.request.twin = slice_text(twins[i / 3]);
        carry_out(&a, 1);
        assert_result(&a, ERR_HUB_REFUSED);
        assert_string_not_equal(a.request.why.text, "");
        forget(&a);
    }
}

static void a_crowd_is_served(void **state)
{
    struct hub_subject *subject = *state;
    struct asked *crowd = calloc(CROWD, sizeof *crowd);
    assert_non_null(crowd);
    for (size_t i = 0; i < CROWD; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "dev%zu", i);
        prepare(&crowd[i], subject, HUB_ASSIGN, id);
        crowd[i].request.twin_how = HUB_TWIN_SET;
        crowd[i].request.twin = SLICE(TWIN);
    }
    carry_out(crowd, CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        assert_result(&crowd[i], ERR_NONE);
        forget(&crowd[i]);
    }
    assert_there(subject, "dev0", TWIN, "{}");
    assert_there(subject, "dev59", TWIN, "{}");
    free(crowd);
}

// --- trouble
// ------------------------------------------------------------------------------------------------------------

static void wrong_credentials_of_the_service_are_named_as_such(void **state)
{
    struct hub_subject *subject = *state;
    static const enum hub_verb verbs[] = {HUB_ASSIGN, HUB_READ, HUB_REMOVE};
    for (size_t i = 0; i < 3; i++) {
        struct asked a;
        prepare(&a, subject, verbs[i], "dev1");
        a.request.hub = &subject->locked;
        carry_out(&a, 1);
        assert_result(&a, ERR_HUB_UNAUTHORIZED);
        assert_string_not_equal(a.request.why.text, "");
        forget(&a);
    }
}

// Whatever was asked: it is not known, nothing is found, and trying again is allowed.
static void a_hub_that_does_not_answer_is_unavailable_in_time(void **state)
{
    struct hub_subject *subject = *state;
    static const enum hub_verb verbs[] = {HUB_ASSIGN, HUB_READ, HUB_REMOVE};
    for (size_t i = 0; i < 3; i++) {
        struct asked a;
        prepare(&a, subject, verbs[i], "dev1");
        a.request.hub = &subject->nowhere;
        a.request.deadline_ms = 500;
        carry_out(&a, 1); // await gives up long after the deadline
        assert_result(&a, ERR_HUB_UNAVAILABLE);
        assert_false(a.request.found);
        assert_string_not_equal(a.request.why.text, "");
        forget(&a);
    }
    assign(subject, "dev1", HUB_TWIN_SET, TWIN, NULL); // the other hub has nothing to do with it
}

// --- running
// ------------------------------------------------------------------------------------------------------------

static struct hub_subject *running;

static int setup(void **state)
{
    running->begin(running);
    *state = running;
    return 0;
}

static int teardown(void **state)
{
    struct hub_subject *subject = *state;
    subject->end(subject);
    return 0;
}

#define HOLDS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

// A test that makes no sense for a subject is not among those that run: they are the last.
int hub_conformance(struct hub_subject *subject)
{
    const struct CMUnitTest tests[] = {
        HOLDS(a_device_that_is_not_there_is_read_as_such),
        HOLDS(an_assigned_device_is_there_with_its_first_twin),
        HOLDS(without_an_initial_twin_both_parts_are_empty),
        HOLDS(a_twin_that_is_kept_stays_with_what_was_reported),
        HOLDS(a_twin_that_is_set_leaves_what_was_reported),
        HOLDS(a_reset_leaves_nothing_of_before),
        HOLDS(an_imported_device_has_what_it_had),
        HOLDS(what_was_read_can_be_imported),
        HOLDS(a_removed_device_is_gone_and_leaves_nothing),
        HOLDS(new_credentials_take_the_place_of_the_old_ones),
        HOLDS(a_twin_that_cannot_be_is_refused_with_a_reason),
        HOLDS(a_crowd_is_served),
        HOLDS(wrong_credentials_of_the_service_are_named_as_such),
        HOLDS(a_hub_that_does_not_answer_is_unavailable_in_time),
    };
    enum { ALL = sizeof tests / sizeof tests[0], IN_OUR_STORE = ALL - 2 };
    running = subject;
    return _cmocka_run_group_tests(subject->name, tests, subject->in_our_store ? IN_OUR_STORE : ALL, NULL,
                                   NULL);
}

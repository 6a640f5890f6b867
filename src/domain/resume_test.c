// An operation that a restart interrupted goes on, or ends, by what the records say.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/keys.h"
#include "domain/decide.h"

enum { SET_UP = PLAN_ASSIGN_IDENTITY | PLAN_SET_TWIN };

static struct linked_hub hubs[] = {
    {.host = SLICE("a.example.com"), .weight = 1, .allocate = true},
    {.host = SLICE("b.example.com"), .weight = 1, .allocate = true},
    {.host = SLICE("off.example.com"), .weight = 1, .allocate = false},
};
static struct policy no_policies[1];
static const struct service service = {.id_scope = SLICE("0ne1"),
                                       .allocation = ALLOCATION_STATIC,
                                       .policies = no_policies,
                                       .hubs = hubs,
                                       .hub_count = 3};

struct resume {
    struct arena arena;
    struct enrollment group;
    const struct enrollment *list[1];
    struct registration prior;
    struct admission admission;
    struct decision out;
    struct why why;
};

static struct resume *resume_set_up(void)
{
    static struct resume r;
    r = (struct resume){.arena = arena_capped(65536)};
    r.group = (struct enrollment){.kind = ENROLLMENT_GROUP,
                                  .id = SLICE("Group"),
                                  .attestation = {.type = ATTESTATION_SYMMETRIC_KEY,
                                                  .primary_key = {.bytes = {1}, .len = 16},
                                                  .secondary_key = {.bytes = {2}, .len = 16}}};
    r.list[0] = &r.group;
    r.prior = (struct registration){.id = SLICE("dev"),
                                    .status = STATUS_ASSIGNING,
                                    .enrollment_kind = ENROLLMENT_GROUP,
                                    .enrollment_id = SLICE("group"),
                                    .intended_hub = SLICE("b.example.com"),
                                    .intended_device_id = SLICE("Dev"),
                                    .plan_steps = SET_UP};
    r.admission = (struct admission){.service = &service,
                                     .registration_id = SLICE("dev"),
                                     .groups = r.list,
                                     .group_count = 1,
                                     .prior = &r.prior};
    return &r;
}

static uint32_t resume(struct resume *r)
{
    struct err e = decide_resume(&r->admission, &r->arena, &r->out, NULL, &r->why);
    assert_int_equal(r->out.primary_key.len > 0, !failed(e));
    assert_int_equal(r->why.text[0] != '\0', failed(e));
    arena_release(&r->arena);
    return e.code;
}

static void an_interrupted_operation_goes_on_with_the_keys_the_device_has(void **state)
{
    (void)state;
    struct resume *r = resume_set_up();
    struct secret key;
    struct err e = decide_resume(&r->admission, &r->arena, &r->out, NULL, &r->why);
    assert_false(failed(e));
    assert_ptr_equal(r->out.hub, &hubs[1]);
    assert_true(slice_equal(r->out.device_id, SLICE("Dev")));
    assert_int_equal(r->out.steps, SET_UP);
    // the device signs as Dev, though the record is kept under dev
    assert_false(failed(key_derive(&r->group.attestation.primary_key, SLICE("Dev"), &key)));
    assert_true(secret_equal(&r->out.primary_key, &key));
    arena_release(&r->arena);
}

// The device is not there to show its certificate again, and may have another one by now: what it proved then
// is what was written down.
static void an_interrupted_operation_goes_on_with_the_thumbprints_that_were_written_down(void **state)
{
    (void)state;
    struct resume *r = resume_set_up();
    r->group.attestation = (struct attestation){.type = ATTESTATION_X509};
    r->prior.primary_thumbprint = SLICE("AA");
    r->prior.secondary_thumbprint = SLICE("BB");
    r->admission.group_count = 0; // only those with keys are found for a device that shows nothing
    r->admission.former = &r->group;
    assert_false(failed(decide_resume(&r->admission, &r->arena, &r->out, NULL, &r->why)));
    assert_int_equal(r->out.authentication, HUB_AUTH_SELF_SIGNED);
    assert_true(slice_equal(r->out.primary_thumbprint, SLICE("AA")));
    assert_true(slice_equal(r->out.secondary_thumbprint, SLICE("BB")));
    assert_int_equal(r->out.primary_key.len, 0);
    assert_true(slice_equal(r->out.device_id, SLICE("Dev")));
    assert_ptr_equal(r->out.hub, &hubs[1]);
    arena_release(&r->arena);
    // an individual one, pinned or not
    r = resume_set_up();
    struct enrollment individual = {.id = SLICE("dev"), .attestation.type = ATTESTATION_X509};
    r->prior.enrollment_kind = ENROLLMENT_INDIVIDUAL;
    r->prior.enrollment_id = SLICE("dev");
    r->prior.primary_thumbprint = SLICE("AA");
    r->admission.individual = &individual;
    assert_false(failed(decide_resume(&r->admission, &r->arena, &r->out, NULL, &r->why)));
    assert_true(slice_equal(r->out.primary_thumbprint, SLICE("AA")));
    assert_true(slice_equal(r->out.secondary_thumbprint, SLICE("AA")));
    arena_release(&r->arena);
}

// A TPM device gets the key that was written down, wrapped for its TPM, when it asks again.
static void an_interrupted_operation_goes_on_with_the_hub_key_that_was_written_down(void **state)
{
    (void)state;
    struct resume *r = resume_set_up();
    r->group.attestation =
        (struct attestation){.type = ATTESTATION_TPM, .certificate_role = CERTIFICATE_CA_REFERENCE};
    r->prior.hub_key = (struct secret){.bytes = {7}, .len = 32};
    r->admission.group_count = 0;
    r->admission.former = &r->group;
    assert_false(failed(decide_resume(&r->admission, &r->arena, &r->out, NULL, &r->why)));
    assert_int_equal(r->out.authentication, HUB_AUTH_SAS);
    assert_true(r->out.fresh_key);
    assert_false(r->out.challenge);
    assert_true(secret_equal(&r->out.primary_key, &r->prior.hub_key));
    assert_int_equal(r->out.primary_thumbprint.len, 0);
    assert_true(slice_equal(r->out.device_id, SLICE("Dev")));
    arena_release(&r->arena);
}

static void an_interrupted_operation_of_a_tpm_device_ends_when_its_ground_is_gone(void **state)
{
    (void)state;
    struct resume *r = resume_set_up();
    r->prior.hub_key = (struct secret){.bytes = {7}, .len = 32}; // but the group has keys now
    r->admission.former = &r->group;
    assert_int_equal(resume(r), ERR_ENROLLMENT_NOT_FOUND);
    assert_non_null(strstr(r->why.text, "no longer has a TPM"));
    r = resume_set_up(); // the other way round: it proved itself with a key
    r->group.attestation = (struct attestation){.type = ATTESTATION_TPM};
    r->admission.former = &r->group;
    assert_int_equal(resume(r), ERR_ENROLLMENT_NOT_FOUND);
    assert_non_null(strstr(r->why.text, "no longer has symmetric keys"));
    r = resume_set_up();
    r->prior.hub_key = (struct secret){.bytes = {7}, .len = 32};
    r->group.attestation = (struct attestation){.type = ATTESTATION_TPM};
    r->group.provisioning_status = PROVISIONING_DISABLED;
    r->admission.former = &r->group;
    assert_int_equal(resume(r), ERR_ENROLLMENT_DISABLED);
    assert_false(r->out.fresh_key);
}

static void an_interrupted_operation_of_an_x509_device_ends_when_its_ground_is_gone(void **state)
{
    (void)state;
    struct resume *r = resume_set_up();
    r->prior.primary_thumbprint = SLICE("AA"); // but the group has keys now
    r->admission.former = &r->group;
    assert_int_equal(resume(r), ERR_ENROLLMENT_NOT_FOUND);
    assert_non_null(strstr(r->why.text, "no longer has certificates"));
    r = resume_set_up();
    r->prior.primary_thumbprint = SLICE("AA");
    r->group.attestation = (struct attestation){.type = ATTESTATION_X509};
    r->group.provisioning_status = PROVISIONING_DISABLED;
    r->admission.former = &r->group;
    assert_int_equal(resume(r), ERR_ENROLLMENT_DISABLED);
    assert_int_equal(r->out.primary_thumbprint.len, 0);
}

// After a breach an operator replaces the certificate; an operation that was under way must not give the old
// one to the hub afterwards (service-api E.4).
static void an_interrupted_operation_does_not_bring_back_a_certificate_that_was_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *primary;
        const char *secondary;
        const char *other; // what the hub takes besides: SHA-256 begins so; NULL: the operation ends
    } cases[] = {
        {"old", "old", "CBA06B57"},
        {"old", "new", "11507A0E"},
        {"new", "old", "11507A0E"}, // rolled
        {"new", "new", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct resume *r = resume_set_up();
        struct enrollment individual = {
            .id = SLICE("dev"),
            .attestation = {.type = ATTESTATION_X509,
                            .certificate_role = CERTIFICATE_CLIENT,
                            .primary_certificate = slice_text(cases[i].primary),
                            .secondary_certificate = slice_text(cases[i].secondary)}};
        r->prior.enrollment_kind = ENROLLMENT_INDIVIDUAL;
        r->prior.enrollment_id = SLICE("dev");
        r->prior.secondary_thumbprint = SLICE("of another one that is gone");
        r->prior.primary_thumbprint = // SHA-256 of "old"
            SLICE("CBA06B5736FAF67E54B07B561EAE94395E774C517A7D910A54369E1263CCFBD4");
        r->admission.individual = &individual;
        uint32_t code = decide_resume(&r->admission, &r->arena, &r->out, NULL, &r->why).code;
        if (code != (cases[i].other != NULL ? ERR_NONE : ERR_ENROLLMENT_NOT_FOUND))
            fail_msg("case %zu: %s", i, err_info(FAIL(code))->name);
        assert_int_equal(r->out.primary_thumbprint.len > 0, code == ERR_NONE);
        if (cases[i].other != NULL)
            assert_true(slice_starts_with(r->out.secondary_thumbprint, slice_text(cases[i].other)));
        arena_release(&r->arena);
    }
}

// How an operator takes one device out of a group: by a disabled enrollment of its own.
static void an_interrupted_operation_of_a_group_device_ends_when_that_device_was_blocked(void **state)
{
    (void)state;
    struct resume *r = resume_set_up();
    struct enrollment individual = {.id = SLICE("dev"),
                                    .attestation.type = ATTESTATION_X509,
                                    .provisioning_status = PROVISIONING_DISABLED};
    r->admission.individual = &individual;
    assert_int_equal(resume(r), ERR_ENROLLMENT_DISABLED);
    assert_non_null(strstr(r->why.text, "individual enrollment dev"));
}

static void an_interrupted_operation_ends_when_its_ground_is_gone(void **state)
{
    (void)state;
    struct resume *r = resume_set_up();
    r->admission.group_count = 0;
    assert_int_equal(resume(r), ERR_ENROLLMENT_NOT_FOUND);
    r = resume_set_up();
    r->prior.enrollment_id = SLICE("another");
    assert_int_equal(resume(r), ERR_ENROLLMENT_NOT_FOUND);
    r = resume_set_up();
    r->group.attestation.type = ATTESTATION_X509;
    assert_int_equal(resume(r), ERR_ENROLLMENT_NOT_FOUND);
    r = resume_set_up();
    r->group.provisioning_status = PROVISIONING_DISABLED;
    assert_int_equal(resume(r), ERR_ENROLLMENT_DISABLED);
    r = resume_set_up();
    r->prior.intended_hub = SLICE("gone.example.com");
    assert_int_equal(resume(r), ERR_NO_HUB);
}

// The device was waiting for a webhook when the daemon stopped: nothing was chosen yet.
static void an_interrupted_question_is_asked_again_and_its_answer_carried_out(void **state)
{
    (void)state;
    struct resume *r = resume_set_up();
    struct secret key;
    r->group.allocation = ALLOCATION_CUSTOM;
    r->group.webhook_url = SLICE("https://example.com/");
    r->prior.intended_hub = (struct slice){0};
    r->prior.plan_steps = 0;
    assert_false(failed(decide_resume(&r->admission, &r->arena, &r->out, NULL, &r->why)));
    assert_true(r->out.ask);
    assert_int_equal(r->out.candidate_count, 2);
    struct custom_answer answer = {.hub = SLICE("b.example.com")};
    r->admission.answer = &answer;
    assert_false(failed(decide_resume(&r->admission, &r->arena, &r->out, NULL, &r->why)));
    assert_false(r->out.ask);
    assert_ptr_equal(r->out.hub, &hubs[1]);
    assert_int_equal(r->out.steps, PLAN_ASSIGN_IDENTITY);
    assert_int_equal(r->out.substatus, SUBSTATUS_INITIAL_ASSIGNMENT);
    // as the device spells itself
    assert_true(slice_equal(r->out.device_id, SLICE("Dev")));
    assert_false(failed(key_derive(&r->group.attestation.primary_key, SLICE("Dev"), &key)));
    assert_true(secret_equal(&r->out.primary_key, &key));
    arena_release(&r->arena);
}

static void an_interrupted_question_about_a_device_that_is_somewhere_moves_it_with_its_data(void **state)
{
    (void)state;
    struct resume *r = resume_set_up();
    struct custom_answer answer = {.hub = SLICE("b.example.com")};
    r->group.allocation = ALLOCATION_CUSTOM;
    r->group.webhook_url = SLICE("https://example.com/");
    r->prior.intended_hub = (struct slice){0};
    r->prior.plan_steps = 0;
    r->prior.assigned_hub = SLICE("a.example.com");
    r->prior.device_id = SLICE("Dev");
    r->admission.answer = &answer;
    assert_false(failed(decide_resume(&r->admission, &r->arena, &r->out, NULL, &r->why)));
    assert_ptr_equal(r->out.hub, &hubs[1]);
    assert_ptr_equal(r->out.left, &hubs[0]);
    assert_int_equal(r->out.steps, PLAN_ASSIGN_IDENTITY | PLAN_MIGRATE | PLAN_REMOVE_LEFT);
    arena_release(&r->arena);
}

static void an_interrupted_removal_goes_on_though_the_device_is_not_there(void **state)
{
    (void)state;
    struct resume *r = resume_set_up();
    r->prior.assigned_hub = SLICE("a.example.com");
    r->prior.device_id = SLICE("Dev");
    r->prior.left_hub = SLICE("a.example.com");
    r->prior.left_device_id = SLICE("Dev");
    r->prior.plan_steps = PLAN_REMOVE_LEFT;
    r->prior.intended_substatus = SUBSTATUS_DATA_MIGRATED;
    r->admission.credential.kind = CREDENTIAL_SAS; // of the call that began it
    assert_false(failed(decide_resume(&r->admission, &r->arena, &r->out, NULL, &r->why)));
    assert_int_equal(r->out.steps, PLAN_REMOVE_LEFT);
    assert_ptr_equal(r->out.left, &hubs[0]);
    assert_true(slice_equal(r->out.left_device_id, SLICE("Dev")));
    assert_int_equal(r->out.substatus, SUBSTATUS_DATA_MIGRATED);
    arena_release(&r->arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupted_operation_goes_on_with_the_keys_the_device_has),
        cmocka_unit_test(an_interrupted_operation_goes_on_with_the_thumbprints_that_were_written_down),
        cmocka_unit_test(an_interrupted_operation_goes_on_with_the_hub_key_that_was_written_down),
        cmocka_unit_test(an_interrupted_operation_of_a_tpm_device_ends_when_its_ground_is_gone),
        cmocka_unit_test(an_interrupted_operation_of_an_x509_device_ends_when_its_ground_is_gone),
        cmocka_unit_test(an_interrupted_operation_does_not_bring_back_a_certificate_that_was_replaced),
        cmocka_unit_test(an_interrupted_operation_of_a_group_device_ends_when_that_device_was_blocked),
        cmocka_unit_test(an_interrupted_operation_ends_when_its_ground_is_gone),
        cmocka_unit_test(an_interrupted_question_is_asked_again_and_its_answer_carried_out),
        cmocka_unit_test(an_interrupted_question_about_a_device_that_is_somewhere_moves_it_with_its_data),
        cmocka_unit_test(an_interrupted_removal_goes_on_though_the_device_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// The table of errors holds together: what a device, an operator and a log are told about an error agrees.
#include "base/err.h"
#include "base/testing.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void every_error_has_a_name_of_its_own_and_a_sentence(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ERR_COUNT; i++) {
        const struct err_info *row = err_info(FAIL(i));
        assert_true(row->name != NULL && row->name[0] != 0);
        assert_true(row->sentence != NULL && row->sentence[0] != 0);
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(row->name, err_info(FAIL(j))->name);
    }
}

static void the_error_number_begins_with_the_http_status(void **state)
{
    (void)state;
    // DPS and hub numbers are the HTTP status and three digits
    for (uint32_t i = ERR_NONE + 1; i < ERR_COUNT; i++) {
        const struct err_info *row = err_info(FAIL(i));
        if (row->number / 1000 != row->http)
            fail_msg("%s: status %u, number %u", row->name, row->http, row->number);
    }
}

static void the_class_agrees_with_the_status(void **state)
{
    (void)state;
    for (uint32_t i = ERR_NONE + 1; i < ERR_COUNT; i++) {
        const struct err_info *row = err_info(FAIL(i));
        bool agrees = row->class == ERR_CLASS_AUTH     ? row->http == 401 || row->http == 403
                      : row->class == ERR_CLASS_ABSENT ? row->http == 404
                      : row->class == ERR_CLASS_BUSY   ? row->http == 429 || row->http >= 500
                                                       : row->http >= 400;
        if (!agrees)
            fail_msg("%s: class %d, status %u", row->name, (int)row->class, row->http);
        assert_in_range(row->connack, 1, 5);
        assert_true(row->amqp[0] != 0);
    }
}

static void a_failed_proof_tells_a_device_nothing_about_what_exists(void **state)
{
    (void)state;
    static const uint32_t same[] = {ERR_CREDENTIAL_MISSING, ERR_SAS_MALFORMED,    ERR_SAS_SIGNATURE,
                                    ERR_SAS_EXPIRED,        ERR_SCOPE_UNKNOWN,    ERR_REGISTRATION_UNKNOWN,
                                    ERR_ATTESTATION_TYPE,   ERR_IDENTITY_MISMATCH};
    const struct err_info *first = err_info(FAIL(same[0]));
    for (size_t i = 1; i < sizeof same / sizeof *same; i++) {
        const struct err_info *row = err_info(FAIL(same[i]));
        assert_string_equal(row->sentence, first->sentence);
        assert_int_equal(row->number, first->number);
        assert_int_equal(row->http, first->http);
    }
}

static void an_unknown_code_is_an_internal_error(void **state)
{
    (void)state;
    assert_string_equal(err_info(FAIL(ERR_COUNT))->name, "internal");
    assert_string_equal(err_info(FAIL(UINT32_MAX))->name, "internal");
    assert_false(failed(OK));
    assert_true(failed(FAIL(ERR_INTERNAL)));
}

static struct err passes_on(struct err e, bool *reached)
{
    TRY(e);
    *reached = true;
    return OK;
}

static void try_returns_the_error_and_only_an_error(void **state)
{
    (void)state;
    bool reached = false;
    assert_int_equal(passes_on(FAIL(ERR_QUERY), &reached).code, ERR_QUERY);
    assert_false(reached);
    assert_false(failed(passes_on(OK, &reached)));
    assert_true(reached);
}

static void a_reason_is_cut_to_fit_and_may_be_left_out(void **state)
{
    (void)state;
    struct why why;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(why_fail(&why, ERR_INVALID, "%s", text).code, ERR_INVALID);
    assert_int_equal(strlen(why.text), sizeof why.text - 1);
    assert_int_equal(why_fail(NULL, ERR_INVALID, "%s", text).code, ERR_INVALID);
}

static void a_broken_invariant_ends_the_process(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        INVARIANT(1 + 1 == 3);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_name_of_its_own_and_a_sentence),
        cmocka_unit_test(the_error_number_begins_with_the_http_status),
        cmocka_unit_test(the_class_agrees_with_the_status),
        cmocka_unit_test(a_failed_proof_tells_a_device_nothing_about_what_exists),
        cmocka_unit_test(an_unknown_code_is_an_internal_error),
        cmocka_unit_test(try_returns_the_error_and_only_an_error),
        cmocka_unit_test(a_reason_is_cut_to_fit_and_may_be_left_out),
        cmocka_unit_test(a_broken_invariant_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

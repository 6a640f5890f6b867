// usher dry-run: what is asked, and what people are told.
#include "cli/run_test.h"

#define STARTED ANSWER("202 Accepted", "", "{\"id\":\"00ff\",\"status\":\"running\"}")

static void it_waits_until_all_were_looked_at_and_shows_who_moves(void **state)
{
    (void)state;
    fake.answers[0] = STARTED;
    fake.answers[1] = ANSWER("200 OK", "", "{\"status\":\"running\",\"done\":10,\"total\":80000}");
    fake.answers[2] =
        ANSWER("200 OK", "",
               "{\"status\":\"done\",\"done\":80000,\"total\":80000,\"registrations\":80000,"
               "\"stay\":76885,\"move\":3112,\"assign\":0,\"refused\":3,\"unknown\":0,\"hubs\":{"
               "\"a.test\":{\"now\":40000,\"arrive\":0,\"leave\":3112,\"then\":36888},"
               "\"b.test\":{\"now\":40000,\"arrive\":3112,\"leave\":0,\"then\":43112}}}");
    assert_int_equal(RUN("--service", "s", "dry-run", "--hub", "b.test", "--weight", "2", "--state", "open",
                         "--allocation", "hashed"),
                     0);
    assert_int_equal(fake.served, 3);
    assert_has(fake.requests[0], "POST /control/services/s/dryRuns?");
    assert_has(fake.requests[0],
               "\r\n\r\n{\"linkedHubs\":{\"b.test\":{\"allocationWeight\":2,\"state\":\"open\"}},"
               "\"service\":{\"allocationPolicy\":\"hashed\"}}");
    assert_has(fake.requests[2], "GET /control/services/s/dryRuns/00ff?");
    assert_has(printed(), "3,112 of 80,000 move, by hub\n\n"
                          "HUB     NOW     ARRIVE  LEAVE  THEN\n"
                          "a.test  40,000  0       3,112  36,888\n"
                          "b.test  40,000  3,112   0      43,112\n"
                          "3 would be refused");
    assert_null(strstr(printed(), "webhook"));
}

static void unlinking_is_asked_as_null(void **state)
{
    (void)state;
    fake.answers[0] = STARTED;
    fake.answers[1] = ANSWER("200 OK", "", "{\"status\":\"done\",\"hubs\":{}}");
    assert_int_equal(RUN("--service", "s", "--json", "dry-run", "--hub", "b.test", "--unlink"), 0);
    assert_has(fake.requests[0], "\r\n\r\n{\"linkedHubs\":{\"b.test\":null}}");
    assert_slice(buf_slice(&cli.out), "{\"status\":\"done\",\"hubs\":{}}\n");
}

static void a_run_that_fails_says_why(void **state)
{
    (void)state;
    fake.answers[0] = STARTED;
    fake.answers[1] = ANSWER("200 OK", "", "{\"status\":\"failed\",\"reason\":\"Timed out.\"}");
    assert_int_equal(RUN("--service", "s", "dry-run"), 1);
    assert_trouble("the dry run failed: Timed out.");
}

static void options_that_do_not_go_together_are_refused_before_anything_is_asked(void **state)
{
    (void)state;
    static const char *const lines[][8] = {
        {"usher", "dry-run", "--weight", "2", NULL},
        {"usher", "dry-run", "--unlink", NULL},
        {"usher", "dry-run", "--hub", "h", NULL},
        {"usher", "dry-run", "--hub", "h", "--unlink", "--weight", "2", NULL},
        {"usher", "dry-run", "--hub", "h", "--weight", "0", NULL},
        {"usher", "dry-run", "--file", "f", "--allocation", "static", NULL},
    };
    for (size_t i = 0; i < CLI_COUNT(lines); i++) {
        int count = 0;
        while (lines[i][count] != NULL)
            count++;
        buf_clear(&trouble);
        assert_int_equal(cli_run(&cli, count, lines[i], &trouble), 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_waits_until_all_were_looked_at_and_shows_who_moves),
        TEST(unlinking_is_asked_as_null),
        TEST(a_run_that_fails_says_why),
        TEST(options_that_do_not_go_together_are_refused_before_anything_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Hubs of several makes, their states, and services: what is asked of usherd, what is printed, what is
// refused before anything is asked.
#include "cli/run_test.h"

#define HUB_ANSWER                                                                                           \
    ANSWER("200 OK", "",                                                                                     \
           "{\"name\":\"b.test\",\"kind\":\"mosquitto\",\"state\":\"draining\",\"allocationWeight\":null,"   \
           "\"applyAllocationPolicy\":null,\"capacity\":500,\"devices\":12,\"location\":null,"               \
           "\"connectionString\":\"HostName=b.test;UserName=u;Password=****\","                              \
           "\"health\":{\"state\":\"failing\",\"since\":\"2026-01-01\",\"reason\":\"refused\"}}")

static void a_broker_is_linked_by_its_user_and_password(void **state)
{
    (void)state;
    fake.answers[0] = HUB_ANSWER;
    assert_int_equal(RUN("--service", "s", "hub", "link", "b.test", "--mosquitto", "--user", "u",
                         "--password", "p=1", "--capacity", "500", "--location", "52.4,4.9", "--weight", "3"),
                     0);
    assert_has(fake.requests[0], "PUT /control/services/s/linkedHubs/b.test?");
    assert_has(fake.requests[0],
               "\r\n\r\n{\"name\":\"b.test\",\"kind\":\"mosquitto\",\"connectionString\":"
               "\"HostName=b.test;UserName=u;Password=p=1\",\"allocationWeight\":3,\"capacity\":500,"
               "\"location\":\"52.4,4.9\"}");
    assert_has(printed(), "kind               mosquitto\n");
    assert_has(printed(), "state              draining\n");
    assert_has(printed(), "weight             1\n");
    assert_has(printed(), "devices            12\n");
    assert_has(printed(), "health             failing\n");
    assert_has(printed(), "because            refused\n");
}

static void a_hub_is_changed_only_where_asked(void **state)
{
    (void)state;
    fake.answers[0] = HUB_ANSWER;
    fake.answers[1] = HUB_ANSWER;
    assert_int_equal(RUN("--service", "s", "hub", "update", "b.test", "--capacity", "none", "--location",
                         "none", "--calls-per-minute", "60", "--secondary-connection-string", "none",
                         "--allocation"),
                     0);
    assert_has(fake.requests[0], "GET /control/services/s/linkedHubs/b.test?");
    assert_has(fake.requests[1], "\r\n\r\n{\"name\":\"b.test\",\"secondaryConnectionString\":null,"
                                 "\"applyAllocationPolicy\":true,\"capacity\":null,"
                                 "\"callsPerMinute\":60,\"location\":null}");
}

static void a_hub_is_cordoned_drained_and_opened(void **state)
{
    (void)state;
    static const char *const verbs[][2] = {{"cordon", "cordoned"}, {"drain", "draining"}, {"open", "open"}};
    for (size_t i = 0; i < CLI_COUNT(verbs); i++) {
        char body[64];
        fake = (struct fake_usherd){.listener = -1};
        fake.answers[0] = HUB_ANSWER;
        fake.answers[1] = HUB_ANSWER;
        assert_int_equal(RUN("--service", "s", "hub", verbs[i][0], "b.test"), 0);
        (void)snprintf(body, sizeof body, "\r\n\r\n{\"state\":\"%s\"}", verbs[i][1]);
        assert_has(fake.requests[1], body);
    }
}

static void a_hub_that_is_not_linked_is_not_linked_by_draining_it(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("404 Not Found", "", "{\"errorCode\":404206,\"message\":\"No such hub.\"}");
    assert_int_equal(RUN("--service", "s", "hub", "drain", "x.test"), 1);
    assert_trouble("No such hub.");
    assert_int_equal(fake.served, 1);
}

static void the_list_shows_state_and_health(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "",
                             "{\"value\":[{\"name\":\"a.test\",\"kind\":\"azure\",\"state\":\"open\","
                             "\"location\":\"westeurope\",\"health\":{\"state\":\"well\"}},"
                             "{\"name\":\"b.test\",\"kind\":\"embedded\",\"state\":\"cordoned\","
                             "\"allocationWeight\":4,\"applyAllocationPolicy\":false,\"capacity\":9}]}");
    assert_int_equal(RUN("--service", "s", "hub", "list"), 0);
    assert_slice(buf_slice(&cli.out),
                 "HUB     KIND      STATE     WEIGHT  ALLOCATE  CAPACITY  LOCATION    HEALTH\n"
                 "a.test  azure     open      1       yes       -         westeurope  well\n"
                 "b.test  embedded  cordoned  4       no        9         -           -\n");
}

static void hubs_described_in_two_ways_or_none_are_refused_before_anything_is_asked(void **state)
{
    (void)state;
    static const char *const lines[][10] = {
        {"usher", "hub", "link", "h", NULL},
        {"usher", "hub", "link", "h", "--embedded", "--connection-string", "x", NULL},
        {"usher", "hub", "link", "h", "--embedded", "--mosquitto", "--user", "u", "--password", "p"},
        {"usher", "hub", "link", "h", "--mosquitto", "--user", "u", NULL},
        {"usher", "hub", "link", "h", "--mosquitto", "--user", "u", "--password", "a;b", NULL},
        {"usher", "hub", "link", "h", "--user", "u", NULL},
        {"usher", "hub", "link", "h", "--embedded", "--capacity", "0", "--service", "s", NULL},
        {"usher", "hub", "update", "h", NULL},
        {"usher", "hub", "update", "h", "--json", NULL},
        {"usher", "hub", "update", "h", "--allocation", "--no-allocation", NULL},
        {"usher", "service", "update", "s", "--unreachable-hub", "never", NULL},
        {"usher", "service", "update", "s", "--avoid-failing-hubs", "--no-avoid-failing-hubs", NULL},
        {"usher", "service", "update", "s", "--json", NULL},
    };
    for (size_t i = 0; i < CLI_COUNT(lines); i++) {
        int count = 0;
        while (count < 10 && lines[i][count] != NULL)
            count++;
        buf_clear(&trouble);
        cli.socket_path = "/nonexistent/control.sock";
        int code = cli_run(&cli, count, lines[i], &trouble);
        if (code != 2)
            fail_msg("line %zu: %d %.*s", i, code, (int)trouble.len, (const char *)trouble.at);
    }
}

static void a_service_is_told_what_to_do_about_failing_hubs(void **state)
{
    (void)state;
    char path[] = "/tmp/usher-cli-latencies-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "[{\"zone\":\"de\",\"hub\":\"a.test\",\"milliseconds\":3}]") > 0);
    fake.answers[0] =
        ANSWER("200 OK", "", "{\"name\":\"s\",\"avoidFailingHubs\":true,\"unreachableHub\":\"proceed\"}");
    assert_int_equal(RUN("service", "update", "s", "--avoid-failing-hubs", "--unreachable-hub", "proceed",
                         "--allocation", "geolatency", "--latencies", path),
                     0);
    assert_has(fake.requests[0],
               "\"avoidFailingHubs\":true,\"unreachableHub\":\"proceed\",\"latencies\":[{\"zone\":\"de\","
               "\"hub\":\"a.test\",\"milliseconds\":3}],\"allocationPolicy\":\"GeoLatency\"");
    assert_has(printed(), "avoid failing hubs  yes\n");
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, "{}", 2, 0), 2);
    (void)close(fd);
    assert_int_equal(RUN("service", "update", "s", "--latencies", path), 2);
    assert_trouble("no JSON array");
    assert_int_equal(unlink(path), 0);
}

static void a_registration_shows_what_was_left_behind(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "",
                             "{\"registrationId\":\"d\",\"status\":\"assigned\",\"assignedHub\":\"b\","
                             "\"address\":\"192.0.2.1\",\"leftHub\":\"a\"}");
    assert_int_equal(RUN("--service", "s", "registration", "show", "d"), 0);
    assert_has(fake.requests[0], "GET /control/services/s/registrations/d?");
    assert_has(printed(), "came from        192.0.2.1\n");
    assert_has(printed(), "left behind at   a\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_broker_is_linked_by_its_user_and_password),
        TEST(a_hub_is_changed_only_where_asked),
        TEST(a_hub_is_cordoned_drained_and_opened),
        TEST(a_hub_that_is_not_linked_is_not_linked_by_draining_it),
        TEST(the_list_shows_state_and_health),
        TEST(hubs_described_in_two_ways_or_none_are_refused_before_anything_is_asked),
        TEST(a_service_is_told_what_to_do_about_failing_hubs),
        TEST(a_registration_shows_what_was_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// What a hub is asked for, and what becomes of each of its answers.
#include "hub/azure/azure_test.h"
#include "crypto/sas.h"

// base64 of the keys of shot_init
#define PRIMARY   "cHJpbWFyeSBrZXkgb2YgdGhlIGRldmljZQ=="
#define SECONDARY "c2Vjb25kYXJ5IGtleSBvZiB0aGUgZGV2aWNl"
#define POLICY    "dGhlIGtleSBvZiB0aGUgaHViJ3Mgb3duIHBvbGljeQ=="
#define KEYS                                                                                                 \
    "\"authentication\":{\"type\":\"sas\",\"symmetricKey\":{\"primaryKey\":\"" PRIMARY                       \
    "\",\"secondaryKey\":\"" SECONDARY "\"}}"

// --- identities and twins
// -----------------------------------------------------------------------------------------------------------

static void a_new_device_is_created_in_one_call(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    shot_init(&shot, &fake, "dev 1%#");
    shot.request.identity.iot_edge = SWITCH_ON;
    assert_false(failed(shot_run(&shot)));
    assert_int_equal(fake.peer.requests, 1);
    assert_true(peer_saw(&fake.peer, 0, "PUT /devices/dev%201%25%23?api-version=2021-04-12 HTTP/1.1\r\n"));
    assert_true(peer_saw(&fake.peer, 0, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    assert_false(peer_saw(&fake.peer, 0, "If-Match"));
    assert_slice(peer_saw_body(&fake.peer, 0), "{\"deviceId\":\"dev 1%#\",\"status\":\"enabled\"," KEYS
                                               ",\"capabilities\":{\"iotEdge\":true}}");
    fake_end(&fake);
}

static void the_hub_sees_a_token_of_its_policy(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    struct sas_token token;
    struct arena arena = arena_capped(4096);
    struct slice policy;
    fake_start(&fake);
    shot_init(&shot, &fake, "dev1");
    assert_false(failed(shot_run(&shot)));
    struct slice seen = buf_slice(&fake.peer.seen[0]);
    struct slice name = SLICE("\r\nAuthorization: ");
    struct slice value = slice_from(seen, slice_find(seen, name) + name.len);
    value = slice_to(value, slice_find_byte(value, '\r'));
    assert_false(failed(sas_parse(value, &token, NULL)));
    assert_false(failed(sas_verify(&token, &shot.hub.policy_key, NULL)));
    assert_slice(token.resource, "localhost");
    assert_false(failed(sas_policy(&token, &arena, &policy, NULL)));
    assert_slice(policy, "iothubowner");
    assert_true(token.expiry_s * 1000000 > shot.request.now_us);
    arena_release(&arena);
    fake_end(&fake);
}

static void a_device_that_is_there_gets_new_credentials_and_keeps_the_rest(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    shot_init(&shot, &fake, "dev1");
    shot.request.identity.iot_edge = SWITCH_OFF;
    fake_say(&fake, 409, NULL, "{\"Message\":\"ErrorCode:DeviceAlreadyExists;there\"}");
    fake_say(
        &fake, 200, NULL,
        "{\"deviceId\":\"dev1\",\"etag\":\"NTEw==\",\"status\":\"disabled\",\"statusReason\":\"by hand\","
        "\"authentication\":{\"type\":\"selfSigned\"},\"capabilities\":{\"iotEdge\":true,\"x\":1},"
        "\"deviceScope\":\"ms-azure-iot-edge://gate\"}");
    assert_false(failed(shot_run(&shot)));
    assert_int_equal(fake.peer.requests, 3);
    assert_true(peer_saw(&fake.peer, 1, "GET /devices/dev1?api-version="));
    assert_true(peer_saw(&fake.peer, 2, "PUT /devices/dev1?api-version="));
    assert_true(peer_saw(&fake.peer, 2, "\r\nIf-Match: \"NTEw==\"\r\n"));
    assert_slice(
        peer_saw_body(&fake.peer, 2),
        "{\"deviceId\":\"dev1\",\"etag\":\"NTEw==\",\"status\":\"disabled\",\"statusReason\":\"by hand\","
        "\"deviceScope\":\"ms-azure-iot-edge://gate\"," KEYS
        ",\"capabilities\":{\"x\":1,\"iotEdge\":false}}");
    fake_end(&fake);
}

static void a_change_by_somebody_else_meanwhile_is_read_again(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    shot_init(&shot, &fake, "dev1");
    fake_say(&fake, 409, NULL, "{}");
    fake_say(&fake, 200, NULL, "{\"deviceId\":\"dev1\",\"etag\":\"one\",\"status\":\"enabled\"}");
    fake_say(&fake, 412, NULL, "{}");
    fake_say(&fake, 200, NULL, "{\"deviceId\":\"dev1\",\"etag\":\"two\",\"status\":\"disabled\"}");
    assert_false(failed(shot_run(&shot)));
    assert_int_equal(fake.peer.requests, 5);
    assert_true(peer_saw(&fake.peer, 4, "If-Match: \"two\""));
    assert_true(peer_saw(&fake.peer, 4, "\"status\":\"disabled\""));
    fake_end(&fake);
}

static void a_device_that_somebody_keeps_changing_is_tried_later(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    shot_init(&shot, &fake, "dev1");
    fake_say(&fake, 409, NULL, "{}");
    for (int i = 0; i < 3; i++) {
        fake_say(&fake, 200, NULL, "{\"deviceId\":\"dev1\",\"etag\":\"e\"}");
        fake_say(&fake, 412, NULL, "{}");
    }
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_int_equal(fake.peer.requests, 7);
    fake_end(&fake);
}

static void tags_and_desired_properties_follow_the_identity(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shots[2];
    fake_start(&fake);
    shot_init(&shots[0], &fake, "dev1");
    shots[0].request.twin_how = HUB_TWIN_SET;
    shots[0].request.twin =
        SLICE("{\"tags\":{\"site\":\"north\"},\"properties\":{\"desired\":{\"every\":60}}}");
    assert_false(failed(shot_run(&shots[0])));
    assert_int_equal(fake.peer.requests, 2);
    assert_true(peer_saw(&fake.peer, 1, "PUT /twins/dev1?api-version="));
    assert_true(peer_saw(&fake.peer, 1, "\r\nIf-Match: \"*\"\r\n"));
    assert_slice(peer_saw_body(&fake.peer, 1), "{\"deviceId\":\"dev1\",\"tags\":{\"site\":\"north\"},"
                                               "\"properties\":{\"desired\":{\"every\":60}}}");
    shot_init(&shots[1], &fake, "dev2");
    shots[1].request.twin_how = HUB_TWIN_SET;
    assert_false(failed(shot_run(&shots[1])));
    assert_slice(peer_saw_body(&fake.peer, 3),
                 "{\"deviceId\":\"dev2\",\"tags\":{},\"properties\":{\"desired\":{}}}");
    assert_int_equal(fake.peer.connections, 1); // all four on one connection
    fake_end(&fake);
}

static void removing_what_is_not_there_is_fine(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shots[3];
    fake_start(&fake);
    fake_say(&fake, 204, NULL, NULL);
    fake_say(&fake, 404, NULL, "{\"Message\":\"ErrorCode:DeviceNotFound;gone\"}");
    fake_say(&fake, 400, NULL, "{\"Message\":\"ErrorCode:ArgumentInvalid;no\"}");
    for (size_t i = 0; i < 3; i++) {
        shot_init(&shots[i], &fake, "dev1");
        shots[i].request.verb = HUB_REMOVE;
        (void)!failed(shot_run(&shots[i]));
    }
    assert_result(&shots[0], ERR_NONE);
    assert_result(&shots[1], ERR_NONE);
    assert_result(&shots[2], ERR_HUB_REFUSED);
    assert_true(peer_saw(&fake.peer, 0, "DELETE /devices/dev1?api-version="));
    assert_true(peer_saw(&fake.peer, 0, "\r\nIf-Match: \"*\"\r\n"));
    fake_end(&fake);
}

// --- answers that are not what was asked for
// --------------------------------------------------------------------------------------------------------

struct odd_answer {
    int status;
    const char *headers;
    const char *body;
    enum err_code result;
    const char *why;
};

static const struct odd_answer odd_answers[] = {
    {400, NULL, "{\"Message\":\"ErrorCode:ArgumentInvalid;bad id\"}", ERR_HUB_REFUSED,
     "400: ErrorCode:ArgumentInvalid;bad id"},
    {404, NULL, "no such hub", ERR_HUB_REFUSED, "404: no such hub"},
    {413, NULL, "", ERR_HUB_REFUSED, "413"},
    {302, "Location: https://localhost/elsewhere\r\n", "", ERR_HUB_REFUSED, "302"},
    {500, NULL, "{\"Message\":\"ErrorCode:ServerError;oh\"}", ERR_HUB_UNAVAILABLE,
     "500: ErrorCode:ServerError;oh"},
    {401, NULL, "", ERR_HUB_UNAUTHORIZED, "401"},
    {403, NULL, "{\"Message\":\"ErrorCode:IotHubQuotaExceeded;full\"}", ERR_HUB_UNAUTHORIZED,
     "{\"Message\":\"ErrorCode:IotHubQuotaExceeded;full\"}"},
    {400, NULL, "we know your key " PRIMARY, ERR_HUB_REFUSED, "400"},
    {401, NULL, "you sent SharedAccessSignature sr=x", ERR_HUB_UNAUTHORIZED, "401"},
    {401, NULL, "the policy's is " POLICY, ERR_HUB_UNAUTHORIZED, "401"},
    {200, NULL, "<html>sign in</html>", ERR_HUB_UNAVAILABLE, "makes no sense"},
    {200, NULL, "{}", ERR_HUB_UNAVAILABLE, "names no device"},
    {200, NULL, "", ERR_HUB_UNAVAILABLE, "makes no sense"},
    {200, NULL, "{\"deviceId\":\"dev2\"," KEYS "}", ERR_HUB_REFUSED, "dev2"},
    {200, NULL, "{\"deviceId\":\"DEV1\"," KEYS "}", ERR_HUB_REFUSED, "DEV1"},
    {200, NULL, "{\"deviceId\":\"dev1\"}", ERR_HUB_REFUSED, "credentials"},
    {200, NULL,
     "{\"deviceId\":\"dev1\",\"authentication\":{\"type\":\"sas\",\"symmetricKey\":{\"primaryKey\":\"" PRIMARY
     "\",\"secondaryKey\":\"" PRIMARY "\"}}}",
     ERR_HUB_REFUSED, "credentials"},
    {200, NULL, "{\"deviceId\":\"dev1\",\"authentication\":{\"type\":\"none\"}}", ERR_HUB_REFUSED,
     "credentials"},
};

// Else a gateway's error page would have a device forgotten that is still let in there.
static void only_a_device_that_the_hub_does_not_know_is_gone(void **state)
{
    (void)state;
    static const char *const bodies[] = {"<html>404 backend not found</html>", "",
                                         "{\"Message\":\"ErrorCode:IotHubNotFound;no such hub\"}"};
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    for (size_t i = 0; i < 3; i++) {
        shot_init(&shot, &fake, "dev1");
        shot.request.verb = HUB_REMOVE;
        fake_say(&fake, 404, NULL, bodies[i]);
        (void)!failed(shot_run(&shot));
        assert_result(&shot, ERR_HUB_UNAVAILABLE);
        assert_true(shot_says(&shot, "404"));
    }
    fake_end(&fake);
}

static void each_odd_answer_has_its_meaning(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    for (size_t i = 0; i < sizeof odd_answers / sizeof odd_answers[0]; i++) {
        const struct odd_answer *odd = &odd_answers[i];
        struct shot shot;
        shot_init(&shot, &fake, "dev1");
        fake_say(&fake, odd->status, odd->headers, odd->body);
        (void)!failed(shot_run(&shot));
        assert_result(&shot, odd->result);
        if (!shot_says(&shot, odd->why))
            fail_msg("answer %zu: '%s' does not say '%s'", i, shot.request.why.text, odd->why);
        if (shot_says(&shot, PRIMARY) || shot_says(&shot, "SharedAccess") || shot_says(&shot, POLICY))
            fail_msg("answer %zu: '%s' gives a secret away", i, shot.request.why.text);
    }
    assert_int_equal(fake.peer.requests,
                     sizeof odd_answers / sizeof odd_answers[0]); // none was followed or repeated
    assert_int_equal(bench_count_log(&fake.peer.bench, PRIMARY), 0);
    assert_int_equal(bench_count_log(&fake.peer.bench, "SharedAccessSignature"), 0);
    fake_end(&fake);
}

// A policy that may write identities and no twins does this.
static void what_a_refused_twin_leaves_behind_is_told(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shots[3];
    fake_start(&fake);
    for (size_t i = 0; i < 3; i++) {
        shot_init(&shots[i], &fake, "dev1");
        shots[i].request.twin_how = HUB_TWIN_SET;
    }
    fake_say(&fake, 0, NULL, NULL);
    fake_say(&fake, 401, NULL, "{\"Message\":\"ErrorCode:IotHubUnauthorizedAccess;Unauthorized\"}");
    (void)!failed(shot_run(&shots[0]));
    assert_result(&shots[0], ERR_HUB_UNAUTHORIZED);
    assert_true(shots[0].request.left_there);
    fake_say(&fake, 401, NULL, "{\"Message\":\"ErrorCode:IotHubUnauthorizedAccess;Unauthorized\"}");
    (void)!failed(shot_run(&shots[1]));
    assert_result(&shots[1], ERR_HUB_UNAUTHORIZED);
    assert_false(shots[1].request.left_there);
    assert_false(failed(shot_run(&shots[2])));
    fake_end(&fake);
}

static void a_wrong_answer_about_the_twin_is_noticed(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    shot_init(&shot, &fake, "dev1");
    shot.request.twin_how = HUB_TWIN_SET;
    fake_say(&fake, 0, NULL, NULL);
    fake_say(&fake, 200, NULL, "{\"deviceId\":\"dev7\"}");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_REFUSED);
    fake_end(&fake);
}

static void an_endless_answer_is_cut_off(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    shot_init(&shot, &fake, "dev1");
    fake_behave(&fake, PEER_FLOOD);
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_true(shot_says(&shot, "more than 1048576 bytes"));
    fake_end(&fake);
}

static void keys_that_were_rolled_at_the_hub_are_reported_once(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    static const char unauthorized[] = "{\"Message\":\"ErrorCode:IotHubUnauthorizedAccess;Unauthorized\","
                                       "\"ExceptionMessage\":\"Tracking ID:1\"}";
    for (int i = 0; i < 3; i++) {
        struct shot shot;
        shot_init(&shot, &fake, "dev1");
        fake_say(&fake, 401, NULL, unauthorized);
        (void)!failed(shot_run(&shot));
        assert_result(&shot, ERR_HUB_UNAUTHORIZED);
        assert_string_equal(shot.request.why.text, unauthorized); // what 400209 carries
        assert_int_equal(shot.request.retry_after_ms, 0);
    }
    assert_int_equal(bench_count_log(&fake.peer.bench, "\"event\":\"hub.unauthorized\""), 1);
    fake_end(&fake);
}

int main(void)
{
    // A proxy that is not there, which nobody may ask.
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_device_is_created_in_one_call),
        cmocka_unit_test(the_hub_sees_a_token_of_its_policy),
        cmocka_unit_test(a_device_that_is_there_gets_new_credentials_and_keeps_the_rest),
        cmocka_unit_test(a_change_by_somebody_else_meanwhile_is_read_again),
        cmocka_unit_test(a_device_that_somebody_keeps_changing_is_tried_later),
        cmocka_unit_test(tags_and_desired_properties_follow_the_identity),
        cmocka_unit_test(removing_what_is_not_there_is_fine),
        cmocka_unit_test(only_a_device_that_the_hub_does_not_know_is_gone),
        cmocka_unit_test(each_odd_answer_has_its_meaning),
        cmocka_unit_test(what_a_refused_twin_leaves_behind_is_told),
        cmocka_unit_test(a_wrong_answer_about_the_twin_is_noticed),
        cmocka_unit_test(an_endless_answer_is_cut_off),
        cmocka_unit_test(keys_that_were_rolled_at_the_hub_are_reported_once),
    };
    return cmocka_run_group_tests_name("hub azure", tests, NULL, NULL);
}

// What is said to the plugin and what its answers mean, without a broker. The answers are what mosquitto
// 2.0.11 sent.
#include "base/testing.h"
#include "hub/mosquitto/command.h"

static const struct command_correlation by = {.connector = 0x1122334455667788, .tag = 0x0a0b};
#define BY "\"correlationData\":\"usher-1122334455667788-0000000000000a0b\""

static struct json_doc doc_of(const char *text)
{
    struct json_doc doc = {0};
    assert_false(failed(json_read(slice_text(text), JSON_LIMITS_DEFAULT, &doc, NULL)));
    return doc;
}

static void device_ids_that_would_reach_further_than_one_device_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   "a+b", "+",   "#",    "a#",   "a/b",         "/",
                                      "%u", "a%c", "a b", "a\tb", "\x7f", "caf\xc3\xa9", "usher"};
    static const char *const good[] = {"a", "Device-1.x_y:z", "(a)*?!,=@$'", "$SYS", "usher2"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct why why = {0};
        assert_int_equal(command_device_check(slice_text(bad[i]), SLICE("usher"), &why).code,
                         ERR_HUB_REFUSED);
        assert_true(why.text[0] != '\0');
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_false(failed(command_device_check(slice_text(good[i]), SLICE("usher"), NULL)));
    char longest[130];
    memset(longest, 'a', sizeof longest);
    assert_false(failed(command_device_check(slice_of(longest, 128), SLICE("usher"), NULL)));
    assert_true(failed(command_device_check(slice_of(longest, 129), SLICE("usher"), NULL)));
}

static void a_new_device_gets_a_role_that_names_only_its_topics(void **state)
{
    (void)state;
    struct hub_identity identity = {.device_id = SLICE("d\"1"), .authentication = HUB_AUTH_SAS};
    struct command_device nothing = {0};
    struct command_change change = {
        .identity = &identity, .before = &nothing, .tags = SLICE("{\"a\":1}"), .tags_given = true};
    struct buf out = buf_capped(COMMAND_MAX);
    assert_true(secret_set(&identity.primary_key, SLICE("key")));
    command_write(&out, by, &change);
    assert_slice(buf_slice(&out),
                 "{\"commands\":[{\"command\":\"createRole\"," BY
                 ",\"rolename\":\"usher-device-d\\\"1\",\"acls\":["
                 "{\"acltype\":\"publishClientSend\",\"topic\":\"devices/d\\\"1/messages/events/"
                 "#\",\"priority\":0,\"allow\":true},"
                 "{\"acltype\":\"publishClientSend\",\"topic\":\"devices/d\\\"1/twin/"
                 "reported\",\"priority\":0,\"allow\":true},"
                 "{\"acltype\":\"publishClientReceive\",\"topic\":\"devices/d\\\"1/messages/devicebound/"
                 "#\",\"priority\":0,\"allow\":true},"
                 "{\"acltype\":\"publishClientReceive\",\"topic\":\"devices/d\\\"1/twin/"
                 "#\",\"priority\":0,\"allow\":true},"
                 "{\"acltype\":\"subscribePattern\",\"topic\":\"devices/d\\\"1/messages/devicebound/"
                 "#\",\"priority\":0,\"allow\":true},"
                 "{\"acltype\":\"subscribePattern\",\"topic\":\"devices/d\\\"1/twin/"
                 "#\",\"priority\":0,\"allow\":true},"
                 "{\"acltype\":\"unsubscribePattern\",\"topic\":\"devices/d\\\"1/messages/devicebound/"
                 "#\",\"priority\":0,\"allow\":true},"
                 "{\"acltype\":\"unsubscribePattern\",\"topic\":\"devices/d\\\"1/twin/"
                 "#\",\"priority\":0,\"allow\":true}]},"
                 "{\"command\":\"createClient\"," BY
                 ",\"username\":\"d\\\"1\",\"clientid\":\"d\\\"1\",\"textname\":\"Usher device (key)\","
                 "\"textdescription\":\"{\\\"a\\\":1}\",\"password\":\"a2V5\",\"roles\":[{\"rolename\":"
                 "\"usher-device-d\\\"1\"}]}]}");
    buf_release(&out);
}

static void only_answers_to_this_connector_are_taken(void **state)
{
    (void)state;
    struct json_doc doc;
    uint64_t tag = 0;
    assert_true(command_answer(SLICE("{\"responses\":[{\"command\":\"getRole\"," BY "}]}"), by.connector,
                               &doc, &tag));
    assert_int_equal(tag, 0x0a0b);
    json_doc_release(&doc);
    assert_false(command_answer(SLICE("{\"responses\":[{\"command\":\"getRole\"," BY "}]}"), 7, &doc, &tag));
    assert_false(
        command_answer(SLICE("{\"responses\":[{\"command\":\"getRole\"}]}"), by.connector, &doc, &tag));
    assert_false(command_answer(SLICE("usher-1122334455667788-"), by.connector, &doc, &tag));
    assert_false(
        command_answer(SLICE("{\"responses\":[{\"correlationData\":\"usher-1122334455667788-zz\"}]}"),
                       by.connector, &doc, &tag));
    assert_false(command_answer(SLICE(""), by.connector, &doc, &tag));
}

static void what_a_broker_knows_of_a_device_is_read(void **state)
{
    (void)state;
    struct command_device device;
    struct json_doc doc = doc_of("{\"responses\":[{\"command\":\"getClient\",\"data\":{\"client\":{"
                                 "\"username\":\"d1\",\"textname\":\"Usher device "
                                 "(certificate)\",\"textdescription\":\"{}\",\"disabled\":true,\"roles\":[{"
                                 "\"rolename\":\"x\"},{\"rolename\":"
                                 "\"usher-device-d1\"}],\"groups\":[]}}},{\"command\":\"getRole\",\"data\":{"
                                 "\"role\":{\"rolename\":\"usher-device-d1\"}}}]}");
    assert_false(failed(command_look_read(&doc, SLICE("d1"), &device, NULL)));
    assert_true(device.there && device.ours && device.certificate && device.disabled && device.has_role &&
                device.role_there);
    assert_false(failed(command_look_read(&doc, SLICE("d"), &device, NULL)));
    assert_false(device.has_role);
    json_doc_release(&doc);
    doc = doc_of(
        "{\"responses\":[{\"command\":\"getClient\",\"error\":\"Client not found\"},{\"command\":\"getRole\","
        "\"error\":\"Role not found\"}]}");
    assert_false(failed(command_look_read(&doc, SLICE("d1"), &device, NULL)));
    assert_false(device.there || device.ours || device.role_there);
    json_doc_release(&doc);
    doc = doc_of(
        "{\"responses\":[{\"command\":\"getClient\",\"error\":\"Internal error\"},{\"command\":\"getRole\","
        "\"error\":\"Role not found\"}]}");
    assert_int_equal(command_look_read(&doc, SLICE("d1"), &device, NULL).code, ERR_HUB_UNAVAILABLE);
    json_doc_release(&doc);
}

static void a_broker_that_allows_by_default_is_not_used(void **state)
{
    (void)state;
    static const struct {
        const char *acls;
        uint32_t code;
    } rows[] = {
        {"{\"acltype\":\"publishClientSend\",\"allow\":false},{\"acltype\":\"subscribe\",\"allow\":false}",
         ERR_NONE},
        {"{\"acltype\":\"publishClientSend\",\"allow\":true},{\"acltype\":\"subscribe\",\"allow\":false}",
         ERR_HUB_REFUSED},
        {"{\"acltype\":\"publishClientSend\",\"allow\":false},{\"acltype\":\"subscribe\",\"allow\":true}",
         ERR_HUB_REFUSED},
        {"{\"acltype\":\"subscribe\",\"allow\":false}", ERR_HUB_REFUSED},
        {"", ERR_HUB_REFUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       "{\"responses\":[{\"command\":\"getDefaultACLAccess\",\"data\":{\"acls\":[%s]}}]}",
                       rows[i].acls);
        struct json_doc doc = doc_of(text);
        assert_int_equal(command_defaults_read(&doc, NULL).code, rows[i].code);
        json_doc_release(&doc);
    }
}

static void refusals_of_a_write_say_whether_the_client_is_there_or_is_gone(void **state)
{
    (void)state;
    static const struct {
        const char *responses;
        uint32_t code;
        bool left_there;
    } rows[] = {
        {"{\"command\":\"createRole\"},{\"command\":\"createClient\"}", ERR_NONE, true},
        {"{\"command\":\"createRole\"},{\"command\":\"createClient\",\"error\":\"Client already exists\"}",
         ERR_HUB_UNAVAILABLE, false},
        {"{\"command\":\"createRole\"},{\"command\":\"createClient\",\"error\":\"Internal error\"}",
         ERR_HUB_REFUSED, false},
        {"{\"command\":\"modifyRole\",\"error\":\"Internal error\"},{\"command\":\"modifyClient\"}",
         ERR_HUB_REFUSED, true},
        {"{\"command\":\"modifyRole\"},{\"command\":\"deleteClient\"},{\"command\":\"createClient\","
         "\"error\":\"Internal error\"}",
         ERR_HUB_REFUSED, true},
        {"{\"command\":\"modifyRole\"},{\"command\":\"deleteClient\",\"error\":\"Internal error\"},"
         "{\"command\":\"createClient\",\"error\":\"Internal error\"}",
         ERR_HUB_REFUSED, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        bool left_there = false;
        (void)snprintf(text, sizeof text, "{\"responses\":[%s]}", rows[i].responses);
        struct json_doc doc = doc_of(text);
        assert_int_equal(command_write_read(&doc, &left_there, NULL).code, rows[i].code);
        assert_int_equal(left_there, rows[i].left_there);
        json_doc_release(&doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_ids_that_would_reach_further_than_one_device_are_refused),
        cmocka_unit_test(a_new_device_gets_a_role_that_names_only_its_topics),
        cmocka_unit_test(only_answers_to_this_connector_are_taken),
        cmocka_unit_test(what_a_broker_knows_of_a_device_is_read),
        cmocka_unit_test(a_broker_that_allows_by_default_is_not_used),
        cmocka_unit_test(refusals_of_a_write_say_whether_the_client_is_there_or_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

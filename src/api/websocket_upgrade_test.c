// Which requests for WebSocket are taken, by which protocol, and what the others are told.
#include "api/websocket_upgrade.h"

#include <stdio.h>

#include "base/testing.h"

static const struct protocol mqtt = {.name = "mqtt"};
static const struct protocol amqp = {.name = "amqp"};
static const struct websocket_door doors[] = {
    {"mqtt", &mqtt, NULL}, {"MQTT", &mqtt, NULL}, {"AMQPWSB10", &amqp, NULL}};

#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define OFFER   "Sec-WebSocket-Protocol: "

// A request with these header lines; *answer is what it is told, or why not.
static struct err ask(const char *target, const char *lines, struct buf *answer, struct why *why)
{
    struct buf text = buf_capped(4096);
    struct http_decoder d;
    struct http_request request;
    struct websocket_upgrade upgrade;
    buf_printf(&text, "GET %s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%s\r\n",
               target, lines);
    struct slice in = buf_slice(&text);
    http_decoder_init(&d);
    assert_int_equal(http_decode(&d, &in, &request, why), HTTP_REQUEST);
    assert_true(request.websocket);
    *answer = buf_capped(1024);
    struct err e = websocket_upgrade_judge(&request, doors, sizeof doors / sizeof *doors, &upgrade, why);
    if (!failed(e))
        websocket_upgrade_answer(&upgrade, answer);
    http_decoder_release(&d);
    buf_release(&text);
    return e;
}

static void the_answer_has_the_key_and_the_subprotocol_as_offered(void **state)
{
    (void)state;
    static const char *const targets[] = {"/", "/mqtt", "/$iothub/websocket",
                                          "/$iothub/websocket?iothub-no-client-cert=true"};
    static const char *const offered[] = {"mqtt", "MQTT", "AMQPWSB10"};
    for (size_t t = 0; t < sizeof targets / sizeof *targets; t++) {
        for (size_t o = 0; o < sizeof offered / sizeof *offered; o++) {
            struct why why = {0};
            struct buf answer;
            char lines[256];
            char wanted[512];
            (void)snprintf(lines, sizeof lines, VERSION KEY OFFER "%s\r\n", offered[o]);
            (void)snprintf(
                wanted, sizeof wanted,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
                offered[o]);
            assert_false(failed(ask(targets[t], lines, &answer, &why)));
            assert_slice(buf_slice(&answer), wanted);
            buf_release(&answer);
        }
    }
}

static void the_first_known_offer_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        const char *taken;
    } rows[] = {
        {OFFER "mqtt, MQTT\r\n", ": mqtt\r\n"},
        {OFFER "MQTT,mqtt\r\n", ": MQTT\r\n"},
        {OFFER "mqttv3.1 ,\tmqtt\r\n", ": mqtt\r\n"},
        {OFFER "soap, , AMQPWSB10, mqtt\r\n", ": AMQPWSB10\r\n"},
        {OFFER "soap\r\n" OFFER "AMQPWSB10\r\n" OFFER "mqtt\r\n", ": AMQPWSB10\r\n"},
        {"sec-websocket-protocol: mqtt\r\nSec-WebSocket-Extensions: permessage-deflate\r\n", ": mqtt\r\n"},
        {"Origin: https://somewhere.example\r\nCookie: a=b\r\n" OFFER "mqtt\r\n", ": mqtt\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct why why = {0};
        struct buf answer;
        char lines[512];
        (void)snprintf(lines, sizeof lines, VERSION KEY "%s", rows[i].lines);
        if (failed(ask("/", lines, &answer, &why)) ||
            slice_find(buf_slice(&answer), slice_text(rows[i].taken)) == answer.len)
            fail_msg("row %zu: %s%.*s", i, why.text, SLICE_ARG(buf_slice(&answer)));
        assert_int_equal(slice_find(buf_slice(&answer), SLICE("Extensions")), answer.len); // none, ever
        buf_release(&answer);
    }
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        enum err_code code;
        const char *said;
    } rows[] = {
        {KEY OFFER "mqtt\r\n", ERR_WEBSOCKET_VERSION, "13"},
        {"Sec-WebSocket-Version: 8\r\n" KEY OFFER "mqtt\r\n", ERR_WEBSOCKET_VERSION, "13"},
        {"Sec-WebSocket-Version: 13, 8\r\n" KEY OFFER "mqtt\r\n", ERR_WEBSOCKET_VERSION, "13"},
        {VERSION VERSION KEY OFFER "mqtt\r\n", ERR_WEBSOCKET_VERSION, "13"},
        {VERSION OFFER "mqtt\r\n", ERR_MALFORMED, "Sec-WebSocket-Key"},
        {VERSION "Sec-WebSocket-Key: short\r\n" OFFER "mqtt\r\n", ERR_MALFORMED, "Sec-WebSocket-Key"},
        {VERSION KEY KEY OFFER "mqtt\r\n", ERR_MALFORMED, "Sec-WebSocket-Key"},
        {VERSION KEY, ERR_INVALID,
         "must be offered in Sec-WebSocket-Protocol; spoken here: mqtt, MQTT, AMQPWSB10"},
        {VERSION KEY OFFER "\r\n", ERR_INVALID, "no known subprotocol"},
        {VERSION KEY OFFER "Mqtt\r\n", ERR_INVALID, "spoken here: mqtt, MQTT, AMQPWSB10"},
        {VERSION KEY OFFER "amqp, mqttv3.1, mqtt2\r\n", ERR_INVALID, "spoken here: mqtt, MQTT, AMQPWSB10"},
        {VERSION KEY OFFER "\"mqtt\"\r\n", ERR_INVALID, "no known subprotocol"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct why why = {0};
        struct buf answer;
        struct err e = ask("/", rows[i].lines, &answer, &why);
        if (e.code != rows[i].code || strstr(why.text, rows[i].said) == NULL)
            fail_msg("row %zu: error %u, %s", i, e.code, why.text);
        buf_release(&answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_has_the_key_and_the_subprotocol_as_offered),
        cmocka_unit_test(the_first_known_offer_is_taken),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

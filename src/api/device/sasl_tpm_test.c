// Devices that prove themselves by a TPM in SASL.
#include "api/device/amqp_bench_test.h"

#include <stdio.h>

#include "crypto/tpm.h"
#include "flow/flow_tpm_test.h"

// 00 scope 00 id 00 EK
static struct amqp_connection *begin_tpm(struct world *w, const char *id, struct slice endorsement_key,
                                         const char *host)
{
    struct amqp_connection *c = dial(w, NULL);
    struct buf bytes = buf_capped(4096);
    buf_u8(&bytes, 0);
    buf_text(&bytes, SCOPE);
    buf_u8(&bytes, 0);
    buf_text(&bytes, id);
    buf_u8(&bytes, 0);
    buf_bytes(&bytes, endorsement_key);
    happens(c, (struct amqp_event){.kind = AMQP_SASL_INIT,
                                   .mechanism = SLICE("TPM"),
                                   .bytes = buf_slice(&bytes),
                                   .hostname = slice_text(host)});
    buf_release(&bytes);
    return c;
}

static void respond(struct amqp_connection *c, struct slice carried)
{
    struct buf bytes = buf_capped(8192);
    buf_u8(&bytes, 0);
    buf_bytes(&bytes, carried);
    happens(c, (struct amqp_event){.kind = AMQP_SASL_RESPONSE, .bytes = buf_slice(&bytes)});
    buf_release(&bytes);
}

static struct slice ek(unsigned number)
{
    return slice_of(tpm_of(number)->endorsement_key, sizeof tpm_of(number)->endorsement_key);
}

static struct slice srk(unsigned number)
{
    return slice_of(tpm_of(number)->storage_root_key, sizeof tpm_of(number)->storage_root_key);
}

// Up to the question for the token; both pieces are checked on the way.
static struct amqp_connection *challenged(struct world *w, const char *id, unsigned number)
{
    struct amqp_connection *c = begin_tpm(w, id, ek(number), "localhost");
    assert_int_equal(c->challenges, 1);
    assert_true(slice_equal(buf_slice(&c->challenge), slice_of("", 1)));
    respond(c, srk(number));
    assert_int_equal(c->challenges, 2);
    assert_int_equal(c->challenge.at[0], 0x80);
    size_t first = c->challenge.len - 1;
    respond(c, (struct slice){0});
    assert_int_equal(c->challenges, 3);
    assert_int_equal(c->challenge.at[0], 0xC1);
    size_t second = c->challenge.len - 1;
    assert_in_range(first + second, 700, TPM_BLOB_MAX);
    assert_in_range(first - second, 0, 1);
    return c;
}

static void answer_with(struct amqp_connection *c, const char *id, const struct secret *key)
{
    struct buf token = buf_capped(4096);
    char resource[200];
    (void)snprintf(resource, sizeof resource, SCOPE "%%2fregistrations%%2f%s", id);
    sas_sign(&token, slice_text(resource), c->world->now_us / 1000000 + 3600, key, SLICE("registration"));
    respond(c, buf_slice(&token));
    buf_release(&token);
}

static void a_device_with_a_tpm_is_let_in_by_what_was_planted(void **state)
{
    struct world *w = *state;
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    struct amqp_connection *c = challenged(w, "tpm1", 0);
    assert_false(c->admitted);
    struct secret key = planted(w, "tpm1", amqp_connection_id(c));
    assert_int_equal(key.len, 32);
    answer_with(c, "tpm1", &key);
    assert_true(c->admitted);
    say_open(c, true);
    assert_true(attach(c, true, "tpm1")->accepted);
    assert_string_equal(attach(c, false, "dev1")->refused, "amqp:unauthorized-access");
    struct amqp_link *sender = attach(c, false, "tpm1");
    struct amqp_message message = registration("");
    assert_true(ask_and_wait(sender, &message)->accepted);
    assert_non_null(strstr(c->body, "\"status\":\"assigned\""));
    assert_non_null(strstr(c->body, "\"tpm\":{\"authenticationKey\":\""));
}

static void a_tpm_that_does_not_answer_what_it_was_asked_is_refused(void **state)
{
    struct world *w = *state;
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    struct amqp_connection *first = challenged(w, "tpm1", 0);
    struct amqp_connection *second = challenged(w, "tpm1", 0);
    struct secret others = planted(w, "tpm1", amqp_connection_id(first));
    answer_with(second, "tpm1", &others); // the challenge of another connection
    assert_false(second->admitted);
    assert_true(second->refused != 0);
    answer_with(first, "tpm1", &others); // which is not used up by that
    assert_true(first->admitted);
    struct amqp_connection *wrong = begin_tpm(w, "tpm1", ek(1), "");
    respond(wrong, srk(1));
    assert_int_equal(wrong->refused, ERR_TPM_KEY);
    struct amqp_connection *unknown = begin_tpm(w, "nobody", ek(0), "");
    respond(unknown, srk(0));
    assert_int_equal(err_info(FAIL(unknown->refused))->class, ERR_CLASS_AUTH);
}

static void what_is_no_tpm_is_refused_before_anything_is_looked_up(void **state)
{
    struct world *w = *state;
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    static const char *const hosts[] = {SCOPE "/registrations/tpm2", "0ne00000000/registrations/tpm1"};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(begin_tpm(w, "tpm1", ek(0), hosts[i])->refused, ERR_IDENTITY_MISMATCH);
    assert_int_equal(begin_tpm(w, "tpm1", ek(0), SCOPE "/registrations/TPM1")->challenges, 1);
    assert_int_equal(begin_tpm(w, "tpm1", slice_to(ek(0), 315), "")->refused, ERR_INVALID);
    assert_int_equal(begin_tpm(w, "", ek(0), "")->refused, ERR_CREDENTIAL_MISSING);
    struct amqp_connection *c = begin_tpm(w, "tpm1", ek(0), "");
    happens(c, (struct amqp_event){.kind = AMQP_SASL_RESPONSE, .bytes = srk(0)}); // no NUL before it
    assert_true(c->refused != 0);
    c = begin_tpm(w, "tpm1", ek(0), "");
    respond(c, slice_to(srk(0), 283));
    assert_int_equal(c->refused, ERR_INVALID);
    c = dial(w, NULL);
    respond(c, srk(0)); // to no challenge
    assert_int_equal(c->refused, ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, amqp_setup, amqp_teardown)
        TEST(a_device_with_a_tpm_is_let_in_by_what_was_planted),
        TEST(a_tpm_that_does_not_answer_what_it_was_asked_is_refused),
        TEST(what_is_no_tpm_is_refused_before_anything_is_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

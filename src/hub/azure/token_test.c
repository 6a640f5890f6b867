// How long a token towards a hub is used.
#include "hub/azure/token.h"

#include "base/testing.h"
#include "crypto/sas.h"

#define NOW INT64_C(1800000000000000)
#define MIN INT64_C(60000000)

static int64_t expiry_at(struct azure_token *token, const struct linked_hub *hub, int64_t now_us)
{
    struct buf out = buf_capped(4096);
    struct sas_token parsed;
    assert_false(failed(azure_token_append(token, hub, &hub->policy_key, now_us, &out)));
    assert_false(failed(sas_parse(buf_slice(&out), &parsed, NULL)));
    assert_false(failed(sas_verify(&parsed, &hub->policy_key, NULL)));
    assert_slice(parsed.resource, "hub.example.com"); // without the port
    buf_release(&out);
    return parsed.expiry_s;
}

static struct linked_hub hub_with_key(const char *key)
{
    struct linked_hub hub = {.host = SLICE("hub.example.com:8443"), .policy_name = SLICE("iothubowner")};
    assert_true(secret_set(&hub.policy_key, slice_text(key)));
    return hub;
}

static void a_token_is_used_until_it_grows_old(void **state)
{
    (void)state;
    struct azure_token token = {0};
    struct linked_hub hub = hub_with_key("one");
    int64_t first = expiry_at(&token, &hub, NOW);
    assert_int_equal(first, NOW / 1000000 + 3600);
    assert_int_equal(expiry_at(&token, &hub, NOW + 54 * MIN), first);
    assert_int_equal(expiry_at(&token, &hub, NOW + 55 * MIN), NOW / 1000000 + 3600 + 55 * 60);
    azure_token_release(&token);
}

static void a_clock_that_is_set_back_makes_a_new_one(void **state)
{
    (void)state;
    struct azure_token token = {0};
    struct linked_hub hub = hub_with_key("one");
    (void)expiry_at(&token, &hub, NOW);
    assert_int_equal(expiry_at(&token, &hub, NOW - 600 * MIN), NOW / 1000000 + 3600 - 36000);
    azure_token_release(&token);
}

static void a_new_key_is_used_at_once(void **state)
{
    (void)state;
    struct azure_token token = {0};
    struct linked_hub hub = hub_with_key("one");
    struct linked_hub rolled = hub_with_key("two");
    (void)expiry_at(&token, &hub, NOW);
    (void)expiry_at(&token, &rolled, NOW + MIN); // verified against its own key
    (void)expiry_at(&token, &hub, NOW + MIN);
    azure_token_release(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_used_until_it_grows_old),
        cmocka_unit_test(a_clock_that_is_set_back_makes_a_new_one),
        cmocka_unit_test(a_new_key_is_used_at_once),
    };
    return cmocka_run_group_tests_name("azure token", tests, NULL, NULL);
}

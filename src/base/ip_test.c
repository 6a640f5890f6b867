// Addresses and networks: which texts are one, and which address is in which network.
#include "base/ip.h"

#include "base/testing.h"

static struct ip must_read(const char *text)
{
    struct ip ip;
    if (!ip_read(slice_text(text), &ip))
        fail_msg("%s is an address", text);
    return ip;
}

static struct ip_network network(const char *text)
{
    struct ip_network read;
    struct why why = {0};
    if (failed(ip_network_read(slice_text(text), &read, &why)))
        fail_msg("%s: %s", text, why.text);
    return read;
}

static bool holds(const char *in, const char *address)
{
    struct ip_network n = network(in);
    struct ip ip = must_read(address);
    return ip_network_holds(&n, &ip);
}

static void an_address_is_the_same_with_its_port_and_mapped(void **state)
{
    (void)state;
    struct ip v4 = must_read("192.0.2.7");
    struct ip v6 = must_read("2001:db8::7");
    static const char *const same_v4[] = {"192.0.2.7:40312", "::ffff:192.0.2.7", "[::ffff:192.0.2.7]:1",
                                          "::ffff:c000:207"};
    for (size_t i = 0; i < 4; i++) {
        struct ip ip = must_read(same_v4[i]);
        assert_memory_equal(&ip, &v4, sizeof ip);
    }
    struct ip with_port = must_read("[2001:db8::7]:65535");
    assert_memory_equal(&with_port, &v6, sizeof v6);
    assert_true(ip_is_v4(&v4));
    assert_false(ip_is_v4(&v6));
}

static void what_is_no_address_is_not_taken_for_one(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "?",
                                        "uid 1000",
                                        "192.0.2",
                                        "192.0.2.7:",
                                        "192.0.2.7:65536",
                                        "[192.0.2.7",
                                        "[2001:db8::7]1",
                                        "[]:1",
                                        "2001:db8::g",
                                        "localhost",
                                        "192.0.2.256",
                                        "1.2.3.4.5",
                                        "[2001:db8::7]:x",
                                        "2001:db8::7%1"};
    struct ip ip;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (ip_read(slice_text(wrong[i]), &ip))
            fail_msg("%s was taken for an address", wrong[i]);
    }
    assert_false(ip_read(slice_of("1.2.3.4\0", 8), &ip));
}

static void a_network_holds_its_addresses_and_no_others(void **state)
{
    (void)state;
    assert_true(holds("192.0.2.0/24", "192.0.2.255"));
    assert_false(holds("192.0.2.0/24", "192.0.3.0"));
    assert_true(holds("192.0.2.128/25", "192.0.2.128"));
    assert_false(holds("192.0.2.128/25", "192.0.2.127"));
    assert_true(holds("192.0.2.7", "192.0.2.7"));
    assert_false(holds("192.0.2.7", "192.0.2.6"));
    assert_true(holds("0.0.0.0/0", "255.0.0.1"));
    assert_true(holds("2001:db8:8000::/33", "2001:db8:ffff::1"));
    assert_false(holds("2001:db8:8000::/33", "2001:db8:7fff::1"));
    assert_true(holds("::1", "::1"));
    assert_true(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
}

static void all_of_ipv6_is_not_ipv4_nor_the_other_way_round(void **state)
{
    (void)state;
    assert_true(holds("::/0", "2001:db8::1"));
    assert_false(holds("::/0", "10.1.2.3"));
    assert_false(holds("0.0.0.0/0", "2001:db8::1"));
}

static void refused(const char *text, const char *because)
{
    struct ip_network read;
    struct why why = {0};
    assert_int_equal(ip_network_read(slice_text(text), &read, &why).code, ERR_INVALID);
    if (strstr(why.text, because) == NULL)
        fail_msg("\"%s\" does not say: %s", why.text, because);
}

static void a_mistake_in_a_network_is_named(void **state)
{
    (void)state;
    refused("", "is no network");
    refused("here/8", "\"here/8\" is no network: give one as in");
    refused("10.0.0.0/33", "must be from 0 to 32");
    refused("10.0.0.0/", "must be from 0 to 32");
    refused("10.0.0.0/-1", "must be from 0 to 32");
    refused("2001:db8::/129", "must be from 0 to 128");
    refused("10.1.2.3/8", "10.1.2.3/8 has bits behind its prefix: 10.0.0.0/8 is the network");
    refused("2001:db8::1/32", "2001:db8::/32 is the network");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_the_same_with_its_port_and_mapped),
        cmocka_unit_test(what_is_no_address_is_not_taken_for_one),
        cmocka_unit_test(a_network_holds_its_addresses_and_no_others),
        cmocka_unit_test(all_of_ipv6_is_not_ipv4_nor_the_other_way_round),
        cmocka_unit_test(a_mistake_in_a_network_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

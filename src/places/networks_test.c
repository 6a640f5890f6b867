// The operator's table of networks: what a line may say, which line counts, and how mistakes are named.
#include "places/networks.h"

#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/testing.h"

static struct networks *must_read(struct slice text)
{
    struct networks *networks = NULL;
    struct why why = {0};
    if (failed(networks_read(text, &networks, &why)))
        fail_msg("%s", why.text);
    return networks;
}

static const struct place *find(const struct networks *networks, const char *address)
{
    struct ip ip;
    assert_true(ip_read(slice_text(address), &ip));
    return networks_find(networks, &ip);
}

static void assert_at(const struct place *place, double latitude, double longitude, const char *zone)
{
    assert_non_null(place);
    assert_true(place->known);
    assert_true(fabs(place->latitude - latitude) < 1e-9 && fabs(place->longitude - longitude) < 1e-9);
    assert_slice(place->zone, zone);
}

static void a_line_gives_a_zone_a_place_or_both(void **state)
{
    (void)state;
    struct networks *networks = must_read(SLICE("\xef\xbb\xbf# our sites\r\n"
                                                "198.51.100.0/24,plant-7,52.37,4.90\r\n"
                                                "\n"
                                                " 198.51.101.0/24 , plant 8 , West Europe  # the old one\n"
                                                "198.51.102.0/24,japaneast\n"
                                                "198.51.103.0/24,plant-9\n"
                                                "198.51.104.0/24, -33.86 , 151.21\n"
                                                "2001:db8::/32,plant-10,1.5,-103"));
    assert_int_equal(networks_count(networks), 6);
    assert_int_equal(networks_placed(networks), 5);
    assert_at(find(networks, "198.51.100.1"), 52.37, 4.90, "plant-7");
    struct place region;
    assert_false(failed(place_read(SLICE("westeurope"), &region, NULL)));
    assert_at(find(networks, "198.51.101.1"), region.latitude, region.longitude, "plant 8");
    assert_at(find(networks, "198.51.102.1"), 35.68, 139.77, "japaneast");
    assert_slice(find(networks, "198.51.103.1")->zone, "plant-9");
    assert_false(find(networks, "198.51.103.1")->known);
    assert_at(find(networks, "198.51.104.1"), -33.86, 151.21, "");
    assert_at(find(networks, "2001:db8:ffff::1"), 1.5, -103, "plant-10");
    assert_null(find(networks, "198.51.105.1"));
    assert_null(find(networks, "2001:db9::1"));
    networks_free(networks);
}

static void the_longest_prefix_counts_whatever_the_order_of_lines(void **state)
{
    (void)state;
    struct networks *networks =
        must_read(SLICE("10.1.0.0/16,b\n0.0.0.0/0,all-4\n10.1.2.3,d\n10.0.0.0/8,a\n"
                        "10.1.2.0/24,c\n::/0,all-6\n2001:db8::/32,e\n2001:db8::1/128,f\n"
                        "2001:db8:0:1::/64,g\n"));
    static const char *const expected[][2] = {
        {"10.1.2.3", "d"},       {"10.1.2.4", "c"},        {"10.1.3.3", "b"},     {"10.2.2.3", "a"},
        {"11.1.2.3", "all-4"},   {"::ffff:10.1.2.4", "c"}, {"2001:db8::1", "f"},  {"2001:db8::2", "e"},
        {"2001:db8:0:1::", "g"}, {"2001:db9::", "all-6"},  {"[10.1.2.3]:80", "d"}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const struct place *place = find(networks, expected[i][0]);
        assert_non_null(place);
        assert_slice(place->zone, expected[i][1]);
    }
    networks_free(networks);
}

static void refused(struct slice text, const char *because)
{
    struct networks *networks = NULL;
    struct why why = {0};
    assert_int_equal(networks_read(text, &networks, &why).code, ERR_INVALID);
    assert_null(networks);
    if (strstr(why.text, because) == NULL)
        fail_msg("\"%s\" does not say: %s", why.text, because);
}

static void a_mistake_is_named_with_its_line(void **state)
{
    (void)state;
    refused(SLICE("# one\n10.0.0.0/8,a\n10.0.0.0/33,b\n"), "line 3: \"10.0.0.0/33\"");
    refused(SLICE("here,a\n"), "line 1: \"here\" is no network");
    refused(SLICE("10.1.2.3/8,a\n"), "line 1: 10.1.2.3/8 has bits behind its prefix: 10.0.0.0/8");
    refused(SLICE("10.0.0.0/8\n"), "line 1: behind the network stand");
    refused(SLICE("10.0.0.0/8,\n"), "line 1: behind the network stand");
    refused(SLICE("10.0.0.0/8,,westeurope\n"), "line 1: a zone has 1 to 100 characters");
    refused(SLICE("10.0.0.0/8,a,atlantis\n"), "line 1: atlantis is no place");
    refused(SLICE("10.0.0.0/8,91,4\n"), "line 1: 91,4 is no place");
    refused(SLICE("10.0.0.0/8,a,52.37,181\n"), "line 1: 52.37,181 is no place");
    refused(SLICE("10.0.0.0/8,a,1,2,3\n"), "line 1: 1,2,3 is no place");
    refused(SLICE("10.0.0.0/8,a\tb\n"), "line 1: a zone holds no control characters");
    refused(SLICE("10.0.0.0/8,a\0b\n"), "line 1: a zone holds no control characters");
    refused(SLICE("10.0.0.0/8,a\n\n::ffff:10.0.0.0/104,b\n"),
            "line 3: this network stands in line 1 already");
}

static void a_hundred_thousand_lines_are_taken_and_no_more(void **state)
{
    (void)state;
    struct buf text = buf_capped(16 << 20);
    for (unsigned i = 0; i < NETWORKS_MAX; i++)
        buf_printf(&text, "%u.%u.%u.0/24,zone-%u,%u.5,%u.25\n", 1 + (i >> 16), i >> 8 & 255, i & 255, i,
                   i % 90, i % 180);
    struct networks *networks = must_read(buf_slice(&text));
    assert_int_equal(networks_count(networks), NETWORKS_MAX);
    for (unsigned i = 0; i < NETWORKS_MAX; i += 97) {
        char address[32];
        char zone[32];
        (void)snprintf(address, sizeof address, "%u.%u.%u.77", 1 + (i >> 16), i >> 8 & 255, i & 255);
        (void)snprintf(zone, sizeof zone, "zone-%u", i);
        assert_at(find(networks, address), i % 90 + 0.5, i % 180 + 0.25, zone);
    }
    networks_free(networks);
    buf_text(&text, "# and a comment\n9.0.0.0/24,one-too-many\n");
    refused(buf_slice(&text), "line 100002: more than 100000 networks");
    buf_release(&text);
}

static void an_empty_file_knows_nothing(void **state)
{
    (void)state;
    struct networks *networks = must_read(SLICE(""));
    assert_int_equal(networks_count(networks), 0);
    assert_null(find(networks, "10.1.2.3"));
    networks_free(networks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_gives_a_zone_a_place_or_both),
        cmocka_unit_test(the_longest_prefix_counts_whatever_the_order_of_lines),
        cmocka_unit_test(a_mistake_is_named_with_its_line),
        cmocka_unit_test(a_hundred_thousand_lines_are_taken_and_no_more),
        cmocka_unit_test(an_empty_file_knows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Databases of cities: what is found in them, and what a broken file is answered with when it is opened.
#include "places/database.h"

#include <math.h>
#include <unistd.h>

#include "base/testing.h"
#include "places/fake_city_test.h"

static const struct city cities[] = {
    {.network = "198.51.100.0/24", .latitude = 52.37, .longitude = 4.90, .country = "NL"},
    {.network = "203.0.113.0/25", .latitude = 35.5, .longitude = 139.75, .country = "JP", .single = true},
    {.network = "203.0.113.128/25", .country = "DE", .nowhere = true},
    {.network = "2001:db8:1::/48", .latitude = -33.86, .longitude = 151.21},
};

static struct buf whole_file(void)
{
    struct buf bytes = buf_capped(1 << 20);
    struct city_file file = {.cities = cities, .count = 4, .type = "Test-City", .built_s = 1716249600};
    city_write(&file, &bytes);
    return bytes;
}

static struct err open_bytes(struct slice bytes, struct database **out, struct why *why)
{
    const char *path = city_save(bytes);
    struct err e = database_open(path, out, why);
    (void)unlink(path);
    return e;
}

static struct place find(const struct database *database, const char *address)
{
    struct ip ip;
    struct place place;
    assert_true(ip_read(slice_text(address), &ip));
    bool found = database_find(database, &ip, &place);
    assert_true(found == (place.known || place.zone.len > 0));
    return place;
}

static struct database *must_open(struct slice bytes)
{
    struct database *database = NULL;
    struct why why = {0};
    if (failed(open_bytes(bytes, &database, &why)))
        fail_msg("%s", why.text);
    return database;
}

static void assert_at(struct place place, double latitude, double longitude, const char *zone)
{
    assert_true(place.known);
    assert_true(fabs(place.latitude - latitude) < 1e-9 && fabs(place.longitude - longitude) < 1e-9);
    assert_slice(place.zone, zone);
}

static void an_address_is_where_its_city_is(void **state)
{
    (void)state;
    struct buf bytes = whole_file();
    struct database *database = must_open(buf_slice(&bytes));
    assert_at(find(database, "198.51.100.77"), 52.37, 4.90, "NL");
    assert_at(find(database, "::ffff:198.51.100.77"), 52.37, 4.90, "NL");
    assert_at(find(database, "203.0.113.1"), 35.5, 139.75, "JP");
    assert_at(find(database, "2001:db8:1:2::3"), -33.86, 151.21, "");
    struct place country = find(database, "203.0.113.200");
    assert_false(country.known);
    assert_slice(country.zone, "DE");
    static const char *const unknown[] = {"198.51.101.0", "2001:db8:2::1", "127.0.0.1", "::1"};
    for (size_t i = 0; i < 4; i++) {
        struct place place = find(database, unknown[i]);
        assert_false(place.known);
        assert_int_equal(place.zone.len, 0);
    }
    database_close(database);
    buf_release(&bytes);
}

static void a_database_of_ipv4_knows_nothing_of_ipv6(void **state)
{
    (void)state;
    struct buf bytes = buf_capped(1 << 20);
    struct city_file file = {.cities = cities, .count = 1, .type = "Test-City", .only_v4 = true};
    city_write(&file, &bytes);
    struct database *database = must_open(buf_slice(&bytes));
    assert_at(find(database, "198.51.100.1"), 52.37, 4.90, "NL");
    assert_false(find(database, "2001:db8:1::1").known);
    database_close(database);
    buf_release(&bytes);
}

static void what_was_opened_is_named_for_the_log(void **state)
{
    (void)state;
    struct buf bytes = whole_file();
    struct buf text = buf_capped(1000);
    struct database *database = must_open(buf_slice(&bytes));
    database_describe(database, &text);
    assert_slice(buf_slice(&text), "Test-City of 2024-05-21");
    database_close(database);
    buf_release(&text);
    buf_release(&bytes);
}

static void refused(struct slice bytes, const char *because)
{
    struct database *database = NULL;
    struct why why = {0};
    assert_int_equal(open_bytes(bytes, &database, &why).code, ERR_CONFIG);
    assert_null(database);
    if (strstr(why.text, because) == NULL)
        fail_msg("\"%s\" does not say: %s", why.text, because);
}

static void a_file_that_was_cut_off_is_refused(void **state)
{
    (void)state;
    struct buf bytes = whole_file();
    for (size_t len = 0; len < bytes.len; len += 1 + len / 20)
        refused(slice_to(buf_slice(&bytes), len), len == 0 ? "empty" : ": ");
    buf_release(&bytes);
}

static void what_is_no_database_is_refused(void **state)
{
    (void)state;
    struct database *database = NULL;
    struct why why = {0};
    refused(SLICE("198.51.100.0/24,westeurope\n"), "MaxMind's format");
    assert_int_equal(database_open("/nowhere/city.mmdb", &database, &why).code, ERR_CONFIG);
    assert_non_null(strstr(why.text, "/nowhere/city.mmdb: cannot be opened: No such file"));
    assert_int_equal(database_open("/", &database, &why).code, ERR_CONFIG);
    assert_non_null(strstr(why.text, "not a file"));
}

static void a_database_without_places_is_refused(void **state)
{
    (void)state;
    static const struct city networks_only[] = {{.network = "198.51.100.0/24", .nowhere = true}};
    struct buf bytes = buf_capped(1 << 20);
    struct city_file file = {.cities = networks_only, .count = 1, .type = "Test-ASN"};
    city_write(&file, &bytes);
    refused(buf_slice(&bytes), "a database of cities is needed");
    buf_release(&bytes);
}

static void coordinates_off_the_earth_are_refused(void **state)
{
    (void)state;
    static const struct city wrong[] = {
        {.network = "198.51.100.0/24", .latitude = 90.5, .longitude = 0},
        {.network = "198.51.100.0/24", .latitude = 0, .longitude = -181},
        {.network = "198.51.100.0/24", .latitude = NAN, .longitude = 0},
    };
    for (size_t i = 0; i < 3; i++) {
        struct buf bytes = buf_capped(1 << 20);
        struct city_file file = {.cities = &wrong[i], .count = 1, .type = "Test-City"};
        city_write(&file, &bytes);
        refused(buf_slice(&bytes), "not on Earth");
        buf_release(&bytes);
    }
}

static void ask_everywhere(const struct database *database)
{
    static const char *const addresses[] = {"198.51.100.1", "203.0.113.1", "203.0.113.200",   "2001:db8:1::1",
                                            "127.0.0.1",    "::1",         "255.255.255.255", "ffff::"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct place place = find(database, addresses[i]);
        if (place.known)
            assert_true(fabs(place.latitude) <= 90 && fabs(place.longitude) <= 180);
    }
}

// Whatever byte is broken: refused with a reason, or still good for any question. Under the sanitizers.
static void a_broken_byte_is_found_or_does_no_harm(void **state)
{
    (void)state;
    struct buf bytes = whole_file();
    unsigned found = 0;
    for (size_t at = 0; at < bytes.len; at++) {
        static const uint8_t flips[] = {0x01, 0x80, 0xff};
        uint8_t flip = flips[at % 3];
        struct database *database = NULL;
        struct why why = {0};
        bytes.at[at] ^= flip;
        if (failed(open_bytes(buf_slice(&bytes), &database, &why))) {
            assert_true(why.text[0] != '\0');
            found++;
        } else {
            ask_everywhere(database);
            database_close(database);
        }
        bytes.at[at] ^= flip;
    }
    assert_true(found > bytes.len / 4);
    buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_where_its_city_is),
        cmocka_unit_test(a_database_of_ipv4_knows_nothing_of_ipv6),
        cmocka_unit_test(what_was_opened_is_named_for_the_log),
        cmocka_unit_test(a_file_that_was_cut_off_is_refused),
        cmocka_unit_test(what_is_no_database_is_refused),
        cmocka_unit_test(a_database_without_places_is_refused),
        cmocka_unit_test(coordinates_off_the_earth_are_refused),
        cmocka_unit_test(a_broken_byte_is_found_or_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

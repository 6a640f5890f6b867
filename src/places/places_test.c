// Both files together, as a loop asks: the operator's table first, then the database; and reading them again.
#include "places/places.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/testing.h"
#include "places/fake_city_test.h"

struct files {
    char networks[256];
    char database[256];
};

static void save(char *path, struct slice bytes)
{
    (void)snprintf(path, 256, "%s", city_save(bytes));
}

static void files_make(struct files *files, struct slice networks, double latitude)
{
    struct city cities[] = {
        {.network = "198.51.100.0/24", .latitude = latitude, .longitude = 4.90, .country = "NL"},
        {.network = "203.0.113.0/24", .latitude = 35.5, .longitude = 139.75, .country = "JP"},
    };
    struct city_file file = {.cities = cities, .count = 2, .type = "Test-City", .built_s = 1716249600};
    struct buf bytes = buf_capped(1 << 20);
    city_write(&file, &bytes);
    save(files->networks, networks);
    save(files->database, buf_slice(&bytes));
    buf_release(&bytes);
}

static void files_remove(const struct files *files)
{
    (void)unlink(files->networks);
    (void)unlink(files->database);
}

static struct atlas *read_atlas(const char *networks, const char *database)
{
    struct atlas_settings settings = {networks, database};
    struct atlas *atlas = NULL;
    struct why why = {0};
    if (failed(atlas_read(&settings, &atlas, &why)))
        fail_msg("%s", why.text);
    return atlas;
}

static struct places *view_of(struct atlas *atlas)
{
    struct places *places = NULL;
    assert_false(failed(places_new(atlas, 7, &places)));
    return places;
}

static void assert_found(struct places *places, const char *address, double latitude, const char *zone,
                         const char *by)
{
    struct place place;
    assert_true(places_find(places, slice_text(address), &place));
    if (isnan(latitude))
        assert_false(place.known);
    else
        assert_true(place.known && fabs(place.latitude - latitude) < 1e-9);
    assert_slice(place.zone, zone);
    assert_string_equal(place.by, by);
}

static void the_operators_table_outranks_the_database(void **state)
{
    (void)state;
    struct files files;
    files_make(&files,
               SLICE("198.51.100.128/25,plant-7,1.5,2\n203.0.113.0/25,tokyo\n10.0.0.0/8,site\n"
                     "203.0.113.200,60,11\n"),
               52.37);
    struct places *places = view_of(read_atlas(files.networks, files.database));
    assert_found(places, "198.51.100.1:40312", 52.37, "NL", "the database of cities");
    assert_found(places, "198.51.100.129", 1.5, "plant-7", "the table of networks");
    assert_found(places, "[::ffff:198.51.100.129]:5", 1.5, "plant-7", "the table of networks");
    assert_found(places, "203.0.113.7", 35.5, "tokyo", "the table of networks and the database of cities");
    assert_found(places, "203.0.113.200", 60, "", "the table of networks");
    assert_found(places, "10.1.2.3", NAN, "site", "the table of networks");
    places_free(places);
    files_remove(&files);
}

static void of_some_addresses_nothing_is_known(void **state)
{
    (void)state;
    struct files files;
    files_make(&files, SLICE("10.0.0.0/8,site\n"), 52.37);
    struct places *places = view_of(read_atlas(files.networks, files.database));
    static const char *const unknown[] = {"192.0.2.1:1", "[2001:db8::1]:1", "uid 1000", "", "?"};
    for (size_t i = 0; i < 5; i++) {
        struct place place = {.known = true};
        assert_false(places_find(places, slice_text(unknown[i]), &place));
        assert_false(place.known);
    }
    struct place place;
    assert_false(places_find(NULL, SLICE("10.1.2.3"), &place));
    places_free(places);
    files_remove(&files);
}

static void one_of_the_two_files_is_enough(void **state)
{
    (void)state;
    struct files files;
    files_make(&files, SLICE("198.51.100.0/24,plant-7\n"), 52.37);
    struct places *places = view_of(read_atlas(files.networks, NULL));
    assert_found(places, "198.51.100.1", NAN, "plant-7", "the table of networks");
    places_free(places);
    places = view_of(read_atlas("", files.database));
    assert_found(places, "198.51.100.1", 52.37, "NL", "the database of cities");
    places_free(places);
    files_remove(&files);
}

static void after_reading_again_the_new_counts_and_old_zones_stay_readable(void **state)
{
    (void)state;
    struct files before;
    struct files after;
    files_make(&before, SLICE("10.0.0.0/8,old-site\n"), 52.37);
    files_make(&after, SLICE("10.0.0.0/8,new-site\n"), -10);
    struct atlas *first = read_atlas(before.networks, before.database);
    struct places *places = view_of(atlas_share(first));
    struct places *other = view_of(first); // another loop, which has not heard yet
    struct place old;
    struct place old_country;
    assert_true(places_find(places, SLICE("10.1.2.3"), &old));
    assert_true(places_find(places, SLICE("198.51.100.1"), &old_country));
    struct atlas *second = read_atlas(after.networks, after.database);
    places_use(places, atlas_share(second));
    assert_found(places, "10.1.2.3", NAN, "new-site", "the table of networks");
    assert_found(places, "198.51.100.1", -10, "NL", "the database of cities");
    assert_found(other, "10.1.2.3", NAN, "old-site", "the table of networks");
    places_use(other, second); // the first atlas is gone now
    assert_slice(old.zone, "old-site");
    assert_slice(old_country.zone, "NL");
    places_free(places);
    places_free(other);
    files_remove(&before);
    files_remove(&after);
}

static void what_is_wrong_is_said_with_the_file_and_nothing_is_left_open(void **state)
{
    (void)state;
    struct files files;
    files_make(&files, SLICE("10.0.0.0/8,a\n10.0.0.0/9,\n"), 52.37);
    struct atlas_settings settings = {files.networks, files.database};
    struct atlas *atlas = NULL;
    struct why why = {0};
    char expected[300];
    assert_int_equal(atlas_read(&settings, &atlas, &why).code, ERR_CONFIG);
    (void)snprintf(expected, sizeof expected, "%s: line 2: behind the network", files.networks);
    assert_non_null(strstr(why.text, expected));
    settings = (struct atlas_settings){"/nowhere/networks", NULL};
    assert_int_equal(atlas_read(&settings, &atlas, &why).code, ERR_CONFIG);
    assert_non_null(strstr(why.text, "/nowhere/networks: cannot be opened: No such file"));
    settings = (struct atlas_settings){"/", NULL};
    assert_int_equal(atlas_read(&settings, &atlas, &why).code, ERR_CONFIG);
    assert_non_null(strstr(why.text, "/: cannot be read"));
    settings = (struct atlas_settings){NULL, files.networks};
    assert_int_equal(atlas_read(&settings, &atlas, &why).code, ERR_CONFIG);
    assert_null(atlas);
    files_remove(&files);
}

static void what_was_read_is_said_for_the_log(void **state)
{
    (void)state;
    struct files files;
    files_make(&files, SLICE("10.0.0.0/8,a\n11.0.0.0/8,b,1,2\n"), 52.37);
    struct atlas *atlas = read_atlas(files.networks, files.database);
    struct buf text = buf_capped(1000);
    atlas_describe(atlas, &text);
    assert_slice(buf_slice(&text), "2 networks, 1 of them with coordinates; Test-City of 2024-05-21");
    buf_release(&text);
    atlas_free(atlas);
    files_remove(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_operators_table_outranks_the_database),
        cmocka_unit_test(of_some_addresses_nothing_is_known),
        cmocka_unit_test(one_of_the_two_files_is_enough),
        cmocka_unit_test(after_reading_again_the_new_counts_and_old_zones_stay_readable),
        cmocka_unit_test(what_is_wrong_is_said_with_the_file_and_nothing_is_left_open),
        cmocka_unit_test(what_was_read_is_said_for_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Places as operators write them, and the distances between them.
#include "domain/place.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *text;
    double latitude;
    double longitude;
} good[] = {
    {"52.37,4.90", 52.37, 4.90},
    {" 52.37 , 4.90 ", 52.37, 4.90},
    {"-33.86,151.21", -33.86, 151.21},
    {"0,0", 0, 0},
    {"90,180", 90, 180},
    {"-90,-180", -90, -180},
    {"westeurope", 52.37, 4.90},
    {"West Europe", 52.37, 4.90},
    {"WESTEUROPE", 52.37, 4.90},
    {"brazilsouth", -23.55, -46.63},
};

static const char *const bad[] = {
    "",           " ",           "52.37",
    "52.37,",     ",4.90",       "52.37,4.90,1",
    "90.01,0",    "0,180.01",    "-91,0",
    "0x10,0",     "1e1,0",       "nan,nan",
    "inf,0",      "52.37;4.90",  "middleearth",
    "52,37,4,90", "1-2,3",       "--1,2",
    "5 2,4",      "west-europe", "11111111111111111111111111111111111111,0",
};

static void places_are_coordinates_or_regions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct place place;
        struct why why = {0};
        struct err e = place_read(slice_text(good[i].text), &place, &why);
        if (failed(e) || !place.known || fabs(place.latitude - good[i].latitude) > 1e-9 ||
            fabs(place.longitude - good[i].longitude) > 1e-9)
            fail_msg("%s: %s %f,%f", good[i].text, why.text, place.latitude, place.longitude);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct place place;
        struct why why = {0};
        if (place_read(slice_text(bad[i]), &place, &why).code != ERR_INVALID || place.known ||
            strstr(why.text, "westeurope") == NULL)
            fail_msg("%s is taken for %f,%f; %s", bad[i], place.latitude, place.longitude, why.text);
    }
}

// Great-circle distances as airports publish them, in kilometres; the Earth is no sphere, hence half a
// percent.
static const struct {
    const char *from;
    const char *to;
    double km;
} distances[] = {
    {"51.4775,-0.4614", "40.6397,-73.7789", 5540},   // Heathrow, JFK
    {"-33.9461,151.1772", "1.3502,103.9940", 6300},  // Sydney, Changi
    {"35.7647,140.3864", "33.9425,-118.4081", 8755}, // Narita, Los Angeles: over the date line
    {"0,179.9", "0,-179.9", 22.24},                  // a fifth of a degree, over the date line
    {"90,0", "90,135", 0},                           // one pole
    {"90,0", "-90,0", 20015},                        // half a meridian
    {"10,20", "-10,-160", 20015},                    // the other side of the Earth
};

static void distances_are_those_that_ships_and_aeroplanes_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        struct place from, to;
        assert_false(failed(place_read(slice_text(distances[i].from), &from, NULL)));
        assert_false(failed(place_read(slice_text(distances[i].to), &to, NULL)));
        double km = place_distance_km(&from, &to);
        if (fabs(km - distances[i].km) > distances[i].km * 0.005 + 0.001 ||
            fabs(km - place_distance_km(&to, &from)) > 1e-6)
            fail_msg("%s to %s: %f km, not %f", distances[i].from, distances[i].to, km, distances[i].km);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_coordinates_or_regions),
        cmocka_unit_test(distances_are_those_that_ships_and_aeroplanes_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

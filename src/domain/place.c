// Reading a place, and the distance between two.
#include "domain/place.h"

#include <math.h>
#include <stdlib.h>

#include "domain/regions.h"

#define EARTH_KM 6371.0088
#define RADIAN   (3.14159265358979323846 / 180.0)

// A number from `least` to `most`, which is all of the text.
static bool read_degrees(struct slice text, double most, double *out)
{
    char digits[32];
    char *end = NULL;
    if (text.len == 0 || text.len >= sizeof digits)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if ((text.at[i] < '0' || text.at[i] > '9') && text.at[i] != '-' && text.at[i] != '.')
            return false;
    }
    memcpy(digits, text.at, text.len);
    digits[text.len] = '\0';
    *out = strtod(digits, &end);
    return *end == '\0' && *out >= -most && *out <= most;
}

static struct slice trimmed(struct slice text)
{
    while (text.len > 0 && text.at[0] == ' ')
        text = slice_from(text, 1);
    while (text.len > 0 && text.at[text.len - 1] == ' ')
        text = slice_to(text, text.len - 1);
    return text;
}

static bool read_coordinates(struct slice text, struct place *out)
{
    size_t comma = slice_find(text, SLICE(","));
    return comma < text.len && read_degrees(trimmed(slice_to(text, comma)), 90, &out->latitude) &&
           read_degrees(trimmed(slice_from(text, comma + 1)), 180, &out->longitude);
}

// "West Europe" is "westeurope".
static bool read_region(struct slice text, struct place *out)
{
    uint8_t name[PLACE_TEXT_MAX];
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < sizeof name; i++) {
        if (text.at[i] != ' ')
            name[len++] = text.at[i];
    }
    for (size_t i = 0; i < region_count; i++) {
        if (!slice_equal_nocase(slice_text(regions[i].name), slice_of(name, len)))
            continue;
        out->latitude = regions[i].latitude;
        out->longitude = regions[i].longitude;
        return true;
    }
    return false;
}

struct err place_read(struct slice text, struct place *out, struct why *why)
{
    struct place read = {.known = true};
    *out = (struct place){0};
    if (!read_coordinates(text, &read) && !read_region(text, &read))
        return why_fail(
            why, ERR_INVALID,
            "%.*s is no place: give \"latitude,longitude\" in degrees, as in 52.37,4.90, or the name "
            "of a cloud region, as in westeurope",
            SLICE_ARG(slice_to(text, 60)));
    *out = read;
    return OK;
}

double place_distance_km(const struct place *a, const struct place *b)
{
    double north = (b->latitude - a->latitude) * RADIAN / 2;
    double east = (b->longitude - a->longitude) * RADIAN / 2;
    double h = sin(north) * sin(north) +
               cos(a->latitude * RADIAN) * cos(b->latitude * RADIAN) * sin(east) * sin(east);
    return 2 * EARTH_KM * asin(sqrt(h < 1 ? h : 1));
}

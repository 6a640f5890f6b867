// Reads the file of networks into arrays, one for each length of prefix and sorted, and looks addresses up.
#include "places/networks.h"

#include <stdlib.h>

struct network {
    struct ip_network cidr;
    uint32_t line;
    struct place place;
};

// The networks with prefixes of one length.
struct length {
    unsigned bits;
    size_t from;
    size_t count;
};

struct networks {
    uint8_t *text; // the zones are in it
    struct network *all;
    size_t count;
    size_t room;
    struct length lengths[IP_BITS + 1]; // the longest first
    size_t length_count;
};

void networks_free(struct networks *networks)
{
    if (networks == NULL)
        return;
    free(networks->text);
    free(networks->all);
    free(networks);
}

size_t networks_count(const struct networks *networks)
{
    return networks->count;
}

size_t networks_placed(const struct networks *networks)
{
    size_t placed = 0;
    for (size_t i = 0; i < networks->count; i++)
        placed += networks->all[i].place.known;
    return placed;
}

// ---- reading
// -------------------------------------------------------------------------------------------------------------------

static struct err read_zone(struct slice text, struct slice *out, struct why *why)
{
    if (text.len == 0 || text.len > PLACE_TEXT_MAX)
        return why_fail(why, ERR_INVALID, "a zone has 1 to %d characters", PLACE_TEXT_MAX);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < ' ' || text.at[i] == 0x7f)
            return why_fail(why, ERR_INVALID, "a zone holds no control characters");
    }
    *out = text;
    return OK;
}

static bool starts_like_a_number(struct slice text)
{
    return text.len > 0 && (text.at[0] == '-' || (text.at[0] >= '0' && text.at[0] <= '9'));
}

// One word: a region, which names the zone too, or only a zone.
static struct err read_word(struct slice word, struct place *out, struct why *why)
{
    struct slice zone;
    TRY(read_zone(word, &zone, why));
    if (failed(place_read(word, out, NULL)))
        *out = (struct place){0};
    out->zone = zone;
    return OK;
}

// What stands behind the network.
static struct err read_place(struct slice text, struct place *out, struct why *why)
{
    struct slice rest = text;
    struct slice first = {0};
    (void)slice_cut(&rest, ',', &first);
    first = slice_trim(first);
    rest = slice_trim(rest);
    if (slice_find_byte(text, ',') == text.len)
        return read_word(first, out, why);
    if (starts_like_a_number(rest) && slice_find_byte(rest, ',') == rest.len)
        return place_read(text, out, why); // latitude and longitude
    struct slice zone;
    TRY(read_zone(first, &zone, why));
    TRY(place_read(rest, out, why));
    out->zone = zone;
    return OK;
}

static struct err add_line(struct networks *networks, struct slice line, uint32_t number, struct why *why)
{
    struct slice rest = slice_trim(slice_to(line, slice_find_byte(line, '#')));
    struct slice cidr;
    if (!slice_cut(&rest, ',', &cidr))
        return OK; // nothing but blanks and a comment
    if (networks->count == NETWORKS_MAX)
        return why_fail(why, ERR_INVALID, "more than %d networks", NETWORKS_MAX);
    if (networks->count == networks->room) {
        size_t room = networks->room == 0 ? 64 : networks->room * 2;
        struct network *all = realloc(networks->all, room * sizeof *all);
        if (all == NULL)
            return FAIL(ERR_NO_MEMORY);
        networks->all = all;
        networks->room = room;
    }
    struct network *added = &networks->all[networks->count];
    *added = (struct network){.line = number};
    TRY(ip_network_read(slice_trim(cidr), &added->cidr, why));
    if (slice_trim(rest).len == 0)
        return why_fail(why, ERR_INVALID,
                        "behind the network stand its zone, its place, or both, after commas");
    TRY(read_place(slice_trim(rest), &added->place, why));
    networks->count++;
    return OK;
}

static struct err read_lines(struct networks *networks, struct slice text, struct why *why)
{
    struct slice line;
    if (slice_starts_with(text, SLICE("\xef\xbb\xbf"))) // as spreadsheets write it in front
        text = slice_from(text, 3);
    for (uint32_t number = 1; slice_cut(&text, '\n', &line); number++) {
        struct why inner = {0};
        struct err e = add_line(networks, line, number, &inner);
        if (failed(e))
            return why_fail(why, e.code, "line %u: %.200s", number, inner.text);
    }
    return OK;
}

// ---- order
// -------------------------------------------------------------------------------------------------------------------

static int in_order(const void *a, const void *b)
{
    const struct network *left = a;
    const struct network *right = b;
    if (left->cidr.bits != right->cidr.bits)
        return left->cidr.bits > right->cidr.bits ? -1 : 1;
    int order = memcmp(&left->cidr.first, &right->cidr.first, sizeof left->cidr.first);
    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

static struct err put_in_order(struct networks *networks, struct why *why)
{
    if (networks->count > 0)
        qsort(networks->all, networks->count, sizeof networks->all[0], in_order);
    for (size_t i = 0; i < networks->count; i++) {
        const struct network *one = &networks->all[i];
        bool other_length = i == 0 || one->cidr.bits != one[-1].cidr.bits;
        if (!other_length && memcmp(&one->cidr.first, &one[-1].cidr.first, sizeof one->cidr.first) == 0)
            return why_fail(why, ERR_INVALID, "line %u: this network stands in line %u already", one->line,
                            one[-1].line);
        if (other_length)
            networks->lengths[networks->length_count++] = (struct length){one->cidr.bits, i, 0};
        networks->lengths[networks->length_count - 1].count++;
    }
    return OK;
}

struct err networks_read(struct slice text, struct networks **out, struct why *why)
{
    *out = NULL;
    if (text.len > NETWORKS_BYTES_MAX)
        return why_fail(why, ERR_INVALID, "longer than %d bytes", NETWORKS_BYTES_MAX);
    struct networks *networks = calloc(1, sizeof *networks);
    uint8_t *copy = malloc(text.len + 1);
    struct err e = networks != NULL && copy != NULL ? OK : FAIL(ERR_NO_MEMORY);
    if (failed(e)) {
        free(networks);
        free(copy);
        return e;
    }
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    networks->text = copy;
    e = read_lines(networks, slice_of(copy, text.len), why);
    if (!failed(e))
        e = put_in_order(networks, why);
    if (failed(e))
        networks_free(networks);
    else
        *out = networks;
    return e;
}

// ---- looking up
// -----------------------------------------------------------------------------------------------------------------

static int against(const void *key, const void *element)
{
    return memcmp(key, &((const struct network *)element)->cidr.first, sizeof(struct ip));
}

const struct place *networks_find(const struct networks *networks, const struct ip *ip)
{
    bool v4 = ip_is_v4(ip);
    for (size_t i = 0; i < networks->length_count; i++) {
        const struct length *length = &networks->lengths[i];
        if (v4 && length->bits < IP_V4_BITS)
            break; // from here on it is networks of IPv6 only
        struct ip key = ip_masked(ip, length->bits);
        const struct network *found =
            bsearch(&key, networks->all + length->from, length->count, sizeof *found, against);
        if (found != NULL)
            return &found->place;
    }
    return NULL;
}

// Asks libmaxminddb. The library checks bounds, yet a lookup that runs into a broken record only fails, and
// nobody would notice: so the whole tree is walked when the file is opened.
#include "places/database.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <maxminddb.h>

#include "base/instant.h"

enum {
    SEPARATOR = 16, // bytes of zeros between tree and data
    ISO_CODE_MAX = 8,
};
#define FILE_BYTES_MAX ((int64_t)2 << 30) // the library counts in 32 bits
#define YEAR_2100_S    4102444800u

struct database {
    MMDB_s mmdb;
};

// What a record says.
struct finding {
    struct place place;
    const char *broken; // what is wrong with it; NULL: nothing
};

static bool is_number(const MMDB_entry_data_s *data, double *out)
{
    if (!data->has_data || (data->type != MMDB_DATA_TYPE_DOUBLE && data->type != MMDB_DATA_TYPE_FLOAT))
        return false;
    *out = data->type == MMDB_DATA_TYPE_DOUBLE ? data->double_value : (double)data->float_value;
    return true;
}

// False when the record cannot be read; what is not in it has no data.
static bool look(MMDB_entry_s *entry, const char *const path[], MMDB_entry_data_s *data)
{
    int result = MMDB_aget_value(entry, data, path);
    if (result == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR)
        *data = (MMDB_entry_data_s){0};
    return result == MMDB_SUCCESS || result == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR;
}

static struct finding read_record(MMDB_entry_s *entry)
{
    static const char *const latitude_path[] = {"location", "latitude", NULL};
    static const char *const longitude_path[] = {"location", "longitude", NULL};
    static const char *const country_path[] = {"country", "iso_code", NULL};
    MMDB_entry_data_s latitude, longitude, country;
    struct finding found = {0};
    if (!look(entry, latitude_path, &latitude) || !look(entry, longitude_path, &longitude) ||
        !look(entry, country_path, &country))
        return (struct finding){.broken = "a record cannot be read"};
    struct place *place = &found.place;
    place->known = is_number(&latitude, &place->latitude) && is_number(&longitude, &place->longitude);
    // written so that a NaN is outside too
    if (place->known && !(place->latitude >= -90 && place->latitude <= 90 && place->longitude >= -180 &&
                          place->longitude <= 180))
        return (struct finding){.broken = "a record has coordinates that are not on Earth"};
    if (country.has_data && country.type == MMDB_DATA_TYPE_UTF8_STRING && country.data_size <= ISO_CODE_MAX)
        place->zone = slice_of(country.utf8_string, country.data_size);
    return found;
}

// ---- opening
// -------------------------------------------------------------------------------------------------------------------

// One walk over all nodes. Records are shared by many networks, so those that were read are marked.
struct walk {
    const MMDB_s *mmdb;
    uint8_t *seen; // a bit for each byte of the data
    const char *broken;
    size_t useful; // records with coordinates or a country
};

static void look_at_record(struct walk *walk, uint8_t type, MMDB_entry_s entry)
{
    if (type == MMDB_RECORD_TYPE_INVALID ||
        (type == MMDB_RECORD_TYPE_DATA && entry.offset >= walk->mmdb->data_section_size)) {
        walk->broken = "its tree leads nowhere";
        return;
    }
    uint8_t bit = (uint8_t)(1u << (entry.offset % 8));
    if (type != MMDB_RECORD_TYPE_DATA || (walk->seen[entry.offset / 8] & bit) != 0)
        return;
    walk->seen[entry.offset / 8] |= bit;
    struct finding found = read_record(&entry);
    walk->broken = found.broken;
    walk->useful += found.place.known || found.place.zone.len > 0;
}

static void walk_tree(struct walk *walk)
{
    for (uint32_t i = 0; i < walk->mmdb->metadata.node_count && walk->broken == NULL; i++) {
        MMDB_search_node_s node;
        if (MMDB_read_node(walk->mmdb, i, &node) != MMDB_SUCCESS) {
            walk->broken = "its tree cannot be read";
            return;
        }
        look_at_record(walk, node.left_record_type, node.left_record_entry);
        if (walk->broken == NULL)
            look_at_record(walk, node.right_record_type, node.right_record_entry);
    }
    if (walk->broken == NULL && walk->useful == 0)
        walk->broken =
            "no record has location.latitude and location.longitude, or country.iso_code: a database "
            "of cities is needed";
}

static struct err check(const MMDB_s *mmdb, const char *path, struct why *why)
{
    uint64_t tree = (uint64_t)mmdb->metadata.node_count * mmdb->full_record_byte_size;
    struct walk walk = {.mmdb = mmdb};
    if (tree + SEPARATOR > (uint64_t)mmdb->file_size)
        return why_fail(why, ERR_CONFIG, "%s: broken: its tree is longer than the file", path);
    walk.seen = calloc(mmdb->data_section_size / 8 + 1, 1);
    if (walk.seen == NULL)
        return FAIL(ERR_NO_MEMORY);
    walk_tree(&walk);
    free(walk.seen);
    if (walk.broken != NULL)
        return why_fail(why, ERR_CONFIG, "%s: cannot be used: %s", path, walk.broken);
    return OK;
}

static struct err look_at_file(const char *path, struct why *why)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return why_fail(why, ERR_CONFIG, "%s: cannot be opened: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return why_fail(why, ERR_CONFIG, "%s: not a file", path);
    if (st.st_size == 0 || st.st_size > FILE_BYTES_MAX)
        return why_fail(why, ERR_CONFIG, "%s: %s", path, st.st_size == 0 ? "empty" : "larger than 2 GB");
    return OK;
}

struct err database_open(const char *path, struct database **out, struct why *why)
{
    *out = NULL;
    TRY(look_at_file(path, why));
    struct database *database = calloc(1, sizeof *database);
    if (database == NULL)
        return FAIL(ERR_NO_MEMORY);
    int result = MMDB_open(path, MMDB_MODE_MMAP, &database->mmdb);
    if (result != MMDB_SUCCESS) {
        free(database);
        return why_fail(why, ERR_CONFIG,
                        "%s: %s: not a whole database in MaxMind's format, or one that cannot be read", path,
                        result == MMDB_IO_ERROR ? strerror(errno) : MMDB_strerror(result));
    }
    struct err e = check(&database->mmdb, path, why);
    if (failed(e))
        database_close(database);
    else
        *out = database;
    return e;
}

void database_close(struct database *database)
{
    if (database == NULL)
        return;
    MMDB_close(&database->mmdb);
    free(database);
}

// ---- asking
// -------------------------------------------------------------------------------------------------------------------

bool database_find(const struct database *database, const struct ip *ip, struct place *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    int error = MMDB_SUCCESS;
    *out = (struct place){0};
    address.any.sa_family = ip_is_v4(ip) ? AF_INET : AF_INET6;
    if (ip_is_v4(ip))
        memcpy(&address.v4.sin_addr, ip->at + 12, 4);
    else
        memcpy(&address.v6.sin6_addr, ip->at, 16);
    MMDB_lookup_result_s result = MMDB_lookup_sockaddr(&database->mmdb, &address.any, &error);
    if (error != MMDB_SUCCESS || !result.found_entry) // IPv6 in a database of IPv4 only is an error
        return false;
    *out = read_record(&result.entry).place;
    return out->known || out->zone.len > 0;
}

void database_describe(const struct database *database, struct buf *out)
{
    const MMDB_metadata_s *metadata = &database->mmdb.metadata;
    buf_printf(out, "%.60s", metadata->database_type != NULL ? metadata->database_type : "a database");
    if (metadata->build_epoch > YEAR_2100_S)
        return; // broken, or not of ours
    struct buf day = buf_capped(64);
    instant_format(&day, (int64_t)metadata->build_epoch * 1000000);
    buf_printf(out, " of %.*s", SLICE_ARG(slice_to(buf_slice(&day), 10)));
    buf_release(&day);
}

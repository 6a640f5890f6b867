// A database of cities in MaxMind's format (maxmind.github.io/MaxMind-DB), of whatever maker:
// location.latitude, location.longitude and country.iso_code are read, and nothing else. Inside places only.
#pragma once

#include "base/buf.h"
#include "base/ip.h"
#include "domain/place.h"

struct database;

// Maps the file, and reads every record that a lookup can reach once, so that what is broken is found now.
// ERR_CONFIG with why, which names the file.
struct err database_open(const char *path, struct database **out, struct why *why);
void database_close(struct database *database);
// False when nothing is known of the address; else coordinates, zone (in the mapped file), or both.
bool database_find(const struct database *database, const struct ip *ip, struct place *out);
// Its type and the day it was built, in its own words: "GeoLite2-City of 2024-05-21".
void database_describe(const struct database *database, struct buf *out);

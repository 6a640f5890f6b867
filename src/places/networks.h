// The operator's file of networks: which network is in which zone and where. Inside places only.
//
//   198.51.100.0/24,plant-7,52.37,4.90      network, zone, latitude, longitude
//   198.51.100.0/25,plant-7,westeurope      network, zone, region
//   203.0.113.0/24,westeurope               network, region; the zone is called so too
//   2001:db8::/32,plant-8                   network, zone; where it is, is not said
//   192.0.2.7,35.68,139.77                  one address, latitude, longitude
#pragma once

#include "base/ip.h"
#include "domain/place.h"

enum { NETWORKS_MAX = 100000, NETWORKS_BYTES_MAX = 32 << 20 };

struct networks;

// ERR_INVALID with why, which names the line. The text is copied.
struct err networks_read(struct slice text, struct networks **out, struct why *why);
void networks_free(struct networks *networks);
size_t networks_count(const struct networks *networks);
size_t networks_placed(const struct networks *networks); // those with coordinates
// The longest prefix that holds the address; NULL when none does.
const struct place *networks_find(const struct networks *networks, const struct ip *ip);

// An operator's table of networks: what is read can be asked any address, the same place comes out for an
// address and for its IPv4-mapped form, and a refusal says which line it is about.
#include "places/networks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct networks *networks = NULL;
    struct why why = {0};
    struct err e = networks_read(slice_of(data, size), &networks, &why);
    INVARIANT(failed(e) == (networks == NULL));
    INVARIANT(!failed(e) || e.code == ERR_NO_MEMORY || strncmp(why.text, "line ", 5) == 0);
    if (networks == NULL)
        return 0;
    INVARIANT(networks_placed(networks) <= networks_count(networks));
    static const char *const addresses[] = {"10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "255.255.255.255",
                                            "::"};
    const struct place *found[5];
    for (size_t i = 0; i < 5; i++) {
        struct ip ip;
        INVARIANT(ip_read(slice_text(addresses[i]), &ip));
        found[i] = networks_find(networks, &ip);
        INVARIANT(found[i] == NULL || found[i]->known || found[i]->zone.len > 0);
    }
    INVARIANT(found[0] == found[1]);
    networks_free(networks);
    return 0;
}

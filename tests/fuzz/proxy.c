// Headers of the PROXY protocol: what comes in one piece and byte by byte is judged alike, a header takes no
// more bytes than there are or than the cap, and a refusal says why.
#include "wire/proxy/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole;
    struct why why = {0};
    size_t taken = 0;
    struct slice bytes = slice_of(data, size);
    struct err e = proxy_read(bytes, &whole, &taken, &why);
    INVARIANT(!failed(e) || why.text[0] != '\0');
    INVARIANT(taken <= size && taken <= PROXY_FIXED + PROXY_BEHIND_MAX);
    INVARIANT(taken == 0 || !failed(e));
    INVARIANT(failed(e) || taken > 0 || size < PROXY_FIXED + PROXY_BEHIND_MAX);
    for (size_t len = 0; len <= size && len <= PROXY_FIXED + PROXY_BEHIND_MAX; len++) {
        struct proxy_header header;
        size_t used = 0;
        struct err part = proxy_read(slice_to(bytes, len), &header, &used, NULL);
        if (failed(part)) { // what begins wrongly does not become right
            INVARIANT(failed(e));
            break;
        }
        if (used > 0) {
            INVARIANT(used == taken && used == len && header.local == whole.local &&
                      header.port == whole.port &&
                      memcmp(&header.source, &whole.source, sizeof(struct ip)) == 0);
            break;
        }
    }
    return 0;
}

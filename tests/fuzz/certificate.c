// Certificates and revocation lists from strangers. The input is DER elements, one after the other: the first
// is a device's certificate, all of them are what it shows, the last is a CA certificate of the service, or a
// list of the one before. A way ends at that CA certificate; judging a second time, at rest and with all that
// was remembered, finds what was found before; nothing is left in OpenSSL's error queue.
#include <openssl/err.h>

#include "crypto/certificate.h"
#include "crypto/path.h"
#include "crypto/possession.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ELEMENTS_MAX = CHAIN_MAX + 1, WAYS_MAX = 4 };
#define NOW_US INT64_C(1800000000000000) // the seeds were made for that time

// Cuts off one DER element by its length; the rest as it is when that makes no sense.
static struct slice cut(struct slice *rest)
{
    struct slice whole = *rest;
    size_t len = whole.len;
    if (whole.len > 4 && whole.at[1] == 0x82)
        len = (size_t)(whole.at[2] << 8 | whole.at[3]) + 4;
    else if (whole.len > 3 && whole.at[1] == 0x81)
        len = (size_t)whole.at[2] + 3;
    *rest = slice_from(whole, len);
    return slice_to(whole, len);
}

static struct err judge(struct issuers *issuers, struct chain *chain, struct slice ca, size_t *count)
{
    struct path_known known = {.der = ca, .anchor = true};
    struct path_question question = {.chain = chain, .known = &known, .known_count = 1, .now_us = NOW_US};
    struct path ways[WAYS_MAX];
    struct why why;
    struct err e = path_find(issuers, &question, ways, WAYS_MAX, count, &why);
    INVARIANT(failed(e) == (*count == 0) && *count <= WAYS_MAX);
    for (size_t i = 0; i < *count; i++) {
        INVARIANT(ways[i].count >= 1 && ways[i].count <= PATH_ABOVE_MAX);
        INVARIANT(slice_equal(ways[i].above[ways[i].count - 1], ca));
    }
    return e;
}

static void judge_chain(const struct slice *all, size_t count, struct slice ca)
{
    struct issuers *issuers;
    struct chain *chain;
    uint32_t names[CHAIN_MAX];
    size_t first;
    size_t second;
    struct why why;
    INVARIANT(!failed(issuers_new(2, 4096, &issuers)));
    INVARIANT(!failed(chain_new(all, count, &chain)));
    INVARIANT(chain_issuers(chain, names, CHAIN_MAX) <= count);
    struct err e = judge(issuers, chain, ca, &first);
    struct err pinned = path_check_pinned(chain, NOW_US, &why);
    INVARIANT(chain_problem(chain) == NULL || (failed(e) && failed(pinned)));
    chain_rest(chain);
    struct err again = judge(issuers, chain, ca, &second);
    INVARIANT(failed(e) || (!failed(again) && second >= first)); // fewer signatures are left to check
    INVARIANT(path_check_pinned(chain, NOW_US, &why).code == pinned.code);
    chain_release(chain);
    issuers_free(issuers);
}

static void read_text(struct arena *arena, struct slice text)
{
    struct slice der;
    struct certificate_info info;
    struct authority authority;
    struct why why;
    uint32_t subject;
    uint32_t issuer;
    if (failed(certificate_read(arena, text, &der, &why)))
        return;
    INVARIANT(!failed(certificate_names(der, &subject, &issuer)));
    (void)certificate_describe(arena, der, &info, &why).code;
    if (!failed(authority_check(der, NOW_US, &authority, &why)))
        INVARIANT(authority.subject == subject && authority.issuer == issuer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = arena_capped(16 * CRL_MAX);
    struct slice rest = slice_of(data, size);
    struct slice all[ELEMENTS_MAX];
    size_t count = 0;
    while (count < ELEMENTS_MAX && (count == 0 || rest.len > 0))
        all[count++] = cut(&rest);
    judge_chain(all, count, all[count - 1]);
    read_text(&arena, slice_of(data, size));
    if (count > 1) {
        struct slice der;
        struct crl_facts facts;
        struct why why;
        (void)crl_read(&arena, all[count - 1], all[count - 2], NOW_US, &der, &facts, &why).code;
        (void)possession_check(all[count - 1], all[0], SLICE("d1"), NOW_US, &why).code;
    }
    INVARIANT(ERR_peek_error() == 0);
    arena_release(&arena);
    return 0;
}

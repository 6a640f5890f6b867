// Paths segment by segment, and query parameters.
#include "base/text.h"
#include "wire/http/message.h"

struct http_path http_path_of(struct slice path)
{
    bool rooted = path.len > 0 && path.at[0] == '/';
    return (struct http_path){.rest = slice_from(path, rooted ? 1 : 0)};
}

// percent_decode, but without a copy when there is nothing to decode, and never with at NULL.
static struct err decoded(struct slice raw, struct arena *a, struct slice *out)
{
    *out = raw;
    if (slice_find_byte(raw, '%') == raw.len)
        return OK;
    return percent_decode(a, raw, out);
}

struct err http_path_next(struct http_path *path, struct arena *a, struct slice *segment)
{
    *segment = (struct slice){0};
    if (path->rest.len == 0)
        return OK;
    struct slice raw;
    (void)slice_cut(&path->rest, '/', &raw);
    TRY(decoded(raw, a, segment));
    // servers and proxies disagree on dot segments, and nothing here is named so (RFC 3986 5.2.4)
    if (slice_equal(*segment, SLICE(".")) || slice_equal(*segment, SLICE("..")))
        return FAIL(ERR_MALFORMED);
    return OK;
}

struct err http_query_get(struct slice query, struct slice name, struct arena *a, struct slice *value)
{
    *value = (struct slice){0};
    struct slice pair;
    while (slice_cut(&query, '&', &pair)) {
        size_t equals = slice_find_byte(pair, '=');
        struct slice key;
        TRY(decoded(slice_to(pair, equals), a, &key));
        if (!slice_equal_nocase(key, name))
            continue;
        if (value->at != NULL)
            return FAIL(ERR_MALFORMED);
        size_t skip = equals < pair.len ? equals + 1 : equals;
        TRY(decoded(slice_of(pair.at + skip, pair.len - skip), a, value));
    }
    return OK;
}

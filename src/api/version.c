// Checks the form of api-version; behaviour does not depend on it.
#include "api/version.h"

static bool is_date(struct slice s)
{
    static const char form[] = "dddd-dd-dd";
    if (s.len != sizeof form - 1)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool digit = s.at[i] >= '0' && s.at[i] <= '9';
        if (form[i] == 'd' ? !digit : s.at[i] != '-')
            return false;
    }
    return true;
}

struct err api_version_check(const struct exchange *x, struct why *why)
{
    struct slice version = {0};
    struct arena arena = arena_capped(1024);
    struct err e = http_query_get(x->request.query, SLICE("api-version"), &arena, &version);
    bool fits = !failed(e) && (is_date(version) || (slice_ends_with(version, SLICE("-preview")) &&
                                                    is_date(slice_to(version, version.len - 8))));
    if (!fits)
        e = why_fail(why, ERR_API_VERSION, "add ?api-version=2021-10-01 to the URL");
    arena_release(&arena);
    return fits ? OK : e;
}

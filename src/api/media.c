// Reads Content-Type and Content-Encoding.
#include "api/media.h"

struct err media_check(const struct http_request *request, struct why *why)
{
    struct slice coding = slice_trim(http_header(request, SLICE("Content-Encoding")));
    struct slice rest = http_header(request, SLICE("Content-Type"));
    struct slice type = {0};
    if (request->body.len == 0)
        return OK;
    if (coding.len > 0 && !slice_equal_nocase(coding, SLICE("identity")) &&
        !slice_equal_nocase(coding, SLICE("utf-8")))
        return why_fail(why, ERR_MEDIA_TYPE, "send the body without Content-Encoding");
    (void)slice_cut(&rest, ';', &type); // what follows is the character set
    type = slice_trim(type);
    if (type.len > 0 && !slice_equal_nocase(type, SLICE("application/json")))
        return why_fail(why, ERR_MEDIA_TYPE, "send the body as Content-Type: application/json");
    return OK;
}

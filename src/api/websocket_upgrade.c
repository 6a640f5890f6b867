// Requests to change to WebSocket: judged field by field, and answered.
#include "api/websocket_upgrade.h"

// The value of a field that must be there once; at is NULL when it is not.
static struct slice only(const struct http_request *request, struct slice name)
{
    struct slice found = {0};
    size_t count = 0;
    for (size_t i = 0; i < request->field_count; i++) {
        if (!slice_equal_nocase(request->fields[i].name, name))
            continue;
        found = request->fields[i].value;
        count++;
    }
    return count == 1 ? found : (struct slice){0};
}

static const struct websocket_door *door_of(struct slice subprotocol, const struct websocket_door *doors,
                                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(subprotocol, slice_text(doors[i].subprotocol)))
            return &doors[i];
    }
    return NULL;
}

// Offers may be in one field or in several (RFC 6455 11.3.4), preferred first.
static const struct websocket_door *first_known(const struct http_request *request,
                                                const struct websocket_door *doors, size_t count)
{
    for (size_t i = 0; i < request->field_count; i++) {
        struct slice list = request->fields[i].value;
        struct slice offered;
        if (!slice_equal_nocase(request->fields[i].name, SLICE("Sec-WebSocket-Protocol")))
            continue;
        while (slice_cut(&list, ',', &offered)) {
            const struct websocket_door *door = door_of(slice_trim(offered), doors, count);
            if (door != NULL)
                return door;
        }
    }
    return NULL;
}

static struct err refuse_offer(const struct http_request *request, const struct websocket_door *doors,
                               size_t count, struct why *why)
{
    char room[128];
    struct buf known = {.at = (uint8_t *)room, .room = sizeof room, .cap = sizeof room};
    for (size_t i = 0; i < count; i++)
        buf_printf(&known, "%s%s", i > 0 ? ", " : "", doors[i].subprotocol);
    bool offered = http_header(request, SLICE("Sec-WebSocket-Protocol")).at != NULL;
    return why_fail(why, ERR_INVALID, "%s in Sec-WebSocket-Protocol; spoken here: %.*s",
                    offered ? "no known subprotocol" : "a subprotocol must be offered",
                    SLICE_ARG(buf_slice(&known)));
}

struct err websocket_upgrade_judge(const struct http_request *request, const struct websocket_door *doors,
                                   size_t count, struct websocket_upgrade *out, struct why *why)
{
    if (!slice_equal(only(request, SLICE("Sec-WebSocket-Version")), SLICE("13")))
        return why_fail(why, ERR_WEBSOCKET_VERSION, "Sec-WebSocket-Version must be 13 (RFC 6455 4.4)");
    TRY(websocket_accept(only(request, SLICE("Sec-WebSocket-Key")), out->accept, why));
    out->door = first_known(request, doors, count);
    return out->door != NULL ? OK : refuse_offer(request, doors, count, why);
}

void websocket_upgrade_answer(const struct websocket_upgrade *upgrade, struct buf *out)
{
    const struct http_field fields[] = {
        {SLICE("Upgrade"), SLICE("websocket")},
        {SLICE("Connection"), SLICE("Upgrade")},
        {SLICE("Sec-WebSocket-Accept"), slice_of(upgrade->accept, sizeof upgrade->accept)},
        {SLICE("Sec-WebSocket-Protocol"), slice_text(upgrade->door->subprotocol)},
    };
    const struct http_response response = {
        .status = 101, .fields = fields, .field_count = sizeof fields / sizeof fields[0]};
    http_encode_response(out, &response);
}

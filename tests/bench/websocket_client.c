// WebSocket frames of a client (RFC 6455 5.2).
#include "websocket_client.h"

#include <stdlib.h>

enum { FIN = 0x80, MASKED = 0x80, LEN16 = 126, LEN64 = 127 };

void websocket_client_ask(struct buf *out, const char *subprotocol)
{
    buf_printf(out,
               "GET /$iothub/websocket HTTP/1.1\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Protocol: %s\r\nHost: localhost\r\n\r\n",
               subprotocol);
}

void websocket_client_frame(struct buf *out, uint8_t opcode, struct slice payload)
{
    uint8_t mask[4];
    long bits = random();
    memcpy(mask, &bits, sizeof mask);
    buf_u8(out, (uint8_t)(FIN | opcode));
    if (payload.len < LEN16) {
        buf_u8(out, (uint8_t)(MASKED | payload.len));
    } else {
        buf_u8(out, MASKED | LEN16);
        buf_u16(out, (uint16_t)payload.len);
    }
    buf_bytes(out, slice_of(mask, sizeof mask));
    for (size_t i = 0; i < payload.len; i++)
        buf_u8(out, payload.at[i] ^ mask[i % sizeof mask]);
}

static size_t head_size(const struct websocket_client *w)
{
    if (w->head_len < 2)
        return 2;
    uint8_t len = w->head[1] & 0x7f;
    return len == LEN64 ? 10 : len == LEN16 ? 4 : 2;
}

static void begin_payload(struct websocket_client *w)
{
    size_t size = head_size(w);
    w->left = size == 2 ? w->head[1] : 0;
    for (size_t i = 2; i < size; i++)
        w->left = (w->left << 8) | w->head[i];
}

bool websocket_client_feed(struct websocket_client *w, struct slice in, struct buf *payload)
{
    while (in.len > 0 && !w->closed) {
        if (w->left == 0) {
            w->head[w->head_len++] = in.at[0];
            in = slice_from(in, 1);
            if (w->head_len < head_size(w))
                continue;
            begin_payload(w);
            w->closed = (w->head[0] & 0x0f) == WEBSOCKET_CLIENT_CLOSE;
            if ((!w->closed && w->head[0] != (FIN | WEBSOCKET_CLIENT_BINARY)) || (w->head[1] & MASKED) != 0)
                return false;
            w->head_len = 0;
        }
        struct slice part = slice_to(in, w->left);
        if (!w->closed)
            buf_bytes(payload, part);
        in = slice_from(in, part.len);
        w->left -= part.len;
    }
    return true;
}

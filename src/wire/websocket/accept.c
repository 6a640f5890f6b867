// The one computation of the opening handshake (RFC 6455 4.2.2).
#include "base/text.h"
#include "crypto/hmac.h"
#include "wire/websocket/websocket.h"

enum { NONCE = 16, KEY_TEXT = 24 };

struct err websocket_accept(struct slice key, char out[WEBSOCKET_ACCEPT_TEXT], struct why *why)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t nonce[NONCE];
    uint8_t text[KEY_TEXT + sizeof guid - 1];
    uint8_t digest[SHA1_SIZE];
    size_t len = 0;
    if (key.len != KEY_TEXT || !b64_decode(key, nonce, sizeof nonce, &len) || len != NONCE)
        return why_fail(why, ERR_MALFORMED, "Sec-WebSocket-Key is not base64 of 16 bytes");
    memcpy(text, key.at, KEY_TEXT);
    memcpy(text + KEY_TEXT, guid, sizeof guid - 1);
    TRY(sha1(slice_of(text, sizeof text), digest));
    struct buf made = {.at = (uint8_t *)out, .room = WEBSOCKET_ACCEPT_TEXT, .cap = WEBSOCKET_ACCEPT_TEXT};
    b64_encode(&made, slice_of(digest, sizeof digest));
    return buf_err(&made);
}

// Fuzzes the service's side of WebSocket: the first byte says in what pieces the rest arrives, and when we
// close. Beyond not crashing: payload, answers and end are the same whole and in pieces, payload is never
// longer than what came, and after the end nothing is taken.
#include "wire/websocket/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum websocket_state run(struct slice bytes, size_t step, bool we_close, struct buf *payload,
                                struct buf *answers)
{
    struct websocket *ws;
    INVARIANT(!failed(websocket_new(&ws)));
    if (we_close)
        websocket_close(ws, WEBSOCKET_NORMAL);
    struct err e = OK;
    for (size_t at = 0; at < bytes.len; at += step) {
        struct slice in = slice_to(slice_from(bytes, at), step);
        bool over = websocket_state(ws) == WEBSOCKET_CLOSED || websocket_state(ws) == WEBSOCKET_FAILED;
        size_t before = payload->len;
        size_t given = in.len;
        e = websocket_feed(ws, &in, 0, payload);
        INVARIANT(in.len == 0);
        INVARIANT(payload->len - before <= (over ? 0 : given));
    }
    enum websocket_state state = websocket_state(ws);
    INVARIANT(failed(e) == (state == WEBSOCKET_FAILED));
    INVARIANT((websocket_why(ws)->text[0] != '\0') == (state == WEBSOCKET_FAILED));
    INVARIANT(!we_close || (payload->len == 0 && websocket_output(ws)->len == 4)); // only our Close
    buf_bytes(answers, buf_slice(websocket_output(ws)));
    websocket_free(ws);
    return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct slice bytes = slice_of(data + 1, size - 1);
    bool we_close = data[0] & 1;
    struct buf whole = buf_capped(1 << 22), whole_answers = buf_capped(1 << 20);
    struct buf pieces = buf_capped(1 << 22), pieces_answers = buf_capped(1 << 20);
    enum websocket_state first = run(bytes, bytes.len, we_close, &whole, &whole_answers);
    enum websocket_state second = run(bytes, (size_t)(data[0] >> 1) + 1, we_close, &pieces, &pieces_answers);
    INVARIANT(first == second);
    INVARIANT(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
    INVARIANT(slice_equal(buf_slice(&whole_answers), buf_slice(&pieces_answers)));
    buf_release(&whole);
    buf_release(&whole_answers);
    buf_release(&pieces);
    buf_release(&pieces_answers);
    return 0;
}

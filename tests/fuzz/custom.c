// Answers of webhooks: what is read is a hub, and JSON that can be read again and sent on; what is not is
// refused in words.
#include "domain/custom.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct slice text, bool object)
{
    struct json_limits limits = {.bytes = 4 * CUSTOM_ANSWER_MAX, .depth = JSON_DEPTH_MAX};
    struct json_doc doc;
    if (text.len == 0)
        return;
    INVARIANT(!failed(json_read(text, limits, &doc, NULL)));
    INVARIANT(!object || json_kind(json_root(&doc)) == JSON_KIND_OBJECT);
    json_doc_release(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = arena_capped(1 << 20);
    struct custom_answer answer;
    struct why why = {0};
    struct err e = custom_answer_read(&arena, slice_of(data, size), &answer, &why);
    INVARIANT(!failed(e) || e.code == ERR_WEBHOOK || e.code == ERR_NO_MEMORY);
    INVARIANT((e.code == ERR_WEBHOOK) == (why.text[0] != '\0'));
    INVARIANT((answer.hub.len > 0) == !failed(e));
    INVARIANT(answer.has_twin == (answer.twin.len > 0));
    check_json(answer.twin, true);
    check_json(answer.payload, false);
    arena_release(&arena);
    return 0;
}

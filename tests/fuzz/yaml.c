// The daemon's configuration file: what is taken is in range, one of the words, and ends with a NUL for the
// system; what is refused says why.
#include "server/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_word_of(const char *choices, struct slice value)
{
    struct slice words = slice_text(choices);
    struct slice word;
    while (slice_cut(&words, '|', &word)) {
        if (slice_equal(word, value))
            return true;
    }
    return false;
}

static void check_key(const struct config *config, const struct config_key *key)
{
    const void *at = (const char *)config + key->offset;
    const struct slice *text = at;
    const struct config_list *list = at;
    const int64_t *number = at;
    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_CHOICE:
        INVARIANT(text->at[text->len] == '\0' && slice_find_byte(*text, 0) == text->len);
        INVARIANT(key->type != CONFIG_CHOICE || is_word_of(key->choices, *text));
        return;
    case CONFIG_NUMBER:
        INVARIANT(*number >= key->least && *number <= key->most);
        return;
    case CONFIG_LIST:
        INVARIANT(list->count <= CONFIG_LIST_MAX);
        for (size_t i = 0; i < list->count; i++)
            INVARIANT(list->items[i].len > 0);
        return;
    case CONFIG_SWITCH:
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = arena_capped(4 << 20);
    struct config config;
    struct why why = {0};
    config_init(&config);
    struct err e = config_read(&config, &arena, slice_of(data, size), &why);
    INVARIANT(!failed(e) || e.code == ERR_CONFIG || e.code == ERR_NO_MEMORY || e.code == ERR_CAPPED);
    INVARIANT(e.code != ERR_CONFIG || why.text[0] != '\0');
    for (size_t i = 0; i < config_key_count; i++) // also after a refusal: what was set until then
        check_key(&config, &config_keys[i]);
    if (!failed(e))
        (void)config_check(&config, &why).code;
    arena_release(&arena);
    return 0;
}

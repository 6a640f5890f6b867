// Reads the configuration file: YAML by libyaml, nested mappings turned into dotted names.
#include "server/config.h"

#include <yaml.h>

enum { DEPTH = 6, NAME_MAX_LEN = 128, KEYS_MAX = 128 };

struct reading {
    struct config *config;
    struct arena *arena;
    struct why *why;
    struct slice path[DEPTH]; // the keys above the current place
    size_t depth;
    bool in_list;
    bool key_next;        // the next scalar is a key
    bool empty;           // nothing was in the current mapping yet
    bool began;           // the document's mapping did
    bool given[KEYS_MAX]; // by the place in config_keys
};

static struct err at_line(const yaml_event_t *event, struct err e, struct why *why)
{
    if (!failed(e) || why == NULL)
        return e;
    struct why inner = *why;
    return why_fail(why, e.code, "line %zu: %.200s", event->start_mark.line + 1, inner.text);
}

// The name of the setting at the current place; ERR_CONFIG when no setting's name is that long.
static struct err setting_name(const struct reading *r, char room[NAME_MAX_LEN], struct slice *name)
{
    struct buf out = {.at = (uint8_t *)room, .room = NAME_MAX_LEN, .cap = NAME_MAX_LEN};
    for (size_t i = 0; i < r->depth; i++) {
        buf_text(&out, i > 0 ? "." : "");
        buf_bytes(&out, r->path[i]);
    }
    if (failed(buf_err(&out)))
        return why_fail(r->why, ERR_CONFIG, "the name of the setting is too long");
    *name = buf_slice(&out);
    return OK;
}

// Of two values for one setting a reader of the file would not know which one counts.
static struct err note_given(struct reading *r, struct slice name, bool list)
{
    INVARIANT(config_key_count <= KEYS_MAX);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (!slice_equal(slice_text(key->name), name))
            continue;
        if (list && key->type != CONFIG_LIST)
            return why_fail(r->why, ERR_CONFIG, "%s takes one value, not a list", key->name);
        if (r->given[i])
            return why_fail(r->why, ERR_CONFIG, "%s is set twice", key->name);
        r->given[i] = true;
        return OK;
    }
    return config_set(r->config, r->arena, name, (struct slice){0}, r->why); // says that there is none
}

static struct err list_start(struct reading *r)
{
    char room[NAME_MAX_LEN];
    struct slice name = {0};
    if (r->depth == 0 && !r->key_next && !r->in_list)
        return why_fail(r->why, ERR_CONFIG, "the file must be a mapping of settings");
    if (r->in_list || r->key_next)
        return why_fail(r->why, ERR_CONFIG, "a list is not expected here");
    r->in_list = true;
    TRY(setting_name(r, room, &name));
    return note_given(r, name, true);
}

static struct err set_scalar(struct reading *r, struct slice value)
{
    char room[NAME_MAX_LEN];
    struct slice name = {0};
    TRY(setting_name(r, room, &name));
    if (!r->in_list)
        TRY(note_given(r, name, false));
    return config_set(r->config, r->arena, name, value, r->why);
}

static struct err scalar(struct reading *r, struct slice text)
{
    if (r->in_list)
        return set_scalar(r, text);
    if (!r->key_next) {
        TRY(set_scalar(r, text));
        r->depth--;
        r->key_next = true;
        return OK;
    }
    if (r->depth == DEPTH)
        return why_fail(r->why, ERR_CONFIG, "settings are nested too deep");
    TRY(arena_copy(r->arena, text, &r->path[r->depth++]));
    r->key_next = false;
    r->empty = false;
    return OK;
}

static void value_end(struct reading *r)
{
    r->in_list = false;
    r->key_next = true;
    if (r->depth > 0)
        r->depth--;
}

static struct err mapping_start(struct reading *r)
{
    if (r->in_list || r->key_next)
        return why_fail(r->why, ERR_CONFIG, "a mapping is not expected here");
    r->began = true;
    r->key_next = true;
    r->empty = true;
    return OK;
}

static struct err mapping_end(struct reading *r)
{
    if (r->empty && r->depth > 0)
        return why_fail(r->why, ERR_CONFIG, "\"%.*s\" has no settings in it",
                        SLICE_ARG(r->path[r->depth - 1]));
    value_end(r);
    return OK;
}

static struct err take(struct reading *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_MAPPING_START_EVENT:
        return mapping_start(r);
    case YAML_MAPPING_END_EVENT:
        return mapping_end(r);
    case YAML_DOCUMENT_START_EVENT:
        return r->began ? why_fail(r->why, ERR_CONFIG, "the file must be one document") : OK;
    case YAML_SEQUENCE_START_EVENT:
        return list_start(r);
    case YAML_SEQUENCE_END_EVENT:
        value_end(r);
        return OK;
    case YAML_SCALAR_EVENT:
        if (r->depth == 0 && !r->key_next)
            return why_fail(r->why, ERR_CONFIG, "the file must be a mapping of settings");
        return scalar(r, slice_of(event->data.scalar.value, event->data.scalar.length));
    case YAML_ALIAS_EVENT:
        return why_fail(r->why, ERR_CONFIG, "anchors and aliases are not taken");
    default:
        return OK;
    }
}

struct err config_read(struct config *config, struct arena *arena, struct slice yaml, struct why *why)
{
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0)
        return FAIL(ERR_NO_MEMORY);
    // an empty file may come as NULL, which libyaml aborts on
    yaml_parser_set_input_string(&parser, yaml.len > 0 ? yaml.at : (const uint8_t *)"", yaml.len);
    struct why local = {0};
    struct reading r = {.config = config, .arena = arena, .why = why != NULL ? why : &local};
    struct err e = OK;
    for (bool end = false; !end && !failed(e);) {
        yaml_event_t event;
        if (yaml_parser_parse(&parser, &event) == 0) {
            e = why_fail(why, ERR_CONFIG, "line %zu: not YAML: %s", parser.problem_mark.line + 1,
                         parser.problem != NULL ? parser.problem : "unreadable");
            break;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        e = at_line(&event, take(&r, &event), why);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return e;
}

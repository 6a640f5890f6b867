// An entry for each word of each record, in a skip list. The key of an entry is the word with its length, the
// table, the time turned round so that the latest comes first, and the key of the record.
#include "store/memory/index.h"

#include "base/cursor.h"

enum { HEAD = 2 + 1, TIME = 8 };

// Made without taking memory, so that giving up an entry cannot fail.
struct place {
    uint8_t bytes[HEAD + STORE_WORD_MAX + TIME + STORE_KEY_MAX];
    size_t len;
};

static void add_bytes(struct place *p, struct slice s)
{
    INVARIANT(s.len <= sizeof p->bytes - p->len); // store_request_check
    if (s.len > 0)
        memcpy(p->bytes + p->len, s.at, s.len);
    p->len += s.len;
}

static void add_number(struct place *p, uint64_t number, size_t size)
{
    while (size-- > 0)
        add_bytes(p, slice_of(&(uint8_t){(uint8_t)(number >> 8 * size)}, 1));
}

static void begin_place(struct place *p, struct slice word, unsigned table)
{
    p->len = 0;
    add_number(p, word.len, 2);
    add_bytes(p, word);
    add_number(p, table, 1);
}

static uint64_t turned(int64_t time)
{
    return (uint64_t)INT64_MAX - (uint64_t)time; // the order of unsigned numbers, the latest first
}

static struct slice place_of(struct place *p, const struct store_request *r, struct slice word, int64_t time)
{
    begin_place(p, word, r->table);
    add_number(p, turned(time), TIME);
    add_bytes(p, r->key);
    return slice_of(p->bytes, p->len);
}

struct err index_init(struct index *index)
{
    return ordered_init(&index->words);
}

void index_release(struct index *index)
{
    const struct slice start = {0};
    struct ordered_node *node;
    while (index->words.head != NULL && (node = ordered_after(&index->words, start, start, true)) != NULL)
        ordered_remove(&index->words, node);
    ordered_release(&index->words);
}

struct err index_add(struct index *index, const struct store_request *r, const struct finders *new,
                     const struct finders *old)
{
    struct slice rest = new->words, word;
    while (finders_next(new, old, &rest, &word)) {
        struct place p;
        struct slice place = place_of(&p, r, word, new->written_us);
        struct ordered_node *node;
        struct err e = OK;
        if (ordered_find(&index->words, r->partition, place) == NULL) // a word may come twice
            e = ordered_insert(&index->words, r->partition, place, &node);
        if (failed(e)) {
            index_remove(index, r, new, old);
            return e;
        }
    }
    return OK;
}

void index_remove(struct index *index, const struct store_request *r, const struct finders *old,
                  const struct finders *new)
{
    struct slice rest = old->words, word;
    while (finders_next(old, new, &rest, &word)) {
        struct place p;
        struct ordered_node *node =
            ordered_find(&index->words, r->partition, place_of(&p, r, word, old->written_us));
        if (node != NULL)
            ordered_remove(&index->words, node);
    }
}

static struct err look_in(const struct index *index, const struct store_request *r, struct slice word,
                          unsigned table, struct found *found)
{
    struct place p;
    begin_place(&p, word, table);
    struct slice head = slice_of(p.bytes, p.len);
    struct ordered_node *node = ordered_after(&index->words, r->partition, head, true);
    for (size_t i = 0; i < STORE_FOUND_MAX && node != NULL; i++, node = ordered_next(node)) {
        if (!slice_equal(ordered_partition(node), r->partition) ||
            !slice_starts_with(ordered_key(node), head))
            break;
        struct cursor rest = cursor_over(slice_from(ordered_key(node), head.len));
        uint64_t time = (uint64_t)cursor_u32(&rest) << 32;
        time |= cursor_u32(&rest);
        TRY(found_add(found, r->arena, (int64_t)turned((int64_t)time), rest.rest));
    }
    return OK;
}

struct err index_look(const struct index *index, const struct store_request *r, struct slice word,
                      struct found *found)
{
    if (word.len > STORE_WORD_MAX)
        return OK;
    for (unsigned table = 0; table < STORE_TABLES; table++) {
        if (columns_finders((enum store_table)table) != NULL)
            TRY(look_in(index, r, word, table, &found[table]));
    }
    return OK;
}

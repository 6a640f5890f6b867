// Tables.
#include "cli/print.h"

struct table_row {
    struct table_row *next;
    struct slice cells[];
};

size_t print_width(struct slice text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++)
        width += (text.at[i] & 0xc0) != 0x80;
    return width;
}

void print_text(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        // U+0080 to U+009F, 0xc2 0x80..0x9f, are control characters too
        bool c1 = byte == 0xc2 && i + 1 < text.len && text.at[i + 1] >= 0x80 && text.at[i + 1] <= 0x9f;
        if (byte < 0x20 || byte == 0x7f || c1)
            buf_u8(out, '?');
        else
            buf_u8(out, byte);
        if (c1)
            i++;
    }
}

struct err table_add(struct table *table, const struct slice *cells)
{
    struct table_row *row = arena_take(table->arena, sizeof *row + table->columns * sizeof(struct slice));
    if (row == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < table->columns; i++)
        row->cells[i] = cells[i];
    if (table->last != NULL)
        table->last->next = row;
    else
        table->first = row;
    table->last = row;
    return OK;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t widest = 0;
    for (const struct table_row *row = table->first; row != NULL; row = row->next) {
        size_t width = print_width(row->cells[column]);
        widest = width > widest ? width : widest;
    }
    return widest;
}

void table_print(const struct table *table, struct buf *out)
{
    size_t *widths = arena_take_many(table->arena, table->columns, sizeof *widths);
    if (widths == NULL) {
        out->broken = ERR_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = column_width(table, i);
    for (const struct table_row *row = table->first; row != NULL; row = row->next) {
        size_t blanks = 0;
        for (size_t i = 0; i < table->columns; i++) {
            if (!slice_empty(row->cells[i])) {
                buf_printf(out, "%*s", (int)blanks, "");
                blanks = 0;
                print_text(out, row->cells[i]);
            }
            blanks += widths[i] + 2 - print_width(row->cells[i]);
        }
        buf_u8(out, '\n');
    }
}

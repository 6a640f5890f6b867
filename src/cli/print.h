// Output for people: aligned tables and fields. Values come from elsewhere, so control characters in them
// (which could drive a terminal) are shown as '?'.
#pragma once

#include "base/arena.h"
#include "base/buf.h"

// A table is gathered whole, then printed, because widths come from all rows. Zeroed but for arena and
// columns.
struct table {
    struct arena *arena; // holds the rows
    size_t columns;
    struct table_row *first, *last;
};

// Adds a row of `columns` cells, which are not copied. The first is the heading. ERR_NO_MEMORY.
struct err table_add(struct table *table, const struct slice *cells);
// Two blanks between columns, none at the ends of lines.
void table_print(const struct table *table, struct buf *out);

// Columns that a terminal uses for UTF-8 text, one for each code point.
size_t print_width(struct slice text);
// The text with '?' for each control character.
void print_text(struct buf *out, struct slice text);

// The words of a query text. Inside the query parser only.
#pragma once

#include "domain/query.h"

enum query_token_kind {
    TOKEN_END,
    TOKEN_WORD, // a path or a keyword
    TOKEN_TEXT, // a text literal, quotes still around it
    TOKEN_NUMBER,
    TOKEN_MARK, // one of = != <> < <= > >= ( ) [ ] , *
    TOKEN_BAD,  // a character that begins nothing, or a literal without its end
};

struct query_token {
    enum query_token_kind kind;
    struct slice text;
    size_t at; // byte offset in the query text
};

// The token at or after byte `from` of text.
struct query_token query_lex(struct slice text, size_t from);
// The value of a TOKEN_TEXT or TOKEN_NUMBER; false when the arena is full or the number too large.
bool query_lex_text(struct arena *arena, struct slice literal, struct slice *out);
bool query_lex_number(struct slice literal, struct query_value *out);

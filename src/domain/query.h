// The query language of the service: SELECT * FROM things WHERE conditions, parsed to a tree. Stores evaluate
// the tree with bound values; no part of the text ever reaches SQL.
#pragma once

#include "base/arena.h"

enum query_op {
    QUERY_AND,
    QUERY_OR,
    QUERY_NOT,
    QUERY_EQ,
    QUERY_NE,
    QUERY_LT,
    QUERY_LE,
    QUERY_GT,
    QUERY_GE,
    QUERY_IN
};
enum query_kind { QUERY_TEXT, QUERY_INTEGER, QUERY_REAL, QUERY_BOOLEAN, QUERY_NULL };

struct query_value {
    enum query_kind kind;
    struct slice text;
    int64_t integer;
    double real;
    bool boolean;
};

struct query_node {
    enum query_op op;
    const struct query_node *left; // AND, OR, NOT
    const struct query_node *right;
    struct slice path; // comparisons: a dotted path of the record's JSON, such as registrationState.status
    const struct query_value *values;
    size_t count; // 1, or more for IN
};

// DEPTH: of parentheses and NOT, and so of the parser's recursion. A walk over a tree recurses at most NODES
// deep.
enum { QUERY_TEXT_MAX = 4096, QUERY_NODES_MAX = 64, QUERY_VALUES_MAX = 128, QUERY_DEPTH_MAX = 16 };

struct query {
    struct slice from;              // as written, or empty
    const struct query_node *where; // NULL: everything
};

//   query      = [ "SELECT" ] "*" [ "FROM" path ] [ "WHERE" condition ]            keywords in any case
//   condition  = both { "OR" both }         both = one { "AND" one }         one = "NOT" one | "(" condition
//   ")" | test test       = path ( "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) value
//              | path [ "NOT" ] "IN" ( "(" value { "," value } ")" | "[" value { "," value } "]" )
//   value      = 'text' | "text" (a doubled quote stands for one) | number | "true" | "false" | "null"
//   path       = name { "." name }          name = a letter, _ or $, then letters, digits, _, $ and -
//
// Text that Azure ignores reads as "everything": empty, `*`, `SELECT *`. ERR_QUERY says where and what was
// expected.
struct err query_parse(struct arena *arena, struct slice text, struct query *out, struct why *why);

// One comparison of a stored value with the tree's value, the same in every store: values of different kinds
// are unequal and unordered (integers and reals are one kind); text compares byte by byte; an absent value
// (NULL) matches no comparison except `= null`, and a stored null is as good as absent. Text and numbers are
// ordered, the rest is not.
bool query_compare(const struct query_value *stored, const struct query_node *node);
// Evaluates the tree; value_of gives the record's value at a path, or NULL when absent.
bool query_matches(const struct query_node *where,
                   const struct query_value *(*value_of)(void *context, struct slice path), void *context);
// Walks the tree and calls known(context, path); ERR_QUERY with the path in *why when it says false.
struct err query_check_paths(const struct query_node *where, bool (*known)(void *context, struct slice path),
                             void *context, struct why *why);

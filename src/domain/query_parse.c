// Reads a query text into a tree, by recursive descent: one function per rule of the grammar in query.h.
#include "domain/query_lex.h"

struct parser {
    struct arena *arena;
    struct slice text;
    struct query_token next;
    size_t depth;
    size_t nodes;
    size_t values;
    struct why *why;
};

static void advance(struct parser *p)
{
    p->next = query_lex(p->text, p->next.at + p->next.text.len);
}

// What can be shown of a token: some printable ASCII from its beginning.
static struct slice shown(struct slice token)
{
    size_t len = 0;
    while (len < token.len && len < 40 && token.at[len] >= ' ' && token.at[len] < 0x7F)
        len++;
    return slice_to(token, len);
}

static struct err expected(const struct parser *p, const char *what)
{
    if (p->next.kind == TOKEN_END)
        return why_fail(p->why, ERR_QUERY, "the query ends where %s was expected", what);
    return why_fail(p->why, ERR_QUERY, "query, character %zu: expected %s, found %.*s", p->next.at + 1, what,
                    SLICE_ARG(shown(p->next.text)));
}

static bool at_word(const struct parser *p, const char *keyword)
{
    return p->next.kind == TOKEN_WORD && slice_equal_nocase(p->next.text, slice_text(keyword));
}

static bool at_mark(const struct parser *p, const char *mark)
{
    return p->next.kind == TOKEN_MARK && slice_equal(p->next.text, slice_text(mark));
}

static bool accept_word(struct parser *p, const char *keyword)
{
    bool there = at_word(p, keyword);
    if (there)
        advance(p);
    return there;
}

static bool accept_mark(struct parser *p, const char *mark)
{
    bool there = at_mark(p, mark);
    if (there)
        advance(p);
    return there;
}

static struct err parse_path(struct parser *p, const char *what, struct slice *out)
{
    static const char *const keywords[] = {"select", "from", "where", "and",   "or",
                                           "not",    "in",   "true",  "false", "null"};
    if (p->next.kind != TOKEN_WORD)
        return expected(p, what);
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        if (at_word(p, keywords[i]))
            return expected(p, what);
    }
    TRY(arena_copy(p->arena, p->next.text, out));
    advance(p);
    return OK;
}

static struct err new_node(struct parser *p, enum query_op op, struct query_node **out)
{
    if (p->nodes++ >= QUERY_NODES_MAX)
        return why_fail(p->why, ERR_QUERY, "the query has more than %d conditions", QUERY_NODES_MAX);
    *out = arena_take(p->arena, sizeof **out);
    if (*out == NULL)
        return FAIL(ERR_NO_MEMORY);
    (*out)->op = op;
    return OK;
}

static struct err parse_value(struct parser *p, struct query_value *out)
{
    if (p->values++ >= QUERY_VALUES_MAX)
        return why_fail(p->why, ERR_QUERY, "the query has more than %d values", QUERY_VALUES_MAX);
    if (p->next.kind == TOKEN_TEXT) {
        out->kind = QUERY_TEXT;
        if (!query_lex_text(p->arena, p->next.text, &out->text))
            return FAIL(ERR_NO_MEMORY);
    } else if (p->next.kind == TOKEN_NUMBER) {
        if (!query_lex_number(p->next.text, out))
            return expected(p, "a smaller number");
    } else if (at_word(p, "true") || at_word(p, "false")) {
        *out = (struct query_value){.kind = QUERY_BOOLEAN, .boolean = at_word(p, "true")};
    } else if (at_word(p, "null")) {
        out->kind = QUERY_NULL;
    } else {
        return expected(p, "a value ('text', a number, true, false or null)");
    }
    advance(p);
    return OK;
}

static struct err parse_list(struct parser *p, struct query_node *node)
{
    struct query_value list[QUERY_VALUES_MAX];
    size_t count = 0;
    const char *close = at_mark(p, "[") ? "]" : ")";
    if (!accept_mark(p, "(") && !accept_mark(p, "["))
        return expected(p, "( or [ after IN");
    do {
        if (count == QUERY_VALUES_MAX)
            return why_fail(p->why, ERR_QUERY, "the query has more than %d values", QUERY_VALUES_MAX);
        list[count] = (struct query_value){0};
        TRY(parse_value(p, &list[count]));
        count++;
    } while (accept_mark(p, ","));
    if (!accept_mark(p, close))
        return expected(p, close[0] == ']' ? ", or ]" : ", or )");
    struct query_value *values = arena_take_many(p->arena, count, sizeof *values);
    if (values == NULL)
        return FAIL(ERR_NO_MEMORY);
    memcpy(values, list, count * sizeof *values);
    node->values = values;
    node->count = count;
    return OK;
}

static bool comparison(struct parser *p, enum query_op *op)
{
    static const struct {
        const char *mark;
        enum query_op op;
    } comparisons[] = {{"=", QUERY_EQ},  {"!=", QUERY_NE}, {"<>", QUERY_NE}, {"<", QUERY_LT},
                       {"<=", QUERY_LE}, {">", QUERY_GT},  {">=", QUERY_GE}};
    for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++) {
        if (accept_mark(p, comparisons[i].mark)) {
            *op = comparisons[i].op;
            return true;
        }
    }
    return false;
}

// test
static struct err parse_test(struct parser *p, const struct query_node **out)
{
    struct query_node *node = NULL;
    struct query_node *negation = NULL;
    TRY(new_node(p, QUERY_EQ, &node));
    TRY(parse_path(p, "a field such as registrationState.status, NOT or (", &node->path));
    *out = node;
    if (comparison(p, &node->op)) {
        struct query_value *value = arena_take(p->arena, sizeof *value);
        if (value == NULL)
            return FAIL(ERR_NO_MEMORY);
        node->values = value;
        node->count = 1;
        return parse_value(p, value);
    }
    if (accept_word(p, "not")) {
        TRY(new_node(p, QUERY_NOT, &negation));
        negation->left = node;
        *out = negation;
    }
    if (!accept_word(p, "in"))
        return expected(p, negation != NULL ? "IN" : "=, !=, <, <=, >, >= or IN");
    node->op = QUERY_IN;
    return parse_list(p, node);
}

static struct err parse_or(struct parser *p, const struct query_node **out);

static struct err enter(struct parser *p)
{
    if (p->depth++ >= QUERY_DEPTH_MAX)
        return why_fail(p->why, ERR_QUERY, "the query is nested deeper than %d levels", QUERY_DEPTH_MAX);
    return OK;
}

// one
static struct err parse_one(struct parser *p, const struct query_node **out)
{
    if (accept_word(p, "not")) {
        struct query_node *node = NULL;
        TRY(new_node(p, QUERY_NOT, &node));
        TRY(enter(p));
        TRY(parse_one(p, &node->left));
        p->depth--;
        *out = node;
        return OK;
    }
    if (accept_mark(p, "(")) {
        TRY(enter(p));
        TRY(parse_or(p, out));
        p->depth--;
        return accept_mark(p, ")") ? OK : expected(p, "AND, OR or )");
    }
    return parse_test(p, out);
}

// rule { keyword rule }, leaning to the left
static struct err parse_chain(struct parser *p, const char *keyword, enum query_op op,
                              struct err (*rule)(struct parser *, const struct query_node **),
                              const struct query_node **out)
{
    const struct query_node *left = NULL;
    TRY(rule(p, &left));
    while (accept_word(p, keyword)) {
        struct query_node *node = NULL;
        TRY(new_node(p, op, &node));
        node->left = left;
        TRY(rule(p, &node->right));
        left = node;
    }
    *out = left;
    return OK;
}

static struct err parse_and(struct parser *p, const struct query_node **out)
{
    return parse_chain(p, "and", QUERY_AND, parse_one, out);
}

static struct err parse_or(struct parser *p, const struct query_node **out)
{
    return parse_chain(p, "or", QUERY_OR, parse_and, out);
}

struct err query_parse(struct arena *arena, struct slice text, struct query *out, struct why *why)
{
    *out = (struct query){0};
    if (text.len > QUERY_TEXT_MAX)
        return why_fail(why, ERR_QUERY, "the query has %zu bytes; at most %d are allowed", text.len,
                        QUERY_TEXT_MAX);
    struct parser p = {.arena = arena, .text = text, .why = why};
    advance(&p);
    if (p.next.kind == TOKEN_END)
        return OK;
    bool select = accept_word(&p, "select");
    if (!accept_mark(&p, "*"))
        return expected(&p, select ? "* (only whole records can be selected)" : "SELECT *");
    if (accept_word(&p, "from"))
        TRY(parse_path(&p, "the name of a collection after FROM", &out->from));
    if (accept_word(&p, "where"))
        TRY(parse_or(&p, &out->where));
    if (p.next.kind != TOKEN_END)
        return expected(&p, out->where != NULL ? "AND, OR or the end" : "FROM, WHERE or the end");
    return OK;
}

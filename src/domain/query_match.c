// What a query tree means: comparing one value, and evaluating the whole tree over a record.
#include "domain/query.h"

#include <math.h>

enum order { LESS = -1, SAME = 0, GREATER = 1, UNORDERED = 2 };

static enum order order_of(bool less, bool greater)
{
    return less ? LESS : greater ? GREATER : SAME;
}

// Exact: a double cannot hold every 64-bit integer, so the double is brought to an integer and not the other
// way round.
static enum order compare_integer_real(int64_t integer, double real)
{
    const double two_63 = 9223372036854775808.0;
    if (isnan(real))
        return UNORDERED;
    if (real >= two_63)
        return LESS;
    if (real < -two_63)
        return GREATER;
    double whole = trunc(real);
    int64_t truncated = (int64_t)whole;
    if (integer != truncated)
        return order_of(integer < truncated, true);
    return order_of(real > whole, real < whole);
}

static enum order compare_numbers(const struct query_value *a, const struct query_value *b)
{
    if (a->kind == QUERY_INTEGER && b->kind == QUERY_INTEGER)
        return order_of(a->integer<b->integer, a->integer> b->integer);
    if (a->kind == QUERY_INTEGER)
        return compare_integer_real(a->integer, b->real);
    if (b->kind == QUERY_INTEGER) {
        enum order reverse = compare_integer_real(b->integer, a->real);
        return reverse == UNORDERED ? UNORDERED : order_of(reverse == GREATER, reverse == LESS);
    }
    return isunordered(a->real, b->real) ? UNORDERED : order_of(a->real<b->real, a->real> b->real);
}

static bool is_number(const struct query_value *v)
{
    return v->kind == QUERY_INTEGER || v->kind == QUERY_REAL;
}

static enum order compare(const struct query_value *a, const struct query_value *b)
{
    if (is_number(a) && is_number(b))
        return compare_numbers(a, b);
    if (a->kind != b->kind)
        return UNORDERED;
    if (a->kind == QUERY_TEXT) {
        int c = slice_compare(a->text, b->text);
        return order_of(c<0, c> 0);
    }
    return a->boolean == b->boolean ? SAME : UNORDERED;
}

static bool equal(const struct query_value *stored, const struct query_value *asked)
{
    if (stored == NULL || stored->kind == QUERY_NULL)
        return asked->kind == QUERY_NULL;
    return compare(stored, asked) == SAME;
}

static bool equal_to_any(const struct query_value *stored, const struct query_node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        if (equal(stored, &node->values[i]))
            return true;
    }
    return false;
}

bool query_compare(const struct query_value *stored, const struct query_node *node)
{
    if (node->op == QUERY_EQ || node->op == QUERY_IN)
        return equal_to_any(stored, node);
    if (stored == NULL || stored->kind == QUERY_NULL || node->count == 0)
        return false;
    if (node->op == QUERY_NE)
        return !equal(stored, &node->values[0]);
    enum order order = compare(stored, &node->values[0]);
    bool ordered = stored->kind == QUERY_TEXT || is_number(stored);
    if (!ordered || order == UNORDERED)
        return false;
    switch (node->op) {
    case QUERY_LT:
        return order == LESS;
    case QUERY_LE:
        return order != GREATER;
    case QUERY_GT:
        return order == GREATER;
    case QUERY_GE:
        return order != LESS;
    default:
        return false;
    }
}

bool query_matches(const struct query_node *where,
                   const struct query_value *(*value_of)(void *context, struct slice path), void *context)
{
    if (where == NULL)
        return true;
    switch (where->op) {
    case QUERY_AND:
        return query_matches(where->left, value_of, context) &&
               query_matches(where->right, value_of, context);
    case QUERY_OR:
        return query_matches(where->left, value_of, context) ||
               query_matches(where->right, value_of, context);
    case QUERY_NOT:
        return !query_matches(where->left, value_of, context);
    default:
        return query_compare(value_of(context, where->path), where);
    }
}

struct err query_check_paths(const struct query_node *where, bool (*known)(void *context, struct slice path),
                             void *context, struct why *why)
{
    if (where == NULL)
        return OK;
    if (where->op == QUERY_AND || where->op == QUERY_OR || where->op == QUERY_NOT) {
        TRY(query_check_paths(where->left, known, context, why));
        return query_check_paths(where->right, known, context, why);
    }
    if (!known(context, where->path))
        return why_fail(why, ERR_QUERY, "the records have no field %.*s",
                        SLICE_ARG(slice_to(where->path, 128)));
    return OK;
}

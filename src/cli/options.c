// Reading argv by a verb's tables.
#include "cli/options.h"

static const struct cli_option *option_in(const struct cli_option *table, struct slice name)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (slice_equal(slice_text(table->name), name))
            return table;
    }
    return NULL;
}

bool args_any(const struct cli_args *args)
{
    for (size_t i = 0; i < args->value_count; i++) {
        for (const struct cli_option *o = args->verb->options; o != NULL && o->name != NULL; o++) {
            if (args->values[i].option == o)
                return true;
        }
    }
    return false;
}

bool args_has(const struct cli_args *args, const char *name)
{
    return args_value_at(args, name, 0).at != NULL;
}

struct slice args_value(const struct cli_args *args, const char *name)
{
    return args_value_at(args, name, 0);
}

struct slice args_value_at(const struct cli_args *args, const char *name, size_t index)
{
    for (size_t i = 0; i < args->value_count; i++) {
        if (strcmp(args->values[i].option->name, name) == 0 && index-- == 0)
            return args->values[i].value;
    }
    return (struct slice){0};
}

struct slice args_word(const struct cli_args *args, size_t index)
{
    return index < args->positional_count ? args->positionals[index] : (struct slice){0};
}

struct err args_number(const struct cli_args *args, const char *name, uint64_t min, uint64_t max,
                       uint64_t *out, struct why *why)
{
    uint64_t number;
    struct slice text = args_value(args, name);
    if (text.at == NULL)
        return OK;
    if (!slice_to_u64(text, &number) || number < min || number > max)
        return why_fail(why, ERR_INVALID, "--%s: '%.*s' is not a number from %llu to %llu", name,
                        SLICE_ARG(text), (unsigned long long)min, (unsigned long long)max);
    *out = number;
    return OK;
}

static struct err add_value(struct cli_args *args, const struct cli_option *option, struct slice value,
                            struct why *why)
{
    if (!option->repeat && args_has(args, option->name))
        return why_fail(why, ERR_INVALID, "--%s was given twice", option->name);
    if (args->value_count == CLI_VALUES_MAX)
        return why_fail(why, ERR_INVALID, "more than %d options", (int)CLI_VALUES_MAX);
    args->values[args->value_count].option = option;
    args->values[args->value_count++].value = value.len > 0 ? value : SLICE(""); // at tells "given"
    return OK;
}

// One option at argv[*at], which starts with "--"; *at moves past it and its value.
static struct err take_option(int argc, const char *const *argv, int *at, const struct cli_option *own,
                              const struct cli_option *common, struct cli_args *args, struct why *why)
{
    struct slice value = slice_from(slice_text(argv[(*at)++]), 2);
    size_t equals = slice_find_byte(value, '=');
    struct slice name = slice_to(value, equals);
    const struct cli_option *option = option_in(own, name);
    if (option == NULL)
        option = option_in(common, name);
    if (option == NULL)
        return why_fail(why, ERR_INVALID, "unknown option --%.*s", SLICE_ARG(name));
    bool joined = equals < value.len;
    if (option->value == NULL) {
        if (joined)
            return why_fail(why, ERR_INVALID, "--%s takes no value", option->name);
        return add_value(args, option, SLICE(""), why);
    }
    if (joined)
        return add_value(args, option, slice_from(value, equals + 1), why);
    if (*at == argc)
        return why_fail(why, ERR_INVALID, "--%s needs a value: --%s %s", option->name, option->name,
                        option->value);
    return add_value(args, option, slice_text(argv[(*at)++]), why);
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] == '-' && word[2] != '\0';
}

// A lone dash word such as -k: nothing here has one letter, and taking it for an ID would mislead.
static struct err refuse_short(const char *word, struct why *why)
{
    if (word[0] == '-' && word[1] != '-' && word[1] != '\0')
        return why_fail(why, ERR_INVALID, "unknown option %s (options are words: --help)", word);
    return OK;
}

struct err options_leading(int argc, const char *const *argv, const struct cli_option *common,
                           struct cli_args *args, int *at, struct why *why)
{
    while (*at < argc && is_option(argv[*at]))
        TRY(take_option(argc, argv, at, NULL, common, args, why));
    return *at < argc ? refuse_short(argv[*at], why) : OK;
}

// How many words the arguments name, and how many of them must be there.
static void count_words(const char *arguments, size_t *least, size_t *most)
{
    struct slice rest = slice_text(arguments), word;
    *least = *most = 0;
    while (slice_cut(&rest, ' ', &word)) {
        *most += 1;
        if (word.at[0] != '[')
            *least += 1;
    }
}

struct err options_read(int argc, const char *const *argv, int at, const struct cli_verb *verb,
                        const struct cli_option *common, struct cli_args *args, struct why *why)
{
    size_t least, most;
    bool only_words = false;
    count_words(verb->arguments, &least, &most);
    INVARIANT(most <= CLI_POSITIONALS_MAX);
    args->verb = verb;
    while (at < argc) {
        if (!only_words && strcmp(argv[at], "--") == 0) {
            only_words = true;
            at++;
        } else if (!only_words && is_option(argv[at])) {
            TRY(take_option(argc, argv, &at, verb->options, common, args, why));
        } else {
            if (!only_words)
                TRY(refuse_short(argv[at], why));
            if (args->positional_count == most)
                return why_fail(why, ERR_INVALID, "'%s' is one word too many", argv[at]);
            if (argv[at][0] == '\0')
                return why_fail(why, ERR_INVALID, "an argument is empty");
            args->positionals[args->positional_count++] = slice_text(argv[at++]);
        }
    }
    if (args->positional_count < least && !args_has(args, "help"))
        return why_fail(why, ERR_INVALID, "needs %s", verb->arguments);
    return OK;
}

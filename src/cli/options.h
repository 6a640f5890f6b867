// The command line by tables: what a verb takes, what was given, and the text of --help. Knows no verb.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct cli;
struct cli_args;

enum { CLI_OPTIONS_MAX = 24, CLI_VALUES_MAX = 128, CLI_POSITIONALS_MAX = 4 };

struct cli_option {
    const char *name;  // without the dashes; NULL ends a table
    const char *value; // what stands for the value in --help; NULL for a switch
    const char *help;
    bool repeat; // may be given several times
};

struct cli_verb {
    const char *name;      // one or two words
    const char *arguments; // words; [WORD] may be left out
    const char *help;
    const char *more;                 // lines that follow in the verb's own --help; may be NULL
    const struct cli_option *options; // may be NULL
    const void *subject;              // what the verb is about, where one function serves two verbs
    struct err (*run)(struct cli *cli, const struct cli_args *args, struct why *why);
};

// What was given. Values are views of argv.
struct cli_args {
    const struct cli_verb *verb;
    struct {
        const struct cli_option *option;
        struct slice value;
    } values[CLI_VALUES_MAX];
    size_t value_count;
    struct slice positionals[CLI_POSITIONALS_MAX];
    size_t positional_count;
};

bool args_has(const struct cli_args *args, const char *name);
// Whether any option of the verb itself was given, not only common ones.
bool args_any(const struct cli_args *args);
// The value of the option; empty with at NULL when it was not given.
struct slice args_value(const struct cli_args *args, const char *name);
// The n-th value of an option that may be repeated; at is NULL after the last.
struct slice args_value_at(const struct cli_args *args, const char *name, size_t index);
// The positional of that index, empty when it was left out.
struct slice args_word(const struct cli_args *args, size_t index);
// A number in min..max; *out stays as it is when the option was not given. ERR_INVALID.
struct err args_number(const struct cli_args *args, const char *name, uint64_t min, uint64_t max,
                       uint64_t *out, struct why *why);

// Takes the words up to the first that is no option (of `common`) off argv: *at is its index, or argc.
// ERR_INVALID with why.
struct err options_leading(int argc, const char *const *argv, const struct cli_option *common,
                           struct cli_args *args, int *at, struct why *why);
// Reads the rest of the line, from argv[at], for a verb: its options, the common ones, and its arguments;
// `--name VALUE` and `--name=VALUE`; after `--` everything is an argument. ERR_INVALID with why.
struct err options_read(int argc, const char *const *argv, int at, const struct cli_verb *verb,
                        const struct cli_option *common, struct cli_args *args, struct why *why);

// "usher enrollment create ID [options]", what it does, its options, and the common ones (NULL: without).
void help_verb(struct buf *out, const struct cli_verb *verb, const struct cli_option *common);
// One aligned line per option.
void help_options(struct buf *out, const struct cli_option *options);
// "usher VERB ARGUMENTS [options]": as in the table of docs/cli.md.
void help_usage(struct buf *out, const struct cli_verb *verb);

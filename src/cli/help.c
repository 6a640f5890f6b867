// The text of --help, made from the same tables that read the command line.
#include "cli/options.h"

void help_usage(struct buf *out, const struct cli_verb *verb)
{
    buf_printf(out, "usher %s%s%s%s", verb->name, verb->arguments[0] != '\0' ? " " : "", verb->arguments,
               verb->options != NULL ? " [options]" : "");
}

static size_t width_of(const struct cli_option *option)
{
    return strlen(option->name) + 2 + (option->value != NULL ? 1 + strlen(option->value) : 0);
}

void help_options(struct buf *out, const struct cli_option *options)
{
    size_t widest = 0;
    for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++)
        widest = width_of(o) > widest ? width_of(o) : widest;
    for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++)
        buf_printf(out, "  --%s%s%s%*s  %s%s\n", o->name, o->value != NULL ? " " : "",
                   o->value != NULL ? o->value : "", (int)(widest - width_of(o)), "", o->help,
                   o->repeat ? " (may be repeated)" : "");
}

void help_verb(struct buf *out, const struct cli_verb *verb, const struct cli_option *common)
{
    help_usage(out, verb);
    buf_printf(out, "\n%s\n", verb->help);
    if (verb->options != NULL || verb->more != NULL || common != NULL)
        buf_u8(out, '\n');
    help_options(out, verb->options);
    if (verb->more != NULL)
        buf_printf(out, "%s%s", verb->options != NULL ? "\n" : "", verb->more);
    if ((verb->options != NULL || verb->more != NULL) && common != NULL)
        buf_text(out, "\nCommon options:\n");
    help_options(out, common);
}

// usher dry-run: what would become of the devices if hubs or policies were others. Asks, waits, and prints a
// table.
#include "cli/cli.h"
#include "cli/file.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 200, COUNT_TEXT = 32 };

// 80,000
static struct slice count_text(struct cli *cli, int64_t number)
{
    char digits[COUNT_TEXT], text[COUNT_TEXT];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)number);
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    struct slice out = {0};
    return failed(arena_copy(&cli->arena, slice_of(text, at), &out)) ? SLICE("?") : out;
}

static int64_t number_of(const struct json *object, const char *member)
{
    int64_t number = 0;
    (void)json_as_int(json_get(object, member), &number);
    return number;
}

// ---- what is asked

static bool hub_options(const struct cli_args *args)
{
    return args_has(args, "weight") || args_has(args, "state") || args_has(args, "capacity") ||
           args_has(args, "location");
}

static struct err check(const struct cli_args *args, struct why *why)
{
    bool hub = args_has(args, "hub"), others = hub || args_has(args, "allocation");
    if (args_has(args, "file") && (others || hub_options(args) || args_has(args, "unlink")))
        return why_fail(why, ERR_INVALID, "dry-run: --file says everything, nothing stands beside it");
    if (!hub && (hub_options(args) || args_has(args, "unlink")))
        return why_fail(why, ERR_INVALID, "dry-run: say of which --hub");
    if (hub && hub_options(args) == args_has(args, "unlink"))
        return why_fail(
            why, ERR_INVALID,
            "dry-run: of --hub, give --unlink, or one of --weight, --state, --capacity and --location");
    return OK;
}

static struct err write_hub(struct json_writer *w, const struct cli_args *args, struct why *why)
{
    uint64_t weight = 0, capacity = 0;
    TRY(args_number(args, "weight", 1, 1000, &weight, why));
    TRY(args_number(args, "capacity", 1, UINT32_MAX, &capacity, why));
    json_key(w, "linkedHubs");
    json_object_open(w);
    json_key_slice(w, args_value(args, "hub"));
    if (args_has(args, "unlink")) {
        json_nothing(w);
    } else {
        json_object_open(w);
        if (weight > 0)
            json_field_number(w, "allocationWeight", (int64_t)weight);
        if (capacity > 0)
            json_field_number(w, "capacity", (int64_t)capacity);
        json_field_text_if(w, "state", args_value(args, "state"));
        json_field_text_if(w, "location", args_value(args, "location"));
        json_object_close(w);
    }
    json_object_close(w);
    return OK;
}

static struct err write_question(struct cli *cli, const struct cli_args *args, struct buf *out,
                                 struct why *why)
{
    struct slice text, path = args_value(args, "file");
    struct json_writer w;
    TRY(check(args, why));
    if (path.at != NULL) {
        TRY(cli_file_read(cli, path, &text, why));
        buf_bytes(out, text);
        return buf_err(out);
    }
    json_begin(&w, out);
    json_object_open(&w);
    if (args_has(args, "hub"))
        TRY(write_hub(&w, args, why));
    if (args_has(args, "allocation")) {
        json_key(&w, "service");
        json_object_open(&w);
        json_field_text(&w, "allocationPolicy", args_value(args, "allocation"));
        json_object_close(&w);
    }
    json_object_close(&w);
    return buf_err(out);
}

// ---- waiting

static void show_progress(struct cli *cli, const struct json *report, bool last)
{
    if (!cli->live || isatty(STDERR_FILENO) != 1)
        return;
    struct slice done = count_text(cli, number_of(report, "done"));
    struct slice total = count_text(cli, number_of(report, "total"));
    (void)fprintf(stderr, "\r%.*s of %.*s looked at%s", SLICE_ARG(done), SLICE_ARG(total), last ? "\n" : "");
}

static void rest(const struct cli *cli)
{
    struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    if (cli->live)
        (void)nanosleep(&pause, NULL);
}

static struct err wait_for(struct cli *cli, struct slice target, struct reply *reply, struct why *why)
{
    for (;;) {
        TRY(cli_get(cli, target, reply, why));
        const struct json *report = json_root(&reply->doc);
        bool running = slice_equal(cli_text(cli, report, "status"), SLICE("running"));
        show_progress(cli, report, !running);
        if (!running)
            return OK;
        reply_release(reply);
        rest(cli);
    }
}

// ---- what came of it

static struct err print_hubs(struct cli *cli, const struct json *hubs)
{
    static const char *const members[] = {"now", "arrive", "leave", "then"};
    struct table table = {.arena = &cli->arena, .columns = 5};
    struct slice cells[5] = {SLICE("HUB"), SLICE("NOW"), SLICE("ARRIVE"), SLICE("LEAVE"), SLICE("THEN")};
    TRY(table_add(&table, cells));
    for (struct json_each each = json_each(hubs); json_next(&each);) {
        cells[0] = each.key;
        for (size_t i = 0; i < 4; i++)
            cells[i + 1] = count_text(cli, number_of(each.value, members[i]));
        TRY(table_add(&table, cells));
    }
    table_print(&table, &cli->out);
    return OK;
}

// "3,112 of 80,000 move, by hub", and what else is to be known.
static struct err print_report(struct cli *cli, const struct json *report)
{
    static const struct {
        const char *member;
        const char *says;
    } others[] = {
        {"assign", "at no hub yet, and would get one"},
        {"refused",
         "would be refused, and stay where they are: the enrollment is gone or disabled, or no hub is left"},
        {"unknown", "of custom allocation: nobody knows but the webhook, which is not asked"},
    };
    struct slice move = count_text(cli, number_of(report, "move"));
    struct slice all = count_text(cli, number_of(report, "registrations"));
    buf_printf(&cli->out, "%.*s of %.*s move, by hub\n\n", SLICE_ARG(move), SLICE_ARG(all));
    TRY(print_hubs(cli, json_get(report, "hubs")));
    for (size_t i = 0; i < CLI_COUNT(others); i++) {
        int64_t number = number_of(report, others[i].member);
        struct slice text = count_text(cli, number);
        if (number > 0)
            buf_printf(&cli->out, "%.*s %s\n", SLICE_ARG(text), others[i].says);
    }
    return buf_err(&cli->out);
}

static struct err show(struct cli *cli, struct slice id, struct why *why)
{
    struct reply reply;
    struct slice target;
    TRY(cli_service_path(cli, &target, "dryRuns", id, NULL, why));
    TRY(wait_for(cli, target, &reply, why));
    const struct json *report = json_root(&reply.doc);
    struct err e = OK;
    struct slice reason = cli_text(cli, report, "reason");
    if (!slice_equal(cli_text(cli, report, "status"), SLICE("done")))
        e = why_fail(why, ERR_CONFLICT, "the dry run failed: %.*s", SLICE_ARG(reason));
    else if (cli->json)
        cli_raw(cli, reply.body);
    else
        e = print_report(cli, report);
    reply_release(&reply);
    return e;
}

static struct err dry_run(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct buf body = buf_capped(CLI_FILE_MAX);
    struct reply reply;
    struct slice target = {0}, id = {0};
    struct err e = write_question(cli, args, &body, why);
    if (!failed(e))
        e = cli_service_path(cli, &target, "dryRuns", (struct slice){0}, NULL, why);
    if (!failed(e))
        e = cli_ask(
            cli,
            &(struct control_request){.method = SLICE("POST"), .target = target, .body = buf_slice(&body)},
            &reply, why);
    buf_release(&body);
    TRY(e);
    e = arena_copy(&cli->arena, cli_text(cli, json_root(&reply.doc), "id"), &id);
    reply_release(&reply);
    TRY(e);
    return show(cli, id, why);
}

static const struct cli_option options[] = {
    {.name = "hub", .value = "HOST", .help = "what if this hub were linked otherwise, or were linked at all"},
    {.name = "weight", .value = "N", .help = "of the hub: its share, 1 to 1000"},
    {.name = "state", .value = "STATE", .help = "of the hub: open, cordoned or draining"},
    {.name = "capacity", .value = "N", .help = "of the hub: at most so many devices"},
    {.name = "location", .value = "PLACE", .help = "of the hub: a region's name, or LATITUDE,LONGITUDE"},
    {.name = "unlink", .help = "of the hub: it is not linked any more"},
    {.name = "allocation",
     .value = "POLICY",
     .help = "what if the service's policy were hashed, static or geoLatency"},
    {.name = "file",
     .value = "FILE",
     .help = "all that would be otherwise, in JSON: see the manual of the control API"},
    {0},
};
static const struct cli_verb verbs[] = {
    {.name = "dry-run",
     .arguments = "",
     .help = "count which devices would move if hubs or policies were others; nothing is changed",
     .options = options,
     .run = dry_run},
};
const struct cli_verb_list cli_dry_run_verbs = CLI_VERBS(verbs);

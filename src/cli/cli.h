// What the verbs of `usher` share: the table of verbs, the arguments of one, asking usherd, and the output.
// The verbs themselves are one file per group. See options.h for how a command line becomes arguments.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "cli/options.h"
#include "cli/print.h"
#include "client/control.h"
#include "json/json.h"
#include "json/write.h"

#define CLI_API_VERSION "2021-10-01"
enum {
    CLI_ARENA_CAP = 256 << 20, // long lists
    CLI_PAGE = 1000,           // records asked for at once
    CLI_OUT_CAP = 256 << 20,
};

// One run of the program.
struct cli {
    const char *socket_path;
    struct slice service; // --service; empty when it was not given
    bool json;
    bool live; // out goes to stdout whenever cli_flush is called; false in tests
    struct arena arena;
    struct buf out;       // for stdout
    struct slice refusal; // what usherd said when it refused, in full; a struct why would cut it
};

// ERR_SYSTEM when stdout cannot be written.
struct err cli_flush(struct cli *cli, struct why *why);

// Errors of a verb: ERR_INVALID when the command line is wrong (exit code 2), anything else exit code 1. why
// is the one line that is printed.

// --- asking usherd (ask.c)

struct reply {
    unsigned status;
    struct slice body;         // in the arena
    struct slice continuation; // empty: the last page
    struct slice warning;      // of control_answer
    struct json_doc doc;       // empty when there is no body
};
void reply_release(struct reply *reply);

// One call. Statuses from 400 on are errors: the message, the error code and the tracking ID of the
// answer (in full in cli->refusal). ERR_ABSENT for 404, ERR_CONFLICT for other refusals. With an error *reply
// needs no release.
struct err cli_ask(struct cli *cli, const struct control_request *request, struct reply *reply,
                   struct why *why);
// GET and DELETE without more, and POST without a body.
struct err cli_get(struct cli *cli, struct slice target, struct reply *reply, struct why *why);
struct err cli_post(struct cli *cli, struct slice target, struct reply *reply, struct why *why);
struct err cli_delete(struct cli *cli, struct slice target, struct why *why);
// PUT of a JSON body, which is wiped and released here, whatever happens. `how` says where and on which
// condition; its method and body are set here.
struct err cli_put(struct cli *cli, const struct control_request *how, struct buf *body, struct reply *reply,
                   struct why *why);

// A path from literal and variable segments, made in the arena: "enrollments", id becomes
// /enrollments/{id percent-encoded}. `tail` (may be NULL) follows as it is.
struct err cli_path(struct cli *cli, struct slice *out, const char *head, struct slice segment,
                    const char *tail);
// The same below /control/services/{the service}: kind "policies", name, tail "/listkeys". An empty kind or
// name ends the path before it.
struct err cli_service_path(struct cli *cli, struct slice *out, const char *kind, struct slice name,
                            const char *tail, struct why *why);
// The service that a verb is about: `given`, else --service, else the only one there is.
struct err cli_service_name(struct cli *cli, struct slice given, struct slice *name, struct why *why);

// The elements of a list answer: an array, or the member `value` of an object.
const struct json *cli_list(const struct json *root);
// A string member anywhere below: "properties.idScope" tries every step; numbers and booleans as text in the
// arena. Empty when absent or null.
struct slice cli_text(struct cli *cli, const struct json *object, const char *path);

// Prints `body` and a line end to out: what --json does.
void cli_raw(struct cli *cli, struct slice body);
// A POST query, page by page, until `top` records (0: all) have come: a row of `columns` for each, or with
// --json one array.
struct cli_column {
    const char *heading;
    const char *path;   // into the record, for cli_text
    const char *absent; // shown when the record does not say; NULL: nothing
};
struct err cli_query(struct cli *cli, struct slice target, struct slice query, size_t top,
                     const struct cli_column *columns, size_t column_count, struct why *why);
// The same for an answer that is already here.
struct err cli_table(struct cli *cli, const struct json *list, const struct cli_column *columns,
                     size_t column_count);
// A list answer: the body with --json, else the table.
struct err cli_list_print(struct cli *cli, const struct reply *reply, const struct cli_column *columns,
                          size_t column_count);
// Fields of one record, a line each; absent ones are left out.
struct err cli_fields(struct cli *cli, const struct json *record, const struct cli_column *columns,
                      size_t column_count);

// --- the verbs

struct cli_verb_list {
    const struct cli_verb *verbs;
    size_t count;
};
// Each group's table.
extern const struct cli_verb_list cli_status_verbs, cli_service_verbs, cli_hub_verbs, cli_policy_verbs,
    cli_connection_verbs, cli_enrollment_verbs, cli_group_verbs, cli_key_verbs, cli_registration_verbs,
    cli_device_verbs, cli_certificate_verbs, cli_pki_verbs, cli_dry_run_verbs;

// All of them, in the order of --help; ends with NULL.
extern const struct cli_verb_list *const cli_groups[];

#define CLI_COUNT(array) (sizeof(array) / sizeof *(array))
#define CLI_VERBS(array)                                                                                     \
    {                                                                                                        \
        (array), CLI_COUNT(array)                                                                            \
    }
// Options of the program itself, understood before and after the verb; ends with a NULL name.
extern const struct cli_option cli_common_options[];

// The program without its process: reads the command line, runs the verb, leaves output in cli->out and one
// line about what went wrong in `trouble`. Returns the exit code: 0, 1 refused or failed, 2 usage.
int cli_run(struct cli *cli, int argc, const char *const *argv, struct buf *trouble);
void cli_release(struct cli *cli);

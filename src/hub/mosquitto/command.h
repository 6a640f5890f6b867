// What is said to the dynamic security plugin, and what its answers mean: JSON on two topics. Pure.
// The plugin's commands: plugin.md.
#pragma once

#include "base/buf.h"
#include "ports/hub.h"
#include "json/json.h"

#define COMMAND_TOPIC   "$CONTROL/dynamic-security/v1"
#define COMMAND_ANSWERS "$CONTROL/dynamic-security/v1/response"

enum { COMMAND_MAX = 128 * 1024, COMMAND_ANSWER_MAX = 256 * 1024, COMMAND_CORRELATION = 48 };

// A device's topics: devices/{id}/ and one of these.
#define TOPIC_DESIRED  "twin/desired"
#define TOPIC_REPORTED "twin/reported"

// Names the connector among all that talk to the plugin; all of them hear every answer.
struct command_correlation {
    uint64_t connector; // random
    uint64_t tag;
};

// What the broker knows of a device.
struct command_device {
    bool there;       // a client of that name
    bool ours;        // and Usher made it
    bool certificate; // it has no password
    bool disabled;
    bool has_role; // its own
    bool role_there;
    struct slice tags;        // JSON text of an object, or empty
    const struct json *roles; // of the client, as it has them; NULL when not there
    const struct json *groups;
};

// What to write. before: what is there now.
struct command_change {
    const struct hub_identity *identity;
    const struct command_device *before;
    bool anew;         // a client that is there goes first
    bool tags_given;   // else they stay
    struct slice tags; // JSON text of an object
};

// A name that is safe in topics and for the plugin. ERR_HUB_REFUSED: wildcards, separators and `%` (of which
// later plugins make patterns), control characters and all that is not ASCII, and names of more than 128.
struct err command_device_check(struct slice device_id, struct slice user, struct why *why);

// Each appends one message.
void command_defaults(struct buf *out, struct command_correlation correlation);
void command_look(struct buf *out, struct command_correlation correlation, struct slice device_id);
void command_write(struct buf *out, struct command_correlation correlation,
                   const struct command_change *change);
void command_remove(struct buf *out, struct command_correlation correlation, struct slice device_id);

// Whether a message on COMMAND_ANSWERS answers this connector: *doc holds it then, and *tag what it answers.
bool command_answer(struct slice payload, uint64_t connector, struct json_doc *doc, uint64_t *tag);
// ERR_HUB_REFUSED when devices would not be confined to their own topics.
struct err command_defaults_read(const struct json_doc *doc, struct why *why);
// Of command_look. ERR_HUB_UNAVAILABLE when it is not what the plugin answers.
struct err command_look_read(const struct json_doc *doc, struct slice device_id, struct command_device *out,
                             struct why *why);
// Of command_write. ERR_HUB_UNAVAILABLE when somebody else changed the same meanwhile, ERR_HUB_REFUSED with
// the plugin's words else. *left_there: the client is there all the same, or the one that was there is gone
// (hub_request).
struct err command_write_read(const struct json_doc *doc, bool *left_there, struct why *why);
// Of command_remove: what is not there is gone.
struct err command_remove_read(const struct json_doc *doc, struct why *why);

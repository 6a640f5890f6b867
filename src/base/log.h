// One structured line per decision: JSON, one line, keys from one list, nothing secret. Where lines go is the
// caller's.
#pragma once

#include "base/buf.h"
#include "base/err.h"

// X(key): the keys a line may hold, besides time, level and event. Keep it short; a reader greps for these.
// clang-format off
#define LOG_KEYS(X) \
    X(registrationId) X(trackingId) X(connection) X(peer) X(service) X(idScope) \
    X(enrollment) X(group) X(operationId) X(hub) X(deviceId) X(protocol) \
    X(method) X(path) X(status) X(reason) X(detail) X(trace) \
    X(policy) X(error) X(count) X(durationMs) X(port) X(file) \
    X(client) X(certificate) X(from) X(to) X(traceId)
// clang-format on

#define LOG_AS_ENUM(key) LOG_##key,
enum log_key { LOG_KEYS(LOG_AS_ENUM) LOG_KEY_COUNT };
#undef LOG_AS_ENUM

struct log {
    enum err_level least; // quieter lines are dropped
    void (*write)(void *context,
                  struct slice line); // any thread; the line ends with \n; must not block for long
    int64_t (*now_us)(void *context); // wall clock for the time stamp
    void *context;
};

struct log_line {
    const struct log *log;
    bool dropped;
    struct buf text;
    uint8_t room[4096]; // a pipe takes as much in one piece (PIPE_BUF)
};

// A line is built on the stack and written by log_end. A NULL log drops everything.
//   struct log_line line;
//   log_begin(&line, log, ERR_LEVEL_INFO, "registration.refused");
//   log_text(&line, LOG_registrationId, id);
//   log_end(&line);
void log_begin(struct log_line *line, const struct log *log, enum err_level level, const char *event);
// Values are escaped so that nothing a peer sends breaks the line or the terminal: controls, DEL, C1, bidi
// and malformed UTF-8 come out as \uXXXX (threats D13). Values over 512 bytes are cut (a trace, which tells a
// whole decision, over 1536), and empty ones left out.
void log_text(struct log_line *line, enum log_key key, struct slice value);
void log_number(struct log_line *line, enum log_key key, int64_t value);
// error: the name of e; reason: why->text if there is any (why may be NULL).
void log_failure(struct log_line *line, struct err e, const struct why *why);
void log_end(struct log_line *line);

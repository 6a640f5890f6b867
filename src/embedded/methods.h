// Direct methods, the caller's side: a REST call waits for the device's answer, which comes as a note from
// the loop that has the device. The device's side is session_methods.c.
#pragma once

#include "embedded/presence.h"

// A method's number holds the loop of its caller in the lowest byte.
enum { METHOD_LOOPS_MAX = 256 };

// NOTE_METHOD_RESULT for one of this loop's calls; nothing happens when it is no longer waited for.
void methods_result(struct embedded *embedded, const struct note *note);
// Answers a NOTE_METHOD that no device here takes.
void methods_offline(struct embedded *embedded, const struct note *invoked);
void methods_fail_all(struct embedded *embedded, struct err e);

// What is said to the webhook of custom allocation, and what its answer means (service-api C.1, C.2). Text in
// and out; who calls it is webhook/.
#pragma once

#include "domain/decide.h"

enum { CUSTOM_ANSWER_MAX = 64 * 1024 };

// The AllocationRequest, without any key: enrollment, deviceRuntimeContext, linkedHubs. `decision` has `ask`;
// `payload` is what the device sent: JSON text, or empty.
struct err custom_question_write(const struct admission *admission, const struct decision *decision,
                                 struct slice payload, struct buf *out);
// The AllocationResponse, as tolerantly as service-api C.2 asks: any member in any case, whatever its
// Content-Type was, a JSON string that holds the object. ERR_WEBHOOK says what is missing. *out lives in the
// arena.
struct err custom_answer_read(struct arena *arena, struct slice text, struct custom_answer *out,
                              struct why *why);

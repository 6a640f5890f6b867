// Who is this device, and does what it sent prove it? Inside the decision only.
#pragma once

#include "domain/decide.h"

// attest.c: what can be judged without knowing who the device is: there is a credential, for this device and
// service, and it has not expired.
struct err attest_credential(const struct admission *admission, struct arena *arena, struct why *why);
// attest.c: takes as long as looking at a key does, so that a device nobody knows cannot be told from one
// with a wrong key by its answer's time (threats B6).
void attest_nothing(const struct credential *credential);

// match.c: finds the enrollment whose key made the credential's signature and fills enrollment and keys of
// *out.
struct err match_individual(const struct admission *admission, struct decision *out, struct trace *trace,
                            struct arena *arena, struct why *why);
struct err match_group(const struct admission *admission, struct decision *out, struct trace *trace,
                       struct arena *arena, struct why *why);
// match.c: the keys that a device of the group has, for the registration ID as it spells it.
struct err match_group_keys(const struct enrollment *group, struct slice registration_id,
                            struct secret *primary, struct secret *secondary);

// Who is this device, and does what it sent prove it? Inside the decision only.
#pragma once

#include "domain/decide.h"

// ---- attest.c

// What can be judged without knowing who the device is: there is a credential, for this device and service,
// and a token has not expired.
struct err attest_credential(const struct admission *admission, struct arena *arena, struct why *why);
// Takes as long as looking at a key does, so that a device nobody knows cannot be told from one with a wrong
// key by its answer's time (threats B6).
void attest_nothing(const struct credential *credential);
// What to know of a proof that holds: one that lives for long, or ends soon.
void attest_tell(const struct admission *admission, struct trace *trace, struct arena *arena);

// ---- match.c: devices with a shared access signature

// Finds the enrollment whose key made the signature and fills enrollment and keys of *out.
struct err match_key(const struct admission *admission, struct decision *out, struct trace *trace,
                     struct arena *arena, struct why *why);
// The keys that a device of the group has, for the registration ID as it spells it.
struct err match_group_keys(const struct enrollment *group, struct slice registration_id,
                            struct secret *primary, struct secret *secondary);
// Whether a key derived from the group's made the signature. ERR_SAS_SIGNATURE: it did not.
struct err match_group_made_it(const struct admission *admission, const struct enrollment *group,
                               struct arena *arena);

// ---- match_x509.c: devices with a certificate

// Finds the enrollment that speaks for the certificate and fills enrollment and thumbprints of *out.
struct err match_certificate(const struct admission *admission, struct decision *out, struct trace *trace,
                             struct arena *arena, struct why *why);
// What a hub is told to know a certificate by: its SHA-256, in capital hex digits. Made in the arena.
struct err match_thumbprint(struct slice der, struct arena *arena, struct slice *out);

// Takes keys, thumbprints and promises out of a decision that lets nobody in.
void match_forget(struct decision *out);

// ---- match_tpm.c: devices with a TPM

// Finds the enrollment that knows the endorsement key, or a certificate above that key's. Fills enrollment,
// and challenge or fresh_key of *out: the proof, if there is one, was judged by attest_credential.
struct err match_tpm(const struct admission *admission, struct decision *out, struct trace *trace,
                     struct arena *arena, struct why *why);
// Whether the group refers to a certificate above that of the endorsement key. ERR_CERTIFICATE_…: it does
// not, or the device showed no such certificate.
struct err match_group_endorses(const struct admission *admission, const struct enrollment *group,
                                struct arena *arena);

// ---- match_ways.c: what the last two have in common

// How the one individual enrollment of the device's name, and how groups, are tried. Both fill *out as their
// match_… does.
struct match_rules {
    struct err (*individual)(const struct admission *admission, struct decision *out, struct trace *trace,
                             struct arena *arena, struct why *why);
    struct err (*group)(const struct admission *admission, struct decision *out, struct trace *trace,
                        struct arena *arena, struct why *why);
};
struct err match_by_rules(const struct match_rules *rules, const struct admission *admission,
                          struct decision *out, struct trace *trace, struct arena *arena, struct why *why);
// The group that has, or refers to, the nearest certificate above what the device showed.
// ERR_REGISTRATION_UNKNOWN: none does; else what ways_find fails with, or ERR_CERTIFICATE_REFUSED when it
// cannot be told.
struct err match_nearest_group(const struct admission *admission, const struct enrollment **out,
                               struct trace *trace, struct arena *arena, struct why *why);
// Whether one of the group's certificates is above what the device showed. ERR_CERTIFICATE_UNTRUSTED: none
// is.
struct err match_group_vouches(const struct admission *admission, const struct enrollment *group,
                               struct arena *arena);

// ---- resume.c: devices that are not here

// The enrollment that admitted the device before, if it still may. ERR_ENROLLMENT_NOT_FOUND,
// ERR_ENROLLMENT_DISABLED.
struct err match_former(const struct admission *admission, struct decision *out, struct trace *trace,
                        struct arena *arena, struct why *why);

// ---- takeover.c

// Another enrollment group may not read or take what the group admitted that the registration names, unless
// that one vouches for this device too (threats B10). ERR_REGISTRATION_TAKEN.
struct err takeover_check(const struct admission *admission, const struct decision *out, struct trace *trace,
                          struct arena *arena, struct why *why);

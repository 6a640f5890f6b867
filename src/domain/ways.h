// The ways up from a device's certificate, through what the device showed and what the service holds, to its
// verified CA certificates. Inside the decision only.
#pragma once

#include "domain/decide.h"

enum { WAYS_MAX = 8 };
struct ways {
    struct path way[WAYS_MAX]; // each at least one certificate; the nearest first
    size_t count;
    bool cut; // there may be more
};

// Errors are those of path_find; there is at least one way when there is none. Views of the admission's
// records, and of what the device showed. The trace gets a line for each way, and a warning for each
// certificate in it that ends soon.
struct err ways_find(const struct admission *admission, struct ways *out, struct trace *trace,
                     struct arena *arena, struct why *why);
// The warning itself, when there is less than a month left, or nothing; not_after_us 0: not known.
void ways_warn_expiry(int64_t now_us, struct slice name, int64_t not_after_us, struct trace *trace,
                      struct arena *arena);
// What a certificate is called in a trace: its common name, or what else it has. Made in the arena.
struct slice ways_name(const struct admission *admission, struct slice der, struct arena *arena);

// Does the enrollment hold or refer to this certificate as one that vouches for such devices: x509 for those
// with a certificate, tpm for those with a TPM?
bool ways_enrolled(const struct admission *admission, const struct enrollment *e, struct slice der);

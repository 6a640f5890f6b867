// Reading an attestation mechanism. Inside the enrollment's reader only; writing is in enrollment.h.
#pragma once

#include "domain/enrollment.h"

// `in` is the member "attestation". stored: what is being updated, or NULL (see enrollment_read).
struct err attestation_read(struct arena *arena, const struct json_in *in, enum enrollment_kind kind,
                            const struct attestation *stored, struct attestation *out, struct why *why);
// The type x509, in attestation_x509.c.
struct err attestation_read_x509(struct arena *arena, const struct json_in *in, enum enrollment_kind kind,
                                 const struct attestation *stored, struct attestation *out, struct why *why);
struct err attestation_write_x509(struct json_writer *w, const struct attestation *a);
// {"primary","secondary"}: names of CA certificates, at least one.
struct err attestation_read_references(struct arena *arena, const struct json_in *pair,
                                       struct attestation *out, struct why *why);
// The type tpm, in attestation_tpm.c.
struct err attestation_read_tpm(struct arena *arena, const struct json_in *in, enum enrollment_kind kind,
                                const struct attestation *stored, struct attestation *out, struct why *why);
struct err attestation_write_tpm(struct json_writer *w, const struct attestation *a);

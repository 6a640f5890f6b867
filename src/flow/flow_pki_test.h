// For tests with devices that show certificates: a PKI of one's own, and what operators make of it.
#pragma once

#include "base/buf.h"
#include "crypto/bench_pki.h"
#include "flow/flow_bench_test.h"

struct certificate {
    struct buf pem;
    struct buf key;
    struct slice der; // in the world's arena
};

// All live until pki_teardown. issuer NULL: self-signed; days 0: as the role says.
struct certificate *make(struct world *w, enum bench_role role, const char *name,
                         const struct certificate *issuer, int days);
struct certificate *root_of(struct world *w, const char *name);
struct certificate *below(struct world *w, const char *name, const struct certificate *issuer);
struct certificate *device(struct world *w, const char *name, const struct certificate *issuer);
int pki_teardown(void **state); // and of the world

// What TLS would hand over; first and second may be NULL. For the caller to release.
struct chain *chain_of(const struct certificate *leaf, const struct certificate *first,
                       const struct certificate *second);

void put_ca(struct world *w, const char *name, const struct certificate *c, bool verified);
// The same with a revocation list that names one certificate, or nobody (NULL).
void put_ca_with_list(struct world *w, const char *name, const struct certificate *c, bool verified,
                      const struct certificate *revoked);
void put_group(struct world *w, const char *id, const struct certificate *signing,
               enum provisioning_status status);
void put_group_by_name(struct world *w, const char *id, const char *ca);
void put_individual(struct world *w, const char *id, const struct certificate *primary,
                    const struct certificate *secondary, enum provisioning_status status);
// A verified root and an enrollment group "Fleet" of it: what most tests begin with.
struct certificate *fleet(struct world *w);

// A call of a device that shows these; its connection is gone before the answer comes.
void show_and_leave(struct world *w, enum flow_verb verb, const char *id, const char *operation,
                    const struct certificate *leaf, const struct certificate *first,
                    const struct certificate *second);
// Registers, showing the leaf alone or with one that is above it, and waits for the answer.
void enter(struct world *w, const char *id, const struct certificate *leaf, const struct certificate *first);
void assert_assigned(struct world *w);
void assert_refused(struct world *w, enum err_code code);

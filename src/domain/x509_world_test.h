// For tests of this folder: certificates and TPMs by short names, a service described in one line, and what
// flow and store do between two looks.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domain/decide.h"

#define WORLD_NOW_US (INT64_C(1800000000) * 1000000) // Fri, 15 Jan 2027 08:00:00 GMT

// The certificates of the table in x509_world_test.c, made once for all tests of a program.
void world_make_certificates(void);
void world_drop_certificates(void);
struct slice world_der(const char *name);
struct slice world_pem(const char *name);
// A new certificate below `issuer`, as PEM, valid for a week from from_us on, against now.
struct slice world_proof(const char *issuer, struct slice common_name, int64_t from_us);
// The endorsement key (TPM2B_PUBLIC) whose certificate this is, as TPMs write it.
struct slice world_endorsement_key(struct arena *arena, const char *name);
// A revocation list (DER), of yesterday; to_us: nextUpdate, against now.
struct slice world_list(const char *issuer, const char *revoked, int64_t to_us);

enum { WORLD_MAX = 12 };
struct world {
    struct arena arena;
    struct service service;
    struct ca_certificate cas[WORLD_MAX];
    size_t ca_count;
    struct ca_crl crls[WORLD_MAX];
    size_t crl_count;
    struct enrollment groups[WORLD_MAX];
    size_t group_count;
    struct enrollment individuals[WORLD_MAX];
    size_t individual_count;
    struct registration prior; // id empty: none
    struct issuers *issuers;
    bool backwards;      // what is found comes in the other order
    struct slice device; // the ID of the device's individual enrollment
    struct admission admission;
    struct lookup lookup;
    unsigned looks; // how often the store was asked
    // what was found:
    const struct ca_certificate *found_cas[WORLD_MAX];
    const struct ca_crl *found_crls[WORLD_MAX];
    const struct enrollment *found_groups[WORLD_MAX];
    const struct enrollment *found_holders[WORLD_MAX];
};

// `has`, words with blanks between:
//   A  A?            the CA certificate A, verified or not; its name is its short name
//   g:A1  g:A1,B     enrollment group g with these signing certificates; g@A,B with CA references; g# with
//                    symmetric keys
//   i=s1  i=s1,s2    the individual enrollment of the device with these client certificates; i@A; i#.
//                    Another name than i: that of another device.
//   i~e1             the same, with the endorsement key of which e1 is the certificate
//   t%A  t%A,B       enrollment group t of TPMs, with CA references
//   -…               disabled
//   <g               the device was registered through group g, which may be gone
// `shows`: the certificates that the device shows, its own first; the device says that it is "dev".
void world_open(struct world *w, const char *has, const char *shows);
// A device with the TPM whose endorsement key has the certificate `key`; what it shows may be "". `id` is
// what it calls itself, and how its individual enrollment is called. It has not been asked for a proof yet.
void world_open_tpm(struct world *w, const char *has, const char *key, const char *shows, struct slice id);
void world_close(struct world *w);
// Looks until nothing more is wanted, as the flow does; at most four times.
void world_look(struct world *w);

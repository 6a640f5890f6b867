// What records are found by, besides their names: words, separated by blanks, made when a record is written
// and asked for when a device shows certificates (ports/store.h, STORE_ADMISSION).
//   n:1a2b3c4d    holds a certificate whose subject name hashes to this (certificate_names)
//   c:factory-ca  refers to the CA certificate of that name (lower case; percent-encoded, so without blanks)
//   f:<64 hex>    a disabled enrollment that holds this certificate (SHA-256 of certificate_signed_part):
//                 nobody may use it any more
//   e:<64 hex>    a disabled enrollment of the TPM with this endorsement key (SHA-256 of tpm_modulus): nor
//                 this
#pragma once

#include "domain/ca_certificate.h"
#include "domain/enrollment.h"

enum { WORD_MAX = 2 + 3 * 256 }; // bytes

// Made in the arena. A group with signing certificates has n: for each, with CA references c: for each. A
// disabled individual enrollment with client certificates has f: for each, one of a TPM has e:. Others have
// none.
struct err enrollment_words(struct arena *arena, const struct enrollment *e, struct slice *out);
struct err ca_certificate_words(struct arena *arena, const struct ca_certificate *c, struct slice *out);
struct err word_of_name(struct arena *arena, uint32_t name, struct slice *out);
struct err word_of_reference(struct arena *arena, struct slice ca_name, struct slice *out);
struct err word_of_certificate(struct arena *arena, struct slice der, struct slice *out);
struct err word_of_endorsement_key(struct arena *arena, struct slice tpm2b_public, struct slice *out);

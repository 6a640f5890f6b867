// What a certificate of a TPM's endorsement key has in it (TCG EK Credential Profile 2.x, 3.2; RFC
// 5280 4.2.1), for the table in profile.c. Private to src/crypto.
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>

// Its alternative name holds a directory name with the TPM's manufacturer, model and version.
bool endorsement_names_tpm(X509 *x509);
// That alternative name is critical where there is no subject.
bool endorsement_name_is_critical(X509 *x509);
// Its key is of RSA 2048, which is what keys are activated with.
bool endorsement_key_fits(X509 *x509);
// It says what its key is for: to encipher keys, not to sign.
bool endorsement_enciphers(X509 *x509);
// Where it says what for, that is endorsement.
bool endorsement_purpose(X509 *x509);
// The same of a CA above: where it says what for, that is endorsement, or anything.
bool endorsement_authority_purpose(X509 *x509);

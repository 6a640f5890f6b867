// The key schedule of TLS 1.3 quickly: for openssl_context.c only. A handshake expands sixteen secrets and
// extracts three, and OpenSSL 3.0 looks up digest and HMAC by their names for each, which takes longer than
// the HMAC.
#pragma once

#include <openssl/core.h>

// Puts ours in place of what `kdf` ("TLS13-KDF" of a provider) refers to. It stays as it is when it has no
// function to derive with.
void openssl_schedule_take_over(OSSL_ALGORITHM *kdf);

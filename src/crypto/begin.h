// How a process begins that uses OpenSSL much.
#pragma once

// The first thing in main. OpenSSL 3.0 keeps the names of all algorithms in one table and goes through the
// whole of it, eight times in a TLS handshake, to learn what a type of key is called. Two thirds of the table
// are ciphers by their names of before 3.0; without them ciphers are found by their providers' names alone,
// which is all that TLS and this house ask for. (What goes by the old ones: private keys in PEM behind a
// passphrase, which we do not take.) Has no effect once anything in the process has looked an algorithm up.
void crypto_begin(void);

// Random bytes fit for keys, for whoever implements the port to randomness (ports/random.h). Decisions never
// call this: they are given their random bytes.
#pragma once

#include <stddef.h>

// Ends the process when OpenSSL's generator fails, because nothing safe can be done without it.
void random_fill(void *at, size_t len);

/*
 * banned.h turns calls that have no place in Usher into compile errors.
 * The build puts it in front of every C file with -include; nothing includes it by hand.
 * The headers that declare the banned names come first: poisoning a name before libc declares it
 * would break libc's own headers. Names that other libraries use for arguments (rand) are caught by
 * script/lint instead; memcmp on a secret is left to review.
 */
#ifndef USHER_BASE_BANNED_H
#define USHER_BASE_BANNED_H

#ifndef __cplusplus

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Under _FORTIFY_SOURCE clang sees some of these as macros; alloca always is one. */
#undef sprintf
#undef vsprintf
#undef alloca

/* No bound on what is written. Use a struct buf, or snprintf with its result checked. */
#pragma GCC poison strcpy strcat stpcpy sprintf vsprintf gets

/* The result may lack its terminator, or is cut off in silence. Use slices. */
#pragma GCC poison strncpy strncat stpncpy

/* Hidden state shared by all threads. Use a cursor, and gmtime_r. */
#pragma GCC poison strtok gmtime localtime asctime ctime

/* Cannot report an error, or overflow. Use the readers of base. */
#pragma GCC poison atoi atol atoll atof

/* The file may be another's by the time it is opened. Use mkstemp or mkdtemp. */
#pragma GCC poison tmpnam tempnam mktemp

/* The stack has no way to say that it is full. Use the request's arena. */
#pragma GCC poison alloca

#endif
#endif

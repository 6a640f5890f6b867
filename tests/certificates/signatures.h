// Counts the signatures that the code under test checks: the linker leads its calls of OpenSSL through here
// (see meson.build). OpenSSL's calls of itself are not seen.
#pragma once

extern unsigned signatures_checked;

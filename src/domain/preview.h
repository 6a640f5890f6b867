// What would become of a device if it registered now? The same rules as when it does, without a device: for
// dry runs of a changed policy, enrollment or link.
#pragma once

#include "domain/decide.h"

enum preview_end {
    PREVIEW_STAYS,   // at `hub`, where it is
    PREVIEW_MOVES,   // to `hub`, from prior->assigned_hub; from nowhere when that is empty
    PREVIEW_REFUSED, // `why` says for what; it stays recorded where it is
    PREVIEW_UNKNOWN, // a webhook chooses
};

struct preview {
    enum preview_end end;
    const struct linked_hub *hub; // STAYS and MOVES; else NULL
    struct why why;               // REFUSED
};

// `admission` is without a credential and has the service as it is proposed, the prior registration, the
// enrollment that admitted the device (individual; or former or groups), its own individual enrollment if it
// has one, and place and conditions as far as they are known. That its credentials still hold is taken for
// granted; of an enrollment without a reprovisioning policy, that the device is not an old one, unless
// api_version says so. trace may be NULL. An error is ERR_NO_MEMORY or ERR_INTERNAL: then nothing is known.
struct err decide_preview(const struct admission *admission, struct arena *arena, struct preview *out,
                          struct trace *trace);

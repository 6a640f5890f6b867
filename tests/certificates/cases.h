// The table of chains that must be refused, each for its own reason, and of good ones beside them. The rows
// are in cases_*.c; case.c makes their certificates; table_test.c shows them to the verifier, `run` to both
// doors of usherd.
#pragma once

#include "base/err.h"
#include "make.h"

// The certificates of a case. There always are a root, one CA below it and a leaf below that; the others are
// there when somebody signs them.
enum who {
    NOBODY,
    ROOT,
    MIDDLE,
    LEAF,
    SECOND, // further CAs
    THIRD,
    FOURTH,
    FIFTH,
    OTHER_ROOT,
    OTHER_MIDDLE,
    OTHER_LEAF,
    WHO_COUNT
};

enum where {
    BOTH_DOORS,    // MQTT answers 401002, HTTPS 401; assigned when it is a good one
    AT_UPLOAD,     // usherd does not take the CA certificate or the list: the verifier is asked all the same
    BY_TLS,        // OpenSSL cannot do the handshake with it
    VERIFIER_ONLY, // it cannot be sent
};

struct bad_list {
    enum who ca;        // whose list it is to be
    enum who named;     // whom it names as its issuer, when that is somebody else
    enum who signed_by; // and whose key signed it
    enum who revokes[2];
    struct crl_plan plan;
    bool required;
    bool missing; // there is none, and one is required
};

struct bad_case {
    const char *name;   // is the common name of the leaf, and the registration ID
    uint32_t error;     // 0: a good one
    const char *phrase; // what the reason must hold
    struct plan certificates[WHO_COUNT];
    enum who shown[12];     // leaf first. Default: LEAF, MIDDLE
    enum who verified[6];   // CA certificates of the service that count. Default: ROOT
    enum who unverified[4]; // and those whose owner has not proved anything
    enum who group[2];      // signing certificates of the enrollment group. Default: ROOT, by reference
    enum who individual[2]; // or the client certificates of an individual enrollment
    struct bad_list lists[2];
    const char *asks; // the registration ID, when it is another
    bool disabled;    // the enrollment is
    bool other_proof; // an individual enrollment with a symmetric key has that ID; beside a group, it is the
                      // one disabled
    bool held;        // a disabled enrollment of another ID has that very certificate
    enum who disabled_group; // a second group, disabled, has this one
    bool decided;            // the verifier has nothing against it: the decision has
    bool scene;              // certificates for a scene of `run`, which says what must happen
    enum where where;
    const char *because; // why not at both doors
    const char *upload;  // what the answer to the upload must hold, when it is not the phrase
};

extern const struct bad_case cases_chain[], cases_profile[], cases_names[], cases_others[];
extern const size_t cases_chain_count, cases_profile_count, cases_names_count, cases_others_count;

// The rows with their defaults filled in, one after the other.
size_t case_count(void);
struct bad_case case_at(size_t index);

// The certificates of one case, ready to be shown.
struct case_made {
    struct made certificates[WHO_COUNT]; // der is NULL where the case has none
    uint8_t *lists[2];
    size_t list_len[2];
};
void case_make(const struct bad_case *row, time_t now, struct case_made *out);
void case_release(struct case_made *made);
const char *who_name(enum who who);
size_t who_count(const enum who *list, size_t max);

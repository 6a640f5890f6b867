// usher-tpm-device TCTI: the TPM side of `usher device`, for tests. Says "keys ENDORSEMENT-KEY
// STORAGE-ROOT-KEY" first, in base64 as everything; then each line on stdin is answered by one: "plant BLOB"
// by "planted", "sign TEXT" by "signed HMAC", and either by "refused" and why.
#include <stdio.h>

#include "base/text.h"
#include "client/device_tpm.h"

enum { LINE_MAX_BYTES = 4096 };

static void say(const char *word, struct slice bytes)
{
    struct buf text = buf_capped(LINE_MAX_BYTES);
    b64_encode(&text, bytes);
    (void)printf("%s%.*s", word, (int)text.len, (const char *)text.at);
    buf_release(&text);
}

static struct err obey(struct device_tpm *tpm, struct arena *arena, struct slice line, struct why *why)
{
    struct slice verb;
    struct slice bytes = {0};
    uint8_t hmac[SHA256_SIZE];
    (void)slice_cut(&line, ' ', &verb);
    if (failed(b64_decode_arena(arena, line, &bytes)))
        return why_fail(why, ERR_INVALID, "no base64");
    if (slice_equal(verb, SLICE("plant"))) {
        TRY(device_tpm_activate(tpm, bytes, why));
        say("planted", (struct slice){0});
        return OK;
    }
    TRY(device_tpm_sign(tpm, bytes, hmac, why));
    say("signed ", slice_of(hmac, sizeof hmac));
    return OK;
}

int main(int count, char **arguments)
{
    char line[LINE_MAX_BYTES];
    struct device_tpm *tpm = NULL;
    struct why why = {0};
    if (count != 2 || failed(device_tpm_open(arguments[1], &tpm, &why))) {
        (void)fprintf(stderr, "usher-tpm-device TCTI: %s\n", why.text);
        return 1;
    }
    say("keys ", device_tpm_endorsement_key(tpm));
    say(" ", device_tpm_storage_root_key(tpm));
    (void)printf("\n");
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        struct arena arena = arena_capped(LINE_MAX_BYTES);
        if (failed(obey(tpm, &arena, slice_trim(slice_text(line)), &why)))
            (void)printf("refused %s", why.text);
        (void)printf("\n");
        (void)fflush(stdout);
        arena_release(&arena);
    }
    device_tpm_close(tpm);
    return 0;
}

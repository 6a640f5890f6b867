// usher-tpm-blob: makes activation blobs for tests. Each line on stdin is ENDORSEMENT-KEY STORAGE-ROOT-KEY
// KEY HINT in base64 (a hint of "-" is none); each is answered by one line: "blob BASE64", or "refused" and
// why.
#include <stdio.h>

#include "base/text.h"
#include "crypto/random.h"
#include "crypto/tpm.h"

enum { LINE_MAX_BYTES = 4096 };

// The next word of the line, decoded in the arena; a word that is no base64 is empty.
static struct slice next(struct arena *arena, struct slice *line)
{
    struct slice word = {0};
    struct slice bytes = {0};
    (void)slice_cut(line, ' ', &word);
    if (failed(b64_decode_arena(arena, word, &bytes)))
        bytes = (struct slice){0};
    return bytes;
}

static struct err make(struct arena *arena, struct slice line, struct buf *out, struct why *why)
{
    struct tpm_seeds seeds;
    struct secret key;
    struct slice endorsement_key = next(arena, &line);
    struct slice storage_root_key = next(arena, &line);
    struct slice planted = next(arena, &line);
    if (!secret_set(&key, planted))
        return why_fail(why, ERR_INVALID, "no secret has %zu bytes", planted.len);
    random_fill(&seeds, sizeof seeds);
    struct err e =
        tpm_activation_blob(endorsement_key, storage_root_key, &key, next(arena, &line), &seeds, out, why);
    secret_wipe(&key);
    bytes_wipe(&seeds, sizeof seeds);
    return e;
}

static void answer(struct slice line)
{
    struct arena arena = arena_capped(64 * 1024);
    struct buf blob = buf_capped(TPM_BLOB_MAX);
    struct buf text = buf_capped((size_t)2 * TPM_BLOB_MAX);
    struct why why = {0};
    struct err e = make(&arena, line, &blob, &why);
    b64_encode(&text, buf_slice(&blob));
    if (failed(e))
        (void)printf("refused %s\n", why.text[0] != '\0' ? why.text : err_info(e)->name);
    else
        (void)printf("blob %.*s\n", (int)text.len, (const char *)text.at);
    (void)fflush(stdout);
    buf_release(&text);
    buf_release(&blob);
    arena_release(&arena);
}

int main(void)
{
    char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, stdin) != NULL)
        answer(slice_trim(slice_text(line)));
    return 0;
}

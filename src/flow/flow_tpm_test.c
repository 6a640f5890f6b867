// TPM devices of the bench: their keys, and what they send.
#include "flow/flow_tpm_test.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>

#include "base/text.h"

static void public_part(const char *head, size_t head_len, const uint8_t modulus[256], uint8_t *out)
{
    memcpy(out, head, head_len);
    memcpy(out + head_len, modulus, 256);
}

static void make(struct tpm *tpm)
{
    // the templates of device-protocol 6.1, up to the modulus
    static const char ek[] =
        "\x01\x3a\x00\x01\x00\x0b\x00\x03\x00\xb2\x00\x20\x83\x71\x97\x67\x44\x84\xb3\xf8\x1a\x90\xcc\x8d\x46"
        "\xa5\xd7\x24\xfd\x52\xd7\x6e\x06\x52\x0b\x64\xf2\xa1\xda\x1b\x33\x14\x69\xaa\x00\x06\x00\x80\x00\x43"
        "\x00\x10\x08\x00\x00\x00\x00\x00\x01\x00";
    static const char srk[] = "\x01\x1a\x00\x01\x00\x0b\x00\x03\x04\x72\x00\x00\x00\x06\x00\x80\x00\x43\x00"
                              "\x10\x08\x00\x00\x00\x00\x00\x01\x00";
    uint8_t *const parts[] = {tpm->endorsement_key, tpm->storage_root_key};
    const char *const heads[] = {ek, srk};
    const size_t lens[] = {sizeof ek - 1, sizeof srk - 1};
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY *key = EVP_RSA_gen(2048);
        BIGNUM *n = NULL;
        uint8_t modulus[256];
        assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
        assert_int_equal(BN_bn2binpad(n, modulus, sizeof modulus), sizeof modulus);
        public_part(heads[i], lens[i], modulus, parts[i]);
        BN_free(n);
        EVP_PKEY_free(key);
    }
}

const struct tpm *tpm_of(unsigned number)
{
    static struct tpm tpms[TPMS];
    assert_true(number < TPMS);
    if (tpms[number].endorsement_key[0] == 0)
        make(&tpms[number]);
    return &tpms[number];
}

static struct slice ek_of(const struct tpm *tpm)
{
    return slice_of(tpm->endorsement_key, sizeof tpm->endorsement_key);
}

void put_tpm_enrollment(struct world *w, const char *id, const struct tpm *tpm)
{
    struct enrollment e = {
        .id = slice_text(id), .provisioning_status = PROVISIONING_ENABLED, .etag = ++w->next_random};
    e.attestation = (struct attestation){.type = ATTESTATION_TPM, .endorsement_key = ek_of(tpm)};
    struct store_request put = {
        .verb = STORE_PUT, .table = STORE_ENROLLMENT, .partition = SLICE(SCOPE), .key = e.id, .record = &e};
    store_do(w, &put);
    assert_false(failed(put.result));
}

static void told(struct challenge_request *request)
{
    *(bool *)request->context = true;
}

struct secret planted(struct world *w, const char *id, uint64_t channel)
{
    bool done = false;
    struct challenge_request r = {.verb = CHALLENGE_RECALL,
                                  .id_scope = SLICE(SCOPE),
                                  .registration_id = slice_text(id),
                                  .channel = channel,
                                  .arena = &w->arena,
                                  .done = told,
                                  .context = &done};
    challenges_submit(w->asking, &r);
    for (int i = 0; i < 100 && !done; i++)
        deliver(w, 2);
    assert_true(done);
    return failed(r.result) ? (struct secret){0} : r.challenge.key;
}

void fill_challenges(struct world *w)
{
    for (uint64_t i = 0; challenges_count(w->challenges) < CHALLENGES_MAX; i++) {
        bool done = false;
        struct challenge_request r = {.verb = CHALLENGE_KEEP,
                                      .id_scope = SLICE(SCOPE),
                                      .registration_id = SLICE("somebody"),
                                      .channel = i,
                                      .challenge = {.key = {.len = 32}},
                                      .done = told,
                                      .context = &done};
        challenges_submit(w->asking, &r);
        for (int tries = 0; tries < 100 && !done; tries++)
            deliver(w, 2);
        assert_true(done && !failed(r.result));
    }
}

const char *tpm_json(struct world *w, const char *more, const struct tpm *tpm)
{
    struct buf text = buf_capped(4096);
    buf_text(&text, "{");
    buf_text(&text, more);
    buf_text(&text, "\"tpm\":{\"endorsementKey\":\"");
    b64_encode(&text, ek_of(tpm));
    buf_text(&text, "\",\"storageRootKey\":\"");
    b64_encode(&text, slice_of(tpm->storage_root_key, sizeof tpm->storage_root_key));
    buf_text(&text, "\"}}");
    const char *made = arena_cstr(&w->arena, buf_slice(&text));
    assert_non_null(made);
    buf_release(&text);
    return made;
}

const char *token_of(struct world *w, const char *id, const struct secret *key)
{
    struct buf token = buf_capped(4096);
    char resource[200];
    (void)snprintf(resource, sizeof resource, SCOPE "%%2fregistrations%%2f%s", id);
    sas_sign(&token, slice_text(resource), T0 / 1000000 + 3600, key, SLICE("registration"));
    const char *made = arena_cstr(&w->arena, buf_slice(&token));
    assert_non_null(made);
    buf_release(&token);
    return made;
}

void ask_with_tpm(struct world *w, const struct tpm_call *call)
{
    struct flow_request *request = flow_request_new(w->flow);
    assert_non_null(request);
    struct credential *credential = &request->credential;
    request->challenge_channel = call->channel;
    if (call->tpm != NULL) {
        credential->kind = CREDENTIAL_TPM;
        credential->tpm = (struct tpm_identity){
            .endorsement_key = ek_of(call->tpm),
            .storage_root_key = slice_of(call->tpm->storage_root_key, sizeof call->tpm->storage_root_key)};
    }
    if (call->key != NULL) {
        credential->kind = CREDENTIAL_SAS;
        struct slice token = slice_text(token_of(w, call->id, call->key));
        assert_false(failed(sas_parse(token, &request->credential.sas, NULL)));
    }
    hand_over(w, request, call->verb, call->id, call->operation != NULL ? call->operation : "");
}

// usher-certificates: writes what tests/certificates/run shows to usherd.
//   usher-certificates all FOLDER                     every case of the table: CASE.WHO.pem, CASE.WHO.key,
//   CASE.list0.pem,
//                                                     and cases.json, which says what is to become of them
//   usher-certificates proof CA.pem CA.key CODE DAYS  on stdout: a certificate whose common name is CODE,
//   made by that CA,
//                                                     valid from a year ago until so many days from now
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "cases.h"

static FILE *open_file(const char *folder, const char *name, const char *who, const char *ending)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.%s%s", folder, name, who, ending);
    FILE *file = fopen(path, "wb");
    if (!file)
        give_up(path);
    return file;
}

// What OpenSSL cannot read can be written all the same.
static void write_pem(FILE *file, const char *label, const uint8_t *der, size_t len)
{
    if (PEM_write(file, label, "", der, (long)len) <= 0)
        give_up(label);
}

static void write_case(const char *folder, const struct bad_case *row, const struct case_made *made)
{
    for (enum who who = ROOT; who < WHO_COUNT; who++) {
        const struct made *one = &made->certificates[who];
        if (!one->der)
            continue;
        FILE *file = open_file(folder, row->name, who_name(who), ".pem");
        write_pem(file, "CERTIFICATE", one->der, one->len);
        fclose(file);
        if (!key_is_whole(one->key))
            continue;
        file = open_file(folder, row->name, who_name(who), ".key");
        if (!PEM_write_PrivateKey(file, one->key, NULL, NULL, 0, NULL, NULL))
            give_up(row->name);
        fclose(file);
    }
    for (size_t i = 0; i < 2; i++) {
        if (!made->lists[i])
            continue;
        FILE *file = open_file(folder, row->name, i == 0 ? "list0" : "list1", ".pem");
        write_pem(file, "X509 CRL", made->lists[i], made->list_len[i]);
        fclose(file);
    }
}

static void json_text(FILE *out, const char *key, const char *value)
{
    fprintf(out, "\"%s\":\"", key);
    for (const char *at = value; *at; at++) {
        if (*at == '"' || *at == '\\')
            putc('\\', out);
        putc(*at, out);
    }
    fputs("\",", out);
}

static void json_list(FILE *out, const char *key, const enum who *list, size_t max)
{
    fprintf(out, "\"%s\":[", key);
    for (size_t i = 0; i < who_count(list, max); i++)
        fprintf(out, "%s\"%s\"", i ? "," : "", who_name(list[i]));
    fputs("],", out);
}

static void json_case(FILE *out, const struct bad_case *row)
{
    static const char *const where[] = {"both doors", "at upload", "by TLS", "verifier only"};
    fputs("{", out);
    json_text(out, "name", row->name);
    json_text(out, "asks", row->asks);
    json_text(out, "error", row->error ? err_info(FAIL(row->error))->name : "");
    json_text(out, "phrase", row->phrase ? row->phrase : "");
    json_text(out, "where", where[row->where]);
    json_text(out, "because", row->because ? row->because : "");
    json_text(out, "upload", row->upload ? row->upload : row->phrase ? row->phrase : "");
    json_list(out, "shown", row->shown, 12);
    json_list(out, "verified", row->verified, 6);
    json_list(out, "unverified", row->unverified, 4);
    json_list(out, "group", row->group, 2);
    json_list(out, "individual", row->individual, 2);
    json_list(out, "disabledGroup", &row->disabled_group, 1);
    fputs("\"lists\":[", out);
    for (size_t i = 0; i < 2 && row->lists[i].ca; i++)
        fprintf(out, "%s{\"ca\":\"%s\",\"required\":%s}", i ? "," : "", who_name(row->lists[i].ca),
                row->lists[i].required ? "true" : "false");
    fprintf(out, "],\"disabled\":%s,\"otherProof\":%s,\"held\":%s,\"scene\":%s}",
            row->disabled ? "true" : "false", row->other_proof ? "true" : "false",
            row->held ? "true" : "false", row->scene ? "true" : "false");
}

static int all(const char *folder)
{
    FILE *index = open_file(folder, "cases", "json", "");
    time_t now = time(NULL);
    fputs("[", index);
    for (size_t i = 0; i < case_count(); i++) {
        const struct bad_case row = case_at(i);
        struct case_made made;
        case_make(&row, now, &made);
        write_case(folder, &row, &made);
        fputs(i ? ",\n" : "", index);
        json_case(index, &row);
        case_release(&made);
    }
    fputs("]\n", index);
    fclose(index);
    return 0;
}

static int proof(const char *ca, const char *key, const char *code, const char *days)
{
    FILE *file = fopen(ca, "rb");
    X509 *issuer = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    if (!issuer)
        give_up(ca);
    fclose(file);
    file = fopen(key, "rb");
    EVP_PKEY *signing = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    if (!signing)
        give_up(key);
    fclose(file);
    const struct made signer = {.key = signing, .subject = X509_get_subject_name(issuer)};
    struct made made = {.key = key_make(EC_P256), .subject = name_read("CN=$", code)};
    const struct plan plan = {.from = -365, .until = (int)strtol(days, NULL, 10)};
    certificate_make(&plan, code, false, &signer, time(NULL), &made);
    write_pem(stdout, "CERTIFICATE", made.der, made.len);
    made_release(&made);
    X509_free(issuer);
    EVP_PKEY_free(signing);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "all") == 0)
        return all(argv[2]);
    if (argc == 6 && strcmp(argv[1], "proof") == 0)
        return proof(argv[2], argv[3], argv[4], argv[5]);
    fputs("usage: usher-certificates all FOLDER | proof CA.pem CA.key CODE DAYS\n", stderr);
    return 2;
}

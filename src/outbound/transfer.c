// One call: its settings, which hold for all hosts and cannot be changed by anybody, its headers, and how it
// ended.
#include "outbound/transfer.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/secret.h"

enum {
    LINE_MAX_BYTES = 4096,
    USUAL_BYTES = 4096,    // reserved at once, so that growing leaves no copy of a key behind
    KEPT_BYTES = 16 * 1024 // what a spare transfer may hold on to
};

static size_t took_bytes(char *at, size_t size, size_t count, void *context)
{
    struct outbound_transfer *transfer = context;
    buf_bytes(&transfer->answer, slice_of(at, size * count));
    return transfer->answer.broken == 0 ? size * count : 0;
}

// What is asked about is what is connected to: curl uses exactly the address that it hands over here.
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct outbound_transfer *transfer = context;
    if (purpose != CURLSOCKTYPE_IPCXN || !transfer->transport->rules.may_connect(transfer, &to->addr)) {
        transfer->refused++;
        return CURL_SOCKET_BAD;
    }
    transfer->sockets++;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static bool confine(struct outbound_transfer *transfer)
{
    CURL *easy = transfer->easy;
    if (transfer->transport->rules.may_connect == NULL)
        return true;
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer) == CURLE_OK;
}

// Threats D1, D3, D4: https only (unless the rules say otherwise) and never elsewhere than told; no proxy of
// the environment; verification always on.
static bool secure(CURL *easy, const struct outbound *transport)
{
    struct curl_blob ca = {.data = transport->ca_pem, .len = transport->ca_len, .flags = CURL_BLOB_NOCOPY};
    const char *schemes = transport->rules.http ? "http,https" : "https";
    bool done = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, schemes) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https") == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    if (!done || transport->ca_pem == NULL)
        return done;
    // Without CAPATH NULL the system's CAs would be trusted beside those of the blob.
    return curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca) == CURLE_OK;
}

// QUICK_EXIT: a call that ends while its name is still looked up does not wait for the resolver's thread,
// which would hold up the loop (threats F25). PATH_AS_IS: a device ID may be "..".
static bool set_up(struct outbound_transfer *transfer)
{
    CURL *easy = transfer->easy;
    return secure(easy, transfer->transport) && confine(transfer) &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "usher") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, took_bytes) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->detail) == CURLE_OK;
}

static struct outbound_transfer *transfer_new(struct outbound *transport)
{
    struct outbound_transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL)
        return NULL;
    transfer->transport = transport;
    transfer->url = buf_capped(LINE_MAX_BYTES);
    transfer->authorization = buf_capped(LINE_MAX_BYTES);
    transfer->if_match = buf_capped(LINE_MAX_BYTES);
    transfer->body = buf_capped(OUTBOUND_BODY_MAX);
    size_t answer_max = transport->rules.answer_max;
    transfer->extra = buf_capped(LINE_MAX_BYTES);
    transfer->answer = buf_capped(answer_max > 0 ? answer_max : OUTBOUND_ANSWER_MAX);
    (void)buf_reserve(&transfer->body, USUAL_BYTES);
    (void)buf_reserve(&transfer->answer, USUAL_BYTES);
    transfer->easy = curl_easy_init();
    if (transfer->easy != NULL && set_up(transfer))
        return transfer;
    outbound_transfer_free(transfer);
    return NULL;
}

struct outbound_transfer *outbound_transfer_take(struct outbound *transport)
{
    struct list *spare = list_take_first(&transport->spare);
    return spare != NULL ? CONTAINER_OF(spare, struct outbound_transfer, link) : transfer_new(transport);
}

static void wipe(struct buf *buf)
{
    if (buf->len > 0)
        bytes_wipe(buf->at, buf->len);
    buf_clear(buf);
    if (buf->room > KEPT_BYTES)
        buf_shrink(buf);
}

void outbound_transfer_clear(struct outbound_transfer *transfer)
{
    wipe(&transfer->url);
    wipe(&transfer->authorization);
    wipe(&transfer->if_match);
    wipe(&transfer->extra);
    wipe(&transfer->body);
}

void outbound_transfer_give_back(struct outbound_transfer *transfer)
{
    outbound_transfer_clear(transfer);
    wipe(&transfer->answer);
    transfer->done = NULL;
    transfer->context = NULL;
    list_append(&transfer->transport->spare, &transfer->link);
}

void outbound_transfer_free(struct outbound_transfer *transfer)
{
    if (transfer == NULL)
        return;
    if (transfer->easy != NULL)
        curl_easy_cleanup(transfer->easy);
    outbound_transfer_clear(transfer);
    wipe(&transfer->answer);
    buf_release(&transfer->url);
    buf_release(&transfer->authorization);
    buf_release(&transfer->if_match);
    buf_release(&transfer->extra);
    buf_release(&transfer->body);
    buf_release(&transfer->answer);
    free(transfer);
}

// Terminated for curl, which takes strings; the terminator is not counted.
static struct err terminate(struct buf *buf)
{
    buf_u8(buf, 0);
    TRY(buf_err(buf));
    buf->len--;
    return OK;
}

static void make_headers(struct outbound_transfer *transfer)
{
    static char expect[] = "Expect:"; // no waiting for "100 Continue"
    static char accept[] = "Accept: application/json";
    static char content_type[] = "Content-Type: application/json; charset=utf-8";
    char *lines[] = {
        transfer->authorization.len > 0 ? (char *)transfer->authorization.at : NULL,
        accept,
        transfer->body.len > 0 ? content_type : NULL,
        transfer->body.len > 0 ? expect : NULL,
        transfer->if_match.len > 0 ? (char *)transfer->if_match.at : NULL,
        transfer->extra.len > 0 ? (char *)transfer->extra.at : NULL,
    };
    struct curl_slist *last = NULL;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (lines[i] == NULL)
            continue;
        struct curl_slist *next = last == NULL ? transfer->headers : last + 1;
        *next = (struct curl_slist){.data = lines[i]};
        if (last != NULL)
            last->next = next;
        last = next;
    }
}

static bool order(struct outbound_transfer *transfer, const char *method, int64_t timeout_ms)
{
    CURL *easy = transfer->easy;
    bool body = transfer->body.len > 0;
    CURLcode shape = CURLE_OK;
    if (body) {
        curl_off_t size = (curl_off_t)transfer->body.len;
        shape = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
        if (shape == CURLE_OK)
            shape = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, (char *)transfer->body.at);
    } else {
        shape = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    return shape == CURLE_OK && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, (char *)transfer->url.at) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK &&
           curl_multi_add_handle(transfer->transport->multi, easy) == CURLM_OK;
}

struct err outbound_transfer_start(struct outbound_transfer *transfer, const char *method, int64_t timeout_ms)
{
    INVARIANT(timeout_ms > 0);
    TRY(buf_err(&transfer->body));
    TRY(terminate(&transfer->url));
    TRY(terminate(&transfer->authorization));
    TRY(terminate(&transfer->if_match));
    TRY(terminate(&transfer->extra));
    transfer->sockets = transfer->refused = 0;
    make_headers(transfer);
    wipe(&transfer->answer);
    transfer->detail[0] = '\0';
    return order(transfer, method, timeout_ms) ? OK : FAIL(ERR_NO_MEMORY);
}

static enum outbound_end end_of(const struct outbound_transfer *transfer, CURLcode code)
{
    if (code != CURLE_OK && transfer->refused > 0 && transfer->sockets == 0)
        return OUTBOUND_END_FORBIDDEN;
    switch (code) {
    case CURLE_OK:
        return OUTBOUND_END_ANSWERED;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return OUTBOUND_END_UNTRUSTED;
    case CURLE_OPERATION_TIMEDOUT:
        return OUTBOUND_END_TIMED_OUT;
    case CURLE_WRITE_ERROR:
        return transfer->answer.broken == ERR_CAPPED ? OUTBOUND_END_TOO_LONG : OUTBOUND_END_NO_MEMORY;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
        return OUTBOUND_END_NO_MEMORY;
    default:
        return OUTBOUND_END_BROKEN;
    }
}

void outbound_transfer_ended(struct outbound_transfer *transfer, CURLcode code)
{
    curl_off_t retry_after_s = 0;
    transfer->status = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &transfer->status);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    enum { DAY_S = 86400 };
    transfer->retry_after_ms =
        retry_after_s <= 0 ? 0 : (retry_after_s < DAY_S ? retry_after_s : DAY_S) * 1000;
    transfer->end = end_of(transfer, code);
    if (code != CURLE_OK && transfer->detail[0] == '\0')
        (void)snprintf(transfer->detail, sizeof transfer->detail, "%s", curl_easy_strerror(code));
    transfer->done(transfer);
}

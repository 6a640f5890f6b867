// Made for an hour, used for 55 minutes: the hub's clock may be ahead of ours.
#include "hub/azure/token.h"

#include "base/text.h"
#include "crypto/sas.h"

enum { LIFE_S = 3600, MARGIN_S = 300 };

static bool fits(const struct azure_token *token, const struct linked_hub *hub, const struct secret *key,
                 int64_t now_s)
{
    // before from_s: the wall clock was set back, and the hub would think the token lives too long (threats
    // F11)
    return token->text.len > 0 && now_s >= token->from_s && now_s < token->until_s &&
           slice_equal(buf_slice(&token->policy), hub->policy_name) && secret_equal(&token->key, key);
}

static struct err renew(struct azure_token *token, const struct linked_hub *hub, const struct secret *key,
                        int64_t now_s)
{
    azure_token_forget(token);
    token->text.cap = SAS_TOKEN_MAX;
    token->policy.cap = SAS_TOKEN_MAX;
    uint8_t room[1024];
    struct buf resource = {.at = room, .room = sizeof room, .cap = sizeof room};
    percent_encode(&resource, slice_to(hub->host, slice_find_byte(hub->host, ':')));
    TRY(buf_err(&resource));
    buf_bytes(&token->policy, hub->policy_name);
    sas_sign(&token->text, buf_slice(&resource), now_s + LIFE_S, key, hub->policy_name);
    if (token->policy.broken != 0 || token->text.broken != 0) {
        struct err e = FAIL(token->policy.broken != 0 ? token->policy.broken : token->text.broken);
        azure_token_forget(token);
        return e;
    }
    token->key = *key;
    token->from_s = now_s;
    token->until_s = now_s + LIFE_S - MARGIN_S;
    return OK;
}

struct err azure_token_append(struct azure_token *token, const struct linked_hub *hub,
                              const struct secret *key, int64_t now_us, struct buf *out)
{
    int64_t now_s = now_us / 1000000;
    if (!fits(token, hub, key, now_s))
        TRY(renew(token, hub, key, now_s));
    buf_bytes(out, buf_slice(&token->text));
    return buf_err(out);
}

void azure_token_forget(struct azure_token *token)
{
    if (token->text.len > 0)
        bytes_wipe(token->text.at, token->text.len);
    buf_clear(&token->text);
    buf_clear(&token->policy);
    secret_wipe(&token->key);
}

void azure_token_release(struct azure_token *token)
{
    azure_token_forget(token);
    buf_release(&token->text);
    buf_release(&token->policy);
}

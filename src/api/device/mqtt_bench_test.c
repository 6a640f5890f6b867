// What the door asks of the front, of links that only remember it.
#include "api/device/mqtt_bench_test.h"

#include <stdio.h>

struct mqtt_link mqtt_links[MQTT_LINKS];
size_t mqtt_link_count;

struct link_ticket mqtt_link_ticket(const struct mqtt_link *link)
{
    return (struct link_ticket){(uint32_t)(link - mqtt_links), 1};
}

struct mqtt_link *mqtt_link_of(struct mqtt_front *front, struct link_ticket ticket)
{
    (void)front;
    return mqtt_links[ticket.slot].session != NULL ? &mqtt_links[ticket.slot] : NULL;
}

void *mqtt_link_session(const struct mqtt_link *link)
{
    return link->session;
}

void mqtt_link_accept(struct mqtt_link *link, uint32_t max_packet)
{
    link->accepted = true;
    link->max_packet = max_packet;
    link->may_ask = 0;
}

void mqtt_link_refuse_quietly(struct mqtt_link *link, struct err e)
{
    link->refused = e.code;
}

void mqtt_link_refuse(struct mqtt_link *link, struct err e, const struct why *why)
{
    assert_true(why == NULL || strstr(why->text, "sig=") == NULL); // no token in the log
    link->refused = e.code;
}

void mqtt_link_log_refusal(struct mqtt_link *link, struct slice registration_id, struct err e,
                           const struct why *why)
{
    (void)link, (void)registration_id, (void)e, (void)why;
}

bool mqtt_link_publish(struct mqtt_link *link, struct slice topic, struct slice payload, uint8_t qos)
{
    (void)qos;
    link->published++;
    (void)snprintf(link->topic, sizeof link->topic, "%.*s", SLICE_ARG(topic));
    assert_true(payload.len < sizeof link->body);
    memcpy(link->body, payload.at, payload.len);
    link->body[payload.len] = 0;
    return true;
}

void mqtt_link_acknowledge(struct mqtt_link *link)
{
    (void)link;
}

void mqtt_link_close(struct mqtt_link *link, struct err e, const struct why *why)
{
    (void)why;
    link->closed = true;
    link->closed_for = e.code;
}

struct chain *mqtt_link_chain(struct mqtt_link *link)
{
    return link->chain;
}

uint64_t mqtt_link_connection(const struct mqtt_link *link)
{
    return (uint64_t)(link - mqtt_links) + 1;
}

struct slice mqtt_link_peer(const struct mqtt_link *link)
{
    (void)link;
    return SLICE("192.0.2.1:50000");
}

void mqtt_link_expires(struct mqtt_link *link, int64_t at_us, const char *awaited)
{
    assert_true(at_us == 0 || awaited != NULL);
    link->expires_us = at_us;
}

void mqtt_link_limit(struct mqtt_link *link, uint32_t max_packet)
{
    link->max_packet = max_packet;
    link->may_ask = 0;
}

void mqtt_link_may_ask(struct mqtt_link *link, uint32_t most)
{
    link->may_ask = most;
}

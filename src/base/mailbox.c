// A queue with one lock.
#include "base/mailbox.h"

#include <time.h>

void mailbox_init(struct mailbox *box, void (*wake)(void *context), void *context)
{
    *box = (struct mailbox){.wake = wake, .context = context};
    pthread_mutex_init(&box->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&box->arrived, &attributes);
    pthread_condattr_destroy(&attributes);
}

void mailbox_release(struct mailbox *box)
{
    pthread_cond_destroy(&box->arrived);
    pthread_mutex_destroy(&box->lock);
}

static bool put_locked(struct mailbox *box, struct mail *mail)
{
    bool first = box->first == NULL;
    mail->next = NULL;
    if (first)
        box->first = mail;
    else
        box->last->next = mail;
    box->last = mail;
    box->count++;
    return first;
}

void mailbox_post(struct mailbox *box, struct mail *mail)
{
    pthread_mutex_lock(&box->lock);
    bool first = put_locked(box, mail);
    // once the lock is open the owner may take the mail and destroy the box
    void (*wake)(void *context) = first ? box->wake : NULL;
    void *context = box->context;
    if (first && wake == NULL)
        pthread_cond_signal(&box->arrived);
    pthread_mutex_unlock(&box->lock);
    if (wake != NULL)
        wake(context);
}

void mailbox_put(struct mailbox *box, struct mail *mail)
{
    pthread_mutex_lock(&box->lock);
    (void)put_locked(box, mail);
    pthread_mutex_unlock(&box->lock);
}

void mailbox_ring(struct mailbox *box)
{
    if (box->wake != NULL)
        box->wake(box->context);
    else
        pthread_cond_signal(&box->arrived);
}

bool mailbox_withdraw(struct mailbox *box, struct mail *mail)
{
    pthread_mutex_lock(&box->lock);
    struct mail *before = NULL;
    struct mail *at = box->first;
    for (; at != NULL && at != mail; at = at->next)
        before = at;
    if (at != NULL) {
        *(before != NULL ? &before->next : &box->first) = mail->next;
        if (box->last == mail)
            box->last = before;
        box->count--;
    }
    pthread_mutex_unlock(&box->lock);
    return at != NULL;
}

static struct mail *take_locked(struct mailbox *box)
{
    struct mail *all = box->first;
    box->first = NULL;
    box->last = NULL;
    box->count = 0;
    return all;
}

struct mail *mailbox_take(struct mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    struct mail *all = take_locked(box);
    pthread_mutex_unlock(&box->lock);
    return all;
}

struct mail *mailbox_wait(struct mailbox *box, int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&box->lock);
    int timed_out = 0;
    while (box->first == NULL && timed_out == 0)
        timed_out = pthread_cond_timedwait(&box->arrived, &box->lock, &until);
    struct mail *all = take_locked(box);
    pthread_mutex_unlock(&box->lock);
    return all;
}

size_t mailbox_deliver(struct mailbox *box)
{
    size_t count = 0;
    for (struct mail *mail = mailbox_take(box), *next; mail != NULL; mail = next, count++) {
        next = mail->next;
        mail->deliver(mail);
    }
    return count;
}

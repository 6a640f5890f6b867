// The program in the test's process, against usherd's part that answers by script: see RUN.
#pragma once

#include "cli/cli.h"

#include "cli/fake_usherd_test.h"

#define ANSWER(status_line, more, text)                                                                      \
    ((struct fake_answer){.status = (status_line), .headers = (more), .body = (text)})
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static struct fake_usherd fake;
static struct cli cli;
static struct buf trouble;

static int set_up(void **state)
{
    (void)state;
    fake = (struct fake_usherd){.listener = -1};
    cli = (struct cli){.arena = arena_capped(CLI_ARENA_CAP), .out = buf_capped(CLI_OUT_CAP)};
    trouble = buf_capped(64 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cli_release(&cli);
    buf_release(&trouble);
    return 0;
}

// The program with these words, NULL at the end, against fake.answers.
static inline int run(const char *const *words)
{
    int count = 0;
    while (words[count] != NULL)
        count++;
    fake_start(&fake);
    cli.socket_path = fake.path;
    int code = cli_run(&cli, count, words, &trouble);
    fake_stop(&fake);
    return code;
}

// What was printed, as a string.
static inline const char *printed(void)
{
    buf_u8(&cli.out, '\0');
    cli.out.len--;
    return (const char *)cli.out.at;
}

#define RUN(...) run((const char *[]){"usher", __VA_ARGS__ __VA_OPT__(, ) NULL})

static inline void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is not in:\n%s", part, text);
}

static inline void assert_trouble(const char *part)
{
    buf_u8(&trouble, '\0');
    assert_has((const char *)trouble.at, part);
    assert_null(strchr((const char *)trouble.at, '\n'));
}

// The process of `usher`: environment, standard streams, exit code.
#include <signal.h>
#include <stdlib.h>

#include "base/secret.h"
#include "cli/cli.h"

int main(int argc, char **argv)
{
    // A peer or a pager that went away is an error like any other, not the end without a word.
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    const char *socket_path = getenv("USHER_SOCKET");
    struct cli cli = {.socket_path = socket_path != NULL && socket_path[0] != '\0' ? socket_path : NULL,
                      .live = true,
                      .arena = arena_capped(CLI_ARENA_CAP),
                      .out = buf_capped(CLI_OUT_CAP)};
    cli.arena.wipe = true; // answers hold keys
    struct buf trouble = buf_capped(64 * 1024);
    int code = cli_run(&cli, argc, (const char *const *)argv, &trouble);
    if (trouble.len > 0)
        fprintf(stderr, "usher: %.*s\n", (int)trouble.len, (const char *)trouble.at);
    buf_release(&trouble);
    cli_release(&cli);
    return code;
}

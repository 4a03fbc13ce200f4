/*
 * tests/http/fixture - a server on a free port, and clients that speak raw bytes to it.
 */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/log.h"
#include "core/time.h"
#include "http/http.h"
#include "tap.h"

#define UNUSED __attribute__((unused))

struct serve {
    struct arena *arena;
    struct http_server *server;
    int port;
};

/* `sets`: "http.workers=2", ended by NULL. Port 0 and a quiet log unless they say otherwise. */
UNUSED static enum err serve_try(struct serve *s, struct http_opts *opts, const char *const *sets,
                                 struct why *why)
{
    const char *all[32] = {"http.port=0", "http.access_log=false"};
    size_t n = 2;
    for (size_t i = 0; sets && sets[i]; i++)
        all[n++] = sets[i];
    *s = (struct serve){.arena = arena_new((size_t)16 << 20)};
    if (log_open(NULL, LOG_LEVEL_ERROR, true, NULL) != ERR_OK)
        abort();
    enum err err = conf_load(&http_conf, 1, NULL, all, n, s->arena, &opts->conf, why);
    if (!err)
        err = http_start(opts, &s->server, why);
    if (!err)
        s->port = http_port(s->server);
    return err;
}

UNUSED static struct serve serve_start(struct http_opts *opts, const char *const *sets)
{
    struct serve s;
    struct why why = {0};
    if (serve_try(&s, opts, sets, &why) != ERR_OK) {
        printf("Bail out! could not start the server: %s\n", why.text);
        exit(1);
    }
    return s;
}

UNUSED static void serve_stop(struct serve *s, int64_t wait_ms)
{
    http_stop(s->server, wait_ms);
    arena_free(s->arena);
}

/* ---- raw clients ---- */

UNUSED static int raw_open(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

UNUSED static bool raw_send(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* Waits for bytes; 0 at the end, -1 when none came in time or the connection was reset. */
UNUSED static ssize_t raw_read(int fd, char *out, size_t most, int wait_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, wait_ms) <= 0)
        return -1;
    return recv(fd, out, most, 0);
}

/* Everything until the other side closes or says nothing for wait_ms. '\0' follows. */
UNUSED static size_t raw_read_all(int fd, char *out, size_t most, int wait_ms)
{
    size_t len = 0;
    while (len + 1 < most) {
        ssize_t n = raw_read(fd, out + len, most - 1 - len, wait_ms);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    out[len] = '\0';
    return len;
}

/* One connection, these bytes, what came back. */
UNUSED static const char *raw_talk(int port, const char *text, size_t len)
{
    static char out[1 << 20];
    int fd = raw_open(port);
    out[0] = '\0';
    if (fd < 0)
        return out;
    if (raw_send(fd, text, len))
        (void)raw_read_all(fd, out, sizeof out, 400);
    else
        (void)raw_read_all(fd, out, sizeof out, 100);
    (void)close(fd);
    return out;
}

UNUSED static const char *raw_get(int port, const char *target, const char *headers)
{
    char text[16384];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n%s\r\n",
                     target, headers ? headers : "");
    return raw_talk(port, text, (size_t)n);
}

UNUSED static int raw_status(const char *answer)
{
    return strncmp(answer, "HTTP/1.", 7) == 0 ? atoi(answer + 9) : 0;
}

/* How many answers stand in the text. */
UNUSED static int raw_count(const char *answer)
{
    int n = 0;
    for (const char *at = answer; (at = strstr(at, "HTTP/1.1 ")); at++)
        n++;
    return n;
}

UNUSED static bool has(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

#endif

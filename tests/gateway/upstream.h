/*
 * tests/gateway/upstream - an OpenAI-compatible server that does what the name of the model says:
 *
 *     ok            answers, or streams "one two three", with usage
 *     quiet         the same without any usage
 *     slow          waits until upstream_go() for each request, then like ok
 *     s500 s429 s400 s401   that status
 *     dies hangs short half_event garbage error   as they say, before anything useful
 *     breaks        streams two words, then closes in the middle of an event
 *     stalls        streams two words, then says nothing
 *     floods        streams words until the client is gone
 *     flaky<N>      fails the first N calls, then ok
 */
#ifndef TESTS_GATEWAY_UPSTREAM_H
#define TESTS_GATEWAY_UPSTREAM_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/time.h"

#define UP_UNUSED __attribute__((unused))

struct upstream {
    int fd, port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int go; /* requests of "slow" that may be answered */
    atomic_int n_calls, n_inside, n_waiting, n_flaky;
    _Atomic int64_t sent;
    char last_head[4096], last_body[16384], path[64]; /* under lock */
};

static bool up_say(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

static bool up_json(int fd, int status, const char *more, const char *body)
{
    char text[4096];
    (void)snprintf(
        text, sizeof text,
        "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
        status, more, strlen(body), body);
    return up_say(fd, text);
}

static bool up_chunk(int fd, const char *data)
{
    char text[8192];
    (void)snprintf(text, sizeof text, "%zx\r\n%s\r\n", strlen(data), data);
    return up_say(fd, text);
}

static bool up_word(int fd, const char *model, const char *word)
{
    char text[1024];
    (void)snprintf(
        text, sizeof text,
        "data: {\"id\":\"chatcmpl-7\",\"object\":\"chat.completion.chunk\",\"created\":7,"
        "\"model\":\"%s\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},"
        "\"finish_reason\":null}]}\n\n",
        model, word);
    return up_chunk(fd, text);
}

static bool up_begin_stream(int fd)
{
    return up_say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n");
}

static bool up_stream(int fd, const char *model, bool usage)
{
    bool ok = up_begin_stream(fd) && up_chunk(fd, ": hello\n\n") && up_word(fd, model, "one") &&
              up_word(fd, model, " two") && up_word(fd, model, " three");
    if (ok && usage)
        ok = up_chunk(fd, "data: {\"id\":\"chatcmpl-7\",\"model\":\"x\",\"choices\":[],\"usage\":"
                          "{\"prompt_tokens\":11,\"completion_tokens\":3,\"total_tokens\":14,"
                          "\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n");
    return ok && up_chunk(fd, "data: [DONE]\n\n") && up_say(fd, "0\r\n\r\n");
}

static bool up_ok(int fd, const char *path, const char *model, bool stream, bool usage)
{
    char body[2048];
    const char *counts =
        usage ? ",\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":3,"
                "\"total_tokens\":14,\"prompt_tokens_details\":{\"cached_tokens\":4}}"
              : "";
    if (stream)
        return up_stream(fd, model, usage);
    if (strstr(path, "embeddings"))
        (void)snprintf(body, sizeof body,
                       "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,"
                       "\"embedding\":[0.25,-1]}],\"model\":\"%s\"%s}",
                       model, usage ? ",\"usage\":{\"prompt_tokens\":11,\"total_tokens\":11}" : "");
    else if (strstr(path, "rerank"))
        (void)snprintf(body, sizeof body,
                       "{\"model\":\"%s\",\"results\":[{\"index\":1,\"relevance_score\":0.5}]%s}",
                       model, usage ? ",\"usage\":{\"total_tokens\":11}" : "");
    else
        (void)snprintf(body, sizeof body,
                       "{\"id\":\"chatcmpl-7\",\"object\":\"chat.completion\",\"created\":7,"
                       "\"model\":\"%s\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
                       "\"assistant\",\"content\":\"one two three\"},\"text\":null,"
                       "\"finish_reason\":\"stop\"}],\"odd\":1.50%s}",
                       model, counts);
    return up_json(fd, 200, "", body);
}

static void up_wait_end(int fd)
{
    char c;
    while (recv(fd, &c, 1, 0) > 0)
        ;
}

static void up_wait_go(struct upstream *up)
{
    pthread_mutex_lock(&up->lock);
    atomic_fetch_add(&up->n_waiting, 1);
    while (up->go == 0)
        pthread_cond_wait(&up->changed, &up->lock);
    up->go--;
    atomic_fetch_sub(&up->n_waiting, 1);
    pthread_mutex_unlock(&up->lock);
}

static bool up_error(int fd, int status, const char *more)
{
    return up_json(fd, status, more,
                   "{\"error\":{\"message\":\"upstream words\",\"type\":\"x\",\"param\":null,"
                   "\"code\":\"y\"}}");
}

/* False: the connection is to be closed. */
static bool up_behave(struct upstream *up, int fd, const char *path, const char *model, bool stream)
{
    if (strncmp(model, "slow", 4) == 0)
        up_wait_go(up);
    if (strncmp(model, "flaky", 5) == 0 && atomic_fetch_add(&up->n_flaky, 1) < atoi(model + 5))
        return up_error(fd, 503, "");
    if (model[0] == 's' && model[1] >= '0' && model[1] <= '9')
        return up_error(fd, atoi(model + 1), model[1] == '4' ? "Retry-After: 7\r\n" : "");
    if (strcmp(model, "hangs") == 0)
        up_wait_end(fd);
    else if (strcmp(model, "short") == 0)
        (void)up_say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                         "Content-Length: 1000\r\n\r\n{\"id\":");
    else if (strcmp(model, "garbage") == 0)
        return up_json(fd, 200, "", "<html>hello</html>");
    else if (strcmp(model, "half_event") == 0)
        (void)(up_begin_stream(fd) && up_chunk(fd, "data: {\"id\":") && up_say(fd, "0\r\n\r\n"));
    else if (strcmp(model, "error") == 0)
        (void)(up_begin_stream(fd) && up_chunk(fd, "data: {\"error\":{\"message\":\"no\"}}\n\n"));
    else if (strcmp(model, "breaks") == 0)
        (void)(up_begin_stream(fd) && up_word(fd, model, "one") && up_word(fd, model, " two") &&
               up_chunk(fd, "data: {\"id\""));
    else if (strcmp(model, "stalls") == 0 && up_begin_stream(fd) && up_word(fd, model, "one") &&
             up_word(fd, model, " two"))
        up_wait_end(fd);
    else if (strcmp(model, "floods") == 0 && up_begin_stream(fd))
        while (up_word(fd, model, "word "))
            atomic_fetch_add(&up->sent, 1);
    else if (strcmp(model, "dies") != 0)
        return up_ok(fd, path, model, stream, strcmp(model, "quiet") != 0);
    return false;
}

static bool up_read(struct upstream *up, int fd, char path[64], char *body, size_t most)
{
    char head[4096];
    size_t len = 0;
    do {
        ssize_t n = recv(fd, head + len, 1, 0);
        if (n <= 0 || len + 2 > sizeof head)
            return false;
        head[++len] = '\0';
    } while (len < 4 || strcmp(head + len - 4, "\r\n\r\n") != 0);
    const char *length = strcasestr(head, "\r\ncontent-length:");
    size_t want = length ? (size_t)atoi(length + 17) : 0, got = 0;
    while (got < want) {
        char spill[4096];
        bool room = got + 1 < most;
        size_t n_room = room ? most - 1 - got : sizeof spill;
        ssize_t n =
            recv(fd, room ? body + got : spill, n_room < want - got ? n_room : want - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    body[got < most ? got : most - 1] = '\0';
    pthread_mutex_lock(&up->lock);
    memcpy(up->last_head, head, len + 1);
    (void)snprintf(up->last_body, sizeof up->last_body, "%s", body);
    pthread_mutex_unlock(&up->lock);
    return sscanf(head, "%*s %63s", path) == 1;
}

struct up_link {
    struct upstream *up;
    int fd;
};

static void *up_connection(void *arg)
{
    struct up_link link = *(struct up_link *)arg;
    char path[64], body[16384], model[64] = "";
    free(arg);
    while (up_read(link.up, link.fd, path, body, sizeof body)) {
        const char *at = strstr(body, "\"model\":\"");
        if (at)
            (void)sscanf(at + 9, "%63[^\"]", model);
        atomic_fetch_add(&link.up->n_calls, 1);
        if (!up_behave(link.up, link.fd, path, model, strstr(body, "\"stream\":true") != NULL))
            break;
    }
    (void)close(link.fd);
    atomic_fetch_sub(&link.up->n_inside, 1);
    return NULL;
}

static void *up_accept(void *arg)
{
    struct upstream *up = arg;
    for (;;) {
        struct up_link *link = malloc(sizeof *link);
        pthread_t thread;
        link->up = up;
        link->fd = accept(up->fd, NULL, NULL);
        if (link->fd < 0) {
            free(link);
            return NULL;
        }
        atomic_fetch_add(&up->n_inside, 1);
        if (pthread_create(&thread, NULL, up_connection, link) != 0)
            abort();
        pthread_detach(thread);
    }
}

UP_UNUSED static void upstream_open(struct upstream *up)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    memset(up, 0, sizeof *up);
    pthread_mutex_init(&up->lock, NULL);
    pthread_cond_init(&up->changed, NULL);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    up->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(up->fd, (struct sockaddr *)&at, len) != 0 || listen(up->fd, 4096) != 0 ||
        getsockname(up->fd, (struct sockaddr *)&at, &len) != 0 ||
        pthread_create(&up->thread, NULL, up_accept, up) != 0)
        abort();
    up->port = ntohs(at.sin_port);
}

UP_UNUSED static void upstream_go(struct upstream *up, int n)
{
    pthread_mutex_lock(&up->lock);
    up->go += n;
    pthread_cond_broadcast(&up->changed);
    pthread_mutex_unlock(&up->lock);
}

/* After the gateway has been closed: its connections end, and with them our threads. */
UP_UNUSED static bool upstream_close(struct upstream *up)
{
    (void)shutdown(up->fd, SHUT_RDWR);
    pthread_join(up->thread, NULL);
    (void)close(up->fd);
    upstream_go(up, 1000000);
    for (int i = 0; i < 1000 && atomic_load(&up->n_inside); i++)
        time_sleep_ms(10);
    return atomic_load(&up->n_inside) == 0;
}

#endif

/*
 * fake_upstream [EVENTS] [BETWEEN_MS]: a server that answers every POST like a language model that
 * needs no time, as fast as one thread can: JSON, or for "stream":true that many events, so far
 * apart. Prints its port, runs until its input ends. What the gateway is measured with and against.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_LINKS 65536
#define ROOM       65536

struct link {
    int fd, left;   /* events still to send */
    int64_t due_ms; /* the next one */
    size_t len;
    char in[ROOM];
};

static struct link *links[MOST_LINKS];
static int epoll_fd, n_streams, events = 20;
static int64_t between_ms;

static const char answer[] =
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":"
    "\"fake\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The office opens "
    "at "
    "nine and closes at five; bring your identity card and the "
    "form.\"},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":24,\"completion_tokens\":18,\"total_tokens\":42}}";
static char whole[2048];
static const char stream_head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n";
static const char event_text[] =
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
    "\"model\":\"fake\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},"
    "\"finish_reason\":null}]}\n\n";

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void drop(struct link *link)
{
    n_streams -= link->left > 0;
    links[link->fd] = NULL;
    (void)close(link->fd);
    free(link);
}

/* Answers are small; a client that does not take them is dropped. */
static bool say(struct link *link, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(link->fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

static bool say_chunk(struct link *link, const char *data)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "%zx\r\n%s\r\n", strlen(data), data);
    return say(link, text, (size_t)n);
}

static bool end_stream(struct link *link)
{
    char usage[256], text[512];
    (void)snprintf(usage, sizeof usage,
                   "data: {\"id\":\"chatcmpl-1\",\"model\":\"fake\",\"choices\":[],\"usage\":{"
                   "\"prompt_tokens\":24,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n",
                   events, 24 + events);
    int n = snprintf(text, sizeof text, "%zx\r\n%s\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
                     strlen(usage), usage);
    return say(link, text, (size_t)n);
}

static bool step(struct link *link)
{
    do {
        if (!say_chunk(link, event_text))
            return false;
        link->left--;
    } while (between_ms == 0 && link->left > 0);
    link->due_ms = now_ms() + between_ms;
    if (link->left > 0)
        return true;
    n_streams--;
    return end_stream(link);
}

static bool respond(struct link *link, bool stream)
{
    if (!stream)
        return say(link, whole, strlen(whole));
    link->left = events;
    n_streams++;
    return say(link, stream_head, sizeof stream_head - 1) && step(link);
}

/* One request out of the buffer, if it is whole. */
static bool take(struct link *link, bool *more)
{
    char *end = memmem(link->in, link->len, "\r\n\r\n", 4);
    *more = false;
    if (!end)
        return link->len < ROOM - 1;
    size_t head = (size_t)(end - link->in) + 4;
    *end = '\0';
    const char *length = strcasestr(link->in, "\r\ncontent-length:");
    size_t body = length ? (size_t)atoll(length + 17) : 0;
    *end = '\r';
    if (head + body > ROOM - 1)
        return false;
    if (link->len < head + body)
        return true;
    bool stream = memmem(link->in + head, body, "\"stream\":true", 13) != NULL;
    link->len -= head + body;
    memmove(link->in, link->in + head + body, link->len);
    *more = link->len > 0;
    return respond(link, stream);
}

static void readable(struct link *link)
{
    ssize_t n = recv(link->fd, link->in + link->len, ROOM - 1 - link->len, MSG_DONTWAIT);
    bool more = true, ok = n > 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (ok)
        link->len += (size_t)n;
    while (ok && more && link->left == 0)
        ok = take(link, &more);
    if (!ok)
        drop(link);
}

static void accept_all(int listener)
{
    int one = 1;
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= MOST_LINKS || !(links[fd] = calloc(1, sizeof *links[fd]))) {
            (void)close(fd);
            continue;
        }
        links[fd]->fd = fd;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static void tick(void)
{
    int64_t now = now_ms();
    for (int fd = 0; fd < MOST_LINKS && n_streams > 0; fd++)
        if (links[fd] && links[fd]->left > 0 && links[fd]->due_ms <= now && !step(links[fd]))
            drop(links[fd]);
}

static int listen_somewhere(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        exit(1);
    *port = ntohs(at.sin_port);
    return fd;
}

int main(int argc, char **argv)
{
    struct rlimit files = {MOST_LINKS, MOST_LINKS};
    struct epoll_event seen[512];
    int port, listener = listen_somewhere(&port);
    events = argc > 1 ? atoi(argv[1]) : events;
    between_ms = argc > 2 ? atoll(argv[2]) : 0;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)snprintf(
        whole, sizeof whole,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        sizeof answer - 1, answer);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event on_listener = {.events = EPOLLIN, .data.fd = listener};
    struct epoll_event on_input = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &on_listener);
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &on_input);
    printf("%d\n", port);
    (void)fflush(stdout);
    for (;;) {
        int n = epoll_wait(epoll_fd, seen, 512, n_streams > 0 ? 5 : -1);
        for (int i = 0; i < n; i++) {
            char c;
            if (seen[i].data.fd == STDIN_FILENO && read(STDIN_FILENO, &c, 1) <= 0)
                return 0;
            if (seen[i].data.fd == listener)
                accept_all(listener);
            else if (seen[i].data.fd != STDIN_FILENO && links[seen[i].data.fd])
                readable(links[seen[i].data.fd]);
        }
        tick();
    }
}

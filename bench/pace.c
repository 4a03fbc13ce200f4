/*
 * pace PORT PATH RATE SECONDS CONNECTIONS BODY [HEADER...]: POSTs at a steady rate over that many
 * connections, kept open, and prints how long answers took. A closed loop (wrk) tells the rate that
 * can be reached; this tells what an answer takes when the rate is given. Latency counts from when
 * a request was due, so that a server that stalls is not excused (no coordinated omission).
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <netinet/tcp.h>
#include <unistd.h>

static char request[65536];
static size_t request_len;
static int port, seconds, n_links;
static double rate;
static atomic_size_t n_times, n_failed;
static int64_t *times, start_ns;
static size_t most_times;

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int open_link(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? fd : -1;
}

/* One answer with a Content-Length. */
static bool answer(int fd)
{
    char in[65536];
    size_t len = 0;
    for (;;) {
        ssize_t n = recv(fd, in + len, sizeof in - 1 - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        in[len] = '\0';
        char *end = strstr(in, "\r\n\r\n");
        const char *length = end ? strcasestr(in, "\r\ncontent-length:") : NULL;
        if (length && len >= (size_t)(end - in) + 4 + (size_t)atoll(length + 17))
            return strncmp(in, "HTTP/1.1 200", 12) == 0;
    }
}

static void *client(void *arg)
{
    int fd = open_link();
    int64_t step = (int64_t)(1e9 * n_links / rate);
    int64_t due = start_ns + step * (int64_t)(intptr_t)arg / n_links;
    for (; due < start_ns + (int64_t)seconds * 1000000000; due += step) {
        struct timespec t = {due / 1000000000, due % 1000000000};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        bool ok = fd >= 0 && send(fd, request, request_len, MSG_NOSIGNAL) == (ssize_t)request_len &&
                  answer(fd);
        if (!ok) {
            atomic_fetch_add(&n_failed, 1);
            if (fd >= 0)
                (void)close(fd);
            fd = open_link();
            continue;
        }
        size_t at = atomic_fetch_add(&n_times, 1);
        if (at < most_times)
            times[at] = now_ns() - due;
    }
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    pthread_t threads[4096];
    char headers[8192] = "";
    if (argc < 7)
        return 2;
    port = atoi(argv[1]);
    rate = atof(argv[3]);
    seconds = atoi(argv[4]);
    n_links = atoi(argv[5]);
    for (int i = 7; i < argc; i++)
        (void)snprintf(headers + strlen(headers), sizeof headers - strlen(headers), "%s\r\n",
                       argv[i]);
    request_len =
        (size_t)snprintf(request, sizeof request,
                         "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json"
                         "\r\nContent-Length: %zu\r\n%s\r\n%s",
                         argv[2], strlen(argv[6]), headers, argv[6]);
    most_times = (size_t)(rate * seconds) + 4096;
    times = calloc(most_times, sizeof *times);
    start_ns = now_ns() + 50000000;
    for (int i = 0; i < n_links; i++)
        if (pthread_create(&threads[i], NULL, client, (void *)(intptr_t)i) != 0)
            return 1;
    for (int i = 0; i < n_links; i++)
        pthread_join(threads[i], NULL);
    size_t n = atomic_load(&n_times) < most_times ? atomic_load(&n_times) : most_times;
    qsort(times, n, sizeof *times, by_size);
    if (n)
        printf("%zu answers, %zu failed, p50 %.3f ms, p90 %.3f ms, p99 %.3f ms, most %.3f ms\n", n,
               atomic_load(&n_failed), (double)times[n / 2] / 1e6, (double)times[n * 9 / 10] / 1e6,
               (double)times[n * 99 / 100] / 1e6, (double)times[n - 1] / 1e6);
    free(times);
    return n == 0;
}

/*
 * Plays `yicheng engine` for the tests of the supervisor: the same options, the same line on the
 * ready descriptor, /health and POST of anything, which is held for as long as its body says
 * ({"ms":300}) and answered with the pid and the threads. The deployment's name (--alias) says how
 * it misbehaves: "refuse", "crash", "hang", "fat", "slow", "deaf".
 */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_int busy, requests, draining;
static const char *alias = "", *threads = "0", *token = "";
static char expected[128];

static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return "";
}

static void reply(int fd, int status, const char *body)
{
    char text[1024];
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s",
                     status, strlen(body), body);
    if (n > 0 && write(fd, text, (size_t)n) < 0)
        perror("write");
}

static void *serve(void *arg)
{
    int fd = (int)(long)arg;
    char text[8192] = "", body[256];
    size_t len = 0;
    ssize_t n;
    while (len + 1 < sizeof text && !strstr(text, "}")) { /* every body of the tests ends so */
        n = read(fd, text + len, sizeof text - len - 1);
        if (n <= 0)
            break;
        len += (size_t)n;
        text[len] = '\0';
        if (strncmp(text, "GET", 3) == 0 && strstr(text, "\r\n\r\n"))
            break;
    }
    text[len] = '\0';
    if (strncmp(text, "GET /health", 11) == 0) {
        if (strstr(alias, "hang") && requests > 0)
            for (;;)
                (void)pause();
        (void)snprintf(body, sizeof body,
                       "{\"status\":\"%s\",\"slots\":4,\"busy\":%d,\"queued\":0,\"requests\":%d}",
                       draining ? "draining" : "ok", busy, requests);
        reply(fd, draining ? 503 : 200, body);
    } else if (!strstr(text, expected)) {
        reply(fd, 401, "{\"error\":\"token\"}");
    } else {
        const char *ms = strstr(text, "\"ms\":");
        busy++;
        requests++;
        (void)usleep(ms ? (useconds_t)atoi(ms + 5) * 1000 : 0);
        (void)snprintf(body, sizeof body, "{\"pid\":%d,\"threads\":%s}", (int)getpid(), threads);
        reply(fd, 200, body);
        busy--;
    }
    (void)close(fd);
    return NULL;
}

static void *wait_for_term(void *arg)
{
    int got;
    sigset_t *set = arg;
    (void)sigwait(set, &got);
    draining = 1;
    if (strstr(alias, "deaf"))
        return NULL;
    while (busy)
        (void)usleep(5000);
    (void)usleep(20000); /* the last answer is on its way */
    _exit(0);
}

static void read_token(void)
{
    char line[100] = "";
    FILE *f = fopen(token, "re");
    if (!f || !fgets(line, sizeof line, f))
        _exit(9);
    (void)fclose(f);
    line[strcspn(line, "\n")] = '\0';
    (void)snprintf(expected, sizeof expected, "Authorization: Bearer %s", line);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    sigset_t set;
    pthread_t thread;
    alias = option(argc, argv, "--alias");
    threads = option(argc, argv, "--threads");
    token = option(argc, argv, "--token-file");
    int ready = atoi(option(argc, argv, "--ready-fd"));
    fprintf(stderr, "fake engine %s begins\n", alias);
    if (argc < 2 || strcmp(argv[1], "engine") != 0 || access(option(argc, argv, "--model"), R_OK))
        return 8;
    read_token();
    if (strstr(alias, "crash"))
        return 3;
    if (strstr(alias, "refuse")) {
        dprintf(ready, "{\"error\":\"tensor blk.0 has no shape\",\"code\":\"invalid\"}\n");
        return 1;
    }
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (pthread_create(&thread, NULL, wait_for_term, &set) != 0)
        return 7;
    if (strstr(alias, "slow"))
        (void)usleep(700000);
    if (strstr(alias, "fat")) {
        volatile char *p = malloc(200 << 20);
        for (size_t i = 0; p && i < 200 << 20; i += 4096)
            p[i] = 1;
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) != 0)
        return 6;
    dprintf(ready, "{\"port\":%d,\"pid\":%d,\"model\":\"%s\",\"context\":2048,\"slots\":4}\n",
            ntohs(at.sin_port), (int)getpid(), alias);
    (void)close(ready);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 && pthread_create(&thread, NULL, serve, (void *)(long)fd) == 0)
            (void)pthread_detach(thread);
    }
}

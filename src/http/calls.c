/* The client that does not wait: libcurl's multi interface over epoll, on a few event threads. */
#include "http/http.h"

#include <curl/curl.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/time.h"

#define MOST_HEADERS ((size_t)64 << 10)
#define MOST_THREADS 16
#define MOST_SPARE   256 /* easy handles that a thread keeps for the next call */
#define MOST_EVENTS  256
#define TICK_MS      50 /* limits are looked at so often */
#define NS_A_MS      1000000

static struct metric calls_now =
    METRIC_INIT(METRIC_GAUGE, "yicheng_http_calls", "Calls to other servers under way", NULL);

enum todo { TODO_START = 1, TODO_CANCEL = 2, TODO_RESUME = 4 };

struct http_asked {
    atomic_int refs; /* the handle, the call, its place in the queue */
    struct loop *loop;
    struct http_ask ask;
    atomic_bool paused;

    /* under the loop's lock */
    unsigned todo;
    bool queued;
    struct http_asked *next_queued;

    /* the event thread's */
    CURL *curl; /* NULL before the start and after the end */
    struct curl_slist *headers;
    char detail[CURL_ERROR_SIZE];
    struct buf lines, body;
    size_t header_bytes, received;
    bool head_told, held; /* held: curl keeps a part that we did not take */
    int64_t begun_ns, moved_ns;
    enum err err; /* of ours, which curl knows only as "write error" */
    struct why why;
    struct http_asked *prev, *next; /* those under way */
};

struct loop {
    struct http_client *client;
    pthread_t thread;
    CURLM *multi;
    int epoll_fd, wake_fd;
    int64_t due_ns, tick_ns; /* curl's timer; 0: none. When the limits are looked at */
    struct http_asked *first;
    CURL *spare[MOST_SPARE];
    size_t n_spare;

    pthread_mutex_t lock;
    struct http_asked *queue, **queue_end;
    bool closing;
};

struct http_client {
    struct http_client_opts opts;
    char *ca_file;
    struct loop loops[MOST_THREADS];
    size_t n_loops; /* that have a thread */
    atomic_size_t turn, n_calls;
    atomic_size_t refs; /* the owner's and one of every handle, whose owners may be slower */
};

/* ---- handles ---- */

static void unref_client(struct http_client *client)
{
    if (atomic_fetch_sub(&client->refs, 1) != 1)
        return;
    for (size_t i = 0; i < client->n_loops; i++)
        pthread_mutex_destroy(&client->loops[i].lock);
    free(client->ca_file);
    free(client);
}

static void unref(struct http_asked *asked)
{
    struct http_client *client = asked->loop->client;
    if (atomic_fetch_sub(&asked->refs, 1) != 1)
        return;
    free(asked);
    unref_client(client);
}

/* False when the loop is closing. */
static bool enqueue(struct http_asked *asked, unsigned todo)
{
    struct loop *loop = asked->loop;
    bool was_empty = false, closing;
    pthread_mutex_lock(&loop->lock);
    closing = loop->closing;
    if (!closing) {
        asked->todo |= todo;
        was_empty = !loop->queue;
        if (!asked->queued) {
            asked->queued = true;
            asked->next_queued = NULL;
            *loop->queue_end = asked;
            loop->queue_end = &asked->next_queued;
            atomic_fetch_add(&asked->refs, 1);
        }
    }
    pthread_mutex_unlock(&loop->lock);
    if (was_empty && !closing) {
        uint64_t one = 1;
        (void)!write(loop->wake_fd, &one, sizeof one);
    }
    return !closing;
}

void http_asked_cancel(struct http_asked *asked)
{
    (void)enqueue(asked, TODO_CANCEL);
}

void http_asked_pause(struct http_asked *asked)
{
    atomic_store(&asked->paused, true);
}

void http_asked_resume(struct http_asked *asked)
{
    if (atomic_exchange(&asked->paused, false))
        (void)enqueue(asked, TODO_RESUME);
}

void http_asked_free(struct http_asked *asked)
{
    if (asked)
        unref(asked);
}

/* ---- what curl brings ---- */

static struct http_answer answer_of(const struct http_asked *asked)
{
    long status = 0;
    if (asked->curl)
        (void)curl_easy_getinfo(asked->curl, CURLINFO_RESPONSE_CODE, &status);
    struct http_answer answer = {
        .status = (int)status, .headers = buf_str(&asked->lines), .body = buf_str(&asked->body)};
    answer.content_type = http_answer_header(&answer, "Content-Type");
    return answer;
}

static void tell_head(struct http_asked *asked)
{
    struct http_answer answer = answer_of(asked);
    if (answer.status < 200) { /* "100 Continue" and its like are not the answer */
        buf_clear(&asked->lines);
        return;
    }
    asked->head_told = true;
    if (asked->ask.head)
        asked->ask.head(asked->ask.ctx, &answer);
}

static size_t take_header(char *data, size_t size, size_t n, void *ctx)
{
    struct http_asked *asked = ctx;
    struct str line = {data, size * n};
    asked->header_bytes += line.len;
    if (asked->header_bytes > MOST_HEADERS) {
        asked->err = err_set(&asked->why, ERR_TOO_LARGE, "the answer's headers are too large");
        return 0;
    }
    if (asked->head_told) /* trailers */
        return line.len;
    buf_add(&asked->lines, line);
    asked->err = buf_err(&asked->lines, &asked->why);
    if (!asked->err && str_trim(line).len == 0)
        tell_head(asked);
    return asked->err ? 0 : line.len;
}

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
    struct http_asked *asked = ctx;
    const struct http_ask *ask = &asked->ask;
    struct str part = {data, size * n};
    if (atomic_load(&asked->paused)) {
        asked->held = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    asked->moved_ns = time_mono_ns();
    if (part.len > ask->most - asked->received) {
        asked->err =
            err_set(&asked->why, ERR_TOO_LARGE, "the answer is larger than %zu bytes", ask->most);
        return 0;
    }
    asked->received += part.len;
    if (ask->part) {
        asked->err = ask->part(ask->ctx, part, &asked->why);
    } else {
        buf_add(&asked->body, part);
        asked->err = buf_err(&asked->body, &asked->why);
    }
    return asked->err ? 0 : part.len;
}

/* ---- begin and end of a call, on the event thread ---- */

static bool add_header(struct http_asked *asked, const char *header)
{
    struct curl_slist *longer = curl_slist_append(asked->headers, header);
    if (longer)
        asked->headers = longer;
    return longer != NULL;
}

static bool set_headers(struct http_asked *asked)
{
    const struct http_ask *ask = &asked->ask;
    bool ok = add_header(asked, "Expect:");
    for (size_t i = 0; ok && i < ask->n_headers; i++)
        ok = add_header(asked, ask->headers[i]);
    if (ok && ask->trace_id) { /* a span's id need not be secret, only new */
        uint64_t span = hash64(&asked->begun_ns, sizeof asked->begun_ns, (uintptr_t)asked) | 1;
        char line[80];
        (void)snprintf(line, sizeof line, "traceparent: 00-%.32s-%016llx-01", ask->trace_id,
                       (unsigned long long)span);
        ok = add_header(asked, line);
    }
    (void)curl_easy_setopt(asked->curl, CURLOPT_HTTPHEADER, asked->headers);
    return ok;
}

static void set_options(struct http_asked *asked)
{
    const struct http_ask *ask = &asked->ask;
    const char *ca_file = asked->loop->client->ca_file;
    CURL *curl = asked->curl;
    (void)curl_easy_setopt(curl, CURLOPT_URL, ask->url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PRIVATE, asked);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, asked->detail);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, asked);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, asked);
    if (ca_file)
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
    if (ask->connect_ms > 0)
        (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)ask->connect_ms);
    if (ask->body.len > 0 || strcmp(ask->method, "POST") == 0) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.len);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, ask->body.ptr ? ask->body.ptr : "");
    }
    if (strcmp(ask->method, "HEAD") == 0)
        (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else if (strcmp(ask->method, "POST") != 0)
        (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, ask->method);
}

static void give_back(struct loop *loop, CURL *curl)
{
    if (loop->n_spare == MOST_SPARE) {
        curl_easy_cleanup(curl);
        return;
    }
    curl_easy_reset(curl);
    loop->spare[loop->n_spare++] = curl;
}

/* Everything is let go before end(), which may begin the next call. */
static void finish(struct http_asked *asked, enum err err)
{
    struct loop *loop = asked->loop;
    struct http_answer answer = answer_of(asked);
    if (asked->curl) {
        (void)curl_multi_remove_handle(loop->multi, asked->curl);
        give_back(loop, asked->curl);
        asked->curl = NULL;
        *(asked->prev ? &asked->prev->next : &loop->first) = asked->next;
        if (asked->next)
            asked->next->prev = asked->prev;
    }
    curl_slist_free_all(asked->headers);
    asked->headers = NULL;
    atomic_fetch_sub(&loop->client->n_calls, 1);
    metric_add(&calls_now, -1);
    asked->ask.end(asked->ask.ctx, err, &answer, &asked->why);
    unref(asked);
}

static enum err translate(struct http_asked *asked, CURLcode code)
{
    struct why *why = &asked->why;
    const char *words = asked->detail[0] ? asked->detail : curl_easy_strerror(code);
    if (asked->err)
        return asked->err;
    switch (code) {
    case CURLE_OK:
        return ERR_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(why, ERR_TIMEOUT, "no connection within %lld ms",
                       (long long)asked->ask.connect_ms);
    case CURLE_UNSUPPORTED_PROTOCOL: /* of the answer; that of the address was checked */
    case CURLE_WEIRD_SERVER_REPLY:
        return err_set(why, ERR_UNAVAILABLE, "what came is not HTTP: %s", words);
    case CURLE_URL_MALFORMAT:
        return err_set(why, ERR_INVALID, "could not use the address: %s", words);
    case CURLE_OUT_OF_MEMORY:
        return err_set(why, ERR_NO_MEMORY, "could not hold the call");
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return err_set(why, ERR_UNAVAILABLE, "the answer broke off: %s", words);
    default:
        return err_set(why, ERR_UNAVAILABLE, "could not reach the server: %s", words);
    }
}

static void begin(struct http_asked *asked)
{
    struct loop *loop = asked->loop;
    CURL *curl = loop->n_spare ? loop->spare[--loop->n_spare] : curl_easy_init();
    asked->begun_ns = asked->moved_ns = time_mono_ns();
    if (!curl) {
        finish(asked, err_set(&asked->why, ERR_NO_MEMORY, "could not hold the call"));
        return;
    }
    asked->curl = curl;
    asked->next = loop->first;
    if (loop->first)
        loop->first->prev = asked;
    loop->first = asked;
    set_options(asked);
    if (!set_headers(asked) || curl_multi_add_handle(loop->multi, curl) != CURLM_OK)
        finish(asked, err_set(&asked->why, ERR_NO_MEMORY, "could not hold the call"));
}

/* ---- limits ---- */

static const char *passed(const struct http_asked *asked, int64_t now, int64_t *limit_ms)
{
    const struct http_ask *ask = &asked->ask;
    int64_t age = (now - asked->begun_ns) / NS_A_MS, quiet = (now - asked->moved_ns) / NS_A_MS;
    *limit_ms = ask->total_ms;
    if (ask->total_ms > 0 && age >= ask->total_ms)
        return "the whole answer did not come";
    *limit_ms = ask->first_ms;
    if (asked->received == 0 && ask->first_ms > 0 && age >= ask->first_ms)
        return "nothing came";
    *limit_ms = ask->between_ms;
    if (asked->received > 0 && ask->between_ms > 0 && quiet >= ask->between_ms &&
        !atomic_load(&asked->paused) && !asked->held)
        return "nothing more came";
    return NULL;
}

static void look_at_limits(struct loop *loop, int64_t now)
{
    for (struct http_asked *asked = loop->first, *next; asked; asked = next) {
        int64_t limit_ms;
        const char *words = passed(asked, now, &limit_ms);
        next = asked->next;
        if (words)
            finish(asked, err_set(&asked->why, ERR_TIMEOUT, "%s within %lld ms", words,
                                  (long long)limit_ms));
    }
    loop->tick_ns = now + (int64_t)TICK_MS * NS_A_MS;
}

/* ---- the loop ---- */

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *ctx, void *known)
{
    struct loop *loop = ctx;
    struct epoll_event event = {.data.fd = fd};
    (void)curl;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events =
        (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0U);
    if (!known)
        (void)curl_multi_assign(loop->multi, fd, loop); /* not NULL: known */
    if (epoll_ctl(loop->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    if (errno == EEXIST)
        return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event);
    return errno == ENOENT ? epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) : -1;
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
    struct loop *loop = ctx;
    (void)multi;
    loop->due_ns = ms < 0 ? 0 : time_mono_ns() + ms * NS_A_MS;
    return 0;
}

static void resume(struct http_asked *asked)
{
    if (!asked->curl || !asked->held || atomic_load(&asked->paused))
        return;
    asked->held = false;
    asked->moved_ns = time_mono_ns();
    (void)curl_easy_pause(asked->curl, CURLPAUSE_CONT);
}

static void obey(struct http_asked *asked, unsigned todo)
{
    if (todo & TODO_START && todo & TODO_CANCEL) {
        finish(asked, err_set(&asked->why, ERR_CANCELLED, "the call was cancelled"));
    } else if (todo & TODO_START) {
        begin(asked);
    } else if (todo & TODO_CANCEL && asked->curl) {
        finish(asked, err_set(&asked->why, ERR_CANCELLED, "the call was cancelled"));
    } else if (todo & TODO_RESUME) {
        resume(asked);
    }
}

/* What other threads want; false when the loop is closing. */
static bool take_commands(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct http_asked *at = loop->queue;
    bool closing = loop->closing;
    loop->queue = NULL;
    loop->queue_end = &loop->queue;
    pthread_mutex_unlock(&loop->lock);
    while (at) {
        pthread_mutex_lock(&loop->lock);
        struct http_asked *next = at->next_queued;
        unsigned todo = at->todo;
        at->todo = 0;
        at->queued = false;
        pthread_mutex_unlock(&loop->lock);
        obey(at, closing ? todo | TODO_CANCEL : todo);
        unref(at);
        at = next;
    }
    return !closing;
}

static void take_results(struct loop *loop)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(loop->multi, &left))) {
        struct http_asked *asked = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&asked);
        finish(asked, translate(asked, code));
    }
}

static int wait_ms(const struct loop *loop)
{
    int64_t until = loop->first ? loop->tick_ns : INT64_MAX, now = time_mono_ns();
    if (loop->due_ns && loop->due_ns < until)
        until = loop->due_ns;
    if (until == INT64_MAX)
        return -1;
    return until <= now ? 0 : (int)((until - now + NS_A_MS - 1) / NS_A_MS);
}

static void take_events(struct loop *loop)
{
    struct epoll_event events[MOST_EVENTS];
    int running, n = epoll_wait(loop->epoll_fd, events, MOST_EVENTS, wait_ms(loop));
    for (int i = 0; i < n; i++) {
        uint64_t count;
        uint32_t seen = events[i].events;
        if (events[i].data.fd == loop->wake_fd)
            (void)!read(loop->wake_fd, &count, sizeof count);
        else
            (void)curl_multi_socket_action(
                loop->multi, events[i].data.fd,
                (seen & EPOLLIN ? CURL_CSELECT_IN : 0) | (seen & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                    (seen & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0),
                &running);
    }
}

static void *run(void *arg)
{
    struct loop *loop = arg;
    int running;
    while (take_commands(loop)) {
        int64_t now = time_mono_ns();
        if (loop->due_ns && loop->due_ns <= now) {
            loop->due_ns = 0;
            (void)curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        take_results(loop);
        if (now >= loop->tick_ns)
            look_at_limits(loop, now);
        take_events(loop);
        take_results(loop);
    }
    while (loop->first)
        finish(loop->first, err_set(&loop->first->why, ERR_CANCELLED, "the centre is stopping"));
    return NULL;
}

/* ---- open, ask, close ---- */

static void global_init(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static enum err open_loop(struct loop *loop, struct http_client *client, struct why *why)
{
    struct epoll_event event = {.events = EPOLLIN};
    long most_idle = client->opts.most_idle ? (long)client->opts.most_idle : 1000;
    loop->client = client;
    loop->queue_end = &loop->queue;
    pthread_mutex_init(&loop->lock, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->multi = curl_multi_init();
    event.data.fd = loop->wake_fd;
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0)
        return err_errno(why, "could not wait for connections");
    if (!loop->multi)
        return err_set(why, ERR_NO_MEMORY, "could not hold the calls");
    (void)curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    (void)curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    (void)curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, most_idle);
    if ((errno = pthread_create(&loop->thread, NULL, run, loop)) != 0)
        return err_errno(why, "could not start a thread");
    return ERR_OK;
}

static void close_loop(struct loop *loop)
{
    for (size_t i = 0; i < loop->n_spare; i++)
        curl_easy_cleanup(loop->spare[i]);
    if (loop->multi)
        (void)curl_multi_cleanup(loop->multi);
    if (loop->epoll_fd >= 0)
        (void)close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        (void)close(loop->wake_fd);
}

/* Every call may be a connection, beside those of the server. */
static void raise_open_files(size_t n_calls)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= (rlim_t)n_calls * 2)
        return;
    files.rlim_cur += (rlim_t)n_calls;
    if (files.rlim_max != RLIM_INFINITY && files.rlim_cur > files.rlim_max)
        files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

enum err http_client_open(const struct http_client_opts *opts, struct http_client **out,
                          struct why *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct http_client *client = calloc(1, sizeof *client);
    size_t n = opts->n_threads ? opts->n_threads : 2;
    if (!client || (opts->ca_file && !(client->ca_file = strdup(opts->ca_file)))) {
        free(client);
        return err_set(why, ERR_NO_MEMORY, "could not hold the calls");
    }
    pthread_once(&once, global_init);
    client->opts = *opts;
    atomic_store(&client->refs, 1);
    if (!client->opts.most_calls)
        client->opts.most_calls = 10000;
    raise_open_files(client->opts.most_calls);
    for (; client->n_loops < n && client->n_loops < MOST_THREADS; client->n_loops++) {
        enum err err = open_loop(&client->loops[client->n_loops], client, why);
        if (err) {
            close_loop(&client->loops[client->n_loops]);
            pthread_mutex_destroy(&client->loops[client->n_loops].lock);
            http_client_close(client);
            return err;
        }
    }
    *out = client;
    return ERR_OK;
}

void http_client_close(struct http_client *client)
{
    uint64_t one = 1;
    if (!client)
        return;
    for (size_t i = 0; i < client->n_loops; i++) {
        struct loop *loop = &client->loops[i];
        pthread_mutex_lock(&loop->lock);
        loop->closing = true;
        pthread_mutex_unlock(&loop->lock);
        (void)!write(loop->wake_fd, &one, sizeof one);
    }
    for (size_t i = 0; i < client->n_loops; i++)
        pthread_join(client->loops[i].thread, NULL);
    for (size_t i = 0; i < client->n_loops; i++)
        close_loop(&client->loops[i]);
    unref_client(client);
}

static bool one_line(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7F)
            return false;
    return true;
}

static enum err check(const struct http_ask *ask, struct why *why)
{
    bool ok = ask->method[0] && one_line(ask->method) && one_line(ask->url);
    if (strncasecmp(ask->url, "http://", 7) != 0 && strncasecmp(ask->url, "https://", 8) != 0)
        return err_set(why, ERR_INVALID, "the address is neither http:// nor https://");
    for (size_t i = 0; ok && i < ask->n_headers; i++)
        ok = one_line(ask->headers[i]);
    return ok ? ERR_OK : err_set(why, ERR_INVALID, "a header or the address holds a line break");
}

enum err http_ask(struct http_client *client, const struct http_ask *ask, struct http_asked **out,
                  struct why *why)
{
    *out = NULL;
    enum err err = check(ask, why);
    if (err)
        return err;
    if (atomic_fetch_add(&client->n_calls, 1) >= client->opts.most_calls) {
        atomic_fetch_sub(&client->n_calls, 1);
        return err_set(why, ERR_BUSY, "%zu calls are under way already", client->opts.most_calls);
    }
    struct http_asked *asked = calloc(1, sizeof *asked);
    if (!asked) {
        atomic_fetch_sub(&client->n_calls, 1);
        return err_set(why, ERR_NO_MEMORY, "could not hold the call");
    }
    asked->loop = &client->loops[atomic_fetch_add(&client->turn, 1) % client->n_loops];
    asked->ask = *ask;
    buf_init(&asked->lines, ask->arena);
    buf_init(&asked->body, ask->arena);
    atomic_store(&asked->refs, 2);
    atomic_fetch_add(&client->refs, 1);
    metric_add(&calls_now, 1);
    *out = asked;
    if (enqueue(asked, TODO_START))
        return ERR_OK;
    *out = NULL;
    atomic_fetch_sub(&client->n_calls, 1);
    metric_add(&calls_now, -1);
    unref(asked);
    unref(asked);
    return err_set(why, ERR_CANCELLED, "the centre is stopping");
}

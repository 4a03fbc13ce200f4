/* Calls over libcurl's multi interface and epoll, on threads of their own. */
#include "http/calls.h"

#include <curl/curl.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/time.h"

#define MOST_THREADS 16
#define MOST_SPARE   256 /* easy handles that a thread keeps for the next call */
#define MOST_EVENTS  256
#define TICK_MS      50 /* limits are looked at so often */
#define NS_A_MS      1000000

struct curl_call {
    struct http_asked asked;
    struct multi *multi;

    /* under the thread's lock */
    unsigned todo;
    bool queued;
    struct curl_call *next_queued;

    /* the event thread's */
    CURL *curl; /* NULL before the start and after the end */
    struct curl_slist *headers;
    char detail[CURL_ERROR_SIZE];
    struct curl_call *prev, *next; /* those under way */
};

struct multi {
    struct curls *curls;
    pthread_t thread;
    CURLM *multi;
    int epoll_fd, wake_fd;
    int64_t due_ns, tick_ns; /* curl's timer; 0: none. When the limits are looked at */
    struct curl_call *first;
    CURL *spare[MOST_SPARE];
    size_t n_spare;

    pthread_mutex_t lock;
    struct curl_call *queue, **queue_end;
    bool closing;
};

struct curls {
    struct http_client_opts opts;
    struct multi multis[MOST_THREADS];
    size_t n; /* that have a thread */
    atomic_size_t turn;
};

/* False when the thread is closing. */
bool curls_do(struct http_asked *asked, unsigned todo)
{
    struct curl_call *call = (struct curl_call *)(void *)asked;
    struct multi *multi = call->multi;
    bool was_empty = false, closing;
    pthread_mutex_lock(&multi->lock);
    closing = multi->closing;
    if (!closing) {
        call->todo |= todo;
        was_empty = !multi->queue;
        if (!call->queued) {
            call->queued = true;
            call->next_queued = NULL;
            *multi->queue_end = call;
            multi->queue_end = &call->next_queued;
            call_ref(asked);
        }
    }
    pthread_mutex_unlock(&multi->lock);
    if (was_empty && !closing) {
        uint64_t one = 1;
        (void)!write(multi->wake_fd, &one, sizeof one);
    }
    return !closing;
}

/* ---- what curl brings ---- */

static size_t take_header(char *data, size_t size, size_t n, void *ctx)
{
    struct curl_call *call = ctx;
    struct http_asked *asked = &call->asked;
    struct str line = {data, size * n};
    long status = 0;
    asked->header_bytes += line.len;
    if (asked->header_bytes > CALL_HEADERS) {
        asked->err = err_set(&asked->why, ERR_TOO_LARGE, "the answer's headers are too large");
        return 0;
    }
    if (asked->head_told) /* trailers */
        return line.len;
    buf_add(&asked->lines, line);
    asked->err = buf_err(&asked->lines, &asked->why);
    if (!asked->err && str_trim(line).len == 0) {
        (void)curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
        asked->status = (int)status;
        call_head(asked);
    }
    return asked->err ? 0 : line.len;
}

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
    struct http_asked *asked = ctx;
    if (atomic_load(&asked->paused)) {
        asked->held = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    asked->err = call_part(asked, (struct str){data, size * n}, time_mono_ns());
    return asked->err ? 0 : size * n;
}

/* ---- begin and end of a call, on the event thread ---- */

static bool add_header(struct curl_call *call, const char *header)
{
    struct curl_slist *longer = curl_slist_append(call->headers, header);
    if (longer)
        call->headers = longer;
    return longer != NULL;
}

static bool set_headers(struct curl_call *call)
{
    const struct http_ask *ask = &call->asked.ask;
    char trace[80];
    bool ok = add_header(call, "Expect:");
    for (size_t i = 0; ok && i < ask->n_headers; i++)
        ok = add_header(call, ask->headers[i]);
    call_trace(&call->asked, trace);
    if (ok && trace[0])
        ok = add_header(call, trace);
    (void)curl_easy_setopt(call->curl, CURLOPT_HTTPHEADER, call->headers);
    return ok;
}

static void set_options(struct curl_call *call)
{
    const struct http_ask *ask = &call->asked.ask;
    const char *ca_file = call->multi->curls->opts.ca_file;
    CURL *curl = call->curl;
    (void)curl_easy_setopt(curl, CURLOPT_URL, ask->url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PRIVATE, call);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, call->detail);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, call);
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

static void give_back(struct multi *multi, CURL *curl)
{
    if (multi->n_spare == MOST_SPARE) {
        curl_easy_cleanup(curl);
        return;
    }
    curl_easy_reset(curl);
    multi->spare[multi->n_spare++] = curl;
}

/* Everything is let go before end(), which may begin the next call. */
static void finish(struct curl_call *call, enum err err)
{
    struct multi *multi = call->multi;
    if (call->curl) {
        (void)curl_multi_remove_handle(multi->multi, call->curl);
        give_back(multi, call->curl);
        call->curl = NULL;
        *(call->prev ? &call->prev->next : &multi->first) = call->next;
        if (call->next)
            call->next->prev = call->prev;
    }
    curl_slist_free_all(call->headers);
    call->headers = NULL;
    call_end(&call->asked, err);
}

static enum err translate(struct curl_call *call, CURLcode code)
{
    struct why *why = &call->asked.why;
    const char *words = call->detail[0] ? call->detail : curl_easy_strerror(code);
    if (call->asked.err)
        return call->asked.err;
    switch (code) {
    case CURLE_OK:
        return ERR_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(why, ERR_TIMEOUT, "no connection within %lld ms",
                       (long long)call->asked.ask.connect_ms);
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

static void begin(struct curl_call *call)
{
    struct multi *multi = call->multi;
    CURL *curl = multi->n_spare ? multi->spare[--multi->n_spare] : curl_easy_init();
    call->asked.begun_ns = call->asked.moved_ns = time_mono_ns();
    if (!curl) {
        finish(call, err_set(&call->asked.why, ERR_NO_MEMORY, "could not hold the call"));
        return;
    }
    call->curl = curl;
    call->next = multi->first;
    if (multi->first)
        multi->first->prev = call;
    multi->first = call;
    set_options(call);
    if (!set_headers(call) || curl_multi_add_handle(multi->multi, curl) != CURLM_OK)
        finish(call, err_set(&call->asked.why, ERR_NO_MEMORY, "could not hold the call"));
}

/* ---- limits ---- */

static void look_at_limits(struct multi *multi, int64_t now)
{
    for (struct curl_call *call = multi->first, *next; call; call = next) {
        int64_t limit_ms;
        const char *words = call_passed(&call->asked, now, &limit_ms);
        next = call->next;
        if (words)
            finish(call, err_set(&call->asked.why, ERR_TIMEOUT, "%s within %lld ms", words,
                                 (long long)limit_ms));
    }
    multi->tick_ns = now + (int64_t)TICK_MS * NS_A_MS;
}

/* ---- the loop ---- */

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *ctx, void *known)
{
    struct multi *multi = ctx;
    struct epoll_event event = {.data.fd = fd};
    (void)curl;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(multi->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events =
        (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0U);
    if (!known)
        (void)curl_multi_assign(multi->multi, fd, multi); /* not NULL: known */
    if (epoll_ctl(multi->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    if (errno == EEXIST)
        return epoll_ctl(multi->epoll_fd, EPOLL_CTL_MOD, fd, &event);
    return errno == ENOENT ? epoll_ctl(multi->epoll_fd, EPOLL_CTL_ADD, fd, &event) : -1;
}

static int on_timer(CURLM *handle, long ms, void *ctx)
{
    struct multi *multi = ctx;
    (void)handle;
    multi->due_ns = ms < 0 ? 0 : time_mono_ns() + ms * NS_A_MS;
    return 0;
}

static void resume(struct curl_call *call)
{
    if (!call->curl || !call->asked.held || atomic_load(&call->asked.paused))
        return;
    call->asked.held = false;
    call->asked.moved_ns = time_mono_ns();
    (void)curl_easy_pause(call->curl, CURLPAUSE_CONT);
}

static void obey(struct curl_call *call, unsigned todo)
{
    if (todo & TODO_START && !(todo & TODO_CANCEL)) {
        begin(call);
    } else if (todo & TODO_CANCEL && (todo & TODO_START || call->curl)) {
        finish(call, err_set(&call->asked.why, ERR_CANCELLED, "the call was cancelled"));
    } else if (todo & TODO_RESUME) {
        resume(call);
    }
}

/* What other threads want; false when the loop is closing. */
static bool take_commands(struct multi *multi)
{
    pthread_mutex_lock(&multi->lock);
    struct curl_call *at = multi->queue;
    bool closing = multi->closing;
    multi->queue = NULL;
    multi->queue_end = &multi->queue;
    pthread_mutex_unlock(&multi->lock);
    while (at) {
        pthread_mutex_lock(&multi->lock);
        struct curl_call *next = at->next_queued;
        unsigned todo = at->todo;
        at->todo = 0;
        at->queued = false;
        pthread_mutex_unlock(&multi->lock);
        obey(at, closing ? todo | TODO_CANCEL : todo);
        call_unref(&at->asked);
        at = next;
    }
    return !closing;
}

static void take_results(struct multi *multi)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi->multi, &left))) {
        struct curl_call *call = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        finish(call, translate(call, code));
    }
}

static int wait_ms(const struct multi *multi)
{
    int64_t until = multi->first ? multi->tick_ns : INT64_MAX, now = time_mono_ns();
    if (multi->due_ns && multi->due_ns < until)
        until = multi->due_ns;
    if (until == INT64_MAX)
        return -1;
    return until <= now ? 0 : (int)((until - now + NS_A_MS - 1) / NS_A_MS);
}

static void take_events(struct multi *multi)
{
    struct epoll_event events[MOST_EVENTS];
    int running, n = epoll_wait(multi->epoll_fd, events, MOST_EVENTS, wait_ms(multi));
    for (int i = 0; i < n; i++) {
        uint64_t count;
        uint32_t seen = events[i].events;
        if (events[i].data.fd == multi->wake_fd)
            (void)!read(multi->wake_fd, &count, sizeof count);
        else
            (void)curl_multi_socket_action(
                multi->multi, events[i].data.fd,
                (seen & EPOLLIN ? CURL_CSELECT_IN : 0) | (seen & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                    (seen & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0),
                &running);
    }
}

static void *run(void *arg)
{
    struct multi *multi = arg;
    int running;
    while (take_commands(multi)) {
        int64_t now = time_mono_ns();
        if (multi->due_ns && multi->due_ns <= now) {
            multi->due_ns = 0;
            (void)curl_multi_socket_action(multi->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        take_results(multi);
        if (now >= multi->tick_ns)
            look_at_limits(multi, now);
        take_events(multi);
        take_results(multi);
    }
    while (multi->first)
        finish(multi->first,
               err_set(&multi->first->asked.why, ERR_CANCELLED, "the centre is stopping"));
    return NULL;
}

/* ---- open, ask, close ---- */

static void global_init(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static enum err open_multi(struct multi *multi, struct curls *curls, struct why *why)
{
    struct epoll_event event = {.events = EPOLLIN};
    long most_idle = curls->opts.most_idle ? (long)curls->opts.most_idle : 1000;
    multi->curls = curls;
    multi->queue_end = &multi->queue;
    pthread_mutex_init(&multi->lock, NULL);
    multi->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    multi->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    multi->multi = curl_multi_init();
    event.data.fd = multi->wake_fd;
    if (multi->epoll_fd < 0 || multi->wake_fd < 0 ||
        epoll_ctl(multi->epoll_fd, EPOLL_CTL_ADD, multi->wake_fd, &event) != 0)
        return err_errno(why, "could not wait for connections");
    if (!multi->multi)
        return err_set(why, ERR_NO_MEMORY, "could not hold the calls");
    (void)curl_multi_setopt(multi->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(multi->multi, CURLMOPT_SOCKETDATA, multi);
    (void)curl_multi_setopt(multi->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(multi->multi, CURLMOPT_TIMERDATA, multi);
    (void)curl_multi_setopt(multi->multi, CURLMOPT_MAXCONNECTS, most_idle);
    if ((errno = pthread_create(&multi->thread, NULL, run, multi)) != 0)
        return err_errno(why, "could not start a thread");
    return ERR_OK;
}

static void close_multi(struct multi *multi)
{
    for (size_t i = 0; i < multi->n_spare; i++)
        curl_easy_cleanup(multi->spare[i]);
    if (multi->multi)
        (void)curl_multi_cleanup(multi->multi);
    if (multi->epoll_fd >= 0)
        (void)close(multi->epoll_fd);
    if (multi->wake_fd >= 0)
        (void)close(multi->wake_fd);
}

enum err curls_open(const struct http_client_opts *opts, struct curls **out, struct why *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct curls *curls = calloc(1, sizeof *curls);
    size_t n = opts->n_threads ? opts->n_threads : 2;
    if (!curls)
        return err_set(why, ERR_NO_MEMORY, "could not hold the calls");
    pthread_once(&once, global_init);
    curls->opts = *opts;
    for (; curls->n < n && curls->n < MOST_THREADS; curls->n++) {
        enum err err = open_multi(&curls->multis[curls->n], curls, why);
        if (err) {
            close_multi(&curls->multis[curls->n]);
            pthread_mutex_destroy(&curls->multis[curls->n].lock);
            curls_close(curls);
            curls_free(curls);
            return err;
        }
    }
    *out = curls;
    return ERR_OK;
}

void curls_close(struct curls *curls)
{
    uint64_t one = 1;
    if (!curls)
        return;
    for (size_t i = 0; i < curls->n; i++) {
        struct multi *multi = &curls->multis[i];
        pthread_mutex_lock(&multi->lock);
        multi->closing = true;
        pthread_mutex_unlock(&multi->lock);
        (void)!write(multi->wake_fd, &one, sizeof one);
    }
    for (size_t i = 0; i < curls->n; i++)
        pthread_join(curls->multis[i].thread, NULL);
    for (size_t i = 0; i < curls->n; i++)
        close_multi(&curls->multis[i]);
}

void curls_free(struct curls *curls)
{
    if (!curls)
        return;
    for (size_t i = 0; i < curls->n; i++)
        pthread_mutex_destroy(&curls->multis[i].lock);
    free(curls);
}

struct http_asked *curls_call_new(struct curls *curls)
{
    struct curl_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->multi = &curls->multis[atomic_fetch_add(&curls->turn, 1) % curls->n];
    return &call->asked;
}

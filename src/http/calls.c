/* The client that does not wait: which way a call goes, and what is alike in both. */
#include "http/calls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "core/hash.h"
#include "core/metric.h"
#include "core/time.h"

#define NS_A_MS 1000000

static struct metric calls_now =
    METRIC_INIT(METRIC_GAUGE, "yicheng_http_calls", "Calls to other servers under way", NULL);

struct http_client {
    struct http_client_opts opts;
    char *ca_file;
    struct http_loops *own_loops; /* NULL: they were handed in */
    struct lean *lean;
    atomic_size_t n_calls;
    atomic_size_t refs; /* the owner's and one of every handle, whose owners may be slower */

    pthread_mutex_t lock;          /* of what follows */
    _Atomic(struct curls *) curls; /* opened by the first call that needs it */
    bool closing;
};

/* ---- handles ---- */

static void unref_client(struct http_client *client)
{
    if (atomic_fetch_sub(&client->refs, 1) != 1)
        return;
    curls_free(atomic_load(&client->curls));
    lean_free(client->lean);
    pthread_mutex_destroy(&client->lock);
    free(client->ca_file);
    free(client);
}

void call_ref(struct http_asked *asked)
{
    atomic_fetch_add(&asked->refs, 1);
}

void call_unref(struct http_asked *asked)
{
    struct http_client *client = asked->client;
    if (atomic_fetch_sub(&asked->refs, 1) != 1)
        return;
    free(asked);
    unref_client(client);
}

static bool tell(struct http_asked *asked, unsigned todo)
{
    return asked->lean ? lean_do(asked, todo) : curls_do(asked, todo);
}

void http_asked_cancel(struct http_asked *asked)
{
    (void)tell(asked, TODO_CANCEL);
}

void http_asked_pause(struct http_asked *asked)
{
    atomic_store(&asked->paused, true);
}

void http_asked_resume(struct http_asked *asked)
{
    if (atomic_exchange(&asked->paused, false))
        (void)tell(asked, TODO_RESUME);
}

void http_asked_free(struct http_asked *asked)
{
    if (asked)
        call_unref(asked);
}

/* ---- what comes ---- */

static struct http_answer answer_of(const struct http_asked *asked)
{
    struct http_answer answer = {
        .status = asked->status, .headers = buf_str(&asked->lines), .body = buf_str(&asked->body)};
    answer.content_type = http_answer_header(&answer, "Content-Type");
    return answer;
}

void call_head(struct http_asked *asked)
{
    if (asked->status < 200) { /* "100 Continue" and its like are not the answer */
        buf_clear(&asked->lines);
        asked->status = 0;
        return;
    }
    asked->head_told = true;
    if (!asked->ask.head)
        return;
    struct http_answer answer = answer_of(asked);
    asked->ask.head(asked->ask.ctx, &answer);
}

enum err call_part(struct http_asked *asked, struct str part, int64_t now_ns)
{
    const struct http_ask *ask = &asked->ask;
    asked->moved_ns = now_ns;
    if (part.len > ask->most - asked->received)
        return err_set(&asked->why, ERR_TOO_LARGE, "the answer is larger than %zu bytes",
                       ask->most);
    asked->received += part.len;
    if (ask->part)
        return ask->part(ask->ctx, part, &asked->why);
    buf_add(&asked->body, part);
    return buf_err(&asked->body, &asked->why);
}

const char *call_passed(const struct http_asked *asked, int64_t now_ns, int64_t *limit_ms)
{
    const struct http_ask *ask = &asked->ask;
    int64_t age = (now_ns - asked->begun_ns) / NS_A_MS;
    int64_t quiet = (now_ns - asked->moved_ns) / NS_A_MS;
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

void call_end(struct http_asked *asked, enum err err)
{
    struct http_answer answer = answer_of(asked);
    atomic_fetch_sub(&asked->client->n_calls, 1);
    metric_add(&calls_now, -1);
    asked->ask.end(asked->ask.ctx, err, &answer, &asked->why);
    call_unref(asked);
}

/* A span's id need not be secret, only new. */
void call_trace(const struct http_asked *asked, char out[80])
{
    uint64_t span = hash64(&asked->begun_ns, sizeof asked->begun_ns, (uintptr_t)asked) | 1;
    static const char form[] =
        "traceparent: 00-00000000000000000000000000000000-0000000000000000-01";
    static const char digits[] = "0123456789abcdef";
    out[0] = '\0';
    if (!asked->ask.trace_id || strlen(asked->ask.trace_id) < 32)
        return;
    memcpy(out, form, sizeof form);
    memcpy(out + 16, asked->ask.trace_id, 32);
    for (size_t i = 0; i < 16; i++)
        out[49 + i] = digits[span >> (60 - 4 * i) & 15];
}

/* ---- open, ask, close ---- */

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
    struct http_client *client = calloc(1, sizeof *client);
    struct http_loops *loops = opts->loops;
    enum err err = ERR_OK;
    if (!client || (opts->ca_file && !(client->ca_file = strdup(opts->ca_file)))) {
        free(client);
        return err_set(why, ERR_NO_MEMORY, "could not hold the calls");
    }
    pthread_mutex_init(&client->lock, NULL);
    atomic_store(&client->refs, 1);
    client->opts = *opts;
    client->opts.ca_file = client->ca_file;
    if (!client->opts.most_calls)
        client->opts.most_calls = 10000;
    if (!client->opts.most_idle)
        client->opts.most_idle = 1000;
    raise_open_files(client->opts.most_calls);
    if (!loops)
        err = http_loops_new(opts->n_threads ? opts->n_threads : 2, &client->own_loops, why);
    if (!err)
        err = lean_open(loops ? loops : client->own_loops, client->opts.most_idle, &client->lean,
                        why);
    if (err)
        http_client_close(client);
    else
        *out = client;
    return err;
}

void http_client_close(struct http_client *client)
{
    if (!client)
        return;
    pthread_mutex_lock(&client->lock);
    client->closing = true;
    struct curls *curls = atomic_load(&client->curls);
    pthread_mutex_unlock(&client->lock);
    lean_close(client->lean);
    curls_close(curls);
    http_loops_free(client->own_loops);
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

static enum err ready_curls(struct http_client *client, struct curls **out, struct why *why)
{
    enum err err = ERR_OK;
    *out = atomic_load(&client->curls);
    if (*out)
        return ERR_OK;
    pthread_mutex_lock(&client->lock);
    *out = atomic_load(&client->curls);
    if (client->closing)
        err = err_set(why, ERR_CANCELLED, "the centre is stopping");
    else if (!*out && !(err = curls_open(&client->opts, out, why)))
        atomic_store(&client->curls, *out);
    pthread_mutex_unlock(&client->lock);
    return err;
}

static enum err make(struct http_client *client, const struct http_ask *ask,
                     struct http_asked **out, struct why *why)
{
    bool no_memory = false;
    struct curls *curls;
    *out = lean_call_new(client->lean, ask, &no_memory);
    if (*out) {
        (*out)->lean = true;
        return ERR_OK;
    }
    enum err err = no_memory ? ERR_OK : ready_curls(client, &curls, why);
    if (err)
        return err;
    if (!no_memory)
        *out = curls_call_new(curls);
    return *out ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the call");
}

enum err http_ask(struct http_client *client, const struct http_ask *ask, struct http_asked **out,
                  struct why *why)
{
    struct http_asked *asked = NULL;
    *out = NULL;
    enum err err = check(ask, why);
    if (err)
        return err;
    if (atomic_fetch_add(&client->n_calls, 1) >= client->opts.most_calls) {
        atomic_fetch_sub(&client->n_calls, 1);
        return err_set(why, ERR_BUSY, "%zu calls are under way already", client->opts.most_calls);
    }
    err = make(client, ask, &asked, why);
    if (err) {
        atomic_fetch_sub(&client->n_calls, 1);
        return err;
    }
    asked->client = client;
    asked->ask = *ask;
    buf_init(&asked->lines, ask->arena);
    buf_init(&asked->body, ask->arena);
    atomic_store(&asked->refs, 2);
    atomic_fetch_add(&client->refs, 1);
    metric_add(&calls_now, 1);
    *out = asked;
    if (tell(asked, TODO_START))
        return ERR_OK;
    *out = NULL;
    atomic_fetch_sub(&client->n_calls, 1);
    metric_add(&calls_now, -1);
    call_unref(asked);
    call_unref(asked); /* NOLINT(clang-analyzer-unix.Malloc): the second of two references */
    return err_set(why, ERR_CANCELLED, "the centre is stopping");
}

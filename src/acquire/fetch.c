/* acquire/fetch - HTTP for collectors: its turn, its limits, redirects, again after failures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "acquire/acquire_in.h"
#include "acquire/url.h"
#include "core/arena.h"
#include "core/time.h"

#define MOST_REDIRECTS 5
#define MOST_HEADERS   40
#define CONNECT_MS     10000
#define LEAST_WAIT_MS  500
#define MOST_WAIT_MS   60000
#define STEP_MS        100

/* Sleeps in small steps; false when the job was cancelled meanwhile. */
static bool rest(struct fetcher *f, int64_t ms)
{
    for (int64_t left = ms; left > 0; left -= STEP_MS) {
        if (job_cancelled(f->c->job))
            return false;
        time_sleep_ms(left < STEP_MS ? left : STEP_MS);
    }
    return !job_cancelled(f->c->job);
}

static bool wait_turn(struct fetcher *f)
{
    int64_t since = f->last_ns ? (time_mono_ns() - f->last_ns) / 1000000 : f->pause_ms;
    bool on = rest(f, since < f->pause_ms ? f->pause_ms - since : 0);
    f->last_ns = time_mono_ns();
    return on;
}

struct lines {
    const char *items[MOST_HEADERS];
    size_t n;
};

static bool add_line(struct lines *l, struct arena *arena, const char *name, struct str value)
{
    struct str line = str_printf(arena, "%s: %.*s", name, STR_FMT(value));
    if (!line.ptr || l->n == MOST_HEADERS)
        return false;
    l->items[l->n++] = line.ptr;
    return true;
}

/* The collector's own headers go to the site that they are for, never to where it leads. */
static bool headers_of(struct fetcher *f, const struct fetch_opts *opts, const struct url *url,
                       struct arena *arena, struct lines *out)
{
    bool good = add_line(out, arena, "User-Agent", STR(FETCH_AGENT)) &&
                add_line(out, arena, "Accept", str_c(opts->accept ? opts->accept : "*/*"));
    if (opts->etag.len)
        good &= add_line(out, arena, "If-None-Match", opts->etag);
    if (opts->modified.len)
        good &= add_line(out, arena, "If-Modified-Since", opts->modified);
    if (opts->body.len)
        good &= add_line(out, arena, "Content-Type", STR("application/json"));
    struct str origin = url_origin(url, arena);
    bool ours = origin.ptr && str_eq(origin, f->home);
    for (size_t i = 0; ours && i < f->n_headers && out->n < MOST_HEADERS; i++)
        out->items[out->n++] = f->headers[i];
    return good && origin.ptr;
}

static enum err once(struct fetcher *f, struct str url_string, const struct fetch_opts *opts,
                     struct arena *arena, struct http_answer *out, struct why *why)
{
    struct url url;
    struct lines lines = {.n = 0};
    enum err err = url_parse(url_string, arena, &url, why);
    char *address = err ? NULL : str_z(arena, url_string);
    if (!err && (!address || !headers_of(f, opts, &url, arena, &lines)))
        err = err_set(why, ERR_NO_MEMORY, "could not hold a request");
    if (err)
        return err;
    struct http_call call = {.method = opts->method ? opts->method : "GET",
                             .url = address,
                             .headers = lines.items,
                             .n_headers = lines.n,
                             .body = opts->body,
                             .connect_ms = CONNECT_MS,
                             .total_ms = f->total_ms,
                             .most = f->most,
                             .may_connect = net_may_connect,
                             .connect_ctx = &f->c->acquire->networks};
    if (!wait_turn(f))
        return err_set(why, ERR_CANCELLED, "the run was cancelled");
    err = http_fetch(&call, arena, out, why);
    if (err == ERR_FORBIDDEN)
        err_hint(why, "the operator can name the network in acquire.networks");
    return err;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static enum err follow(struct fetcher *f, struct str url, const struct fetch_opts *opts,
                       struct arena *arena, struct http_answer *out, struct why *why)
{
    struct fetch_opts now = *opts;
    f->url = url;
    for (int i = 0;; i++) {
        struct url base;
        enum err err = once(f, f->url, &now, arena, out, why);
        if (err || !is_redirect(out->status))
            return err;
        struct str to = http_answer_header(out, "Location");
        if (i == MOST_REDIRECTS)
            return err_set(why, ERR_INVALID, "more than %d redirects from \"%.*s\"", MOST_REDIRECTS,
                           SHOW(url));
        err = url_parse(f->url, arena, &base, why);
        if (err)
            return err;
        struct str next = to.len ? url_resolve(&base, to, arena) : STR_NONE;
        if (!next.ptr)
            return err_set(why, ERR_INVALID, "\"%.*s\" redirects to nowhere", SHOW(f->url));
        if (out->status != 307 && out->status != 308)
            now = (struct fetch_opts){
                .accept = opts->accept, .etag = opts->etag, .modified = opts->modified};
        f->url = next;
    }
}

/* How long the server asks to wait: seconds (dates are rare, and count as nothing said). */
static int64_t asked_to_wait(const struct http_answer *answer)
{
    int64_t seconds = 0;
    struct str said = http_answer_header(answer, "Retry-After");
    return said.len && str_to_i64(said, &seconds) && seconds > 0 && seconds < 86400 ? seconds * 1000
                                                                                    : 0;
}

static bool try_again(int status)
{
    return status == 429 || status == 408 || status == 425 || (status >= 500 && status != 501);
}

enum err fetch_url(struct fetcher *f, struct str url, const struct fetch_opts *opts,
                   struct arena *arena, struct http_answer *out, struct why *why)
{
    int64_t wait = f->pause_ms > LEAST_WAIT_MS ? f->pause_ms : LEAST_WAIT_MS;
    for (int i = 1;; i++) {
        struct why own = {0};
        *out = (struct http_answer){0};
        enum err err = follow(f, url, opts, arena, out, &own);
        bool again = err ? err == ERR_UNAVAILABLE || err == ERR_TIMEOUT : try_again(out->status);
        if (err && !again) {
            if (own.hint[0])
                err_hint(why, "%s", own.hint);
            return err_set(why, err, "%s", why_text(&own, err));
        }
        if (!again)
            return ERR_OK;
        if (i >= f->attempts)
            return err ? err_set(why, err, "%s", why_text(&own, err))
                       : err_set(why, ERR_UNAVAILABLE, "\"%.*s\" answers with status %d", SHOW(url),
                                 out->status);
        int64_t asked = err ? 0 : asked_to_wait(out);
        int64_t pause = asked > wait ? asked : wait;
        job_log(f->c->job, "%.*s: %s; again in %lld ms", SHOW(url),
                err ? why_text(&own, err) : "the server is busy",
                (long long)(pause < MOST_WAIT_MS ? pause : MOST_WAIT_MS));
        if (!rest(f, pause < MOST_WAIT_MS ? pause : MOST_WAIT_MS))
            return err_set(why, ERR_CANCELLED, "the run was cancelled");
        wait = wait * 2;
    }
}

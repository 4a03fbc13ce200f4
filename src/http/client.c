/* The client: one call at a time over libcurl, with limits. The only file that sees curl. */
#include "http/http.h"

#include <curl/curl.h>

#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define MOST_HEADERS ((size_t)64 << 10)

struct fetch {
    const struct http_call *call;
    struct buf body, headers;
    size_t received;
    enum err err; /* of ours, which curl knows only as "write error" */
    bool refused; /* the address, by may_connect() */
    struct why *why;
};

static void global_init(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
    struct fetch *fetch = ctx;
    const struct http_call *call = fetch->call;
    struct str part = {data, size * n};
    if (part.len > call->most - fetch->received) {
        fetch->err =
            err_set(fetch->why, ERR_TOO_LARGE, "the answer is larger than %zu bytes", call->most);
        return 0;
    }
    fetch->received += part.len;
    if (call->part) {
        fetch->err = call->part(call->ctx, part, fetch->why);
    } else {
        buf_add(&fetch->body, part);
        fetch->err = buf_err(&fetch->body, fetch->why);
    }
    return fetch->err ? 0 : part.len;
}

static size_t take_header(char *data, size_t size, size_t n, void *ctx)
{
    struct fetch *fetch = ctx;
    struct str line = {data, size * n};
    if (str_starts(line, STR("HTTP/")))
        buf_clear(&fetch->headers); /* those of "100 Continue" are not the answer's */
    buf_add(&fetch->headers, line);
    if (fetch->headers.len > MOST_HEADERS)
        fetch->err = err_set(fetch->why, ERR_TOO_LARGE, "the answer's headers are too large");
    return fetch->err ? 0 : line.len;
}

struct str http_answer_header(const struct http_answer *answer, const char *name)
{
    struct str rest = answer->headers, line;
    size_t len = strlen(name);
    while (str_next_line(&rest, &line))
        if (line.len > len && line.ptr[len] == ':' && strncasecmp(line.ptr, name, len) == 0)
            return str_trim(str_from(line, len + 1));
    return STR_NONE;
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch *fetch = ctx;
    const struct http_call *call = fetch->call;
    if (purpose == CURLSOCKTYPE_IPCXN && !call->may_connect(call->connect_ctx, &address->addr)) {
        fetch->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool add_header(struct curl_slist **list, const char *header)
{
    struct curl_slist *longer = curl_slist_append(*list, header);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static void set_options(CURL *curl, struct fetch *fetch, struct curl_slist *headers)
{
    const struct http_call *call = fetch->call;
    bool head = strcmp(call->method, "HEAD") == 0;
    (void)curl_easy_setopt(curl, CURLOPT_URL, call->url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_ms);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)call->total_ms);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    if (call->may_connect) {
        (void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
        (void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, fetch);
    }
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, fetch);
    if (call->body.len > 0 || strcmp(call->method, "POST") == 0) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body.ptr ? call->body.ptr : "");
    }
    if (head)
        (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else
        (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
}

static enum err translate(CURLcode code, const struct fetch *fetch, const char *detail)
{
    const char *words = detail[0] ? detail : curl_easy_strerror(code);
    if (fetch->err)
        return fetch->err;
    if (code != CURLE_OK && fetch->refused)
        return err_set(fetch->why, ERR_FORBIDDEN, "\"%s\" leads to an address that may not be used",
                       fetch->call->url);
    switch (code) {
    case CURLE_OK:
        return ERR_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(fetch->why, ERR_TIMEOUT, "no answer in time from \"%s\"", fetch->call->url);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return err_set(fetch->why, ERR_INVALID, "could not use the address \"%s\": %s",
                       fetch->call->url, words);
    case CURLE_OUT_OF_MEMORY:
        return err_set(fetch->why, ERR_NO_MEMORY, "could not hold the call");
    default:
        return err_set(fetch->why, ERR_UNAVAILABLE, "could not reach \"%s\": %s", fetch->call->url,
                       words);
    }
}

static void publish(CURL *curl, struct fetch *fetch, struct http_answer *out)
{
    long status = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    *out = (struct http_answer){
        .status = (int)status, .headers = buf_str(&fetch->headers), .body = buf_str(&fetch->body)};
    out->content_type = http_answer_header(out, "Content-Type");
}

enum err http_fetch(const struct http_call *call, struct arena *arena, struct http_answer *out,
                    struct why *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char detail[CURL_ERROR_SIZE] = "";
    struct fetch fetch = {.call = call, .why = why};
    struct curl_slist *headers = NULL;
    pthread_once(&once, global_init);
    CURL *curl = curl_easy_init();
    bool ok = curl && add_header(&headers, "Expect:");
    for (size_t i = 0; ok && i < call->n_headers; i++)
        ok = add_header(&headers, call->headers[i]);
    enum err err = ERR_OK;
    if (!ok) {
        err = err_set(why, ERR_NO_MEMORY, "could not hold the call");
        goto done;
    }
    buf_init(&fetch.body, arena);
    buf_init(&fetch.headers, arena);
    set_options(curl, &fetch, headers);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    err = translate(curl_easy_perform(curl), &fetch, detail);
    if (!err)
        err = buf_err(&fetch.headers, why);
    if (!err)
        publish(curl, &fetch, out);
done:
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return err;
}

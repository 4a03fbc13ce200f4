#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/time.h"
#include "core/utf8.h"
#include "gateway/chat.h"

#define PIECE 16 /* characters of a streamed piece */

/* ---- an answer becomes a reply ---- */

static enum err put_content(const struct knowledge_answer *answer, struct arena *arena,
                            struct str *out, struct why *why)
{
    struct buf buf;
    buf_init(&buf, arena);
    buf_add(&buf, answer->text);
    if (answer->notice.len && str_find(answer->text, answer->notice) == STR_NPOS) {
        buf_add_c(&buf, "\n\n");
        buf_add(&buf, answer->notice);
    }
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* Quotes stand in the text in their order; one that does not stand there literally vouches for the
 * whole. `*from` moves behind what was found. */
static void place(struct str content, struct str quote, size_t *from, struct chat_note *note)
{
    size_t at = quote.len ? str_find_from(content, quote, *from) : STR_NPOS;
    if (at == STR_NPOS && quote.len)
        at = str_find(content, quote);
    if (at == STR_NPOS) {
        note->start = 0;
        note->end = utf8_count(content);
        return;
    }
    note->start = utf8_count(str_slice(content, 0, at));
    note->end = note->start + utf8_count(quote);
    *from = at + quote.len;
}

static enum err put_notes(const struct knowledge_answer *answer, struct str origin,
                          struct arena *arena, struct chat_reply *out, struct why *why)
{
    size_t from = 0, n = answer->refused ? 0 : answer->n_quotes;
    bool written = !answer->refused && answer->method && strcmp(answer->method, "model") == 0;
    out->notes = arena_array(arena, struct chat_note, n ? n : 1);
    if (!out->notes)
        return err_set(why, ERR_NO_MEMORY, "could not hold the citations");
    for (size_t i = 0; i < n; i++) {
        const struct knowledge_quote *quote = &answer->quotes[i];
        const struct knowledge_hit *hit = &answer->hits[quote->hit];
        struct chat_note *note = &out->notes[out->n_notes++];
        if (written) { /* a written answer names its quotes by number: "...。[1]" */
            char mark[24];
            (void)snprintf(mark, sizeof mark, "[%zu]", i + 1);
            place(out->content, str_c(mark), &from, note);
        } else {
            place(out->content, quote->text, &from, note);
        }
        note->title = str_printf(arena, "%.*s%s%.*s", STR_FMT(hit->title),
                                 hit->article.len ? " " : "", STR_FMT(hit->article));
        note->url = str_printf(arena, "%.*s/doc/%.*s?passage=%.*s&start=%zu&len=%zu",
                               STR_FMT(origin), STR_FMT(hit->version_id), STR_FMT(hit->passage_id),
                               quote->start, quote->len);
        if (!note->title.ptr || !note->url.ptr)
            return err_set(why, ERR_NO_MEMORY, "could not hold the citations");
    }
    return ERR_OK;
}

enum err chat_reply_of(const struct knowledge_answer *answer, const struct chat_request *request,
                       struct str origin, struct arena *arena, struct chat_reply *out,
                       struct why *why)
{
    struct chat_reply reply = {.model = request->model,
                               .created = time_now_ms() / 1000,
                               .n_prompt = request->n_prompt,
                               .id = str_printf(arena, "chatcmpl-%s", answer->id)};
    enum err err = put_content(answer, arena, &reply.content, why);
    if (!err && !reply.id.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the reply");
    if (!err)
        err = put_notes(answer, origin, arena, &reply, why);
    reply.n_completion = utf8_count(reply.content);
    if (!err)
        *out = reply;
    return err;
}

/* ---- shapes ---- */

static void put_head(const struct chat_reply *reply, const char *object, struct json_out *out)
{
    json_begin_object(out);
    json_kv_str(out, "id", reply->id);
    json_kv_c(out, "object", object);
    json_kv_int(out, "created", reply->created);
    json_kv_str(out, "model", reply->model);
}

static void put_annotations(const struct chat_reply *reply, struct json_out *out)
{
    json_key(out, "annotations");
    json_begin_array(out);
    for (size_t i = 0; i < reply->n_notes; i++) {
        const struct chat_note *note = &reply->notes[i];
        json_begin_object(out);
        json_kv_c(out, "type", "url_citation");
        json_key(out, "url_citation");
        json_begin_object(out);
        json_kv_int(out, "start_index", (int64_t)note->start);
        json_kv_int(out, "end_index", (int64_t)note->end);
        json_kv_str(out, "title", note->title);
        json_kv_str(out, "url", note->url);
        json_end_object(out);
        json_end_object(out);
    }
    json_end_array(out);
}

static void put_usage(const struct chat_reply *reply, struct json_out *out)
{
    json_key(out, "usage");
    json_begin_object(out);
    json_kv_int(out, "prompt_tokens", (int64_t)reply->n_prompt);
    json_kv_int(out, "completion_tokens", (int64_t)reply->n_completion);
    json_kv_int(out, "total_tokens", (int64_t)(reply->n_prompt + reply->n_completion));
    json_end_object(out);
}

static void put_null(struct json_out *out, const char *key)
{
    json_key(out, key);
    json_put_null(out);
}

void chat_completion(const struct chat_reply *reply, struct json_out *out)
{
    put_head(reply, "chat.completion", out);
    json_key(out, "choices");
    json_begin_array(out);
    json_begin_object(out);
    json_kv_int(out, "index", 0);
    json_key(out, "message");
    json_begin_object(out);
    json_kv_c(out, "role", "assistant");
    json_kv_str(out, "content", reply->content);
    put_null(out, "refusal");
    put_annotations(reply, out);
    json_end_object(out);
    put_null(out, "logprobs");
    json_kv_c(out, "finish_reason", "stop");
    json_end_object(out);
    json_end_array(out);
    put_usage(reply, out);
    json_end_object(out);
}

/* ---- the stream ---- */

enum delta { DELTA_ROLE, DELTA_CONTENT, DELTA_NOTES, DELTA_END };

static void put_delta(const struct chat_reply *reply, enum delta kind, struct str piece,
                      struct json_out *out)
{
    json_key(out, "delta");
    json_begin_object(out);
    if (kind == DELTA_ROLE) {
        json_kv_c(out, "role", "assistant");
        json_kv_c(out, "content", "");
        put_null(out, "refusal");
    } else if (kind == DELTA_CONTENT) {
        json_kv_str(out, "content", piece);
    } else if (kind == DELTA_NOTES) {
        put_annotations(reply, out);
    }
    json_end_object(out);
}

static void put_data(struct buf *out, struct str text)
{
    buf_add_c(out, "data: ");
    buf_add(out, text);
    buf_add_c(out, "\n\n");
}

static void put_chunk(const struct chat_reply *reply, enum delta kind, struct str piece, bool usage,
                      struct buf *scratch, struct buf *out)
{
    struct json_out json;
    buf_clear(scratch);
    json_out_init(&json, scratch);
    put_head(reply, "chat.completion.chunk", &json);
    json_key(&json, "choices");
    json_begin_array(&json);
    json_begin_object(&json);
    json_kv_int(&json, "index", 0);
    put_delta(reply, kind, piece, &json);
    put_null(&json, "logprobs");
    if (kind == DELTA_END)
        json_kv_c(&json, "finish_reason", "stop");
    else
        put_null(&json, "finish_reason");
    json_end_object(&json);
    json_end_array(&json);
    if (usage)
        put_null(&json, "usage");
    json_end_object(&json);
    put_data(out, buf_str(scratch));
}

static void put_usage_chunk(const struct chat_reply *reply, struct buf *scratch, struct buf *out)
{
    struct json_out json;
    buf_clear(scratch);
    json_out_init(&json, scratch);
    put_head(reply, "chat.completion.chunk", &json);
    json_key(&json, "choices");
    json_begin_array(&json);
    json_end_array(&json);
    put_usage(reply, &json);
    json_end_object(&json);
    put_data(out, buf_str(scratch));
}

enum err chat_events(const struct chat_reply *reply, bool include_usage, struct buf *out,
                     struct why *why)
{
    struct str rest = reply->content;
    struct buf scratch;
    buf_init(&scratch, out->arena);
    put_chunk(reply, DELTA_ROLE, STR(""), include_usage, &scratch, out);
    while (rest.len > 0) {
        struct str piece = utf8_prefix(rest, PIECE);
        put_chunk(reply, DELTA_CONTENT, piece, include_usage, &scratch, out);
        rest = str_from(rest, piece.len);
    }
    if (reply->n_notes)
        put_chunk(reply, DELTA_NOTES, STR(""), include_usage, &scratch, out);
    put_chunk(reply, DELTA_END, STR(""), include_usage, &scratch, out);
    if (include_usage)
        put_usage_chunk(reply, &scratch, out);
    put_data(out, STR("[DONE]"));
    enum err err = buf_err(&scratch, why);
    return err ? err : buf_err(out, why);
}

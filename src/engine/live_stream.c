/* An answer under way as a stream of events; and whole answers, which have the same parts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/dialect.h"
#include "engine/serve.h"

/* What one call of `next` writes with. */
struct stream {
    struct live *live;
    struct buf *out;
    struct buf scratch;
    uint32_t choice;
    size_t first_logprob; /* those behind it go with the next chunk */
};

/* ---- chunks ---- */

static struct json_out begin_chunk(struct stream *s, bool with_choice)
{
    const struct live *live = s->live;
    struct json_out j;
    buf_clear(&s->scratch);
    json_out_init(&j, &s->scratch);
    json_begin_object(&j);
    json_kv_str(&j, "id", live->answer.id);
    json_kv_c(&j, "object",
              live->ask.kind == API_CHAT ? "chat.completion.chunk" : "text_completion");
    json_kv_int(&j, "created", live->answer.created);
    json_kv_str(&j, "model", live->answer.model);
    json_key(&j, "choices");
    json_begin_array(&j);
    if (with_choice) {
        json_begin_object(&j);
        json_kv_int(&j, "index", s->choice);
    }
    return j;
}

/* Logprobs go with the first chunk that is written after their tokens. */
static void put_logprobs(struct stream *s, struct json_out *j)
{
    const struct live *live = s->live;
    const struct api_choice *c = &live->answer.choices[s->choice];
    if (!live->answer.logprobs || s->first_logprob >= c->n_logprobs) {
        json_kv_c(j, "logprobs", NULL);
        return;
    }
    if (live->ask.kind == API_CHAT)
        api_write_chat_logprobs(c, s->first_logprob, j);
    else
        api_write_old_logprobs(c, s->first_logprob, j);
    s->first_logprob = c->n_logprobs;
}

static enum err end_chunk(struct stream *s, struct json_out *j, const char *finish, struct why *why)
{
    put_logprobs(s, j);
    json_kv_c(j, "finish_reason", finish);
    json_end_object(j);
    json_end_array(j);
    if (s->live->ask.include_usage)
        json_kv_c(j, "usage", NULL);
    json_end_object(j);
    http_event(s->out, NULL, buf_str(&s->scratch));
    return buf_err(&s->scratch, why);
}

static enum err put_text_chunk(struct stream *s, struct str text, const char *finish,
                               struct why *why)
{
    struct json_out j = begin_chunk(s, true);
    json_kv_str(&j, "text", text);
    return end_chunk(s, &j, finish, why);
}

static void put_tool_delta(const struct chat_delta *d, struct json_out *j)
{
    json_key(j, "tool_calls");
    json_begin_array(j);
    json_begin_object(j);
    json_kv_int(j, "index", (int64_t)d->tool);
    if (d->name.len) {
        json_kv_str(j, "id", d->id);
        json_kv_c(j, "type", "function");
    }
    json_key(j, "function");
    json_begin_object(j);
    if (d->name.len)
        json_kv_str(j, "name", d->name);
    json_kv_str(j, "arguments", d->text);
    json_end_object(j);
    json_end_object(j);
    json_end_array(j);
}

/* d NULL: the first or, with `finish`, the last chunk of a choice. */
static enum err put_chat_chunk(struct stream *s, const struct chat_delta *d, const char *finish,
                               struct why *why)
{
    struct json_out j = begin_chunk(s, true);
    json_key(&j, "delta");
    json_begin_object(&j);
    if (!d && !finish) {
        json_kv_c(&j, "role", "assistant");
        json_kv_c(&j, "content", "");
    }
    if (d && d->kind == CHAT_TOOL)
        put_tool_delta(d, &j);
    else if (d)
        json_kv_str(&j, d->kind == CHAT_REASONING ? "reasoning_content" : "content", d->text);
    json_end_object(&j);
    return end_chunk(s, &j, finish, why);
}

static enum err put_usage_chunk(struct stream *s, struct why *why)
{
    struct json_out j = begin_chunk(s, false);
    json_end_array(&j);
    api_write_usage(&s->live->answer, &j);
    json_end_object(&j);
    http_event(s->out, NULL, buf_str(&s->scratch));
    return buf_err(&s->scratch, why);
}

/* ---- pieces ---- */

static enum err say_delta(void *ctx, const struct chat_delta *d, struct why *why)
{
    struct stream *s = ctx;
    struct live *live = s->live;
    if (live_ignores(live, d))
        return ERR_OK;
    if (!d->text.len && !d->name.len)
        return ERR_OK;
    if (d->kind == CHAT_TOOL && live->answer.choices[s->choice].n_calls <= d->tool)
        live->answer.choices[s->choice].n_calls = d->tool + 1; /* for the finish reason */
    if (live->ask.kind == API_RESPONSES)
        return responses_delta(live, d, s->out, why);
    if (live->ask.kind == API_COMPLETION)
        return put_text_chunk(s, d->text, NULL, why);
    return put_chat_chunk(s, d, NULL, why);
}

/* The first chunk of a choice: its role, or the prompt when it is to be echoed. */
static enum err begin_choice(struct stream *s, struct why *why)
{
    struct live *live = s->live;
    struct api_choice *c = &live->answer.choices[s->choice];
    if (live->begun[s->choice])
        return ERR_OK;
    live->begun[s->choice] = true;
    if (live->ask.kind == API_CHAT)
        return put_chat_chunk(s, NULL, NULL, why);
    if (live->ask.kind == API_COMPLETION && c->content.len)
        return put_text_chunk(s, buf_str(&c->content), NULL, why);
    return ERR_OK;
}

static enum err end_choice(struct stream *s, const struct live_piece *piece, struct why *why)
{
    struct live *live = s->live;
    struct api_choice *c = &live->answer.choices[s->choice];
    c->finish = live_finish(live, piece);
    if (live->ask.kind == API_RESPONSES)
        return ERR_OK;
    if (live->ask.kind == API_COMPLETION)
        return put_text_chunk(s, STR(""), c->finish, why);
    return put_chat_chunk(s, NULL, c->finish, why);
}

static enum err say_piece(struct stream *s, const struct live_piece *piece, struct why *why)
{
    struct live *live = s->live;
    struct chat_reader *reader = live->readers ? live->readers[piece->choice] : NULL;
    bool end = piece->kind == RUN_END;
    s->choice = piece->choice;
    s->first_logprob = live->answer.choices[piece->choice].n_logprobs;
    enum err err = live_add_logprobs(live, piece, why);
    live->offsets[piece->choice] += piece->text.len;
    if (!err)
        err = begin_choice(s, why);
    if (!err && reader)
        err = chat_reader_feed(reader, piece->text, end, say_delta, s, why);
    else if (!err)
        err = say_delta(s, &(struct chat_delta){.text = piece->text}, why);
    if (!err && end)
        err = end_choice(s, piece, why);
    /* What was told is not needed again; a stream may be long. */
    live->answer.choices[piece->choice].n_logprobs = 0;
    return err;
}

static enum err say_end(struct stream *s, struct why *why)
{
    struct live *live = s->live;
    enum err err = ERR_OK;
    if (live->ask.kind == API_RESPONSES)
        return responses_close(live, s->out, why);
    if (live->ask.include_usage)
        err = put_usage_chunk(s, why);
    if (!err)
        http_event(s->out, NULL, STR("[DONE]"));
    return err;
}

/* An error after the first event: as OpenAI's client knows it, an event with "error". */
static void say_error(struct stream *s, enum err err, const struct why *why)
{
    struct json_out j;
    buf_clear(&s->scratch);
    json_out_init(&j, &s->scratch);
    dialect_error(&j, err, why, NULL, NULL);
    http_event(s->out, s->live->ask.kind == API_RESPONSES ? "error" : NULL, buf_str(&s->scratch));
}

enum err live_next(void *ctx, struct buf *out, bool *end, struct why *why)
{
    struct live *live = ctx;
    struct stream s = {.live = live, .out = out};
    enum err err = ERR_OK;
    bool over = false;
    buf_init(&s.scratch, out->arena);
    if (!live->opened && live->ask.kind == API_RESPONSES)
        err = responses_open(live, out, why);
    live->opened = true;
    while (!err && out->len < HTTP_STREAM_MOST / 2) {
        struct live_piece *piece = live_take(live, &over);
        if (!piece)
            break;
        err = say_piece(&s, piece, why);
        live_drop(piece);
    }
    if (!err && !over)
        return buf_err(out, why);
    *end = true;
    if (!err && live->err) {
        err = live->err;
        err_note(why, "%s", why_text(&live->why, err));
    }
    if (!err)
        err = say_end(&s, why);
    if (err)
        say_error(&s, err, why);
    return buf_err(out, why);
}

/* ---- whole answers ---- */

static enum err write_embeddings(struct live *live, struct json_out *out)
{
    json_begin_object(out);
    json_kv_c(out, "object", "list");
    json_key(out, "data");
    json_begin_array(out);
    for (size_t i = 0; i < live->embed.n_inputs; i++) {
        json_begin_object(out);
        json_kv_c(out, "object", "embedding");
        json_kv_int(out, "index", (int64_t)i);
        api_write_embedding(live->vectors[i], live->n_vectors[i], live->embed.base64, live->arena,
                            out);
        json_end_object(out);
    }
    json_end_array(out);
    json_kv_str(out, "model", live->answer.model);
    json_key(out, "usage");
    json_begin_object(out);
    json_kv_int(out, "prompt_tokens", (int64_t)live->answer.usage.prompt);
    json_kv_int(out, "total_tokens", (int64_t)live->answer.usage.prompt);
    json_end_object(out);
    json_end_object(out);
    return ERR_OK;
}

struct scored {
    size_t index;
    double score;
};

/* Best first; equals in their order. */
static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->index > y->index ? 1 : -1;
}

static enum err write_rerank(struct live *live, struct json_out *out, struct why *why)
{
    const struct api_rerank *ask = &live->rerank;
    struct scored *scored = arena_array(live->arena, struct scored, ask->n_documents);
    if (!scored)
        return err_set(why, ERR_NO_MEMORY, "could not hold the scores");
    for (size_t i = 0; i < ask->n_documents; i++) {
        double logit = live->n_vectors[i] ? (double)live->vectors[i][0] : -INFINITY;
        scored[i] = (struct scored){i, 1 / (1 + exp(-logit))};
    }
    qsort(scored, ask->n_documents, sizeof *scored, by_score);
    json_begin_object(out);
    json_kv_str(out, "id", live->answer.id);
    json_kv_str(out, "model", live->answer.model);
    json_key(out, "results");
    json_begin_array(out);
    for (size_t i = 0; i < ask->top_n; i++) {
        json_begin_object(out);
        json_kv_int(out, "index", (int64_t)scored[i].index);
        json_kv_real(out, "relevance_score", scored[i].score);
        if (ask->return_documents) {
            json_key(out, "document");
            json_begin_object(out);
            json_kv_str(out, "text", ask->documents[scored[i].index]);
            json_end_object(out);
        }
        json_end_object(out);
    }
    json_end_array(out);
    json_key(out, "usage");
    json_begin_object(out);
    json_kv_int(out, "prompt_tokens", (int64_t)live->answer.usage.prompt);
    json_kv_int(out, "total_tokens", (int64_t)live->answer.usage.prompt);
    json_end_object(out);
    json_end_object(out);
    return ERR_OK;
}

enum err live_write(struct live *live, struct json_out *out, struct why *why)
{
    if (live->kind == LIVE_EMBED)
        return write_embeddings(live, out);
    if (live->kind == LIVE_RERANK)
        return write_rerank(live, out, why);
    if (live->ask.kind == API_RESPONSES)
        return responses_write(live, out, why);
    if (live->ask.kind == API_CHAT)
        api_write_chat(&live->answer, out);
    else
        api_write_completion(&live->answer, out);
    return ERR_OK;
}

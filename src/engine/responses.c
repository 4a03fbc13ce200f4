/* Answers of the Responses API: what the model wrote, in the dialect's items. */
#include "dialect/dialect.h"
#include "engine/serve.h"

/* What was asked is told back. */
static void put_asked(void *ctx, struct json_out *out)
{
    const struct live *live = ctx;
    if (live->ask.instructions.len)
        json_kv_str(out, "instructions", live->ask.instructions);
    else
        json_kv_c(out, "instructions", NULL);
    json_kv_bool(out, "parallel_tool_calls", live->ask.parallel);
    json_kv_real(out, "temperature", (double)live->ask.run.sampling.temperature);
    json_kv_real(out, "top_p", (double)live->ask.run.sampling.top_p);
    json_kv_c(out, "tool_choice", "auto");
    json_kv_raw(out, "tools", STR("[]"));
    json_kv_raw(out, "metadata", STR("{}"));
}

static enum err start(struct live *live, struct why *why)
{
    struct dialect_response_opts opts = {.id = str_from(live->answer.id, 5), /* behind "resp_" */
                                         .model = live->answer.model,
                                         .created = live->answer.created,
                                         .put_asked = put_asked,
                                         .ctx = live};
    live->responses = dialect_response_new(&opts, live->arena);
    return live->responses ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the response");
}

/* How it ended and what it took. */
static struct dialect_usage finish(struct live *live)
{
    const struct api_choice *c = &live->answer.choices[0];
    const struct run_usage *u = &live->answer.usage;
    if (c->finish && str_eq_c(str_c(c->finish), "length"))
        dialect_response_cut(live->responses);
    return (struct dialect_usage){.prompt = (int64_t)u->prompt,
                                  .completion = (int64_t)u->completion,
                                  .cached = (int64_t)u->cached,
                                  .known = true};
}

enum err responses_write(struct live *live, struct json_out *out, struct why *why)
{
    const struct api_choice *c = &live->answer.choices[0];
    enum err err = start(live, why);
    if (!err)
        err = dialect_response_thought(live->responses, NULL, buf_str(&c->reasoning), why);
    if (!err)
        err = dialect_response_text(live->responses, NULL, buf_str(&c->content), why);
    for (size_t k = 0; k < c->n_calls && !err; k++)
        err = dialect_response_call(live->responses, NULL, k, c->calls[k].id, c->calls[k].name,
                                    buf_str(&c->calls[k].arguments), why);
    if (err)
        return err;
    struct dialect_usage usage = finish(live);
    return dialect_response_put(live->responses, &usage, out, why);
}

/* ---- events ---- */

static enum err on_event(void *ctx, struct str name, struct str data, struct why *why)
{
    struct buf *out = ctx;
    http_event(out, name.ptr, data);
    return buf_err(out, why);
}

enum err responses_open(struct live *live, struct buf *out, struct why *why)
{
    enum err err = start(live, why);
    if (err)
        return err;
    return dialect_response_open(live->responses, &(struct dialect_sink){on_event, out}, why);
}

enum err responses_delta(struct live *live, const struct chat_delta *d, struct buf *out,
                         struct why *why)
{
    const struct dialect_sink sink = {on_event, out};
    if (d->kind == CHAT_CONTENT)
        return dialect_response_text(live->responses, &sink, d->text, why);
    if (d->kind == CHAT_REASONING)
        return dialect_response_thought(live->responses, &sink, d->text, why);
    return dialect_response_call(live->responses, &sink, d->tool, d->id, d->name, d->text, why);
}

enum err responses_close(struct live *live, struct buf *out, struct why *why)
{
    struct dialect_usage usage = finish(live);
    return dialect_response_end(live->responses, &(struct dialect_sink){on_event, out}, &usage,
                                why);
}

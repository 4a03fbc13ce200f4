/* An answer under way: from the decode loop's events to a whole answer. */
#include <stdlib.h>
#include <string.h>

#include "core/pool.h"
#include "core/time.h"
#include "engine/serve.h"

struct live *live_new(struct engine *engine, struct http_request *req, struct http_response *res)
{
    struct arena *arena = http_arena(req);
    struct live *live = arena_one(arena, struct live);
    if (!live)
        return NULL;
    live->engine = engine;
    live->req = req;
    live->res = res;
    live->arena = arena;
    live->last = &live->first;
    live->answer.created = time_now_ms() / 1000;
    if (pthread_mutex_init(&live->lock, NULL) != 0)
        return NULL;
    return live;
}

/* ---- the queue ---- */

static void *take_bytes(char **at, size_t n)
{
    char *p = *at;
    *at += (n + 7) & ~(size_t)7;
    return p;
}

static size_t round_up(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static size_t size_of(const struct run_event *e)
{
    size_t n = round_up(sizeof(struct live_piece)) + round_up(e->text.len) +
               round_up(e->n_vector * sizeof *e->vector) +
               round_up(e->n_tokens * sizeof(struct api_logprob));
    for (size_t i = 0; i < e->n_tokens; i++) {
        n += round_up(e->tokens[i].bytes.len) +
             round_up(e->tokens[i].n_tops * sizeof(struct run_top));
        for (size_t k = 0; k < e->tokens[i].n_tops; k++)
            n += round_up(e->tokens[i].tops[k].bytes.len);
    }
    return n;
}

static struct str copy_text(char **at, struct str s)
{
    char *p = take_bytes(at, s.len);
    if (s.len)
        memcpy(p, s.ptr, s.len);
    return (struct str){p, s.len};
}

static void copy_tokens(struct live_piece *piece, const struct run_event *e, char **at)
{
    piece->tokens = take_bytes(at, e->n_tokens * sizeof *piece->tokens);
    piece->n_tokens = e->n_tokens;
    for (size_t i = 0; i < e->n_tokens; i++) {
        const struct run_token *from = &e->tokens[i];
        struct api_logprob *to = &piece->tokens[i];
        *to = (struct api_logprob){.logprob = from->logprob, .n_tops = from->n_tops};
        to->bytes = copy_text(at, from->bytes);
        to->tops = take_bytes(at, from->n_tops * sizeof *to->tops);
        for (size_t k = 0; k < from->n_tops; k++) {
            to->tops[k] = from->tops[k];
            to->tops[k].bytes = copy_text(at, from->tops[k].bytes);
        }
    }
}

/* Everything an event points to, in one allocation. */
static struct live_piece *copy_event(const struct run_event *e, uint32_t first)
{
    char *at = malloc(size_of(e));
    if (!at)
        return NULL;
    struct live_piece *piece = take_bytes(&at, sizeof *piece);
    *piece = (struct live_piece){.kind = e->kind, .choice = first + e->index, .finish = e->finish};
    piece->text = copy_text(&at, e->text);
    piece->vector = take_bytes(&at, e->n_vector * sizeof *e->vector);
    piece->n_vector = e->n_vector;
    if (e->n_vector)
        memcpy(piece->vector, e->vector, e->n_vector * sizeof *e->vector);
    copy_tokens(piece, e, &at);
    return piece;
}

struct live_piece *live_take(struct live *live, bool *over)
{
    pthread_mutex_lock(&live->lock);
    struct live_piece *piece = live->first;
    if (piece) {
        live->first = piece->next;
        if (!live->first)
            live->last = &live->first;
    }
    *over = !piece && live->n_done == live->n_parts;
    pthread_mutex_unlock(&live->lock);
    return piece;
}

void live_drop(struct live_piece *piece)
{
    free(piece);
}

/* ---- what the loop tells ---- */

enum step { STEP_NOTHING, STEP_FAIL, STEP_STREAM, STEP_WAKE, STEP_FINISH };

/* With the lock. A stream begins with its first piece, so that what fails before it is a proper
 * HTTP error. */
static enum step next_step(struct live *live)
{
    bool over = live->n_done == live->n_parts;
    if (!live->submitted)
        return STEP_NOTHING;
    if (live->answering)
        return live->ask.stream ? STEP_WAKE : STEP_NOTHING;
    if (!over && !(live->ask.stream && live->first))
        return STEP_NOTHING;
    live->answering = true;
    if (live->err && !(live->ask.stream && live->first))
        return STEP_FAIL;
    return live->ask.stream ? STEP_STREAM : STEP_FINISH;
}

static void release_calls(struct live *live)
{
    for (size_t i = 0; i < live->n_parts; i++) {
        pthread_mutex_lock(&live->lock);
        struct run_call *call = live->parts[i].call;
        live->parts[i].call = NULL;
        pthread_mutex_unlock(&live->lock);
        run_release(call);
    }
}

static void drop_all(struct live *live)
{
    bool over;
    for (struct live_piece *p = live_take(live, &over); p; p = live_take(live, &over))
        live_drop(p);
    for (size_t i = 0; live->readers && i < live->answer.n_choices; i++)
        chat_reader_close(live->readers[i]);
    live->readers = NULL;
}

/* The finisher's queue has room for every request that can be under way. */
static void take_step(struct live *live, enum step step)
{
    if (step == STEP_STREAM) {
        http_stream(live->res, live_next, live_done, live);
        http_release(live->req, ERR_OK, NULL);
    } else if (step == STEP_WAKE) {
        http_wake(live->req);
    } else if (step == STEP_FINISH || step == STEP_FAIL) {
        (void)!queue_push(live->engine->finished, live, -1);
    }
}

/* With the lock. The first cause is kept; the other parts need not go on. */
static void note_done(struct live *live, struct live_part *part, const struct run_event *e)
{
    struct run_usage *u = &live->answer.usage;
    struct run_timing *t = &live->answer.timing;
    part->done = true;
    live->n_done++;
    u->prompt += e->usage.prompt;
    u->cached += e->usage.cached;
    u->completion += e->usage.completion;
    t->queue_ms = e->timing.queue_ms > t->queue_ms ? e->timing.queue_ms : t->queue_ms;
    t->prompt_ms = e->timing.prompt_ms > t->prompt_ms ? e->timing.prompt_ms : t->prompt_ms;
    t->write_ms = e->timing.write_ms > t->write_ms ? e->timing.write_ms : t->write_ms;
    if (e->err && !live->err) {
        live->err = e->err;
        live->why = e->why ? *e->why : (struct why){0};
    }
}

/* With the lock. */
static void cancel_all(struct live *live)
{
    for (size_t i = 0; i < live->n_parts; i++)
        if (live->parts[i].call && !live->parts[i].done)
            run_cancel(live->parts[i].call);
}

static void hear(void *ctx, const struct run_event *e)
{
    struct live_part *part = ctx;
    struct live *live = part->live;
    struct live_piece *piece = e->kind == RUN_DONE ? NULL : copy_event(e, part->first);
    pthread_mutex_lock(&live->lock);
    if (piece) {
        *live->last = piece;
        live->last = &piece->next;
    } else if (e->kind == RUN_DONE) {
        note_done(live, part, e);
    } else if (!live->err) {
        live->err = err_set(&live->why, ERR_NO_MEMORY, "could not hold a part of the answer");
    }
    if (live->err)
        cancel_all(live);
    enum step step = next_step(live);
    pthread_mutex_unlock(&live->lock);
    take_step(live, step);
}

/* The client went away. */
static void leave(void *ctx)
{
    struct live *live = ctx;
    pthread_mutex_lock(&live->lock);
    live->gone = true;
    cancel_all(live);
    pthread_mutex_unlock(&live->lock);
}

enum err live_submit(struct live *live, const struct run_request *requests, size_t n_parts,
                     struct why *why)
{
    enum err err = ERR_OK;
    live->parts = arena_array(live->arena, struct live_part, n_parts);
    if (!live->parts)
        return err_set(why, ERR_NO_MEMORY, "could not hold the request");
    live->n_parts = n_parts;
    for (size_t i = 0, first = 0; !err && i < n_parts; i++) {
        struct run_call *call = NULL;
        live->parts[i] = (struct live_part){.live = live, .first = (uint32_t)first};
        first += requests[i].choices ? requests[i].choices : 1;
        err = run_submit(live->engine->run, &requests[i], hear, &live->parts[i], &call, why);
        pthread_mutex_lock(&live->lock);
        live->parts[i].call = call;
        if (live->gone && call)
            run_cancel(call);
        pthread_mutex_unlock(&live->lock);
    }
    if (err) {
        release_calls(live);
        drop_all(live);
        return err;
    }
    atomic_fetch_add(&live->engine->n_live, 1);
    http_hold(live->req);
    http_on_gone(live->req, leave, live);
    pthread_mutex_lock(&live->lock);
    live->submitted = true;
    enum step step = next_step(live);
    pthread_mutex_unlock(&live->lock);
    take_step(live, step); /* from here on the live may be gone */
    return ERR_OK;
}

/* ---- whole answers ---- */

const char *live_finish(const struct live *live, const struct live_piece *piece)
{
    if (piece->finish == RUN_FINISH_LENGTH)
        return "length";
    return live->answer.choices[piece->choice].n_calls ? "tool_calls" : "stop";
}

/* Room for call number `tool`. */
static enum err grow_calls(struct live *live, struct api_choice *choice, size_t tool,
                           struct why *why)
{
    if (tool >= API_MOST_TOOLS)
        return err_set(why, ERR_TOO_LARGE, "the model made more than %d tool calls",
                       API_MOST_TOOLS);
    if (tool >= choice->cap_calls) {
        size_t cap = tool + 8;
        struct api_call *calls = arena_array(live->arena, struct api_call, cap);
        if (!calls)
            return err_set(why, ERR_NO_MEMORY, "could not hold the tool calls");
        if (choice->n_calls)
            memcpy(calls, choice->calls, choice->n_calls * sizeof *calls);
        choice->calls = calls;
        choice->cap_calls = cap;
    }
    while (choice->n_calls <= tool)
        buf_init(&choice->calls[choice->n_calls++].arguments, live->arena);
    return ERR_OK;
}

/* One call was asked for; a model that goes on calling is not listened to. */
bool live_ignores(const struct live *live, const struct chat_delta *d)
{
    return d->kind == CHAT_TOOL && d->tool > 0 && !live->ask.parallel;
}

enum err live_add_delta(struct live *live, uint32_t index, const struct chat_delta *d,
                        struct why *why)
{
    struct api_choice *choice = &live->answer.choices[index];
    if (live_ignores(live, d))
        return ERR_OK;
    struct buf *text = d->kind == CHAT_REASONING ? &choice->reasoning : &choice->content;
    if (d->kind == CHAT_TOOL) {
        enum err err = grow_calls(live, choice, d->tool, why);
        if (err)
            return err;
        struct api_call *call = &choice->calls[d->tool];
        if (d->name.len) {
            call->id = str_copy(live->arena, d->id);
            call->name = str_copy(live->arena, d->name);
        }
        text = &call->arguments;
    }
    buf_add(text, d->text);
    return buf_err(text, why);
}

struct collector {
    struct live *live;
    uint32_t choice;
};

static enum err collect_delta(void *ctx, const struct chat_delta *d, struct why *why)
{
    struct collector *c = ctx;
    return live_add_delta(c->live, c->choice, d, why);
}

/* A deep copy: the piece is given back. */
static bool copy_logprob(struct arena *arena, const struct api_logprob *from,
                         struct api_logprob *to)
{
    *to = *from;
    to->bytes = str_copy(arena, from->bytes);
    to->tops = arena_array(arena, struct run_top, from->n_tops + 1);
    if (!to->bytes.ptr || !to->tops)
        return false;
    for (size_t k = 0; k < from->n_tops; k++) {
        to->tops[k] = from->tops[k];
        to->tops[k].bytes = str_copy(arena, from->tops[k].bytes);
        if (!to->tops[k].bytes.ptr)
            return false;
    }
    return true;
}

enum err live_add_logprobs(struct live *live, const struct live_piece *piece, struct why *why)
{
    struct api_choice *c = &live->answer.choices[piece->choice];
    size_t offset = live->offsets[piece->choice];
    if (!live->answer.logprobs)
        return ERR_OK;
    if (c->n_logprobs + piece->n_tokens > c->cap_logprobs) {
        size_t cap = (c->n_logprobs + piece->n_tokens) * 2;
        void *grown = arena_grow(live->arena, c->logprobs, c->cap_logprobs * sizeof *c->logprobs,
                                 cap * sizeof *c->logprobs);
        if (!grown)
            return err_set(why, ERR_NO_MEMORY, "could not hold the probabilities");
        c->logprobs = grown;
        c->cap_logprobs = cap;
    }
    for (size_t i = 0; i < piece->n_tokens; i++) {
        struct api_logprob *to = &c->logprobs[c->n_logprobs];
        if (!copy_logprob(live->arena, &piece->tokens[i], to))
            return err_set(why, ERR_NO_MEMORY, "could not hold the probabilities");
        to->start = offset;
        offset += to->bytes.len;
        c->n_logprobs++;
    }
    return ERR_OK;
}

static enum err collect_vector(struct live *live, const struct live_piece *piece, struct why *why)
{
    float *copy = arena_array(live->arena, float, piece->n_vector + 1);
    if (!copy)
        return err_set(why, ERR_NO_MEMORY, "could not hold the vectors");
    if (piece->n_vector)
        memcpy(copy, piece->vector, piece->n_vector * sizeof *copy);
    live->vectors[piece->choice] = copy;
    live->n_vectors[piece->choice] = piece->n_vector;
    return ERR_OK;
}

enum err live_collect(struct live *live, const struct live_piece *piece, struct why *why)
{
    if (piece->kind == RUN_VECTOR)
        return collect_vector(live, piece, why);
    struct api_choice *choice = &live->answer.choices[piece->choice];
    struct collector collector = {live, piece->choice};
    struct chat_reader *reader = live->readers ? live->readers[piece->choice] : NULL;
    bool end = piece->kind == RUN_END;
    enum err err = live_add_logprobs(live, piece, why);
    live->offsets[piece->choice] += piece->text.len;
    if (!err && reader)
        err = chat_reader_feed(reader, piece->text, end, collect_delta, &collector, why);
    else if (!err)
        err = collect_delta(&collector, &(struct chat_delta){.text = piece->text}, why);
    if (!err && end)
        choice->finish = live_finish(live, piece);
    return err;
}

/* Pieces of one choice that follow each other are read as one: the reader reads all anew each time.
 */
static enum err collect_all(struct live *live, struct why *why)
{
    enum err err = ERR_OK;
    bool over = false;
    struct buf text;
    buf_init(&text, live->arena);
    struct live_piece *piece = live_take(live, &over);
    while (piece) {
        struct live_piece *next = live_take(live, &over);
        bool joins = next && next->kind != RUN_VECTOR && piece->kind == RUN_PIECE &&
                     next->choice == piece->choice && live->readers && !live->answer.logprobs;
        if (joins) {
            buf_add(&text, piece->text);
        } else if (!err) {
            struct live_piece whole = *piece;
            if (text.len) {
                buf_add(&text, piece->text);
                whole.text = buf_str(&text);
                err = buf_err(&text, why);
            }
            if (!err)
                err = live_collect(live, &whole, why);
            buf_clear(&text);
        }
        live_drop(piece);
        piece = next;
    }
    return err;
}

static enum err finish(struct live *live, struct why *why)
{
    enum err err = live->err;
    if (err)
        err_note(why, "%s", why_text(&live->why, err));
    if (!err)
        err = collect_all(live, why);
    if (!err)
        err = live_write(live, http_json(live->res), why);
    release_calls(live);
    drop_all(live);
    return err;
}

void *live_finisher(void *ctx)
{
    struct engine *engine = ctx;
    void *item = NULL;
    while (queue_pop(engine->finished, &item, -1) == ERR_OK) {
        struct live *live = item;
        struct why why = {0};
        enum err err = finish(live, &why);
        http_release(live->req, err, &why); /* the live is gone */
        atomic_fetch_sub(&engine->n_live, 1);
    }
    return NULL;
}

void live_done(void *ctx)
{
    struct live *live = ctx;
    release_calls(live);
    drop_all(live);
    atomic_fetch_sub(&live->engine->n_live, 1);
}

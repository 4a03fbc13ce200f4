/* A request's life: checked and copied, told, cancelled, given back. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/time.h"
#include "engine/grammar.h"
#include "engine/run_in.h"

#define CALL_MEMORY ((size_t)32 << 20) /* beside the inputs */

/* ---- checks ---- */

static const char *kind_name(enum run_kind kind)
{
    static const char *const names[] = {"anything", "text", "embeddings", "scores"};
    return names[kind];
}

static enum err check_inputs(const struct run *run, const struct run_request *r, struct why *why)
{
    bool text = run->info.kind == RUN_GENERATE;
    if (r->n_inputs == 0 || (text && r->n_inputs != 1))
        return err_set(why, ERR_INVALID, "%zu inputs, %s are taken", r->n_inputs,
                       text ? "exactly 1" : "1 or more");
    for (size_t i = 0; i < r->n_inputs; i++) {
        const struct run_input *in = &r->inputs[i];
        if (in->n == 0)
            return err_set(why, ERR_INVALID, "input %zu is empty", i);
        if (!text && in->n > run->info.input)
            return err_set(why, ERR_TOO_LARGE,
                           "input %zu has %zu tokens, the model takes at most %u", i, in->n,
                           run->info.input);
        for (size_t j = 0; in->n <= run->info.context && j < in->n; j++)
            if (in->tokens[j] < 0 || (uint32_t)in->tokens[j] >= run->info.n_vocab)
                return err_set(why, ERR_INVALID, "there is no token %d, the vocabulary has %u",
                               in->tokens[j], run->info.n_vocab);
    }
    return ERR_OK;
}

static enum err check_length(const struct run *run, const struct run_request *r, struct why *why)
{
    uint32_t context = run->info.context;
    size_t n = r->inputs[0].n;
    if (n >= context)
        return err_set(
            why, ERR_TOO_LARGE,
            "the prompt has %zu tokens, the context holds %u and an answer needs at least 1", n,
            context);
    if (r->max_tokens > context - n)
        return err_set(
            why, ERR_TOO_LARGE,
            "the prompt has %zu tokens and the answer may have %u, together %zu; the context "
            "holds %u",
            n, r->max_tokens, n + r->max_tokens, context);
    return ERR_OK;
}

static enum err check_options(const struct run *run, const struct run_request *r, struct why *why)
{
    if (r->choices > RUN_MAX_CHOICES)
        return err_set(why, ERR_INVALID, "%u answers to one prompt, at most %d are given",
                       r->choices, RUN_MAX_CHOICES);
    if (r->n_tops > RUN_MAX_TOPS)
        return err_set(why, ERR_INVALID, "%u likeliest tokens, at most %d are given", r->n_tops,
                       RUN_MAX_TOPS);
    if (r->n_stops > RUN_MAX_STOPS)
        return err_set(why, ERR_INVALID, "%zu stop strings, at most %d are taken", r->n_stops,
                       RUN_MAX_STOPS);
    for (size_t i = 0; i < r->n_stops; i++)
        if (r->stops[i].len == 0 || r->stops[i].len > 1024)
            return err_set(why, ERR_INVALID, "stop string %zu has %zu bytes, 1 to 1024 are taken",
                           i, r->stops[i].len);
    for (size_t i = 0; i < r->sampling.n_bias; i++)
        if (r->sampling.bias[i].token < 0 ||
            (uint32_t)r->sampling.bias[i].token >= run->info.n_vocab ||
            isnan(r->sampling.bias[i].bias))
            return err_set(why, ERR_INVALID, "a bias of %g for token %d, the vocabulary has %u",
                           (double)r->sampling.bias[i].bias, r->sampling.bias[i].token,
                           run->info.n_vocab);
    if (r->priority < -100 || r->priority > 100)
        return err_set(why, ERR_INVALID, "priority %d, it goes from -100 to 100", r->priority);
    return ERR_OK;
}

static enum err check_tokens(const struct run *run, const int32_t *tokens, size_t n,
                             struct why *why)
{
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= run->info.n_vocab)
            return err_set(why, ERR_INVALID, "there is no token %d, the vocabulary has %u",
                           tokens[i], run->info.n_vocab);
    return ERR_OK;
}

static enum err check(const struct run *run, const struct run_request *r, struct why *why)
{
    if (r->kind != RUN_AUTO && r->kind != run->info.kind)
        return err_set(why, ERR_UNSUPPORTED, "this engine serves %s, not %s",
                       kind_name(run->info.kind), kind_name(r->kind));
    enum err err = check_inputs(run, r, why);
    if (!err && run->info.kind == RUN_GENERATE)
        err = check_length(run, r, why);
    if (!err)
        err = check_options(run, r, why);
    if (!err)
        err = check_tokens(run, r->preserved, r->n_preserved, why);
    if (!err)
        err = check_tokens(run, r->grammar.trigger_tokens, r->grammar.n_trigger_tokens, why);
    if (!err)
        err = check_tokens(run, r->grammar.prefix, r->grammar.n_prefix, why);
    return err;
}

/* ---- the copy ---- */

static void *copy(struct arena *arena, const void *from, size_t n, size_t size, bool *failed)
{
    void *to = arena_calloc(arena, n, size);
    if (!to)
        *failed = true;
    else if (n)
        memcpy(to, from, n * size);
    return to;
}

static struct str *copy_strs(struct arena *arena, const struct str *from, size_t n, bool *failed)
{
    struct str *to = copy(arena, from, n, sizeof *from, failed);
    for (size_t i = 0; to && i < n; i++)
        if (!(to[i] = str_copy(arena, from[i])).ptr)
            *failed = true;
    return to;
}

/* Everything that a request points to, into its own arena. */
static enum err copy_request(struct run_call *call, const struct run_request *from, struct why *why)
{
    struct run_request *r = &call->request;
    struct arena *arena = call->arena;
    bool failed = false;
    *r = *from;
    struct run_input *inputs = copy(arena, from->inputs, from->n_inputs, sizeof *inputs, &failed);
    for (size_t i = 0; inputs && i < from->n_inputs; i++)
        inputs[i].tokens =
            copy(arena, from->inputs[i].tokens, from->inputs[i].n, sizeof(int32_t), &failed);
    r->inputs = inputs;
    r->sampling.bias = copy(arena, from->sampling.bias, from->sampling.n_bias,
                            sizeof *from->sampling.bias, &failed);
    r->stops = copy_strs(arena, from->stops, from->n_stops, &failed);
    r->preserved =
        copy(arena, from->preserved, from->n_preserved, sizeof *from->preserved, &failed);
    r->key = str_copy(arena, from->key);
    r->grammar = (struct run_grammar){0}; /* used up by grammar_open */
    r->loras = NULL;                      /* as scales */
    return failed || !r->key.ptr
               ? err_set(why, ERR_NO_MEMORY, "the memory for one request is used up")
               : ERR_OK;
}

static enum err choose_adapters(struct run_call *call, const struct run_request *from,
                                struct why *why)
{
    const struct run_info *info = &call->run->info;
    call->scales = arena_array(call->arena, float, info->n_adapters + 1);
    if (!call->scales)
        return err_set(why, ERR_NO_MEMORY, "the memory for one request is used up");
    for (size_t i = 0; i < from->n_loras; i++) {
        size_t at = 0;
        while (at < info->n_adapters && strcmp(info->adapters[at].name, from->loras[i].name) != 0)
            at++;
        if (at == info->n_adapters)
            return err_set(why, ERR_INVALID, "there is no adapter \"%s\"", from->loras[i].name);
        if (!(fabsf(from->loras[i].scale) <= 100))
            return err_set(why, ERR_INVALID,
                           "adapter \"%s\" with the scale %g, it goes from -100 to 100",
                           from->loras[i].name, (double)from->loras[i].scale);
        call->scales[at] = from->loras[i].scale;
    }
    return ERR_OK;
}

static enum err choose_sampling(struct run_call *call, struct why *why)
{
    const struct run_sampling *s = &call->request.sampling;
    uint32_t context = call->run->info.context;
    if (s->repeat_last < -1)
        return err_set(why, ERR_INVALID, "penalties over the last %d tokens", s->repeat_last);
    call->sampling = (struct sample_opts){
        .temperature = s->temperature,
        .top_k = s->top_k,
        .top_p = s->top_p,
        .min_p = s->min_p,
        .typical = s->typical,
        .presence = s->presence,
        .frequency = s->frequency,
        .repeat = s->repeat,
        .window = s->repeat_last == 0    ? 64
                  : s->repeat_last == -1 ? context
                                         : (size_t)s->repeat_last,
    };
    return sample_check(&call->sampling, why);
}

static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)time_mono_ns();
    return seed;
}

static enum err make_choice(struct run_call *call, uint32_t index, const struct run_request *from,
                            struct why *why)
{
    struct choice *c = &call->choices[index];
    const struct run_input *prompt = &from->inputs[0];
    uint32_t room = call->run->info.context - (uint32_t)prompt->n;
    *c = (struct choice){
        .call = call,
        .index = index,
        .phase = index ? CHOICE_HELD : CHOICE_WAITING,
        .slot = RUN_NO_SLOT,
        .limit = from->max_tokens ? from->max_tokens : room,
        .cap = (uint32_t)prompt->n + 256,
        .n = (uint32_t)prompt->n,
    };
    call->n_choices++;
    c->tokens = malloc(c->cap * sizeof *c->tokens);
    if (!c->tokens)
        return err_set(why, ERR_NO_MEMORY, "could not keep %u tokens", c->cap);
    memcpy(c->tokens, prompt->tokens, prompt->n * sizeof *c->tokens);
    sample_seed(&c->rng,
                from->sampling.seeded ? (uint64_t)from->sampling.seed + index : random_seed());
    spell_init(&c->spell, call->request.stops, call->request.n_stops, call->arena);
    return from->grammar.gbnf.len ? grammar_open(call->run->vocab, &from->grammar, &c->grammar, why)
                                  : ERR_OK;
}

static enum err make_choices(struct run_call *call, const struct run_request *from, struct why *why)
{
    uint32_t n = from->choices ? from->choices : 1;
    enum err err = choose_sampling(call, why);
    call->n_prompt = (uint32_t)from->inputs[0].n;
    call->usage.prompt = call->n_prompt;
    call->choices = arena_array(call->arena, struct choice, n);
    if (!call->choices)
        return err_set(why, ERR_NO_MEMORY, "the memory for one request is used up");
    for (uint32_t i = 0; !err && i < n; i++)
        err = make_choice(call, i, from, why);
    return err;
}

static void call_free(struct run_call *call)
{
    for (uint32_t i = 0; i < call->n_choices; i++) {
        free(call->choices[i].tokens);
        grammar_free(call->choices[i].grammar);
    }
    pthread_mutex_destroy(&call->telling);
    arena_free(call->arena);
}

static struct run_call *call_new(struct run *run, const struct run_request *r)
{
    size_t most = CALL_MEMORY;
    for (size_t i = 0; i < r->n_inputs; i++)
        most += r->inputs[i].n * sizeof(int32_t) + 256;
    struct arena *arena = arena_new(most);
    struct run_call *call = arena ? arena_one(arena, struct run_call) : NULL;
    pthread_mutexattr_t attr;
    if (!call) {
        arena_free(arena);
        return NULL;
    }
    call->run = run;
    call->arena = arena;
    call->place = SIZE_MAX;
    atomic_init(&call->holders, 1);
    atomic_init(&call->cancelled, false);
    (void)pthread_mutexattr_init(&attr);
    (void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&call->telling, &attr);
    (void)pthread_mutexattr_destroy(&attr);
    return call;
}

static enum err enqueue(struct run *run, struct run_call *call, struct why *why)
{
    enum err err = ERR_OK;
    (void)pthread_mutex_lock(&run->lock);
    if (run->draining || run->stopping)
        err = err_set(why, ERR_UNAVAILABLE, "this engine is being stopped and takes nothing new");
    else if (run->n_fresh + run->n_waiting >= run->queue)
        err = err_set(why, ERR_BUSY, "the queue is full: %u requests wait", run->queue);
    if (!err) {
        call->number = run->numbers++;
        call->submitted_ns = time_mono_ns();
        if (call->request.deadline_ms > 0 && call->request.deadline_ms < INT_MAX)
            call->deadline_ns = call->submitted_ns + call->request.deadline_ms * 1000000;
        atomic_store(&call->holders, 2);
        run->fresh[run->n_fresh++] = call;
        (void)pthread_cond_signal(&run->wake);
    }
    (void)pthread_mutex_unlock(&run->lock);
    return err;
}

enum err run_submit(struct run *run, const struct run_request *request, run_sink *sink, void *ctx,
                    struct run_call **out, struct why *why)
{
    enum err err = check(run, request, why);
    if (err)
        return err;
    struct run_call *call = call_new(run, request);
    if (!call)
        return err_set(why, ERR_NO_MEMORY, "could not hold one more request");
    call->sink = sink;
    call->ctx = ctx;
    err = copy_request(call, request, why);
    if (!err)
        err = choose_adapters(call, request, why);
    if (!err && run->info.kind == RUN_GENERATE)
        err = make_choices(call, request, why);
    if (!err) {
        *out = call; /* before the first event */
        err = enqueue(run, call, why);
    }
    if (err) {
        *out = NULL;
        call_free(call);
    }
    return err;
}

/* ---- told, cancelled, given back ---- */

void call_tell(struct run_call *call, const struct run_event *event)
{
    (void)pthread_mutex_lock(&call->telling);
    if (call->sink)
        call->sink(call->ctx, event);
    (void)pthread_mutex_unlock(&call->telling);
}

void call_drop(struct run_call *call)
{
    if (atomic_fetch_sub(&call->holders, 1) == 1)
        call_free(call);
}

static double ms_between(int64_t from, int64_t to)
{
    return from && to > from ? (double)(to - from) / 1e6 : 0;
}

void call_done(struct run_call *call)
{
    int64_t now = time_mono_ns();
    int64_t seated = call->seated_ns ? call->seated_ns : now;
    call_tell(call, &(struct run_event){
                        .kind = RUN_DONE,
                        .err = call->err,
                        .why = &call->why,
                        .usage = call->usage,
                        .timing = {.queue_ms = ms_between(call->submitted_ns, seated),
                                   .prompt_ms = ms_between(call->seated_ns, call->first_ns),
                                   .write_ms = ms_between(call->first_ns, call->last_ns)},
                    });
    call_drop(call);
}

bool call_over(const struct run_call *call, int64_t now_ns)
{
    return atomic_load(&call->cancelled) || (call->deadline_ns && now_ns > call->deadline_ns);
}

void run_cancel(struct run_call *call)
{
    atomic_store(&call->cancelled, true);
}

void run_release(struct run_call *call)
{
    if (!call)
        return;
    (void)pthread_mutex_lock(&call->telling);
    call->sink = NULL;
    (void)pthread_mutex_unlock(&call->telling);
    run_cancel(call);
    call_drop(call);
}

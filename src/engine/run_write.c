/* A token of an answer: sampled, spelled, told; and how answers end. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/time.h"
#include "engine/grammar.h"
#include "engine/run_in.h"

#define TELL_TOKENS 64 /* tokens in one event */

struct str write_piece(const struct run *run, int32_t token)
{
    return (struct str){run->pieces + run->piece_at[token],
                        run->piece_at[token + 1] - run->piece_at[token]};
}

/* ---- telling ---- */

static void tell_part(struct choice *c, const struct spell_part *part)
{
    struct run_token tokens[TELL_TOKENS];
    struct str text = part->text;
    for (size_t at = 0; at < part->n_tokens || text.len;) {
        size_t n = part->n_tokens - at < TELL_TOKENS ? part->n_tokens - at : TELL_TOKENS;
        for (size_t i = 0; i < n; i++) {
            const struct spell_token *t = &part->tokens[at + i];
            struct probs *probs = t->more;
            tokens[i] = (struct run_token){.id = t->id, .bytes = t->bytes};
            if (probs) {
                tokens[i].logprob = probs->logprob;
                tokens[i].tops = probs->tops;
                tokens[i].n_tops = probs->n;
            }
        }
        call_tell(c->call, &(struct run_event){.kind = RUN_PIECE,
                                               .index = c->index,
                                               .text = text,
                                               .tokens = tokens,
                                               .n_tokens = n});
        at += n;
        text = STR_NONE;
    }
    for (size_t i = 0; i < part->n_tokens; i++) {
        struct probs *probs = part->tokens[i].more;
        if (probs) {
            probs->next = c->call->spare;
            c->call->spare = probs;
        }
    }
}

static void release_siblings(struct run_call *call)
{
    for (uint32_t i = 1; i < call->n_choices; i++)
        if (call->choices[i].phase == CHOICE_HELD)
            call->choices[i].phase = CHOICE_WAITING;
}

static void leave(struct run *run, struct choice *c)
{
    seat_leave(run, c, false);
    c->phase = CHOICE_ENDED;
    grammar_free(c->grammar);
    c->grammar = NULL;
}

void write_fail(struct run *run, struct run_call *call, enum err err, const struct why *why)
{
    if (call->over)
        return;
    for (uint32_t i = 0; i < call->n_choices; i++)
        leave(run, &call->choices[i]);
    call->err = err;
    if (why)
        call->why = *why;
    call->over = true;
}

void write_end(struct run *run, struct choice *c, enum run_finish finish, struct str stop)
{
    struct run_call *call = c->call;
    struct spell_part part = {0};
    struct why why = {0};
    enum err err = stop.len ? ERR_OK : spell_end(&c->spell, &part, &why);
    if (err) {
        write_fail(run, call, err, &why);
        return;
    }
    tell_part(c, &part);
    leave(run, c);
    release_siblings(call);
    call_tell(call, &(struct run_event){
                        .kind = RUN_END, .index = c->index, .finish = finish, .stop = stop});
    call->over = ++call->n_ended == call->n_choices;
}

/* ---- sampling ---- */

/* What bias, the file and the request forbid or favour. */
static void lean(const struct run *run, const struct choice *c, float *logits)
{
    const struct run_sampling *s = &c->call->request.sampling;
    for (size_t i = 0; i < s->n_bias; i++)
        logits[s->bias[i].token] =
            s->bias[i].bias <= -100 ? -INFINITY : logits[s->bias[i].token] + s->bias[i].bias;
    for (size_t i = 0; s->ignore_eos && i < run->n_ends; i++)
        logits[run->ends[i]] = -INFINITY;
    for (size_t i = 0; i < run->n_never; i++)
        logits[run->never[i]] = -INFINITY;
    sample_penalize(&c->call->sampling, c->tokens, c->n, c->call->n_prompt, logits,
                    &((struct run *)run)->scratch);
}

/* Draws; when the grammar does not take what came, draws among what it takes. To ask it about one
 * token is cheap, about the whole vocabulary is not. */
static enum err draw(struct run *run, struct choice *c, float *logits, int32_t *token,
                     struct why *why)
{
    bool allowed = true;
    *token = sample_draw(&c->call->sampling, logits, &run->scratch, &c->rng);
    if (!c->grammar || *token < 0)
        return ERR_OK;
    enum err err = grammar_allows(c->grammar, *token, &allowed, why);
    if (!err && !allowed) {
        err = grammar_mask(c->grammar, logits, run->info.n_vocab, why);
        *token = sample_draw(&c->call->sampling, logits, &run->scratch, &c->rng);
    }
    return err;
}

/* Every token is forbidden: the grammar is at its end (and ends were forbidden), or there is no way
 * to go on. */
static enum err stuck(const struct run *run, struct choice *c, bool *ended, struct why *why)
{
    *ended = false;
    for (size_t i = 0; c->grammar && !*ended && i < run->n_ends; i++) {
        enum err err = grammar_allows(c->grammar, run->ends[i], ended, why);
        if (err)
            return err;
    }
    return *ended ? ERR_OK
                  : err_set(why, ERR_INTERNAL,
                            "no token is left to choose: bias and grammar forbid every one");
}

static struct probs *spare_probs(struct run_call *call)
{
    struct probs *p = call->spare;
    if (p)
        call->spare = p->next;
    else
        p = arena_alloc(call->arena, sizeof *p + call->request.n_tops * sizeof p->tops[0]);
    return p;
}

static enum err measure(struct run *run, struct run_call *call, int32_t token, struct probs **out,
                        struct why *why)
{
    int32_t ids[RUN_MAX_TOPS];
    if (!call->request.logprobs)
        return ERR_OK;
    struct probs *p = spare_probs(call);
    if (!p)
        return err_set(why, ERR_NO_MEMORY, "the memory for one answer is used up");
    double log_sum = sample_log_sum(run->raw, run->info.n_vocab);
    p->logprob = (float)((double)run->raw[token] - log_sum);
    p->n = (uint32_t)sample_tops(run->raw, run->info.n_vocab, call->request.n_tops, ids);
    for (uint32_t i = 0; i < p->n; i++)
        p->tops[i] = (struct run_top){ids[i], (float)((double)run->raw[ids[i]] - log_sum),
                                      write_piece(run, ids[i])};
    *out = p;
    return ERR_OK;
}

/* ---- the answer grows ---- */

static enum err append(struct choice *c, int32_t token, struct why *why)
{
    if (c->n == c->cap) {
        int32_t *grown = realloc(c->tokens, 2 * (size_t)c->cap * sizeof *grown);
        if (!grown)
            return err_set(why, ERR_NO_MEMORY, "could not keep %u tokens", 2 * c->cap);
        c->tokens = grown;
        c->cap *= 2;
    }
    c->tokens[c->n++] = token;
    c->written++;
    return ERR_OK;
}

static bool shown(const struct run *run, const struct run_call *call, int32_t token)
{
    if (!(run->piece_kind[token] & PIECE_HIDDEN) || call->request.special)
        return true;
    for (size_t i = 0; i < call->request.n_preserved; i++)
        if (call->request.preserved[i] == token)
            return true;
    return false;
}

static void count_written(struct run *run, struct run_call *call)
{
    call->last_ns = time_mono_ns();
    if (!call->first_ns)
        call->first_ns = call->last_ns;
    call->usage.completion++;
    run->state.completion_tokens++;
    fair_charge(&run->fair, call->place, FAIR_WRITTEN);
}

/* The token joins the answer: its text is given out as far as it is sure. */
static enum err join(struct run *run, struct choice *c, int32_t token, struct probs *probs,
                     struct spell_part *part, struct why *why)
{
    struct str bytes = shown(run, c->call, token) ? write_piece(run, token) : STR_NONE;
    enum err err = append(c, token, why);
    if (!err)
        err = spell_add(&c->spell, token, bytes, probs, part, why);
    if (!err)
        count_written(run, c->call);
    return err;
}

static enum err choose(struct run *run, struct choice *c, float *logits, int32_t *token,
                       struct probs **probs, struct why *why)
{
    if (c->call->request.logprobs)
        memcpy(run->raw, logits, run->info.n_vocab * sizeof *logits);
    lean(run, c, logits);
    enum err err = draw(run, c, logits, token, why);
    if (!err && *token >= 0)
        err = measure(run, c->call, *token, probs, why);
    if (!err && *token >= 0 && c->grammar)
        err = grammar_accept(c->grammar, *token, why);
    return err == ERR_INVALID ? ERR_INTERNAL : err; /* not the caller's fault any more */
}

void write_token(struct run *run, struct choice *c, float *logits)
{
    struct spell_part part = {0};
    struct probs *probs = NULL;
    struct why why = {0};
    int32_t token = -1;
    bool ended = false;
    enum err err = choose(run, c, logits, &token, &probs, &why);
    if (!err && token < 0)
        err = stuck(run, c, &ended, &why);
    if (!err && token >= 0 && (run->piece_kind[token] & PIECE_END))
        ended = true;
    if (!err && !ended)
        err = join(run, c, token, probs, &part, &why);
    if (err) {
        write_fail(run, c->call, err, &why);
        return;
    }
    if (ended) {
        write_end(run, c, RUN_FINISH_STOP, STR_NONE);
        return;
    }
    release_siblings(c->call); /* the prompt has been read */
    tell_part(c, &part);
    if (part.stop)
        write_end(run, c, RUN_FINISH_STOP, *part.stop);
    else if (c->written == c->limit)
        write_end(run, c, RUN_FINISH_LENGTH, STR_NONE);
}

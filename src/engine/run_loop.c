/* The loop: requests come in, steps are computed, requests leave. */
#include <string.h>

#include <llama.h>

#include "core/log.h"
#include "core/time.h"
#include "engine/run_in.h"

#define READ_LEAST 64   /* tokens of prompts in a step, however slow the machine */
#define STEP_MS    2000 /* the longest step, about: who comes in meanwhile waits for its end */
#define TILE       64   /* rows that ggml's attention computes together (GGML_FA_TILE_Q) */

/* ---- one step of text ---- */

static bool has_free_slot(const struct run *run)
{
    for (uint32_t i = 0; i < run->info.slots; i++)
        if (!run->slots[i].choice)
            return true;
    return false;
}

/* Tokens of the slot's choice that are not computed yet; 1 while it writes. */
static uint32_t pending(const struct slot *s)
{
    return s->choice ? s->choice->n - s->n : 0;
}

/* Requests with different adapters are computed in different steps, in turn. */
static const float *whose_turn(struct run *run)
{
    for (uint32_t i = 0; i < run->info.slots; i++) {
        uint32_t at = (run->next_scales + i) % run->info.slots;
        if (run->slots[at].choice) {
            run->next_scales = at + 1;
            return run->slots[at].scales;
        }
    }
    return NULL;
}

static bool in_step(const struct run *run, uint32_t i, const float *scales)
{
    return run->slots[i].choice && seat_same(run, run->slots[i].scales, scales);
}

/*
 * How many tokens of prompts this step may read. Who writes waits for them: by the time that was
 * asked for, and by so much more as those who read outnumber those who write. When many begin at
 * once they are soon together in large batches, which is half as fast again as in small ones.
 */
static uint32_t budget(const struct run *run, uint32_t reading, uint32_t writing)
{
    double ms = writing ? run->prompt_ms * (1 + (double)reading / writing) : STEP_MS;
    double most = run->read_per_ms * (ms < STEP_MS ? ms : STEP_MS);
    uint32_t least = writing ? READ_LEAST : run->ubatch;
    uint32_t room = run->batch - writing;
    uint32_t n = most > (double)room ? room : (uint32_t)most;
    if (n < least)
        n = least;
    return n < room ? n : room;
}

static void grant(struct run *run, uint32_t i, uint32_t most, uint32_t *left)
{
    uint32_t n = pending(&run->slots[i]) - run->step.take[i];
    n = n < most ? n : most;
    n = n < *left ? n : *left;
    run->step.take[i] += n;
    *left -= n;
}

/* Slots whose prompt is being read, those with the least to read first. */
static uint32_t readers(const struct run *run, const float *scales, uint32_t out[RUN_MAX_SLOTS])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < run->info.slots; i++) {
        uint32_t mine = in_step(run, i, scales) ? pending(&run->slots[i]) : 0, at = n;
        if (mine < 2)
            continue;
        for (; at > 0 && pending(&run->slots[out[at - 1]]) > mine; at--)
            out[at] = out[at - 1];
        out[at] = i;
        n++;
    }
    return n;
}

/*
 * Attention works on tiles of rows, and each tile on all that any of its rows can see: a few tokens
 * of many answers in a tile with prompts cost as much as the whole cache for each. So a step that
 * is large enough for tiles reads or writes, in turn.
 */
static void part(struct run *run, uint32_t writing)
{
    struct step *step = &run->step;
    uint32_t total = 0;
    for (uint32_t i = 0; i < run->info.slots; i++)
        total += step->take[i];
    if (total < TILE || total == writing)
        return;
    for (uint32_t i = 0; i < run->info.slots; i++)
        if ((pending(&run->slots[i]) == 1) != run->read_last)
            step->take[i] = 0;
    run->read_last = !run->read_last;
}

/*
 * Who writes gets one token. Of what may be read, half goes to the prompt that came first, so that
 * none waits for ever; the other half to those that are soonest done, so that a short one is not
 * kept waiting by a long one.
 */
static void share_out(struct run *run, const float *scales)
{
    uint32_t reading[RUN_MAX_SLOTS], writing = 0, first = 0;
    uint32_t n = readers(run, scales, reading);
    for (uint32_t i = 0; i < run->info.slots; i++) {
        run->step.take[i] = in_step(run, i, scales) && pending(&run->slots[i]) == 1;
        writing += run->step.take[i];
    }
    uint32_t left = n ? budget(run, n, writing) : 0;
    for (uint32_t i = 1; i < n; i++)
        if (run->slots[reading[i]].choice->seated < run->slots[reading[first]].choice->seated)
            first = i;
    if (n)
        grant(run, reading[first], (left + 1) / 2, &left);
    for (uint32_t i = 0; i < n; i++)
        grant(run, reading[i], left, &left);
    if (n && writing)
        part(run, writing);
}

static void build(struct run *run, const float *scales)
{
    struct step *step = &run->step;
    share_out(run, scales);
    step->n = step->n_calls = 0;
    for (uint32_t i = 0; i < run->info.slots; i++) {
        const struct slot *s = &run->slots[i];
        step->row[i] = -1;
        if (step->take[i])
            step->call[step->n_calls++] = s->choice->call;
        for (uint32_t j = 0; j < step->take[i]; j++) {
            uint32_t at = step->n++;
            step->token[at] = s->choice->tokens[s->n + j];
            step->pos[at] = (int32_t)(s->n + j);
            step->n_seq[at] = 1;
            step->seq_ids[at] = (int32_t)i;
            step->output[at] = s->n + j + 1 == s->choice->n;
            if (step->output[at])
                step->row[i] = (int32_t)at;
        }
    }
}

bool loop_unwanted(void *arg)
{
    const struct run *run = arg;
    const struct step *step = &run->step;
    for (uint32_t i = 0; i < step->n_calls; i++)
        if (!atomic_load_explicit(&step->call[i]->cancelled, memory_order_relaxed))
            return false;
    return step->n_calls > 0;
}

int loop_decode(struct run *run, const float *scales)
{
    struct step *step = &run->step;
    float copy[RUN_MAX_ADAPTERS];
    if (run->n_adapters) {
        struct llama_adapter_lora *used[RUN_MAX_ADAPTERS];
        size_t n = 0;
        for (uint32_t i = 0; i < run->n_adapters; i++)
            if (scales[i] != 0) {
                used[n] = run->adapters[i];
                copy[n++] = scales[i];
            }
        (void)llama_set_adapters_lora(run->ctx, used, n, copy);
    }
    run_log_quiet(true); /* a full cache is said by its code */
    int code = llama_decode(run->ctx, (struct llama_batch){
                                          .n_tokens = (int32_t)step->n,
                                          .token = step->token,
                                          .pos = step->pos,
                                          .n_seq_id = step->n_seq,
                                          .seq_id = step->seq,
                                          .logits = step->output,
                                      });
    run_log_quiet(false);
    return code;
}

static void computed(struct run *run, double ms)
{
    struct step *step = &run->step;
    run->state.busy_ms += ms;
    if (step->n >= READ_LEAST && ms > 0) {
        double now = (double)step->n / ms;
        run->read_per_ms = run->read_per_ms > 0 ? 0.7 * run->read_per_ms + 0.3 * now : now;
    }
    for (uint32_t i = 0; i < run->info.slots; i++) {
        struct slot *s = &run->slots[i];
        if (step->take[i]) {
            memcpy(s->tokens + s->n, s->choice->tokens + s->n, step->take[i] * sizeof *s->tokens);
            s->n += step->take[i];
        }
    }
}

/* The step was broken off: what it had put into the cache goes. */
static void forget_step(struct run *run)
{
    for (uint32_t i = 0; i < run->info.slots; i++)
        if (run->step.take[i])
            seat_trim(run, i, run->slots[i].n, true);
}

/* The slots of this step hold nobody knows what: whoever sits there ends. */
static void fail_step(struct run *run, int code)
{
    struct why why = {0};
    err_note(&why, "the model could not be computed (code %d)", code);
    LOG_ERROR("a step failed", LOG_I("code", code), LOG_I("tokens", run->step.n));
    for (uint32_t i = 0; i < run->info.slots; i++) {
        struct choice *c = run->step.take[i] ? run->slots[i].choice : NULL;
        if (c) {
            seat_leave(run, c, true);
            write_fail(run, c->call, ERR_INTERNAL, &why);
        }
    }
}

/* The cache is full and one answer alone fills it: it ends at its length. */
static void end_the_last(struct run *run)
{
    for (uint32_t i = 0; i < run->info.slots; i++)
        if (run->slots[i].choice)
            write_end(run, run->slots[i].choice, RUN_FINISH_LENGTH, STR_NONE);
}

static void text_step(struct run *run)
{
    struct choice *next;
    while (has_free_slot(run) && (next = seat_next(run)))
        seat_give(run, next);
    const float *scales = whose_turn(run);
    if (!scales)
        return;
    build(run, scales);
    int64_t start = time_mono_ns();
    int code = loop_decode(run, scales);
    if (code == 1) {
        if (!seat_make_room(run))
            end_the_last(run);
        return;
    }
    if (code == 2) {
        forget_step(run);
        return;
    }
    if (code) {
        fail_step(run, code);
        return;
    }
    computed(run, (double)(time_mono_ns() - start) / 1e6);
    for (uint32_t i = 0; i < run->info.slots; i++)
        if (run->step.row[i] >= 0 && run->slots[i].choice)
            write_token(run, run->slots[i].choice,
                        llama_get_logits_ith(run->ctx, run->step.row[i]));
}

/* ---- in and out ---- */

static bool take_fresh(struct run *run)
{
    (void)pthread_mutex_lock(&run->lock);
    while (!run->stopping && run->n_calls == 0 && run->n_fresh == 0)
        (void)pthread_cond_wait(&run->wake, &run->lock);
    bool go_on = !run->stopping;
    for (uint32_t i = 0; i < run->n_fresh; i++) {
        struct run_call *call = run->fresh[i];
        call->place = fair_enter(&run->fair, call->request.key);
        run->calls[run->n_calls++] = call;
        run->state.requests++;
    }
    run->n_waiting += run->n_fresh;
    run->n_fresh = 0;
    (void)pthread_mutex_unlock(&run->lock);
    return go_on;
}

static void hear_cancels(struct run *run)
{
    int64_t now = time_mono_ns();
    for (uint32_t i = 0; i < run->n_calls; i++) {
        struct run_call *call = run->calls[i];
        if (!call_over(call, now))
            continue;
        struct why why = {0};
        bool cancelled = atomic_load(&call->cancelled);
        if (cancelled)
            err_note(&why, "the request was cancelled");
        else
            err_note(&why, "the answer took longer than %lld ms",
                     (long long)call->request.deadline_ms);
        write_fail(run, call, cancelled ? ERR_CANCELLED : ERR_TIMEOUT, &why);
    }
}

static bool waits(const struct run_call *call)
{
    for (uint32_t i = 0; i < call->n_choices; i++)
        if (call->choices[i].phase == CHOICE_SEATED)
            return false;
    return call->n_sent == 0;
}

static void publish_slots(struct run *run)
{
    struct run_state *state = &run->state;
    state->n_slots = run->info.slots;
    for (uint32_t i = 0; i < run->info.slots; i++) {
        const struct choice *c = run->slots[i].choice;
        state->slots[i] = (struct run_slot){
            .phase = !c                            ? RUN_SLOT_IDLE
                     : pending(&run->slots[i]) > 1 ? RUN_SLOT_READING
                                                   : RUN_SLOT_WRITING,
            .cached = run->slots[i].n,
            .prompt = c ? c->call->n_prompt : 0,
            .written = c ? c->written : 0,
            .max_tokens = c ? c->limit : 0,
        };
    }
}

/* Calls that are over leave; the others' state is shown. */
static void sweep(struct run *run)
{
    struct run_call *over[RUN_MAX_SLOTS];
    uint32_t n_over = 0, kept = 0, waiting = 0;
    (void)pthread_mutex_lock(&run->lock);
    for (uint32_t i = 0; i < run->n_calls; i++) {
        struct run_call *call = run->calls[i];
        if (call->over && n_over < RUN_MAX_SLOTS) {
            fair_leave(&run->fair, call->place);
            run->state.cancelled += call->err == ERR_CANCELLED;
            run->state.failed += call->err && call->err != ERR_CANCELLED;
            over[n_over++] = call;
        } else {
            waiting += waits(call);
            run->calls[kept++] = call;
        }
    }
    run->n_calls = kept;
    run->n_waiting = waiting;
    run->state.waiting = waiting;
    run->state.active = kept - waiting;
    run->state.steps = ++run->steps;
    run->state.remembered_bytes = run->shelf.bytes;
    publish_slots(run);
    run->shown = run->state;
    (void)pthread_mutex_unlock(&run->lock);
    for (uint32_t i = 0; i < n_over; i++)
        call_done(over[i]);
}

static void end_all(struct run *run)
{
    struct why why = {0};
    err_note(&why, "the engine was stopped");
    (void)take_fresh(run);
    for (uint32_t i = 0; i < run->n_calls; i++)
        write_fail(run, run->calls[i], ERR_CANCELLED, &why);
    while (run->n_calls)
        sweep(run);
}

/* ---- the thread ---- */

/* One token through the model: what cannot be computed is known before the first request, and the
 * weights are in memory. */
static enum err warm_up(struct run *run, struct why *why)
{
    struct step *step = &run->step;
    bool text = run->info.kind == RUN_GENERATE;
    step->n = 1;
    step->n_calls = 0;
    step->token[0] = run->info.bos >= 0 ? run->info.bos : 0;
    step->pos[0] = 0;
    step->n_seq[0] = 1;
    step->seq_ids[0] = 0;
    step->output[0] = 1;
    float none[RUN_MAX_ADAPTERS] = {0};
    int code = loop_decode(run, none);
    if (llama_get_memory(run->ctx))
        llama_memory_clear(llama_get_memory(run->ctx), false);
    if (code)
        return err_set(why, ERR_UNSUPPORTED, "the model could not be computed (code %d)", code);
    if (text && !llama_get_logits_ith(run->ctx, 0))
        return err_set(why, ERR_UNSUPPORTED, "the model gives no probabilities");
    return ERR_OK;
}

void *loop_main(void *arg)
{
    struct run *run = arg;
    struct why why = {0};
    enum err err = warm_up(run, &why);
    (void)pthread_mutex_lock(&run->lock);
    run->ready = true;
    run->start_err = err;
    run->start_why = why;
    (void)pthread_cond_broadcast(&run->wake);
    (void)pthread_mutex_unlock(&run->lock);
    while (!err && take_fresh(run)) {
        hear_cancels(run);
        if (run->info.kind == RUN_GENERATE)
            text_step(run);
        else
            embed_step(run);
        sweep(run);
    }
    if (!err)
        end_all(run);
    return NULL;
}

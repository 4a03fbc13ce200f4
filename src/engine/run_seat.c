/* Slots: who gets one next, which prefix it finds there or on the shelf, who steps back when the
 * cache is full. */
#include <string.h>

#include <llama.h>

#include "core/time.h"
#include "engine/run_in.h"

#define SEAT_MARGIN 64 /* cells kept for each answer to grow before somebody must step back */
#define COPY_LEAST  32 /* tokens worth the copy of a whole slot's cache */
#define KEEP_LEAST  32 /* tokens worth a place on the shelf beside a prefix that is in use */

bool seat_same(const struct run *run, const float *a, const float *b)
{
    for (uint32_t i = 0; i < run->n_adapters; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

/* ---- who ---- */

static bool goes_before(const struct run *run, const struct choice *a, const struct choice *b)
{
    const struct run_call *x = a->call, *y = b->call;
    if (x->request.priority != y->request.priority)
        return x->request.priority > y->request.priority;
    uint64_t served_x = fair_served(&run->fair, x->place);
    uint64_t served_y = fair_served(&run->fair, y->place);
    if (x->place != y->place && served_x != served_y)
        return served_x < served_y;
    return x->number != y->number ? x->number < y->number : a->index < b->index;
}

/* Whether the cache holds this one too. What idle slots remember does not count: it is given up. A
 * choice that finds nobody seated always fits: no request is longer than the cache. */
static bool fits(const struct run *run, const struct choice *choice)
{
    uint64_t cells = 0, seated = 0;
    if (run->split_kv)
        return true;
    for (uint32_t i = 0; i < run->info.slots; i++) {
        const struct choice *c = run->slots[i].choice;
        if (c) {
            seated++;
            cells += c->n - c->shared;
        }
    }
    bool sibling = choice->index && choice->call->choices[0].phase == CHOICE_SEATED;
    cells += choice->n - (sibling ? choice->call->n_prompt - 1 : 0);
    return seated == 0 || cells + SEAT_MARGIN * (seated + 1) <= run->info.context_total;
}

struct choice *seat_next(struct run *run)
{
    struct choice *best = NULL;
    for (uint32_t i = 0; i < run->n_calls; i++)
        for (uint32_t j = 0; j < run->calls[i]->n_choices; j++) {
            struct choice *c = &run->calls[i]->choices[j];
            if (c->phase == CHOICE_WAITING && (!best || goes_before(run, c, best)))
                best = c;
        }
    return best && fits(run, best) ? best : NULL;
}

/* ---- where ---- */

/* Tokens that a slot's cache and a choice have in common; one at least stays to be computed. */
static uint32_t common(const struct run *run, const struct slot *slot, const struct choice *c)
{
    if (c->call->request.no_cache || !seat_same(run, slot->scales, c->call->scales))
        return 0;
    return shelf_common(run, slot->tokens, slot->n, c->tokens, c->n - 1);
}

struct found {
    uint32_t slot;   /* where to sit */
    uint32_t source; /* whose prefix to take; may be the same */
    uint32_t n;      /* tokens of it */
};

/*
 * The longest prefix anywhere; to sit, in this order: a free slot that holds just that prefix and
 * loses nothing, one that holds nothing, the one that was used longest ago.
 */
static struct found look(const struct run *run, const struct choice *c)
{
    struct found f = {RUN_NO_SLOT, RUN_NO_SLOT, 0};
    uint32_t own = 0;
    for (uint32_t i = 0; i < run->info.slots; i++) {
        uint32_t n = common(run, &run->slots[i], c);
        if (n > f.n) {
            f.n = n;
            f.source = i;
        }
    }
    for (uint32_t i = 0; i < run->info.slots; i++) {
        const struct slot *s = &run->slots[i],
                          *best = &run->slots[f.slot == RUN_NO_SLOT ? i : f.slot];
        if (s->choice)
            continue;
        if (f.n && s->n == f.n && common(run, s, c) == f.n)
            return (struct found){i, i, f.n};
        if (f.slot == RUN_NO_SLOT || (s->n == 0 && best->n != 0) ||
            ((s->n == 0) == (best->n == 0) && s->used < best->used))
            f.slot = i;
    }
    own = common(run, &run->slots[f.slot], c);
    bool copy_costs = run->split_kv && f.n < own + COPY_LEAST;
    if (own == f.n || copy_costs)
        return (struct found){f.slot, f.slot, own};
    return f;
}

static void wipe_slot(struct run *run, uint32_t i)
{
    (void)llama_memory_seq_rm(llama_get_memory(run->ctx), (llama_seq_id)i, -1, -1);
    run->slots[i].n = 0;
}

void seat_trim(struct run *run, uint32_t i, uint32_t n, bool dirty)
{
    struct slot *s = &run->slots[i];
    if (s->n <= n && !dirty)
        return;
    if (n == 0 ||
        !llama_memory_seq_rm(llama_get_memory(run->ctx), (llama_seq_id)i, (llama_pos)n, -1))
        wipe_slot(run, i);
    else
        s->n = n;
}

/* One cache for all: cells are shared, nothing moves. A cache each: the whole of it is copied (a
 * part cannot be), then cut. */
static void copy_prefix(struct run *run, const struct found *f)
{
    llama_memory_t memory = llama_get_memory(run->ctx);
    struct slot *to = &run->slots[f->slot], *from = &run->slots[f->source];
    bool all = run->split_kv || run->whole;
    wipe_slot(run, f->slot);
    llama_memory_seq_cp(memory, (llama_seq_id)f->source, (llama_seq_id)f->slot, all ? -1 : 0,
                        all ? -1 : (llama_pos)f->n);
    memcpy(to->tokens, from->tokens, f->n * sizeof *to->tokens);
    to->n = all ? from->n : f->n;
    seat_trim(run, f->slot, f->n, false);
}

/* From the shelf into a slot; what it held more goes back when it is worth another copy. */
static void recall(struct run *run, uint32_t slot, struct shelved *take_s, uint32_t n)
{
    wipe_slot(run, slot);
    if (!shelf_restore(run, take_s, slot))
        wipe_slot(run, slot);
    if (take_s->n - n >= KEEP_LEAST)
        shelf_return(run, take_s);
    shelf_free(take_s);
    seat_trim(run, slot, n, false);
}

/*
 * In one cache for all, what idle slots hold lies between the cells of those who write, and every
 * token looks at all cells: it goes to the shelf, which costs about what ten tokens cost that are
 * written beside it.
 */
static void clear_idle(struct run *run)
{
    for (uint32_t i = 0; !run->split_kv && i < run->info.slots; i++)
        if (!run->slots[i].choice && run->slots[i].n && shelf_put(run, i))
            wipe_slot(run, i);
}

/* Fills the slot with the longest prefix. True when its cells are those of another slot too. */
static bool fill(struct run *run, const struct found *f, const struct choice *c)
{
    struct slot *s = &run->slots[f->slot];
    uint32_t at = 0, shelved = shelf_look(run, c, f->n, &at);
    bool other = shelved > f->n || (f->source != f->slot && f->n);
    struct shelved from = {0};
    if (shelved > f->n)
        from = shelf_take(run, at);
    if (other || s->n - f->n >= KEEP_LEAST)
        (void)shelf_put(run, f->slot);
    if (from.n)
        recall(run, f->slot, &from, shelved);
    else if (other)
        copy_prefix(run, f);
    else
        seat_trim(run, f->slot, f->n, false);
    return other && !from.n && !run->split_kv && f->source != f->slot;
}

void seat_give(struct run *run, struct choice *c)
{
    struct run_call *call = c->call;
    struct found f = look(run, c);
    struct slot *s = &run->slots[f.slot];
    bool shares = fill(run, &f, c);
    memcpy(s->scales, call->scales, run->n_adapters * sizeof *s->scales);
    s->choice = c;
    c->slot = f.slot;
    c->phase = CHOICE_SEATED;
    c->shared = shares ? s->n : 0;
    c->seated = ++run->seatings;
    if (!call->seated_ns) {
        call->seated_ns = time_mono_ns();
        call->usage.cached = s->n;
        run->state.prompt_tokens += call->n_prompt;
        run->state.cached_tokens += s->n;
    }
    fair_charge(&run->fair, call->place, c->n - s->n);
    clear_idle(run);
}

void seat_leave(struct run *run, struct choice *c, bool wipe)
{
    if (c->slot == RUN_NO_SLOT)
        return;
    struct slot *s = &run->slots[c->slot];
    if (wipe)
        wipe_slot(run, c->slot);
    s->choice = NULL;
    s->used = run->steps;
    c->slot = RUN_NO_SLOT;
}

/* ---- who steps back ---- */

static struct choice *last_of_least(const struct run *run)
{
    struct choice *last = NULL;
    uint32_t seated = 0;
    for (uint32_t i = 0; i < run->info.slots; i++) {
        struct choice *c = run->slots[i].choice;
        if (!c)
            continue;
        seated++;
        int32_t mine = c->call->request.priority;
        int32_t least = last ? last->call->request.priority : 0;
        if (!last || mine < least || (mine == least && c->seated > last->seated))
            last = c;
    }
    return seated > 1 ? last : NULL;
}

bool seat_make_room(struct run *run)
{
    uint32_t oldest = RUN_NO_SLOT;
    for (uint32_t i = 0; i < run->info.slots; i++)
        if (!run->slots[i].choice && run->slots[i].n &&
            (oldest == RUN_NO_SLOT || run->slots[i].used < run->slots[oldest].used))
            oldest = i;
    if (oldest != RUN_NO_SLOT) {
        (void)shelf_put(run, oldest);
        wipe_slot(run, oldest);
        return true;
    }
    struct choice *c = last_of_least(run);
    if (!c)
        return false;
    seat_leave(run, c, true);
    c->phase = CHOICE_WAITING;
    run->state.preempted++;
    return true;
}

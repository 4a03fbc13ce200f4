/* The shelf: what slots held and may be asked again, outside the cache. */
#include <stdlib.h>
#include <string.h>

#include <llama.h>

#include "engine/run_in.h"

#define WORTH 128 /* tokens that may be copied to save the reading of one */

static void drop(struct run *run, uint32_t i)
{
    struct shelf *shelf = &run->shelf;
    struct shelved *s = &shelf->items[i];
    shelf->bytes -= s->bytes;
    shelf_free(s);
    shelf->items[i] = shelf->items[--shelf->n];
}

void shelf_free(struct shelved *s)
{
    free(s->tokens);
    free(s->state);
    *s = (struct shelved){0};
}

void shelf_release(struct run *run)
{
    while (run->shelf.n)
        drop(run, run->shelf.n - 1);
}

uint32_t shelf_common(const struct run *run, const int32_t *a, uint32_t n_a, const int32_t *b,
                      uint32_t n_b)
{
    uint32_t most = n_a < n_b ? n_a : n_b, n = 0;
    while (n < most && a[n] == b[n])
        n++;
    return run->whole && n < n_a ? 0 : n;
}

/* ---- onto it ---- */

static void make_room(struct run *run, size_t bytes)
{
    struct shelf *shelf = &run->shelf;
    while (shelf->n && (shelf->n == SHELF_MOST || shelf->bytes + bytes > shelf->limit)) {
        uint32_t oldest = 0;
        for (uint32_t i = 1; i < shelf->n; i++)
            if (shelf->items[i].used < shelf->items[oldest].used)
                oldest = i;
        drop(run, oldest);
    }
}

void shelf_return(struct run *run, struct shelved *take_s)
{
    struct shelf *shelf = &run->shelf;
    make_room(run, take_s->bytes);
    take_s->used = ++shelf->uses;
    shelf->items[shelf->n++] = *take_s;
    shelf->bytes += take_s->bytes;
    *take_s = (struct shelved){0};
}

/* Whether the shelf holds all that the slot does; what the slot holds more of goes from the shelf.
 */
static bool known(struct run *run, const struct slot *slot)
{
    struct shelf *shelf = &run->shelf;
    for (uint32_t i = 0; i < shelf->n;) {
        struct shelved *s = &shelf->items[i];
        bool same = seat_same(run, s->scales, slot->scales);
        uint32_t n = same ? shelf_common(run, s->tokens, s->n, slot->tokens, slot->n) : 0;
        if (same && n == slot->n && (!run->whole || s->n == n)) {
            s->used = ++shelf->uses;
            return true;
        }
        if (same && n == s->n && !run->whole)
            drop(run, i);
        else
            i++;
    }
    return false;
}

bool shelf_put(struct run *run, uint32_t at)
{
    const struct slot *slot = &run->slots[at];
    struct shelved s = {.n = slot->n};
    if (!slot->n || !run->shelf.limit)
        return false;
    if (known(run, slot))
        return true;
    size_t tokens = slot->n * sizeof *s.tokens;
    size_t state = llama_state_seq_get_size(run->ctx, (llama_seq_id)at);
    s.bytes = tokens + state;
    if (!state || s.bytes > run->shelf.limit)
        return false;
    s.tokens = malloc(tokens);
    s.state = malloc(state);
    if (!s.tokens || !s.state ||
        llama_state_seq_get_data(run->ctx, s.state, state, (llama_seq_id)at) != state) {
        shelf_free(&s);
        return false;
    }
    memcpy(s.tokens, slot->tokens, tokens);
    memcpy(s.scales, slot->scales, sizeof s.scales);
    shelf_return(run, &s);
    return true;
}

/* ---- from it ---- */

uint32_t shelf_look(const struct run *run, const struct choice *c, uint32_t known, uint32_t *at)
{
    const struct shelf *shelf = &run->shelf;
    uint32_t best = known;
    for (uint32_t i = 0; !c->call->request.no_cache && i < shelf->n; i++) {
        const struct shelved *s = &shelf->items[i];
        if (!seat_same(run, s->scales, c->call->scales))
            continue;
        uint32_t n = shelf_common(run, s->tokens, s->n, c->tokens, c->n - 1);
        if (n > best && (uint64_t)(n - known) * WORTH >= s->n) {
            best = n;
            *at = i;
        }
    }
    return best;
}

struct shelved shelf_take(struct run *run, uint32_t at)
{
    struct shelf *shelf = &run->shelf;
    struct shelved s = shelf->items[at];
    shelf->bytes -= s.bytes;
    shelf->items[at] = shelf->items[--shelf->n];
    return s;
}

bool shelf_restore(struct run *run, const struct shelved *s, uint32_t at)
{
    struct slot *slot = &run->slots[at];
    size_t state = s->bytes - s->n * sizeof *s->tokens;
    run_log_quiet(true); /* no room for it is no fault: the prompt is read */
    bool ok = llama_state_seq_set_data(run->ctx, s->state, state, (llama_seq_id)at) == state;
    run_log_quiet(false);
    if (!ok)
        return false;
    memcpy(slot->tokens, s->tokens, s->n * sizeof *slot->tokens);
    memcpy(slot->scales, s->scales, sizeof s->scales);
    slot->n = s->n;
    run->state.recalled++;
    return true;
}

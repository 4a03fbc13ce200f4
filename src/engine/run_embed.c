/* The steps of a model that gives vectors or scores: as many inputs at once as there is room for.
 */
#include <math.h>
#include <string.h>

#include <llama.h>

#include "core/time.h"
#include "engine/run_in.h"

/* The inputs of one step: sequence i of the batch is input `input[i]` of `call[i]`. */
struct pack {
    struct run_call *call[RUN_MAX_SLOTS];
    uint32_t input[RUN_MAX_SLOTS];
    uint32_t n;
};

static uint32_t taken(const struct pack *pack, const struct run_call *call)
{
    uint32_t n = call->n_sent;
    for (uint32_t i = 0; i < pack->n; i++)
        n += pack->call[i] == call;
    return n;
}

/* Whose input is next: by priority, then by what its key was served, then in order. */
static struct run_call *next_call(const struct run *run, const struct pack *pack)
{
    struct run_call *best = NULL;
    for (uint32_t i = 0; i < run->n_calls; i++) {
        struct run_call *c = run->calls[i];
        if (c->over || taken(pack, c) == c->request.n_inputs ||
            (pack->n && !seat_same(run, c->scales, pack->call[0]->scales)))
            continue;
        uint64_t mine = fair_served(&run->fair, c->place);
        uint64_t least = best ? fair_served(&run->fair, best->place) : 0;
        if (!best || c->request.priority > best->request.priority ||
            (c->request.priority == best->request.priority && mine < least))
            best = c;
    }
    return best;
}

static void add(struct run *run, struct pack *pack, struct run_call *call)
{
    struct step *step = &run->step;
    uint32_t input = taken(pack, call);
    const struct run_input *in = &call->request.inputs[input];
    for (size_t j = 0; j < in->n; j++) {
        uint32_t at = step->n++;
        step->token[at] = in->tokens[j];
        step->pos[at] = (int32_t)j;
        step->n_seq[at] = 1;
        step->seq_ids[at] = (int32_t)pack->n;
        step->output[at] = 1;
    }
    pack->call[pack->n] = call;
    pack->input[pack->n++] = input;
    step->call[step->n_calls++] = call;
    if (!call->seated_ns)
        call->seated_ns = time_mono_ns();
    fair_charge(&run->fair, call->place, in->n);
}

static void gather(struct run *run, struct pack *pack)
{
    struct run_call *call;
    run->step.n = run->step.n_calls = 0;
    while (pack->n < run->info.slots && (call = next_call(run, pack))) {
        if (run->step.n + call->request.inputs[taken(pack, call)].n > run->batch)
            break; /* in turn: nothing smaller overtakes it */
        add(run, pack, call);
    }
}

/* Euclidean length 1. A vector of zeros stays one. */
static void normalise(float *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)v[i] * (double)v[i];
    double scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (size_t i = 0; i < n; i++)
        v[i] = (float)((double)v[i] * scale);
}

static bool all_finite(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return false;
    return true;
}

static void tell(struct run *run, struct run_call *call, uint32_t input, float *vector)
{
    size_t n = run->info.n_embd, n_tokens = call->request.inputs[input].n;
    struct why why = {0};
    if (!vector || !all_finite(vector, n)) {
        err_note(&why, "the model gave no numbers for input %u", input);
        write_fail(run, call, ERR_INTERNAL, &why);
        return;
    }
    if (run->info.kind == RUN_EMBED)
        normalise(vector, n);
    call_tell(call, &(struct run_event){
                        .kind = RUN_VECTOR, .index = input, .vector = vector, .n_vector = n});
    call->last_ns = time_mono_ns();
    if (!call->first_ns)
        call->first_ns = call->last_ns;
    call->usage.prompt += n_tokens;
    run->state.input_tokens += n_tokens;
    call->over = ++call->n_sent == call->request.n_inputs;
}

void embed_step(struct run *run)
{
    struct pack pack = {.n = 0};
    gather(run, &pack);
    if (pack.n == 0)
        return;
    int64_t start = time_mono_ns();
    int code = loop_decode(run, pack.call[0]->scales);
    run->state.busy_ms += (double)(time_mono_ns() - start) / 1e6;
    for (uint32_t i = 0; i < pack.n; i++) {
        struct run_call *call = pack.call[i];
        struct why why = {0};
        if (call->over || (code == 2 && atomic_load(&call->cancelled)))
            continue; /* broken off: the next step hears why */
        if (code) {
            err_note(&why, "the model could not be computed (code %d)", code);
            write_fail(run, call, ERR_INTERNAL, &why);
        } else {
            tell(run, call, pack.input[i], llama_get_embeddings_seq(run->ctx, (llama_seq_id)i));
        }
    }
    if (llama_get_memory(run->ctx))
        llama_memory_clear(llama_get_memory(run->ctx), false);
}

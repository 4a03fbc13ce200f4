/*
 * engine/run_in - what the files of the run share; nobody else includes it.
 *
 *   run_open   options, header check, loading        run_call   a request's life, cancel, events
 *   run_loop   the steps and the thread              run_seat   slots, prefixes, the waiting line
 *   run_shelf  prefixes kept outside the cache       run_write  a token sampled, spelled, told
 *   run_embed  the steps of vectors and scores       run_text   tokens and text
 *   run_log    llama.cpp's log and last words
 *
 * What the loop's thread owns needs no lock; what others see is under run->lock.
 */
#ifndef ENGINE_RUN_IN_H
#define ENGINE_RUN_IN_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/fair.h"
#include "engine/run.h"
#include "engine/sample.h"
#include "engine/spell.h"

struct grammar;
struct llama_adapter_lora;
struct llama_context;
struct llama_model;
struct llama_vocab;

#define RUN_NO_SLOT UINT32_MAX

enum choice_phase {
    CHOICE_WAITING, /* in the line */
    CHOICE_HELD,    /* until the first choice has read the prompt they share */
    CHOICE_SEATED,  /* has a slot */
    CHOICE_ENDED
};

/* One answer that is being written; the first may have siblings (`n`). */
struct choice {
    struct run_call *call;
    uint32_t index;
    enum choice_phase phase;
    uint32_t slot;    /* RUN_NO_SLOT unless seated */
    int32_t *tokens;  /* prompt and answer, malloc'ed, `cap` of them */
    uint32_t n, cap;  /* known; room for */
    uint32_t limit;   /* tokens it may write */
    uint32_t shared;  /* tokens in its slot that another slot's cells hold too */
    uint32_t written; /* the end token not counted */
    uint64_t seated;  /* when, in the order of seatings */
    struct sample_rng rng;
    struct grammar *grammar; /* NULL: none */
    struct spell spell;
};

/* What logprobs ask about one token. */
struct probs {
    struct probs *next; /* among the spare */
    float logprob;
    uint32_t n;
    struct run_top tops[]; /* request.n_tops */
};

/* A request. Two hold it: the caller and, until RUN_DONE, the run. */
struct run_call {
    struct run *run;
    struct arena *arena; /* the submitting thread's, then the loop's */
    atomic_int holders;
    atomic_bool cancelled;
    bool in_line;            /* counted in run->n_waiting */
    pthread_mutex_t telling; /* recursive: held while the sink runs */
    run_sink *sink;          /* NULL once released; under `telling` */
    void *ctx;

    struct run_request request; /* its pointers are copies in the arena */
    struct sample_opts sampling;
    float *scales;       /* of each adapter, 0: not used */
    struct probs *spare; /* of tokens that were told */
    struct choice *choices;
    uint32_t n_choices, n_ended;
    uint32_t n_prompt;
    uint32_t n_sent; /* embed, rerank: inputs done */
    uint64_t number; /* order of submission */
    size_t place;    /* in the fair table; SIZE_MAX before it entered */
    int64_t submitted_ns, seated_ns, first_ns, last_ns, deadline_ns;
    struct run_usage usage;
    bool over;    /* to be ended when the step is over */
    enum err err; /* what it ends with */
    struct why why;
};

struct slot {
    int32_t *tokens; /* what its cache holds; context of them */
    uint32_t n;
    float *scales; /* the adapters it was computed with */
    struct choice *choice;
    uint64_t used; /* step it was last used in */
};

/* What a slot held, copied out of the cache. */
struct shelved {
    int32_t *tokens; /* n, malloc'ed */
    uint8_t *state;  /* as llama.cpp writes it, malloc'ed */
    uint32_t n;
    size_t bytes; /* of both */
    float scales[RUN_MAX_ADAPTERS];
    uint64_t used;
};

#define SHELF_MOST 256

struct shelf {
    struct shelved items[SHELF_MOST]; /* n of them, in no order */
    uint32_t n;
    size_t bytes, limit;
    uint64_t uses;
};

/* What a step works on. */
struct step {
    int32_t *token, *pos, *n_seq;
    int32_t **seq, *seq_ids;
    int8_t *output;
    uint32_t n;
    struct run_call *call[RUN_MAX_SLOTS]; /* whose it is, n_calls of them */
    uint32_t n_calls;
    uint32_t take[RUN_MAX_SLOTS]; /* tokens of each slot in it */
    int32_t row[RUN_MAX_SLOTS];   /* the slot's row of logits, or -1 */
};

struct run {
    struct run_info info;
    struct arena *arena; /* of info and of what lives as long as the run */
    struct llama_model *model;
    const struct llama_vocab *vocab;
    struct llama_context *ctx;
    struct llama_adapter_lora *adapters[RUN_MAX_ADAPTERS];
    uint32_t n_adapters;
    bool split_kv;
    bool whole; /* recurrent: a state cannot be cut back, only continued */
    uint32_t batch, ubatch, queue, prompt_ms;
    int32_t *ends; /* the tokens that end an answer */
    size_t n_ends;
    const int32_t *never; /* the file's own "suppress_tokens" */
    size_t n_never;

    /* The text of every token: piece_at[id] .. piece_at[id + 1]. */
    char *pieces;
    uint32_t *piece_at;  /* n_vocab + 1 */
    uint8_t *piece_kind; /* n_vocab: PIECE_* bits */

    pthread_t thread;
    bool threaded;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* the loop waits on it */
    /* under `lock` */
    struct run_call **fresh; /* submitted, not seen by the loop yet; `queue` of them at most */
    uint32_t n_fresh;
    uint32_t n_waiting; /* those the loop has taken and not seated */
    bool draining, stopping, ready;
    enum err start_err;
    struct why start_why;
    uint64_t numbers;
    struct run_state shown; /* as of the last step */

    /* the loop's own */
    struct run_call **calls; /* inside, in order of submission; call_most of them at most */
    uint32_t n_calls, call_most;
    struct slot *slots;
    struct step step;
    struct shelf shelf;
    struct fair fair;
    struct sample_scratch scratch;
    float *raw; /* n_vocab: a row before bias and penalties, for logprobs */
    struct run_state state;
    uint64_t steps, seatings;
    uint32_t next_scales; /* whose turn it is among requests with different adapters */
    bool read_last;       /* of two steps that read and write in turn, the last one read */
    double read_per_ms;   /* prompt tokens, measured */
};

enum { PIECE_HIDDEN = 1, PIECE_END = 2 };

/* ---- run_call ---- */

void call_tell(struct run_call *call, const struct run_event *event);
void call_done(struct run_call *call); /* RUN_DONE and the run's hold given back */
void call_drop(struct run_call *call); /* one hold less */
bool call_over(const struct run_call *call, int64_t now_ns); /* cancelled or too late: sets err */

/* ---- run_seat ---- */

/* The next choice that may have a slot, or NULL: fair, and only when its tokens fit. */
struct choice *seat_next(struct run *run);
/* Gives it a free slot with the longest prefix that is to be had. There is a free slot. */
void seat_give(struct run *run, struct choice *choice);
/* Takes the slot away; what it holds stays for the next prompt unless `wipe`. */
void seat_leave(struct run *run, struct choice *choice, bool wipe);
/* Cuts a slot back to its first n tokens; to nothing where the model cannot. `dirty`: its cache may
 * hold more than is known. */
void seat_trim(struct run *run, uint32_t slot, uint32_t n, bool dirty);
/* Makes room in a full cache: what an idle slot remembers, else a choice steps back. False when
 * there is nothing left to take. */
bool seat_make_room(struct run *run);

/* Whether two sets of adapters are the same. */
bool seat_same(const struct run *run, const float *a, const float *b);

/* ---- run_shelf ---- */

/* Tokens that both begin with; 0 where the model cannot cut `a` back to them. */
uint32_t shelf_common(const struct run *run, const int32_t *a, uint32_t n_a, const int32_t *b,
                      uint32_t n_b);
/* Copies what the slot holds onto the shelf, what was used longest ago makes room. False when it is
 * not there afterwards: too large, no memory, nothing to keep. */
bool shelf_put(struct run *run, uint32_t slot);
/* The longest prefix on the shelf that is worth its copy beside `known` tokens that are to be had
 * without; sets *at when it is longer, else gives `known`. */
uint32_t shelf_look(const struct run *run, const struct choice *choice, uint32_t known,
                    uint32_t *at);
struct shelved shelf_take(struct run *run, uint32_t at); /* off the shelf, the caller's */
void shelf_return(struct run *run, struct shelved *take_s);
void shelf_free(struct shelved *s);
/* Into an empty slot. False when the cache has no room; the slot must be wiped then. */
bool shelf_restore(struct run *run, const struct shelved *s, uint32_t slot);
void shelf_release(struct run *run);

/* ---- run_write ---- */

/* Samples from the row, tells the text; ends the choice when it is over. */
void write_token(struct run *run, struct choice *choice, float *logits);
void write_end(struct run *run, struct choice *choice, enum run_finish finish, struct str stop);
/* Ends the whole request with an error. */
void write_fail(struct run *run, struct run_call *call, enum err err, const struct why *why);
struct str write_piece(const struct run *run, int32_t token);

/* ---- run_loop, run_embed ---- */

void *loop_main(void *run);
/* For llama.cpp, many times in a step, on its threads: whether nobody wants the step any more. */
bool loop_unwanted(void *run);
/* Computes run->step with these adapters; llama_decode's code. */
int loop_decode(struct run *run, const float *scales);
/* One step of an embedding or rerank model; the waiting calls are run->calls. */
void embed_step(struct run *run);

/* ---- run_log ---- */

/* The last error line that llama.cpp wrote on this thread, or words that there was none. */
const char *run_log_last(void);

void run_log_quiet(bool quiet); /* for this thread: warnings of llama.cpp are debug lines */

#endif

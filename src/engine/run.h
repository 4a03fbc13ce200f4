/*
 * engine/run - one loaded model and its decode loop: requests in from any thread, events out.
 *
 * Place in the room: gguf (the header is checked) -> [run] -> chat (templates, tools) ->
 * engine_http. One process holds one run. llama.cpp aborts the process on misuse, so nothing else
 * of worth lives in it. Inside the run, one thread owns the context, the cache and the samplers.
 *
 * The loop. In each step it takes cancels, gives free slots to waiting requests, builds one batch
 * (a token of every answer that is being written, and a bounded share of the prompts that are being
 * read, so that a long prompt does not stall the others), decodes it, samples, and tells the sinks.
 *
 *   Fair      Among waiting requests: higher priority first; among equals the key that has been
 *             served the fewest tokens (the virtual token counter of Sheng et al. 2024,
 *             arXiv:2401.00588; a written token counts twice a read one); within a key, in order.
 *   Prefix    A new prompt reuses the longest common prefix with what any slot holds, its own or
 *             another's (copied), or with what slots held before (kept outside the cache, within
 *             remember_bytes), when the LoRA adapters are the same.
 *   Memory    With one cache for all slots (kv_unified) a request may use the whole context; when
 *             it is full, first what idle slots hold goes, then the newest request of the
 *             lowest priority steps back into the queue and is read again later. Its client sees
 *             a pause, not an error.
 *   Seeds     The same request with the same seed, model file, thread count and processor draws
 *             the same random numbers whatever else is in the batch. The probabilities they are
 *             drawn from are those of the model up to rounding: ggml adds in another order for
 *             other batch shapes. With the default cache (f16, flash attention) log probabilities
 *             moved by up to 2e-3 in tests/engine, with cache f32 and flash attention off by 4e-6:
 *             a near tie may fall the other way, everything else is the same. Choice i of `n`
 *             draws with seed + i.
 */
#ifndef ENGINE_RUN_H
#define ENGINE_RUN_H

#include "core/arena.h"
#include "core/str.h"

struct llama_model;

/* ---- opening ---- */

enum run_kind {
    RUN_AUTO,     /* by the file: rerank or embed when it names a pooling, else generate */
    RUN_GENERATE, /* text */
    RUN_EMBED,    /* vectors */
    RUN_RERANK    /* scores of pairs */
};
enum run_pooling { RUN_POOLING_AUTO, RUN_POOLING_MEAN, RUN_POOLING_CLS, RUN_POOLING_LAST };

#define RUN_MAX_SLOTS    64
#define RUN_MAX_ADAPTERS 16
#define RUN_MAX_CHOICES  16
#define RUN_MAX_TOPS     20
#define RUN_MAX_STOPS    16

struct run_adapter {
    const char *name; /* as requests choose it */
    const char *path; /* a LoRA GGUF made for this model */
};

struct run_opts {
    const char *model; /* path of the GGUF; parts "-00001-of-00003.gguf" are found by the first */
    enum run_kind kind;
    enum run_pooling pooling;
    uint32_t context; /* tokens; 0: what the model was trained for, at most 32768 */
    uint32_t slots;   /* requests at once, 1 .. RUN_MAX_SLOTS; 0: 4 */
    uint32_t batch;   /* tokens in a step, 0: 2048 */
    uint32_t ubatch;  /* tokens computed at once, 0: 512; for embed and rerank the longest input */
    uint32_t threads; /* 0: all cores */
    uint32_t queue;   /* requests that may wait, 0: 256 */
    uint32_t prompt_ms;     /* how long a step may keep those who write waiting for the prompts of
                               others, 0: 500; longer, up to 2000, when more read than write */
    int64_t remember_bytes; /* of prefixes kept outside the cache; 0: 512 MiB, below 0: none */
    bool split_kv;          /* a cache of context / slots for each slot instead of one for all */
    const char
        *cache_k; /* "f16" (default), "f32", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0" */
    const char *cache_v; /* the same; a quantised one needs flash attention */
    const char *flash;   /* "auto" (default), "on", "off" */
    bool no_mmap, mlock;
    const struct run_adapter *adapters;
    size_t n_adapters;
};

struct run;

/*
 * Checks the options and the file's header, loads, starts the loop's thread.
 *
 *   Errors  ERR_INVALID (an option), ERR_NOT_FOUND, ERR_CORRUPT (not a sound GGUF; llama.cpp never
 *           sees it), ERR_UNSUPPORTED (built without llama.cpp, or a model it does not know),
 *           ERR_NO_MEMORY
 *   Threads one run in a process
 */
ERR_MUST_USE enum err run_open(const struct run_opts *opts, struct run **out, struct why *why);
/* Ends what is in flight (RUN_DONE with ERR_CANCELLED), frees all. NULL is fine. */
void run_close(struct run *run);

/* Sends llama.cpp's log lines to ours and makes an abort inside it write a last line first. Done by
 * run_open; may be called before. */
void run_log_init(void);

/* ---- what it is ---- */

struct run_info {
    enum run_kind kind;       /* never RUN_AUTO */
    enum run_pooling pooling; /* of embed; never AUTO there */
    struct str name;          /* general.name, or the file's name */
    struct str architecture;  /* "qwen2" */
    struct str quantisation;  /* "Q4_0" */
    struct str chat_template; /* empty when the file has none */
    struct str tool_template; /* the variant "tool_use"; empty when there is none */
    uint64_t bytes, n_params;
    uint32_t context;       /* tokens one request may use, prompt and answer */
    uint32_t context_total; /* tokens of cache in all */
    uint32_t context_trained;
    uint32_t input; /* embed, rerank: tokens of the longest input */
    uint32_t slots, threads;
    uint32_t n_vocab, n_embd;   /* n_embd: floats of an embedding, or scores of a pair */
    int32_t bos, eos, eot, sep; /* token ids, -1 when there is none */
    bool add_bos, add_eos;
    const struct run_adapter *adapters;
    size_t n_adapters;
};
/* Valid until run_close; unchanging, from any thread. */
const struct run_info *run_info(const struct run *run);
/* For chat.cc alone. */
const struct llama_model *run_model(const struct run *run);

/* ---- tokens: from any thread ---- */

/*
 * `add_special`: begin and end tokens as the model wants them. `parse_special`: text like
 * "<|im_end|>" becomes the control token (for templates); false for text that users wrote.
 * Text must be UTF-8 (ERR_INVALID). At most 16 MiB (ERR_TOO_LARGE).
 */
ERR_MUST_USE enum err run_tokenize(const struct run *run, struct str text, bool add_special,
                                   bool parse_special, struct arena *arena, int32_t **tokens,
                                   size_t *n, struct why *why);
/* Bytes; not UTF-8 when the tokens end within a character. `special`: control tokens have text. */
ERR_MUST_USE enum err run_detokenize(const struct run *run, const int32_t *tokens, size_t n,
                                     bool special, struct arena *arena, struct str *out,
                                     struct why *why);
/* The bytes of one token; ERR_INVALID when there is no such token. */
ERR_MUST_USE enum err run_piece(const struct run *run, int32_t token, bool special,
                                struct arena *arena, struct str *out, struct why *why);
/* A question and a text as the rerank model wants its pair (its template, or the model's own
 * begin and separator tokens). */
ERR_MUST_USE enum err run_pair(const struct run *run, struct str query, struct str text,
                               struct arena *arena, int32_t **tokens, size_t *n, struct why *why);

/* ---- requests ---- */

struct run_bias {
    int32_t token;
    float bias; /* -100 and below: never; added to the logit otherwise */
};

struct run_sampling {
    float temperature;         /* 0: greedy */
    int32_t top_k;             /* 0: off */
    float top_p;               /* 1: off; so is 0 */
    float min_p;               /* 0: off */
    float typical;             /* 1: off; so is 0 */
    float presence, frequency; /* OpenAI's, -2 .. 2; 0: off */
    float repeat;              /* 1: off; so is 0 */
    int32_t repeat_last;       /* tokens the penalties look at; 0: 64, -1: all of the context */
    bool seeded;               /* false: a random seed */
    uint32_t seed;
    const struct run_bias *bias;
    size_t n_bias;
    bool ignore_eos;
};

struct run_grammar {
    struct str gbnf; /* root rule "root"; empty: none */
    /* Lazy: free text until a trigger. A pattern is a regular expression over the text so far, the
     * grammar sees what follows the start of its first group; a token is fed to the grammar. */
    bool lazy;
    const struct str *patterns;
    size_t n_patterns;
    const int32_t *trigger_tokens;
    size_t n_trigger_tokens;
    /* Not lazy: tokens that the grammar accepts before the first that is written (the part of the
     * answer that stands in the prompt already). */
    const int32_t *prefix;
    size_t n_prefix;
};

struct run_lora {
    const char *name; /* of run_opts.adapters */
    float scale;
};

struct run_input {
    const int32_t *tokens;
    size_t n;
};

/* Everything is copied by run_submit. All zero is a greedy request without limits. */
struct run_request {
    enum run_kind kind; /* RUN_AUTO: what the model does; another than that is ERR_UNSUPPORTED */
    /* Generate: one input. Embed, rerank: n_inputs of them, one RUN_VECTOR each. */
    const struct run_input *inputs;
    size_t n_inputs;
    uint32_t max_tokens; /* of each answer; 0: up to the context */
    uint32_t choices;    /* answers to the same prompt, which is read once; 0: 1 */
    struct run_sampling sampling;
    struct run_grammar grammar;
    const struct str *stops; /* the answer ends before the first of them */
    size_t n_stops;
    const int32_t *preserved; /* control tokens whose text is wanted in the answer */
    size_t n_preserved;
    bool special; /* the text of all control tokens */
    bool logprobs;
    uint32_t n_tops; /* likeliest tokens with each token, 0 .. RUN_MAX_TOPS */
    const struct run_lora *loras;
    size_t n_loras;
    bool no_cache;       /* reuse no prefix */
    struct str key;      /* of fairness: tenant or user; empty is a key too */
    int32_t priority;    /* higher first, -100 .. 100 */
    int64_t deadline_ms; /* from submission to the end; 0: none. ERR_TIMEOUT */
};

enum run_finish { RUN_FINISH_STOP, RUN_FINISH_LENGTH };

struct run_top {
    int32_t id;
    float
        logprob; /* natural logarithm, of the model's own distribution before any sampling option */
    struct str bytes;
};

struct run_token {
    int32_t id;
    float logprob;
    struct str bytes; /* may be part of a character */
    const struct run_top *tops;
    size_t n_tops; /* likeliest first */
};

struct run_usage {
    uint64_t prompt;     /* tokens of the inputs, once */
    uint64_t cached;     /* of them, not computed because a slot held them */
    uint64_t completion; /* tokens written, of all choices, the ending token not counted */
};

struct run_timing {
    double queue_ms;  /* waiting for a slot */
    double prompt_ms; /* from the slot to the first token */
    double write_ms;  /* from the first token to the last */
};

enum run_event_kind {
    RUN_PIECE,  /* `text` (whole characters, UTF-8, not empty unless the tokens have none), `tokens`
                 */
    RUN_VECTOR, /* `vector` of input `index`: normalised embedding, or scores (n_vector of them) */
    RUN_END,    /* choice `index` ended: `finish`, `stop` */
    RUN_DONE    /* exactly once, the last: `err`, `why`, `usage`, `timing` */
};

/* Everything it points to is valid during the sink's call only. */
struct run_event {
    enum run_event_kind kind;
    uint32_t index;
    struct str text;
    const struct run_token *tokens; /* those whose text begins in `text`; ids always, the rest when
                                       logprobs were asked for */
    size_t n_tokens;
    const float *vector;
    size_t n_vector;
    enum run_finish finish;
    struct str stop; /* the stop string that was met, or empty */
    enum err err;    /* ERR_CANCELLED, ERR_TIMEOUT, ERR_NO_MEMORY, ERR_INTERNAL ... */
    const struct why *why;
    struct run_usage usage;
    struct run_timing timing;
};

/* Called on the loop's thread, one at a time; must not block. It may call run_cancel and
 * run_release for its own request. */
typedef void run_sink(void *ctx, const struct run_event *event);

struct run_call;

/*
 * Queues a request.
 *
 *   Owner   *out is the caller's until run_release; the events may begin before this returns
 *   Errors  ERR_TOO_LARGE    the prompt, or the prompt and max_tokens, do not fit in the context,
 * or an input is longer than run_info.input: the words give the numbers ERR_INVALID      an option
 * out of range, an unknown adapter, a grammar that does not parse ERR_UNSUPPORTED  text asked of an
 * embedding model, or the other way round ERR_BUSY         the queue is full; ERR_UNAVAILABLE:
 * run_drain was called On an error there are no events. Threads any
 */
ERR_MUST_USE enum err run_submit(struct run *run, const struct run_request *request, run_sink *sink,
                                 void *ctx, struct run_call **out, struct why *why);
/* Ends it at the next step (within about a second of computing), with RUN_DONE. From any thread;
 * does not wait. */
void run_cancel(struct run_call *call);
/* Gives the handle back. When the request is not done it is cancelled; after the return the sink is
 * not called again (it may wait for a sink call that is running). NULL is fine. */
void run_release(struct run_call *call);

/* No new requests from now on; those inside go on. */
void run_drain(struct run *run);

/* ---- state: from any thread ---- */

enum run_slot_phase { RUN_SLOT_IDLE, RUN_SLOT_READING, RUN_SLOT_WRITING };

struct run_slot {
    enum run_slot_phase phase;
    uint32_t cached;          /* tokens its cache holds */
    uint32_t prompt, written; /* tokens of the request it works on */
    uint32_t max_tokens;
};

struct run_state {
    uint32_t waiting, active; /* requests */
    bool draining;
    uint64_t steps, requests, cancelled, failed, preempted;
    uint64_t prompt_tokens, cached_tokens, completion_tokens, input_tokens;
    uint64_t recalled, remembered_bytes; /* prefixes taken from outside the cache; what is there */
    double busy_ms;                      /* spent inside llama_decode */
    struct run_slot slots[RUN_MAX_SLOTS];
    uint32_t n_slots;
};
void run_state(struct run *run, struct run_state *out);

#endif

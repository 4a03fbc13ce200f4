/* The run of a program that was built without llama.cpp: it says so. */
#include "engine/quantize.h"
#include "engine/run.h"

#define NONE(why) err_set(why, ERR_UNSUPPORTED, "this program was built without llama.cpp")

enum err run_open(const struct run_opts *opts, struct run **out, struct why *why)
{
    (void)opts;
    *out = NULL;
    err_hint(why, "run tools/llama with the npm registry in reach, then build again");
    return NONE(why);
}

void run_close(struct run *run)
{
    (void)run;
}

void run_log_init(void)
{
}

/* There is no run, so nobody can call what follows; they are here for the linker. */
const struct run_info *run_info(const struct run *run)
{
    static const struct run_info none;
    (void)run;
    return &none;
}

const struct llama_model *run_model(const struct run *run)
{
    (void)run;
    return NULL;
}

enum err run_tokenize(const struct run *run, struct str text, bool add_special, bool parse_special,
                      struct arena *arena, int32_t **tokens, size_t *n, struct why *why)
{
    (void)run, (void)text, (void)add_special, (void)parse_special;
    (void)arena, (void)tokens, (void)n;
    return NONE(why);
}

enum err run_detokenize(const struct run *run, const int32_t *tokens, size_t n, bool special,
                        struct arena *arena, struct str *out, struct why *why)
{
    (void)run, (void)tokens, (void)n, (void)special, (void)arena, (void)out;
    return NONE(why);
}

enum err run_piece(const struct run *run, int32_t token, bool special, struct arena *arena,
                   struct str *out, struct why *why)
{
    (void)run, (void)token, (void)special, (void)arena, (void)out;
    return NONE(why);
}

enum err run_pair(const struct run *run, struct str query, struct str text, struct arena *arena,
                  int32_t **tokens, size_t *n, struct why *why)
{
    (void)run, (void)query, (void)text, (void)arena, (void)tokens, (void)n;
    return NONE(why);
}

enum err run_submit(struct run *run, const struct run_request *request, run_sink *sink, void *ctx,
                    struct run_call **out, struct why *why)
{
    (void)run, (void)request, (void)sink, (void)ctx, (void)out;
    return NONE(why);
}

void run_cancel(struct run_call *call)
{
    (void)call;
}

void run_release(struct run_call *call)
{
    (void)call;
}

void run_drain(struct run *run)
{
    (void)run;
}

void run_state(struct run *run, struct run_state *out)
{
    (void)run;
    *out = (struct run_state){0};
}

enum err engine_quantize(const char *from, const char *to, struct str kind, bool again,
                         unsigned threads, struct why *why)
{
    (void)from, (void)to, (void)kind, (void)again, (void)threads;
    return NONE(why);
}

// llama.cpp's grammar sampler for C.
#include <cmath>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include <llama.h>

// run.h is C; of it only the struct's layout is needed here.
extern "C" {
#include "engine/grammar.h"
#include "engine/run.h"
}

struct grammar {
    const llama_vocab *vocab;
    llama_sampler *sampler;
    std::vector<llama_token_data> row; // room for grammar_mask, made at its first call
};

static enum err failed(struct why *why, const char *what)
{
    err_note(why, "the grammar cannot go on: %.200s", what);
    return ERR_INVALID;
}

// The parser and the stack builder recurse with the depth of the parentheses and of rules.
static enum err check(struct str text, struct why *why)
{
    if (text.len > GRAMMAR_MOST_BYTES) {
        err_note(why, "the grammar has %zu bytes, at most %zu are taken", text.len,
                 (size_t)GRAMMAR_MOST_BYTES);
        return ERR_TOO_LARGE;
    }
    size_t depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0') {
            err_note(why, "the grammar has a zero byte");
            return ERR_INVALID;
        }
        depth += text.ptr[i] == '(';
        depth -= text.ptr[i] == ')' && depth > 0;
        if (depth > GRAMMAR_MOST_DEPTH) {
            err_note(why, "the grammar nests more than %d parentheses", GRAMMAR_MOST_DEPTH);
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

static llama_sampler *make(const llama_vocab *vocab, const run_grammar *spec)
{
    std::string text(spec->gbnf.ptr, spec->gbnf.len);
    if (!spec->lazy)
        return llama_sampler_init_grammar(vocab, text.c_str(), "root");
    std::vector<std::string> patterns;
    std::vector<const char *> pointers;
    for (size_t i = 0; i < spec->n_patterns; i++)
        patterns.emplace_back(spec->patterns[i].ptr, spec->patterns[i].len);
    for (const std::string &p : patterns)
        pointers.push_back(p.c_str());
    return llama_sampler_init_grammar_lazy_patterns(vocab, text.c_str(), "root", pointers.data(),
                                                    pointers.size(), spec->trigger_tokens,
                                                    spec->n_trigger_tokens);
}

enum err grammar_open(const llama_vocab *vocab, const run_grammar *spec, grammar **out,
                      struct why *why)
{
    enum err err = check(spec->gbnf, why);
    if (err)
        return err;
    grammar *g = nullptr;
    try {
        g = new grammar{vocab, make(vocab, spec), {}};
        if (!g->sampler) {
            delete g;
            err_note(why, "the grammar does not parse");
            err_hint(why, "it needs a rule \"root\", every rule it names, and no left recursion");
            return ERR_INVALID;
        }
        for (size_t i = 0; !spec->lazy && i < spec->n_prefix; i++)
            llama_sampler_accept(g->sampler, spec->prefix[i]);
    } catch (const std::bad_alloc &) {
        grammar_free(g);
        return ERR_NO_MEMORY;
    } catch (const std::exception &e) {
        grammar_free(g);
        return failed(why, e.what());
    }
    *out = g;
    return ERR_OK;
}

void grammar_free(grammar *g)
{
    if (g)
        llama_sampler_free(g->sampler);
    delete g;
}

enum err grammar_allows(grammar *g, int32_t token, bool *allowed, struct why *why)
{
    llama_token_data one = {token, 1.0f, 0.0f};
    llama_token_data_array row = {&one, 1, -1, false};
    try {
        llama_sampler_apply(g->sampler, &row);
    } catch (const std::exception &e) {
        return failed(why, e.what());
    }
    *allowed = !std::isinf(one.logit);
    return ERR_OK;
}

enum err grammar_mask(grammar *g, float *logits, size_t n_vocab, struct why *why)
{
    try {
        g->row.clear();
        for (size_t i = 0; i < n_vocab; i++)
            if (!std::isinf(logits[i]))
                g->row.push_back({(llama_token)i, 1.0f, 0.0f});
        llama_token_data_array row = {g->row.data(), g->row.size(), -1, false};
        llama_sampler_apply(g->sampler, &row);
        for (size_t i = 0; i < row.size; i++)
            if (std::isinf(row.data[i].logit))
                logits[row.data[i].id] = -INFINITY;
    } catch (const std::exception &e) {
        return failed(why, e.what());
    }
    return ERR_OK;
}

enum err grammar_accept(grammar *g, int32_t token, struct why *why)
{
    try {
        // llama.cpp aborts on an end that the grammar does not allow yet.
        bool allowed = true;
        if (llama_vocab_is_eog(g->vocab, token)) {
            enum err err = grammar_allows(g, token, &allowed, why);
            if (err)
                return err;
        }
        if (!allowed)
            return failed(why, "it does not end here");
        llama_sampler_accept(g->sampler, token);
    } catch (const std::bad_alloc &) {
        return ERR_NO_MEMORY;
    } catch (const std::exception &e) {
        return failed(why, e.what());
    }
    return ERR_OK;
}

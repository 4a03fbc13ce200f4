// data/lm - the only file that sees libime. No exception leaves it.
#include "data/lm.h"

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <libime/core/languagemodel.h>
#include <libime/core/lattice.h>

struct lm {
    std::unique_ptr<libime::LanguageModel> model;
};

namespace {

constexpr size_t most_word = 4; // characters

bool is_han(struct str s, size_t at, size_t *next)
{
    const unsigned char *p = reinterpret_cast<const unsigned char *>(s.ptr) + at;
    if (p[0] < 0xE4 || p[0] > 0xE9) { // U+4000 .. U+9FFF, which holds U+4E00 .. U+9FFF
        *next = at + (p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4);
        return false;
    }
    *next = at + 3;
    unsigned c = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    return c >= 0x4E00;
}

// The longest word that begins here and that the model knows; else one character.
size_t word_at(const libime::LanguageModel &model, struct str run, libime::WordIndex *index)
{
    size_t most = run.len / 3 < most_word ? run.len / 3 : most_word;
    for (size_t n = most; n > 1; n--) {
        std::string_view word(run.ptr, n * 3);
        *index = model.index(word);
        if (!model.isUnknown(*index, word))
            return n;
    }
    *index = model.index(std::string_view(run.ptr, 3));
    return 1;
}

void say_run(const libime::LanguageModel &model, struct str run, struct lm_score *out)
{
    libime::State state = model.nullState(), next;
    while (run.len) {
        libime::WordIndex index;
        size_t n = word_at(model, run, &index);
        std::string_view word(run.ptr, n * 3);
        libime::WordNode node(word, index);
        out->log10 += static_cast<double>(model.score(state, node, next));
        out->unknown += model.isUnknown(index, word);
        out->words++;
        out->characters += n;
        state = next;
        run.ptr += n * 3;
        run.len -= n * 3;
    }
}

} // namespace

extern "C" struct lm *lm_open(const char *path, char *words, size_t n_words)
{
    try {
        std::unique_ptr<lm> made(new lm);
        if (path)
            made->model.reset(new libime::LanguageModel(path));
        else
            made->model.reset(new libime::LanguageModel(
                libime::DefaultLanguageModelResolver::instance().languageModelFileForLanguage("zh_CN")));
        if (!path && !made->model->languageModelFile()) {
            (void)snprintf(words, n_words, "the system has none");
            return nullptr;
        }
        return made.release();
    } catch (const std::exception &e) {
        (void)snprintf(words, n_words, "%s", e.what());
    } catch (...) {
        (void)snprintf(words, n_words, "no model");
    }
    return nullptr;
}

extern "C" void lm_close(struct lm *lm)
{
    delete lm;
}

extern "C" void lm_say(const struct lm *lm, struct str text, size_t most, struct lm_score *out)
{
    *out = lm_score{};
    try {
        size_t at = 0, next;
        while (at < text.len && out->characters < most) {
            if (!is_han(text, at, &next)) {
                at = next;
                continue;
            }
            size_t from = at, n = out->characters;
            while (at < text.len && n < most && is_han(text, at, &next)) {
                at = next;
                n++;
            }
            say_run(*lm->model, str{text.ptr + from, at - from}, out);
        }
    } catch (...) {
        *out = lm_score{};
    }
}

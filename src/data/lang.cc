// data/lang - the only file that sees fastText. No exception leaves it.
#include "data/lang.h"

#include <cstdio>
#include <cstring>
#include <istream>
#include <memory>
#include <streambuf>
#include <string>
#include <vector>

#include <fasttext/fasttext.h>

struct lang {
    fasttext::FastText model;
};

namespace {

// The text as one line: fastText reads to the first line break.
class one_line : public std::streambuf {
public:
    one_line(const char *ptr, size_t len) : text(ptr, len)
    {
        for (char &c : text)
            if (c == '\n' || c == '\r' || c == '\0')
                c = ' ';
        text += '\n';
        setg(&text[0], &text[0], &text[0] + text.size());
    }

private:
    std::string text;
};

std::string name_of(const std::string &label)
{
    return label.substr(0, 9) == "__label__" ? label.substr(9) : label;
}

// The likeliest labels of the first `most` bytes.
bool predict(const struct lang *lang, struct str text, size_t most, int n,
             std::vector<std::pair<fasttext::real, std::string>> &found)
{
    size_t len = text.len < most ? text.len : most;
    while (len < text.len && len > 0 && (text.ptr[len] & 0xC0) == 0x80)
        len--;
    one_line buffer(text.ptr, len);
    std::istream in(&buffer);
    return lang->model.predictLine(in, found, n, 0.0f) && !found.empty();
}

} // namespace

extern "C" struct lang *lang_open(const char *path, char *words, size_t n_words)
{
    try {
        std::unique_ptr<lang> made(new lang);
        made->model.loadModel(path);
        return made.release();
    } catch (const std::exception &e) {
        (void)snprintf(words, n_words, "%s", e.what());
    } catch (...) {
        (void)snprintf(words, n_words, "no model");
    }
    return nullptr;
}

extern "C" void lang_close(struct lang *lang)
{
    delete lang;
}

extern "C" double lang_probability(const struct lang *lang, struct str text, size_t most,
                                   const struct str *labels, size_t n)
{
    try {
        std::vector<std::pair<fasttext::real, std::string>> found;
        if (!predict(lang, text, most, 8, found))
            return -1;
        double sum = 0;
        for (const auto &one : found) {
            std::string name = name_of(one.second);
            for (size_t i = 0; i < n; i++)
                if (name.size() == labels[i].len && memcmp(name.data(), labels[i].ptr, labels[i].len) == 0)
                    sum += one.first;
        }
        return sum > 1 ? 1 : sum;
    } catch (...) {
        return -1;
    }
}

extern "C" bool lang_best(const struct lang *lang, struct str text, size_t most, char out[LANG_CODE])
{
    try {
        std::vector<std::pair<fasttext::real, std::string>> found;
        if (!predict(lang, text, most, 1, found))
            return false;
        (void)snprintf(out, LANG_CODE, "%s", name_of(found[0].second).c_str());
        return true;
    } catch (...) {
        return false;
    }
}

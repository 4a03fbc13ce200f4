/* flagged_words: words from a list, in whatever dress (Aho-Corasick). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { WORDS = DATA_OWN, FILE_NAME, GAPS };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1000, 0, 0, "per 1000 characters"),
    [WORDS] = {"words", DATA_STRINGS, 0, 100000, 0, "", "", "The words", "词表"},
    [FILE_NAME] = {"file", DATA_STRING, 0, 255, 0, "", "",
                   "A file of the folder of models with a word a line, too",
                   "模型目录下的词表文件，每行一词"},
    [GAPS] = {"gaps", DATA_INTEGER, 0, 3, 1, NULL, "characters",
              "So many marks or spaces may stand between two characters of a word",
              "词的两字之间允许夹杂的符号或空格数"},
};

#define MOST_LIST ((size_t)64 << 20)

/* A trie over characters in one array: children of a node are a list of siblings, the root's stand
 * in a table by their lower bits. */
struct node {
    uint32_t c;
    uint32_t child, sibling; /* 0: none */
    uint32_t fail;
    uint32_t length; /* characters of the word that ends here or at a suffix; 0: none */
};

struct machine {
    struct node *nodes;
    uint32_t n, cap;
    uint32_t *root; /* 65536 */
    struct arena *arena;
};

/* What counts as one character: width, case. 0: is passed over between two of a word. */
static uint32_t folded(uint32_t c)
{
    c = utf8_halfwidth(c);
    if (c >= 'A' && c <= 'Z')
        return c | 32;
    return text_class(c) <= TEXT_DIGIT ? c : 0;
}

static uint32_t step(const struct machine *m, uint32_t at, uint32_t c)
{
    uint32_t i = at ? m->nodes[at].child : m->root[c & 0xFFFF];
    while (i && m->nodes[i].c != c)
        i = m->nodes[i].sibling;
    return i;
}

static uint32_t add_node(struct machine *m, uint32_t at, uint32_t c)
{
    if (m->n == m->cap) {
        size_t cap = m->cap ? (size_t)m->cap * 2 : 1024, size = sizeof *m->nodes;
        struct node *more = arena_grow(m->arena, m->nodes, m->cap * size, cap * size);
        if (!more || cap > UINT32_MAX / 2)
            return 0;
        m->nodes = more;
        m->cap = (uint32_t)cap;
    }
    uint32_t *first = at ? &m->nodes[at].child : &m->root[c & 0xFFFF];
    m->nodes[m->n] = (struct node){.c = c, .sibling = *first};
    *first = m->n;
    return m->n++;
}

static bool add_word(struct machine *m, struct str word)
{
    uint32_t at = 0, length = 0;
    for (size_t i = 0; i < word.len;) {
        uint32_t c = folded(utf8_next(word, &i));
        if (!c)
            continue;
        uint32_t next = step(m, at, c);
        if (!next && !(next = add_node(m, at, c)))
            return false;
        at = next;
        length++;
    }
    if (at)
        m->nodes[at].length = length;
    return true;
}

/* Breadth first: where to go on when a character does not fit. */
static bool link_nodes(struct machine *m)
{
    uint32_t *line = arena_array(m->arena, uint32_t, m->n + 1), head = 0, tail = 0;
    if (!line)
        return false;
    for (uint32_t b = 0; b < 0x10000; b++)
        for (uint32_t i = m->root[b]; i; i = m->nodes[i].sibling)
            line[tail++] = i;
    while (head < tail) {
        uint32_t at = line[head++];
        struct node *node = &m->nodes[at];
        if (node->fail && !node->length)
            node->length = m->nodes[node->fail].length;
        for (uint32_t i = node->child; i; i = m->nodes[i].sibling) {
            uint32_t from = node->fail, to = 0;
            while (!(to = step(m, from, m->nodes[i].c)) && from)
                from = m->nodes[from].fail;
            m->nodes[i].fail = to == i ? 0 : to;
            line[tail++] = i;
        }
    }
    return true;
}

static enum err add_file(struct machine *m, const struct data_prepare *p, struct str name,
                         struct why *why)
{
    struct str text, line;
    char *file = str_z(p->arena, name), *path = file ? file_join(p->arena, p->models, file) : NULL;
    if (!path)
        return err_set(why, ERR_NO_MEMORY, "could not read the words");
    if (str_find_char(name, '/') != STR_NPOS || str_starts(name, STR(".")))
        return err_set(why, ERR_INVALID, "\"file\" is the name of a file, without folders");
    enum err err = file_read(path, MOST_LIST, p->arena, &text, why);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_UNAVAILABLE : err;
    while (str_next_line(&text, &line))
        if (!add_word(m, str_trim_space(line)))
            return err_set(why, ERR_NO_MEMORY, "could not hold the words");
    return ERR_OK;
}

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct data_arg *words = &p->args[WORDS];
    struct machine *m = arena_one(p->arena, struct machine);
    enum err err = ERR_OK;
    if (!m || !(m->root = arena_array(p->arena, uint32_t, 0x10000)))
        return err_set(why, ERR_NO_MEMORY, "could not hold the words");
    m->arena = p->arena;
    m->n = 0;
    if (!add_node(m, 0, 0) && m->n == 1) /* number 0 is the root */
        m->root[0] = 0;
    for (size_t i = 0; !err && i < words->n; i++)
        if (!add_word(m, words->list[i]))
            err = err_set(why, ERR_NO_MEMORY, "could not hold the words");
    if (!err && p->args[FILE_NAME].text.len)
        err = add_file(m, p, p->args[FILE_NAME].text, why);
    if (!err && m->n == 1)
        err = err_set(why, ERR_INVALID, "\"words\" or \"file\" must give a word");
    if (!err && !link_nodes(m))
        err = err_set(why, ERR_NO_MEMORY, "could not hold the words");
    *made = m;
    return err;
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    const struct machine *m = call->made;
    uint32_t at = 0, gap = 0, most = (uint32_t)call->args[GAPS].number;
    size_t n = 0, covered = 0, since = SIZE_MAX / 2; /* characters since the last hit began */
    (void)why;
    for (size_t i = 0; i < in.len;) {
        uint32_t c = folded(text_next(in, &i));
        if (!c) {
            if (++gap > most)
                at = 0;
            continue;
        }
        gap = 0;
        n++;
        since++;
        uint32_t next;
        while (!(next = step(m, at, c)) && at)
            at = m->nodes[at].fail;
        at = next;
        size_t length = at ? m->nodes[at].length : 0;
        if (!length)
            continue;
        covered += since < length ? since : length; /* overlapping hits count once */
        since = 0;
    }
    *out = n ? 1000.0 * (double)covered / (double)n : NAN;
    return ERR_OK;
}

const struct data_op data_op_flagged_words = {
    .name = "flagged_words",
    .version = 1,
    .group = DATA_FILTER,
    .summary =
        "Drop records with words of a list, also in full width, other case or with marks between",
    .summary_zh = "丢弃含词表词语的记录，能识别全角、大小写和夹杂符号的变体",
    .source = "Aho and Corasick 1975, doi:10.1145/360825.360855; flagged-words rule of Dolma, "
              "arXiv:2402.00159",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .measure = measure,
};

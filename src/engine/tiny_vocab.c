#include "engine/tiny_vocab.h"

#include <string.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/utf8.h"

#define MOST_MERGES  768
#define MOST_SYMBOLS (256 + MOST_MERGES)

static const char text[] =
    "您好，请问办理居住证需要哪些材料？请携带身份证原件和复印件，到街道政务服务中心的窗口办理。\n"
    "市民服务热线全天受理咨询、求助、投诉和建议，一般事项五个工作日内办结，紧急事项立即处理。\n"
    "企业开办可以在网上申请营业执照、印章和发票，符合条件的当天领取。\n"
    "退休人员的医疗保险费由单位缴纳，本人不再缴费；参保人可以在定点医院直接结算。\n"
    "小区路灯不亮、道路积水、井盖缺失，请拨打城市管理电话，我们会派人到现场查看。\n"
    "申请公租房的家庭应当在本市居住满三年，人均住房面积低于十五平方米，并且没有其他住房。\n"
    "法律规定，劳动者提前三十日以书面形式通知用人单位，可以解除劳动合同。\n"
    "如果对答复不满意，可以在六十日内申请行政复议，也可以依法向人民法院提起诉讼。\n"
    "根据规定，办理时限为五个工作日，不收取任何费用。请问还有什么可以帮助您的吗？\n"
    "今天的天气很好，公园里有许多人在散步，孩子们在草地上玩耍。\n"
    "数据目录中的每一项都有来源、更新时间、负责部门和安全级别。\n"
    "模型的回答必须注明依据的文件、条款和有效日期；没有依据的，应当说明无法回答。\n"
    "the city answers the questions of its people, and every answer names the rule that it was "
    "taken from.\n"
    "to apply for the card you need your identity card, a photo and the contract of your flat.\n"
    "the office is open from nine to five on working days; the service is free of charge.\n"
    "if you are not content with the answer, you can ask for a review within sixty days.\n"
    "there was a park in the middle of the town where the children played when the weather was "
    "good.\n"
    "this model was not trained: what it says has no meaning, and nobody should act on it.\n"
    "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"the city\", \"days\": 3}}\n";

uint32_t tiny_vocab_byte(uint8_t byte)
{
    static const uint16_t gaps[][2] = {{0x00, 0x21}, {0x7F, 0xA1}, {0xAD, 0xAE}};
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof gaps / sizeof gaps[0]; i++) {
        if (byte >= gaps[i][0] && byte < gaps[i][1])
            return 256 + n + byte - gaps[i][0];
        n += (uint32_t)gaps[i][1] - gaps[i][0];
    }
    return byte;
}

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "no memory to make a vocabulary");
}

static void add_token(struct tiny_vocab *v, struct str token, int32_t type)
{
    v->tokens[v->n] = token;
    v->types[v->n++] = type;
}

/* ---- byte pairs ---- */

struct trainer {
    uint16_t *symbols; /* the text; words are kept apart by GAP */
    size_t n;
    uint16_t *counts; /* of pairs, (MOST_SYMBOLS, MOST_SYMBOLS); all 0 between the rounds */
};
#define GAP UINT16_MAX

static bool in_word(unsigned char c)
{
    return c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Words with the blank before them, as the pre-tokenizers cut; Chinese punctuation cuts too. */
static void split_text(struct trainer *t)
{
    struct str s = str_c(text);
    for (size_t at = 0; at < s.len;) {
        size_t start = at;
        uint32_t c = utf8_next(s, &at);
        bool punctuation = (c >= 0x3000 && c < 0x3040) || (c >= 0xFF00 && c < 0xFFF0);
        bool word = in_word((unsigned char)s.ptr[start]) && !punctuation;
        bool blank = c == ' ' && at < s.len && in_word((unsigned char)s.ptr[at]);
        if ((!word || blank) && t->n && t->symbols[t->n - 1] != GAP)
            t->symbols[t->n++] = GAP;
        for (size_t i = start; i < at; i++)
            t->symbols[t->n++] = (unsigned char)s.ptr[i];
        if (!word && !blank)
            t->symbols[t->n++] = GAP;
    }
}

static bool best_pair(struct trainer *t, uint16_t *left, uint16_t *right)
{
    uint32_t best = 1;
    for (size_t i = 0; i + 1 < t->n; i++)
        if (t->symbols[i] != GAP && t->symbols[i + 1] != GAP)
            t->counts[(size_t)t->symbols[i] * MOST_SYMBOLS + t->symbols[i + 1]]++;
    for (size_t i = 0; i + 1 < t->n; i++) {
        uint16_t a = t->symbols[i], b = t->symbols[i + 1];
        if (a == GAP || b == GAP)
            continue;
        uint16_t *count = &t->counts[(size_t)a * MOST_SYMBOLS + b];
        if (*count > best ||
            (*count == best && best > 1 && (a < *left || (a == *left && b < *right)))) {
            best = *count;
            *left = a;
            *right = b;
        }
        *count = 0;
    }
    return best > 1;
}

static void merge_pair(struct trainer *t, uint16_t left, uint16_t right, uint16_t merged)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        bool hit = i + 1 < t->n && t->symbols[i] == left && t->symbols[i + 1] == right;
        t->symbols[n++] = hit ? merged : t->symbols[i];
        i += hit;
    }
    t->n = n;
}

enum err tiny_vocab_pairs(struct arena *arena, struct tiny_vocab *out, struct why *why)
{
    static const struct {
        const char *text;
        int32_t type;
    } specials[] = {{"<|endoftext|>", TOKEN_CONTROL},
                    {"<|im_start|>", TOKEN_CONTROL},
                    {"<|im_end|>", TOKEN_CONTROL},
                    {"<tool_call>", TOKEN_USER},
                    {"</tool_call>", TOKEN_USER}};
    struct tiny_vocab v = {arena_array(arena, struct str, MOST_SYMBOLS + 8),
                           arena_array(arena, int32_t, MOST_SYMBOLS + 8), 0,
                           arena_array(arena, struct str, MOST_MERGES), 0};
    struct trainer t = {arena_array(arena, uint16_t, sizeof text * 3), 0,
                        arena_array(arena, uint16_t, (size_t)MOST_SYMBOLS * MOST_SYMBOLS)};
    uint16_t left = 0, right = 0;
    if (!v.tokens || !v.types || !v.merges || !t.symbols || !t.counts)
        return no_memory(why);
    for (int byte = 0; byte < 256; byte++) {
        char c[UTF8_MAX_BYTES];
        size_t n = utf8_put(c, tiny_vocab_byte((uint8_t)byte));
        add_token(&v, str_copy(arena, (struct str){c, n}), TOKEN_NORMAL);
    }
    split_text(&t);
    while (v.n_merges < MOST_MERGES && best_pair(&t, &left, &right)) {
        struct str a = v.tokens[left], b = v.tokens[right];
        merge_pair(&t, left, right, (uint16_t)v.n);
        v.merges[v.n_merges++] = str_printf(arena, "%.*s %.*s", STR_FMT(a), STR_FMT(b));
        add_token(&v, str_printf(arena, "%.*s%.*s", STR_FMT(a), STR_FMT(b)), TOKEN_NORMAL);
    }
    for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++)
        add_token(&v, str_c(specials[i].text), specials[i].type);
    for (size_t i = 0; i < v.n; i++)
        if (!v.tokens[i].ptr || (i < v.n_merges && !v.merges[i].ptr))
            return no_memory(why);
    *out = v;
    return ERR_OK;
}

/* ---- word pieces ---- */

struct pieces {
    struct tiny_vocab v;
    struct map seen;
    struct arena *arena;
    bool failed;
};

static void add_piece(struct pieces *p, const char *before, struct str s)
{
    bool made = false;
    struct str token = str_printf(p->arena, "%s%.*s", before, STR_FMT(s));
    if (!token.ptr || !map_put(&p->seen, token, &made))
        p->failed = true;
    else if (made)
        add_token(&p->v, token, TOKEN_NORMAL);
}

enum err tiny_vocab_pieces(struct arena *arena, struct tiny_vocab *out, struct why *why)
{
    static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    static const char begins[] = "\xE2\x96\x81";
    size_t most = 8 + 128 * 2 + sizeof text;
    struct pieces p = {.arena = arena};
    struct str s = str_c(text), word = STR_NONE;
    p.v = (struct tiny_vocab){.tokens = arena_array(arena, struct str, most),
                              .types = arena_array(arena, int32_t, most)};
    map_init(&p.seen, arena);
    if (!p.v.tokens || !p.v.types)
        return no_memory(why);
    for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++)
        add_token(&p.v, str_c(specials[i]), i == 1 ? TOKEN_UNKNOWN : TOKEN_CONTROL);
    for (int code = '!'; code <= '~'; code++) {
        char c = (char)code;
        if (c >= 'A' && c <= 'Z') /* letters are lowered before they are looked up */
            continue;
        add_piece(&p, begins, (struct str){&c, 1});
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            add_piece(&p, "", (struct str){&c, 1});
    }
    for (size_t at = 0; at < s.len && !p.failed;) {
        size_t start = at;
        uint32_t c = utf8_next(s, &at);
        if (c >= 'a' && c <= 'z') {
            word = word.ptr ? (struct str){word.ptr, word.len + 1} : (struct str){s.ptr + start, 1};
            continue;
        }
        if (word.ptr)
            add_piece(&p, begins, word);
        word = STR_NONE;
        if (c > ' ')
            add_piece(&p, begins, str_slice(s, start, at));
    }
    if (p.failed)
        return no_memory(why);
    *out = p.v;
    return ERR_OK;
}

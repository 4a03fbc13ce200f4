#include "knowledge/answer_rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "knowledge/answer.h"
#include "knowledge/asked.h"
#include "knowledge/catalog.h"
#include "knowledge/lay.h"
#include "knowledge/quote.h"
#include "knowledge/rank.h"
#include "knowledge/retrieve.h"
#include "knowledge/signs.h"
#include "knowledge/tokens.h"

#define MOST_TERMS      160  /* distinct terms of a question that are weighed */
#define SLOTS           512  /* of the table of terms; a power of two above twice MOST_TERMS */
#define MOST_TEXT       3000 /* bytes of a passage that are read */
#define MOST_SENTENCE   64   /* sentences of a passage that are read */
#define MOST_SAID       24   /* words of the question that lay.def knows, that are weighed */
#define MOST_SAID_TERMS 16   /* terms of one of them */
#define SINGLE          0.15 /* a character's weight against a pair's */
#define ALONE           0.2 /* how far a character is covered that stands there without its neighbours */
#define SHORT_GAP       2     /* characters of a title that its short form leaves out in a row */
#define LEAST_SHARE     6     /* hits that every base gets */
#define SEARCH_EACH     10    /* hits that a search asks every base for at least */
#define MOST_LIMIT      100   /* of a query */
#define BACKGROUND      20000 /* passages that the shipped model's words count for */
#define COMMONEST       0.3   /* share of passages that the commonest words stand in */

const char *const answer_feature_names[ANSWER_N_FEATURES] = {
#define ANSWER_WEIGHT(name, weight, words) #name,
#include "knowledge/answer_weights.def"
#undef ANSWER_WEIGHT
};

const char *const answer_feature_words[ANSWER_N_FEATURES] = {
#define ANSWER_WEIGHT(name, weight, words) words,
#include "knowledge/answer_weights.def"
#undef ANSWER_WEIGHT
};

const double answer_weights[ANSWER_N_FEATURES] = {
#define ANSWER_WEIGHT(name, weight, words) weight,
#include "knowledge/answer_weights.def"
#undef ANSWER_WEIGHT
};

/* ---- gathering ---- */

/* The first `each` of every base, one base after the other. */
static enum err search_each(struct knowledge *k, const struct ops_identity *who,
                            const struct knowledge_query *query, const struct catalog **bases,
                            size_t n_bases, size_t each, struct arena *arena,
                            struct knowledge_hit **out, size_t *n, struct why *why)
{
    struct knowledge_query one = *query;
    one.limit = each;
    struct knowledge_hit *all = arena_array(arena, struct knowledge_hit, one.limit * n_bases);
    enum err err = all ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the passages");
    *n = 0;
    for (size_t i = 0; !err && i < n_bases; i++) {
        struct knowledge_hit *hits;
        size_t n_hits;
        one.kb = str_z(arena, bases[i]->kb_name);
        err = one.kb ? retrieve_bases(k, who, &one, arena, &hits, &n_hits, why)
                     : err_set(why, ERR_NO_MEMORY, "could not hold the passages");
        if (err)
            break;
        memcpy(all + *n, hits, n_hits * sizeof *hits);
        *n += n_hits;
    }
    *out = all;
    return err;
}

/* The bases that are searched one by one; none when the query names one, or there are too many. */
static enum err several(struct knowledge *k, const struct ops_identity *who,
                        const struct knowledge_query *query, struct arena *arena,
                        const struct catalog ***out, size_t *n, struct why *why)
{
    *n = 0;
    if (query->kb && query->kb[0])
        return ERR_OK;
    enum err err = catalog_all(k, who, arena, out, n, why);
    if (!err && (*n < 2 || *n > ANSWER_MOST_BASES)) {
        for (size_t i = 0; i < *n; i++)
            catalog_release((*out)[i]);
        *n = 0;
    }
    return err;
}

/* The lines under a title tell when a text was made, and nothing else. */
static size_t without_heads(struct knowledge_hit *hits, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!str_eq_c(hits[i].article, "题注"))
            hits[kept++] = hits[i];
    return kept;
}

enum err answer_gather(struct knowledge *k, const struct ops_identity *who,
                       const struct knowledge_query *query, unsigned want, struct arena *arena,
                       struct knowledge_hit **out, size_t *n, struct why *why)
{
    const struct catalog **bases = NULL;
    size_t n_bases = 0;
    enum err err = several(k, who, query, arena, &bases, &n_bases, why);
    if (err)
        return err;
    size_t each = n_bases ? query->limit / n_bases : 0;
    if (n_bases)
        err = search_each(k, who, query, bases, n_bases, each > LEAST_SHARE ? each : LEAST_SHARE,
                          arena, out, n, why);
    else
        err = retrieve_bases(k, who, query, arena, out, n, why);
    for (size_t i = 0; i < n_bases; i++)
        catalog_release(bases[i]);
    if (!err && !(want & QUESTION_DATE))
        *n = without_heads(*out, *n);
    return err;
}

/* ---- the question's terms ---- */

/* A character or a Latin word of the question, in its order. What it weighs is its own rarity: a
 * pair across two words is rare and means nothing. */
struct position {
    int own, pair; /* places in items: itself, and with the one before; -1: none */
    double weight;
};

/* Words of the question that lay.def has other words for. */
struct said {
    const struct lay *lay;
    size_t n;
    uint16_t terms[MOST_SAID_TERMS]; /* n: places in items */
};

struct terms {
    uint64_t items[MOST_TERMS];
    double weights[MOST_TERMS];
    uint32_t holding[MOST_TERMS];
    double elsewhere[MOST_TERMS]; /* passages of the background that hold it */
    size_t n;
    uint16_t slots[SLOTS]; /* place in items plus 1; 0: empty */
    struct position positions[MOST_TERMS];
    size_t n_positions;
    double all_positions;
    double all;     /* sum of weights */
    double unknown; /* share of the positions' weight whose words stand nowhere */
    double rarest;  /* greatest possible weight */
    size_t n_words; /* pairs and words */
    uint32_t n_passages;
    struct said said[MOST_SAID];
    size_t n_said;
};

static size_t slot_of(const struct terms *t, uint64_t term)
{
    size_t at = (size_t)((term * 0x9E3779B97F4A7C15ull) >> 55) & (SLOTS - 1);
    while (t->slots[at] && t->items[t->slots[at] - 1] != term)
        at = (at + 1) & (SLOTS - 1);
    return at;
}

static int put_term(struct terms *t, uint64_t term)
{
    size_t at = slot_of(t, term);
    if (!t->slots[at] && t->n < MOST_TERMS) {
        t->items[t->n++] = term;
        t->slots[at] = (uint16_t)t->n;
    }
    return (int)t->slots[at] - 1;
}

static void put_position(struct terms *t, uint64_t term)
{
    int own = put_term(t, term);
    struct position *last = t->n_positions ? &t->positions[t->n_positions - 1] : NULL;
    if (tokens_kind(term) == TOKENS_PAIR && last)
        last->pair = own;
    else if (tokens_kind(term) != TOKENS_PAIR && t->n_positions < MOST_TERMS && own >= 0)
        t->positions[t->n_positions++] = (struct position){own, -1, 0};
}

/* How rare a term is: in the bases asked, and, as if it were so many passages more, where the words
 * of the shipped model were learned. So a base of one document knows that 单车 says more than 哪里.
 */
static double rarity(const struct terms *t, int i)
{
    double in = t->holding[i] + t->elsewhere[i], n = t->n_passages + BACKGROUND;
    return log(1 + (n - in + 0.5) / (in + 0.5));
}

static void look_elsewhere(struct terms *t)
{
    const struct rank_model *model = rank_model_shipped();
    for (size_t i = 0; i < t->n; i++) {
        double share = rank_word_share(model, t->items[i]);
        /* A single character that has not been learned is one of the commonest. */
        if (share <= 0 && tokens_kind(t->items[i]) == TOKENS_CHAR)
            share = COMMONEST;
        t->elsewhere[i] = share * BACKGROUND;
    }
}

/* Whether the position's pair with a neighbour is in the set. */
static bool in_pair(const struct terms *t, size_t i, const bool *set)
{
    int before = t->positions[i].pair;
    int behind = i + 1 < t->n_positions ? t->positions[i + 1].pair : -1;
    return (before >= 0 && set[before]) || (behind >= 0 && set[behind]);
}

static void put_said(struct terms *t, const struct lay *lay)
{
    struct said *s = &t->said[t->n_said];
    struct tokens tokens;
    uint64_t term;
    s->lay = lay;
    tokens_init(&tokens, lay->said, false);
    while (s->n < MOST_SAID_TERMS && tokens_next(&tokens, &term)) {
        uint16_t at = t->slots[slot_of(t, term)];
        if (at)
            s->terms[s->n++] = (uint16_t)(at - 1);
    }
    t->n_said += s->n > 0;
}

static void read_said(struct terms *t, struct str text)
{
    for (size_t i = 0; i < lay_n_words && t->n_said < MOST_SAID; i++)
        if (str_find(text, lay_words[i].said) != STR_NPOS)
            put_said(t, &lay_words[i]);
}

static void set_said(const struct said *s, bool *set)
{
    for (size_t i = 0; i < s->n; i++)
        set[s->terms[i]] = true;
}

static void weigh_terms(struct terms *t)
{
    bool known[MOST_TERMS];
    double unknown = 0;
    look_elsewhere(t);
    t->rarest = log(1 + (t->n_passages + BACKGROUND + 0.5) / 0.5);
    for (size_t i = 0; i < t->n; i++) {
        bool one = tokens_kind(t->items[i]) == TOKENS_CHAR;
        known[i] = t->holding[i] > 0;
        t->weights[i] = rarity(t, (int)i) * (one ? SINGLE : 1);
        t->n_words += !one;
        t->all += t->weights[i];
    }
    for (size_t i = 0; i < t->n_said; i++)
        set_said(&t->said[i], known);
    for (size_t i = 0; i < t->n_positions; i++) {
        struct position *p = &t->positions[i];
        bool one = tokens_kind(t->items[p->own]) == TOKENS_CHAR;
        p->weight = rarity(t, p->own);
        t->all_positions += p->weight;
        if (one ? !in_pair(t, i, known) : !known[p->own])
            unknown += p->weight;
    }
    t->unknown = t->all_positions > 0 ? unknown / t->all_positions : 0;
}

static enum err read_terms(struct knowledge *k, const struct ops_identity *who, const char *kb,
                           struct str text, struct arena *arena, struct terms *t, struct why *why)
{
    struct tokens tokens;
    uint64_t term;
    *t = (struct terms){0};
    tokens_init(&tokens, text, true);
    while (tokens_next(&tokens, &term))
        put_position(t, term);
    read_said(t, text);
    enum err err =
        knowledge_rarity(k, who, kb, t->items, t->n, arena, t->holding, &t->n_passages, why);
    if (!err)
        weigh_terms(t);
    return err;
}

static bool holds_written(const struct lay *lay, struct str text)
{
    struct str rest = lay->written;
    for (size_t at; rest.len; rest = str_from(rest, at < rest.len ? at + 1 : at)) {
        at = str_find(rest, STR(" "));
        at = at == STR_NPOS ? rest.len : at;
        if (str_find(text, str_slice(rest, 0, at)) != STR_NPOS)
            return true;
    }
    return false;
}

/* Which of the question's terms stand in a text, in these words or in those of lay.def; `in` is a
 * set over t->items. */
static void mark(const struct terms *t, struct str text, bool *in)
{
    struct tokens tokens;
    uint64_t term;
    tokens_init(&tokens, text, false);
    while (tokens_next(&tokens, &term)) {
        size_t at = slot_of(t, term);
        if (t->slots[at])
            in[t->slots[at] - 1] = true;
    }
    for (size_t i = 0; i < t->n_said; i++)
        if (holds_written(t->said[i].lay, text))
            set_said(&t->said[i], in);
}

static bool near_behind(struct str text, uint32_t a, uint32_t b)
{
    size_t gap = SHORT_GAP + 1;
    for (size_t at = 0; at < text.len;) {
        uint32_t c = utf8_next(text, &at);
        if (c == b && gap <= SHORT_GAP)
            return true;
        gap = c == a ? 0 : gap + 1;
    }
    return false;
}

/* Titles are spoken shorter than they are printed: 公租房 is 公共租赁住房, 低保 最低生活保障. The
 * pair counts as there. A pair term is its two characters in 21 bits each (tokens.h). */
static void mark_short(const struct terms *t, struct str title, bool *in)
{
    for (size_t i = 1; i < t->n_positions; i++) {
        int pair = t->positions[i].pair;
        if (pair < 0 || in[pair] || !t->holding[pair])
            continue;
        uint64_t term = t->items[pair];
        in[pair] = near_behind(title, (uint32_t)(term >> 21) & 0x1FFFFF, (uint32_t)term & 0x1FFFFF);
    }
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* Share of the pairs' and words' weight that is in one of the sets. */
static double held(const struct terms *t, const bool *a, const bool *b, const bool *c)
{
    double sum = 0;
    for (size_t i = 0; i < t->n; i++)
        if (a[i] || (b && b[i]) || (c && c[i]))
            sum += t->weights[i];
    return share(sum, t->all);
}

/* How far a position is covered by a set: with a neighbour 1, alone a little. */
static double covered(const struct terms *t, size_t i, const bool *set)
{
    const struct position *p = &t->positions[i];
    if (tokens_kind(t->items[p->own]) != TOKENS_CHAR)
        return set[p->own];
    return in_pair(t, i, set) ? 1 : set[p->own] ? ALONE : 0;
}

/* Share of the positions' weight that is covered by any of the sets. */
static double covering(const struct terms *t, const bool *a, const bool *b, const bool *c)
{
    double sum = 0;
    for (size_t i = 0; i < t->n_positions; i++) {
        double best = covered(t, i, a), other = b ? covered(t, i, b) : 0;
        best = other > best ? other : best;
        other = c ? covered(t, i, c) : 0;
        sum += t->positions[i].weight * (other > best ? other : best);
    }
    return share(sum, t->all_positions);
}

/* ---- a hit ---- */

struct marks {
    bool title[MOST_TERMS], label[MOST_TERMS], path[MOST_TERMS], text[MOST_TERMS];
};

/* What one sentence covers at most; *with_unit: the same of those that hold the unit asked for. */
static double best_sentence(const struct terms *t, const struct marks *m, struct str text,
                            const char *units, double *with_unit)
{
    struct quote_span spans[MOST_SENTENCE];
    size_t n = quote_sentences(text, spans, MOST_SENTENCE);
    double best = 0;
    *with_unit = 0;
    for (size_t i = 0; i < n; i++) {
        bool in[MOST_TERMS] = {0};
        struct str sentence = str_slice(text, spans[i].start, spans[i].start + spans[i].len);
        mark(t, sentence, in);
        double one = covering(t, in, m->title, m->label);
        best = one > best ? one : best;
        if (units && one > *with_unit && signs_has_unit(units, sentence))
            *with_unit = one;
    }
    return best;
}

static void measure_cover(const struct terms *t, const struct marks *m, double *f)
{
    double rest = 0, rest_all = 0, missing = 0, second = 0, all = 0, unlabelled = 0;
    double gap = 0, gap_most = 0;
    size_t gap_run = 0, gap_longest = 0;
    for (size_t i = 0; i < t->n_positions; i++) {
        double weight = t->positions[i].weight, text = covered(t, i, m->text);
        double label = covered(t, i, m->label), title = covered(t, i, m->title);
        double path = covered(t, i, m->path), most = text > label ? text : label;
        rest_all += weight * (1 - title);
        rest += weight * (1 - title) * most;
        most = title > most ? title : most;
        most = path > most ? path : most;
        all += weight * most;
        double lost = weight * (1 - most);
        gap = most < 1 ? gap + lost : 0;
        gap_run = most < 1 ? gap_run + 1 : 0;
        gap_most = gap > gap_most ? gap : gap_most;
        gap_longest = gap_run > gap_longest ? gap_run : gap_longest;
        second = lost > missing ? missing : lost > second ? lost : second;
        missing = lost > missing ? lost : missing;
        lost = weight * (1 - (label > title ? label : title));
        unlabelled = lost > unlabelled ? lost : unlabelled;
    }
    f[ANSWER_F_cover] = share(all, t->all_positions);
    f[ANSWER_F_pairs] = held(t, m->text, m->label, m->title);
    f[ANSWER_F_cover_text] = covering(t, m->text, m->label, NULL);
    f[ANSWER_F_cover_label] = covering(t, m->label, NULL, NULL);
    f[ANSWER_F_cover_title] = covering(t, m->title, NULL, NULL);
    f[ANSWER_F_rest] = rest_all > 0 ? rest / rest_all : 1;
    f[ANSWER_F_missing] = share(missing, t->rarest);
    f[ANSWER_F_missing_2] = share(second, t->rarest);
    f[ANSWER_F_unlabelled] = share(unlabelled, t->rarest);
    f[ANSWER_F_lost] = log(1 + t->all_positions - all) / 4;
    f[ANSWER_F_gap] = share(gap_most, 6 * t->rarest);
    f[ANSWER_F_gap_share] = share(gap_most, t->all_positions);
    f[ANSWER_F_gap_run] = (double)(gap_longest < 8 ? gap_longest : 8) / 8;
    f[ANSWER_F_unknown] = t->unknown;
    f[ANSWER_F_terms] = log(1 + (double)t->n_positions) / 4;
    f[ANSWER_F_weight] = log(1 + t->all_positions) / 4;
    f[ANSWER_F_got] = log(1 + all) / 4;
}

/* The longest stretch of the question's content that stands in the text, as a share. */
static double longest_run(struct str content, struct str text)
{
    size_t n = utf8_count(content), most = 0;
    if (n < 2 || n > 80)
        return 0;
    for (size_t from = 0; from < content.len && most < n;) {
        struct str rest = str_from(content, from);
        size_t len = utf8_offset(rest, most + 1);
        while (utf8_count(str_slice(rest, 0, len)) > most &&
               str_find(text, str_slice(rest, 0, len)) != STR_NPOS) {
            most++;
            if (len == rest.len)
                break;
            len = utf8_offset(rest, most + 1);
        }
        (void)utf8_next(content, &from);
    }
    return (double)most / (double)n;
}

/* Words of small talk, of opinions, trades and knowledge that are no office's matter, unless the
 * passage has them too. */
static const char *const chat[] = {
    "天气",   "下雨",   "下雪",   "气温",   "温度",   "空气质量", "台风",   "股票",   "基金",
    "炒股",   "股市",   "黄金",   "比特币", "理财",   "利率",     "汇率",   "彩票",   "中奖",
    "双色球", "大乐透", "笑话",   "你叫",   "你是谁", "推荐",     "好吃",   "好喝",   "好玩",
    "好看",   "好用",   "好听",   "牌子",   "品牌",   "划算",     "哪家",   "哪个好", "哪种好",
    "哪款",   "最好",   "聪明",   "合适",   "便宜",   "质量",     "靠谱",   "值不值", "值得",
    "发明",   "起源",   "由来",   "工资",   "微信",   "抖音",     "淘宝",   "京东",   "拼多多",
    "美团",   "外卖",   "支付宝", "花呗",   "移动",   "联通",     "电信",   "宽带",   "套餐",
    "话费",   "流量",   "银行",   "信用卡", "游戏",   "王者",     "原神",   "斗地主", "象棋",
    "麻将",   "明星",   "演员",   "主演",   "导演",   "歌手",     "唱的",   "电影",   "电视剧",
    "综艺",   "演唱会", "专辑",   "小说",   "作者",   "冠军",     "世界杯", "奥运",   "欧冠",
    "比分",   "球队",   "足球",   "篮球",   "马拉松", "作文",     "翻译",   "英文",   "英语",
    "单词",   "诗",     "古诗",   "成语",   "辞职信", "情书",     "编程",   "代码",   "电脑",
    "手机",   "蓝屏",   "系统",   "软件",   "函数",   "公式",     "方程",   "定理",   "几何",
    "化学",   "物理",   "数学",   "微积分", "头疼",   "头痛",     "发烧",   "咳嗽",   "失眠",
    "血压",   "血糖",   "糖尿病", "胃疼",   "过敏",   "肚子",     "什么病", "吃什么", "吃药",
    "能吃",   "怀孕",   "皮肤",   "脱发",   "减肥",   "瑜伽",     "跑步",   "健身",   "广场舞",
    "太极",   "钢琴",   "吉他",   "红烧",   "炒菜",   "炖",       "煮",     "烤",     "蛋糕",
    "火锅",   "面馆",   "烧烤",   "餐馆",   "饭店",   "酒店",     "宾馆",   "景点",   "攻略",
    "高铁",   "火车",   "机票",   "航班",   "飞机",   "地铁",     "司机",   "保安",   "食堂",
    "厕所",   "汽车",   "轮胎",   "发动机", "方向盘", "保养",     "特斯拉", "比亚迪", "保值",
    "装修",   "沙发",   "甲醛",   "洗衣机", "冰箱",   "电视",     "衣服",   "口红",   "婚纱",
    "礼物",   "生日",   "星座",   "运势",   "算命",   "梦见",     "表白",   "女朋友", "男朋友",
    "恋爱",   "签证",   "绿卡",   "移民",   "雅思",   "托福",     "考研",   "首都",   "总统",
    "皇帝",   "朝代",   "唐朝",   "宋朝",   "明朝",   "恐龙",     "宇宙",   "外星",   "月球",
    "火星",   "穿越",   "世界上", "人生",   "意义",   "预测",     "概率",   "涨价",   "房价",
    "会涨",   "涨吗",
};

/* Words of the question that are small talk, found once. */
struct talk {
    struct str words[SIGNS_MOST];
    size_t n;
};

static void read_talk(struct str question, struct talk *out)
{
    out->n = 0;
    for (size_t i = 0; i < sizeof chat / sizeof chat[0] && out->n < SIGNS_MOST; i++)
        if (str_find(question, str_c(chat[i])) != STR_NPOS)
            out->words[out->n++] = str_c(chat[i]);
}

static bool is_chat(const struct talk *talk, const struct knowledge_hit *hit)
{
    for (size_t i = 0; i < talk->n; i++)
        if (str_find(hit->text, talk->words[i]) == STR_NPOS &&
            str_find(hit->title, talk->words[i]) == STR_NPOS)
            return true;
    return false;
}

/* Share of a pair's question, without question words, whose characters stand in this one. */
static double asked_same(const struct question *question, struct str label)
{
    size_t n = 0, same = 0;
    for (size_t at = 0; at < label.len;) {
        size_t start = at;
        uint32_t c = utf8_next(label, &at);
        if (!utf8_is_han(c))
            continue;
        n++;
        same += str_find(question->text, str_slice(label, start, at)) != STR_NPOS;
    }
    return share((double)same, (double)n);
}

static void measure_kind(const struct knowledge_hit *hit, double *f)
{
    enum knowledge_kind kind = hit->meta.kind;
    f[ANSWER_F_law] = kind == KNOWLEDGE_LAW && hit->meta.level >= 6;
    f[ANSWER_F_local] = kind == KNOWLEDGE_LAW && hit->meta.level < 6;
    f[ANSWER_F_policy] = kind == KNOWLEDGE_POLICY;
    f[ANSWER_F_guide] = kind == KNOWLEDGE_GUIDE;
    f[ANSWER_F_faq] = kind == KNOWLEDGE_FAQ;
    f[ANSWER_F_low] = (kind == KNOWLEDGE_LAW || kind == KNOWLEDGE_TEXT) && hit->meta.level < 2;
    f[ANSWER_F_notice] = kind == KNOWLEDGE_NOTICE;
    f[ANSWER_F_length] = log(1 + (double)hit->text.len) / 8;
}

/* What stands in the question and in all hits together, read once. */
struct form {
    struct signs signs;
    struct talk talk;
    struct str home; /* the region that the bases are about: most frequent among texts of offices */
    bool names_home;
    double asked; /* asked.h */
};

static size_t of_region(const struct knowledge_hit *hits, size_t n, struct str region)
{
    size_t same = 0;
    for (size_t i = 0; i < n; i++)
        same += str_eq(hits[i].meta.region, region);
    return same;
}

/* Of texts that are no laws; where there are only laws, what half of them and more are from. */
static struct str home_of(const struct knowledge_hit *hits, size_t n)
{
    struct str home = STR("");
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        size_t same = hits[i].meta.region.len ? of_region(hits, n, hits[i].meta.region) : 0;
        bool known = hits[i].meta.kind != KNOWLEDGE_LAW || 2 * same >= n;
        if (known && same > most) {
            most = same;
            home = hits[i].meta.region;
        }
    }
    return home;
}

/* A text of another place than the bases' own, which the question does not name. */
static bool is_of_others(const struct form *form, struct str question, struct str region)
{
    bool others =
        region.len && !str_eq(region, form->home) && str_find(question, region) == STR_NPOS;
    for (size_t i = 0; others && i < form->signs.n_places; i++)
        others = str_find(region, form->signs.places[i]) == STR_NPOS;
    return others;
}

/* The form of the question against the passage. */
static void measure_form(const struct form *form, const struct knowledge_hit *hit, struct str text,
                         double *f)
{
    const struct signs *s = &form->signs;
    unsigned against = signs_against(s, hit->title, text);
#define SIGN_FEATURE(name) f[ANSWER_F_##name] = against >> SIGN_##name & 1;
    SIGN_KINDS(SIGN_FEATURE)
#undef SIGN_FEATURE
    f[ANSWER_F_elsewhere] = signs_elsewhere(s, hit->title, text, hit->meta.region);
    f[ANSWER_F_chat] = is_chat(&form->talk, hit);
    f[ANSWER_F_home] = form->home.len && str_eq(hit->meta.region, form->home);
    f[ANSWER_F_home_law] = form->names_home && hit->meta.kind == KNOWLEDGE_LAW && !f[ANSWER_F_home];
    f[ANSWER_F_unit] = s->units && signs_has_unit(s->units, text);
    f[ANSWER_F_no_unit] = s->units && f[ANSWER_F_unit] == 0;
    f[ANSWER_F_no_thing] = s->thing.len && str_find(text, s->thing) == STR_NPOS &&
                           str_find(hit->title, s->thing) == STR_NPOS &&
                           str_find(hit->article, s->thing) == STR_NPOS;
    f[ANSWER_F_thing] = s->thing.len && f[ANSWER_F_no_thing] == 0;
}

static void measure_hit(const struct terms *t, const struct form *form,
                        const struct question *question, const struct knowledge_hit *hit,
                        size_t place, double *f)
{
    struct marks m = {0};
    struct str text = str_slice(
        hit->text, 0, utf8_floor(hit->text, hit->text.len < MOST_TEXT ? hit->text.len : MOST_TEXT));
    mark(t, hit->title, m.title);
    mark_short(t, hit->title, m.title);
    mark(t, hit->article, m.label);
    mark(t, hit->path, m.path);
    mark(t, text, m.text);
    measure_cover(t, &m, f);
    measure_kind(hit, f);
    measure_form(form, hit, text, f);
    f[ANSWER_F_of_others] = is_of_others(form, question->text, hit->meta.region);
    bool pair = hit->meta.kind == KNOWLEDGE_FAQ && hit->article.len;
    bool wanted = quote_is_wanted(question, text);
    f[ANSWER_F_bias] = 1;
    f[ANSWER_F_asked] = form->asked;
    f[ANSWER_F_cover_sentence] =
        best_sentence(t, &m, text, form->signs.units, &f[ANSWER_F_sentence_unit]);
    f[ANSWER_F_label_alike] = pair ? answer_alike(question->content, hit->article) : 0;
    f[ANSWER_F_label_back] = pair ? answer_covered(hit->article, question->text) : 0;
    f[ANSWER_F_label_chars] = pair ? asked_same(question, hit->article) : 0;
    f[ANSWER_F_label_run] = pair ? longest_run(question->content, hit->article) : 0;
    f[ANSWER_F_title_back] = answer_covered(hit->title, question->text);
    f[ANSWER_F_run] = longest_run(question->content, text);
    f[ANSWER_F_score] = hit->score > 3 ? 3 : hit->score;
    f[ANSWER_F_place] = 1.0 / (double)(place + 1);
    f[ANSWER_F_meaning] = hit->meaning;
    f[ANSWER_F_latent] = hit->latent;
    f[ANSWER_F_wanted] = question->want && wanted;
    f[ANSWER_F_title_rest] = f[ANSWER_F_cover_title] * f[ANSWER_F_rest];
    f[ANSWER_F_meaning_rest] = f[ANSWER_F_meaning] * f[ANSWER_F_rest];
    f[ANSWER_F_label_rest] = f[ANSWER_F_label_chars] * f[ANSWER_F_cover_label];
    f[ANSWER_F_sentence_wanted] = f[ANSWER_F_cover_sentence] * f[ANSWER_F_wanted];
    f[ANSWER_F_sentence_2] = f[ANSWER_F_cover_sentence] * f[ANSWER_F_cover_sentence];
    f[ANSWER_F_faq_sentence] = f[ANSWER_F_faq] * f[ANSWER_F_cover_sentence];
    f[ANSWER_F_lacking] = question->want && !wanted;
}

/* The city's own name tells nothing of what is asked about it. */
static enum err without(struct str text, struct str name, struct arena *arena, struct str *out,
                        struct why *why)
{
    struct buf buf;
    buf_init(&buf, arena);
    for (size_t at = 0; at < text.len;) {
        size_t end = str_find_from(text, name, at);
        buf_add(&buf, str_slice(text, at, end == STR_NPOS ? text.len : end));
        buf_char(&buf, ' ');
        at = end == STR_NPOS ? text.len : end + name.len;
        if (at < text.len && str_starts(str_from(text, at), STR("市")))
            at += 3;
    }
    *out = str_trim_space(buf_str(&buf));
    if (!out->len)
        *out = text;
    return buf_err(&buf, why);
}

enum err answer_measure(struct knowledge *k, const struct ops_identity *who, const char *kb,
                        const struct question *question, const struct knowledge_hit *hits, size_t n,
                        struct arena *arena, double **out, struct why *why)
{
    struct terms *t = arena_one(arena, struct terms);
    double *all = arena_array(arena, double, n *ANSWER_N_FEATURES + 1);
    if (!t || !all)
        return err_set(why, ERR_NO_MEMORY, "could not weigh the passages");
    struct form form = {.home = home_of(hits, n),
                        .asked = asked_answered(question->text) / ASKED_MOST};
    struct str text = question->content.len ? question->content : question->text;
    signs_read(question->text, &form.signs);
    read_talk(question->text, &form.talk);
    form.names_home = form.home.len && str_find(text, form.home) != STR_NPOS;
    enum err err = form.names_home ? without(text, form.home, arena, &text, why) : ERR_OK;
    if (!err)
        err = read_terms(k, who, kb, text, arena, t, why);
    size_t place = 0;
    for (size_t i = 0; !err && i < n; i++) {
        place = i > 0 && str_eq(hits[i].kb, hits[i - 1].kb) ? place + 1 : 0;
        measure_hit(t, &form, question, &hits[i], place, all + i * ANSWER_N_FEATURES);
    }
    *out = all;
    return err;
}

/* ---- the order ---- */

struct placed {
    double sum;
    size_t hit;
};

static int by_sum(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->sum != y->sum)
        return x->sum > y->sum ? -1 : 1;
    return x->hit < y->hit ? -1 : x->hit > y->hit;
}

enum err answer_order(struct knowledge *k, const struct ops_identity *who, const char *kb,
                      const struct question *question, struct knowledge_hit *hits, size_t n,
                      struct arena *arena, double *answerable, struct why *why)
{
    double *features, belief = 0;
    struct placed *order = arena_array(arena, struct placed, n + 1);
    struct knowledge_hit *copy = arena_array(arena, struct knowledge_hit, n + 1);
    if (!order || !copy)
        return err_set(why, ERR_NO_MEMORY, "could not weigh the passages");
    enum err err = answer_measure(k, who, kb, question, hits, n, arena, &features, why);
    if (err)
        return err;
    for (size_t i = 0; i < n; i++) {
        order[i] = (struct placed){0, i};
        for (size_t f = 0; f < ANSWER_N_FEATURES; f++)
            order[i].sum += answer_weights[f] * features[i * ANSWER_N_FEATURES + f];
        hits[i].confidence = 1 / (1 + exp(-order[i].sum));
        belief += exp(order[i].sum);
        copy[i] = hits[i];
    }
    qsort(order, n, sizeof *order, by_sum);
    for (size_t i = 0; i < n; i++)
        hits[i] = copy[order[i].hit];
    *answerable = belief / (1 + belief);
    return ERR_OK;
}

/* ---- search over several bases ---- */

/* Every base gives as many as are asked for, at most SEARCH_EACH when that is more than a page. */
static size_t share_of(size_t limit, size_t n_bases)
{
    size_t each = 2 * limit / n_bases;
    return limit <= SEARCH_EACH ? SEARCH_EACH : each > SEARCH_EACH ? each : SEARCH_EACH;
}

static enum err search_several(struct knowledge *k, const struct ops_identity *who,
                               const struct knowledge_query *query, const struct question *question,
                               const struct catalog **bases, size_t n_bases, struct arena *arena,
                               struct knowledge_hit **out, size_t *n, struct why *why)
{
    struct knowledge_hit *hits;
    size_t n_hits;
    double answerable;
    enum err err = search_each(k, who, query, bases, n_bases, share_of(query->limit, n_bases),
                               arena, &hits, &n_hits, why);
    if (!err)
        err = answer_order(k, who, query->kb, question, hits, n_hits, arena, &answerable, why);
    if (err)
        return err;
    for (size_t i = 0; i < n_hits; i++) { /* one scale for all bases, in the order of confidence */
        double p = hits[i].confidence;
        hits[i].score = log(fmax(p, 1e-9) / fmax(1 - p, 1e-9));
    }
    *out = hits;
    *n = n_hits < query->limit ? n_hits : query->limit;
    retrieve_weigh(k, who, bases, n_bases, query->text, hits, *n, arena);
    return ERR_OK;
}

enum err knowledge_search(struct knowledge *k, const struct ops_identity *who,
                          const struct knowledge_query *query, struct arena *arena,
                          struct knowledge_hit **out, size_t *n, struct why *why)
{
    struct question question;
    struct why ignored = {0};
    const struct catalog **bases = NULL;
    size_t n_bases = 0;
    bool in_range = query->limit >= 1 && query->limit <= MOST_LIMIT;
    /* What is no question, a number say, has no words to be weighed by. */
    if (!in_range || question_read(query->text, arena, &question, &ignored) != ERR_OK)
        return retrieve_bases(k, who, query, arena, out, n, why);
    enum err err = several(k, who, query, arena, &bases, &n_bases, why);
    if (err)
        return err;
    err = n_bases ? search_several(k, who, query, &question, bases, n_bases, arena, out, n, why)
                  : retrieve_bases(k, who, query, arena, out, n, why);
    for (size_t i = 0; i < n_bases; i++)
        catalog_release(bases[i]);
    return err;
}

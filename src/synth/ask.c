/*
 * synth/ask - questions by rules, from the way that laws, guides and FAQs are written. Pure.
 *
 * An answer is always a sentence or a field of the passage, word for word; a question is built from
 * the words before it. What fits no pattern asks for the article by its number. Source: ours, after
 * 立法技术规范（试行） of the NPC's legislative commission (the fixed phrases of articles).
 */
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "synth/synth_in.h"

#define MOST_SUBJECT 40 /* characters */
#define MOST_TITLE   60

enum err pairs_add(struct pairs *p, struct str question, struct str answer, const char *form,
                   size_t passage, struct why *why)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 32, size = sizeof *p->items;
        p->items = arena_grow(p->arena, p->items, p->cap * size, cap * size);
        p->cap = cap;
    }
    if (!p->items || !question.ptr || !answer.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold the questions");
    p->items[p->n++] = (struct pair){question, answer, form, passage};
    return ERR_OK;
}

struct asking {
    const struct passage *p;
    size_t index, most, made;
    struct pairs *out;
    struct str law; /* "根据《...》，" or empty */
};

static enum err add(struct asking *a, struct str question, struct str answer, const char *form,
                    struct why *why)
{
    if (a->made >= a->most)
        return ERR_OK;
    for (size_t i = a->out->n - a->made; i < a->out->n; i++)
        if (str_eq(a->out->items[i].question, question) || str_eq(a->out->items[i].answer, answer))
            return ERR_OK;
    a->made++;
    return pairs_add(a->out, question, answer, form, a->index, why);
}

/* What stands before the first of the words; ptr NULL when none is there, or nothing before. */
static struct str before(struct str s, const char *word, struct str *behind)
{
    size_t at = str_find(s, str_c(word));
    if (at == STR_NPOS || at == 0)
        return STR_NONE;
    *behind = str_from(s, at + strlen(word));
    return str_trim_space(str_slice(s, 0, at));
}

/* The part behind the last comma: the subject that a verb has. */
static struct str last_clause(struct str s)
{
    static const char *const commas[] = {"，", "；", "：", "。", "、并"};
    for (size_t i = 0; i < sizeof commas / sizeof commas[0]; i++) {
        size_t at = 0, found = STR_NPOS;
        while ((at = str_find_from(s, str_c(commas[i]), at)) != STR_NPOS) {
            found = at;
            at++;
        }
        if (found != STR_NPOS)
            s = str_from(s, found + strlen(commas[i]));
    }
    return str_trim_space(s);
}

/* A phrase that can stand in a question: whole brackets, no list numbers, not too long. */
static bool fits(struct str s, size_t least)
{
    static const char *const bad[] = {"（", "）", "《",   "》",   "“",    "”",  "下列", "前款",
                                      "该", "其", "本条", "上述", "有前", "\n", "。",   "："};
    size_t n = utf8_count(s);
    if (n < least || n > MOST_SUBJECT)
        return false;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (str_find(s, str_c(bad[i])) != STR_NPOS)
            return false;
    return true;
}

/* What stands before a verb and is no subject: adverbs, and beginnings of clauses. */
static bool is_adverb(struct str s)
{
    static const char *const words[] = {
        "分别", "并",   "也",   "还", "均", "都",   "共同", "依法", "同时", "不",   "应当",
        "可以", "或者", "以及", "由", "对", "在",   "自",   "按照", "根据", "依照", "但",
        "如",   "因",   "从",   "经", "将", "但是", "除",   "为",   "没有"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_starts(s, str_c(words[i])) &&
            (utf8_count(s) <= 3 || strlen(words[i]) > strlen("并")))
            return true;
    return false;
}

static struct str no_end(struct str s)
{
    static const char *const ends[] = {"。", "；", "！", "，", "："};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (str_ends(s, str_c(ends[i])))
            return str_slice(s, 0, s.len - strlen(ends[i]));
    return s;
}

/* ---- sentences of laws ---- */

typedef enum err rule_fn(struct asking *a, struct str sentence, struct why *why);

/* 本法所称X，是指Y */
static enum err definition(struct asking *a, struct str s, struct why *why)
{
    struct str rest, name;
    size_t called = str_find(s, STR("所称"));
    if (called == STR_NPOS)
        return ERR_OK;
    struct str from = str_from(s, called + strlen("所称"));
    if (str_starts(from, STR("的")))
        from = str_from(from, strlen("的"));
    name = before(from, "，是指", &rest);
    if (!name.ptr)
        name = before(from, "是指", &rest);
    if (!name.ptr || !fits(name, 2))
        return ERR_OK;
    return add(a, str_printf(a->out->arena, "%.*s什么是%.*s？", STR_FMT(a->law), STR_FMT(name)), s,
               "definition", why);
}

/* 违反...，...的，由...处...: what is punished, and how */
static enum err penalty(struct asking *a, struct str s, struct why *why)
{
    static const char *const marks[] = {"的，由", "的，处", "的，依法", "的，责令", "的，给予"};
    struct str rest, act = STR_NONE;
    if (str_find(s, STR("罚")) == STR_NPOS && str_find(s, STR("责令")) == STR_NPOS &&
        str_find(s, STR("处分")) == STR_NPOS && str_find(s, STR("刑")) == STR_NPOS)
        return ERR_OK;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0] && !act.ptr; i++)
        act = before(s, marks[i], &rest);
    if (!act.ptr)
        return ERR_OK;
    struct str tail = STR_NONE;
    if (str_starts(act, STR("违反"))) {
        struct str of = before(act, "规定，", &tail);
        act = of.ptr ? str_trim_space(tail) : act;
    }
    if (!fits(act, 3))
        return ERR_OK;
    return add(
        a, str_printf(a->out->arena, "%.*s%.*s的，会受到什么处罚？", STR_FMT(a->law), STR_FMT(act)),
        s, "penalty", why);
}

/* 自X之日起N日内Y: how long there is */
static enum err time_limit(struct asking *a, struct str s, struct why *why)
{
    static const char *const units[] = {"日内", "个工作日内", "个月内", "年内", "小时内"};
    struct str rest, subject = before(s, "应当自", &rest);
    size_t day = subject.ptr ? str_find(rest, STR("之日起")) : STR_NPOS;
    if (day == STR_NPOS)
        return ERR_OK;
    struct str event = str_slice(rest, 0, day), after = str_from(rest, day + strlen("之日起"));
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t at = str_find(after, str_c(units[i]));
        if (at == STR_NPOS || at > 24)
            continue;
        struct str act = no_end(str_from(after, at + strlen(units[i])));
        size_t comma = str_find(act, STR("，"));
        act = str_trim_space(str_slice(act, 0, comma == STR_NPOS ? act.len : comma));
        subject = last_clause(subject);
        if (!fits(act, 2) || !fits(event, 2) || !fits(subject, 2))
            return ERR_OK;
        return add(a,
                   str_printf(a->out->arena, "%.*s%.*s应当自%.*s之日起多长时间内%.*s？",
                              STR_FMT(a->law), STR_FMT(subject), STR_FMT(event), STR_FMT(act)),
                   s, "time_limit", why);
    }
    return ERR_OK;
}

/* 有下列情形之一的，Y：（一）... the whole article is the answer */
static enum err cases(struct asking *a, struct str s, struct why *why)
{
    static const char *const marks[] = {"有下列情形之一的，", "有下列行为之一的，",
                                        "符合下列条件之一的，", "具有下列情形之一的，"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        struct str rest = STR_NONE, who = before(s, marks[i], &rest);
        bool starts = str_starts(s, str_c(marks[i]));
        if (starts)
            rest = str_from(s, strlen(marks[i]));
        if (!who.ptr && !starts)
            continue;
        size_t end = str_find(rest, STR("："));
        struct str what = no_end(str_slice(rest, 0, end == STR_NPOS ? rest.len : end));
        struct str subject = who.ptr ? last_clause(who) : STR("");
        if (!fits(what, 2) || (subject.len && !fits(subject, 1)))
            return ERR_OK;
        return add(a,
                   str_printf(a->out->arena, "%.*s%.*s在哪些情形下%.*s？", STR_FMT(a->law),
                              STR_FMT(subject), STR_FMT(what)),
                   a->p->body, "cases", why);
    }
    return ERR_OK;
}

/* X应当Y, X不得Y, X可以Y */
static enum err duty(struct asking *a, struct str s, struct why *why)
{
    static const struct {
        const char *verb, *ask, *form;
    } verbs[] = {{"不得", "不得有哪些行为？", "ban"}, {"应当", "应当怎么做？", "duty"},
                 {"必须", "必须怎么做？", "duty"},    {"可以", "可以怎么做？", "right"},
                 {"有权", "有权做什么？", "right"},   {"负责", "负责什么工作？", "office"}};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        struct str rest, subject = before(s, verbs[i].verb, &rest);
        if (!subject.ptr || utf8_count(no_end(rest)) < 4)
            continue;
        subject = last_clause(subject);
        if (!fits(subject, 2) || is_adverb(subject))
            continue;
        struct str question = str_printf(a->out->arena, "%.*s%.*s%s", STR_FMT(a->law),
                                         STR_FMT(subject), verbs[i].ask);
        return add(a, question, s, verbs[i].form, why);
    }
    return ERR_OK;
}

/* 本法自...起施行 */
static enum err in_force(struct asking *a, struct str s, struct why *why)
{
    if (str_find(s, STR("起施行")) == STR_NPOS || !a->p->title.len ||
        utf8_count(a->p->title) > MOST_TITLE)
        return ERR_OK;
    return add(a, str_printf(a->out->arena, "《%.*s》从什么时候开始施行？", STR_FMT(a->p->title)),
               s, "in_force", why);
}

static enum err ask_sentences(struct asking *a, struct str text, struct why *why)
{
    static rule_fn *const rules[] = {definition, in_force, time_limit, cases, penalty, duty};
    struct str rest = text, sentence;
    enum err err = ERR_OK;
    while (!err && a->made < a->most && passage_sentence(&rest, &sentence)) {
        size_t before_n = a->made;
        if (utf8_count(sentence) < 8 || str_starts(sentence, STR("（")))
            continue;
        for (size_t i = 0; !err && i < sizeof rules / sizeof rules[0] && a->made == before_n; i++)
            err = rules[i](a, sentence, why);
    }
    return err;
}

static enum err ask_article(struct asking *a, struct why *why)
{
    const struct passage *p = a->p;
    bool titled = p->title.len && utf8_count(p->title) <= MOST_TITLE;
    if (titled)
        a->law = str_printf(a->out->arena, "根据《%.*s》，", STR_FMT(p->title));
    enum err err = ask_sentences(a, p->body, why);
    if (!err && titled && utf8_count(p->body) >= 8)
        err = add(a,
                  str_printf(a->out->arena, "《%.*s》%.*s是怎么规定的？", STR_FMT(p->title),
                             STR_FMT(p->name)),
                  p->body, "article", why);
    return err;
}

/* ---- guides ---- */

static const struct {
    const char *field; /* what the name of a field holds */
    const char *ask;   /* behind the matter's name, in 《》 */
} guide_asks[] = {
    {"材料", "需要提交哪些材料？"},
    {"material_intro", "需要提交哪些材料？"},
    {"条件", "的办理条件是什么？"},
    {"accept_standard", "的受理条件是什么？"},
    {"地点", "在哪里办理？"},
    {"地址", "在哪里办理？"},
    {"handle_location", "在哪里办理？"},
    {"法定办结时限", "的法定办结时限是多久？"},
    {"承诺办结时限", "承诺多久办结？"},
    {"handle_time_limit", "承诺多久办结？"},
    {"handle_time", "的法定办结时限是多久？"},
    {"时限", "多久能办好？"},
    {"时间", "什么时间可以办理？"},
    {"收费", "收费吗，标准是什么？"},
    {"费用", "收费吗，标准是什么？"},
    {"咨询电话", "的咨询电话是多少？"},
    {"咨询方式", "怎么咨询？"},
    {"consult_phone", "的咨询电话是多少？"},
    {"投诉", "办理中有意见向哪里投诉？"},
    {"监督", "办理中有意见向哪里投诉？"},
    {"complain_phone", "的投诉电话是多少？"},
    {"流程", "的办理流程是什么？"},
    {"程序", "的办理程序是什么？"},
    {"依据", "的办理依据是什么？"},
    {"对象", "可以由谁申请？"},
    {"service_object_name", "可以由谁申请？"},
    {"部门", "由哪个部门办理？"},
    {"DEPT_NAME", "由哪个部门办理？"},
    {"实施主体", "由哪个部门办理？"},
    {"结果", "办理后会得到什么？"},
    {"次数", "要跑几次？"},
};

static bool is_empty_value(struct str s)
{
    static const char *const none[] = {"无", "暂无", "null", "/", "-", "否", "没有"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (str_eq_c(s, none[i]))
            return true;
    return !s.len;
}

/* The name of the matter: a field that says so, else the title. */
static struct str matter_of(const struct passage *p)
{
    static const char *const names[] = {"matter_name", "事项名称", "TASK_NAME",
                                        "办理事项",    "服务事项", "名称"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        for (size_t i = 0; i < p->n_fields; i++)
            if (str_eq_c(p->fields[i].name, names[k]) && !is_empty_value(p->fields[i].value))
                return p->fields[i].value;
    return p->title;
}

static enum err ask_guide(struct asking *a, struct why *why)
{
    struct str matter = matter_of(a->p);
    enum err err = ERR_OK;
    if (!matter.len || utf8_count(matter) > MOST_TITLE)
        return ERR_OK;
    for (size_t i = 0; !err && i < a->p->n_fields; i++) {
        const struct passage_field *f = &a->p->fields[i];
        for (size_t k = 0; k < sizeof guide_asks / sizeof guide_asks[0]; k++) {
            if (str_find(f->name, str_c(guide_asks[k].field)) == STR_NPOS ||
                is_empty_value(f->value))
                continue;
            err = add(a, str_printf(a->out->arena, "“%.*s”%s", STR_FMT(matter), guide_asks[k].ask),
                      f->value, "guide_field", why);
            break;
        }
    }
    return err;
}

enum err ask_rules(const struct passage *passages, size_t n, size_t most, struct pairs *out,
                   struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < n; i++) {
        struct asking a = {.p = &passages[i], .index = i, .most = most, .out = out, .law = STR("")};
        switch (passages[i].kind) {
        case PASSAGE_ARTICLE:
            err = ask_article(&a, why);
            break;
        case PASSAGE_GUIDE:
            a.most = most * 3; /* each of its fields is a passage of its own */
            err = ask_guide(&a, why);
            break;
        case PASSAGE_FAQ:
            err = add(&a, passages[i].fields[0].name, passages[i].fields[0].value, "faq", why);
            break;
        case PASSAGE_PROSE:
            if (passages[i].title.len && utf8_count(passages[i].title) <= MOST_TITLE)
                a.law = str_printf(out->arena, "根据《%.*s》，", STR_FMT(passages[i].title));
            err = ask_sentences(&a, passages[i].body, why);
            break;
        }
    }
    return err;
}

/* ---- the same, asked otherwise ---- */

static const struct {
    const char *from, *to;
} turns[] = {
    {"需要提交哪些材料", "要准备什么材料"},
    {"需要提交哪些材料", "办理要带哪些资料"},
    {"在哪里办理", "去哪儿办"},
    {"在哪里办理", "的办理地点在什么地方"},
    {"的咨询电话是多少", "有疑问打什么电话咨询"},
    {"由哪个部门办理", "归哪个部门管"},
    {"可以由谁申请", "哪些人可以申请"},
    {"承诺多久办结", "多长时间能办下来"},
    {"的法定办结时限是多久", "按规定最长要办多少天"},
    {"收费吗，标准是什么", "要交多少钱"},
    {"会受到什么处罚", "怎么处罚"},
    {"会受到什么处罚", "要承担什么法律责任"},
    {"应当怎么做", "有哪些义务"},
    {"应当怎么做", "要做到什么"},
    {"不得有哪些行为", "被禁止做什么"},
    {"可以怎么做", "享有什么权利"},
    {"什么是", "如何理解"},
    {"是怎么规定的", "的内容是什么"},
    {"是怎么规定的", "说了什么"},
    {"从什么时候开始施行", "哪一天起生效"},
    {"在哪些情形下", "什么情况下"},
    {"多长时间内", "几天之内"},
    {"怎么办理", "如何办理"},
    {"如何办理", "该怎么办"},
    {"什么时候", "哪天"},
    {"哪些", "什么样的"},
    {"多久", "多长时间"},
    {"是什么", "指的是什么"},
};

static struct str replaced(struct str s, const char *from, const char *to, struct arena *arena)
{
    size_t at = str_find(s, str_c(from));
    if (at == STR_NPOS)
        return STR_NONE;
    return str_printf(arena, "%.*s%s%.*s", STR_FMT(str_slice(s, 0, at)), to,
                      STR_FMT(str_from(s, at + strlen(from))));
}

/* "根据《T》，Q" as "Q（依据《T》）" reads as people type it. */
static struct str law_behind(struct str s, struct arena *arena)
{
    struct str rest;
    if (!str_starts(s, STR("根据《")))
        return STR_NONE;
    struct str law = before(s, "》，", &rest);
    if (!law.ptr)
        return STR_NONE;
    return str_printf(arena, "%.*s（《%.*s》）", STR_FMT(rest),
                      STR_FMT(str_from(law, strlen("根据《"))));
}

enum err ask_otherwise(struct str question, size_t most, struct arena *arena, struct str **out,
                       size_t *n, struct why *why)
{
    struct str *list = arena_array(arena, struct str, most + 2);
    size_t found = 0;
    if (!list)
        return err_set(why, ERR_NO_MEMORY, "could not hold the questions");
    for (size_t i = 0; i < sizeof turns / sizeof turns[0] && found < most; i++) {
        struct str s = replaced(question, turns[i].from, turns[i].to, arena);
        if (s.ptr)
            list[found++] = s;
    }
    struct str moved = found < most ? law_behind(question, arena) : STR_NONE;
    if (moved.ptr)
        list[found++] = moved;
    if (found < most) {
        list[found] = str_printf(arena, "请问%.*s", STR_FMT(question));
        found += list[found].ptr != NULL;
    }
    *out = list;
    *n = found;
    return ERR_OK;
}

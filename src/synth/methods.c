/* synth/methods - what can be made: by the rules, and from what a model says. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "synth/synth_in.h"

#define MOST_TURNS  4  /* questions of a dialogue */
#define SLIPS_EVERY 25 /* characters to an error */
#define LEAST_LIKE  0.25
#define NOT_THERE   "所给材料中没有说明这一点，无法据此回答。"

void making_meta(const struct making *m, const char *form, const struct passage *passage,
                 struct json_out *out)
{
    json_key(out, "meta");
    json_begin_object(out);
    json_kv_bool(out, "synthetic", true);
    json_kv_c(out, "method", m->method->name);
    json_kv_str(out, "model", m->model.len ? m->model : STR("rules"));
    json_kv_c(out, "template", form);
    json_kv_str(out, "parent", m->id);
    if (passage && passage->title.len)
        json_kv_str(out, "title", passage->title);
    if (passage && passage->name.len)
        json_kv_str(out, "article", passage->name);
}

static void end_meta(struct json_out *out)
{
    json_end_object(out);
    json_end_object(out);
}

struct writing {
    struct buf buf;
    struct json_out out;
};

static struct json_out *begin(struct making *m, struct writing *w)
{
    buf_init(&w->buf, m->arena);
    json_out_init(&w->out, &w->buf);
    json_begin_object(&w->out);
    return &w->out;
}

static enum err put(struct making *m, struct writing *w, struct str key, struct why *why)
{
    enum err err = buf_err(&w->buf, why);
    return err ? err : m->put(m->ctx, m, key, buf_str(&w->buf), why);
}

static enum err put_qa(struct making *m, struct str question, struct str answer, struct str context,
                       const char *form, const struct passage *passage, bool answerable,
                       struct why *why)
{
    struct writing w;
    struct json_out *out = begin(m, &w);
    json_kv_str(out, "question", question);
    json_kv_str(out, "answer", answer);
    if (context.len)
        json_kv_str(out, "context", context);
    making_meta(m, form, passage, out);
    if (!answerable)
        json_kv_bool(out, "answerable", false);
    end_meta(out);
    return put(m, &w, question, why);
}

static void put_turn(struct json_out *out, const char *role, struct str content)
{
    json_begin_object(out);
    json_kv_c(out, "role", role);
    json_kv_str(out, "content", content);
    json_end_object(out);
}

static enum err rule_pairs(struct making *m, struct pairs *out, struct why *why)
{
    *out = (struct pairs){.arena = m->arena};
    return ask_rules(m->passages, m->n_passages, m->per_passage, out, why);
}

static bool good(struct making *m, const struct pair *p, struct str passage)
{
    enum reject reject = quality_pair(p->question, p->answer, passage);
    if (reject)
        m->reject(m->ctx, reject);
    return reject == REJECT_NONE;
}

/* ---- questions ---- */

static enum err questions(struct making *m, struct why *why)
{
    struct pairs pairs;
    enum err err = rule_pairs(m, &pairs, why);
    for (size_t i = 0; !err && i < pairs.n; i++) {
        const struct pair *p = &pairs.items[i];
        const struct passage *passage = &m->passages[p->passage];
        if (good(m, p, passage->text))
            err = put_qa(m, p->question, p->answer, passage->text, p->form, passage, true, why);
    }
    return err;
}

static enum err questions_item(struct making *m, size_t i, const struct json *item, struct why *why)
{
    struct pair p = {.question = str_trim_space(json_get_str(item, "question", STR(""))),
                     .answer = str_trim_space(json_get_str(item, "answer", STR("")))};
    const struct passage *passage = &m->passages[i];
    if (!good(m, &p, passage->text))
        return ERR_OK;
    return put_qa(m, p.question, p.answer, passage->text, "model", passage, true, why);
}

/* ---- paraphrases ---- */

static enum err put_paraphrase(struct making *m, struct str question, const char *form,
                               struct why *why)
{
    double like = quality_alike(question, m->question);
    if (quality_key(question) == quality_key(m->question)) {
        m->reject(m->ctx, REJECT_SOURCE);
        return ERR_OK;
    }
    if (utf8_count(question) < 4 || utf8_count(question) > 160) {
        m->reject(m->ctx, REJECT_SHORT);
        return ERR_OK;
    }
    if (like < LEAST_LIKE && m->model.len) { /* about something else */
        m->reject(m->ctx, REJECT_UNSUPPORTED);
        return ERR_OK;
    }
    return put_qa(m, question, m->answer, STR(""), form, NULL, true, why);
}

static enum err paraphrases(struct making *m, struct why *why)
{
    struct str *list = NULL;
    size_t n = 0;
    enum err err = ask_otherwise(m->question, m->per_passage, m->arena, &list, &n, why);
    for (size_t i = 0; !err && i < n; i++)
        err = put_paraphrase(m, list[i], "turn", why);
    return err;
}

static enum err paraphrases_item(struct making *m, size_t i, const struct json *item,
                                 struct why *why)
{
    (void)i;
    struct str question = json_kind(item) == JSON_KIND_STRING
                              ? json_str(item, STR(""))
                              : json_get_str(item, "question", STR(""));
    return put_paraphrase(m, str_trim_space(question), "model", why);
}

/* ---- instructions ---- */

static enum err put_instruction(struct making *m, struct str ask, struct str answer,
                                const char *form, const struct passage *passage, struct why *why)
{
    struct writing w;
    struct json_out *out = begin(m, &w);
    json_key(out, "messages");
    json_begin_array(out);
    put_turn(out, "user", ask);
    put_turn(out, "assistant", answer);
    json_end_array(out);
    making_meta(m, form, passage, out);
    end_meta(out);
    return put(m, &w, ask, why);
}

static enum err instructions(struct making *m, struct why *why)
{
    struct pairs pairs;
    enum err err = rule_pairs(m, &pairs, why);
    for (size_t i = 0; !err && i < pairs.n; i++) {
        const struct pair *p = &pairs.items[i];
        const struct passage *passage = &m->passages[p->passage];
        struct str ask;
        if (!good(m, p, passage->text))
            continue;
        switch ((m->seed + i) % 3) {
        case 0:
            ask = str_printf(
                m->arena,
                "请根据下面的材料回答问题，只用材料中的内容。\n\n材料：%.*s\n\n问题：%.*s",
                STR_FMT(passage->text), STR_FMT(p->question));
            break;
        case 1:
            ask = str_printf(m->arena, "从下面这段文字中找出答案。\n问：%.*s\n\n%.*s",
                             STR_FMT(p->question), STR_FMT(passage->text));
            break;
        default:
            ask = str_printf(m->arena, "阅读以下内容，然后回答：%.*s\n\n%.*s", STR_FMT(p->question),
                             STR_FMT(passage->text));
        }
        if (!ask.ptr)
            return err_set(why, ERR_NO_MEMORY, "could not hold an instruction");
        err = put_instruction(m, ask, p->answer, p->form, passage, why);
    }
    return err;
}

static enum err instructions_item(struct making *m, size_t i, const struct json *item,
                                  struct why *why)
{
    struct pair p = {.question = str_trim_space(json_get_str(item, "instruction", STR(""))),
                     .answer = str_trim_space(json_get_str(item, "output", STR("")))};
    const struct passage *passage = &m->passages[i];
    if (!good(m, &p, passage->text))
        return ERR_OK;
    struct str ask =
        str_printf(m->arena, "%.*s\n\n%.*s", STR_FMT(p.question), STR_FMT(passage->text));
    return ask.ptr ? put_instruction(m, ask, p.answer, "model", passage, why)
                   : err_set(why, ERR_NO_MEMORY, "could not hold an instruction");
}

/* ---- dialogues ---- */

/* A later question leaves out what was named before. */
static struct str follow_up(const struct pair *p, struct arena *arena)
{
    struct str q = p->question;
    size_t end = str_find(q, STR("》，"));
    if (str_starts(q, STR("根据《")) && end != STR_NPOS)
        return str_printf(arena, "那%.*s", STR_FMT(str_from(q, end + strlen("》，"))));
    end = str_find(q, STR("”"));
    if (str_starts(q, STR("“")) && end != STR_NPOS) {
        struct str rest = str_from(q, end + strlen("”"));
        if (str_starts(rest, STR("的")))
            rest = str_from(rest, strlen("的"));
        return str_printf(arena, "那%.*s", STR_FMT(rest));
    }
    return q;
}

static enum err put_dialogue(struct making *m, const struct pairs *pairs, size_t from, size_t n,
                             struct why *why)
{
    struct writing w;
    const struct passage *passage = &m->passages[pairs->items[from].passage];
    struct json_out *out = begin(m, &w);
    json_key(out, "messages");
    json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        const struct pair *p = &pairs->items[from + i];
        struct str asked = i ? follow_up(p, m->arena) : p->question;
        if (!asked.ptr)
            return err_set(why, ERR_NO_MEMORY, "could not hold a dialogue");
        put_turn(out, "user", asked);
        put_turn(out, "assistant", p->answer);
    }
    json_end_array(out);
    making_meta(m, "dialogue", passage, out);
    json_kv_int(out, "turns", (int64_t)n);
    end_meta(out);
    return put(m, &w, pairs->items[from].question, why);
}

static enum err dialogues(struct making *m, struct why *why)
{
    struct pairs pairs;
    enum err err = rule_pairs(m, &pairs, why);
    size_t kept = 0;
    for (size_t i = 0; !err && i < pairs.n; i++) { /* articles by their number lead nowhere */
        const struct pair *p = &pairs.items[i];
        if (strcmp(p->form, "article") != 0 && good(m, p, m->passages[p->passage].text))
            pairs.items[kept++] = *p;
    }
    for (size_t i = 0; !err && i + 1 < kept; i += MOST_TURNS)
        err = put_dialogue(m, &pairs, i, kept - i < MOST_TURNS ? kept - i : MOST_TURNS, why);
    return err;
}

static bool turn_is_good(const struct making *m, size_t i, const struct json *turns, size_t k)
{
    const struct json *turn = json_at(turns, k);
    struct str role = json_get_str(turn, "role", STR(""));
    struct str content = str_trim_space(json_get_str(turn, "content", STR("")));
    if (!str_eq_c(role, k % 2 ? "assistant" : "user") || !content.len)
        return false;
    return k % 2 == 0 || quality_support(content, m->passages[i].text) >= 0.6;
}

static enum err dialogues_item(struct making *m, size_t i, const struct json *item, struct why *why)
{
    struct writing w;
    const struct json *turns =
        json_kind(item) == JSON_KIND_ARRAY ? item : json_get(item, "messages");
    size_t n = json_len(turns);
    struct json_out *out = begin(m, &w);
    bool fine = n >= 2 && n % 2 == 0 && n <= 20;
    for (size_t k = 0; fine && k < n; k++)
        fine = turn_is_good(m, i, turns, k);
    if (!fine) {
        m->reject(m->ctx, n < 2 || n % 2 ? REJECT_MALFORMED : REJECT_UNSUPPORTED);
        return ERR_OK;
    }
    json_key(out, "messages");
    json_begin_array(out);
    for (size_t k = 0; k < n; k++)
        put_turn(out, k % 2 ? "assistant" : "user",
                 str_trim_space(json_get_str(json_at(turns, k), "content", STR(""))));
    json_end_array(out);
    making_meta(m, "model", &m->passages[i], out);
    json_kv_int(out, "turns", (int64_t)n / 2);
    end_meta(out);
    return put(m, &w, json_get_str(json_at(turns, 0), "content", STR("")), why);
}

/* ---- negatives ---- */

/* A passage that does not answer: of the text before, else the least alike of this one. */
static struct str elsewhere(const struct making *m, const struct pair *p)
{
    if (m->other.len && quality_support(p->answer, m->other) < 0.4)
        return m->other;
    for (size_t k = 1; k < m->n_passages; k++) {
        struct str text = m->passages[(p->passage + m->n_passages / 2 + k) % m->n_passages].text;
        if (quality_support(p->answer, text) < 0.4)
            return text;
    }
    return STR("");
}

static enum err negatives(struct making *m, struct why *why)
{
    struct pairs pairs;
    enum err err = rule_pairs(m, &pairs, why);
    for (size_t i = 0; !err && i < pairs.n; i++) {
        const struct pair *p = &pairs.items[i];
        const struct passage *passage = &m->passages[p->passage];
        struct str context = good(m, p, passage->text) ? elsewhere(m, p) : STR("");
        if (context.len)
            err = put_qa(m, p->question, STR(NOT_THERE), context, "other_passage", passage, false,
                         why);
    }
    return err;
}

static enum err negatives_item(struct making *m, size_t i, const struct json *item, struct why *why)
{
    struct str question = str_trim_space(json_kind(item) == JSON_KIND_STRING
                                             ? json_str(item, STR(""))
                                             : json_get_str(item, "question", STR("")));
    if (utf8_count(question) < 4 || utf8_count(question) > 160) {
        m->reject(m->ctx, REJECT_MALFORMED);
        return ERR_OK;
    }
    /* What stands in the passage nearly word for word is answered there. */
    if (quality_support(question, m->passages[i].text) > 0.8) {
        m->reject(m->ctx, REJECT_UNSUPPORTED);
        return ERR_OK;
    }
    return put_qa(m, question, STR(NOT_THERE), m->passages[i].text, "model", &m->passages[i], false,
                  why);
}

/* ---- errors ---- */

static enum err put_slips(struct making *m, struct str right, struct str wrong,
                          const struct slip *slips, size_t n, const struct passage *passage,
                          struct why *why)
{
    struct writing w;
    struct json_out *out = begin(m, &w);
    json_kv_str(out, "text", wrong);
    json_key(out, "spans");
    json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        /* Of what was dropped there is nothing to mark: the character before it is. */
        size_t start = slips[i].start - (slips[i].kind == SLIP_DROP);
        json_begin_object(out);
        json_kv_int(out, "start", (int64_t)start);
        json_kv_int(out, "end", (int64_t)(slips[i].kind == SLIP_DROP ? start + 1 : slips[i].end));
        json_kv_c(out, "label", slip_name(slips[i].kind));
        json_end_object(out);
    }
    json_end_array(out);
    json_key(out, "corrections");
    json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(out);
        json_kv_int(out, "start", (int64_t)slips[i].start);
        json_kv_int(out, "end", (int64_t)slips[i].end);
        json_kv_str(out, "wrong", slips[i].wrong);
        json_kv_str(out, "right", slips[i].right);
        json_kv_c(out, "kind", slip_name(slips[i].kind));
        json_end_object(out);
    }
    json_end_array(out);
    json_kv_str(out, "corrected", right);
    making_meta(m, "slips", passage, out);
    end_meta(out);
    return put(m, &w, wrong, why);
}

static enum err errors(struct making *m, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < m->n_passages; i++) {
        struct str rest = m->passages[i].body, sentence;
        size_t made = 0;
        while (!err && made < m->per_passage && passage_sentence(&rest, &sentence)) {
            struct slip slips[SLIPS_MOST];
            struct str wrong;
            size_t n = 0;
            if (utf8_count(sentence) < 10 || utf8_count(sentence) > 300)
                continue;
            uint64_t seed = hash64(sentence.ptr, sentence.len, m->seed);
            err = slips_make(m->pinyin, sentence, SLIPS_EVERY, SLIPS_MOST, seed, m->arena, &wrong,
                             slips, &n, why);
            if (!err && n && !str_eq(wrong, sentence)) {
                err = put_slips(m, sentence, wrong, slips, n, &m->passages[i], why);
                made++;
            }
        }
    }
    return err;
}

/* ---- the table ---- */

#define PROMPT_END "只输出一个 JSON 对象，不要其他文字。"

const struct synth_method synth_method_questions = {
    .name = "questions",
    .title = "Questions and answers",
    .title_zh = "问答",
    .summary = "Questions that a passage answers, with the answer in its own words",
    .summary_zh = "由条文、办事指南等材料生成问题，答案出自原文",
    .takes = "text|row",
    .gives = "qa",
    .with_model = true,
    .prompt = "根据下面的材料写出 %zu 个市民可能会问的问题和答案。答案必须出自材料原文，不得补充。"
              "格式：{\"items\":[{\"question\":\"…\",\"answer\":\"…\"}]}。" PROMPT_END,
    .item_schema = "{\"type\":\"object\",\"properties\":{\"question\":{\"type\":\"string\"},"
                   "\"answer\":{\"type\":\"string\"}},\"required\":[\"question\",\"answer\"],"
                   "\"additionalProperties\":false}",
    .rules = questions,
    .item = questions_item,
};

const struct synth_method synth_method_paraphrases = {
    .name = "paraphrases",
    .title = "Paraphrases",
    .title_zh = "问题改写",
    .summary = "Other ways to ask a question, with the same answer",
    .summary_zh = "把同一个问题换几种问法，答案不变",
    .takes = "qa",
    .gives = "qa",
    .with_model = true,
    .prompt = "把下面的问题换 %zu "
              "种问法，意思不变，有口语也有书面语。格式：{\"items\":[\"…\"]}。" PROMPT_END,
    .item_schema = "{\"type\":\"string\"}",
    .rules = paraphrases,
    .item = paraphrases_item,
};

const struct synth_method synth_method_instructions = {
    .name = "instructions",
    .title = "Instructions",
    .title_zh = "指令",
    .summary = "A passage with a task and its solution, as a chat of one turn",
    .summary_zh = "给出材料和任务的单轮对话，用于指令微调",
    .takes = "text|row",
    .gives = "chat",
    .with_model = true,
    .prompt = "针对下面的材料写出 %zu "
              "条任务指令及其完成结果，如归纳、列举、改写、回答。结果必须以材料为准。"
              "格式：{\"items\":[{\"instruction\":\"…\",\"output\":\"…\"}]}。" PROMPT_END,
    .item_schema = "{\"type\":\"object\",\"properties\":{\"instruction\":{\"type\":\"string\"},"
                   "\"output\":{\"type\":\"string\"}},\"required\":[\"instruction\",\"output\"],"
                   "\"additionalProperties\":false}",
    .rules = instructions,
    .item = instructions_item,
};

const struct synth_method synth_method_dialogues = {
    .name = "dialogues",
    .title = "Dialogues",
    .title_zh = "多轮对话",
    .summary = "Several questions on one matter, later ones leaving out what is known",
    .summary_zh = "围绕同一事项的多轮问答，后面的问题会省略已知内容",
    .takes = "text|row",
    .gives = "chat",
    .with_model = true,
    .prompt = "根据下面的材料写出 %zu 段市民与办事人员的多轮对话，回答必须出自材料。格式："
              "{\"items\":[[{\"role\":\"user\",\"content\":\"…\"},{\"role\":\"assistant\","
              "\"content\":\"…\"}]]}。" PROMPT_END,
    .item_schema =
        "{\"type\":\"array\",\"minItems\":2,\"maxItems\":20,\"items\":{\"type\":\"object\","
        "\"properties\":{\"role\":{\"enum\":[\"user\",\"assistant\"]},"
        "\"content\":{\"type\":\"string\"}},\"required\":[\"role\",\"content\"],"
        "\"additionalProperties\":false}}",
    .rules = dialogues,
    .item = dialogues_item,
};

const struct synth_method synth_method_negatives = {
    .name = "negatives",
    .title = "Questions without an answer",
    .title_zh = "无法回答的问题",
    .summary = "Questions with a passage that does not answer them, for learning to refuse",
    .summary_zh = "材料中找不到答案的问题，用于训练模型拒答",
    .takes = "text|row",
    .gives = "qa",
    .with_model = true,
    .prompt =
        "写出 %zu "
        "个与下面的材料有关、但材料没有给出答案的问题。格式：{\"items\":[\"…\"]}。" PROMPT_END,
    .item_schema = "{\"type\":\"string\"}",
    .rules = negatives,
    .item = negatives_item,
};

const struct synth_method synth_method_errors = {
    .name = "errors",
    .title = "Errors for proofreading",
    .title_zh = "校对用错别字",
    .summary =
        "Sentences with characters of like sound or shape, dropped, doubled or swapped, with "
        "their places and corrections",
    .summary_zh = "在正确的句子里放入音近、形近、漏字、多字、颠倒等错误，并标出位置和改正",
    .takes = "text",
    .gives = "spans",
    .rules = errors,
};

static const struct synth_method *const methods[] = {
#define SYNTH_METHOD(name) &synth_method_##name,
#include "synth/methods.def"
#undef SYNTH_METHOD
};

const struct synth_method *synth_method_find(struct str name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (str_eq_c(name, methods[i]->name))
            return methods[i];
    return NULL;
}

void synth_methods_json(struct json_out *out)
{
    json_begin_items(out);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        const struct synth_method *method = methods[i];
        struct str rest = str_c(method->takes), part;
        json_begin_object(out);
        json_kv_c(out, "name", method->name);
        json_kv_c(out, "title", method->title);
        json_kv_c(out, "title_zh", method->title_zh);
        json_kv_c(out, "summary", method->summary);
        json_kv_c(out, "summary_zh", method->summary_zh);
        json_key(out, "takes");
        json_begin_array(out);
        while (str_next(&rest, '|', &part))
            json_put_str(out, part);
        json_end_array(out);
        json_kv_c(out, "gives", method->gives);
        json_kv_bool(out, "with_model", method->with_model);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
}

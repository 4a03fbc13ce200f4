/* Gates: made, shown with every rule, decided. The figures come from gate_job.c and judge.c. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/time.h"
#include "release/room.h"
#include "release/rules.h"

#define COLUMNS "id" GATE_COLUMNS(ROW_NAME)

static void row_of(const struct store_rows *rows, size_t i, struct gate_row *row)
{
    size_t at = 0;
    row->id = store_str(rows, i, at++);
    GATE_COLUMNS(ROW_READ)
}

enum err gate_find(struct store_tx *tx, const struct ops_identity *who, struct str id,
                   struct arena *arena, struct gate_row *out, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_query(tx, "SELECT " COLUMNS " FROM release_gates WHERE id = ? AND tenant = ?",
                    STORE_ARGS(SV_STR(id), SV_STR(who->tenant)), arena, &rows, why);
    if (err)
        return err;
    if (rows.n_rows)
        row_of(&rows, 0, out);
    return rows.n_rows && may_read_class(who, out->access)
               ? ERR_OK
               : err_set(why, ERR_NOT_FOUND, "there is no gate \"%.*s\"", SHOW(id));
}

/* ---- making one ---- */

struct gate_ask {
    struct str dataset, purpose;
    int64_t number, sample, seed;
    double share;
};

static enum err read_ask(const struct json *json, struct gate_ask *ask, struct why *why)
{
    static const char *const purposes[] = {"training", "evaluation", "knowledge", "sharing"};
    bool known = false;
    uint64_t random;
    random_bytes(&random, sizeof random);
    ask->number = json_get_int(json, "version", 0);
    ask->sample = json_get_int(json, "sample", RULES_MANUAL_LEAST);
    ask->share = json_get_f64(json, "share", 1);
    ask->seed = json_get_int(json, "seed", (int64_t)(random >> 12));
    enum err err = text_of(json, "dataset", 1, 100, &ask->dataset, why);
    if (!err)
        err = text_of(json, "purpose", 1, 20, &ask->purpose, why);
    for (size_t i = 0; !err && i < 4; i++)
        known |= str_eq_c(ask->purpose, purposes[i]);
    if (!err && !known)
        err =
            err_set(why, ERR_INVALID, "\"purpose\" is training, evaluation, knowledge or sharing");
    if (!err && (ask->sample < RULES_MANUAL_LEAST || ask->sample > 100000))
        err = err_set(why, ERR_INVALID, "\"sample\" is a number from %d to 100000",
                      RULES_MANUAL_LEAST);
    if (!err && (ask->share < RULES_AUTO_SHARE || ask->share > 1))
        err = err_set(why, ERR_INVALID, "\"share\" is a number from 0.1 to 1");
    if (!err && ask->seed < 0)
        err = err_set(why, ERR_INVALID, "\"seed\" is a number from 0 on");
    return err;
}

/* Who made the version: he does not judge it. */
static enum err maker_of(struct release *r, const struct ops_identity *who,
                         const struct data_version_info *v, struct arena *arena, struct str *out,
                         struct why *why)
{
    struct buf buf;
    struct json_out out_json;
    const struct json *json = NULL;
    buf_init(&buf, arena);
    json_out_init(&out_json, &buf);
    enum err err =
        data_version_json(r->opts.data, who, v->dataset, v->number, arena, &out_json, why);
    if (!err)
        err = json_parse(buf_str(&buf), arena, &json, why);
    *out = json_get_str(json, "actor", STR(""));
    return err;
}

static struct str spec_of(const struct gate_ask *ask, struct arena *arena)
{
    return str_printf(arena, "{\"sample\":%lld,\"share\":%.6f,\"seed\":%lld}",
                      (long long)ask->sample, ask->share, (long long)ask->seed);
}

static enum err insert(struct act *act, const struct gate_ask *ask,
                       const struct data_version_info *v, struct str maker, const char *id,
                       char job[UUID_TEXT], struct why *why)
{
    struct str title =
        str_printf(act->arena, "%.*s %lld", STR_FMT(v->dataset), (long long)v->number);
    struct str spec = str_printf(act->arena, "{\"gate\":\"%s\"}", id);
    char *words = str_z(act->arena, title);
    enum err err = words && spec.ptr ? job_submit(act->tx, act->release->opts.compute, act->who,
                                                  "release.gate", words, spec, id, job, why)
                                     : err_set(why, ERR_NO_MEMORY, "could not begin the gate");
    return err ? err
               : store_exec(
                     act->tx,
                     "INSERT INTO release_gates (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, "
                     "?, ?, 'queued', ?, '', '', ?, ?, '', 0, '')",
                     STORE_ARGS(SV_C(id), SV_STR(act->who->tenant), SV_STR(v->dataset),
                                SV_INT(v->number), SV_STR(v->id), SV_STR(v->manifest),
                                SV_INT(v->access), SV_STR(maker), SV_INT(v->n_records),
                                SV_STR(ask->purpose), SV_STR(spec_of(ask, act->arena)), SV_C(job),
                                SV_STR(ops_actor(act->who, act->arena)), SV_INT(time_now_ms())),
                     NULL, why);
}

static enum err make(struct release *r, const struct ops_identity *who, const struct gate_ask *ask,
                     const struct data_version_info *v, char id[UUID_TEXT], char job[UUID_TEXT],
                     struct why *why)
{
    struct act act;
    struct str maker;
    enum err err = release_act_begin(&act, r, who, "release.make", why);
    if (err)
        return err;
    err = maker_of(r, who, v, act.arena, &maker, why);
    if (!err && !str_eq_c(v->state, "ready"))
        err = err_set(why, ERR_CONFLICT, "version %lld holds records of a withdrawn source",
                      (long long)v->number);
    if (!err && v->n_records < 1)
        err = err_set(why, ERR_CONFLICT, "version %lld is empty", (long long)v->number);
    if (!err)
        err = insert(&act, ask, v, maker, uuid7(id), job, why);
    return release_act_end(&act, err, "release.gate.make", str_c(id),
                           err ? STR_NONE
                               : detail_of(act.arena, "dataset", v->dataset, "version", v->id,
                                           "purpose", ask->purpose, "spec", spec_of(ask, act.arena),
                                           NULL),
                           why);
}

enum err release_gate_make(struct release *r, const struct ops_identity *who,
                           const struct json *json, char id[UUID_TEXT], char job[UUID_TEXT],
                           struct why *why)
{
    struct gate_ask ask = {0};
    struct data_reader *reader = NULL;
    id[0] = job[0] = '\0';
    enum err err = ops_need(who, "release.make", why);
    if (!err)
        err = read_ask(json, &ask, why);
    if (!err)
        err = data_reader_open(r->opts.data, who, ask.dataset, ask.number, &reader, why);
    if (!err)
        err = make(r, who, &ask, data_reader_version(reader), id, job, why);
    data_reader_close(reader);
    return err;
}

/* ---- what was judged ---- */

struct tally {
    int64_t n, judged, bad;
};

static enum err count(struct store_tx *tx, struct str gate, const char *kind, struct arena *arena,
                      struct tally *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx,
                               "SELECT COUNT(*), SUM(CASE WHEN verdict <> '' THEN 1 ELSE 0 END), "
                               "SUM(CASE WHEN verdict <> '' AND verdict <> 'ok' THEN 1 ELSE 0 END) "
                               "FROM release_samples WHERE gate = ? AND kind = ?",
                               STORE_ARGS(SV_STR(gate), SV_C(kind)), arena, &rows, why);
    *out = (struct tally){0};
    if (!err)
        *out =
            (struct tally){store_int(&rows, 0, 0), store_int(&rows, 0, 1), store_int(&rows, 0, 2)};
    return err;
}

/* ---- rules ---- */

enum holds { FAILS = 0, HOLDS = 1, OPEN = -1 };

struct rule {
    const char *name, *title, *title_en, *asks, *asks_en, *clause;
    const char *samples; /* which records stand behind it: "kind/verdict"; NULL: none */
    const char *list;    /* member of `found` that lists sources; NULL: none */
};

enum { R_LICENCE, R_RECORD, R_WITHDRAWN, R_SOURCE, R_MANUAL, R_AUTOMATIC, R_CONSENT, R_RULES };

static const struct rule rules[R_RULES] = {
    [R_LICENCE] = {"licence", "来源有许可或授权", "Every source has a licence or authority",
                   "每个来源都登记了许可或授权依据",
                   "each source names a licence or by which authority it was collected",
                   "TC260-003 5.1 c)", NULL, "without_licence"},
    [R_RECORD] = {"record", "来源有采集记录", "Every source has a collection record",
                  "每个来源都有采集记录（何时、从何处采集）",
                  "each source has a record of when and from where it was collected",
                  "TC260-003 5.1 c)", NULL, "without_record"},
    [R_WITHDRAWN] = {"withdrawn", "没有已撤回的来源", "No withdrawn source",
                     "版本中没有已撤回来源的记录",
                     "the version holds no record of a withdrawn source", "", NULL, "withdrawn"},
    [R_SOURCE] = {"source_harm", "单一来源违法不良内容不超过 5%",
                  "No source with more than 5 % of illegal or harmful content",
                  "每个来源抽样中，违法不良内容占比不超过 5%；超过即拒用该来源",
                  "of what was sampled of a source at most 5 % is illegal or harmful",
                  "TC260-003 5.1 a)", "any/bad", "harmful"},
    [R_MANUAL] =
        {"manual", "人工抽检合格率不低于 96%", "Manual sample: at least 96 % acceptable",
         "随机抽取不少于 4000 条（不足 4000 条的全部），人工判定合格率不低于 96%",
         "of at least 4,000 records drawn at random (all when there are fewer) people find "
         "at least 96 % acceptable",
         "TC260-003 9.2 a)", "manual/bad", NULL},
    [R_AUTOMATIC] =
        {"automatic", "技术抽检合格率不低于 98%", "Automatic sample: at least 98 % acceptable",
         "随机抽取不少于总量 10%，经关键词和分类模型检查，合格率不低于 98%；命中后经人工"
         "确认无问题的计为合格",
         "of at least 10 % of the records at least 98 % pass words and classifier; a hit "
         "that a person clears counts as acceptable",
         "TC260-003 9.2 b)", "hit/bad", NULL},
    [R_CONSENT] = {"consent", "个人信息已取得同意", "Consent for personal data",
                   "用于训练时，抽样发现含个人信息的来源须登记个人同意",
                   "for training, a source in which personal data was found names the consent",
                   "TC260-003 5.2 c)", NULL, "without_consent"},
};

struct finding {
    enum holds holds;
    int64_t n_bad;
    char zh[300], en[300];
};

struct judged {
    const struct gate_row *gate;
    const struct json *found; /* NULL before the job ended */
    struct tally manual, hits;
    int64_t n_auto, n_hits;      /* records looked through; of them hits */
    struct str harmful;          /* JSON list of sources above the limit */
    int64_t n_harmful, n_source; /* sources above it; sources with anything bad */
    int64_t n_lost;              /* sources that no further judgement can save */
};

static void say(struct finding *f, enum holds holds, int64_t n_bad)
{
    f->holds = holds;
    f->n_bad = n_bad;
}

/* Sources and how many of them are wrong. */
static void check_sources(const struct judged *j, int rule, struct finding *f)
{
    int64_t n = json_get_int(j->found, "n_sources", 0);
    char key[40];
    (void)snprintf(key, sizeof key, "n_%s", rules[rule].list);
    int64_t bad = json_get_int(j->found, key, 0);
    say(f, bad ? FAILS : HOLDS, bad);
    if (bad) {
        (void)snprintf(f->zh, sizeof f->zh, "%lld 个来源中有 %lld 个不符合", (long long)n,
                       (long long)bad);
        (void)snprintf(f->en, sizeof f->en, "%lld of %lld sources do not", (long long)bad,
                       (long long)n);
    } else {
        (void)snprintf(f->zh, sizeof f->zh, "%lld 个来源全部符合", (long long)n);
        (void)snprintf(f->en, sizeof f->en, "all of %lld sources do", (long long)n);
    }
}

static void check_withdrawn(const struct judged *j, struct finding *f)
{
    check_sources(j, R_WITHDRAWN, f);
    if (!str_eq_c(j->gate->state, "withdrawn"))
        return;
    say(f, FAILS, f->n_bad > 0 ? f->n_bad : 1);
    (void)snprintf(f->zh, sizeof f->zh, "送审之后有来源被撤回");
    (void)snprintf(f->en, sizeof f->en, "a source was withdrawn after the gate began");
}

static void check_consent(const struct judged *j, struct finding *f)
{
    if (str_eq_c(j->gate->purpose, "training")) {
        check_sources(j, R_CONSENT, f);
        int64_t n = json_get_int(j->found, "n_personal", 0);
        if (f->n_bad == 0) {
            (void)snprintf(f->zh, sizeof f->zh, "抽样 %lld 条中 %lld 条含个人信息，来源均有同意",
                           (long long)j->n_auto, (long long)n);
            (void)snprintf(f->en, sizeof f->en,
                           "%lld of %lld records hold personal data, all with consent",
                           (long long)n, (long long)j->n_auto);
        }
        return;
    }
    say(f, HOLDS, 0);
    (void)snprintf(f->zh, sizeof f->zh, "用途不是训练，不适用");
    (void)snprintf(f->en, sizeof f->en, "not for training: does not apply");
}

static void check_manual(const struct judged *j, struct finding *f)
{
    const struct tally *t = &j->manual;
    int64_t due = t->n - t->judged;
    /* Lost already when even all others good would not be enough. */
    bool lost = !rules_good_enough(t->n, t->bad, RULES_MANUAL_RATE);
    say(f, lost ? FAILS : due ? OPEN : HOLDS, t->bad);
    double rate = t->judged ? 100.0 * (double)(t->judged - t->bad) / (double)t->judged : 0;
    (void)snprintf(f->zh, sizeof f->zh, "抽取 %lld 条，已判 %lld 条，不合格 %lld 条，合格率 %.2f%%",
                   (long long)t->n, (long long)t->judged, (long long)t->bad, rate);
    (void)snprintf(f->en, sizeof f->en, "%lld drawn, %lld judged, %lld not acceptable: %.2f %%",
                   (long long)t->n, (long long)t->judged, (long long)t->bad, rate);
}

static void check_automatic(const struct judged *j, struct finding *f)
{
    int64_t cleared = j->hits.judged - j->hits.bad, bad = j->n_hits - cleared;
    int64_t open = j->hits.n - j->hits.judged; /* may still be cleared */
    bool good = rules_good_enough(j->n_auto, bad, RULES_AUTO_RATE);
    bool can = rules_good_enough(j->n_auto, bad - open, RULES_AUTO_RATE);
    say(f, good ? HOLDS : can ? OPEN : FAILS, bad);
    double rate = j->n_auto ? 100.0 * (double)(j->n_auto - bad) / (double)j->n_auto : 0;
    const struct json *words = json_get(j->found, "words");
    const char *classifier =
        json_kind(json_get(j->found, "classifier")) == JSON_KIND_STRING ? "有" : "无";
    (void)snprintf(f->zh, sizeof f->zh,
                   "检查 %lld 条，命中 %lld 条，其中 %lld 条经人工确认无问题，合格率 %.2f%%"
                   "（关键词 %lld 个，分类模型：%s）",
                   (long long)j->n_auto, (long long)j->n_hits, (long long)cleared, rate,
                   (long long)json_get_int(words, "n", 0), classifier);
    (void)snprintf(f->en, sizeof f->en,
                   "%lld looked through, %lld hits, %lld of them cleared by people: %.2f %% "
                   "(%lld words, classifier: %s)",
                   (long long)j->n_auto, (long long)j->n_hits, (long long)cleared, rate,
                   (long long)json_get_int(words, "n", 0),
                   strcmp(classifier, "有") == 0 ? "yes" : "no");
}

static void check_source(const struct judged *j, struct finding *f)
{
    say(f, j->n_lost ? FAILS : j->n_harmful ? OPEN : HOLDS, j->n_harmful);
    if (j->n_harmful) {
        (void)snprintf(f->zh, sizeof f->zh, "%lld 个来源超过 5%%", (long long)j->n_harmful);
        (void)snprintf(f->en, sizeof f->en, "%lld sources are above 5 %%", (long long)j->n_harmful);
    } else if (j->n_source) {
        (void)snprintf(f->zh, sizeof f->zh, "%lld 个来源出现过问题，均未超过 5%%",
                       (long long)j->n_source);
        (void)snprintf(f->en, sizeof f->en, "%lld sources with something bad, none above 5 %%",
                       (long long)j->n_source);
    } else {
        (void)snprintf(f->zh, sizeof f->zh, "抽样中没有发现违法不良内容");
        (void)snprintf(f->en, sizeof f->en, "nothing illegal or harmful was found in the samples");
    }
}

/* ---- harm by source ---- */

struct harm {
    struct str key, uri;
    int64_t n_auto, n_hits, n_cleared; /* automatic sample */
    int64_t n_open;                    /* hits that may still be cleared */
    int64_t n_manual, n_bad;           /* manual sample: judged, harmful */
};

static struct harm *harm_of(struct map *map, struct str key, struct arena *arena)
{
    struct map_entry *e = map_put(map, key, NULL);
    if (e && !e->value.p) {
        struct harm *h = arena_one(arena, struct harm);
        if (h)
            h->key = key;
        e->value.p = h;
    }
    return e ? e->value.p : NULL;
}

/* "verdict counts as illegal or harmful": all risks but those of group A5. */
#define HARMFUL "s.verdict <> '' AND s.verdict <> 'ok' AND s.verdict NOT LIKE 'A5%'"

static enum err harm_judged(struct store_tx *tx, struct str gate, struct map *map,
                            struct arena *arena, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(
        tx,
        "SELECT s.kind, s.source, COUNT(*), SUM(CASE WHEN s.verdict = 'ok' THEN 1 ELSE 0 END), "
        "SUM(CASE WHEN s.verdict = '' THEN 1 ELSE 0 END), SUM(CASE WHEN " HARMFUL
        " THEN 1 ELSE 0 END) FROM release_samples s WHERE s.gate = ? AND s.source IN (SELECT "
        "b.source FROM release_samples b WHERE b.gate = ? AND (b.kind = 'hit' OR (b.verdict <> '' "
        "AND b.verdict <> 'ok'))) GROUP BY s.kind, s.source",
        STORE_ARGS(SV_STR(gate), SV_STR(gate)), arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct harm *h = harm_of(map, store_str(&rows, i, 1), arena);
        if (!h)
            return err_set(why, ERR_NO_MEMORY, "could not count the sources");
        if (str_eq_c(store_str(&rows, i, 0), "manual")) {
            h->n_manual = store_int(&rows, i, 2) - store_int(&rows, i, 4);
            h->n_bad = store_int(&rows, i, 5);
        } else {
            h->n_cleared = store_int(&rows, i, 3);
            h->n_open = store_int(&rows, i, 4);
        }
    }
    return err;
}

static enum err harm_found(const struct json *found, struct map *map, struct arena *arena,
                           struct why *why)
{
    const struct json *list = json_get(found, "hit_sources");
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *s = json_at(list, i);
        struct harm *h = harm_of(map, json_get_str(s, "key", STR("")), arena);
        if (!h)
            return err_set(why, ERR_NO_MEMORY, "could not count the sources");
        h->uri = json_get_str(s, "uri", STR(""));
        h->n_auto = json_get_int(s, "n_auto", 0);
        h->n_hits = json_get_int(s, "n_hits", 0);
    }
    return ERR_OK;
}

static enum err weigh_sources(struct store_tx *tx, struct judged *j, struct arena *arena,
                              struct why *why)
{
    struct map map;
    struct buf buf;
    struct json_out out;
    size_t at = 0;
    map_init(&map, arena);
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    enum err err = harm_found(j->found, &map, arena, why);
    if (!err)
        err = harm_judged(tx, j->gate->id, &map, arena, why);
    json_begin_array(&out);
    for (struct map_entry *e; !err && (e = map_each(&map, &at));) {
        const struct harm *h = e->value.p;
        int64_t bad = h->n_hits - h->n_cleared;
        bool by_hits = rules_too_bad(h->n_auto, bad, RULES_SOURCE_HARM);
        bool by_people = rules_too_bad(h->n_manual, h->n_bad, RULES_SOURCE_HARM);
        j->n_source += bad > 0 || h->n_bad > 0;
        if (!by_hits && !by_people)
            continue;
        j->n_harmful++;
        /* What people found is final enough only when all of it was judged. */
        bool may_pass = !rules_too_bad(h->n_auto, bad - h->n_open, RULES_SOURCE_HARM) &&
                        (!by_people || j->manual.judged < j->manual.n);
        j->n_lost += !may_pass;
        json_begin_object(&out);
        json_kv_str(&out, "key", h->key);
        json_kv_str(&out, "uri", h->uri);
        json_kv_int(&out, "n_sampled", by_people ? h->n_manual : h->n_auto);
        json_kv_int(&out, "n_bad", by_people ? h->n_bad : bad);
        json_kv_bool(&out, "by_people", by_people);
        json_end_object(&out);
    }
    json_end_array(&out);
    j->harmful = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}

/* ---- showing ---- */

static void put_rule(const struct judged *j, int i, const struct finding *f, struct json_out *out)
{
    const struct rule *rule = &rules[i];
    json_begin_object(out);
    json_kv_c(out, "rule", rule->name);
    json_kv_c(out, "title", rule->title);
    json_kv_c(out, "title_en", rule->title_en);
    json_kv_c(out, "asks", rule->asks);
    json_kv_c(out, "asks_en", rule->asks_en);
    json_kv_c(out, "found", f->zh);
    json_kv_c(out, "found_en", f->en);
    json_kv_c(out, "clause", rule->clause);
    json_key(out, "ok");
    if (f->holds == OPEN)
        json_put_null(out);
    else
        json_put_bool(out, f->holds == HOLDS);
    json_kv_int(out, "n_bad", f->n_bad);
    json_kv_c(out, "samples", rule->samples);
    json_key(out, "sources");
    if (i == R_SOURCE)
        json_put_raw(out, j->harmful);
    else if (rule->list && json_get(j->found, rule->list))
        json_put_value(out, json_get(j->found, rule->list));
    else
        json_put_raw(out, STR("[]"));
    json_end_object(out);
}

static void judge_rules(const struct judged *j, struct json_out *out, bool *passed, int64_t *open,
                        int64_t *lost)
{
    json_key(out, "rules");
    json_begin_array(out);
    *passed = true;
    for (int i = 0; i < R_RULES; i++) {
        struct finding f = {.holds = OPEN};
        if (!j->found)
            ;
        else if (i == R_WITHDRAWN)
            check_withdrawn(j, &f);
        else if (i == R_SOURCE)
            check_source(j, &f);
        else if (i == R_MANUAL)
            check_manual(j, &f);
        else if (i == R_AUTOMATIC)
            check_automatic(j, &f);
        else if (i == R_CONSENT)
            check_consent(j, &f);
        else
            check_sources(j, i, &f);
        put_rule(j, i, &f, out);
        *passed = *passed && f.holds == HOLDS;
        *open += f.holds == OPEN;
        *lost += f.holds == FAILS;
    }
    json_end_array(out);
}

static void put_tally(struct json_out *out, const char *key, const struct tally *t)
{
    json_key(out, key);
    json_begin_object(out);
    json_kv_int(out, "n", t->n);
    json_kv_int(out, "judged", t->judged);
    json_kv_int(out, "bad", t->bad);
    json_end_object(out);
}

static enum err put_judges(struct store_tx *tx, struct release *r, struct str gate,
                           struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx,
                               "SELECT judge, COUNT(*), SUM(CASE WHEN verdict <> 'ok' THEN 1 ELSE "
                               "0 END) FROM release_samples WHERE gate = ? AND verdict <> '' GROUP "
                               "BY judge ORDER BY COUNT(*) DESC",
                               STORE_ARGS(SV_STR(gate)), arena, &rows, why);
    json_key(out, "judges");
    json_begin_array(out);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        json_begin_object(out);
        json_kv_str(out, "judge", store_str(&rows, i, 0));
        json_kv_str(out, "name", ops_actor_name(r->opts.ops, store_str(&rows, i, 0), arena));
        json_kv_int(out, "n", store_int(&rows, i, 1));
        json_kv_int(out, "bad", store_int(&rows, i, 2));
        json_end_object(out);
    }
    json_end_array(out);
    return err;
}

static void put_head(struct release *r, const struct gate_row *g, struct arena *arena,
                     struct json_out *out)
{
    json_kv_str(out, "id", g->id);
    json_kv_str(out, "dataset", g->dataset);
    json_kv_int(out, "version", g->number);
    json_kv_str(out, "manifest", g->manifest);
    json_kv_c(out, "grade", release_grades[g->access & 3]);
    json_kv_int(out, "n_records", g->n_records);
    json_kv_str(out, "purpose", g->purpose);
    json_kv_raw(out, "spec", g->spec);
    json_kv_str(out, "state", g->state);
    json_kv_str(out, "job", g->job);
    json_kv_said(out, "why", g->why);
    json_kv_str(out, "maker", g->maker);
    json_kv_str(out, "maker_name", ops_actor_name(r->opts.ops, g->maker, arena));
    kv_actor(out, r, g->actor, arena);
    json_kv_time(out, "created_at", g->created_ms);
    json_kv_str(out, "decided_by", g->decided_by);
    json_kv_str(out, "decided_by_name", ops_actor_name(r->opts.ops, g->decided_by, arena));
    json_kv_time(out, "decided_at", g->decided_ms);
}

enum err gate_put(struct store_tx *tx, struct release *r, const struct gate_row *g,
                  struct arena *arena, struct json_out *out, int64_t *open, bool *passed,
                  struct why *why)
{
    struct judged j = {.gate = g, .harmful = STR("[]")};
    enum err err = g->found.len ? json_parse(g->found, arena, &j.found, why) : ERR_OK;
    if (!err)
        err = count(tx, g->id, "manual", arena, &j.manual, why);
    if (!err)
        err = count(tx, g->id, "hit", arena, &j.hits, why);
    j.n_auto = json_get_int(j.found, "n_auto", 0);
    j.n_hits = json_get_int(j.found, "n_hits", 0);
    if (!err && j.found)
        err = weigh_sources(tx, &j, arena, why);
    if (err)
        return err;
    *open = j.manual.n - j.manual.judged;
    json_begin_object(out);
    put_head(r, g, arena, out);
    json_kv_int(out, "n_auto", j.n_auto);
    json_kv_int(out, "n_hits", j.n_hits);
    put_tally(out, "manual", &j.manual);
    put_tally(out, "hits", &j.hits);
    int64_t open_rules = 0, lost_rules = 0;
    judge_rules(&j, out, passed, &open_rules, &lost_rules);
    json_kv_bool(out, "would_pass", *passed);
    err = put_judges(tx, r, g->id, arena, out, why);
    if (!err)
        err = gate_put_scope(tx, g->id, j.found, arena, out, why);
    /* A hit that nobody looked at may decide: then it is still open. What failed for good needs no
     * further judging. */
    if (lost_rules)
        *open = 0;
    else if (!*passed && *open == 0 && open_rules > 0)
        *open = j.hits.n - j.hits.judged;
    json_kv_int(out, "open", *open);
    json_end_object(out);
    return err;
}

static enum err may_see(const struct ops_identity *who, struct why *why)
{
    static const char *const any[] = {"release.make", "release.approve", "annotate.work",
                                      "annotate.review", "data.manage"};
    for (size_t i = 0; i < sizeof any / sizeof any[0]; i++)
        if (ops_may(who, any[i]))
            return ERR_OK;
    return ops_need(who, "data.read", why);
}

enum err release_gate_json(struct release *r, const struct ops_identity *who, struct str id,
                           struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_tx *tx = NULL;
    struct gate_row g;
    int64_t open;
    bool passed;
    enum err err = may_see(who, why);
    if (!err)
        err = store_begin(r->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = gate_find(tx, who, id, arena, &g, why);
    /* Decided: as it was then. */
    if (!err && g.result.len && !str_eq_c(g.state, "withdrawn"))
        json_put_raw(out, g.result);
    else if (!err)
        err = gate_put(tx, r, &g, arena, out, &open, &passed, why);
    store_rollback(tx);
    return err;
}

enum err release_gates_json(struct release *r, const struct ops_identity *who, struct str dataset,
                            struct str state, struct arena *arena, struct json_out *out,
                            struct why *why)
{
    struct store_tx *tx = NULL;
    struct store_rows rows;
    enum err err = may_see(who, why);
    if (!err)
        err = store_begin(r->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = store_query(tx,
                          "SELECT " COLUMNS " FROM release_gates WHERE tenant = ? AND (? = 0 OR "
                          "dataset = ?) AND (? = 0 OR state = ?) ORDER BY created_ms DESC, id DESC "
                          "LIMIT 500",
                          STORE_ARGS(SV_STR(who->tenant), SV_INT(dataset.len > 0), SV_STR(dataset),
                                     SV_INT(state.len > 0), SV_STR(state)),
                          arena, &rows, why);
    if (!err)
        json_begin_items(out);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct gate_row g;
        struct tally manual;
        row_of(&rows, i, &g);
        if (!may_read_class(who, g.access))
            continue;
        err = count(tx, g.id, "manual", arena, &manual, why);
        json_begin_object(out);
        put_head(r, &g, arena, out);
        put_tally(out, "manual", &manual);
        json_end_object(out);
    }
    if (!err)
        json_end_items(out, STR(""));
    store_rollback(tx);
    return err;
}

/* ---- deciding ---- */

static enum err set_state(struct act *act, const struct gate_row *g, const char *state,
                          struct str result, struct why *why)
{
    return store_exec(act->tx,
                      "UPDATE release_gates SET state = ?, result = ?, decided_by = ?, decided_ms "
                      "= ? WHERE id = ?",
                      STORE_ARGS(SV_C(state), SV_STR(result), SV_STR(g->decided_by),
                                 SV_INT(g->decided_ms), SV_STR(g->id)),
                      NULL, why);
}

static enum err decide(struct act *act, struct gate_row *g, bool *passed, struct why *why)
{
    struct buf buf;
    struct json_out out;
    int64_t open = 0;
    buf_init(&buf, act->arena);
    json_out_init(&out, &buf);
    enum err err = gate_put(act->tx, act->release, g, act->arena, &out, &open, passed, why);
    if (!err && open > 0)
        return err_set(why, ERR_CONFLICT, "%lld records are still to be judged", (long long)open);
    /* Once more with what was decided in it: this is what is kept, and goes into the release. */
    g->state = *passed ? STR("passed") : STR("failed");
    g->decided_by = ops_actor(act->who, act->arena);
    g->decided_ms = time_now_ms();
    bool again;
    buf_init(&buf, act->arena);
    json_out_init(&out, &buf);
    if (!err)
        err = gate_put(act->tx, act->release, g, act->arena, &out, &open, &again, why);
    if (!err)
        err = buf_err(&buf, why);
    return err ? err : set_state(act, g, *passed ? "passed" : "failed", buf_str(&buf), why);
}

enum err release_gate_decide(struct release *r, const struct ops_identity *who, struct str id,
                             bool *passed, struct why *why)
{
    struct act act;
    struct gate_row g = {0};
    *passed = false;
    enum err err = release_act_begin(&act, r, who, "release.make", why);
    if (err)
        return err;
    err = gate_find(act.tx, who, id, act.arena, &g, why);
    if (!err && !str_eq_c(g.state, "judging"))
        err = err_set(why, ERR_CONFLICT, "the gate is %.*s and cannot be decided now",
                      STR_FMT(g.state));
    if (!err)
        err = decide(&act, &g, passed, why);
    return release_act_end(&act, err, "release.gate.decide", id,
                           err ? STR_NONE
                               : detail_of(act.arena, "dataset", g.dataset, "version", g.version,
                                           "result", g.state, NULL),
                           why);
}

enum err release_gate_cancel(struct release *r, const struct ops_identity *who, struct str id,
                             struct why *why)
{
    struct act act;
    struct gate_row g = {0};
    enum err err = release_act_begin(&act, r, who, "release.make", why);
    if (err)
        return err;
    err = gate_find(act.tx, who, id, act.arena, &g, why);
    if (!err && g.decided_ms)
        err = err_set(why, ERR_CONFLICT, "the gate was decided");
    if (!err) {
        g.decided_by = ops_actor(who, act.arena);
        g.decided_ms = time_now_ms();
        err = set_state(&act, &g, "cancelled", STR(""), why);
    }
    return release_act_end(&act, err, "release.gate.cancel", id, STR_NONE, why);
}

void release_risks_json(struct json_out *out)
{
    json_begin_items(out);
    for (size_t i = 0; i < rules_n_risks(); i++) {
        const struct risk *risk = rules_risk(i);
        json_begin_object(out);
        json_kv_c(out, "code", risk->code);
        json_kv_c(out, "group", risk->group);
        json_kv_c(out, "group_title", rules_group_title(str_c(risk->group), false));
        json_kv_c(out, "group_title_en", rules_group_title(str_c(risk->group), true));
        json_kv_bool(out, "harmful", risk->harmful);
        json_kv_c(out, "title", risk->title);
        json_kv_c(out, "title_en", risk->title_en);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
}

/*
 * tests/release/way - short words for the way of a set: gate, judging, release, export.
 */
#ifndef TESTS_RELEASE_WAY_H
#define TESTS_RELEASE_WAY_H

#include "room.h"

#define PAPERS "{'licence':'CC BY 4.0','authority':'市数据局'}"

__attribute__((unused)) static struct str lines_of(struct room *r, int n, const char *fmt)
{
    struct buf buf;
    buf_init(&buf, r->arena);
    for (int i = 0; i < n; i++) {
        char text[200];
        (void)snprintf(text, sizeof text, fmt, i, i * 7919 % 1000);
        buf_printf(&buf, "{\"text\":\"%s\"}\n", text);
    }
    return buf_str(&buf);
}

#define PLAIN "第%d条 本市行政区域内的供水用水活动，适用本办法第%d项的规定。"

__attribute__((unused)) static const struct json *gate_of(struct room *r, const char *id)
{
    const struct json *gate = NULL;
    ASK(*r, gate, release_gate_json(r->release, &r->who, str_c(id), r->arena, &json, &ask_why));
    return gate;
}

/* A gate whose job has run. */
__attribute__((unused)) static const char *gate_begin(struct room *r, const char *set,
                                                      const char *more)
{
    char job[UUID_TEXT];
    char *id = arena_bytes(r->arena, UUID_TEXT);
    struct why why = {0};
    CHECK_OK(release_gate_make(r->release, &r->who,
                               of(r, "{'dataset':'%s','purpose':'sharing','seed':1%s}", set, more),
                               id, job, &why),
             &why);
    CHECK_OK(room_run(r, job, &why), &why);
    return id;
}

__attribute__((unused)) static const struct json *rule_of(const struct json *gate, const char *name)
{
    const struct json *rules = json_get(gate, "rules");
    for (size_t i = 0; i < json_len(rules); i++)
        if (str_eq_c(json_get_str(json_at(rules, i), "rule", STR("")), name))
            return json_at(rules, i);
    return NULL;
}

/* 1 holds, 0 fails, -1 open. */
__attribute__((unused)) static int holds(const struct json *gate, const char *name)
{
    const struct json *ok = json_get(rule_of(gate, name), "ok");
    return json_kind(ok) == JSON_KIND_BOOL ? json_bool(ok, false) : -1;
}

/* Judges all that is drawn; the first n_bad of them as `code`. */
__attribute__((unused)) static void judge_all(struct room *r, const char *gate, const char *kind,
                                              int n_bad, const char *code)
{
    for (int n = 0;;) {
        const struct json *got = NULL;
        struct why why = {0};
        ASK(*r, got,
            release_samples_claim(r->release, &r->who,
                                  of(r, "{'gate':'%s','kind':'%s','n':50}", gate, kind), r->arena,
                                  &json, &ask_why));
        const struct json *items = json_get(got, "items");
        if (!json_len(items))
            return;
        for (size_t i = 0; i < json_len(items); i++, n++)
            CHECK_OK(release_sample_judge(
                         r->release, &r->who, json_get_str(json_at(items, i), "id", STR("")),
                         of(r, "{'verdict':'%s','comment':''}", n < n_bad ? code : "ok"), &why),
                     &why);
    }
}

__attribute__((unused)) static const char *release_of(struct room *r, const char *gate,
                                                      const char *name)
{
    char job[UUID_TEXT];
    char *id = arena_bytes(r->arena, UUID_TEXT);
    struct why why = {0};
    CHECK_OK(release_make(r->release, &r->who,
                          of(r, "{'gate':'%s','name':'%s','title':'供水法规'}", gate, name), id,
                          job, &why),
             &why);
    CHECK_OK(room_run(r, job, &why), &why);
    return id;
}

/* A set that passed, released. */
__attribute__((unused)) static const char *released_of(struct room *r, const char *name,
                                                       struct str lines, const char *kind)
{
    bool passed = false;
    struct why why = {0};
    room_set(r, name, lines, kind, PAPERS);
    const char *gate = gate_begin(r, name, "");
    judge_all(r, gate, "manual", 0, "");
    CHECK_OK(release_gate_decide(r->release, &r->who, str_c(gate), &passed, &why), &why);
    CHECK(passed);
    return release_of(r, gate, name);
}

__attribute__((unused)) static const char *released(struct room *r, const char *name)
{
    return released_of(r, name, lines_of(r, 30, PLAIN), "text");
}

/* Runs an export job; the bytes of its file. */
__attribute__((unused)) static struct str exported(struct room *r, const struct ops_identity *who,
                                                   const char *id, const char *form,
                                                   const char *more)
{
    char job[UUID_TEXT];
    const char *path = NULL;
    struct str name, text = STR("");
    struct why why = {0};
    CHECK_OK(release_export(r->release, who,
                            of(r, "{'release':'%s','form':'%s'%s}", id, form, more), job, &why),
             &why);
    CHECK_OK(room_run(r, job, &why), &why);
    if (strcmp(form, "capsule") == 0)
        return text;
    CHECK_OK(release_export_path(r->release, who, str_c(job), r->arena, &path, &name, &why), &why);
    CHECK_OK(file_read(path, (size_t)16 << 20, r->arena, &text, &why), &why);
    return text;
}

#endif

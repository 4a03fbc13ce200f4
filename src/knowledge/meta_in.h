/*
 * knowledge/meta_in - the parts of meta.c that read one thing each. Not for other files.
 */
#ifndef KNOWLEDGE_META_IN_H
#define KNOWLEDGE_META_IN_H

#include "knowledge/meta.h"

struct arena;

bool meta_has(struct str s, const char *word);
bool meta_has_any(struct str s, const char *const *words); /* NULL-terminated */
/* s without 《...》, so that the words of titles are not taken for those of the sentence. */
struct str meta_without_titles(struct str s, struct arena *arena);
/* The next 《title》 at or after *at (nesting counts); *at moves behind it. */
bool meta_title_next(struct str s, size_t *at, struct str *title);

/* meta_time.c: the dates of adoption, effect and end; repeals. */
struct meta_days {
    int32_t adopted; /* newest adoption, amendment or publication told by the head */
    int32_t told;    /* effect as the head tells it */
    bool amended;
};
void meta_time_head(struct str line, struct meta_days *days, struct arena *arena);
/* 自2025年7月1日起施行, from the lines of the text that say so; `published` serves 自公布之日起. */
int32_t meta_time_effect(const struct str *lines, size_t n, int32_t published);
/* 有效期五年, 有效期至…, 至…止: first day no longer in force. `label` true: the line is the value
 * of a label 有效期 and needs no word of its own. */
int32_t meta_time_end(struct str line, int32_t effective, bool label);
enum err meta_time_repeals(const struct str *lines, size_t n, struct arena *arena,
                           struct meta_found *found, struct why *why);

/* meta_origin.c: where a text comes from. */
int meta_level(const struct meta_source *source, const struct meta_found *found);
enum err meta_region(const struct meta_source *source, struct str issuer, struct arena *arena,
                     struct str *out, struct why *why);
enum err meta_issuer(const struct meta_source *source, struct arena *arena, struct str *out,
                     struct why *why);
/* Whether the words are the name of an office: 云汀市民政局, 国务院办公厅. */
bool meta_is_office(struct str s);

#endif

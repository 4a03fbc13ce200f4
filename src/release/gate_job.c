/* The job "release.gate": the papers of every source, the automatic sample, the drawn one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/time.h"
#include "release/lookout.h"
#include "release/room.h"
#include "release/rules.h"

#define RECORD_ROOM ((size_t)192 << 20)
#define MOST_HITS   5000 /* kept for people; what is beyond counts as not acceptable */
#define MOST_LISTED 200  /* sources that a rule names */
#define MOST_FOUND  200  /* characters that tell what was found */
#define ASK_EVERY   512

struct src {
    const struct data_source_info *info;
    struct picker picker;
    bool licence, record, consent;
    int64_t n_auto, n_hits, n_personal;
};

struct item {
    struct str record, source, found;
    int64_t place;
};

struct items {
    struct item *list;
    size_t n, most;
};

struct pass {
    struct release *release;
    struct job *job;
    struct gate_row gate;
    struct arena *arena; /* of the job */
    struct data_reader *reader;
    struct lookout *lookout;
    struct src *sources; /* n_sources */
    size_t n_sources;
    struct map by_key;
    struct picker automatic;
    struct items manual, hits;
    int64_t n_auto, n_hits, n_personal, n_manual;
    bool personal; /* looked for */
};

/* ---- papers ---- */

static bool says(const struct json *collection, const char *key)
{
    const struct json *value = json_get(collection, key);
    return json_bool(value, false) || str_trim_space(json_str(value, STR(""))).len > 0;
}

static enum err read_papers(struct pass *p, struct why *why)
{
    struct data_source_info *infos = NULL;
    enum err err = data_reader_sources(p->reader, p->arena, &infos, &p->n_sources, why);
    p->sources = err ? NULL : arena_array(p->arena, struct src, p->n_sources + 1);
    if (!err && !p->sources)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the sources");
    map_init(&p->by_key, p->arena);
    for (size_t i = 0; !err && i < p->n_sources; i++) {
        struct src *s = &p->sources[i];
        const struct json *c = NULL;
        struct why own = {0};
        s->info = &infos[i];
        if (infos[i].collection.len &&
            json_parse(infos[i].collection, p->arena, &c, &own) == ERR_NO_MEMORY)
            return err_set(why, ERR_NO_MEMORY, "could not read the papers of the sources");
        s->licence = says(c, "licence") || says(c, "authority");
        s->record = says(c, "collected_at");
        s->consent = says(c, "consent");
        struct map_entry *e = map_put(&p->by_key, infos[i].key, NULL);
        if (!e)
            return err_set(why, ERR_NO_MEMORY, "could not hold the sources");
        e->value.p = s;
    }
    return err;
}

/* ---- the samples ---- */

static enum err draw(struct pass *p, uint64_t seed, int64_t asked, double share, struct why *why)
{
    int64_t all = data_reader_n(p->reader);
    struct stratum *strata = arena_array(p->arena, struct stratum, p->n_sources + 1);
    if (!strata)
        return err_set(why, ERR_NO_MEMORY, "could not draw the sample");
    for (size_t i = 0; i < p->n_sources; i++)
        strata[i] = (struct stratum){p->sources[i].info->key, p->sources[i].info->n_records, 0};
    p->n_manual = rules_manual(all, asked);
    enum err err = rules_share_out(strata, p->n_sources, p->n_manual, seed, why);
    for (size_t i = 0; !err && i < p->n_sources; i++)
        picker_init(&p->sources[i].picker, strata[i].size, strata[i].draws,
                    hash64(strata[i].name.ptr, strata[i].name.len, seed ^ 0x6D616E75616Cu));
    picker_init(&p->automatic, all, rules_automatic(all, share), seed ^ 0x6175746Fu);
    p->manual.most = (size_t)p->n_manual;
    p->hits.most = MOST_HITS;
    p->manual.list = arena_array(p->arena, struct item, p->manual.most + 1);
    p->hits.list = arena_array(p->arena, struct item, p->hits.most + 1);
    if (!err && (!p->manual.list || !p->hits.list))
        err = err_set(why, ERR_NO_MEMORY, "could not hold the sample");
    return err;
}

static enum err keep(struct pass *p, struct items *items, const struct data_record *record,
                     struct str source, struct str found, struct why *why)
{
    if (items->n == items->most)
        return ERR_OK;
    struct item *to = &items->list[items->n++];
    *to = (struct item){str_copy(p->arena, record->id), str_copy(p->arena, source),
                        str_copy(p->arena, found), record->number};
    return to->record.ptr && to->source.ptr && to->found.ptr
               ? ERR_OK
               : err_set(why, ERR_NO_MEMORY, "could not hold the sample");
}

static enum err look(struct pass *p, struct src *s, const struct data_record *record,
                     const struct data_view *view, struct arena *arena, struct why *why)
{
    struct sighting seen;
    char found[MOST_FOUND];
    enum err err = lookout_see(p->lookout, view->text, p->personal, arena, &seen, why);
    if (err)
        return err;
    p->n_auto++;
    s->n_auto++;
    p->n_personal += seen.personal > 0;
    s->n_personal += seen.personal > 0;
    if (!seen.hit)
        return ERR_OK;
    p->n_hits++;
    s->n_hits++;
    if (p->hits.n == p->hits.most)
        return ERR_OK;
    struct str word = seen.words ? lookout_word(p->lookout, view->text) : STR("");
    if (seen.words && word.len)
        (void)snprintf(found, sizeof found, "word:%.*s", SHOW(word));
    else if (seen.words)
        (void)snprintf(found, sizeof found, "word:");
    else
        (void)snprintf(found, sizeof found, "classifier:%.2f", seen.toxic);
    return keep(p, &p->hits, record, view->source, str_c(found), why);
}

static enum err one_record(struct pass *p, struct str kind, const struct data_record *record,
                           struct arena *arena, struct why *why)
{
    struct data_view view;
    bool automatic = picker_take(&p->automatic);
    enum err err = data_view(kind, record->line, arena, &view, why);
    struct map_entry *e = err ? NULL : map_find(&p->by_key, view.source);
    if (!err && !e)
        err = err_set(why, ERR_CORRUPT, "record \"%.*s\" is of a source that the version has not",
                      SHOW(record->id));
    struct src *s = e ? e->value.p : NULL;
    if (!err && picker_take(&s->picker))
        err = keep(p, &p->manual, record, view.source, STR(""), why);
    return err || !automatic ? err : look(p, s, record, &view, arena, why);
}

static enum err pass_records(struct pass *p, struct why *why)
{
    struct arena *arena = arena_new(RECORD_ROOM);
    struct str kind = str_c(data_reader_version(p->reader)->kind);
    int64_t all = data_reader_n(p->reader), n = 0;
    enum err err =
        arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not look through the records");
    for (struct data_record record; !err; n++) {
        if (n % ASK_EVERY == 0) {
            job_progress(p->job, n, all, "checking the sample");
            if (job_cancelled(p->job))
                err = err_set(why, ERR_CANCELLED, "it was cancelled");
        }
        arena_reset(arena);
        if (!err)
            err = data_reader_next(p->reader, arena, &record, why);
        if (err || !record.line.ptr)
            break;
        err = one_record(p, kind, &record, arena, why);
    }
    job_progress(p->job, n, all, "");
    arena_free(arena);
    if (!err && (int64_t)p->manual.n != p->n_manual)
        err = err_set(why, ERR_CORRUPT,
                      "the version's counts of records by source do not fit its records");
    return err;
}

/* ---- what was found ---- */

static bool without_licence(const struct src *s)
{
    return !s->licence;
}
static bool without_record(const struct src *s)
{
    return !s->record;
}
static bool withdrawn(const struct src *s)
{
    return s->info->withdrawn;
}
static bool without_consent(const struct src *s)
{
    return s->n_personal > 0 && !s->consent;
}
static bool has_hits(const struct src *s)
{
    return s->n_hits > 0;
}

static void put_sources(const struct pass *p, const char *name, bool (*which)(const struct src *s),
                        size_t most, struct json_out *out)
{
    char count[48];
    size_t n = 0;
    json_key(out, name);
    json_begin_array(out);
    for (size_t i = 0; i < p->n_sources; i++) {
        const struct src *s = &p->sources[i];
        if (!which(s) || ++n > most)
            continue;
        json_begin_object(out);
        json_kv_str(out, "key", s->info->key);
        json_kv_str(out, "uri", s->info->uri);
        json_kv_int(out, "n_records", s->info->n_records);
        json_kv_int(out, "n_auto", s->n_auto);
        json_kv_int(out, "n_hits", s->n_hits);
        json_kv_int(out, "n_personal", s->n_personal);
        json_end_object(out);
    }
    json_end_array(out);
    (void)snprintf(count, sizeof count, "n_%s", name);
    json_kv_int(out, count, (int64_t)n);
}

static enum err found_json(const struct pass *p, struct str *text, struct why *why)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, p->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_int(&out, "n_sources", (int64_t)p->n_sources);
    json_kv_int(&out, "n_auto", p->n_auto);
    json_kv_int(&out, "n_hits", p->n_hits);
    json_kv_int(&out, "n_personal", p->n_personal);
    lookout_put(p->lookout, &out);
    put_sources(p, "without_licence", without_licence, MOST_LISTED, &out);
    put_sources(p, "without_record", without_record, MOST_LISTED, &out);
    put_sources(p, "withdrawn", withdrawn, MOST_LISTED, &out);
    put_sources(p, "without_consent", without_consent, MOST_LISTED, &out);
    put_sources(p, "hit_sources", has_hits, SIZE_MAX, &out);
    json_end_object(&out);
    *text = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err put_items(struct store_tx *tx, struct str gate, const char *kind,
                          const struct items *items, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < items->n; i++) {
        const struct item *it = &items->list[i];
        err = store_exec(tx,
                         "INSERT INTO release_samples (gate, kind, number, record, place, source, "
                         "found, verdict, comment, judge, judged_ms, lent_to, lent_ms) VALUES (?, "
                         "?, ?, ?, ?, ?, ?, '', '', '', 0, '', 0)",
                         STORE_ARGS(SV_STR(gate), SV_C(kind), SV_INT((int64_t)i + 1),
                                    SV_STR(it->record), SV_INT(it->place), SV_STR(it->source),
                                    SV_STR(it->found)),
                         NULL, why);
    }
    return err;
}

/* All at once: a gate that was killed before has no sample, and draws the same one again. */
static enum err publish(struct pass *p, const struct ops_identity *who, struct why *why)
{
    struct act act;
    struct str found;
    int64_t changed = 0;
    enum err err = found_json(p, &found, why);
    if (!err)
        err = release_act_begin(&act, p->release, who, NULL, why);
    if (err)
        return err;
    err = store_exec(act.tx,
                     "UPDATE release_gates SET state = 'judging', found = ? WHERE id = ? AND state "
                     "IN ('queued', 'running')",
                     STORE_ARGS(SV_STR(found), SV_STR(p->gate.id)), &changed, why);
    if (!err && !changed)
        err = err_set(why, ERR_CONFLICT, "the gate has ended in the meantime");
    if (!err)
        err = put_items(act.tx, p->gate.id, "manual", &p->manual, why);
    if (!err)
        err = put_items(act.tx, p->gate.id, "hit", &p->hits, why);
    char text[64];
    (void)snprintf(text, sizeof text, "%zu drawn, %lld of %lld hit", p->manual.n,
                   (long long)p->n_hits, (long long)p->n_auto);
    return release_act_end(
        &act, err, "release.gate.sample", p->gate.id,
        detail_of(p->arena, "manifest", p->gate.manifest, "sample", str_c(text), NULL), why);
}

/* ---- the job ---- */

static enum err find_gate(struct pass *p, const struct ops_identity *who, struct why *why)
{
    struct store_tx *tx = NULL;
    struct ops_identity own = inside(who->tenant);
    struct str id = json_get_str(job_spec(p->job), "gate", STR(""));
    enum err err = store_begin(p->release->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = gate_find(tx, &own, id, p->arena, &p->gate, why);
    store_rollback(tx);
    return err;
}

static enum err sample(struct pass *p, struct why *why)
{
    struct ops_identity own = inside(p->gate.tenant);
    const struct json *spec = NULL;
    enum err err = json_parse(p->gate.spec, p->arena, &spec, why);
    if (!err)
        err = data_reader_open(p->release->opts.data, &own, p->gate.dataset, p->gate.number,
                               &p->reader, why);
    if (!err && !str_eq(data_reader_version(p->reader)->id, p->gate.version))
        err =
            err_set(why, ERR_CORRUPT, "version %lld is another one now", (long long)p->gate.number);
    if (!err)
        err = lookout_open(p->release, &p->lookout, why);
    if (!err)
        err = read_papers(p, why);
    if (!err)
        err = draw(p, (uint64_t)json_get_int(spec, "seed", 0), json_get_int(spec, "sample", 0),
                   json_get_f64(spec, "share", 1), why);
    p->personal = str_eq_c(p->gate.purpose, "training");
    return err ? err : pass_records(p, why);
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct pass p = {.release = ctx, .job = job, .arena = job_arena(job)};
    struct ops_identity who = job_actor(job);
    enum err err = find_gate(&p, &who, why);
    if (!err && !str_eq_c(p.gate.state, "queued") && !str_eq_c(p.gate.state, "running"))
        return ERR_OK; /* it had ended, and was killed before it could say so */
    if (!err)
        err = store_run(p.release->opts.store,
                        "UPDATE release_gates SET state = 'running' WHERE id = ? AND state = "
                        "'queued'",
                        STORE_ARGS(SV_STR(p.gate.id)), NULL, why);
    if (!err)
        err = sample(&p, why);
    if (!err)
        err = publish(&p, &who, why);
    lookout_close(p.lookout);
    data_reader_close(p.reader);
    if (!err)
        job_result(job, str_printf(p.arena,
                                   "{\"gate\":\"%.*s\",\"n_drawn\":%zu,\"n_looked_through\":%lld,"
                                   "\"n_hits\":%lld}",
                                   STR_FMT(p.gate.id), p.manual.n, (long long)p.n_auto,
                                   (long long)p.n_hits));
    return err;
}

const struct job_kind release_gate_job = {
    .name = "release.gate",
    .summary = "Check the papers of a version and draw the samples of its gate",
    .permission = "release.make",
    .memory_bytes = (int64_t)1 << 30,
    .run = run,
    .moved = gate_moved,
};

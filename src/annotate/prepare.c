/* The job that makes a project's items out of a version's records. */
#include <stdio.h>
#include <string.h>

#include "annotate/room.h"

#define BATCH        1000
#define BATCH_MEMORY ((size_t)256 << 20)

enum err submit_job(struct act *act, const char *kind, const char *title, struct str spec,
                    char id[UUID_TEXT], struct why *why)
{
    if (!spec.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not write the job");
    return job_submit(act->tx, act->annotate->opts.compute, act->ask->who, kind, title, spec, "",
                      id, why);
}

struct prepare {
    struct annotate *annotate;
    struct job *job;
    struct ops_identity who;
    struct project project;
    struct data_reader *reader;
    const struct json *spec;
    struct str filter;
    int64_t n, limit;      /* records, most items */
    int64_t last_rec, seq; /* what is there already */
    const struct field *gold_field;
    struct str gold_path;
    int64_t n_gold, n_exam, gold_step, n_candidates, gold_taken;
};

/* Which record the i-th item is of, when they are spread. */
static int64_t rec_at(const struct prepare *p, int64_t i)
{
    return p->limit > 0 && json_get_bool(p->spec, "spread", false) && p->limit < p->n
               ? (int64_t)((double)i * (double)p->n / (double)p->limit)
               : i;
}

static int64_t n_looked_at(const struct prepare *p)
{
    return p->limit > 0 && p->limit < p->n &&
                   (json_get_bool(p->spec, "spread", false) || !p->filter.len)
               ? p->limit
               : p->n;
}

/* A right answer in the record; ptr NULL when there is none. */
static struct str gold_of(const struct prepare *p, struct str line, struct arena *arena)
{
    const struct json *record = NULL;
    struct answer answer;
    if (!p->gold_field || json_parse(line, arena, &record, NULL))
        return STR_NONE;
    struct answer_about about = about_record(&p->project, record, arena);
    struct str text = member_answer(&p->project.labels, p->gold_field, record, p->gold_path, arena);
    /* Gold must be a whole answer. */
    if (text.ptr && answer_parse(text, &p->project.labels, &about, false, arena, &answer, NULL))
        return STR_NONE;
    return text;
}

static enum err next_record(struct prepare *p, int64_t i, struct arena *arena,
                            struct data_record *out, bool *wanted, struct why *why)
{
    enum err err = data_reader_at(p->reader, rec_at(p, i), arena, out, why);
    *wanted = !err && (!p->filter.len || str_find(out->line, p->filter) != STR_NPOS);
    return err;
}

/* How many records could be gold, so that those taken are spread over all. */
static enum err count_gold(struct prepare *p, struct why *why)
{
    struct arena *arena = arena_new(BATCH_MEMORY);
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold a record");
    for (int64_t i = 0; !err && p->n_gold > 0 && i < n_looked_at(p); i++) {
        struct data_record record;
        bool wanted;
        arena_reset(arena);
        err = next_record(p, i, arena, &record, &wanted, why);
        p->n_candidates += !err && wanted && gold_of(p, record.line, arena).ptr != NULL;
    }
    p->gold_step = p->n_gold > 0 && p->n_candidates > p->n_gold ? p->n_candidates / p->n_gold : 1;
    p->n_candidates = 0;
    arena_free(arena);
    return err;
}

/* Called for every record in order, so that it falls out alike after a restart. */
static void choose_gold(struct prepare *p, struct str line, struct new_item *item,
                        struct arena *arena)
{
    if (p->n_gold == 0 || p->gold_taken == p->n_gold)
        return;
    struct str gold = gold_of(p, line, arena);
    if (!gold.ptr || p->n_candidates++ % p->gold_step != 0)
        return;
    item->gold = gold;
    item->purpose = p->gold_taken < p->n_exam ? PURPOSE_EXAM : PURPOSE_GOLD;
    p->gold_taken++;
}

static enum err add_batch(struct prepare *p, int64_t *at, bool *more, struct why *why)
{
    struct annotate_ask ask = {.who = &p->who};
    struct act act = {.annotate = p->annotate,
                      .ask = &ask,
                      .project = p->project,
                      .now_ms = now_of(p->annotate),
                      .arena = arena_new(BATCH_MEMORY)};
    struct project_delta d = {0};
    int64_t end = n_looked_at(p);
    enum err err = act.arena ? store_begin(p->annotate->opts.store, STORE_WRITE, &act.tx, why)
                             : err_set(why, ERR_NO_MEMORY, "could not hold a batch");
    for (int64_t k = 0; !err && k < BATCH && *at < end; k++, ++*at) {
        struct data_record record;
        struct new_item item = {.purpose = PURPOSE_WORK};
        bool wanted;
        err = next_record(p, *at, act.arena, &record, &wanted, why);
        if (err || !wanted)
            continue;
        if (p->limit > 0 && p->seq >= p->limit) {
            *at = end - 1;
            continue;
        }
        choose_gold(p, record.line, &item, act.arena);
        if (record.number <= p->last_rec) /* made before this job was interrupted */
            continue;
        item.seq = ++p->seq;
        item.rec = record.number;
        item.record = record.id;
        err = item_add(&act, &item, why);
        d.items += item.purpose == PURPOSE_WORK;
        d.gold += item.purpose == PURPOSE_GOLD;
        d.exam += item.purpose == PURPOSE_EXAM;
    }
    *more = *at < end;
    if (!err)
        err = project_add(&act, &d, why);
    if (!err)
        err = store_commit(act.tx, why);
    else
        store_rollback(act.tx);
    arena_free(act.arena);
    return err;
}

static enum err begin(struct prepare *p, struct why *why)
{
    struct store_rows rows = {0};
    struct store_tx *tx = NULL;
    struct arena *arena = job_arena(p->job);
    enum err err = store_begin(p->annotate->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = project_load(tx, p->who.tenant, json_get_str(p->spec, "project", STR("")), arena,
                           &p->project, why);
    if (!err)
        err = store_query(tx,
                          "SELECT COALESCE(MAX(seq), 0), COALESCE(MAX(rec), -1) FROM annotate_items"
                          " WHERE project = ?",
                          STORE_ARGS(SV_STR(p->project.id)), arena, &rows, why);
    p->seq = store_int(&rows, 0, 0);
    p->last_rec = store_int(&rows, 0, 1);
    store_rollback(tx);
    if (!err)
        err = data_reader_open(p->annotate->opts.data, &p->who, p->project.dataset,
                               p->project.number, &p->reader, why);
    if (err)
        return err;
    const struct json *gold = json_get(p->spec, "gold");
    p->n = data_reader_n(p->reader);
    p->filter = json_get_str(p->spec, "filter", STR(""));
    p->limit = json_get_int(p->spec, "limit", 0);
    if (p->limit == 0 && p->n > MOST_ITEMS)
        p->limit = MOST_ITEMS;
    p->gold_path = json_get_str(gold, "field", STR(""));
    p->n_gold = p->gold_path.len ? json_get_int(gold, "n", 0) : 0;
    p->n_exam = json_get_int(gold, "exam", 0);
    struct str to = json_get_str(gold, "to", STR(""));
    p->gold_field = !p->n_gold ? NULL
                    : to.len   ? labels_field(&p->project.labels, to)
                               : &p->project.labels.fields[0];
    return count_gold(p, why);
}

enum err project_moved(void *ctx, struct store_tx *tx, const struct job_move *move, struct why *why)
{
    (void)ctx;
    bool again = move->to == JOB_QUEUED;
    struct str words = move->to == JOB_CANCELLED ? STR("the job was cancelled") : move->words;
    return store_exec(
        tx,
        "UPDATE annotate_projects SET state = ?, why = ?, revision = revision + 1"
        " WHERE job = ? AND state IN ('preparing', 'failed')",
        STORE_ARGS(SV_C(again ? "preparing" : "failed"), SV_STR(words), SV_STR(move->id)), NULL,
        why);
}

static enum err open_project(struct prepare *p, struct why *why)
{
    return store_run(p->annotate->opts.store,
                     "UPDATE annotate_projects SET state = 'open', why = '', revision = revision"
                     " + 1 WHERE id = ? AND state IN ('preparing', 'failed')",
                     STORE_ARGS(SV_STR(p->project.id)), NULL, why);
}

static enum err make_items(struct prepare *p, struct why *why)
{
    bool more = true;
    int64_t at = 0, given = 0;
    const struct json *saved = NULL, *pre = json_get(p->spec, "prelabel");
    enum err err = begin(p, why);
    while (!err && more) {
        if (job_cancelled(p->job))
            return ERR_CANCELLED;
        err = add_batch(p, &at, &more, why);
        job_progress(p->job, at, n_looked_at(p), "making items");
    }
    if (!err && p->seq == 0)
        err = err_set(why, ERR_INVALID, "no record of the version is asked about");
    p->project.n_items = p->seq;
    if (!err && pre)
        err = job_saved(p->job, job_arena(p->job), &saved, why);
    given = err ? 0 : json_get_int(saved, "given", 0);
    if (!err && pre)
        err = prelabel_run(p->annotate, p->job, &p->project, pre,
                           json_get_int(saved, "prelabel", 0), &given, why);
    return err;
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct prepare p = {.annotate = ctx, .job = job, .who = job_actor(job), .spec = job_spec(job)};
    enum err err = make_items(&p, why);
    data_reader_close(p.reader);
    if (!err)
        err = open_project(&p, why);
    if (!err)
        job_result(job, str_printf(job_arena(job), "{\"project\":\"%.*s\",\"n_items\":%lld}",
                                   STR_FMT(p.project.id), (long long)p.seq));
    return err;
}

const struct job_kind annotate_prepare_job = {
    .name = "annotate.prepare",
    .summary = "Make the items of an annotation project",
    .permission = "annotate.manage",
    .memory_bytes = (int64_t)1 << 30,
    .max_attempts = 5,
    .run = run,
    .moved = project_moved,
};

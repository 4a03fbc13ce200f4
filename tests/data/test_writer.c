/* Reading and making versions for the rooms above: the promises of data.h on either engine. */
#include "room.h"

#include <signal.h>
#include <sys/wait.h>

#define FRESH(r)                                                                                   \
    struct room r;                                                                                 \
    FRESH_STORE(store, 4);                                                                         \
    if (!room_fresh(&(r), store))                                                                  \
    SKIP("no room")

#define DONE(r)                                                                                    \
    do {                                                                                           \
        room_done(&(r));                                                                           \
        test_store_done(store);                                                                    \
    } while (0)

#define PAPERS "{\"licence\":\"政务数据授权\",\"authority\":\"数据局\"}"

static struct data_writer_spec spec_of(struct room *r, const char *run)
{
    char *dir = file_join(r->arena, r->dir, run);
    return (struct data_writer_spec){.dataset = STR("事项"),
                                     .kind = STR("text"),
                                     .access = OPS_CLASS_STAFF,
                                     .append = true,
                                     .made_by = "acquire",
                                     .run = str_c(run),
                                     .dir = dir,
                                     .spec = STR("{\"from\":\"test\"}")};
}

static struct data_writer *open_writer(struct room *r, const struct data_writer_spec *spec)
{
    struct data_writer *w = NULL;
    struct why why = {0};
    CHECK_OK(data_writer_open(r->data, &r->who, spec, &w, &why), &why);
    return w;
}

static void put(struct data_writer *w, const char *key, const char *item, const char *text)
{
    char json[400];
    struct why why = {0};
    (void)snprintf(json, sizeof json, "{\"text\":\"%s\"}", text);
    CHECK_OK(data_writer_add(w, key, str_c(item), str_c(json), NULL, &why), &why);
}

/* A whole run: pairs of item and text; NULL ends. */
static struct data_written run_of(struct room *r, const struct data_writer_spec *spec,
                                  const char *const *pairs)
{
    char key[DATA_SOURCE_KEY];
    struct data_written got = {0};
    struct why why = {0};
    struct data_writer *w = open_writer(r, spec);
    if (!w)
        return got;
    CHECK_OK(data_writer_source(w, STR("db:a"), STR(""), 0, STR(PAPERS), key, &why), &why);
    for (; *pairs; pairs += 2)
        if (pairs[1])
            put(w, key, pairs[0], pairs[1]);
        else
            CHECK_OK(data_writer_drop(w, key, str_c(pairs[0]), &why), &why);
    CHECK_OK(data_writer_commit(w, &got, &why), &why);
    got.manifest = str_copy(r->arena, got.manifest);
    got.version = str_copy(r->arena, got.version);
    data_writer_close(w);
    return got;
}
#define RUN(r, name, ...)                                                                          \
    run_of(&(r), &(struct data_writer_spec[]){spec_of(&(r), (name))}[0],                           \
           (const char *const[]){__VA_ARGS__, NULL, NULL})

/* All texts of the newest version, joined by '|'. */
static struct str texts_of(struct room *r)
{
    struct data_reader *reader = NULL;
    struct data_record record;
    struct buf buf;
    struct why why = {0};
    buf_init(&buf, r->arena);
    CHECK_OK(data_reader_open(r->data, &r->who, STR("事项"), 0, &reader, &why), &why);
    if (!reader)
        return STR("");
    for (int64_t n = 0;; n++) {
        const struct json *json;
        CHECK_OK(data_reader_next(reader, r->arena, &record, &why), &why);
        CHECK_EQ(record.number, n);
        if (!record.line.ptr)
            break;
        CHECK_OK(json_parse(record.line, r->arena, &json, &why), &why);
        CHECK(str_eq(record.id, json_get_str(json, "id", STR("none"))));
        buf_printf(&buf, "%s%.*s", n ? "|" : "", STR_FMT(json_get_str(json, "text", STR("?"))));
    }
    data_reader_close(reader);
    return buf_str(&buf);
}

TEST(what_is_added_is_read_back_with_its_papers)
{
    FRESH(r);
    struct data_written got = RUN(r, "run1", "1", "甲", "事项 二", "乙");
    CHECK(got.made);
    CHECK_EQ(got.number, 1);
    CHECK_EQ(got.n_records, 2);
    CHECK_EQ(got.n_new, 2);
    CHECK_STR(texts_of(&r), "甲|乙");
    struct data_reader *reader = NULL;
    struct data_record record = {0}, again = {0};
    struct data_source_info *sources = NULL;
    size_t n = 0;
    struct why why = {0};
    CHECK_OK(data_reader_open(r.data, &r.who, STR("事项"), 1, &reader, &why), &why);
    const struct data_version_info *info = data_reader_version(reader);
    CHECK_STR(info->made_by, "acquire");
    CHECK_STR(info->actor, "system");
    CHECK(str_eq(info->manifest, got.manifest));
    CHECK_EQ(strcmp(info->kind, "text"), 0);
    CHECK_EQ(info->access, OPS_CLASS_STAFF);
    CHECK_OK(data_reader_at(reader, 1, r.arena, &record, &why), &why);
    CHECK_OK(data_reader_find(reader, record.id, r.arena, &again, &why), &why);
    CHECK(str_eq(record.line, again.line));
    CHECK_EQ(again.number, 1);
    CHECK_EQ(data_reader_find(reader, STR("x-1"), r.arena, &again, NULL), ERR_NOT_FOUND);
    CHECK_EQ(data_reader_at(reader, 2, r.arena, &again, NULL), ERR_NOT_FOUND);
    CHECK_OK(data_reader_sources(reader, r.arena, &sources, &n, &why), &why);
    CHECK_EQ(n, 1);
    CHECK_EQ(sources[0].n_records, 2);
    CHECK_STR(sources[0].uri, "db:a");
    const struct json *papers;
    CHECK_OK(json_parse(sources[0].collection, r.arena, &papers, &why), &why);
    CHECK_STR(json_get_str(papers, "authority", STR("")), "数据局");
    CHECK_STR(json_get_str(papers, "job", STR("")), "run1");
    CHECK(json_get_str(papers, "collected_at", STR("")).len > 0);
    data_reader_close(reader);
    DONE(r);
}

TEST(only_what_is_new_or_changed_makes_a_version)
{
    FRESH(r);
    (void)RUN(r, "run1", "1", "甲", "2", "乙", "3", "丙");
    struct data_written got = RUN(r, "run2", "1", "甲", "3", "丙");
    CHECK(!got.made);
    CHECK_EQ(got.number, 1);
    CHECK_EQ(got.n_same, 2);
    got = RUN(r, "run3", "2", "乙乙", "4", "丁", "1", "甲");
    CHECK(got.made);
    CHECK_EQ(got.number, 2);
    CHECK_EQ(got.n_new, 1);
    CHECK_EQ(got.n_changed, 1);
    CHECK_EQ(got.n_same, 1);
    CHECK_EQ(got.n_records, 4);
    CHECK_STR(texts_of(&r), "甲|丙|乙乙|丁");
    /* In one run the later of two counts; what is dropped and comes back is there. */
    got = RUN(r, "run4", "5", "旧", "5", "新", "1", NULL, "3", NULL, "3", "丙丙");
    CHECK_EQ(got.n_records, 4);
    CHECK_STR(texts_of(&r), "乙乙|丁|新|丙丙");
    struct store_rows rows;
    CHECK_EQ(store_ask(r.store,
                       "SELECT c.n_records FROM data_contents c JOIN data_versions v "
                       "ON v.id = c.version WHERE v.number = 3",
                       STORE_NO_ARGS, r.arena, &rows, NULL),
             ERR_OK);
    CHECK_EQ(store_int(&rows, 0, 0), 4);
    /* Nothing at all, and a run that is only repeated. */
    CHECK(!RUN(r, "run5", "9", NULL).made);
    CHECK_EQ(RUN(r, "run4", "5", "x").number, 3);
    DONE(r);
}

TEST(a_version_that_came_in_between_is_kept)
{
    FRESH(r);
    char key[DATA_SOURCE_KEY];
    struct data_written got = {0};
    struct why why = {0};
    (void)RUN(r, "run1", "1", "甲");
    struct data_writer_spec spec = spec_of(&r, "slow");
    struct data_writer *w = open_writer(&r, &spec);
    CHECK_OK(data_writer_source(w, STR("db:a"), STR(""), 0, STR(PAPERS), key, &why), &why);
    put(w, key, "2", "慢");
    put(w, key, "1", "甲甲");
    (void)RUN(r, "quick", "3", "快", "2", "慢");
    CHECK_OK(data_writer_commit(w, &got, &why), &why);
    CHECK_EQ(got.number, 3);
    CHECK_EQ(got.n_changed, 1);
    CHECK_EQ(got.n_same, 1);
    CHECK_STR(texts_of(&r), "快|慢|甲甲");
    data_writer_close(w);
    DONE(r);
}

TEST(the_same_records_give_the_same_manifest)
{
    FRESH(r);
    struct data_writer_spec other = spec_of(&r, "b");
    other.dataset = STR("other");
    other.append = false;
    const char *const pairs[] = {"1", "甲", "2", "乙", NULL};
    struct str a = RUN(r, "a", "1", "甲", "2", "乙").manifest;
    CHECK(str_eq(a, run_of(&r, &other, pairs).manifest));
    /* A whole version again that is the same is no new one. */
    other.run = STR("c");
    other.dir = file_join(r.arena, r.dir, "c");
    CHECK(!run_of(&r, &other, pairs).made);
    DONE(r);
}

TEST(what_is_no_record_goes_to_quarantine)
{
    FRESH(r);
    static const char *const wrong[] = {"{\"text\":5}",        "{\"x\":1}",           "[1]",
                                        "{\"text\":\"\\xff\"", "{\"text\":\"\xff\"}", ""};
    char key[DATA_SOURCE_KEY];
    struct data_written got = {0};
    struct why why = {0};
    struct data_writer_spec spec = spec_of(&r, "run1");
    struct data_writer *w = open_writer(&r, &spec);
    CHECK_OK(data_writer_source(w, STR("db:a"), STR(""), 0, STR(""), key, &why), &why);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        bool bad = false;
        CHECK_OK(data_writer_add(w, key, STR("a"), str_c(wrong[i]), &bad, &why), &why);
        CHECK(bad);
    }
    CHECK_OK(data_writer_bad(w, key, STR("b"), "the page could not be read", &why), &why);
    put(w, key, "c", "好");
    CHECK_EQ(data_writer_counts(w).n_bad, 7);
    CHECK_OK(data_writer_commit(w, &got, &why), &why);
    CHECK_EQ(got.n_bad, 7);
    CHECK_EQ(got.n_records, 1);
    data_writer_close(w);
    struct buf buf;
    struct json_out out;
    const struct json *record;
    char id[64];
    (void)snprintf(id, sizeof id, "%s-b", key);
    buf_init(&buf, r.arena);
    json_out_init(&out, &buf);
    CHECK_OK(data_record_json(r.data, &r.who, STR("事项"), 0, str_c(id), r.arena, &out, &why),
             &why);
    CHECK_OK(json_parse(buf_str(&buf), r.arena, &record, &why), &why);
    CHECK_STR(json_get_str(json_get(record, "ended"), "why", STR("")),
              "the page could not be read");
    DONE(r);
}

TEST(a_withdrawn_source_is_refused_and_left_out)
{
    FRESH(r);
    char key[DATA_SOURCE_KEY], fine[DATA_SOURCE_KEY];
    struct buf buf;
    struct json_out out;
    struct why why = {0};
    (void)RUN(r, "run1", "1", "甲", "2", "乙");
    struct data_writer_spec spec = spec_of(&r, "run2"), third = spec_of(&r, "run3");
    struct data_writer *w = open_writer(&r, &spec);
    CHECK_OK(data_writer_source(w, STR("db:a"), STR(""), 0, STR(""), key, &why), &why);
    CHECK_OK(data_writer_source(w, STR("db:b"), STR(""), 0, STR(""), fine, &why), &why);
    put(w, key, "7", "来不及");
    put(w, fine, "1", "丁");
    buf_init(&buf, r.arena);
    json_out_init(&out, &buf);
    CHECK_OK(data_withdraw(r.data, &r.who, str_c(key), STR("授权到期"), false, r.arena, &out, &why),
             &why);
    struct data_written got = {0};
    CHECK_OK(data_writer_commit(w, &got, &why), &why);
    CHECK_EQ(got.n_records, 1);
    data_writer_close(w);
    CHECK_STR(texts_of(&r), "丁");
    w = open_writer(&r, &third);
    CHECK_EQ(data_writer_source(w, STR("db:a"), STR(""), 0, STR(""), key, &why), ERR_CONFLICT);
    CHECK(strstr(why.text, "withdrawn") != NULL);
    data_writer_abandon(w);
    DONE(r);
}

TEST(who_may_not_does_not_and_classes_go_down)
{
    FRESH(r);
    struct ops_identity nobody = ops_public("city");
    struct data_writer_spec spec = spec_of(&r, "x"), secret = spec_of(&r, "s");
    struct data_writer *w = NULL;
    struct data_reader *reader = NULL;
    struct why why = {0};
    CHECK_EQ(data_writer_open(r.data, &nobody, &spec, &w, &why), ERR_FORBIDDEN);
    secret.dataset = STR("secret");
    secret.access = OPS_CLASS_RESTRICTED;
    const char *const one[] = {"1", "密", NULL};
    struct data_written got = run_of(&r, &secret, one);
    struct ops_identity staff = r.who;
    staff.classes = 1u << OPS_CLASS_PUBLIC | 1u << OPS_CLASS_STAFF;
    CHECK_EQ(data_reader_open(r.data, &staff, STR("secret"), 0, &reader, NULL), ERR_NOT_FOUND);
    CHECK_EQ(data_reader_open(r.data, &nobody, STR("secret"), 0, &reader, NULL), ERR_FORBIDDEN);
    /* An input that one may not read; an output that more people may read. */
    spec.inputs = &got.version;
    spec.n_inputs = 1;
    CHECK_EQ(data_writer_open(r.data, &staff, &spec, &w, NULL), ERR_NOT_FOUND);
    (void)RUN(r, "open", "1", "甲");
    CHECK_EQ(data_writer_open(r.data, &r.who, &spec, &w, NULL), ERR_FORBIDDEN);
    /* A new set gets the class of its input. */
    spec.dataset = STR("made");
    got = run_of(&r, &spec, one);
    CHECK(got.made);
    CHECK_EQ(data_reader_open(r.data, &r.who, STR("made"), 0, &reader, NULL), ERR_OK);
    CHECK_EQ(data_reader_version(reader)->access, OPS_CLASS_RESTRICTED);
    data_reader_close(reader);
    spec = spec_of(&r, "k");
    spec.kind = STR("qa");
    CHECK_EQ(data_writer_open(r.data, &r.who, &spec, &w, NULL), ERR_CONFLICT);
    spec.kind = STR("poem");
    CHECK_EQ(data_writer_open(r.data, &r.who, &spec, &w, NULL), ERR_INVALID);
    DONE(r);
}

TEST(parts_and_corrections_keep_the_way_back)
{
    FRESH(r);
    struct why why = {0};
    struct data_written got = RUN(r, "run1", "1", "甲");
    struct data_writer_spec spec = spec_of(&r, "run2");
    struct data_reader *reader = NULL;
    struct data_record record;
    spec.dataset = STR("问答");
    spec.kind = STR("qa");
    spec.made_by = "synth";
    spec.inputs = &got.version;
    spec.n_inputs = 1;
    CHECK_OK(data_reader_open(r.data, &r.who, STR("事项"), 0, &reader, &why), &why);
    CHECK_OK(data_reader_next(reader, r.arena, &record, &why), &why);
    data_reader_close(reader);
    struct data_writer *w = open_writer(&r, &spec);
    struct str qa = STR("{\"question\":\"问\",\"answer\":\"答\"}");
    CHECK_OK(data_writer_add_part(w, record.id, 1, qa, NULL, &why), &why);
    CHECK_EQ(data_writer_add_part(w, STR("strange"), 1, qa, NULL, NULL), ERR_INVALID);
    CHECK_OK(data_writer_commit(w, &got, &why), &why);
    struct buf buf;
    struct json_out out;
    const struct json *shown, *graph;
    struct str id = str_printf(r.arena, "%.*s.1", STR_FMT(record.id));
    buf_init(&buf, r.arena);
    json_out_init(&out, &buf);
    CHECK_OK(data_record_json(r.data, &r.who, STR("问答"), 0, id, r.arena, &out, &why), &why);
    CHECK_OK(json_parse(buf_str(&buf), r.arena, &shown, &why), &why);
    CHECK_EQ(json_len(json_get(shown, "history")), 2);
    CHECK_STR(json_get_str(json_get(shown, "source"), "uri", STR("")), "db:a");
    buf_init(&buf, r.arena);
    json_out_init(&out, &buf);
    CHECK_OK(data_lineage_json(r.data, &r.who, STR("version"), got.version, DATA_BACKWARDS, r.arena,
                               &out, &why),
             &why);
    CHECK_OK(json_parse(buf_str(&buf), r.arena, &graph, &why), &why);
    CHECK_EQ(json_len(json_get(graph, "nodes")), 5); /* qa, its run, text, its run, the source */
    data_writer_close(w);
    DONE(r);
}

/* ---- many records, and deaths ---- */

#define MANY  30000
#define EVERY 500

static const char *long_text(int i, char out[1200])
{
    int n = snprintf(out, 1200, "第%d条 ", i);
    for (int k = 0; k < 30 + i % 7; k++)
        n += snprintf(out + n, 1200 - (size_t)n, "经办机构应当受理%d", i * k % 11);
    return out;
}

/* The run of a collector that goes on from its cursor. */
static enum err collect(struct room *r, struct data_written *got, struct why *why)
{
    struct data_writer_spec spec = spec_of(r, "many");
    struct data_writer *w = NULL;
    char key[DATA_SOURCE_KEY], text[1200], json[1400], item[24];
    int64_t i = 0;
    enum err err = data_writer_open(r->data, &r->who, &spec, &w, why);
    if (err)
        return err;
    if (data_writer_cursor(w).len)
        CHECK(str_to_i64(data_writer_cursor(w), &i));
    err = data_writer_source(w, STR("db:many"), STR(""), 0, STR(""), key, why);
    for (; !err && i < MANY; i++) {
        if (i % EVERY == 0) {
            (void)snprintf(item, sizeof item, "%lld", (long long)i);
            err = data_writer_mark(w, str_c(item), why);
        }
        (void)snprintf(item, sizeof item, "%lld", (long long)(i % (MANY - 1000)));
        (void)snprintf(json, sizeof json, i % 97 ? "{\"text\":\"%s\"}" : "{\"bad\":\"%s\"}",
                       long_text((int)i, text));
        if (!err && i % 1013 == 7)
            err = data_writer_drop(w, key, str_c(item), why);
        else if (!err)
            err = data_writer_add(w, key, str_c(item), str_c(json), NULL, why);
    }
    if (!err)
        err = data_writer_commit(w, got, why);
    if (!err)
        got->manifest = str_copy(r->arena, got->manifest);
    data_writer_close(w);
    return err;
}

static struct store *open_store(const char *dir)
{
    static char path[128];
    struct store *store = NULL;
    (void)snprintf(path, sizeof path, "%s/yicheng.db", dir);
    struct store_opts opts = {.url = path, .busy_timeout_ms = 20000, .n_connections = 4};
    CHECK_EQ(store_open(&opts, &store, NULL), ERR_OK);
    return store;
}

static bool killed(const struct room *r, useconds_t us)
{
    int status = 0;
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct room own = {.own_store = true};
        struct data_written got;
        memcpy(own.dir, r->dir, sizeof own.dir);
        if (room_open(&own, open_store(own.dir)) != ERR_OK)
            _exit(2);
        _exit(collect(&own, &got, NULL) != ERR_OK);
    }
    (void)usleep(us);
    (void)kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

TEST(killed_in_the_middle_it_goes_on_and_gives_the_same_bytes)
{
    struct room calm = {.dir = "/tmp/yicheng-data-XXXXXX", .own_store = true},
                rough = {.dir = "/tmp/yicheng-data-XXXXXX", .own_store = true};
    struct data_written a = {0}, b = {0}, c = {0};
    struct why why = {0};
    int kills = 0;
    CHECK(mkdtemp(calm.dir) != NULL && mkdtemp(rough.dir) != NULL);
    CHECK_OK(room_open(&calm, open_store(calm.dir)), &calm.why);
    CHECK_OK(collect(&calm, &a, &why), &why);
    for (useconds_t us = 5000; us < 1500000; us = us * 3 / 2) {
        kills += killed(&rough, us);
    }
    CHECK(kills >= 3);
    CHECK_OK(room_open(&rough, open_store(rough.dir)), &rough.why);
    CHECK_OK(collect(&rough, &b, &why), &why);
    CHECK(str_eq(a.manifest, b.manifest));
    CHECK_EQ(a.n_bad, b.n_bad);
    CHECK(a.n_bad > 300);
    CHECK_EQ(a.n_dropped, b.n_dropped);
    CHECK_EQ(a.n_records, b.n_records);
    CHECK(a.n_records > MANY - 2000 && a.n_records < MANY - 1000);
    /* Once more behind the end: what came of it, and no second version. */
    CHECK_OK(collect(&rough, &c, &why), &why);
    CHECK_EQ(c.number, 1);
    CHECK_EQ(c.n_new, b.n_new);
    struct data_reader *reader = NULL;
    CHECK_OK(data_reader_open(rough.data, &rough.who, STR("事项"), 0, &reader, &why), &why);
    CHECK(data_reader_version(reader)->n_shards >= 2);
    int64_t first = 0, n = 0;
    data_reader_shard(reader, 1, &first, &n);
    struct data_record x = {0}, y = {0};
    CHECK_OK(data_reader_at(reader, first, rough.arena, &x, &why), &why);
    data_reader_seek(reader, first - 1);
    CHECK_OK(data_reader_next(reader, rough.arena, &y, &why), &why);
    CHECK_OK(data_reader_next(reader, rough.arena, &y, &why), &why);
    CHECK(str_eq(x.line, y.line));
    for (int64_t i = 0; i < a.n_records; i += 7919) /* by number, there and back */
        CHECK_OK(data_reader_at(reader, i * 31 % a.n_records, rough.arena, &x, &why), &why);
    data_reader_close(reader);
    room_done(&calm);
    room_done(&rough);
}

TESTS_MAIN()

/* The whole way on either engine: report, gate, judging, release, export, capsule, catalogue,
 * subscription, withdrawal: the promises of release/release.h. */
#include <sys/wait.h>

#include <signal.h>

#include "way.h"

#include "core/time.h"
#include "release/rules.h"

TEST(a_version_goes_through_the_gate_and_is_released)
{
    FRESH(r);
    bool passed = false;
    struct why why = {0};
    char id[UUID_TEXT], job[UUID_TEXT];
    const struct json *one = NULL, *lineage = NULL;
    room_set(&r, "a", lines_of(&r, 30, PLAIN), "text", PAPERS);
    const char *gate = gate_begin(&r, "a", "");
    const struct json *g = gate_of(&r, gate);
    CHECK_STR(json_get_str(g, "state", STR("")), "judging");
    CHECK_EQ(json_get_int(json_get(g, "manual"), "n", 0), 30); /* fewer than 4,000: all */
    CHECK_EQ(holds(g, "licence"), 1);
    CHECK_EQ(holds(g, "record"), 1);
    CHECK_EQ(holds(g, "manual"), -1);
    CHECK_EQ(holds(g, "automatic"), 1);
    CHECK_EQ(release_gate_decide(r.release, &r.who, str_c(gate), &passed, NULL), ERR_CONFLICT);
    CHECK_EQ(
        release_make(r.release, &r.who, of(&r, "{'gate':'%s','name':'a'}", gate), id, job, NULL),
        ERR_CONFLICT);
    judge_all(&r, gate, "manual", 1, "A5b"); /* 29 of 30: 96.67 % */
    CHECK_OK(release_gate_decide(r.release, &r.who, str_c(gate), &passed, &why), &why);
    CHECK(passed);
    CHECK_STR(json_get_str(gate_of(&r, gate), "state", STR("")), "passed");
    CHECK_EQ(release_gate_decide(r.release, &r.who, str_c(gate), &passed, NULL), ERR_CONFLICT);
    const char *release = release_of(&r, gate, "a");
    ASK(r, one, release_one_json(r.release, &r.who, str_c(release), r.arena, &json, &ask_why));
    CHECK_EQ(json_get_int(one, "n_records", 0), 30);
    CHECK_STR(json_get_str(one, "state", STR("")), "ready");
    CHECK_EQ(json_len(json_get(json_get(one, "signature"), "signatures")), 2);
    ASK(r, lineage,
        data_lineage_json(r.data, &r.who, STR("release"), str_c(release), DATA_BACKWARDS, r.arena,
                          &json, &ask_why));
    CHECK(json_len(json_get(lineage, "nodes")) >= 4); /* release, version, run, source */
    /* One release a gate. */
    CHECK_EQ(
        release_make(r.release, &r.who, of(&r, "{'gate':'%s','name':'b'}", gate), id, job, NULL),
        ERR_CONFLICT);
    DONE(r);
}

TEST(just_below_the_rate_the_gate_fails_and_names_the_rule)
{
    FRESH(r);
    bool passed = true;
    struct why why = {0};
    const struct json *samples = NULL;
    room_set(&r, "a", lines_of(&r, 50, PLAIN), "text", PAPERS);
    /* 48 of 50 is 96 %: held; 47 is not. */
    const char *gate = gate_begin(&r, "a", "");
    judge_all(&r, gate, "manual", 2, "A5a");
    CHECK_EQ(holds(gate_of(&r, gate), "manual"), 1);
    CHECK_OK(release_gate_decide(r.release, &r.who, str_c(gate), &passed, &why), &why);
    CHECK(passed);
    gate = gate_begin(&r, "a", "");
    judge_all(&r, gate, "manual", 3, "A5a");
    CHECK_OK(release_gate_decide(r.release, &r.who, str_c(gate), &passed, &why), &why);
    CHECK(!passed);
    CHECK_EQ(holds(gate_of(&r, gate), "manual"), 0);
    CHECK_EQ(holds(gate_of(&r, gate), "source_harm"), 1); /* A5 is no harm */
    struct release_samples_filter f = {
        .gate = str_c(gate), .kind = STR("manual"), .verdict = STR("bad"), .limit = 50};
    ASK(r, samples, release_samples_json(r.release, &r.who, &f, r.arena, &json, &ask_why));
    CHECK_EQ(json_len(json_get(samples, "items")), 3);
    CHECK(json_get_str(json_at(json_get(samples, "items"), 0), "text", STR("")).len > 0);
    DONE(r);
}

/* The report counts what judges named by the five kinds of risk, says what a gate does not look
 * for, and goes out with the release. */
TEST(a_gate_says_what_it_found_by_kind_and_what_it_did_not_check)
{
    FRESH(r);
    static const char *const groups[] = {"A1", "A2", "A3", "A4", "A5"};
    static const int64_t n[] = {0, 1, 0, 0, 0};
    bool passed = false;
    struct why why = {0};
    char dir[128];
    struct str text = STR("");
    room_set(&r, "a", lines_of(&r, 100, PLAIN), "text", PAPERS);
    const char *id = gate_begin(&r, "a", "");
    judge_all(&r, id, "manual", 1, "A2d");
    const struct json *gate = gate_of(&r, id), *list = json_get(gate, "risk_groups");
    CHECK_EQ(json_len(list), 5);
    for (size_t i = 0; i < 5; i++) {
        CHECK_STR(json_get_str(json_at(list, i), "group", STR("")), groups[i]);
        CHECK_EQ(json_get_int(json_at(list, i), "n", -1), n[i]);
        CHECK(json_get_str(json_at(list, i), "title", STR("")).len > 0);
    }
    list = json_get(gate, "not_checked");
    CHECK(json_len(list) >= 9);
    /* the program's own list is short, and that is the first thing said */
    CHECK(str_find(json_get_str(json_at(list, 0), "words", STR("")), STR("10000")) != STR_NPOS);
    for (size_t i = 0; i < json_len(list); i++)
        CHECK(json_get_str(json_at(list, i), "words", STR("")).len > 0 &&
              json_get_str(json_at(list, i), "words_en", STR("")).len > 0);
    CHECK_OK(release_gate_decide(r.release, &r.who, str_c(id), &passed, &why), &why);
    CHECK(passed);
    const char *made = release_of(&r, id, "a");
    (void)snprintf(dir, sizeof dir, "%s/out", r.dir);
    CHECK_OK(release_export_to(r.release, &r.who, str_c(made), dir, &why), &why);
    CHECK_OK(file_read(file_join(r.arena, dir, "gate.json"), 1 << 20, r.arena, &text, &why), &why);
    CHECK(str_find(text, STR("\"not_checked\":[{")) != STR_NPOS);
    DONE(r);
}

TEST(a_source_with_more_than_a_twentieth_of_harm_is_refused)
{
    FRESH(r);
    bool passed = true;
    struct why why = {0};
    /* 100 records of one source: 5 harmful are borne by this rule, 6 are not. */
    room_set(&r, "a", lines_of(&r, 100, PLAIN), "text", PAPERS);
    const char *gate = gate_begin(&r, "a", "");
    judge_all(&r, gate, "manual", 5, "A1f");
    CHECK_EQ(holds(gate_of(&r, gate), "source_harm"), 1);
    CHECK_EQ(holds(gate_of(&r, gate), "manual"), 0); /* 95 % */
    gate = gate_begin(&r, "a", "");
    judge_all(&r, gate, "manual", 6, "A1f");
    const struct json *g = gate_of(&r, gate);
    CHECK_EQ(holds(g, "source_harm"), 0);
    CHECK_EQ(json_len(json_get(rule_of(g, "source_harm"), "sources")), 1);
    CHECK_OK(release_gate_decide(r.release, &r.who, str_c(gate), &passed, &why), &why);
    CHECK(!passed);
    DONE(r);
}

TEST(hits_of_the_automatic_sample_count_until_a_person_clears_them)
{
    FRESH(r);
    bool passed = true;
    struct why why = {0};
    struct buf buf;
    buf_init(&buf, r.arena);
    buf_add(&buf, lines_of(&r, 97, PLAIN));
    for (int i = 0; i < 3; i++)
        buf_printf(&buf, "{\"text\":\"长期代 开 发票，联系第%d号\"}\n", i);
    room_set(&r, "a", buf_str(&buf), "text", PAPERS);
    const char *gate = gate_begin(&r, "a", "");
    const struct json *g = gate_of(&r, gate);
    CHECK_EQ(json_get_int(g, "n_hits", 0), 3);
    CHECK_EQ(holds(g, "automatic"), -1); /* 97 of 100 */
    CHECK_EQ(holds(g, "source_harm"), 1);
    judge_all(&r, gate, "manual", 0, "");
    CHECK_EQ(release_gate_decide(r.release, &r.who, str_c(gate), &passed, NULL), ERR_CONFLICT);
    judge_all(&r, gate, "hit", 2, "A3e"); /* one cleared: 98 of 100 */
    g = gate_of(&r, gate);
    CHECK_EQ(holds(g, "automatic"), 1);
    CHECK_EQ(json_get_int(rule_of(g, "automatic"), "n_bad", 0), 2);
    gate = gate_begin(&r, "a", "");
    judge_all(&r, gate, "manual", 0, "");
    judge_all(&r, gate, "hit", 3, "A3e");
    CHECK_OK(release_gate_decide(r.release, &r.who, str_c(gate), &passed, &why), &why);
    CHECK(!passed);
    CHECK_EQ(holds(gate_of(&r, gate), "automatic"), 0);
    DONE(r);
}

TEST(sources_without_papers_and_personal_data_without_consent_fail)
{
    FRESH(r);
    bool passed = true;
    struct why why = {0};
    char id[UUID_TEXT], job[UUID_TEXT];
    room_set(&r, "a", lines_of(&r, 10, PLAIN), "text", "{}");
    const char *gate = gate_begin(&r, "a", "");
    const struct json *g = gate_of(&r, gate);
    CHECK_EQ(holds(g, "licence"), 0);
    CHECK_EQ(json_len(json_get(rule_of(g, "licence"), "sources")), 1);
    /* Lost for good: nobody needs to judge. */
    CHECK_OK(release_gate_decide(r.release, &r.who, str_c(gate), &passed, &why), &why);
    CHECK(!passed);
    static const char *const collections[] = {PAPERS,
                                              "{'licence':'x','consent':'书面同意 2026-01'}"};
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "c" : "b";
        room_set(&r, name,
                 STR("{\"text\":\"联系人电话 13812345678，身份证号 11010519491231002X\"}\n"),
                 "text", collections[i]);
        CHECK_OK(release_gate_make(r.release, &r.who,
                                   of(&r, "{'dataset':'%s','purpose':'training'}", name), id, job,
                                   &why),
                 &why);
        CHECK_OK(room_run(&r, job, &why), &why);
        CHECK_EQ(holds(gate_of(&r, id), "consent"), i);
    }
    DONE(r);
}

TEST(four_thousand_are_drawn_the_same_for_the_same_seed)
{
    FRESH(r);
    const struct json *a = NULL, *b = NULL, *c = NULL;
    struct str lists[3];
    room_set(&r, "a", lines_of(&r, 4321, PLAIN), "text", PAPERS);
    static const char *const seeds[] = {"", "", ",'sample':4001"};
    for (int i = 0; i < 3; i++) {
        const char *gate = gate_begin(&r, "a", seeds[i]);
        struct store_rows rows;
        struct buf buf;
        CHECK_EQ(json_get_int(json_get(gate_of(&r, gate), "manual"), "n", 0), i == 2 ? 4001 : 4000);
        CHECK_EQ(store_ask(r.store,
                           "SELECT record FROM release_samples WHERE gate = ? AND kind = 'manual' "
                           "ORDER BY number",
                           STORE_ARGS(SV_C(gate)), r.arena, &rows, NULL),
                 ERR_OK);
        buf_init(&buf, r.arena);
        for (size_t k = 0; k < rows.n_rows; k++)
            buf_add(&buf, store_str(&rows, k, 0));
        lists[i] = buf_str(&buf);
    }
    CHECK(str_eq(lists[0], lists[1]));
    CHECK(!str_eq(lists[0], lists[2]));
    (void)a, (void)b, (void)c;
    struct why why = {0};
    char id[UUID_TEXT], job[UUID_TEXT];
    CHECK_EQ(release_gate_make(r.release, &r.who,
                               of(&r, "{'dataset':'a','purpose':'sharing','sample':3999}"), id, job,
                               &why),
             ERR_INVALID);
    CHECK_EQ(release_gate_make(r.release, &r.who,
                               of(&r, "{'dataset':'a','purpose':'sharing','share':0.09}"), id, job,
                               NULL),
             ERR_INVALID);
    DONE(r);
}

/* A person of the city; ids need not exist to judge. */
static struct ops_identity person(struct room *r, const char *id)
{
    struct ops_identity who = r->who;
    who.kind = STR("user");
    who.id = who.user = str_c(id);
    return who;
}

static struct str drawn(struct room *r, const char *gate)
{
    struct store_rows rows;
    struct buf buf;
    buf_init(&buf, r->arena);
    CHECK_EQ(store_ask(r->store,
                       "SELECT kind, number, record, found FROM release_samples WHERE gate = ? "
                       "ORDER BY kind, number",
                       STORE_ARGS(SV_C(gate)), r->arena, &rows, NULL),
             ERR_OK);
    for (size_t k = 0; k < rows.n_rows; k++)
        buf_printf(&buf, "%.*s %lld %.*s %.*s\n", STR_FMT(store_str(&rows, k, 0)),
                   (long long)store_int(&rows, k, 1), STR_FMT(store_str(&rows, k, 2)),
                   STR_FMT(store_str(&rows, k, 3)));
    return buf_str(&buf);
}

/* On SQLite another process may open the same centre; it dies at some moment of the job. */
static bool killed(const struct room *r, const char *job, useconds_t us)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        struct room child = *r;
        child.arena = arena_new((size_t)256 << 20);
        child.store = test_store_again(4, TEST_BUSY_MS);
        child.release = NULL;
        if (room_open(&child, child.store))
            _exit(2);
        _exit(job_run(child.compute, job, NULL) != ERR_OK);
    }
    (void)usleep(us);
    (void)kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

TEST(a_gate_that_is_killed_draws_the_same_in_the_end)
{
    FRESH(r);
    char id[UUID_TEXT], job[UUID_TEXT];
    struct why why = {0};
    int kills = 0;
    struct job_info info = {.state = JOB_QUEUED};
    room_set(&r, "a", lines_of(&r, 6000, PLAIN), "text", PAPERS);
    const char *calm = gate_begin(&r, "a", "");
    CHECK_OK(release_gate_make(r.release, &r.who,
                               of(&r, "{'dataset':'a','purpose':'sharing','seed':1}"), id, job,
                               &why),
             &why);
    for (useconds_t us = 10000;
         us < 2000000 && info.state != JOB_DONE && strcmp(TEST_ENGINE, "sqlite") == 0;
         us = us * 3 / 2) {
        kills += killed(&r, job, us);
        CHECK_OK(job_find(r.compute, job, r.arena, &info, &why), &why);
    }
    if (info.state != JOB_DONE)
        CHECK_OK(room_run(&r, job, &why), &why);
    printf("# killed %d times\n", kills);
    CHECK_STR(json_get_str(gate_of(&r, id), "state", STR("")), "judging");
    CHECK(str_eq(drawn(&r, calm), drawn(&r, id)));
    DONE(r);
}

TEST(who_made_the_version_does_not_judge_and_two_do_not_get_the_same_record)
{
    FRESH(r);
    struct why why = {0};
    const struct json *mine = NULL, *theirs = NULL, *again = NULL;
    room_set(&r, "a", lines_of(&r, 20, PLAIN), "text", PAPERS);
    const char *gate = gate_begin(&r, "a", "");
    struct ops_identity li = person(&r, "li"), wang = person(&r, "wang");
    CHECK_EQ(
        store_run(r.store, "UPDATE release_gates SET maker = 'user:li'", STORE_NO_ARGS, NULL, NULL),
        ERR_OK);
    const struct json *ask = of(&r, "{'gate':'%s','kind':'manual','n':10}", gate);
    struct buf buf;
    struct json_out out;
    buf_init(&buf, r.arena);
    json_out_init(&out, &buf);
    CHECK_EQ(release_samples_claim(r.release, &li, ask, r.arena, &out, NULL), ERR_FORBIDDEN);
    struct ops_identity zhao = person(&r, "zhao");
    ASK(r, mine, release_samples_claim(r.release, &wang, ask, r.arena, &json, &ask_why));
    ASK(r, theirs, release_samples_claim(r.release, &zhao, ask, r.arena, &json, &ask_why));
    CHECK_EQ(json_len(json_get(mine, "items")), 10);
    CHECK_EQ(json_len(json_get(theirs, "items")), 10);
    for (size_t i = 0; i < 10; i++)
        for (size_t k = 0; k < 10; k++)
            CHECK(!str_eq(json_get_str(json_at(json_get(mine, "items"), i), "id", STR("a")),
                          json_get_str(json_at(json_get(theirs, "items"), k), "id", STR("b"))));
    /* A page that is loaded again gets the same ones; another cannot judge them meanwhile. */
    ASK(r, again, release_samples_claim(r.release, &wang, ask, r.arena, &json, &ask_why));
    struct str first = json_get_str(json_at(json_get(mine, "items"), 0), "id", STR("a"));
    CHECK(str_eq(first, json_get_str(json_at(json_get(again, "items"), 0), "id", STR("b"))));
    CHECK_EQ(release_sample_judge(r.release, &zhao, first, of(&r, "{'verdict':'ok'}"), NULL),
             ERR_CONFLICT);
    CHECK_EQ(release_sample_judge(r.release, &li, first, of(&r, "{'verdict':'ok'}"), NULL),
             ERR_FORBIDDEN);
    CHECK_EQ(release_sample_judge(r.release, &wang, first, of(&r, "{'verdict':'A9z'}"), NULL),
             ERR_INVALID);
    CHECK_OK(release_sample_judge(r.release, &wang, first, of(&r, "{'verdict':'ok'}"), &why), &why);
    /* Judgements may be mended until the gate is decided. */
    CHECK_OK(release_sample_judge(r.release, &zhao, first,
                                  of(&r, "{'verdict':'A2d','comment':'地域歧视'}"), &why),
             &why);
    CHECK_EQ(json_get_int(json_get(gate_of(&r, gate), "manual"), "bad", 0), 1);
    CHECK_EQ(json_get_int(json_get(gate_of(&r, gate), "manual"), "judged", 0), 1);
    DONE(r);
}

/* ---- exports ---- */

static void flip(const char *path, size_t bit)
{
    struct arena *arena = arena_new((size_t)8 << 20);
    struct str text;
    CHECK_EQ(file_read(path, (size_t)4 << 20, arena, &text, NULL), ERR_OK);
    ((char *)text.ptr)[bit / 8] ^= (char)(1 << bit % 8);
    CHECK_EQ(file_write(path, text, 0640, NULL), ERR_OK);
    arena_free(arena);
}

TEST(a_folder_is_proved_with_the_public_key_and_any_flipped_bit_is_found)
{
    FRESH(r);
    static const char *const names[] = {"manifest.json", "signature.json",      "card.json",
                                        "gate.json",     "shards/000000.jsonl", "sources.jsonl"};
    struct release_proof proof;
    struct why why = {0};
    const struct json *keys = NULL, *other = NULL;
    struct str pem[2];
    char dir[128], path[256];
    const char *id = released(&r, "a");
    (void)snprintf(dir, sizeof dir, "%s/out", r.dir);
    CHECK_OK(release_export_to(r.release, &r.who, str_c(id), dir, &why), &why);
    CHECK_OK(release_verify(dir, NULL, 0, r.arena, &proof, &why), &why);
    CHECK(!proof.pinned);
    CHECK_EQ(proof.n_records, 30);
    ASK(r, keys, release_keys_json(r.release, &r.who, r.arena, &json, &ask_why));
    size_t n = 0;
    for (size_t i = 0; i < json_len(json_get(keys, "items")); i++) {
        const struct json *k = json_at(json_get(keys, "items"), i);
        if (!str_eq_c(json_get_str(k, "kind", STR("")), "x25519"))
            pem[n++] = json_get_str(k, "pem", STR(""));
    }
    CHECK_EQ(n, 2);
    CHECK_OK(release_verify(dir, pem, 2, r.arena, &proof, &why), &why);
    CHECK(proof.pinned);
    ASK(r, other, release_keys_json(r.release, &r.water, r.arena, &json, &ask_why));
    for (size_t i = 0; i < 3; i++) {
        const struct json *k = json_at(json_get(other, "items"), i);
        struct str theirs = json_get_str(k, "pem", STR(""));
        CHECK_EQ(release_verify(dir, &theirs, 1, r.arena, &proof, NULL), ERR_FORBIDDEN);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint64_t size = 0;
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        CHECK_EQ(file_size(path, &size, NULL), ERR_OK);
        for (size_t bit = 0; bit < size * 8; bit += size * 8 / 40 + 1) {
            flip(path, bit);
            CHECK_EQ(release_verify(dir, NULL, 0, r.arena, &proof, NULL), ERR_CORRUPT);
            flip(path, bit);
        }
    }
    CHECK_OK(release_verify(dir, pem, 2, r.arena, &proof, &why), &why);
    (void)snprintf(path, sizeof path, "%s/shards/more.jsonl", dir);
    CHECK_EQ(file_write(path, STR("{}\n"), 0640, NULL), ERR_OK);
    CHECK_EQ(release_verify(dir, NULL, 0, r.arena, &proof, NULL), ERR_CORRUPT);
    CHECK_EQ(file_remove(path, NULL), ERR_OK);
    (void)snprintf(path, sizeof path, "%s/gate.json", dir);
    CHECK_EQ(file_remove(path, NULL), ERR_OK);
    CHECK_EQ(release_verify(dir, NULL, 0, r.arena, &proof, NULL), ERR_CORRUPT);
    DONE(r);
}

TEST(an_export_that_was_killed_is_never_taken_for_whole_and_goes_on)
{
    FRESH(r);
    struct release_proof proof;
    struct why why = {0};
    char dir[128];
    const char *id = released(&r, "a");
    (void)snprintf(dir, sizeof dir, "%s/out", r.dir);
    int killed = 0;
    /* On SQLite another process may open the same centre; it dies at some moment of the export. */
    for (int turn = 0; turn < 12 && strcmp(TEST_ENGINE, "sqlite") == 0; turn++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct room child = r;
            child.arena = arena_new((size_t)256 << 20);
            child.store = test_store_again(4, TEST_BUSY_MS);
            child.release = NULL;
            if (room_open(&child, child.store))
                _exit(2);
            enum err err = release_export_to(child.release, &child.who, str_c(id), dir, NULL);
            _exit(err ? 1 : 0);
        }
        CHECK(pid > 0);
        time_sleep_ms(5 + turn * 4);
        (void)kill(pid, SIGKILL);
        int status = 0;
        (void)waitpid(pid, &status, 0);
        killed += WIFSIGNALED(status);
        enum err err = release_verify(dir, NULL, 0, r.arena, &proof, NULL);
        CHECK(err == ERR_OK || err == ERR_CORRUPT);
        if (err == ERR_OK)
            break;
    }
    CHECK_OK(release_export_to(r.release, &r.who, str_c(id), dir, &why), &why);
    CHECK_OK(release_verify(dir, NULL, 0, r.arena, &proof, &why), &why);
    printf("# killed %d times\n", killed);
    DONE(r);
}

TEST(exports_take_the_forms_that_trainers_read)
{
    FRESH(r);
    bool passed = false;
    struct why why = {0};
    char job[UUID_TEXT];
    room_set(&r, "qa",
             STR("{\"question\":\"几点开门？\",\"answer\":\"九点\"}\n"
                 "{\"question\":\"周末呢？\",\"answer\":\"休息\"}\n"),
             "qa", PAPERS);
    const char *gate = gate_begin(&r, "qa", "");
    judge_all(&r, gate, "manual", 0, "");
    CHECK_OK(release_gate_decide(r.release, &r.who, str_c(gate), &passed, &why), &why);
    const char *id = release_of(&r, gate, "qa");
    struct str text = exported(&r, &r.who, id, "alpaca", "");
    CHECK(str_starts(text,
                     STR("{\"instruction\":\"几点开门？\",\"input\":\"\",\"output\":\"九点\"")));
    text = exported(&r, &r.who, id, "openai", "");
    CHECK(str_starts(text, STR("{\"messages\":[{\"role\":\"user\"")));
    text = exported(&r, &r.who, id, "sharegpt", "");
    CHECK(str_starts(text, STR("{\"conversations\":[{\"from\":\"human\"")));
    text = exported(&r, &r.who, id, "text", "");
    CHECK_STR(text, "几点开门？\n九点\n\n周末呢？\n休息\n\n");
    text = exported(&r, &r.who, id, "jsonl", "");
    CHECK(str_find(text, STR("\"question\":\"几点开门？\"")) != STR_NPOS);
    text = exported(&r, &r.who, id, "directory", "");
    CHECK(str_starts(text, STR("manifest.json")));
    /* Not every kind has every form, and that is told. */
    CHECK_OK(
        release_export(r.release, &r.who, of(&r, "{'release':'%s','form':'dpo'}", id), job, &why),
        &why);
    CHECK_EQ(room_run(&r, job, NULL), ERR_UNSUPPORTED);
    CHECK_EQ(release_export(r.release, &r.who, of(&r, "{'release':'%s','form':'parquet'}", id), job,
                            NULL),
             ERR_INVALID);
    /* Another tenant fetches nothing of it. */
    CHECK_EQ(release_export(r.release, &r.water, of(&r, "{'release':'%s','form':'jsonl'}", id), job,
                            NULL),
             ERR_NOT_FOUND);
    DONE(r);
}

/* ---- capsules ---- */

static struct str capsule_of(struct room *r, const struct ops_identity *who)
{
    const struct json *list = NULL;
    ASK(*r, list, release_capsules_json(r->release, who, r->arena, &json, &ask_why));
    return json_get_str(json_at(json_get(list, "items"), 0), "id", STR(""));
}

TEST(a_capsule_is_opened_by_its_tenant_as_often_and_as_long_as_it_may)
{
    FRESH(r);
    struct release_proof proof;
    struct why why = {0};
    char dir[128];
    const char *id = released(&r, "a"), *path = NULL;
    static const char *const suites[] = {"sm2-sm4-sm3", "x25519-aes256gcm"};
    for (int s = 0; s < 2; s++) {
        char more[200];
        (void)snprintf(more, sizeof more, ",'to':'water','uses':2,'suite':'%s'", suites[s]);
        (void)exported(&r, &r.who, id, "capsule", more);
        struct str capsule = capsule_of(&r, &r.water);
        (void)snprintf(dir, sizeof dir, "%s/opened%d", r.dir, s);
        CHECK_EQ(release_capsule_open(r.release, &r.who, capsule, NULL, STR("试"), dir, NULL),
                 ERR_FORBIDDEN); /* not even who made it */
        CHECK_EQ(release_capsule_open(r.release, &r.water, capsule, NULL, STR(""), dir, NULL),
                 ERR_INVALID); /* no purpose */
        CHECK_OK(release_capsule_open(r.release, &r.water, capsule, NULL, STR("训练"), dir, &why),
                 &why);
        CHECK_OK(release_verify(dir, NULL, 0, r.arena, &proof, &why), &why);
        CHECK_EQ(proof.n_records, 30);
        CHECK_EQ(release_capsule_open(r.release, &r.water, capsule, NULL, STR("训练"), dir, NULL),
                 ERR_CONFLICT); /* the folder is there: nothing is counted */
        char other[160];
        (void)snprintf(other, sizeof other, "%s/b%d", r.dir, s);
        CHECK_OK(release_capsule_unpack(r.release, &r.water, capsule, STR("训练"), other, &why),
                 &why);
        CHECK_EQ(release_capsule_unpack(r.release, &r.water, capsule, STR("训练"), other, NULL),
                 ERR_FORBIDDEN); /* used up */
        /* The file itself is sealed. */
        struct str bytes;
        CHECK_OK(release_capsule_path(r.release, &r.water, capsule, r.arena, &path, &why), &why);
        CHECK_OK(file_read(path, (size_t)16 << 20, r.arena, &bytes, &why), &why);
        CHECK(str_starts(bytes, STR("YCCAPS1\n")));
        CHECK_EQ(str_find(bytes, STR("供水用水")), STR_NPOS);
    }
    DONE(r);
}

TEST(a_damaged_revoked_or_ended_capsule_does_not_open)
{
    FRESH(r);
    struct why why = {0};
    char dir[128], path[128];
    const char *file = NULL;
    struct str bytes;
    const char *id = released(&r, "a");
    (void)exported(&r, &r.who, id, "capsule", ",'to':'water'");
    struct str capsule = capsule_of(&r, &r.water);
    (void)snprintf(dir, sizeof dir, "%s/opened", r.dir);
    (void)snprintf(path, sizeof path, "%s/copy.capsule", r.dir);
    CHECK_OK(release_capsule_path(r.release, &r.water, capsule, r.arena, &file, &why), &why);
    CHECK_OK(file_read(file, (size_t)16 << 20, r.arena, &bytes, &why), &why);
    ((char *)bytes.ptr)[bytes.len / 2] ^= 1;
    CHECK_OK(file_write(path, bytes, 0640, &why), &why);
    CHECK_EQ(release_capsule_open(r.release, &r.water, capsule, path, STR("训练"), dir, NULL),
             ERR_CORRUPT);
    CHECK(!file_is_dir(dir)); /* nothing of it is left */
    CHECK_EQ(release_capsule_revoke(r.release, &r.water, capsule, STR("x"), NULL), ERR_FORBIDDEN);
    CHECK_OK(release_capsule_revoke(r.release, &r.who, capsule, STR("合同到期"), &why), &why);
    CHECK_EQ(release_capsule_open(r.release, &r.water, capsule, NULL, STR("训练"), dir, &why),
             ERR_FORBIDDEN);
    CHECK(strstr(why.text, "合同到期") != NULL);
    (void)exported(&r, &r.who, id, "capsule",
                   ",'to':'water','ends_at':'2099-01-01T00:00:00+08:00'");
    capsule = capsule_of(&r, &r.water);
    CHECK_EQ(store_run(r.store, "UPDATE release_capsules SET ends_ms = 1 WHERE id = ?",
                       STORE_ARGS(SV_STR(capsule)), NULL, NULL),
             ERR_OK);
    CHECK_EQ(release_capsule_open(r.release, &r.water, capsule, NULL, STR("训练"), dir, NULL),
             ERR_FORBIDDEN);
    DONE(r);
}

/* ---- catalogue ---- */

static int64_t n_found(struct room *r, const struct ops_identity *who, const char *find,
                       const char *industry)
{
    const struct json *list = NULL;
    struct release_search s = {.find = str_c(find), .industry = str_c(industry), .limit = 20};
    ASK(*r, list, release_catalogue_json(r->release, who, &s, r->arena, &json, &ask_why));
    return (int64_t)json_len(json_get(list, "items"));
}

TEST(a_tenant_sees_what_is_offered_to_him_and_finds_it)
{
    FRESH(r);
    struct why why = {0};
    const struct json *offer = NULL;
    const char *id = released(&r, "a");
    struct ops_identity third = r.water;
    CHECK_OK(
        ops_tenant_create(r.ops, &r.who, STR("heat"), STR("热力"), r.arena, &third.tenant, &why),
        &why);
    CHECK_EQ(n_found(&r, &r.water, "", ""), 0);
    /* The set is for staff: it needs tenants by name. */
    CHECK_EQ(
        store_run(r.store, "UPDATE release_releases SET access = 1", STORE_NO_ARGS, NULL, NULL),
        ERR_OK);
    CHECK_EQ(release_offer(r.release, &r.who, str_c(id), of(&r, "{'title':'供水法规语料'}"), NULL),
             ERR_INVALID);
    CHECK_OK(release_offer(r.release, &r.who, str_c(id),
                           of(&r, "{'title':'供水法规语料','summary':'本市供水用水管理的法规条文',"
                                  "'industry':'水务','price_note':'免费','tenants':['water'],"
                                  "'fields':[{'name':'text','summary':'条文'}]}"),
                           &why),
             &why);
    CHECK_EQ(n_found(&r, &r.water, "", ""), 1);
    CHECK_EQ(n_found(&r, &r.water, "供水", ""), 1);
    CHECK_EQ(n_found(&r, &r.water, "法规条文", ""), 1);
    CHECK_EQ(n_found(&r, &r.water, "燃气", ""), 0);
    CHECK_EQ(n_found(&r, &r.water, "", "水务"), 1);
    CHECK_EQ(n_found(&r, &r.water, "", "交通"), 0);
    CHECK_EQ(n_found(&r, &third, "", ""), 0);
    CHECK_EQ(n_found(&r, &r.who, "", ""), 1); /* the own one */
    struct ops_identity low = r.water;
    low.classes = 1u << OPS_CLASS_PUBLIC;
    CHECK_EQ(n_found(&r, &low, "", ""), 0);
    ASK(r, offer, release_offer_json(r.release, &r.water, str_c(id), r.arena, &json, &ask_why));
    CHECK_EQ(json_len(json_get(offer, "sample")), 3);
    CHECK(json_get(offer, "tenants") == NULL); /* who else has it is not told */
    struct buf buf;
    struct json_out out;
    buf_init(&buf, r.arena);
    json_out_init(&out, &buf);
    CHECK_EQ(release_offer_json(r.release, &third, str_c(id), r.arena, &out, NULL), ERR_NOT_FOUND);
    CHECK_EQ(release_one_json(r.release, &r.water, str_c(id), r.arena, &out, NULL), ERR_NOT_FOUND);
    CHECK_OK(release_offer_end(r.release, &r.who, str_c(id), &why), &why);
    CHECK_EQ(n_found(&r, &r.water, "", ""), 0);
    DONE(r);
}

static const char *subscribed(struct room *r, const char *id, const char *grant)
{
    char *sub = arena_bytes(r->arena, UUID_TEXT);
    struct why why = {0};
    CHECK_OK(release_offer(r->release, &r->who, str_c(id), of(r, "{'title':'语料'}"), &why), &why);
    CHECK_OK(release_subscribe(r->release, &r->water,
                               of(r, "{'release':'%s','purpose':'训练客服模型'}", id), sub, &why),
             &why);
    CHECK_OK(release_subscription_act(r->release, &r->who, str_c(sub), "approve",
                                      of(r, "%s", grant), &why),
             &why);
    return sub;
}

static enum err use(struct room *r, const char *sub, struct why *why)
{
    char job[UUID_TEXT];
    enum err err = release_export(
        r->release, &r->water, of(r, "{'subscription':'%s','form':'jsonl','purpose':'训练'}", sub),
        job, why);
    return err ? err : room_run(r, job, why);
}

TEST(a_subscription_is_asked_for_approved_used_counted_and_revoked)
{
    FRESH(r);
    struct why why = {0};
    const struct json *sub_json = NULL;
    char sub[UUID_TEXT], more[UUID_TEXT];
    const char *id = released(&r, "a");
    /* What is not offered cannot be asked for. */
    CHECK_EQ(release_subscribe(r.release, &r.water,
                               of(&r, "{'release':'%s','purpose':'训练客服模型'}", id), sub, NULL),
             ERR_NOT_FOUND);
    CHECK_EQ(
        store_run(r.store, "UPDATE release_releases SET access = 0", STORE_NO_ARGS, NULL, NULL),
        ERR_OK);
    CHECK_OK(release_offer(r.release, &r.who, str_c(id), of(&r, "{'title':'语料'}"), &why), &why);
    CHECK_OK(release_subscribe(r.release, &r.water,
                               of(&r, "{'release':'%s','purpose':'训练客服模型'}", id), sub, &why),
             &why);
    CHECK_EQ(release_subscribe(r.release, &r.water,
                               of(&r, "{'release':'%s','purpose':'又一次申请'}", id), more, NULL),
             ERR_CONFLICT);
    CHECK_EQ(use(&r, sub, NULL), ERR_FORBIDDEN); /* not yet approved */
    CHECK_EQ(
        release_subscription_act(r.release, &r.water, str_c(sub), "approve", of(&r, "{}"), NULL),
        ERR_FORBIDDEN); /* not by himself */
    CHECK_OK(release_subscription_act(r.release, &r.who, str_c(sub), "approve",
                                      of(&r, "{'uses':2}"), &why),
             &why);
    CHECK_OK(use(&r, sub, &why), &why);
    CHECK_OK(use(&r, sub, &why), &why);
    CHECK_EQ(use(&r, sub, NULL), ERR_FORBIDDEN); /* used up */
    ASK(r, sub_json,
        release_subscription_json(r.release, &r.who, str_c(sub), r.arena, &json, &ask_why));
    CHECK_STR(json_get_str(sub_json, "state", STR("")), "used_up");
    CHECK_EQ(json_len(json_get(sub_json, "uses_list")), 2);
    /* The other tenant did not export, but it is in his ledger and in ours. */
    struct ledger_entry *entries;
    size_t n = 0;
    struct ledger_filter f = {.action = "release.release.export", .limit = 100};
    CHECK_OK(ledger_list(r.store, &f, r.arena, &entries, &n, &why), &why);
    CHECK_EQ(n, 2);
    CHECK_OK(release_subscription_act(r.release, &r.who, str_c(sub), "revoke",
                                      of(&r, "{'note':'违反用途'}"), &why),
             &why);
    CHECK_EQ(use(&r, sub, NULL), ERR_FORBIDDEN);
    DONE(r);
}

TEST(a_withdrawn_source_stops_everything_that_came_of_it)
{
    FRESH(r);
    const struct json *sources = NULL, *out = NULL, *subs = NULL, *list = NULL;
    char dir[128], job[UUID_TEXT], id2[UUID_TEXT];
    const char *id = released(&r, "a");
    CHECK_EQ(
        store_run(r.store, "UPDATE release_releases SET access = 0", STORE_NO_ARGS, NULL, NULL),
        ERR_OK);
    const char *sub = subscribed(&r, id, "{}");
    (void)exported(&r, &r.who, id, "capsule", ",'to':'water'");
    struct str capsule = capsule_of(&r, &r.water);
    room_set(&r, "b", lines_of(&r, 5, PLAIN "乙"), "text", PAPERS);
    const char *open = gate_begin(&r, "a", "");
    ASK(r, sources,
        data_sources_json(r.data, &r.who, STR("a.jsonl"), STR(""), 10, r.arena, &json, &ask_why));
    struct str key = json_get_str(json_at(json_get(sources, "items"), 0), "id", STR(""));
    ASK(r, out,
        data_withdraw(r.data, &r.who, key, STR("权利人撤回"), false, r.arena, &json, &ask_why));
    ASK(r, list, release_list_json(r.release, &r.who, STR("a"), r.arena, &json, &ask_why));
    CHECK_STR(json_get_str(json_at(json_get(list, "items"), 0), "state", STR("")), "withdrawn");
    /* The subscriber sees it, with the reason. */
    ASK(r, subs,
        release_subscriptions_json(r.release, &r.water, STR("mine"), STR(""), r.arena, &json,
                                   &ask_why));
    const struct json *s = json_at(json_get(subs, "items"), 0);
    CHECK_STR(json_get_str(s, "state", STR("")), "withdrawn");
    CHECK_STR(json_get_str(s, "release_reason", STR("")), "权利人撤回");
    (void)snprintf(dir, sizeof dir, "%s/out", r.dir);
    CHECK_EQ(use(&r, sub, NULL), ERR_FORBIDDEN);
    CHECK_EQ(release_capsule_open(r.release, &r.water, capsule, NULL, STR("训练"), dir, NULL),
             ERR_FORBIDDEN);
    CHECK_EQ(release_export_to(r.release, &r.who, str_c(id), dir, NULL), ERR_CONFLICT);
    CHECK_EQ(
        release_export(r.release, &r.who, of(&r, "{'release':'%s','form':'jsonl'}", id), job, NULL),
        ERR_CONFLICT);
    CHECK_EQ(holds(gate_of(&r, open), "withdrawn"), 0);
    bool passed;
    CHECK_EQ(release_gate_decide(r.release, &r.who, str_c(open), &passed, NULL), ERR_CONFLICT);
    CHECK_EQ(release_gate_make(r.release, &r.who, of(&r, "{'dataset':'a','purpose':'sharing'}"),
                               id2, job, NULL),
             ERR_CONFLICT);
    /* What does not hold it is untouched. */
    CHECK_EQ(holds(gate_of(&r, gate_begin(&r, "b", "")), "withdrawn"), 1);
    DONE(r);
}

static const struct json *measure_named(const struct json *report, const char *name)
{
    const struct json *dims = json_get(report, "dimensions");
    for (size_t i = 0; i < json_len(dims); i++) {
        const struct json *list = json_get(json_at(dims, i), "measures");
        for (size_t k = 0; k < json_len(list); k++)
            if (str_eq_c(json_get_str(json_at(list, k), "name", STR("")), name))
                return json_at(list, k);
    }
    return NULL;
}

/* Long enough that one character of it is little. */
#define LONG                                                                                                                                     \
    "居民办理社会保险登记应当携带本人有效身份证件到街道办事处窗口提出申请并填写登记表格，窗口工作" \
    "人员"                                                                                                                                     \
    "应当场核对材料，材料齐全的即时受理，材料不全的一次性告知需要补正的全部内容；受理后三个工作日" \
    "内由区"                                                                                                                                  \
    "级经办机构完成审核，并通过短信告知办理结果，领取凭证时可以委托他人代为办理，代办人须出示双方" \
    "身份"                                                                                                                                     \
    "证件和委托书，登记信息发生变化的，应当在三十日内到原登记地点办理变更手续，登记表格"

TEST(a_report_counts_what_is_wrong_and_shows_it)
{
    FRESH(r);
    static const struct {
        const char *name;
        int64_t n_bad;
    } expected[] = {{"members", 0}, {"empty", 0},  {"encoding", 1}, {"short", 1},   {"exact", 2},
                    {"near", 1},    {"labels", 2}, {"words", 1},    {"personal", 1}};
    static const char lines[] =
        "{\"text\":\"本市自来水供水管网改造工程计划于下月开工建设请相关单位配合\",\"label\":\"甲\"}"
        "\n"
        "{\"text\":\"本市自来水供水管网改造工程计划于下月开工建设请相关单位配合\",\"label\":\"乙\"}"
        "\n"
        "{\"text\":\"" LONG "一式两份\",\"label\":\"甲\"}\n"
        "{\"text\":\"" LONG "一式三份\",\"label\":\"甲\"}\n"
        "{\"text\":\"好\",\"label\":\"甲\",\"note\":7}\n"
        "{\"text\":\"公交线路\xEF\xBF\xBD调整公告\",\"label\":\"乙\"}\n"
        "{\"text\":\"长期代开发票量大从优\",\"label\":\"乙\",\"note\":\"七\"}\n"
        "{\"text\":\"请拨打手机13812345678联系王先生本人\",\"label\":\"乙\"}\n"
        "{\"text\":\"天气预报明日多云转晴气温十到十八度\",\"label\":\"丙\"}\n"
        "{\"text\":\"天气预报明日多云转晴气温十到十八度\",\"label\":\"丙\"}\n";
    struct why why = {0};
    char id[UUID_TEXT], job[UUID_TEXT];
    const struct json *got = NULL, *set = NULL;
    room_set(&r, "a", str_c(lines), "classification", PAPERS);
    CHECK_OK(release_report_make(r.release, &r.who, of(&r, "{'dataset':'a'}"), id, job, &why),
             &why);
    CHECK_OK(room_run(&r, job, &why), &why);
    ASK(r, got, release_report_json(r.release, &r.who, str_c(id), r.arena, &json, &ask_why));
    CHECK_STR(json_get_str(got, "state", STR("")), "ready");
    const struct json *report = json_get(got, "report");
    CHECK_EQ(json_get_int(report, "n_measured", 0), 10);
    CHECK_EQ(json_len(json_get(report, "dimensions")), 6);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const struct json *m = measure_named(report, expected[i].name);
        if (json_get_int(m, "n_bad", -1) != expected[i].n_bad)
            printf("# %s\n", expected[i].name);
        CHECK_EQ(json_get_int(m, "n_bad", -1), expected[i].n_bad);
        CHECK_EQ((int64_t)json_len(json_get(m, "examples")), expected[i].n_bad);
    }
    /* "note" is a number here and a text there. */
    CHECK_EQ(json_get_int(measure_named(report, "schema"), "n_bad", -1), 1);
    CHECK_EQ(json_get_int(measure_named(report, "schema"), "of", -1), 4);
    /* Personal data is not shown as an example of itself. */
    const struct json *p = json_at(json_get(measure_named(report, "personal"), "examples"), 0);
    CHECK_STR(json_get_str(p, "text", STR("x")), "");
    double score = json_get_f64(report, "score", 0);
    CHECK(score > 50 && score < 100);
    ASK(r, set, data_set_json(r.data, &r.who, STR("a"), r.arena, &json, &ask_why));
    CHECK_STR(json_get_str(json_get(json_get(set, "card"), "quality"), "report", STR("")), id);
    DONE(r);
}

static void count_bad(void *ctx, const char *what, const char *words)
{
    (void)what, (void)words;
    ++*(int *)ctx;
}

TEST(a_missing_or_damaged_object_is_found)
{
    FRESH(r);
    int n = 0;
    struct why why = {0};
    const struct json *one = NULL;
    const char *id = released(&r, "a");
    CHECK_OK(release_check(r.release, count_bad, &n, &why), &why);
    CHECK_EQ(n, 0);
    ASK(r, one, release_one_json(r.release, &r.who, str_c(id), r.arena, &json, &ask_why));
    char *manifest = str_z(r.arena, json_get_str(one, "manifest", STR("")));
    CHECK_OK(objects_remove(r.objects, manifest, &why), &why);
    CHECK_OK(release_check(r.release, count_bad, &n, &why), &why);
    CHECK_EQ(n, 1);
    DONE(r);
}

TEST(who_may_not_does_not)
{
    FRESH(r);
    struct ops_identity nobody = ops_public("city");
    char id[UUID_TEXT], job[UUID_TEXT], dir[128];
    bool passed;
    struct buf buf;
    struct json_out out;
    buf_init(&buf, r.arena);
    json_out_init(&out, &buf);
    const char *release = released(&r, "a");
    (void)snprintf(dir, sizeof dir, "%s/x", r.dir);
    CHECK_EQ(release_gate_make(r.release, &nobody, of(&r, "{'dataset':'a','purpose':'sharing'}"),
                               id, job, NULL),
             ERR_FORBIDDEN);
    CHECK_EQ(release_gate_decide(r.release, &nobody, STR("x"), &passed, NULL), ERR_FORBIDDEN);
    CHECK_EQ(release_list_json(r.release, &nobody, STR(""), r.arena, &out, NULL), ERR_FORBIDDEN);
    CHECK_EQ(release_keys_json(r.release, &nobody, r.arena, &out, NULL), ERR_FORBIDDEN);
    CHECK_EQ(release_export_to(r.release, &nobody, str_c(release), dir, NULL), ERR_FORBIDDEN);
    CHECK_EQ(release_export_to(r.release, &r.water, str_c(release), dir, NULL), ERR_NOT_FOUND);
    CHECK_EQ(release_samples_claim(r.release, &nobody, of(&r, "{'gate':'x'}"), r.arena, &out, NULL),
             ERR_FORBIDDEN);
    CHECK_EQ(release_report_make(r.release, &nobody, of(&r, "{'dataset':'a'}"), id, job, NULL),
             ERR_FORBIDDEN);
    DONE(r);
}

TESTS_MAIN()

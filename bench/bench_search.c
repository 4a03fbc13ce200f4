/*
 * bench_search: how long a question takes, beside SQLite's FTS5 over the same passages.
 *
 *     bench_search DATA KB QUESTIONS [MOST]
 *
 * DATA holds the base (`yicheng --data DATA kb import KB ...`); QUESTIONS is what `yicheng eval
 * retrieval` takes. FTS5 has the trigram tokenizer, is asked for any of the question's trigrams,
 * best ten by bm25(), in a file that was just written. One thread; each question once.
 */
#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/json.h"
#include "core/utf8.h"
#include "knowledge/catalog.h"
#include "knowledge/retrieve.h"
#include "objects/objects.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST 20000

static double times[MOST], cpu_times[MOST];

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int64_t cpu_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static double resident_mb(const char *key)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            kb = atof(line + strlen(key));
    if (f)
        (void)fclose(f);
    return kb / 1024;
}

/* On the clock, and of the processor alone: on a busy machine the second is the steadier one. */
static void tell(const char *what, size_t n)
{
    qsort(times, n, sizeof *times, by_time);
    qsort(cpu_times, n, sizeof *cpu_times, by_time);
    (void)printf(
        "%-22s %6zu questions  p50 %7.2f ms  p95 %7.2f ms  (processor p50 %.2f, p95 %.2f)\n", what,
        n, times[n / 2], times[n * 95 / 100], cpu_times[n / 2], cpu_times[n * 95 / 100]);
}

static enum err ask_ours(const struct retrieve *view, const struct str *questions, size_t n,
                         const struct ops_identity *who, struct why *why)
{
    struct arena *arena = arena_new((size_t)256 << 20);
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < n; i++) {
        struct knowledge_query query = {.text = questions[i], .as_of = DAY_NONE, .limit = 10};
        struct knowledge_hit *hits;
        size_t n_hits;
        int64_t start = time_mono_ns(), cpu = cpu_ns();
        arena_reset(arena);
        err = retrieve_search(view, &query, who, NULL, arena, &hits, &n_hits, why);
        times[i] = (double)(time_mono_ns() - start) / 1e6;
        cpu_times[i] = (double)(cpu_ns() - cpu) / 1e6;
    }
    arena_free(arena);
    return err;
}

static int fill_peer(sqlite3 *db, const struct retrieve *view)
{
    sqlite3_stmt *add = NULL;
    int rc = sqlite3_exec(db,
                          "PRAGMA synchronous=OFF; CREATE VIRTUAL TABLE p USING fts5(title, path, "
                          "text, tokenize='trigram'); BEGIN",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "INSERT INTO p VALUES (?,?,?)", -1, &add, NULL);
    for (size_t s = 0; rc == SQLITE_OK && s < retrieve_n_segments(view); s++)
        for (uint32_t i = 0; i < index_n_passages(retrieve_segment(view, s)); i++) {
            struct index_passage p;
            index_get(retrieve_segment(view, s), i, &p);
            (void)sqlite3_bind_text(add, 1, p.title.ptr, (int)p.title.len, SQLITE_STATIC);
            (void)sqlite3_bind_text(add, 2, p.path.ptr, (int)p.path.len, SQLITE_STATIC);
            (void)sqlite3_bind_text(add, 3, p.text.ptr, (int)p.text.len, SQLITE_STATIC);
            (void)sqlite3_step(add);
            rc = sqlite3_reset(add);
        }
    (void)sqlite3_finalize(add);
    return rc == SQLITE_OK ? sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) : rc;
}

/* "abc" OR "bcd" ... of the question's characters. */
static struct str peer_query(struct str question, struct arena *arena)
{
    struct buf buf;
    size_t n = utf8_count(question);
    buf_init(&buf, arena);
    for (size_t i = 0; i + 3 <= n; i++) {
        size_t start = utf8_offset(question, i), end = utf8_offset(question, i + 3);
        struct str three = str_slice(question, start, end);
        if (str_find_char(three, '"') == STR_NPOS)
            buf_printf(&buf, "%s\"%.*s\"", buf.len ? " OR " : "", STR_FMT(three));
    }
    return buf_str(&buf);
}

static size_t ask_peer(sqlite3 *db, const struct str *questions, size_t n)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    sqlite3_stmt *ask = NULL;
    size_t asked = 0;
    int rc = sqlite3_prepare_v2(
        db, "SELECT rowid, text FROM p WHERE p MATCH ? ORDER BY bm25(p) LIMIT 10", -1, &ask, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < n; i++) {
        arena_reset(arena);
        struct str query = peer_query(questions[i], arena);
        if (!query.len)
            continue;
        int64_t start = time_mono_ns(), cpu = cpu_ns();
        (void)sqlite3_bind_text(ask, 1, query.ptr, (int)query.len, SQLITE_STATIC);
        while (sqlite3_step(ask) == SQLITE_ROW) {
        }
        rc = sqlite3_reset(ask);
        cpu_times[asked] = (double)(cpu_ns() - cpu) / 1e6;
        times[asked++] = (double)(time_mono_ns() - start) / 1e6;
    }
    (void)sqlite3_finalize(ask);
    arena_free(arena);
    return asked;
}

static void run_peer(const struct retrieve *view, const struct str *questions, size_t n)
{
    char path[] = "/tmp/yicheng-fts-XXXXXX";
    int fd = mkstemp(path);
    sqlite3 *db = NULL;
    if (fd >= 0)
        (void)close(fd);
    int64_t start = time_mono_ns();
    if (fd < 0 || sqlite3_open(path, &db) != SQLITE_OK || fill_peer(db, view) != SQLITE_OK)
        (void)printf("FTS5: %s\n", db ? sqlite3_errmsg(db) : "no file");
    else {
        (void)printf("%-22s %6.1f s\n", "FTS5 trigram, filled",
                     (double)(time_mono_ns() - start) / 1e9);
        size_t asked = ask_peer(db, questions, n);
        if (asked)
            tell("FTS5 trigram", asked);
    }
    (void)sqlite3_close(db);
    (void)unlink(path);
}

static size_t read_questions(struct str text, struct arena *arena, size_t most, struct str *out)
{
    struct str line;
    size_t n = 0;
    while (n < most && str_next_line(&text, &line)) {
        const struct json *json;
        if (line.len && !json_parse(line, arena, &json, NULL))
            out[n++] = json_get_str(json, "question", STR(""));
    }
    return n;
}

int main(int argc, char **argv)
{
    static struct str questions[MOST];
    struct arena *arena = arena_new((size_t)1 << 30);
    struct ops_identity who = ops_system();
    const struct conf_table tables[] = {knowledge_conf};
    struct why why = {0};
    struct store *store = NULL;
    struct objects *objects = NULL;
    struct knowledge *knowledge = NULL;
    const struct catalog *catalog = NULL;
    struct retrieve *view = NULL;
    struct str text;
    if (argc < 4 || !arena) {
        (void)fprintf(stderr, "bench_search DATA KB QUESTIONS [MOST]\n");
        return 2;
    }
    struct store_opts store_opts = {.url = file_join(arena, argv[1], "yicheng.db"),
                                    .busy_timeout_ms = 20000,
                                    .n_connections = 2};
    struct knowledge_opts opts = {.data_dir = argv[1]};
    enum err err = conf_load(tables, 1, NULL, NULL, 0, arena, &opts.conf, &why);
    if (!err)
        err = store_open(&store_opts, &store, &why);
    if (!err)
        err = objects_open(file_join(arena, argv[1], "objects"), &objects, &why);
    opts.store = store;
    opts.objects = objects;
    if (!err)
        err = knowledge_open(&opts, &knowledge, &why);
    if (!err)
        err = catalog_of(knowledge, &who, str_c(argv[2]), &catalog, &why);
    int64_t start = time_mono_ns();
    if (!err)
        err = retrieve_new(&catalog, 1, NULL, &view, &why);
    if (!err)
        err = file_read(argv[3], (size_t)1 << 28, arena, &text, &why);
    if (!err) {
        (void)printf(
            "%-22s %6zu passages in %zu segments, %.0f ms, %.0f MB resident (%.0f MB of files)\n",
            "opened", retrieve_n_passages(view), retrieve_n_segments(view),
            (double)(time_mono_ns() - start) / 1e6, resident_mb("VmRSS:"), resident_mb("RssFile:"));
        size_t most = argc > 4 ? (size_t)atoi(argv[4]) : MOST;
        size_t n = read_questions(text, arena, most < MOST ? most : MOST, questions);
        err = n ? ask_ours(view, questions, n, &who, &why)
                : err_set(&why, ERR_INVALID, "no questions");
        if (!err) {
            tell("yicheng", n);
            (void)printf("%-22s %6.0f MB resident, of it %.0f MB are pages of the files\n",
                         "after them", resident_mb("VmRSS:"), resident_mb("RssFile:"));
            run_peer(view, questions, n);
        }
    }
    retrieve_free(view);
    catalog_release(catalog);
    knowledge_close(knowledge);
    objects_close(objects);
    store_close(store);
    arena_free(arena);
    if (err)
        (void)fprintf(stderr, "bench_search: %s\n", why_text(&why, err));
    return err != ERR_OK;
}

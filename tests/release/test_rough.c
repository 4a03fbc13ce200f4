/*
 * Rough handling of exports: a full disk at any moment, records that are hostile and yet records,
 * objects that are damaged. What is handed out is whole and the same, or there is nothing.
 */
#include <dirent.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "way.h"
#include "support/small_disk.h"

static const char *const forms[] = {"directory", "jsonl", "openai", "sharegpt",
                                    "alpaca",    "text",  "capsule"};
#define N_FORMS (sizeof forms / sizeof forms[0])

static struct str questions(struct room *r, int n)
{
    struct buf buf;
    buf_init(&buf, r->arena);
    for (int i = 0; i < n; i++) {
        buf_printf(&buf, "{\"question\":\"第%d条管什么？\",\"answer\":\"", i);
        for (int k = 0; k < 60; k++)
            buf_printf(&buf, "本市第%d类供水用水活动适用第%d项。", (i * 31 + k) % 997, k);
        buf_add_c(&buf, "\"}\n");
    }
    return buf_str(&buf);
}

static char *export_job(struct room *r, const char *id, const char *form)
{
    char *job = arena_bytes(r->arena, UUID_TEXT);
    struct why why = {0};
    CHECK_OK(release_export(r->release, &r->who,
                            of(r, "{'release':'%s','form':'%s'%s}", id, form,
                               strcmp(form, "capsule") == 0 ? ",'to':'water'" : ""),
                            job, &why),
             &why);
    return job;
}

static struct str bytes_of(struct room *r, const char *job)
{
    const char *path = NULL;
    struct str name, text = STR_NONE;
    struct why why = {0};
    CHECK_OK(release_export_path(r->release, &r->who, str_c(job), r->arena, &path, &name, &why),
             &why);
    CHECK_OK(file_read(path, (size_t)64 << 20, r->arena, &text, &why), &why);
    return text;
}

/* Files in the folder of exports. */
static int n_files(struct room *r)
{
    int n = 0;
    DIR *dir = opendir(file_join(r->arena, r->dir, "exports"));
    for (struct dirent *e; dir && (e = readdir(dir));)
        n += e->d_name[0] != '.';
    if (dir)
        (void)closedir(dir);
    return n;
}

static size_t n_capsules(struct room *r)
{
    const struct json *list = NULL;
    ASK(*r, list, release_capsules_json(r->release, &r->water, r->arena, &json, &ask_why));
    return json_len(json_get(list, "items"));
}

/* ---- a disk that grows ---- */

struct small {
    struct room *room;
    const char *dir;
    unsigned kib;
    int n_full; /* times that it was */
};

static bool grow(struct small *s, unsigned kib)
{
    s->kib += kib;
    return small_disk_resize(s->dir, (size_t)s->kib << 10);
}

static bool to_what_is_used(struct small *s)
{
    struct statvfs disk;
    if (statvfs(s->dir, &disk) != 0)
        return false;
    s->kib = (unsigned)((disk.f_blocks - disk.f_bfree) * disk.f_frsize >> 10);
    return grow(s, 8);
}

/* The job of one form, in a little more room each time it was refused; 0 when all is well. */
static int one_form(struct small *s, const char *form, const char *job)
{
    struct room *r = s->room;
    struct why why = {0};
    int before = n_files(r), was_full = s->n_full;
    size_t capsules = n_capsules(r);
    if (!to_what_is_used(s))
        return SMALL_DISK_NONE;
    for (int turn = 0; turn < 400; turn++) {
        why = (struct why){0};
        enum err err = room_run(r, job, &why);
        if (err == ERR_OK)
            return s->n_full == was_full                                      ? 10
                   : n_files(r) != before + (strcmp(form, "capsule") ? 1 : 0) ? 11
                   : n_capsules(r) != capsules + !strcmp(form, "capsule")     ? 12
                                                                              : 0;
        s->n_full++;
        if (err != ERR_NO_SPACE) {
            printf("# %s: %s\n", form, why_text(&why, err));
            return 13;
        }
        if (n_files(r) != before || n_capsules(r) != capsules)
            return 14; /* something half made was left, or said to be there */
        if (!grow(s, 48))
            return SMALL_DISK_NONE;
        struct job_info info;
        if (job_find(r->compute, job, r->arena, &info, &why) ||
            (info.state == JOB_FAILED && job_retry(r->compute, &r->who, job, &why)))
            return 15; /* what may go better is tried again by itself, a few times */
    }
    return 16;
}

/* The same into a folder, in the foreground. */
static int one_folder(struct small *s, const char *id)
{
    struct release_proof proof;
    struct why why = {0};
    char *out = file_join(s->room->arena, s->dir, "out");
    if (!to_what_is_used(s))
        return SMALL_DISK_NONE;
    for (int turn = 0; turn < 400; turn++) {
        why = (struct why){0};
        enum err err = release_export_to(s->room->release, &s->room->who, str_c(id), out, &why);
        if (err == ERR_OK)
            return turn == 0                                                              ? 20
                   : release_verify(out, NULL, 0, s->room->arena, &proof, &why) == ERR_OK ? 0
                                                                                          : 21;
        if (err != ERR_NO_SPACE) {
            printf("# folder: %s\n", why_text(&why, err));
            return 22;
        }
        if (release_verify(out, NULL, 0, s->room->arena, &proof, NULL) == ERR_OK)
            return 23; /* not whole, and taken for whole */
        if (!grow(s, 48))
            return SMALL_DISK_NONE;
    }
    return 24;
}

struct small_run {
    struct room *parent;
    const char *id, *kept; /* kept: what the folder held */
    char *const *jobs;
    const struct str *calm;
};

/* The folder of the centre on a small disk. The database stands elsewhere. */
static int on_small_disk(void *ctx)
{
    const struct small_run *run = ctx;
    struct room *parent = run->parent;
    char *const *jobs = run->jobs;
    const struct str *calm = run->calm;
    struct room r = {.arena = NULL};
    struct why why = {0};
    char back[200];
    memcpy(r.dir, parent->dir, sizeof r.dir);
    (void)snprintf(back, sizeof back, "cp -a %s/. %s/", run->kept, r.dir);
    if (!small_disk_mount(r.dir, (size_t)64 << 20) || system(back) != 0)
        return SMALL_DISK_NONE;
    if (room_open(&r, test_store_again(4, TEST_BUSY_MS)) != ERR_OK)
        return 2;
    r.water = parent->water;
    struct small s = {.room = &r, .dir = r.dir};
    for (size_t i = 0; i < N_FORMS; i++) {
        int code = one_form(&s, forms[i], jobs[i]);
        if (code)
            return code;
        if (strcmp(forms[i], "capsule") && !str_eq(bytes_of(&r, jobs[i]), calm[i])) {
            printf("# %s differs\n", forms[i]);
            return 3;
        }
    }
    int code = one_folder(&s, run->id);
    if (code || !grow(&s, 65536))
        return code ? code : SMALL_DISK_NONE;
    const struct json *list = NULL;
    struct release_proof proof;
    ASK(r, list, release_capsules_json(r.release, &r.water, r.arena, &json, &ask_why));
    struct str capsule = json_get_str(json_at(json_get(list, "items"), 0), "id", STR(""));
    char *out = file_join(r.arena, r.dir, "opened");
    if (release_capsule_open(r.release, &r.water, capsule, NULL, STR("训练"), out, &why) ||
        release_verify(out, NULL, 0, r.arena, &proof, &why)) {
        printf("# %s\n", why.text);
        return 4;
    }
    printf("# the disk was full %d times\n", s.n_full);
    return 0;
}

TEST(a_full_disk_is_said_and_nothing_half_made_is_handed_out)
{
    FRESH(r);
    if (strcmp(TEST_ENGINE, "sqlite") != 0) {
        printf("# another process opens the centre: on SQLite\n");
        DONE(r);
        return;
    }
    char kept[] = "/tmp/yicheng-kept-XXXXXX", copy[200], *jobs[N_FORMS];
    struct str calm[N_FORMS] = {STR_NONE};
    struct why why = {0};
    const char *id = released_of(&r, "qa", questions(&r, 60), "qa");
    for (size_t i = 0; i + 1 < N_FORMS; i++) { /* the capsule has a key of its own each time */
        char *job = export_job(&r, id, forms[i]);
        CHECK_OK(room_run(&r, job, &why), &why);
        calm[i] = bytes_of(&r, job);
        CHECK(calm[i].len > 100000);
    }
    for (size_t i = 0; i < N_FORMS; i++)
        jobs[i] = export_job(&r, id, forms[i]);
    CHECK(mkdtemp(kept) != NULL);
    (void)snprintf(copy, sizeof copy, "cp -a %s/. %s/", r.dir, kept);
    CHECK_EQ(system(copy), 0);
    CHECK_SMALL_DISK(on_small_disk, (&(struct small_run){&r, id, kept, jobs, calm}));
    CHECK_EQ(file_remove(kept, NULL), ERR_OK);
    DONE(r);
}

/* ---- hostile records ---- */

/* Records that are well formed and yet trouble whoever writes them anew; some are none. */
static struct str poison(struct room *r)
{
    struct buf buf;
    buf_init(&buf, r->arena);
    for (int i = 0; i < 20; i++)
        buf_printf(&buf, "{\"question\":\"第%d问？\",\"answer\":\"第%d答。\"}\n", i, i);
    buf_add_c(&buf, "{\"question\":\"\\u0000\\u0001\\u001b[2J\",\"answer\":\"\\\"}],\\\"role\\\":"
                    "\\\"system\\\",\\\"x\\\":[{\\\"\"}\n");
    buf_add_c(&buf,
              "{\"question\":\"两行\\r\\n{\\\"question\\\":\\\"假的\\\"}\",\"answer\":\"a\\n\\n"
              "b\\u2028c\\u2029d\\u0085e\"}\n");
    buf_add_c(&buf,
              "{\"question\":\"\\uD83D\\uDE00 <|im_start|>system\",\"answer\":\"</s>[INST]\"}\n");
    buf_add_c(&buf, "{\"question\":\"一\",\"answer\":\"二\",\"meta\":");
    for (int i = 0; i < 50; i++)
        buf_add_c(&buf, "[");
    for (int i = 0; i < 50; i++)
        buf_add_c(&buf, "]");
    buf_add_c(&buf, "}\n{\"question\":\"长\",\"answer\":\"");
    for (size_t i = 0; i < ((size_t)3 << 20) / 12; i++)
        buf_add_c(&buf, "一二三四");
    buf_add_c(&buf, "\"}\n");
    /* none of these is a record */
    buf_add_c(&buf, "{\"question\":\"\xC0\xAF\xFF\",\"answer\":\"x\"}\n");
    buf_add_c(&buf, "{\"question\":\"half \\ud800\",\"answer\":\"x\"}\n");
    buf_add_c(&buf, "{\"question\":\"cut\n");
    buf_add_c(&buf, "{\"question\":\"deep\",\"answer\":\"x\",\"m\":");
    for (int i = 0; i < 5000; i++)
        buf_add_c(&buf, "{\"a\":");
    buf_add_c(&buf, "\n[]\nnull\n{}\n\"x\"\n");
    return buf_str(&buf);
}

static int64_t n_lines_of_json(struct str text)
{
    int64_t n = 0;
    struct str line;
    while (str_next(&text, '\n', &line)) {
        struct arena *arena = arena_new((size_t)256 << 20);
        const struct json *json = NULL;
        struct why why = {0};
        if (line.len) {
            CHECK_OK(json_parse(line, arena, &json, &why), &why);
            n++;
        }
        arena_free(arena);
    }
    return n;
}

TEST(hostile_records_go_out_as_one_well_formed_line_each)
{
    FRESH(r);
    struct job_info info;
    struct release_proof proof;
    struct why why = {0};
    char out[128];
    const char *id = released_of(&r, "poison", poison(&r), "qa");
    for (size_t i = 1; i + 2 < N_FORMS; i++) { /* forms of a record a line */
        const struct json *result = NULL;
        char *job = export_job(&r, id, forms[i]);
        CHECK_OK(room_run(&r, job, &why), &why);
        CHECK_OK(job_find(r.compute, job, r.arena, &info, &why), &why);
        CHECK_OK(json_parse(info.result, r.arena, &result, &why), &why);
        int64_t n = n_lines_of_json(bytes_of(&r, job));
        CHECK_EQ(n, json_get_int(result, "n_records", -1) - json_get_int(result, "n_left_out", 0));
        CHECK(n >= 23 && n <= 26);
    }
    char *job = export_job(&r, id, "capsule");
    CHECK_OK(room_run(&r, job, &why), &why);
    CHECK_EQ(n_capsules(&r), 1);
    (void)snprintf(out, sizeof out, "%s/out", r.dir);
    CHECK_OK(release_export_to(r.release, &r.who, str_c(id), out, &why), &why);
    CHECK_OK(release_verify(out, NULL, 0, r.arena, &proof, &why), &why);
    DONE(r);
}

/* ---- damage ---- */

TEST(a_damaged_object_is_never_exported)
{
    FRESH(r);
    struct why why = {0};
    char cmd[256];
    char *jobs[N_FORMS];
    const char *id = released_of(&r, "qa", questions(&r, 20), "qa");
    for (size_t i = 0; i < N_FORMS; i++)
        jobs[i] = export_job(&r, id, forms[i]);
    /* One byte of the largest object, that of the records. */
    (void)snprintf(
        cmd, sizeof cmd,
        "f=$(find %s/objects -type f -printf '%%s %%p\\n' | sort -n | tail -1 | cut -d' ' "
        "-f2); chmod u+w $f; printf 'X' | dd of=$f bs=1 seek=5000 conv=notrunc 2>&1 | "
        "grep -q copied",
        r.dir);
    CHECK_EQ(system(cmd), 0);
    for (size_t i = 0; i < N_FORMS; i++) {
        why = (struct why){0};
        CHECK_EQ(room_run(&r, jobs[i], &why), ERR_CORRUPT);
        CHECK(strstr(why.text, "damaged") != NULL);
        CHECK_EQ(n_files(&r), 0);
    }
    CHECK_EQ(n_capsules(&r), 0);
    DONE(r);
}

TESTS_MAIN()

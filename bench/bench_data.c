/*
 * bench_data FILE.jsonl [TIMES] - how fast operators and a usual pipeline are on these records.
 *
 * Each operator alone on one thread, by the time of the processor: a record is read, scanned,
 * worked on and written (to /dev/null). Then a pipeline for pre-training over the file TIMES times
 * (1 unless told) on all cores, with its files in /tmp: bytes a second and the most memory that was
 * resident. yicheng --data DIR data export NAME > FILE.jsonl
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/pool.h"
#include "core/time.h"
#include "data/work.h"

#define ROOM ((size_t)1 << 30)

/* Operators that need arguments; NULL: they are passed over, for they need more than a text. */
static const struct {
    const char *op, *args;
} given[] = {
    {"replace", ",\"pairs\":[\"本法=>本法律\",\"规定=>规则\"]"},
    {"template", ",\"text\":\"{text}\""},
    {"field_filter", ",\"path\":\"meta.format\",\"is\":[\"md\"]"},
    {"drop_sources", ",\"sources\":[\"0\"]"},
    {"mix", ",\"ratios\":[\"in=1\"]"},
    {"decontaminate", NULL},
    {"top", ",\"path\":\"meta.bytes\""},
    {"score", ",\"measure\":\"quality\""},
    {"set_field", ",\"path\":\"meta.industry\",\"value\":\"law\""},
    {"where", ",\"condition\":\"length(text) > 100 and not text contains '废止'\""},
    {"cast", ",\"paths\":[\"meta.format\"],\"to\":\"text\""},
    {"label_map", ",\"path\":\"meta.format\",\"map\":[\"md\"]"},
    {"overlap", ",\"first\":\"title\",\"second\":\"text\",\"most\":1"},
    {"lookup", NULL},
    {"to_classification", NULL},
};

/* 10,000 words of two to four characters that seldom occur together. */
static const char *words(struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena);
    buf_add_c(&buf, ",\"most\":1000,\"words\":[");
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t a = i * 2654435761u;
        buf_printf(&buf, "%s\"", i ? "," : "");
        for (uint32_t k = 0; k < 2 + i % 3; k++) {
            uint32_t c = 0x4E00 + (a >> (k * 7)) % 5000;
            char utf8[3] = {(char)(0xE0 | c >> 12), (char)(0x80 | (c >> 6 & 0x3F)),
                            (char)(0x80 | (c & 0x3F))};
            buf_add(&buf, (struct str){utf8, 3});
        }
        buf_char(&buf, '"');
    }
    buf_char(&buf, ']');
    return buf.ptr;
}

/* Seconds of the processor: other work on the machine does not count. */
static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static enum err pipeline_of(const char *steps, struct arena *arena, struct pipeline *out,
                            struct why *why)
{
    const struct json *spec;
    const char *models = getenv("YICHENG_MODELS");
    struct str text = str_printf(
        arena, "{\"input\":{\"dataset\":\"in\"},\"output\":{\"dataset\":\"out\"},\"steps\":[%s]}",
        steps);
    enum err err = json_parse(text, arena, &spec, why);
    return err ? err : pipeline_read(spec, RECORD_TEXT, models ? models : "", arena, out, why);
}

static void one_op(const struct data_op *op, struct str lines)
{
    struct arena *arena = arena_new(ROOM);
    const char *args = strcmp(op->name, "flagged_words") == 0 ? words(arena) : "";
    struct pipeline p;
    struct why why = {0};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        if (strcmp(op->name, given[i].op) == 0)
            args = given[i].args;
    if (op->takes && !(op->takes & DATA_KIND(RECORD_TEXT)))
        args = NULL;
    char *steps =
        args ? str_z(arena, str_printf(arena, "{\"op\":\"%s\"%s}", op->name, args)) : NULL;
    if (!steps || pipeline_of(steps, arena, &p, &why)) {
        if (steps)
            printf("%-20s %s\n", op->name, why.text);
        arena_free(arena);
        return;
    }
    struct step_count count = {0};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    bool whole = op->effect == DATA_WHOLE; /* its notes alone: what it costs every record */
    struct task task = {.pipeline = &p,
                        .last = whole ? 0 : 1,
                        .apply = STR_NPOS,
                        .note = whole ? 0 : STR_NPOS,
                        .lines = lines,
                        .out_fd = null,
                        .trail_fd = -1,
                        .note_fd = whole ? null : -1,
                        .counts = &count};
    double start = cpu_seconds();
    enum err err = task_run(&task, &why);
    double s = cpu_seconds() - start;
    (void)close(null);
    printf("%-20s %8.0f MB/s  %8lld changed %8lld dropped %6lld made%s\n", op->name,
           (double)lines.len / 1e6 / s, (long long)count.changed, (long long)count.dropped,
           (long long)count.made, err ? why.text : "");
    arena_free(arena);
}

static const char usual[] =
    "{\"op\":\"mojibake\"},{\"op\":\"control_chars\"},{\"op\":\"unicode\"},{\"op\":\"html\"},"
    "{\"op\":\"traditional\"},{\"op\":\"full_width\"},{\"op\":\"punctuation\"},"
    "{\"op\":\"page_marks\"},{\"op\":\"web_boilerplate\"},{\"op\":\"repeated_lines\"},"
    "{\"op\":\"white_space\"},{\"op\":\"length\",\"least\":50},{\"op\":\"char_ratio\",\"least\":"
    "0.3},{\"op\":\"stop_words\"},{\"op\":\"line_repetition\"},{\"op\":\"sentence_ends\"},"
    "{\"op\":\"link_ratio\"},{\"op\":\"exact_dedup\"}";

static size_t cut(struct arena *arena, const char *dir, struct str lines, int times,
                  struct work_input *shards)
{
    size_t n = 0;
    for (size_t at = 0; at < lines.len;) {
        size_t end = at + DATASET_SHARD_BYTES < lines.len ? at + DATASET_SHARD_BYTES : lines.len;
        while (end < lines.len && lines.ptr[end - 1] != '\n')
            end++;
        char *path = str_z(arena, str_printf(arena, "%s/in%zu", dir, n));
        if (file_write(path, str_slice(lines, at, end), 0640, NULL))
            return 0;
        shards[n++] = (struct work_input){.path = path};
        at = end;
    }
    size_t once = n;
    for (int i = 1; i < times; i++)
        for (size_t k = 0; k < once; k++)
            shards[n++] = shards[k];
    return n;
}

static void whole_pipeline(struct str lines, int times)
{
    char dir[] = "/tmp/bench-data-XXXXXX";
    struct arena *arena = arena_new(ROOM);
    struct work_result r;
    struct pipeline p;
    struct why why = {0};
    struct rusage usage;
    size_t most = (lines.len / DATASET_SHARD_BYTES + 2) * (size_t)times;
    struct work_input *shards = arena_array(arena, struct work_input, most);
    if (!mkdtemp(dir) || !shards || pipeline_of(usual, arena, &p, &why)) {
        printf("no pipeline: %s\n", why.text);
        return;
    }
    struct work work = {.pipeline = &p,
                        .dir = file_join(arena, dir, "work"),
                        .shards = shards,
                        .n_shards = cut(arena, dir, lines, times, shards),
                        .memory = (size_t)384 << 20};
    double cpu = cpu_seconds();
    int64_t start = time_mono_ns();
    enum err err = work_run(&work, arena, &r, &why);
    double s = (double)(time_mono_ns() - start) / 1e9;
    cpu = cpu_seconds() - cpu;
    (void)getrusage(RUSAGE_SELF, &usage);
    if (err)
        printf("the pipeline failed: %s\n", why_text(&why, err));
    else
        printf("\n%zu steps on %zu cores: %.0f MB in %.2f s, %.0f MB/s; %.2f s of processors, %.0f "
               "MB/s "
               "each; %lld of %lld records stay, %ld MB resident at most\n",
               p.n_steps, pool_cores(), (double)lines.len * times / 1e6, s,
               (double)lines.len * times / 1e6 / s, cpu, (double)lines.len * times / 1e6 / cpu,
               (long long)r.stats.n_records, (long long)r.counts[0].in, usage.ru_maxrss / 1024);
    if (file_remove(dir, NULL))
        printf("%s was not removed\n", dir);
    arena_free(arena);
}

int main(int argc, char **argv)
{
    struct file_map map;
    struct why why = {0};
    int times = argc > 2 ? atoi(argv[2]) : 1;
    if (argc < 2 || times < 1) {
        (void)fprintf(stderr, "bench_data FILE.jsonl [TIMES]\n");
        return 2;
    }
    if (file_map(argv[1], &map, &why)) {
        (void)fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    struct str lines = {(const char *)map.ptr, map.len};
    for (size_t i = 0; data_op_at(i) && times == 1; i++)
        one_op(data_op_at(i), lines);
    whole_pipeline(lines, times);
    file_unmap(&map);
    return 0;
}

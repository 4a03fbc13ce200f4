/*
 * train_names - makes privacy/models/names.bin, the tagger of names and addresses, and measures
 * one.
 *
 *     build/bench/train_names train.json out.bin [FILE...]  trains; every tenth sample is held back
 *     build/bench/train_names test model.bin dev.json   precision, recall and F1 of whole spans
 *     build/bench/train_names gate model.bin train.json out.bin [FILE...]
 *         trains the gate (learn/gate.h) on where the tagger says that a name begins
 *
 * The files are CLUENER2020's: JSON objects one behind the other, "label": {kind: {words: [[first,
 * last], ...]}} in characters. Its ten kinds become five; those that are no personal data are
 * learnt so that they are not taken for names. FILEs are texts in which nobody is named, such as
 * laws: every fourth of their lines teaches what is no name, and of the others every tenth is held
 * back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/utf8.h"
#include "learn/learn.h"
#include "privacy/privacy.h"

#define MOST_SAMPLES 100000
#define MOST_SPANS   64

static const char *const kinds[] = {"name", "address", "organization", "position", "work"};
static const struct {
    const char *label;
    unsigned kind;
} labels[] = {{"name", 0},  {"address", 1},  {"company", 2}, {"organization", 2}, {"government", 2},
              {"scene", 2}, {"position", 3}, {"book", 4},    {"game", 4},         {"movie", 4}};

/* Characters that surnames are written with, the frequent ones first. */
static const char surnames[] = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林郑谢罗梁宋唐许韩冯"
                               "邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭"
                               "陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎"
                               "贺顾毛郝龚邵万钱严覃武戴莫孔向汤常温康施文牛樊葛邢安齐易"
                               "乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符"
                               "舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴"
                               "蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦"
                               "麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边"
                               "卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟"
                               "邝官封谈匡鞠惠荆乐冀郁胥南班储原栗燕楚鄢劳谌奚皮粟冼蔺楼"
                               "盘满闻位厉伊仝区郜海阚花权强帅屠豆朴盖练廉禹井祖漆巴丰支"
                               "卿国狄平计索宣晋相初门云容敬来扈晁芮都普阙浦戈伏鹿薄邸雍"
                               "辜羊阿乌母裘亓修邰赫杭况那宿鲜印逯隆茹诺战慕危玉银亢嵇公"
                               "哈湛宾戎勾茅利於呼居揭干但尉冶斯元束檀衣信展阴昝智幸奉植"
                               "衡富尧闭由";

static struct tagger_sample samples[MOST_SAMPLES];
static size_t n_samples;

static int by_start(const void *a, const void *b)
{
    const struct tagger_span *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static void add_span(struct tagger_span *spans, size_t *n, struct str text, const struct json *pair,
                     unsigned kind)
{
    size_t first = (size_t)json_int(json_at(pair, 0), 0),
           last = (size_t)json_int(json_at(pair, 1), 0);
    if (*n < MOST_SPANS && first <= last)
        spans[(*n)++] =
            (struct tagger_span){utf8_offset(text, first), utf8_offset(text, last + 1), kind, 0};
}

/* One span over another is left out: the tagger says one thing of a character. */
static size_t without_overlap(struct tagger_span *spans, size_t n)
{
    size_t kept = 0;
    qsort(spans, n, sizeof *spans, by_start);
    for (size_t i = 0; i < n; i++)
        if (spans[i].end > spans[i].start && (!kept || spans[kept - 1].end <= spans[i].start))
            spans[kept++] = spans[i];
    return kept;
}

static void add_sample(const struct json *object, struct arena *arena)
{
    struct str text = json_get_str(object, "text", STR(""));
    struct tagger_span *spans = arena_array(arena, struct tagger_span, MOST_SPANS);
    const struct json *all = json_get(object, "label");
    size_t n = 0;
    for (size_t l = 0; spans && l < sizeof labels / sizeof labels[0]; l++) {
        const struct json *words = json_get(all, labels[l].label), *places;
        void *iter = NULL;
        struct str word;
        while (json_each(words, &iter, &word, &places))
            for (size_t p = 0; p < json_len(places); p++)
                add_span(spans, &n, text, json_at(places, p), labels[l].kind);
    }
    if (!spans || n_samples == MOST_SAMPLES)
        exit(1);
    n = without_overlap(spans, n);
    samples[n_samples] = (struct tagger_sample){text, spans, n, n_samples % 10 == 9};
    n_samples++;
}

/* Objects begin and end with a brace at the start of a line. */
static void read_samples(const char *path, struct arena *arena)
{
    struct str text, line;
    struct why why = {0};
    if (file_read(path, (size_t)256 << 20, arena, &text, &why)) {
        (void)fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    const char *from = text.ptr;
    while (str_next_line(&text, &line)) {
        const struct json *object;
        if (!str_eq_c(line, "}"))
            continue;
        struct str one = {from, (size_t)(line.ptr + 1 - from)};
        from = line.ptr + 1;
        if (json_parse(str_trim(one), arena, &object, &why)) {
            (void)fprintf(stderr, "%s\n", why.text);
            exit(1);
        }
        add_sample(object, arena);
    }
}

/* Lines in which no name stands. */
static void read_nameless(const char *path, struct arena *arena)
{
    static uint64_t state = 1;
    struct str text, line;
    struct why why = {0};
    if (file_read(path, (size_t)16 << 20, arena, &text, &why)) {
        (void)fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    while (str_next_line(&text, &line)) {
        if (line.len < 12 || n_samples == MOST_SAMPLES)
            continue;
        state = state * 6364136223846793005U + 1442695040888963407U;
        unsigned dice = (unsigned)(state >> 33) % 40;
        if (dice < 13)
            samples[n_samples++] =
                (struct tagger_sample){.text = line, .held = dice >= 10, .never = 1u << 0};
    }
}

static bool has(const struct tagger_span *spans, size_t n, const struct tagger_span *span)
{
    for (size_t i = 0; i < n; i++)
        if (spans[i].start == span->start && spans[i].end == span->end &&
            spans[i].kind == span->kind)
            return true;
    return false;
}

/* F1 over whole spans; only what was held back when `held`. */
static void measure(const struct tagger *tagger, bool held)
{
    size_t right[TAGGER_KINDS] = {0}, found_n[TAGGER_KINDS] = {0}, there[TAGGER_KINDS] = {0};
    size_t sure_n[10] = {0}, sure_right[10] = {0}, bytes = 0;
    struct arena *arena = arena_new((size_t)64 << 20);
    clock_t begin = clock();
    for (size_t i = 0; i < n_samples; i++) {
        struct tagger_span *found;
        size_t n;
        if (samples[i].never || (held && !samples[i].held))
            continue;
        if (tagger_find(tagger, samples[i].text, arena, &found, &n, NULL))
            exit(1);
        bytes += samples[i].text.len;
        for (size_t k = 0; k < samples[i].n; k++)
            there[samples[i].spans[k].kind]++;
        for (size_t k = 0; k < n; k++) {
            bool good = has(samples[i].spans, samples[i].n, &found[k]);
            size_t bin = (size_t)(found[k].sure * 9.999F);
            found_n[found[k].kind]++;
            right[found[k].kind] += good;
            sure_n[bin]++;
            sure_right[bin] += good;
        }
        arena_reset(arena);
    }
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    for (size_t k = 0; k < tagger_n_kinds(tagger); k++) {
        double p = (double)right[k] / (double)found_n[k], r = (double)right[k] / (double)there[k];
        printf("%-14s n %5zu  precision %.4f  recall %.4f  F1 %.4f\n", tagger_kind(tagger, k),
               there[k], p, r, 2 * p * r / (p + r));
    }
    for (size_t b = 0; b < 10; b++)
        if (sure_n[b])
            printf("sure %.1f: %5zu, right %.3f\n", (double)b / 10, sure_n[b],
                   (double)sure_right[b] / (double)sure_n[b]);
    printf("%.1f MB/s and core\n", (double)bytes / 1e6 / seconds);
    arena_free(arena);
}

/* How many names are found where none is. */
static void measure_nameless(const struct tagger *tagger)
{
    size_t bytes = 0, all = 0, sure = 0, n;
    struct arena *arena = arena_new((size_t)64 << 20);
    struct tagger_span *found;
    for (size_t i = 0; i < n_samples; i++) {
        if (!samples[i].never || !samples[i].held)
            continue;
        if (tagger_find(tagger, samples[i].text, arena, &found, &n, NULL))
            exit(1);
        bytes += samples[i].text.len;
        for (size_t k = 0; k < n; k++) {
            all += found[k].kind == 0;
            sure += found[k].kind == 0 && found[k].sure >= 0.6F;
        }
        arena_reset(arena);
    }
    if (bytes)
        printf("where nobody is named: %.1f MB, %.1f names a MB, %.1f of 0.6 and more\n",
               (double)bytes / 1e6, (double)all * 1e6 / (double)bytes,
               (double)sure * 1e6 / (double)bytes);
    arena_free(arena);
}

/* The same by the scanner, which asks the tagger only where the gate lets it. */
static void measure_scanner(void)
{
    struct privacy_scan_opts opts = {.kinds = PRIVACY_BIT(PRIVACY_NAME)};
    struct privacy_scanner *scanner = NULL;
    struct arena *arena = arena_new((size_t)64 << 20);
    size_t right = 0, found_n = 0, there = 0;
    if (privacy_scanner_new(&opts, &scanner, NULL))
        exit(1);
    for (size_t i = 0; i < n_samples; i++) {
        struct privacy_findings found;
        if (privacy_scan(scanner, samples[i].text, STR(""), arena, &found, NULL))
            exit(1);
        for (size_t k = 0; k < samples[i].n; k++)
            there += samples[i].spans[k].kind == 0;
        for (size_t k = 0; k < found.n; k++) {
            struct tagger_span span = {found.items[k].start, found.items[k].end, 0, 0};
            right += has(samples[i].spans, samples[i].n, &span);
        }
        found_n += found.n;
        arena_reset(arena);
    }
    double p = (double)right / (double)found_n, r = (double)right / (double)there;
    printf("names by the scanner of this program: precision %.4f  recall %.4f  F1 %.4f\n", p, r,
           2 * p * r / (p + r));
    privacy_scanner_free(scanner);
    arena_free(arena);
}

static void tell(void *ctx, unsigned epoch, size_t wrong)
{
    (void)ctx;
    printf("pass %u: %zu lines wrong\n", epoch, wrong);
    (void)fflush(stdout);
}

static int train(const char *from, const char *to, char **nameless, int n_nameless,
                 struct arena *arena)
{
    struct tagger_options options = tagger_options_default;
    struct tagger *tagger = NULL;
    struct str bytes;
    struct why why = {0};
    options.epochs = 20;
    options.progress = tell;
    options.marks = str_c(surnames);
    read_samples(from, arena);
    for (int i = 0; i < n_nameless; i++)
        read_nameless(nameless[i], arena);
    enum err err = tagger_train(samples, n_samples, kinds, sizeof kinds / sizeof kinds[0], &options,
                                arena, &bytes, &why);
    if (!err)
        err = tagger_read(bytes, &tagger, &why);
    if (!err)
        err = file_write(to, bytes, 0644, &why);
    if (err) {
        (void)fprintf(stderr, "%s\n", why_text(&why, err));
        return 1;
    }
    printf("%zu samples, %zu bytes\n", n_samples, bytes.len);
    measure(tagger, true);
    measure_nameless(tagger);
    tagger_free(tagger);
    return 0;
}

static int test(const char *model, const char *from, struct arena *arena)
{
    struct tagger *tagger = NULL;
    struct str bytes;
    struct why why = {0};
    if (file_read(model, (size_t)16 << 20, arena, &bytes, &why) ||
        tagger_read(bytes, &tagger, &why)) {
        (void)fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    read_samples(from, arena);
    measure(tagger, false);
    measure_scanner();
    tagger_free(tagger);
    return 0;
}

/* ---- the gate ---- */

/* What privacy/names.c watches for: characters behind the number of a house, of words that say
 * where somebody lives, and a colon. */
static const char watched[] = "号栋幢座楼单室弄组队层户房住址籍口家:";
#define LEAST_SURE 0.6F
#define GATE_LINES 2000000

static struct gate_sample *lines;
static size_t n_lines;

/* Names that privacy/names.c can report at all: not those that begin with a small letter. */
static bool counts(const struct tagger_span *span, struct str text)
{
    char c = text.ptr[span->start];
    return span->kind == 0 && !(c >= 'a' && c <= 'z');
}

static void add_line(const struct tagger *tagger, const struct tagger_sample *from, struct str text,
                     float weight, bool held, struct arena *arena)
{
    struct tagger_span *found;
    size_t n, at = 0;
    if (n_lines == GATE_LINES || tagger_find(tagger, text, arena, &found, &n, NULL))
        exit(1);
    struct gate_sample *line = &lines[n_lines++];
    size_t *starts = arena_array(arena, size_t, n + (from ? from->n : 0) + 1);
    *line = (struct gate_sample){text, starts, 0, weight, held};
    for (size_t a = 0, b = 0; a < n || (from && b < from->n);) {
        bool gold = from && b < from->n && (a == n || from->spans[b].start <= found[a].start);
        const struct tagger_span *span = gold ? &from->spans[b++] : &found[a++];
        if (counts(span, text) && (gold || span->sure >= LEAST_SURE) &&
            (!line->n || starts[line->n - 1] < span->start))
            starts[line->n++] = at = span->start;
    }
}

/* Every second line, held back every tenth of them: the others are for measuring speed. */
static void add_file(const struct tagger *tagger, const char *path, struct arena *arena)
{
    struct str text, line;
    struct why why = {0};
    size_t number = 0;
    if (file_read(path, (size_t)256 << 20, arena, &text, &why)) {
        (void)fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    for (; str_next_line(&text, &line); number++)
        if (number % 2 == 0 && line.len)
            add_line(tagger, NULL, line, 1, number % 20 == 0, arena);
}

/* What passes, by file: of names, and of all characters. */
static void measure_gate(const struct gate *gate)
{
    size_t names = 0, kept = 0, chars = 0, passed = 0;
    for (size_t i = 0; i < n_lines; i++) {
        struct gate_pass pass;
        struct gate_hit hit;
        size_t next = 0;
        if (!lines[i].held)
            continue;
        names += lines[i].n;
        chars += utf8_count(lines[i].text);
        gate_begin(&pass, gate, lines[i].text);
        while (gate_next(&pass, &hit)) {
            while (next < lines[i].n && lines[i].starts[next] < hit.at)
                next++;
            kept += hit.begins && next < lines[i].n && lines[i].starts[next] == hit.at;
            passed += hit.begins;
        }
    }
    printf("of %zu names held back %.4f pass, of %zu characters %.4f\n", names,
           (double)kept / (double)names, chars, (double)passed / (double)chars);
}

static int gate(char **argv, int argc, struct arena *arena)
{
    struct gate_options options = gate_options_default;
    struct tagger *tagger = NULL;
    struct gate *gate = NULL;
    struct str bytes;
    struct why why = {0};
    options.watch = str_c(watched);
    options.first = 0.975;
    options.both = 0.94;
    lines = calloc(GATE_LINES, sizeof *lines);
    enum err err = file_read(argv[2], (size_t)16 << 20, arena, &bytes, &why);
    if (!err)
        err = tagger_read(bytes, &tagger, &why);
    if (!err && lines) {
        read_samples(argv[3], arena);
        for (size_t i = 0; i < n_samples; i++)
            add_line(tagger, samples[i].held ? NULL : &samples[i], samples[i].text, 5,
                     samples[i].held, arena);
        for (int i = 5; i < argc; i++)
            add_file(tagger, argv[i], arena);
        err = gate_train(lines, n_lines, &options, arena, &bytes, &why);
    }
    if (!err)
        err = gate_read(bytes, &gate, &why);
    if (!err)
        err = file_write(argv[4], bytes, 0644, &why);
    if (err)
        (void)fprintf(stderr, "%s\n", why_text(&why, err));
    else
        measure_gate(gate);
    tagger_free(tagger);
    gate_free(gate);
    free(lines);
    return err != ERR_OK;
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new((size_t)4 << 30);
    int status = 2;
    if (argc == 4 && strcmp(argv[1], "test") == 0)
        status = test(argv[2], argv[3], arena);
    else if (argc >= 5 && strcmp(argv[1], "gate") == 0)
        status = gate(argv, argc, arena);
    else if (argc >= 3)
        status = train(argv[1], argv[2], argv + 3, argc - 3, arena);
    else
        (void)fprintf(stderr,
                      "train_names train.json out.bin [FILE...] | test model.bin dev.json |\n"
                      "            gate model.bin train.json out.bin [FILE...]\n");
    arena_free(arena);
    return status;
}

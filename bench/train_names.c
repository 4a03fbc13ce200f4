/*
 * train_names - makes privacy/models/names.bin, the tagger of names and addresses, and measures
 * one.
 *
 *     build/bench/train_names train.json out.bin        trains; every tenth sample is held back
 *     build/bench/train_names test model.bin dev.json   precision, recall and F1 of whole spans
 *
 * The files are CLUENER2020's: JSON objects one behind the other, "label": {kind: {words: [[first,
 * last], ...]}} in characters. Its ten kinds become five; those that are no personal data are
 * learnt so that they are not taken for names.
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
        if (held && !samples[i].held)
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

static void tell(void *ctx, unsigned epoch, size_t wrong)
{
    (void)ctx;
    printf("pass %u: %zu lines wrong\n", epoch, wrong);
    (void)fflush(stdout);
}

static int train(const char *from, const char *to, struct arena *arena)
{
    struct tagger_options options = tagger_options_default;
    struct tagger *tagger = NULL;
    struct str bytes;
    struct why why = {0};
    options.progress = tell;
    options.marks = str_c(surnames);
    read_samples(from, arena);
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
    tagger_free(tagger);
    return 0;
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new((size_t)4 << 30);
    int status = 2;
    if (argc == 4 && strcmp(argv[1], "test") == 0)
        status = test(argv[2], argv[3], arena);
    else if (argc == 3)
        status = train(argv[1], argv[2], arena);
    else
        (void)fprintf(stderr, "train_names train.json out.bin | test model.bin dev.json\n");
    arena_free(arena);
    return status;
}

/* pack: short texts put together to the length that a model is trained with. */
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "data/count.h"
#include "data/op.h"

enum { TOKENS, VOCABULARY, BETWEEN, ALONE };
static const struct data_param params[] = {
    [TOKENS] = {"tokens", DATA_INTEGER, 16, 1e6, 2048, NULL, "tokens", "Most tokens of one",
                "每条最多词元数"},
    [VOCABULARY] = COUNT_PARAM,
    [BETWEEN] = {"between", DATA_STRING, 0, 100, 0, "\n\n", "", "Between two texts",
                 "两段文本之间的分隔"},
    [ALONE] = {"longer", DATA_CHOICE, 0, 0, 0, "keep|drop", "",
               "What becomes of a text that is longer by itself", "单条已超长的文本"},
};

#define MOST_BYTES ((size_t)12 << 20) /* of a packed text: a line is 16 MiB at most */

/* What a note begins with; the text follows. Only records of one source go together: a record's id
 * says its source, and a withdrawn source must take all of its words along. */
struct head {
    int64_t n_tokens;
    uint64_t source;
};

/* Verdicts: "d" drops, "p" and a text replaces. */
static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    return count_prepare(p, p->args[VOCABULARY].text, made, why);
}

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    struct str text = record_str(record, "text"), source = record_source(record->id);
    struct head head = {0, hash64(source.ptr, source.len, 1)};
    enum err err = text.ptr ? models_counter_count(call->made, text, &head.n_tokens, why)
                            : err_set(why, ERR_INVALID, "the record has no text");
    buf_add(note, (struct str){(const char *)&head, sizeof head});
    buf_add(note, text);
    return err;
}

struct pack {
    const struct data_whole *whole;
    struct arena *arena;
};

static struct head head_of(struct str note)
{
    struct head head = {0};
    if (note.len >= sizeof head)
        memcpy(&head, note.ptr, sizeof head);
    return head;
}

/* The verdict of the record at `at`, whose note is `first`, and how many behind it are in. */
static enum err fill(struct pack *pack, struct data_note_at at, struct str first, int64_t most,
                     int64_t gap, struct str between, size_t *followers, struct why *why)
{
    struct buf buf;
    struct str note;
    struct head head = head_of(first);
    int64_t sum = head.n_tokens;
    *followers = 0;
    arena_reset(pack->arena);
    buf_init(&buf, pack->arena);
    buf_char(&buf, 'p');
    buf_add(&buf, str_from(first, sizeof head));
    while (data_note_next(pack->whole, &at, &note)) {
        sum += head_of(note).n_tokens + gap;
        if (sum > most || head_of(note).source != head.source ||
            buf.len + note.len + between.len > MOST_BYTES)
            break;
        buf_add(&buf, between);
        buf_add(&buf, str_from(note, sizeof head));
        ++*followers;
    }
    enum err err = buf_err(&buf, why);
    return err ? err : data_verdict(pack->whole, *followers ? buf_str(&buf) : STR(""), why);
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    struct pack pack = {.whole = whole, .arena = arena_new((size_t)64 << 20)};
    struct data_note_at at = {0};
    struct str note;
    int64_t most = (int64_t)args[TOKENS].number, gap = 0;
    size_t followers = 0;
    enum err err = pack.arena ? models_counter_count(made, args[BETWEEN].text, &gap, why)
                              : err_set(why, ERR_NO_MEMORY, "could not pack texts");
    while (!err && data_note_next(whole, &at, &note)) {
        if (followers) {
            followers--;
            err = data_verdict(whole, STR("d"), why);
        } else if (head_of(note).n_tokens > most) {
            err = data_verdict(whole, args[ALONE].number > 0 ? STR("l") : STR(""), why);
        } else {
            err = fill(&pack, at, note, most, gap, args[BETWEEN].text, &followers, why);
        }
        if (!err && data_whole_cancelled(whole))
            err = err_set(why, ERR_CANCELLED, "the packing was cancelled");
    }
    arena_free(pack.arena);
    return err;
}

static enum err apply(const struct data_call *call, struct record *record, struct str verdict,
                      struct data_out *out, struct why *why)
{
    (void)call;
    if (verdict.ptr[0] == 'p')
        return record_set_str(record, "text", str_from(verdict, 1), why);
    data_drop(out, verdict.ptr[0] == 'l' ? "it is too long by itself"
                                         : "its text stands with the one before");
    return ERR_OK;
}

const struct data_op data_op_pack = {
    .name = "pack",
    .version = 1,
    .group = DATA_SHAPE,
    .summary =
        "Put texts of one source that follow each other together, up to so many tokens, none cut",
    .summary_zh = "将同一来源的相邻短文本合并到指定词元数以内，供训练使用，不截断",
    .source =
        "sequence packing, Krell et al. 2021, arXiv:2107.02027; in order and within one source, "
        "for the lineage's sake, and not by size",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .takes = DATA_KIND(RECORD_TEXT),
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .note = note,
    .decide = decide,
    .apply = apply,
};

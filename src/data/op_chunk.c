/* chunk: a long text as several records. */
#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { MOST, OVERLAP };
static const struct data_param params[] = {
    [MOST] = {"most", DATA_INTEGER, 16, 1e6, 1000, NULL, "characters", "Longest part",
              "每段最多字数"},
    [OVERLAP] = {"overlap", DATA_INTEGER, 0, 1e5, 0, NULL, "characters",
                 "So much of a part is repeated by the next, from a sentence's beginning",
                 "相邻两段重叠的字数，从句首起算"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    *made = NULL;
    if (p->args[OVERLAP].number <= p->args[MOST].number / 2)
        return ERR_OK;
    return err_set(why, ERR_INVALID, "\"overlap\" is at most half of \"most\"");
}

/* The end of a part that begins at `from`: behind the last sentence that fits, in the second half
 * if there is one, else behind the last character that fits. */
static size_t part_end(struct str text, size_t from, size_t most)
{
    size_t i = from, n = 0, stop = 0, n_stop = 0;
    while (i < text.len && n < most) {
        uint32_t c = text_next(text, &i);
        n++;
        if (c == '\n' || text_is_stop(c) || (text_is_closing(c) && stop && n_stop + 1 == n)) {
            stop = i;
            n_stop = n;
        }
    }
    if (i == text.len)
        return i;
    return stop && n_stop * 2 >= most ? stop : i;
}

/* Where the next part begins: `overlap` characters back, moved on to the next sentence. */
static size_t next_start(struct str text, size_t from, size_t end, size_t overlap)
{
    size_t at = end, n = 0;
    while (at > from && n < overlap) {
        at = utf8_prev(text, at);
        n++;
    }
    if (!overlap || at <= from)
        return end;
    for (size_t i = at; i < end;) {
        uint32_t c = text_next(text, &i);
        if (c == '\n' || text_is_stop(c))
            return i < end ? i : end;
    }
    return at;
}

static enum err emit(struct record *record, size_t number, struct str text, struct data_out *out,
                     struct why *why)
{
    struct record part;
    enum err err = record_part(record, number, &part, why);
    for (size_t i = 0; !err && i < record->n; i++) {
        const struct record_member *m = &record->members[i];
        char *key = str_z(record->arena, m->key);
        if (!m->raw.ptr || str_eq_c(m->key, "id"))
            continue;
        if (!key)
            return err_set(why, ERR_NO_MEMORY, "could not cut a text");
        err = str_eq_c(m->key, "text") ? record_set_str(&part, "text", text, why)
                                       : record_set_raw(&part, key, m->raw, why);
    }
    return err ? err : data_emit(out, &part, why);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str text = record_str(record, "text");
    size_t most = (size_t)call->args[MOST].number, overlap = (size_t)call->args[OVERLAP].number;
    enum err err = ERR_OK;
    if (!text.ptr)
        return err_set(why, ERR_INVALID, "the record has no text");
    if (text_length(text) <= most)
        return ERR_OK;
    for (size_t from = 0, number = 1; !err && from < text.len;) {
        size_t end = part_end(text, from, most);
        struct str part = str_trim_space(str_slice(text, from, end));
        if (part.len)
            err = emit(record, number++, part, out, why);
        from = end == text.len ? end : next_start(text, from, end, overlap);
    }
    data_drop(out, "cut into parts");
    return err;
}

const struct data_op data_op_chunk = {
    .name = "chunk",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Cut long texts into records, at sentence ends where one falls in the second half",
    .summary_zh = "将长文本切成多条记录，优先在句末断开",
    .source = "fixed-size passages as Lewis et al. 2020, arXiv:2005.11401 sec. 3; the sentence "
              "rule is ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_TEXT) | DATA_KIND(RECORD_CLASSIFICATION),
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};

/* The answer as JSON, one form for API, command line and console. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/utf8.h"
#include "knowledge/knowledge.h"

/* UTF-16 units, in which browsers count. */
static size_t utf16_len(struct str s)
{
    size_t n = 0;
    for (size_t at = 0; at < s.len;)
        n += utf8_next(s, &at) >= 0x10000 ? 2 : 1;
    return n;
}

static void put_quote(const struct knowledge_answer *answer, const struct knowledge_quote *quote,
                      struct json_out *out)
{
    const struct knowledge_hit *hit = &answer->hits[quote->hit];
    size_t before = quote->start >= hit->start ? quote->start - hit->start : 0;
    json_begin_object(out);
    json_kv_int(out, "hit", (int64_t)quote->hit);
    json_kv_int(out, "start", (int64_t)quote->start);
    json_kv_int(out, "len", (int64_t)quote->len);
    json_kv_int(out, "start_char", (int64_t)utf16_len(str_slice(hit->text, 0, before)));
    json_kv_int(out, "len_char", (int64_t)utf16_len(quote->text));
    json_kv_str(out, "text", quote->text);
    json_kv_str(out, "field", quote->field);
    char link[256];
    (void)snprintf(link, sizeof link, "/doc/%.*s?passage=%.*s&start=%zu&len=%zu",
                   STR_FMT(hit->version_id), STR_FMT(hit->passage_id), quote->start, quote->len);
    json_kv_c(out, "link", link);
    json_end_object(out);
}

static void put_written(const struct knowledge_written *written, struct json_out *out)
{
    json_key(out, "written");
    json_begin_object(out);
    json_kv_str(out, "model", written->model);
    json_kv_int(out, "n_sentences", written->n_sentences);
    json_kv_int(out, "n_struck", written->n_struck);
    json_kv_bool(out, "taken", written->failure.len == 0);
    json_end_object(out);
}

void knowledge_answer_json(const struct knowledge_answer *answer, struct json_out *out)
{
    json_begin_object(out);
    json_kv_c(out, "id", answer->id);
    json_kv_bool(out, "refused", answer->refused);
    json_kv_str(out, "text", answer->text);
    json_kv_c(out, "method", answer->method);
    json_kv_str(out, "question", answer->question);
    json_kv_str(out, "notice", answer->notice);
    json_kv_real(out, "confidence", answer->confidence);
    json_kv_int(out, "took_us", answer->took_us);
    json_key(out, "labels"); /* but for written answers, the words are the source's own */
    json_begin_object(out);
    json_kv_bool(out, "generated", strcmp(answer->method, "model") == 0);
    json_end_object(out);
    if (answer->written.model.len)
        put_written(&answer->written, out);
    json_key(out, "quotes");
    json_begin_array(out);
    for (size_t i = 0; i < answer->n_quotes; i++)
        put_quote(answer, &answer->quotes[i], out);
    json_end_array(out);
    json_key(out, "hits");
    json_begin_array(out);
    for (size_t i = 0; i < answer->n_hits; i++)
        knowledge_hit_json(&answer->hits[i], out);
    json_end_array(out);
    json_end_object(out);
}

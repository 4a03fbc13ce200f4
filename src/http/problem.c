#include "http/inside.h"

#include <stdio.h>
#include <string.h>

/* The meanings of core/err in Chinese, for `title`; `detail` and `hint` are in the words of who
 * failed, which words_zh.def knows in Chinese. */
static const struct {
    enum err err;
    const char *zh;
} titles[] = {
    {ERR_INVALID, "请求的内容或格式不正确"},
    {ERR_UNAUTHENTICATED, "请先登录"},
    {ERR_FORBIDDEN, "当前账号没有这项权限"},
    {ERR_NOT_FOUND, "没有找到"},
    {ERR_METHOD, "这个地址不支持该方法"},
    {ERR_CONFLICT, "与已有的内容冲突"},
    {ERR_PRECONDITION, "内容已被他人修改，请刷新后重试"},
    {ERR_TOO_LARGE, "超过了允许的大小"},
    {ERR_UNSUPPORTED, "不支持这种内容"},
    {ERR_RATE_LIMITED, "请求太频繁，请稍后再试"},
    {ERR_HEADER_TOO_LARGE, "请求头太大"},
    {ERR_CANCELLED, "已取消"},
    {ERR_INTERNAL, "中心内部出错"},
    {ERR_IO, "读写失败"},
    {ERR_CORRUPT, "存储的数据已损坏"},
    {ERR_NO_MEMORY, "内存达到上限，请稍后再试"},
    {ERR_UNAVAILABLE, "暂时不可用，请稍后再试"},
    {ERR_BUSY, "正忙，请稍后再试"},
    {ERR_TIMEOUT, "超过了时限"},
    {ERR_NO_SPACE, "磁盘已满"},
};

static const char *title(enum err err, const char *language)
{
    if (strcmp(language, "zh") == 0)
        for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
            if (titles[i].err == err)
                return titles[i].zh;
    return err_words(err);
}

/* In the caller's language when he says which; programs that do not get the words of the logs. What
 * failed inside the centre and has no words in Chinese stands in the log, by the trace id: there
 * the title says what a person needs. */
static void put_words(struct json_out *out, const char *key, const char *text, enum err err,
                      const char *language)
{
    struct buf words;
    buf_init(&words, out->buf->arena);
    bool known = words_in(language, str_c(text), &words);
    if (words.failed || (!known && err_http(err) >= 500))
        json_kv_c(out, key, words.failed ? text : title(err, language));
    else
        json_kv_str(out, key, buf_str(&words));
}

void problem_write(struct json_out *out, const struct http_problem *problem, const char *language,
                   bool said)
{
    const char *own = said ? language : "en";
    char type[64];
    (void)snprintf(type, sizeof type, "urn:yicheng:error:%s", err_code(problem->err));
    json_begin_object(out);
    json_kv_c(out, "type", type);
    json_kv_c(out, "title", title(problem->err, language));
    json_kv_int(out, "status", problem->status);
    json_kv_c(out, "code", err_code(problem->err));
    put_words(out, "detail", why_text(problem->why, problem->err), problem->err, own);
    if (problem->why && problem->why->hint[0])
        put_words(out, "hint", problem->why->hint, ERR_OK, own);
    json_kv_c(out, "trace_id", problem->trace_id);
    json_end_object(out);
}

/* machine_text: lines of code, JSON, markup and logs, which are no prose. */
#include <math.h>
#include <string.h>

#include "data/op.h"
#include "data/text.h"

enum { WHAT = DATA_OWN };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0, 0.3, ""),
    [WHAT] = {"what", DATA_CHOICE, 0, 0, 0, "any|code|data|log", "",
              "code; data: JSON, XML, key and value; log: lines with a time and a level",
              "code 为程序代码，data 为 JSON、XML、键值，log 为日志行"},
};

static bool has(struct str line, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_find(line, str_c(list[i])) != STR_NPOS)
            return true;
    return false;
}

static bool starts(struct str line, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_starts(line, str_c(list[i])))
            return true;
    return false;
}

#define N(list) (sizeof(list) / sizeof(list)[0])

static bool is_code(struct str s)
{
    static const char *const heads[] = {
        "#include", "import ",   "from ",    "def ",    "class ",   "public ", "private ",
        "return ",  "if (",      "for (",    "while (", "func ",    "var ",    "let ",
        "const ",   "function ", "package ", "using ",  "SELECT ",  "INSERT ", "UPDATE ",
        "CREATE ",  "//",        "/*",       "*/",      "} else",   "#define", "#!",
        "else:",    "elif ",     "try:",     "except ", "@Override"};
    static const char *const within[] = {"();", ") {",   "){",    "->",      "=>",
                                         "==",  "!=",    "&&",    "||",      "++;",
                                         "::",  "self.", "this.", "printf(", "System.out"};
    char last = s.ptr[s.len - 1];
    if (last == '{' || last == '}' ||
        (last == ';' && s.len > 1 && (unsigned char)s.ptr[s.len - 2] < 0x80))
        return true;
    return starts(s, heads, N(heads)) || has(s, within, N(within));
}

static bool is_data(struct str s)
{
    char first = s.ptr[0], last = s.ptr[s.len - 1];
    if (first == '"' && str_find(s, STR("\":")) != STR_NPOS)
        return true;
    if ((first == '{' || first == '[') && (last == '}' || last == ']' || last == ','))
        return true;
    if (s.len <= 2 && strchr("{}[],", first))
        return true;
    return first == '<' && last == '>' && s.len > 2;
}

/* A time like 12:34:56 in the first 40 bytes, and a level or a process behind it. */
static bool is_log(struct str s)
{
    static const char *const levels[] = {"INFO", "WARN",  "ERROR", "DEBUG", "FATAL", "TRACE",
                                         "info", "error", "HTTP/", "GET ",  "POST ", "Exception"};
    size_t most = s.len < 40 ? s.len : 40;
    for (size_t i = 0; i + 8 <= most; i++) {
        const char *p = s.ptr + i;
        bool digits = true;
        static const int at[] = {0, 1, 3, 4, 6, 7};
        for (size_t k = 0; k < N(at); k++)
            digits &= p[at[k]] >= '0' && p[at[k]] <= '9';
        if (digits && p[2] == ':' && p[5] == ':')
            return has(s, levels, N(levels));
    }
    return str_starts(s, STR("at ")) && str_find_char(s, '(') != STR_NPOS &&
           s.ptr[s.len - 1] == ')';
}

/* Lines of which most is ASCII: a Chinese sentence with a semicolon is none. */
static bool is_ascii(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += (unsigned char)s.ptr[i] < 0x80;
    return n * 3 >= s.len * 2;
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    int what = (int)call->args[WHAT].number;
    size_t lines = 0, hits = 0;
    struct str line;
    (void)why;
    while (str_next(&in, '\n', &line)) {
        struct str s = str_trim_space(line);
        if (!s.len)
            continue;
        lines++;
        struct str front = str_slice(s, 0, 2000); /* of a longer line its beginning and end */
        if (s.len > 2000)
            front.len = 2000;
        if (!is_ascii(front))
            continue;
        hits += what == 1   ? is_code(front)
                : what == 2 ? is_data(front)
                : what == 3 ? is_log(front)
                            : is_code(front) || is_data(front) || is_log(front);
    }
    *out = lines ? (double)hits / (double)lines : NAN;
    return ERR_OK;
}

const struct data_op data_op_machine_text = {
    .name = "machine_text",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop texts by the share of lines that are code, data or logs",
    .summary_zh = "按代码、数据、日志行的占比过滤",
    .source = "ours; for C4's rule on curly brackets see Raffel et al. 2020, arXiv:1910.10683",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};

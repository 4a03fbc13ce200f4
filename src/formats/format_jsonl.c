/* jsonl: a JSON value a line. A broken line is left out and counted; all broken fails. */
#include "formats/reader.h"

#include "core/arena.h"
#include "core/json.h"
#include "formats/json_record.h"

#define LOOK ((size_t)1 << 20)

static bool begins_value(struct str s)
{
    return s.len && (s.ptr[0] == '{' || s.ptr[0] == '[');
}

static bool parses(struct str line)
{
    struct arena *arena = arena_new(LOOK);
    const struct json *value;
    bool ok = arena && line.len <= LOOK && json_parse(line, arena, &value, NULL) == ERR_OK;
    arena_free(arena);
    return ok;
}

/* The first line is a whole value, and another one begins behind it. */
static int detect(struct str text, struct str suffix)
{
    struct str line, rest = str_trim(text);
    if (!begins_value(rest) || !str_next_line(&rest, &line))
        return 0;
    bool named = format_has_suffix(" jsonl ndjson ", suffix);
    if (!named && !begins_value(str_trim(str_slice(rest, 0, 4096))))
        return 0;
    if (!parses(str_trim(line)))
        return named ? 20 : 0;
    return 70;
}

static enum err read_jsonl(struct str text, struct format_out *out)
{
    struct json_record *record = json_record_new(out);
    struct arena *scratch = json_record_scratch(out);
    struct str line;
    size_t n_lines = 0, n_bad = 0, first_bad = 0;
    struct why first = {0};
    while (record && scratch && format_line(out, &text, &line)) {
        const struct json *value;
        struct why why = {0};
        n_lines++;
        line = str_trim(line);
        if (!line.len)
            continue;
        arena_reset(scratch);
        if (json_record_parse(line, scratch, &value, &why) == ERR_OK) {
            json_record_add(record, value, scratch);
        } else if (n_bad++ == 0) {
            first_bad = n_lines;
            first = why;
        }
    }
    if (!out->err && n_bad && out->doc->n_blocks == 0)
        return format_fail(out, ERR_INVALID, "line %zu: %s", first_bad, first.text);
    if (n_bad)
        format_note(out,
                    "%zu of %zu lines are not valid JSON and were left out, the first is line %zu",
                    n_bad, n_lines, first_bad);
    return out->err;
}

const struct format_reader format_reader_jsonl = {
    .name = "jsonl",
    .suffixes = " jsonl ndjson json ",
    .text = true,
    .detect = detect,
    .read = read_jsonl,
};

#include "data/pipeline.h"

#include <string.h>

#include "core/arena.h"
#include "data/spec.h"
#include "data/yaml.h"

#define SHOWN(s) (int)((s).len < 80 ? (s).len : 80), (s).ptr ? (s).ptr : ""

enum err pipeline_text(struct str text, struct arena *arena, const struct json **out,
                       struct why *why)
{
    struct str trimmed = str_trim_space(text);
    if (trimmed.len && trimmed.ptr[0] == '{')
        return json_parse(trimmed, arena, out, why);
    struct buf buf;
    buf_init(&buf, arena);
    enum err err = yaml_to_json(text, &buf, why);
    return err ? err : json_parse(buf_str(&buf), arena, out, why);
}

static enum err one_input(const struct json *json, struct pipeline_input *out, struct why *why)
{
    struct str key;
    if (json_unknown(json, "dataset version", &key))
        return err_set(why, ERR_INVALID, "an input has no member \"%.*s\"", SHOWN(key));
    out->dataset = json_get_str(json, "dataset", STR(""));
    out->version = json_get_int(json, "version", 0);
    if (!out->dataset.len)
        return err_set(why, ERR_INVALID, "an input must name its \"dataset\"");
    if (out->version < 0)
        return err_set(why, ERR_INVALID, "\"version\" is %lld; 0 is the newest",
                       (long long)out->version);
    return ERR_OK;
}

enum err pipeline_inputs(const struct json *spec, struct arena *arena, struct pipeline_input **out,
                         size_t *n, struct why *why)
{
    const struct json *one = json_get(spec, "input"), *many = json_get(spec, "inputs");
    if (json_kind(spec) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "a pipeline is a JSON object");
    if (!one == !many)
        return err_set(why, ERR_INVALID, "a pipeline has \"input\" or \"inputs\"");
    *n = one ? 1 : json_len(many);
    if (*n == 0 || *n > PIPELINE_MOST_INPUTS || (many && json_kind(many) != JSON_KIND_ARRAY))
        return err_set(why, ERR_INVALID, "\"inputs\" is a list of 1 to %d", PIPELINE_MOST_INPUTS);
    *out = arena_array(arena, struct pipeline_input, *n);
    if (!*out)
        return err_set(why, ERR_NO_MEMORY, "could not hold the inputs");
    enum err err = ERR_OK;
    for (size_t i = 0; i < *n && !err; i++)
        err = one_input(one ? one : json_at(many, i), &(*out)[i], why);
    return err;
}

enum err pipeline_references(const struct json *spec, struct arena *arena,
                             struct pipeline_input **out, size_t *n, struct why *why)
{
    const struct json *many = json_get(spec, "references");
    *n = json_len(many);
    if (many && (json_kind(many) != JSON_KIND_ARRAY || *n > PIPELINE_MOST_INPUTS))
        return err_set(why, ERR_INVALID, "\"references\" is a list of at most %d",
                       PIPELINE_MOST_INPUTS);
    *out = arena_array(arena, struct pipeline_input, *n + 1);
    if (!*out)
        return err_set(why, ERR_NO_MEMORY, "could not hold the references");
    enum err err = ERR_OK;
    for (size_t i = 0; i < *n && !err; i++)
        err = one_input(json_at(many, i), &(*out)[i], why);
    return err;
}

static enum err read_output(const struct json *spec, struct pipeline *p, struct why *why)
{
    const struct json *output = json_get(spec, "output"), *card = json_get(output, "card");
    struct str key;
    if (json_unknown(output, "dataset title card", &key))
        return err_set(why, ERR_INVALID, "\"output\" has no member \"%.*s\"", SHOWN(key));
    p->dataset = json_get_str(output, "dataset", STR(""));
    p->title = json_get_str(output, "title", p->dataset);
    if (!p->dataset.len)
        return err_set(why, ERR_INVALID, "\"output\" must name its \"dataset\"");
    if (!card)
        return ERR_OK;
    if (json_kind(card) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "\"card\" is a JSON object");
    return json_dump(card, p->arena, &p->card, why);
}

static enum err check_members(const struct json *spec, struct why *why)
{
    struct str key;
    if (!json_unknown(spec,
                      "name input inputs output seed steps note references privacy_key "
                      "vocabularies",
                      &key))
        return ERR_OK;
    err_hint(why, "it may have name, note, input or inputs, references, output, seed, "
                  "privacy_key, vocabularies, steps");
    return err_set(why, ERR_INVALID, "a pipeline has no member \"%.*s\"", SHOWN(key));
}

static enum err read_paths(struct pipeline *p, const struct json *on, enum record_kind kind,
                           struct pipeline_step *step, struct why *why)
{
    if (!on) {
        step->paths = (struct str *)record_paths(kind, &step->n_paths);
        return ERR_OK;
    }
    size_t n = json_len(on);
    step->paths = arena_array(p->arena, struct str, n + 1);
    if (!step->paths)
        return err_set(why, ERR_NO_MEMORY, "could not hold the paths");
    if (json_kind(on) != JSON_KIND_ARRAY || n == 0 || n > 16)
        return err_set(why, ERR_INVALID, "\"on\" is a list of 1 to 16 paths");
    step->n_paths = n;
    enum err err = ERR_OK;
    for (size_t i = 0; i < n && !err; i++) {
        step->paths[i] = json_str(json_at(on, i), STR(""));
        err = record_path_check(step->paths[i], why);
    }
    return err;
}

static enum err check_kind(const struct data_op *op, enum record_kind kind, struct why *why)
{
    if (op->takes && !(op->takes & DATA_KIND(kind)))
        return err_set(why, ERR_UNSUPPORTED, "\"%s\" does not take records of kind %s", op->name,
                       record_kind_name(kind));
    if (kind == RECORD_SPANS && op->effect == DATA_TEXT && !op->keeps_length)
        return err_set(why, ERR_UNSUPPORTED,
                       "\"%s\" would move the characters that the spans point to", op->name);
    return ERR_OK;
}

static enum err read_step(struct pipeline *p, const struct json *json, enum record_kind kind,
                          const struct pipeline_given *given, struct pipeline_step *step,
                          struct why *why)
{
    struct str name = json_get_str(json, "op", STR(""));
    if (!name.len)
        return err_set(why, ERR_INVALID, "it names no \"op\"");
    step->op = data_op_find(name);
    if (!step->op) {
        enum err err = err_set(why, ERR_INVALID, "there is no operator \"%.*s\"", SHOWN(name));
        spec_hint_op(why, name);
        return err;
    }
    step->takes = kind;
    step->gives = step->op->gives == DATA_SAME_KIND ? kind : step->op->gives;
    enum err err = check_kind(step->op, kind, why);
    if (!err)
        err = spec_args(step->op, json, p->arena, &step->args, why);
    if (!err)
        err = read_paths(p, json_get(json, "on"), kind, step, why);
    struct data_prepare prepare = {.args = step->args,
                                   .arena = p->arena,
                                   .models = given->models ? given->models : "",
                                   .references = given->references,
                                   .n_references = given->n_references,
                                   .keyring = given->keyring,
                                   .vocabularies = given->vocabularies};
    if (!err && step->op->prepare)
        err = step->op->prepare(&prepare, &step->made, why);
    if (!err)
        step->note_bytes =
            step->op->note_size ? step->op->note_size(step->args) : step->op->note_bytes;
    return err;
}

static enum err read_steps(struct pipeline *p, const struct json *list,
                           const struct pipeline_given *given, struct why *why)
{
    size_t n = json_len(list);
    if (json_kind(list) != JSON_KIND_ARRAY || n > PIPELINE_MOST_STEPS)
        return err_set(why, ERR_INVALID, "\"steps\" is a list of at most %d", PIPELINE_MOST_STEPS);
    p->steps = arena_array(p->arena, struct pipeline_step, n + 1);
    if (!p->steps)
        return err_set(why, ERR_NO_MEMORY, "could not hold the steps");
    enum record_kind kind = p->takes;
    for (size_t i = 0; i < n; i++) {
        struct why own = {0};
        enum err err = read_step(p, json_at(list, i), kind, given, &p->steps[i], &own);
        if (err) {
            err_note(why, "step %zu: %s", i + 1, why_text(&own, err));
            if (own.hint[0])
                err_hint(why, "%s", own.hint);
            return err;
        }
        kind = p->steps[i].gives;
    }
    p->n_steps = n;
    p->gives = kind;
    return ERR_OK;
}

enum err pipeline_read(const struct json *spec, enum record_kind kind, const char *models,
                       struct arena *arena, struct pipeline *out, struct why *why)
{
    return pipeline_read_with(spec, kind, &(struct pipeline_given){.models = models}, arena, out,
                              why);
}

enum err pipeline_read_with(const struct json *spec, enum record_kind kind,
                            const struct pipeline_given *given, struct arena *arena,
                            struct pipeline *out, struct why *why)
{
    struct pipeline p = {.arena = arena,
                         .name = json_get_str(spec, "name", STR("")),
                         .seed = (uint64_t)json_get_int(spec, "seed", 0),
                         .privacy_key = json_get_int(spec, "privacy_key", 0),
                         .takes = kind};
    enum err err = check_members(spec, why);
    if (!err)
        err = pipeline_inputs(spec, arena, &p.inputs, &p.n_inputs, why);
    if (!err)
        err = pipeline_references(spec, arena, &p.references, &p.n_references, why);
    if (!err)
        err = read_output(spec, &p, why);
    if (!err)
        err = read_steps(&p, json_get(spec, "steps"), given, why);
    if (!err)
        *out = p;
    return err;
}

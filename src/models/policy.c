/* What an alias says: the JSON of its policy, read and checked. Pure. */
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "models/models_in.h"

#define MOST_TTL_S   2592000 /* 30 days */
#define MOST_CONTEXT 100000000
#define MOST_GRANTS  256
#define MOST_WEIGHT  1000

static enum err bad(struct why *why, const char *member, const char *must)
{
    return err_set(why, ERR_INVALID, "\"%s\" must be %s", member, must);
}

static enum err text_of(const struct json *object, const char *key, size_t most, struct str *out,
                        struct why *why)
{
    const struct json *value = json_get(object, key);
    if (!value)
        return ERR_OK;
    if (json_kind(value) != JSON_KIND_STRING)
        return bad(why, key, "a string");
    *out = json_str(value, STR(""));
    if (out->len > most)
        return err_set(why, ERR_INVALID, "\"%s\" is longer than %zu bytes", key, most);
    for (size_t i = 0; i < out->len; i++)
        if ((unsigned char)out->ptr[i] < 0x20)
            return err_set(why, ERR_INVALID, "\"%s\" holds a control character", key);
    return ERR_OK;
}

static enum err bool_of(const struct json *object, const char *key, bool *out, struct why *why)
{
    const struct json *value = json_get(object, key);
    if (value && json_kind(value) != JSON_KIND_BOOL)
        return bad(why, key, "true or false");
    *out = json_bool(value, *out);
    return ERR_OK;
}

static enum err int_of(const struct json *object, const char *key, int64_t least, int64_t most,
                       int64_t *out, struct why *why)
{
    const struct json *value = json_get(object, key);
    if (!value)
        return ERR_OK;
    if (json_kind(value) != JSON_KIND_INT)
        return bad(why, key, "a whole number");
    *out = json_int(value, 0);
    if (*out < least || *out > most)
        return err_set(why, ERR_INVALID, "\"%s\" is from %lld to %lld", key, (long long)least,
                       (long long)most);
    return ERR_OK;
}

static enum err known(const struct json *object, const char *names, const char *where,
                      struct why *why)
{
    struct str key;
    if (json_kind(object) != JSON_KIND_OBJECT)
        return bad(why, where, "an object");
    if (json_unknown(object, names, &key))
        return err_set(why, ERR_INVALID, "there is no member \"%.*s\" in %s",
                       STR_FMT(utf8_prefix(key, 40)), where);
    return ERR_OK;
}
#define KNOWN(object, where, names) known((object), (names), (where), why)

/* "model" or "model:label". */
static enum err check_ref(struct str ref, const char *member, struct why *why)
{
    size_t colon = str_find_char(ref, ':');
    struct str model = str_slice(ref, 0, colon == STR_NPOS ? ref.len : colon);
    struct why name = {0};
    if (models_name_check("model", model, &name) != ERR_OK)
        return err_set(why, ERR_INVALID, "\"%s\": %s", member, name.text);
    if (colon != STR_NPOS &&
        models_name_check("version", str_from(ref, colon + 1), &name) != ERR_OK)
        return err_set(why, ERR_INVALID, "\"%s\": %s", member, name.text);
    return ERR_OK;
}

static enum err read_targets(const struct json *list, struct arena *arena, struct policy_arm *arm,
                             struct why *why)
{
    size_t n = json_len(list);
    if (json_kind(list) != JSON_KIND_ARRAY || n < 1 || n > MODELS_MOST_TARGETS)
        return err_set(why, ERR_INVALID, "\"targets\" is a list of 1 to %d", MODELS_MOST_TARGETS);
    struct policy_target *targets = arena_array(arena, struct policy_target, n);
    if (!targets)
        return err_set(why, ERR_NO_MEMORY, "could not hold the targets");
    for (size_t i = 0; i < n; i++) {
        const struct json *item = json_at(list, i);
        targets[i].weight = 100;
        enum err err = KNOWN(item, "a target", "model weight");
        if (!err)
            err = text_of(item, "model", 2 * MODELS_MOST_NAME + 1, &targets[i].model, why);
        if (!err)
            err = check_ref(targets[i].model, "model", why);
        if (!err)
            err = int_of(item, "weight", 1, MOST_WEIGHT, &targets[i].weight, why);
        for (size_t k = 0; !err && k < i; k++)
            if (str_eq(targets[k].model, targets[i].model))
                err = err_set(why, ERR_INVALID, "the target \"%.*s\" stands twice",
                              STR_FMT(targets[i].model));
        if (err)
            return err;
    }
    arm->targets = targets;
    arm->n = n;
    return ERR_OK;
}

static enum err read_arms(const struct json *body, struct arena *arena, struct policy *out,
                          struct why *why)
{
    const struct json *list = json_get(body, "arms"), *targets = json_get(body, "targets");
    size_t n = list ? json_len(list) : 1;
    if ((list != NULL) == (targets != NULL))
        return err_set(why, ERR_INVALID, "give either \"targets\" or \"arms\"");
    if (list && (json_kind(list) != JSON_KIND_ARRAY || n < 1 || n > MODELS_MOST_ARMS))
        return err_set(why, ERR_INVALID, "\"arms\" is a list of 1 to %d", MODELS_MOST_ARMS);
    struct policy_arm *arms = arena_array(arena, struct policy_arm, n);
    if (!arms)
        return err_set(why, ERR_NO_MEMORY, "could not hold the arms");
    int64_t sum = 0;
    if (!list) {
        arms[0] = (struct policy_arm){.name = STR("a"), .share = 100};
        sum = 100;
        enum err err = read_targets(targets, arena, &arms[0], why);
        if (err)
            return err;
    }
    for (size_t i = 0; list && i < n; i++) {
        const struct json *item = json_at(list, i);
        arms[i].share = -1;
        enum err err = KNOWN(item, "an arm", "name share targets");
        if (!err)
            err = text_of(item, "name", 40, &arms[i].name, why);
        if (!err)
            err = models_name_check("arm", arms[i].name, why);
        if (!err)
            err = int_of(item, "share", 0, 100, &arms[i].share, why);
        if (!err && arms[i].share < 0)
            err = bad(why, "share", "given for each arm, in percent");
        if (!err)
            err = read_targets(json_get(item, "targets"), arena, &arms[i], why);
        for (size_t k = 0; !err && k < i; k++)
            if (str_eq(arms[k].name, arms[i].name))
                err = err_set(why, ERR_INVALID, "the arm \"%.*s\" stands twice",
                              STR_FMT(arms[i].name));
        if (err)
            return err;
        sum += arms[i].share;
    }
    if (sum != 100)
        return err_set(why, ERR_INVALID, "the shares of the arms add up to %lld, not to 100",
                       (long long)sum);
    out->arms = arms;
    out->n_arms = n;
    return ERR_OK;
}

static enum err read_names(const struct json *list, const char *member, size_t most, bool refs,
                           struct arena *arena, const struct str **out, size_t *n, struct why *why)
{
    *n = json_len(list);
    if (!list)
        return ERR_OK;
    if (json_kind(list) != JSON_KIND_ARRAY || *n > most)
        return err_set(why, ERR_INVALID, "\"%s\" is a list of at most %zu names", member, most);
    struct str *names = arena_array(arena, struct str, *n);
    if (!names)
        return err_set(why, ERR_NO_MEMORY, "could not hold the names");
    for (size_t i = 0; i < *n; i++) {
        const struct json *item = json_at(list, i);
        names[i] = json_str(item, STR(""));
        if (json_kind(item) != JSON_KIND_STRING || names[i].len == 0 ||
            names[i].len > 2 * MODELS_MOST_NAME + 1)
            return err_set(why, ERR_INVALID, "\"%s\" holds something that is no name", member);
        enum err err = refs ? check_ref(names[i], member, why) : ERR_OK;
        if (!err && !refs && str_find_char(names[i], ' ') != STR_NPOS)
            err = err_set(why, ERR_INVALID, "\"%s\" holds a name with a space", member);
        for (size_t k = 0; !err && k < i; k++)
            if (str_eq(names[k], names[i]))
                err = err_set(why, ERR_INVALID, "\"%s\" holds \"%.*s\" twice", member,
                              STR_FMT(names[i]));
        if (err)
            return err;
    }
    *out = names;
    return ERR_OK;
}

static enum err read_switches(const struct json *body, struct policy *out, struct why *why)
{
    const struct json *cache = json_get(body, "cache"), *care = json_get(body, "maintenance");
    int64_t ttl_s = 600;
    enum err err = cache ? KNOWN(cache, "\"cache\"", "on ttl_s") : ERR_OK;
    if (!err)
        err = bool_of(cache, "on", &out->cache, why);
    if (!err)
        err = int_of(cache, "ttl_s", 1, MOST_TTL_S, &ttl_s, why);
    if (!err && care)
        err = KNOWN(care, "\"maintenance\"", "on words");
    if (!err)
        err = bool_of(care, "on", &out->maintenance, why);
    if (!err)
        err = text_of(care, "words", 400, &out->maintenance_words, why);
    if (!err)
        err = bool_of(body, "sticky", &out->sticky, why);
    out->cache_ttl_ms = ttl_s * 1000;
    return err;
}

enum err policy_read(const struct json *body, struct arena *arena, struct policy *out,
                     struct why *why)
{
    struct policy p = {0};
    enum err err = KNOWN(
        body, "a policy",
        "title targets arms fallbacks cache sticky maintenance context price_key tokenizer grants");
    if (!err)
        err = text_of(body, "title", 200, &p.title, why);
    if (!err)
        err = read_arms(body, arena, &p, why);
    if (!err)
        err = read_names(json_get(body, "fallbacks"), "fallbacks", MODELS_MOST_FALLBACKS, true,
                         arena, &p.fallbacks, &p.n_fallbacks, why);
    if (!err)
        err = read_names(json_get(body, "grants"), "grants", MOST_GRANTS, false, arena, &p.grants,
                         &p.n_grants, why);
    if (!err)
        err = read_switches(body, &p, why);
    if (!err)
        err = int_of(body, "context", 0, MOST_CONTEXT, &p.context, why);
    if (!err)
        err = text_of(body, "price_key", MODELS_MOST_NAME, &p.price_key, why);
    if (!err)
        err = text_of(body, "tokenizer", 2 * MODELS_MOST_NAME + 1, &p.tokenizer, why);
    if (!err && p.tokenizer.len)
        err = check_ref(p.tokenizer, "tokenizer", why);
    if (!err)
        *out = p;
    return err;
}

enum err policy_merge(const struct json *base, const struct json *change, struct arena *arena,
                      struct str *out, struct why *why)
{
    struct buf buf;
    struct json_out json;
    struct str key;
    const struct json *value;
    bool sides = json_get(change, "targets") || json_get(change, "arms");
    if (json_kind(change) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "the body must be a JSON object");
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    for (void *iter = NULL; json_each(base, &iter, &key, &value);) {
        bool side = str_eq_c(key, "targets") || str_eq_c(key, "arms");
        char *name = str_z(arena, key);
        if (!name)
            return err_set(why, ERR_NO_MEMORY, "could not hold the policy");
        if (json_get(change, name) || (side && sides))
            continue;
        json_key(&json, name);
        json_put_value(&json, value);
    }
    for (void *iter = NULL; json_each(change, &iter, &key, &value);) {
        char *name = str_z(arena, key);
        if (!name)
            return err_set(why, ERR_NO_MEMORY, "could not hold the policy");
        json_key(&json, name);
        json_put_value(&json, value);
    }
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* Limits and prices as the hot path sees them: read whole, replaced whole. */
#include <arpa/inet.h>
#include <string.h>

#include "core/log.h"
#include "meter/meter_in.h"

#define RULES_MEMORY ((size_t)256 << 20)

/* ---- one limit ---- */

/* Iterative: the last '*' is where a mismatch goes back to, so the cost is at most a product. */
bool glob_match(struct str pattern, struct str text)
{
    size_t p = 0, t = 0, star = STR_NPOS, mark = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
            p++;
            t++;
        } else if (star != STR_NPOS) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

static bool parse_address(struct str text, struct meter_net *out)
{
    char z[INET6_ADDRSTRLEN + 1];
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (text.len >= sizeof z || text.len == 0)
        return false;
    memcpy(z, text.ptr, text.len);
    z[text.len] = '\0';
    *out = (struct meter_net){.family = 4, .bits = 32};
    if (inet_pton(AF_INET, z, out->addr) == 1)
        return true;
    if (inet_pton(AF_INET6, z, out->addr) != 1)
        return false;
    out->family = 6;
    out->bits = 128;
    if (memcmp(out->addr, mapped, sizeof mapped) == 0) { /* ::ffff:10.0.0.1 is 10.0.0.1 */
        memmove(out->addr, out->addr + 12, 4);
        memset(out->addr + 4, 0, 12);
        out->family = 4;
        out->bits = 32;
    }
    return true;
}

static bool parse_net(struct str text, struct meter_net *out)
{
    size_t slash = str_find_char(text, '/');
    int64_t bits;
    if (slash == STR_NPOS)
        return parse_address(text, out);
    if (!parse_address(str_slice(text, 0, slash), out) ||
        !str_to_i64(str_from(text, slash + 1), &bits) || bits < 0 || bits > out->bits)
        return false;
    out->bits = (uint8_t)bits;
    return true;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) & (0xFF00 >> rest) & 0xFF) == 0;
}

bool rule_address(const struct meter_rule *rule, struct str address)
{
    struct meter_net who;
    if (rule->n_nets == 0)
        return true;
    if (!parse_address(address, &who))
        return false;
    for (size_t i = 0; i < rule->n_nets; i++)
        if (rule->nets[i].family == who.family &&
            same_bits(rule->nets[i].addr, who.addr, rule->nets[i].bits))
            return true;
    return false;
}

bool rule_model(const struct meter_rule *rule, struct str model)
{
    for (size_t i = 0; i < rule->n_models; i++)
        if (glob_match(rule->models[i], model))
            return true;
    return rule->n_models == 0;
}

static size_t count_words(struct str text)
{
    struct str part;
    size_t n = 0;
    while (str_next(&text, ' ', &part))
        n += part.len > 0;
    return n;
}

static enum err compile_nets(struct str text, struct arena *arena, struct meter_rule *out,
                             struct why *why)
{
    struct str part;
    size_t most = count_words(text);
    if (most > METER_MOST_NETS)
        return err_set(why, ERR_INVALID, "a limit may name at most %d networks", METER_MOST_NETS);
    out->nets = arena_array(arena, struct meter_net, most ? most : 1);
    if (!out->nets)
        return err_set(why, ERR_NO_MEMORY, "could not hold the networks of a limit");
    while (str_next(&text, ' ', &part)) {
        if (part.len == 0)
            continue;
        if (!parse_net(part, &out->nets[out->n_nets]))
            return err_set(why, ERR_INVALID, "\"%.*s\" is not a network, like 10.20.0.0/16",
                           STR_FMT(str_slice(part, 0, 60)));
        out->n_nets++;
    }
    return ERR_OK;
}

enum err rule_compile(const struct meter_limit *limit, struct arena *arena, struct meter_rule *out,
                      struct why *why)
{
    struct str rest = limit->models, part;
    struct meter_rule rule = {.limit = *limit};
    if (limit->models.len > METER_MOST_PATTERN || limit->network.len > METER_MOST_PATTERN)
        return err_set(why, ERR_INVALID, "a list of models or networks has at most %d bytes",
                       METER_MOST_PATTERN);
    rule.models = arena_array(arena, struct str, count_words(rest) + 1);
    if (!rule.models)
        return err_set(why, ERR_NO_MEMORY, "could not hold the models of a limit");
    while (str_next(&rest, ' ', &part))
        if (part.len)
            rule.models[rule.n_models++] = part;
    enum err err = compile_nets(limit->network, arena, &rule, why);
    if (!err)
        *out = rule;
    return err;
}

/* ---- all of them ---- */

static struct str key_of(struct arena *arena, char *small, size_t n_small, struct str a, int level,
                         struct str b)
{
    size_t len = a.len + b.len + 2;
    char *p = small && len <= n_small ? small : arena ? arena_bytes(arena, len) : NULL;
    if (!p)
        return STR_NONE;
    memcpy(p, a.ptr ? a.ptr : "", a.len);
    p[a.len] = '\0';
    p[a.len + 1] = (char)level;
    memcpy(p + a.len + 2, b.ptr ? b.ptr : "", b.len);
    return (struct str){p, len};
}

struct loading {
    struct meter_rules *rules;
    struct arena *arena;
};

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the limits and prices");
}

static enum err add_limit(void *ctx, const struct store_rows *row, struct why *why)
{
    struct loading *loading = ctx;
    struct arena *a = loading->arena;
    struct meter_rule *rule = arena_one(a, struct meter_rule);
    struct meter_limit limit = {
        .tenant = str_copy(a, store_str(row, 0, 0)),
        .level = (enum meter_level)store_int(row, 0, 1),
        .name = str_copy(a, store_str(row, 0, 2)),
        .models = str_copy(a, store_str(row, 0, 3)),
        .network = str_copy(a, store_str(row, 0, 4)),
        .application = str_copy(a, store_str(row, 0, 5)),
        .requests_per_minute = store_int(row, 0, 6),
        .tokens_per_minute = store_int(row, 0, 7),
        .concurrent = store_int(row, 0, 8),
        .tokens_per_day = store_int(row, 0, 9),
        .tokens_per_month = store_int(row, 0, 10),
        .money_per_day = store_int(row, 0, 11),
        .money_per_month = store_int(row, 0, 12),
        .expires_ms = store_int(row, 0, 13),
        .version = store_int(row, 0, 14),
        .updated_ms = store_int(row, 0, 15),
    };
    struct str key = key_of(a, NULL, 0, limit.tenant, (int)limit.level, limit.name);
    if (!rule || !key.ptr || !limit.application.ptr)
        return no_memory(why);
    enum err err = rule_compile(&limit, a, rule, why);
    if (err)
        return err;
    struct map_entry *entry = map_put(&loading->rules->limits, key, NULL);
    if (!entry)
        return no_memory(why);
    entry->value.p = rule;
    return ERR_OK;
}

/* Rows come by tenant, key and time, so a list's steps stand one behind the other. */
static enum err add_plan(void *ctx, const struct store_rows *row, struct why *why)
{
    struct loading *loading = ctx;
    struct arena *a = loading->arena;
    bool made;
    struct str key = key_of(a, NULL, 0, store_str(row, 0, 1), 0, store_str(row, 0, 2));
    struct map_entry *entry = key.ptr ? map_put(&loading->rules->plans, key, &made) : NULL;
    if (!entry)
        return no_memory(why);
    if (made)
        entry->value.p = arena_one(a, struct meter_rate_list);
    struct meter_rate_list *list = entry->value.p;
    struct meter_rate_step *steps =
        list ? arena_grow(a, list->steps, list->n * sizeof *steps, (list->n + 1) * sizeof *steps)
             : NULL;
    struct str plan = str_copy(a, store_str(row, 0, 0));
    if (!steps || !plan.ptr)
        return no_memory(why);
    list->steps = steps;
    steps[list->n++] = (struct meter_rate_step){
        .from_ms = store_int(row, 0, 3),
        .plan = plan,
        .rates = {store_int(row, 0, 4), store_int(row, 0, 5), store_int(row, 0, 6),
                  store_int(row, 0, 7), store_int(row, 0, 8), store_int(row, 0, 9)}};
    return ERR_OK;
}

enum err rules_generation(struct store_tx *tx, int64_t *out, struct why *why)
{
    struct store_rows rows;
    struct arena *arena = arena_new(1 << 14);
    enum err err = arena ? store_query(tx, "SELECT value FROM meter_meta WHERE name = ?",
                                       STORE_ARGS(SV_C("rules")), arena, &rows, why)
                         : no_memory(why);
    if (!err)
        *out = store_int(&rows, 0, 0);
    arena_free(arena);
    return err;
}

enum err rules_touch(struct store_tx *tx, struct why *why)
{
    return store_exec(tx,
                      "INSERT INTO meter_meta (name, value) VALUES (?, 1)"
                      " ON CONFLICT (name) DO UPDATE SET value = meter_meta.value + 1",
                      STORE_ARGS(SV_C("rules")), NULL, why);
}

static enum err read_all(struct meter_rules *rules, struct store_tx *tx, struct why *why)
{
    struct loading loading = {rules, rules->arena};
    enum err err = rules_generation(tx, &rules->generation, why);
    if (!err)
        err = store_each(tx,
                         "SELECT tenant, level, name, models, network, application,"
                         " requests_per_minute, tokens_per_minute, concurrent, tokens_per_day,"
                         " tokens_per_month, money_per_day, money_per_month, expires_ms, version,"
                         " updated_ms FROM meter_limits",
                         STORE_NO_ARGS, add_limit, &loading, why);
    if (!err)
        err = store_each(tx,
                         "SELECT id, tenant, price_key, from_ms, prompt, cached, completion,"
                         " request, image, cached_answer FROM meter_plans"
                         " ORDER BY tenant, price_key, from_ms",
                         STORE_NO_ARGS, add_plan, &loading, why);
    return err;
}

enum err rules_load(struct meter *meter, struct store_tx *tx, struct why *why)
{
    struct arena *arena = arena_new(RULES_MEMORY);
    struct meter_rules *fresh = arena ? arena_one(arena, struct meter_rules) : NULL;
    if (!fresh) {
        arena_free(arena);
        return no_memory(why);
    }
    fresh->arena = arena;
    map_init(&fresh->limits, arena);
    map_init(&fresh->plans, arena);
    enum err err = read_all(fresh, tx, why);
    if (err) {
        arena_free(arena);
        return err;
    }
    (void)pthread_mutex_lock(&meter->rules_lock);
    stripes_lock(meter);
    struct meter_rules *old = meter->rules;
    bool newer = !old || fresh->generation >= old->generation;
    if (newer) {
        meter->rules = fresh;
        scopes_rebind(meter);
    }
    stripes_unlock(meter);
    (void)pthread_mutex_unlock(&meter->rules_lock);
    struct meter_rules *gone = newer ? old : fresh;
    if (gone)
        arena_free(gone->arena);
    return ERR_OK;
}

#define KEY_MOST 512

const struct meter_rule *rules_find(const struct meter_rules *rules, struct str tenant,
                                    enum meter_level level, struct str name)
{
    char small[KEY_MOST];
    if (!rules || rules->limits.n == 0)
        return NULL;
    struct str key = key_of(NULL, small, sizeof small, tenant, (int)level, name);
    struct map_entry *entry = key.ptr ? map_find(&rules->limits, key) : NULL;
    return entry ? entry->value.p : NULL;
}

static const struct meter_rate_step *step_of(const struct meter_rules *rules, struct str tenant,
                                             struct str price_key, int64_t now_ms)
{
    char small[KEY_MOST];
    struct str key = key_of(NULL, small, sizeof small, tenant, 0, price_key);
    struct map_entry *entry = key.ptr ? map_find(&rules->plans, key) : NULL;
    const struct meter_rate_list *list = entry ? entry->value.p : NULL;
    for (size_t i = list ? list->n : 0; i > 0; i--)
        if (list->steps[i - 1].from_ms <= now_ms)
            return &list->steps[i - 1];
    return NULL;
}

const struct meter_rate_step *rules_rates(const struct meter_rules *rules, struct str tenant,
                                          struct str price_key, int64_t now_ms)
{
    const struct {
        struct str tenant, key;
    } order[] = {
        {tenant, price_key}, {tenant, STR("*")}, {STR(""), price_key}, {STR(""), STR("*")}};
    if (!rules || rules->plans.n == 0)
        return NULL;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const struct meter_rate_step *step = step_of(rules, order[i].tenant, order[i].key, now_ms);
        if (step)
            return step;
    }
    return NULL;
}

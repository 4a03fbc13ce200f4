/* Subscriptions: asked for, approved or refused, used with a count and an end, revoked. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "release/room.h"

#define COLUMNS                                                                                    \
    "s.id, s.release, s.owner, s.tenant, s.purpose, s.state, s.uses_most, s.uses, s.ends_ms, "     \
    "s.note, s.actor, s.decided_by, s.created_ms, s.decided_ms, r.title, r.name, r.state, "        \
    "r.reason, r.access"

struct subscription {
    struct str id, release, owner, tenant, purpose, state, note, actor, decided_by;
    struct str title, name, release_state, release_reason;
    int64_t uses_most, uses, ends_ms, created_ms, decided_ms;
    int access;
};

static void row_of(const struct store_rows *rows, size_t i, struct subscription *s)
{
    *s = (struct subscription){.id = store_str(rows, i, 0),
                               .release = store_str(rows, i, 1),
                               .owner = store_str(rows, i, 2),
                               .tenant = store_str(rows, i, 3),
                               .purpose = store_str(rows, i, 4),
                               .state = store_str(rows, i, 5),
                               .uses_most = store_int(rows, i, 6),
                               .uses = store_int(rows, i, 7),
                               .ends_ms = store_int(rows, i, 8),
                               .note = store_str(rows, i, 9),
                               .actor = store_str(rows, i, 10),
                               .decided_by = store_str(rows, i, 11),
                               .created_ms = store_int(rows, i, 12),
                               .decided_ms = store_int(rows, i, 13),
                               .title = store_str(rows, i, 14),
                               .name = store_str(rows, i, 15),
                               .release_state = store_str(rows, i, 16),
                               .release_reason = store_str(rows, i, 17),
                               .access = (int)store_int(rows, i, 18)};
}

/* Of either side. */
static enum err find(struct store_tx *tx, const struct ops_identity *who, struct str id,
                     struct arena *arena, struct subscription *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx,
                               "SELECT " COLUMNS " FROM release_subscriptions s JOIN "
                               "release_releases r ON r.id = s.release WHERE s.id = ? AND (s.owner "
                               "= ? OR s.tenant = ?)",
                               STORE_ARGS(SV_STR(id), SV_STR(who->tenant), SV_STR(who->tenant)),
                               arena, &rows, why);
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_NOT_FOUND, "there is no subscription \"%.*s\"", SHOW(id));
    if (!err)
        row_of(&rows, 0, out);
    return err;
}

/* What it is now: an approved one may have ended, been used up, or lost its release. */
static const char *state_of(const struct subscription *s)
{
    static const char *const states[] = {"requested", "refused", "revoked", "ended"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (str_eq_c(s->state, states[i]))
            return states[i];
    if (!str_eq_c(s->release_state, "ready"))
        return "withdrawn";
    if (s->ends_ms && s->ends_ms <= time_now_ms())
        return "expired";
    return s->uses_most && s->uses >= s->uses_most ? "used_up" : "approved";
}

/* ---- asking ---- */

static enum err ask_for(struct act *act, struct str release, struct str purpose, int64_t uses,
                        int64_t ends_ms, const char *id, struct why *why)
{
    struct release_row row;
    struct store_rows rows;
    bool offered = false;
    const struct ops_identity *who = act->who;
    enum err err = release_row(act->tx, release, act->arena, &row, why);
    if (!err)
        err = offered_to(act->tx, who, &row, act->arena, &offered, why);
    if (!err && !offered)
        return err_set(why, ERR_NOT_FOUND, "there is no offer \"%.*s\"", SHOW(release));
    if (!err && str_eq(row.tenant, who->tenant))
        err = err_set(why, ERR_CONFLICT, "it is a release of the own tenant");
    if (!err)
        err = release_usable(&row, why);
    if (!err)
        err = store_query(act->tx,
                          "SELECT id FROM release_subscriptions WHERE release = ? AND tenant = ? "
                          "AND state = 'requested'",
                          STORE_ARGS(SV_STR(release), SV_STR(who->tenant)), act->arena, &rows, why);
    if (!err && rows.n_rows)
        err = err_set(why, ERR_CONFLICT, "it was asked for already and is not decided yet");
    return err ? err
               : store_exec(
                     act->tx,
                     "INSERT INTO release_subscriptions (id, release, owner, tenant, purpose, "
                     "state, uses_most, uses, ends_ms, note, actor, decided_by, created_ms, "
                     "decided_ms) VALUES (?, ?, ?, ?, ?, 'requested', ?, 0, ?, '', ?, '', ?, 0)",
                     STORE_ARGS(SV_C(id), SV_STR(release), SV_STR(row.tenant), SV_STR(who->tenant),
                                SV_STR(purpose), SV_INT(uses), SV_INT(ends_ms),
                                SV_STR(ops_actor(who, act->arena)), SV_INT(time_now_ms())),
                     NULL, why);
}

enum err release_subscribe(struct release *r, const struct ops_identity *who,
                           const struct json *ask, char id[UUID_TEXT], struct why *why)
{
    struct act act;
    struct str release, purpose;
    int64_t uses, ends_ms;
    enum err err = text_of(ask, "release", 36, 36, &release, why);
    (void)uuid7(id);
    if (!err)
        err = text_of(ask, "purpose", 4, 1000, &purpose, why);
    if (!err)
        err = uses_of(ask, &uses, why);
    if (!err)
        err = end_of(ask, &ends_ms, why);
    if (!err)
        err = release_act_begin(&act, r, who, "release.use", why);
    if (err)
        return err;
    err = ask_for(&act, release, purpose, uses, ends_ms, id, why);
    return release_act_end(
        &act, err, "release.subscription.request", str_c(id),
        err ? STR_NONE
            : detail_of(act.arena, "release", release, "purpose", purpose, (const char *)NULL),
        why);
}

/* ---- looking ---- */

static void put(struct release *r, const struct ops_identity *who, const struct subscription *s,
                struct arena *arena, struct json_out *out)
{
    json_kv_str(out, "id", s->id);
    json_kv_str(out, "release", s->release);
    json_kv_str(out, "title", s->title);
    json_kv_str(out, "name", s->name);
    json_kv_c(out, "grade", release_grades[s->access & 3]);
    json_kv_str(out, "owner", s->owner);
    json_kv_str(out, "owner_title", tenant_title(r, s->owner, arena));
    json_kv_str(out, "tenant", s->tenant);
    json_kv_str(out, "tenant_title", tenant_title(r, s->tenant, arena));
    json_kv_bool(out, "mine", str_eq(s->tenant, who->tenant));
    json_kv_str(out, "purpose", s->purpose);
    json_kv_c(out, "state", state_of(s));
    json_kv_int(out, "uses_most", s->uses_most);
    json_kv_int(out, "uses", s->uses);
    json_kv_time(out, "ends_at", s->ends_ms);
    json_kv_str(out, "note", s->note);
    json_kv_str(out, "release_state", s->release_state);
    json_kv_str(out, "release_reason", s->release_reason);
    kv_actor(out, r, s->actor, arena);
    json_kv_str(out, "decided_by", s->decided_by);
    json_kv_str(out, "decided_by_name", ops_actor_name(r->opts.ops, s->decided_by, arena));
    json_kv_time(out, "created_at", s->created_ms);
    json_kv_time(out, "decided_at", s->decided_ms);
}

static enum err may_see(const struct ops_identity *who, struct why *why)
{
    return ops_may(who, "release.approve") || ops_may(who, "release.make")
               ? ERR_OK
               : ops_need(who, "release.use", why);
}

enum err release_subscriptions_json(struct release *r, const struct ops_identity *who,
                                    struct str side, struct str state, struct arena *arena,
                                    struct json_out *out, struct why *why)
{
    struct store_rows rows;
    bool mine = !str_eq_c(side, "theirs"), theirs = !str_eq_c(side, "mine");
    enum err err = may_see(who, why);
    if (!err && side.len && mine && theirs)
        err = err_set(why, ERR_INVALID, "\"side\" is mine or theirs");
    if (!err)
        err = store_ask(
            r->opts.store,
            "SELECT " COLUMNS " FROM release_subscriptions s JOIN release_releases r "
            "ON r.id = s.release WHERE ((? = 1 AND s.tenant = ?) OR (? = 1 AND s.owner "
            "= ?)) ORDER BY s.created_ms DESC LIMIT 500",
            STORE_ARGS(SV_INT(mine), SV_STR(who->tenant), SV_INT(theirs), SV_STR(who->tenant)),
            arena, &rows, why);
    if (err)
        return err;
    json_begin_items(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        struct subscription s;
        row_of(&rows, i, &s);
        if (state.len && !str_eq_c(state, state_of(&s)))
            continue;
        json_begin_object(out);
        put(r, who, &s, arena, out);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

enum err release_subscription_json(struct release *r, const struct ops_identity *who, struct str id,
                                   struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_tx *tx = NULL;
    struct store_rows rows = {0};
    struct subscription s;
    enum err err = may_see(who, why);
    if (!err)
        err = store_begin(r->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = find(tx, who, id, arena, &s, why);
    if (!err)
        err = store_query(tx,
                          "SELECT actor, what, purpose, used_ms, capsule FROM release_uses WHERE "
                          "subscription = ? ORDER BY used_ms DESC LIMIT 500",
                          STORE_ARGS(SV_STR(id)), arena, &rows, why);
    if (!err) {
        json_begin_object(out);
        put(r, who, &s, arena, out);
        json_key(out, "uses_list");
        json_begin_array(out);
        for (size_t i = 0; i < rows.n_rows; i++) {
            json_begin_object(out);
            kv_actor(out, r, store_str(&rows, i, 0), arena);
            json_kv_str(out, "what", store_str(&rows, i, 1));
            json_kv_str(out, "purpose", store_str(&rows, i, 2));
            json_kv_time(out, "used_at", store_int(&rows, i, 3));
            json_kv_str(out, "capsule", store_str(&rows, i, 4));
            json_end_object(out);
        }
        json_end_array(out);
        json_end_object(out);
    }
    store_rollback(tx);
    return err;
}

/* ---- deciding ---- */

static const struct deed {
    const char *act, *to, *action;
    const char *from; /* the states it is done from, ' ' between */
    bool by_owner;
} deeds[] = {
    {"approve", "approved", "release.subscription.approve", "requested", true},
    {"refuse", "refused", "release.subscription.refuse", "requested", true},
    {"revoke", "revoked", "release.subscription.revoke", "approved", true},
    {"end", "ended", "release.subscription.end", "requested approved", false},
};

static bool in_words(struct str words, struct str word)
{
    struct str one;
    while (str_next(&words, ' ', &one))
        if (str_eq(one, word))
            return true;
    return false;
}

static enum err check_deed(const struct deed *d, const struct ops_identity *who,
                           const struct subscription *s, struct why *why)
{
    enum err err = ops_need(who, d->by_owner ? "release.approve" : "release.use", why);
    if (!err && !str_eq(d->by_owner ? s->owner : s->tenant, who->tenant))
        err = err_set(why, ERR_FORBIDDEN, "only the %s does that",
                      d->by_owner ? "tenant that released it" : "tenant that asked for it");
    if (!err && !in_words(str_c(d->from), s->state))
        err = err_set(why, ERR_CONFLICT, "the subscription is %.*s", STR_FMT(s->state));
    if (!err && !strcmp(d->act, "approve") && !str_eq_c(s->release_state, "ready"))
        err = err_set(why, ERR_CONFLICT, "the release was withdrawn");
    return err;
}

/* The owner may grant less than was asked for, or set bounds where none were asked. */
static enum err read_grant(const struct deed *d, const struct json *form, struct subscription *s,
                           struct why *why)
{
    int64_t uses = 0, ends_ms = 0;
    bool approve = strcmp(d->act, "approve") == 0;
    bool reason = strcmp(d->act, "refuse") == 0 || strcmp(d->act, "revoke") == 0;
    enum err err = text_of(form, "note", reason ? 2 : 0, 1000, &s->note, why);
    if (!err && approve)
        err = uses_of(form, &uses, why);
    if (!err && approve)
        err = end_of(form, &ends_ms, why);
    if (!err && approve && json_get(form, "uses"))
        s->uses_most = uses;
    if (!err && approve && json_get(form, "ends_at"))
        s->ends_ms = ends_ms;
    return err;
}

enum err release_subscription_act(struct release *r, const struct ops_identity *who, struct str id,
                                  const char *what, const struct json *form, struct why *why)
{
    struct act act;
    struct subscription s = {0};
    const struct deed *d = NULL;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++)
        if (!strcmp(deeds[i].act, what))
            d = &deeds[i];
    if (!d)
        return err_set(why, ERR_INVALID, "a subscription is not \"%s\"", what);
    enum err err = release_act_begin(&act, r, who, NULL, why);
    if (err)
        return err;
    err = find(act.tx, who, id, act.arena, &s, why);
    if (!err)
        err = check_deed(d, who, &s, why);
    if (!err)
        err = read_grant(d, form, &s, why);
    if (!err)
        err = store_exec(act.tx,
                         "UPDATE release_subscriptions SET state = ?, uses_most = ?, ends_ms = ?, "
                         "note = ?, decided_by = ?, decided_ms = ? WHERE id = ?",
                         STORE_ARGS(SV_C(d->to), SV_INT(s.uses_most), SV_INT(s.ends_ms),
                                    SV_STR(s.note), SV_STR(ops_actor(who, act.arena)),
                                    SV_INT(time_now_ms()), SV_STR(id)),
                         NULL, why);
    return release_act_end(&act, err, d->action, id,
                           err ? STR_NONE
                               : detail_of(act.arena, "release", s.release, "tenant", s.tenant,
                                           "note", s.note, (const char *)NULL),
                           why);
}

/* ---- uses ---- */

enum err use_note(struct store_tx *tx, const struct ops_identity *who, struct str release,
                  struct str subscription, struct str capsule, const char *what, struct str purpose,
                  struct arena *arena, struct why *why)
{
    char id[UUID_TEXT];
    return store_exec(
        tx,
        "INSERT INTO release_uses (id, release, subscription, capsule, tenant, actor, "
        "what, purpose, used_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        STORE_ARGS(SV_C(uuid7(id)), SV_STR(release), SV_STR(subscription), SV_STR(capsule),
                   SV_STR(who->tenant), SV_STR(ops_actor(who, arena)), SV_C(what), SV_STR(purpose),
                   SV_INT(time_now_ms())),
        NULL, why);
}

enum err subscription_use(struct store_tx *tx, const struct ops_identity *who, struct str id,
                          struct str capsule, const char *what, struct str purpose, bool count,
                          struct arena *arena, struct str *release, struct why *why)
{
    static const struct {
        const char *state, *words;
    } refusals[] = {
        {"requested", "the subscription is not approved yet"},
        {"refused", "the subscription was refused"},
        {"revoked", "the subscription was revoked"},
        {"ended", "the subscription was ended"},
        {"expired", "the time of the subscription is over"},
        {"used_up", "the subscription is used up"},
        {"withdrawn", "the release was withdrawn"},
    };
    struct subscription s;
    int64_t changed = 0;
    enum err err = find(tx, who, id, arena, &s, why);
    if (!err && !str_eq(s.tenant, who->tenant))
        err = err_set(why, ERR_FORBIDDEN, "it is the subscription of another tenant");
    if (err)
        return err;
    const char *state = state_of(&s);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (!strcmp(state, refusals[i].state))
            return err_set(why, ERR_FORBIDDEN, "%s", refusals[i].words);
    *release = s.release;
    if (!count)
        return ERR_OK;
    err = store_exec(tx,
                     "UPDATE release_subscriptions SET uses = uses + 1 WHERE id = ? AND (uses_most "
                     "= 0 OR uses < uses_most)",
                     STORE_ARGS(SV_STR(id)), &changed, why);
    if (!err && !changed)
        err = err_set(why, ERR_FORBIDDEN, "the subscription is used up");
    return err ? err : use_note(tx, who, s.release, id, capsule, what, purpose, arena, why);
}

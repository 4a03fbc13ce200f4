/* release/release_http - the routes of reports, gates, releases, capsules, catalogue,
 * subscriptions. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "http/http.h"
#include "release/room.h"

#define BODY ((size_t)256 << 10)

static struct release *room(struct http_request *req)
{
    return http_ctx(req);
}

static const struct ops_identity *who(struct http_request *req)
{
    return http_identity(req);
}

static struct str id_of(struct http_request *req)
{
    return http_param(req, "id");
}

static enum err done(struct http_response *res, enum err err)
{
    if (!err)
        http_status(res, 204);
    return err;
}

/* ---- reports ---- */

static enum err make_report(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    char id[UUID_TEXT], job[UUID_TEXT];
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = release_report_make(room(req), who(req), body, id, job, why);
    if (!err)
        job_accepted(res, id, job, "release.report");
    return err;
}

static enum err list_reports(struct http_request *req, struct http_response *res, struct why *why)
{
    return release_reports_json(room(req), who(req), http_param(req, "dataset"), http_arena(req),
                                http_json(res), why);
}

static enum err show_report(struct http_request *req, struct http_response *res, struct why *why)
{
    return release_report_json(room(req), who(req), id_of(req), http_arena(req), http_json(res),
                               why);
}

/* ---- gates ---- */

static enum err list_risks(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    release_risks_json(http_json(res));
    return ERR_OK;
}

static enum err make_gate(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    char id[UUID_TEXT], job[UUID_TEXT];
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = release_gate_make(room(req), who(req), body, id, job, why);
    if (!err)
        job_accepted(res, id, job, "release.gate");
    return err;
}

static enum err list_gates(struct http_request *req, struct http_response *res, struct why *why)
{
    return release_gates_json(room(req), who(req), http_param(req, "dataset"),
                              http_param(req, "state"), http_arena(req), http_json(res), why);
}

static enum err show_gate(struct http_request *req, struct http_response *res, struct why *why)
{
    return release_gate_json(room(req), who(req), id_of(req), http_arena(req), http_json(res), why);
}

static enum err decide_gate(struct http_request *req, struct http_response *res, struct why *why)
{
    bool passed;
    enum err err = release_gate_decide(room(req), who(req), id_of(req), &passed, why);
    return err ? err : show_gate(req, res, why);
}

static enum err cancel_gate(struct http_request *req, struct http_response *res, struct why *why)
{
    return done(res, release_gate_cancel(room(req), who(req), id_of(req), why));
}

static enum err claim_samples(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    enum err err = http_body_json(req, &body, why);
    return err ? err
               : release_samples_claim(room(req), who(req), body, http_arena(req), http_json(res),
                                       why);
}

static enum err list_samples(struct http_request *req, struct http_response *res, struct why *why)
{
    struct release_samples_filter filter = {.gate = http_param(req, "gate"),
                                            .kind = http_param(req, "kind"),
                                            .verdict = http_param(req, "verdict"),
                                            .source = http_param(req, "source"),
                                            .after = http_param_int(req, "after", 0),
                                            .limit = http_param_limit(req, 50, 200)};
    return release_samples_json(room(req), who(req), &filter, http_arena(req), http_json(res), why);
}

static enum err judge_sample(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    enum err err = http_body_json(req, &body, why);
    return done(res, err ? err : release_sample_judge(room(req), who(req), id_of(req), body, why));
}

/* ---- releases ---- */

static enum err make_release(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    char id[UUID_TEXT], job[UUID_TEXT];
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = release_make(room(req), who(req), body, id, job, why);
    if (!err)
        job_accepted(res, id, job, "release.make");
    return err;
}

static enum err list_releases(struct http_request *req, struct http_response *res, struct why *why)
{
    return release_list_json(room(req), who(req), http_param(req, "dataset"), http_arena(req),
                             http_json(res), why);
}

static enum err show_release(struct http_request *req, struct http_response *res, struct why *why)
{
    return release_one_json(room(req), who(req), id_of(req), http_arena(req), http_json(res), why);
}

static enum err send_named(struct http_request *req, struct http_response *res, const char *name,
                           struct why *why)
{
    struct str text;
    enum err err = release_file(room(req), who(req), id_of(req), name, http_arena(req), &text, why);
    if (!err)
        http_send(res, "application/json", text);
    return err;
}

static enum err send_manifest(struct http_request *req, struct http_response *res, struct why *why)
{
    return send_named(req, res, "manifest.json", why);
}

static enum err send_signature(struct http_request *req, struct http_response *res, struct why *why)
{
    return send_named(req, res, "signature.json", why);
}

/* The release of the address goes into the body. */
static enum err with_release(struct http_request *req, const struct json *body,
                             const struct json **out, struct why *why)
{
    struct buf buf;
    struct json_out json;
    void *iter = NULL;
    struct str key;
    const struct json *value;
    buf_init(&buf, http_arena(req));
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "release", id_of(req));
    while (json_each(body, &iter, &key, &value)) {
        char *name = str_z(http_arena(req), key);
        if (!name || str_eq_c(key, "release"))
            continue;
        json_key(&json, name);
        json_put_value(&json, value);
    }
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    return err ? err : json_parse(buf_str(&buf), http_arena(req), out, why);
}

static enum err export_release(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    char job[UUID_TEXT];
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = with_release(req, body, &body, why);
    if (!err)
        err = release_export(room(req), who(req), body, job, why);
    if (!err)
        job_accepted(res, NULL, job, "release.export");
    return err;
}

static enum err fetch_export(struct http_request *req, struct http_response *res, struct why *why)
{
    const char *path;
    struct str name;
    enum err err =
        release_export_path(room(req), who(req), id_of(req), http_arena(req), &path, &name, why);
    char *z = err ? NULL : str_z(http_arena(req), name);
    if (!err && !z)
        err = err_set(why, ERR_NO_MEMORY, "could not send the file");
    return err ? err : http_send_file(res, path, "application/octet-stream", z, why);
}

static enum err list_keys(struct http_request *req, struct http_response *res, struct why *why)
{
    return release_keys_json(room(req), who(req), http_arena(req), http_json(res), why);
}

static enum err rotate_keys(struct http_request *req, struct http_response *res, struct why *why)
{
    return done(res, release_keys_rotate(room(req), who(req), why));
}

/* ---- capsules ---- */

static enum err list_capsules(struct http_request *req, struct http_response *res, struct why *why)
{
    return release_capsules_json(room(req), who(req), http_arena(req), http_json(res), why);
}

static enum err fetch_capsule(struct http_request *req, struct http_response *res, struct why *why)
{
    const char *path;
    char name[64];
    enum err err =
        release_capsule_path(room(req), who(req), id_of(req), http_arena(req), &path, why);
    (void)snprintf(name, sizeof name, "%.*s.capsule", SHOW(id_of(req)));
    return err ? err : http_send_file(res, path, "application/octet-stream", name, why);
}

static void remove_file(void *path)
{
    (void)unlink(path);
}

/* The file is gone from the folder when the answer has been sent; its inode is held by it. */
static enum err open_capsule(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    struct str purpose = STR_NONE;
    char uuid[UUID_TEXT], name[64];
    struct arena *arena = http_arena(req);
    struct release *r = room(req);
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = text_of(body, "purpose", 2, 500, &purpose, why);
    char *path = str_z(arena, str_printf(arena, "%s/.%s.opened", r->exports, uuid7(uuid)));
    if (!err && !path)
        err = err_set(why, ERR_NO_MEMORY, "could not open the capsule");
    if (!err)
        err = file_make_dirs(r->exports, why);
    if (!err)
        err = release_capsule_unpack(r, who(req), id_of(req), purpose, path, why);
    if (err)
        return err;
    (void)snprintf(name, sizeof name, "%.*s.tar", SHOW(id_of(req)));
    err = http_send_file(res, path, "application/x-tar", name, why);
    if (arena_defer(arena, remove_file, path) != 0)
        remove_file(path);
    return err;
}

static enum err reason_of(struct http_request *req, struct str *out, struct why *why)
{
    const struct json *body = NULL;
    enum err err = http_body_json(req, &body, why);
    return err ? err : text_of(body, "reason", 2, 300, out, why);
}

static enum err revoke_capsule(struct http_request *req, struct http_response *res, struct why *why)
{
    struct str reason;
    enum err err = reason_of(req, &reason, why);
    return done(res,
                err ? err : release_capsule_revoke(room(req), who(req), id_of(req), reason, why));
}

/* ---- catalogue ---- */

static enum err search(struct http_request *req, struct http_response *res, struct why *why)
{
    int64_t from = http_param_int(req, "after", 0);
    struct release_search s = {.find = http_param(req, "find"),
                               .industry = http_param(req, "industry"),
                               .grade = http_param(req, "grade"),
                               .from = from > 0 ? (size_t)from : 0,
                               .limit = http_param_limit(req, 20, 100)};
    return release_catalogue_json(room(req), who(req), &s, http_arena(req), http_json(res), why);
}

static enum err show_offer(struct http_request *req, struct http_response *res, struct why *why)
{
    return release_offer_json(room(req), who(req), id_of(req), http_arena(req), http_json(res),
                              why);
}

static enum err put_offer(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = release_offer(room(req), who(req), id_of(req), body, why);
    return err ? err : show_offer(req, res, why);
}

static enum err end_offer(struct http_request *req, struct http_response *res, struct why *why)
{
    return done(res, release_offer_end(room(req), who(req), id_of(req), why));
}

/* ---- subscriptions ---- */

static enum err subscribe(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    char id[UUID_TEXT];
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = release_subscribe(room(req), who(req), body, id, why);
    if (err)
        return err;
    http_created(res, str_c(id));
    return ERR_OK;
}

static enum err list_subscriptions(struct http_request *req, struct http_response *res,
                                   struct why *why)
{
    return release_subscriptions_json(room(req), who(req), http_param(req, "side"),
                                      http_param(req, "state"), http_arena(req), http_json(res),
                                      why);
}

static enum err show_subscription(struct http_request *req, struct http_response *res,
                                  struct why *why)
{
    return release_subscription_json(room(req), who(req), id_of(req), http_arena(req),
                                     http_json(res), why);
}

static enum err act_on(struct http_request *req, struct http_response *res, const char *act,
                       struct why *why)
{
    const struct json *body = NULL;
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = release_subscription_act(room(req), who(req), id_of(req), act, body, why);
    return err ? err : show_subscription(req, res, why);
}

static enum err approve(struct http_request *req, struct http_response *res, struct why *why)
{
    return act_on(req, res, "approve", why);
}

static enum err refuse(struct http_request *req, struct http_response *res, struct why *why)
{
    return act_on(req, res, "refuse", why);
}

static enum err revoke_it(struct http_request *req, struct http_response *res, struct why *why)
{
    return act_on(req, res, "revoke", why);
}

static enum err end_it(struct http_request *req, struct http_response *res, struct why *why)
{
    return act_on(req, res, "end", why);
}

/* One use: an export or a capsule, as a job. */
static enum err use_it(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL, *ask = NULL;
    char job[UUID_TEXT];
    enum err err = http_body_json(req, &body, why);
    struct str form = json_get_str(body, "form", STR("")),
               purpose = json_get_str(body, "purpose", STR("")),
               suite = json_get_str(body, "suite", STR(""));
    if (!err) {
        struct str text = detail_of(http_arena(req), "subscription", id_of(req), "form", form,
                                    "purpose", purpose, "suite", suite, NULL);
        err = text.ptr ? json_parse(text, http_arena(req), &ask, why)
                       : err_set(why, ERR_NO_MEMORY, "could not read the request");
    }
    if (!err)
        err = release_export(room(req), who(req), ask, job, why);
    if (!err)
        job_accepted(res, NULL, job, "release.export");
    return err;
}

/* ---- the table ---- */

#define OBJECT(required, properties)                                                               \
    "{\"type\":\"object\",\"required\":[" required "],\"properties\":{" properties "}}"
#define TEXT(name)   "\"" name "\":{\"type\":\"string\"}"
#define NUMBER(name) "\"" name "\":{\"type\":\"integer\"}"

static const char report_schema[] =
    OBJECT("\"dataset\"", TEXT("dataset") "," NUMBER("version") "," NUMBER("sample"));
static const char gate_schema[] =
    OBJECT("\"dataset\",\"purpose\"",
           TEXT("dataset") "," NUMBER(
               "version") ",\"purpose\":{\"enum\":[\"training\",\"evaluation\","
                          "\"knowledge\",\"sharing\"]}," NUMBER(
                              "sample") ",\"share\":{\"type\":\"number\"}," NUMBER("seed"));
static const char claim_schema[] =
    OBJECT("\"gate\"", TEXT("gate") ",\"kind\":{\"enum\":[\"manual\",\"hit\"]}," NUMBER("n"));
static const char judge_schema[] = OBJECT("\"verdict\"", TEXT("verdict") "," TEXT("comment"));
static const char make_schema[] =
    OBJECT("\"gate\",\"name\"", TEXT("gate") "," TEXT("name") "," TEXT("title") "," TEXT("note"));
static const char export_schema[] =
    OBJECT("\"form\"", "\"form\":{\"enum\":[\"directory\",\"jsonl\",\"text\",\"openai\","
                       "\"sharegpt\",\"alpaca\",\"dpo\",\"capsule\"]}," TEXT("to") "," TEXT(
                           "suite") "," NUMBER("uses") "," TEXT("ends_at") "," TEXT("purpose"));
static const char use_schema[] =
    OBJECT("\"form\",\"purpose\"", TEXT("form") "," TEXT("purpose") "," TEXT("suite"));
static const char reason_schema[] = OBJECT("\"reason\"", TEXT("reason"));
static const char purpose_schema[] = OBJECT("\"purpose\"", TEXT("purpose"));
static const char offer_schema[] = OBJECT(
    "\"title\"",
    TEXT("title") "," TEXT("summary") "," TEXT("industry") "," TEXT(
        "price_note") ",\"fields\":{\"type\":\"array\"},\"tenants\":{\"type\":\"array\",\"items\":{"
                      "\"type\":\"string\"}}");
static const char subscribe_schema[] =
    OBJECT("\"release\",\"purpose\"",
           TEXT("release") "," TEXT("purpose") "," NUMBER("uses") "," TEXT("ends_at"));
static const char grant_schema[] = OBJECT("", NUMBER("uses") "," TEXT("ends_at") "," TEXT("note"));
static const char note_schema[] = OBJECT("", TEXT("note"));

static const struct http_param id_param[] = {{"id", "uuid", "Its id", true, true}};
static const struct http_param sample_param[] = {
    {"id", "string", "<gate>-m<number> or <gate>-h<number>", true, true}};
static const struct http_param set_params[] = {
    {"dataset", "string", "Only of this data set", false, false}};
static const struct http_param gates_params[] = {
    {"dataset", "string", "Only of this data set", false, false},
    {"state", "string", "queued, running, judging, passed, failed, cancelled or withdrawn", false,
     false},
};
static const struct http_param samples_params[] = {
    {"gate", "uuid", "The gate", false, true},
    {"kind", "string", "manual, hit or any", false, false},
    {"verdict", "string", "open, ok, bad, or the code of a risk", false, false},
    {"source", "string", "Only of this source", false, false},
    {"after", "integer", "Number of the record before", false, false},
    {"limit", "integer", "At most so many, 50 unless told", false, false},
};
static const struct http_param search_params[] = {
    {"find", "string", "Words", false, false},
    {"industry", "string", "Only of this industry", false, false},
    {"grade", "string", "public, staff, department or restricted", false, false},
    {"after", "integer", "As \"next\" gave it", false, false},
    {"limit", "integer", "At most so many, 20 unless told", false, false},
};
static const struct http_param sides_params[] = {
    {"side", "string", "mine (asked for) or theirs (asked of us)", false, false},
    {"state", "string", "requested, approved, used_up ...", false, false},
};

#define PARAMS(p) p, sizeof(p) / sizeof(p)[0]
#define NONE      NULL, 0
#define GET(path, summary, fn, ...)                                                                \
    {                                                                                              \
        "GET", path, HTTP_SESSION, NULL, 0, summary, NULL, NULL, __VA_ARGS__, fn, false, false     \
    }
#define PUT(method, path, permission, summary, schema, fn, ...)                                    \
    {                                                                                              \
        method, path, HTTP_SESSION, permission, BODY, summary, schema, NULL, __VA_ARGS__, fn,      \
            false, false                                                                           \
    }

static const struct http_route routes[] = {
    GET("/api/risks", "The risks that a judge may name", list_risks, NONE),
    PUT("POST", "/api/quality_reports", "data.read", "Have the quality of a version reported",
        report_schema, make_report, NONE),
    GET("/api/quality_reports", "Quality reports, newest first", list_reports, PARAMS(set_params)),
    GET("/api/quality_reports/{id}", "One report with every measure", show_report,
        PARAMS(id_param)),
    PUT("POST", "/api/gates", "release.make", "Put a version through the gate", gate_schema,
        make_gate, NONE),
    GET("/api/gates", "Gates, newest first", list_gates, PARAMS(gates_params)),
    GET("/api/gates/{id}", "One gate with every rule", show_gate, PARAMS(id_param)),
    PUT("POST", "/api/gates/{id}/decision", "release.make", "Decide the gate, for good", NULL,
        decide_gate, PARAMS(id_param)),
    PUT("POST", "/api/gates/{id}/cancellation", "release.make", "Give the gate up", NULL,
        cancel_gate, PARAMS(id_param)),
    GET("/api/gate_samples", "Records of a gate's samples", list_samples, PARAMS(samples_params)),
    PUT("POST", "/api/gate_samples/claims", NULL, "Borrow records to judge", claim_schema,
        claim_samples, NONE),
    PUT("PUT", "/api/gate_samples/{id}", NULL, "Judge a record", judge_schema, judge_sample,
        PARAMS(sample_param)),
    PUT("POST", "/api/releases", "release.make", "Release what passed a gate", make_schema,
        make_release, NONE),
    GET("/api/releases", "Releases of the tenant, newest first", list_releases, PARAMS(set_params)),
    GET("/api/releases/{id}", "One release with card, signature and uses", show_release,
        PARAMS(id_param)),
    GET("/api/releases/{id}/manifest", "The manifest as it was signed", send_manifest,
        PARAMS(id_param)),
    GET("/api/releases/{id}/signature", "Its signatures", send_signature, PARAMS(id_param)),
    PUT("POST", "/api/releases/{id}/exports", NULL, "Export a release, or make a capsule of it",
        export_schema, export_release, PARAMS(id_param)),
    GET("/api/release_exports/{id}", "The file that an export (its job) made", fetch_export,
        PARAMS(id_param)),
    GET("/api/release_keys", "The public keys of the tenant", list_keys, NONE),
    PUT("POST", "/api/release_keys", "release.approve", "Make new keys", NULL, rotate_keys, NONE),
    GET("/api/capsules", "Capsules made for others and for us", list_capsules, NONE),
    GET("/api/capsules/{id}/file", "The sealed file", fetch_capsule, PARAMS(id_param)),
    PUT("POST", "/api/capsules/{id}/openings", "release.use", "Open a capsule: a tar archive",
        purpose_schema, open_capsule, PARAMS(id_param)),
    PUT("POST", "/api/capsules/{id}/revocation", "release.approve", "Revoke a capsule",
        reason_schema, revoke_capsule, PARAMS(id_param)),
    GET("/api/catalogue", "What is offered to the tenant", search, PARAMS(search_params)),
    GET("/api/catalogue/{id}", "One offer, by its release", show_offer, PARAMS(id_param)),
    PUT("PUT", "/api/catalogue/{id}", "release.make", "Offer a release", offer_schema, put_offer,
        PARAMS(id_param)),
    PUT("DELETE", "/api/catalogue/{id}", "release.make", "Take an offer back", NULL, end_offer,
        PARAMS(id_param)),
    PUT("POST", "/api/subscriptions", "release.use", "Ask for a release", subscribe_schema,
        subscribe, NONE),
    GET("/api/subscriptions", "Subscriptions of either side", list_subscriptions,
        PARAMS(sides_params)),
    GET("/api/subscriptions/{id}", "One subscription with every use", show_subscription,
        PARAMS(id_param)),
    PUT("POST", "/api/subscriptions/{id}/approval", "release.approve", "Approve it", grant_schema,
        approve, PARAMS(id_param)),
    PUT("POST", "/api/subscriptions/{id}/refusal", "release.approve", "Refuse it", note_schema,
        refuse, PARAMS(id_param)),
    PUT("POST", "/api/subscriptions/{id}/revocation", "release.approve", "Revoke it", note_schema,
        revoke_it, PARAMS(id_param)),
    PUT("POST", "/api/subscriptions/{id}/end", "release.use", "End the own subscription",
        note_schema, end_it, PARAMS(id_param)),
    PUT("POST", "/api/subscriptions/{id}/uses", "release.use", "Use it: an export or a capsule",
        use_schema, use_it, PARAMS(id_param)),
};

const struct http_table *release_routes(struct release *release)
{
    static const struct http_table none = {.room = "release"};
    struct http_table *table = release->table ? release->table : calloc(1, sizeof *table);
    if (!table)
        return &none;
    *table = (struct http_table){
        .room = "release", .routes = routes, .n = sizeof routes / sizeof routes[0], .ctx = release};
    release->table = table;
    return table;
}

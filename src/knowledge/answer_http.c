/* The routes of asking and learning: /api/ask, feedback, reviews, unanswered, overview. */
#include "knowledge/answer_http.h"

#include "core/arena.h"
#include "knowledge/papers.h"

#define ASK_BODY      65536
#define MOST_TURNS    20
#define FEEDBACK_BODY 16384

const struct ops_identity *knowledge_asker(struct http_request *req, struct ops_identity *resident)
{
    const struct ops_identity *who = http_identity(req);
    if (who)
        return who;
    *resident = ops_public(OPS_HOME);
    resident->address = str_c(http_address(req));
    resident->trace = str_c(http_trace_id(req));
    return resident;
}

static enum err read_turns(const struct json *body, struct arena *arena, struct knowledge_ask *ask,
                           struct why *why)
{
    const struct json *list = json_get(body, "turns");
    size_t n = json_len(list), skip = n > MOST_TURNS ? n - MOST_TURNS : 0;
    struct knowledge_turn *turns = arena_array(arena, struct knowledge_turn, n ? n : 1);
    if (!turns)
        return err_set(why, ERR_NO_MEMORY, "could not hold the conversation");
    for (size_t i = skip; i < n; i++)
        turns[i - skip] = (struct knowledge_turn){json_get_str(json_at(list, i), "role", STR("")),
                                                  json_get_str(json_at(list, i), "text", STR(""))};
    ask->turns = turns;
    ask->n_turns = n - skip;
    return ERR_OK;
}

static enum err read_ask(struct http_request *req, struct knowledge_ask *ask, struct why *why)
{
    const struct json *body;
    enum err err = http_body_json(req, &body, why);
    if (err)
        return err;
    struct str day = json_get_str(body, "as_of", STR("")), kb = json_get_str(body, "kb", STR(""));
    *ask = (struct knowledge_ask){
        .query = {.text = json_get_str(body, "question", STR("")), .as_of = DAY_NONE},
        .record = true};
    ask->query.kb = str_z(http_arena(req), kb);
    if (day.len && !day_parse(day, &ask->query.as_of))
        return err_set(why, ERR_INVALID, "\"as_of\" is no date: \"%.*s\"", STR_FMT(day));
    if (ask->query.text.len == 0)
        return err_set(why, ERR_INVALID, "\"question\" is missing");
    return ask->query.kb ? read_turns(body, http_arena(req), ask, why)
                         : err_set(why, ERR_NO_MEMORY, "could not hold the question");
}

static enum err ask(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops_identity resident;
    struct knowledge_ask question;
    struct knowledge_answer answer;
    enum err err = read_ask(req, &question, why);
    if (!err)
        err = knowledge_ask(http_ctx(req), knowledge_asker(req, &resident), &question,
                            http_arena(req), &answer, why);
    if (!err)
        knowledge_answer_json(&answer, http_json(res));
    return err;
}

/* ---- the same as a stream: what is being done, each quote, the answer ---- */

struct stream {
    struct knowledge *k;
    struct ops_identity who;
    struct knowledge_ask question;
    struct arena *arena;
    int step;
};

static enum err stream_answer(struct stream *s, struct buf *out, struct why *why)
{
    struct knowledge_answer answer;
    struct buf buf;
    struct json_out json;
    enum err err = knowledge_ask(s->k, &s->who, &s->question, s->arena, &answer, why);
    if (err)
        return err;
    for (size_t i = 0; i < answer.n_quotes; i++) {
        buf_init(&buf, s->arena);
        json_quote(&buf, answer.quotes[i].text);
        http_event(out, "quote", buf_str(&buf));
    }
    buf_init(&buf, s->arena);
    json_out_init(&json, &buf);
    knowledge_answer_json(&answer, &json);
    err = buf_err(&buf, why);
    if (!err)
        http_event(out, "answer", buf_str(&buf));
    return err;
}

static enum err stream_next(void *ctx, struct buf *out, bool *end, struct why *why)
{
    struct stream *s = ctx;
    switch (s->step++) {
    case 0:
        http_event(out, "status", STR("{\"phase\":\"searching\"}"));
        return ERR_OK;
    case 1:
        return stream_answer(s, out, why);
    default:
        http_event(out, "end", STR("{}"));
        *end = true;
        return ERR_OK;
    }
}

static void stream_done(void *ctx)
{
    (void)ctx; /* everything lives in the request's arena */
}

static enum err ask_stream(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops_identity resident;
    struct stream *s = arena_one(http_arena(req), struct stream);
    if (!s)
        return err_set(why, ERR_NO_MEMORY, "could not hold the question");
    s->k = http_ctx(req);
    s->arena = http_arena(req);
    s->who = *knowledge_asker(req, &resident);
    enum err err = read_ask(req, &s->question, why);
    if (!err)
        http_stream(res, stream_next, stream_done, s);
    return err;
}

/* ---- opinions ---- */

static enum err feedback(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops_identity resident;
    const struct json *body;
    enum papers_verdict verdict;
    char *id = str_z(http_arena(req), http_param(req, "id"));
    enum err err = id ? http_body_json(req, &body, why) : ERR_NO_MEMORY;
    if (!err)
        err = papers_verdict_parse(json_get_str(body, "verdict", STR("")), &verdict, why);
    if (!err)
        err = papers_feedback(http_ctx(req), knowledge_asker(req, &resident), id, verdict,
                              json_get_str(body, "comment", STR("")),
                              json_get_str(body, "correction", STR("")),
                              json_get_bool(body, "consent", false), why);
    if (!err)
        http_status(res, 204);
    return err;
}

static enum err reviews(struct http_request *req, struct http_response *res, struct why *why)
{
    struct arena *arena = http_arena(req);
    char *state = str_z(arena, http_param(req, "state")),
         *after = str_z(arena, http_param(req, "after"));
    if (!state || !after)
        return err_set(why, ERR_NO_MEMORY, "could not list the reviews");
    return papers_reviews_json(http_ctx(req), http_identity(req), state, after,
                               http_param_limit(req, 50, 200), arena, http_json(res), why);
}

typedef enum err decide_fn(struct knowledge *k, const struct ops_identity *who, const char *id,
                           const struct papers_decision *decision, struct arena *arena,
                           struct why *why);

static enum err decide(struct http_request *req, struct http_response *res, decide_fn *fn,
                       struct why *why)
{
    const struct json *body;
    char *id = str_z(http_arena(req), http_param(req, "id"));
    enum err err = id ? http_body_json(req, &body, why) : ERR_NO_MEMORY;
    if (err)
        return err;
    struct papers_decision decision = {.action = json_get_str(body, "action", STR("")),
                                       .question = json_get_str(body, "question", STR("")),
                                       .answer = json_get_str(body, "answer", STR("")),
                                       .kb = json_get_str(body, "kb", STR(""))};
    err = fn(http_ctx(req), http_identity(req), id, &decision, http_arena(req), why);
    if (!err)
        http_status(res, 204);
    return err;
}

static enum err review(struct http_request *req, struct http_response *res, struct why *why)
{
    return decide(req, res, papers_review, why);
}

static enum err settle(struct http_request *req, struct http_response *res, struct why *why)
{
    return decide(req, res, papers_settle, why);
}

static int days_of(struct http_request *req, int fallback)
{
    int64_t days = http_param_int(req, "days", fallback);
    return days < 1 ? 1 : days > 3650 ? 3650 : (int)days;
}

static enum err unanswered(struct http_request *req, struct http_response *res, struct why *why)
{
    return papers_unanswered_json(http_ctx(req), http_identity(req), days_of(req, 90),
                                  http_arena(req), http_json(res), why);
}

static enum err overview(struct http_request *req, struct http_response *res, struct why *why)
{
    return papers_overview_json(http_ctx(req), http_identity(req), days_of(req, 30),
                                http_arena(req), http_json(res), why);
}

static enum err ask_info(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops_identity resident;
    return knowledge_bases_json(http_ctx(req), knowledge_asker(req, &resident), http_arena(req),
                                http_json(res), why);
}

#define ASK_SCHEMA                                                                                 \
    "{\"type\":\"object\",\"required\":[\"question\"],\"properties\":{\"kb\":{\"type\":"           \
    "\"string\"},"                                                                                 \
    "\"question\":{\"type\":\"string\"},\"as_of\":{\"type\":\"string\",\"format\":\"date\"},"      \
    "\"turns\":{\"type\":\"array\","                                                               \
    "\"items\":{\"type\":\"object\",\"properties\":{\"role\":{\"type\":\"string\"},\"text\":{"     \
    "\"type\":\"string\"}}}}}}"

#define DECISION                                                                                   \
    "{\"type\":\"object\",\"required\":[\"action\"],\"properties\":{\"action\":{\"enum\":["        \
    "\"make_faq\",\"dismiss\"]},\"question\":{\"type\":\"string\"},\"answer\":{\"type\":"          \
    "\"string\"},"                                                                                 \
    "\"kb\":{\"type\":\"string\"}}}"

static const struct http_param id_param[] = {
    {"id", "uuid", "The answer or the review", true, true}};
static const struct http_param days_param[] = {
    {"days", "integer", "How many days back", false, false}};
static const struct http_param review_params[] = {
    {"state", "string", "open, done, or empty for all", false, false},
    {"limit", "integer", "At most so many", false, false},
    {"after", "string", "The cursor \"next\" of the page before", false, false},
};

const struct http_route answer_routes[] = {
    {.method = "POST",
     .path = "/api/ask",
     .access = HTTP_PUBLIC,
     .body_limit = ASK_BODY,
     .summary =
         "Ask; exact quotes with their sources, or a refusal. Without an account: public bases",
     .request_schema = ASK_SCHEMA,
     .handle = ask},
    {.method = "POST",
     .path = "/api/ask/stream",
     .access = HTTP_PUBLIC,
     .body_limit = ASK_BODY,
     .summary = "Ask, with the answer as server-sent events: status, quote, answer, end",
     .request_schema = ASK_SCHEMA,
     .handle = ask_stream},
    {.method = "GET",
     .path = "/api/public/ask-info",
     .access = HTTP_PUBLIC,
     .summary = "The bases that the caller may ask",
     .handle = ask_info},
    {.method = "POST",
     .path = "/api/answers/{id}/feedback",
     .access = HTTP_PUBLIC,
     .body_limit = FEEDBACK_BODY,
     .summary = "Say what an answer is worth",
     .request_schema = "{\"type\":\"object\",\"required\":[\"verdict\"],\"properties\":{"
                       "\"verdict\":{\"enum\":[\"up\","
                       "\"down\",\"wrong\",\"missing\"]},\"comment\":{\"type\":\"string\"},"
                       "\"correction\":{\"type\":"
                       "\"string\"}}}",
     .params = id_param,
     .n_params = 1,
     .handle = feedback},
    {.method = "GET",
     .path = "/api/reviews",
     .access = HTTP_SESSION,
     .permission = "knowledge.review",
     .summary = "The steward's queue of answers that people did not like",
     .params = review_params,
     .n_params = 3,
     .handle = reviews},
    {.method = "POST",
     .path = "/api/reviews/{id}",
     .access = HTTP_SESSION,
     .permission = "knowledge.review",
     .body_limit = FEEDBACK_BODY,
     .summary = "End a review: make an FAQ pair of it, or dismiss it",
     .request_schema = DECISION,
     .params = id_param,
     .n_params = 1,
     .handle = review},
    {.method = "GET",
     .path = "/api/unanswered",
     .access = HTTP_SESSION,
     .permission = "knowledge.review",
     .summary = "Refused questions, the alike ones grouped, the most frequent first",
     .params = days_param,
     .n_params = 1,
     .handle = unanswered},
    {.method = "POST",
     .path = "/api/unanswered/{id}",
     .access = HTTP_SESSION,
     .permission = "knowledge.review",
     .body_limit = FEEDBACK_BODY,
     .summary = "Settle refused questions that are alike: make an FAQ pair, or set them aside",
     .request_schema = DECISION,
     .params = id_param,
     .n_params = 1,
     .handle = settle},
    {.method = "GET",
     .path = "/api/overview",
     .access = HTTP_SESSION,
     .permission = "knowledge.read",
     .summary = "Questions a day, how they were answered, reviews that wait",
     .params = days_param,
     .n_params = 1,
     .handle = overview},
};
const size_t answer_n_routes = sizeof answer_routes / sizeof answer_routes[0];

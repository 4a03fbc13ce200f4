/* The life of one call: read, admitted, placed; tried again or elsewhere; failed. */
#include "gateway/gateway_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/log.h"
#include "core/time.h"

#define EXCHANGE_MEMORY ((size_t)256 << 20) /* bodies of 32 MiB, once for each attempt */

/* ---- life ---- */

static void copy_who(struct exchange *x, const struct ops_identity *who)
{
    struct str *const fields[] = {&x->who.kind,  &x->who.id,      &x->who.user,
                                  &x->who.name,  &x->who.tenant,  &x->who.department,
                                  &x->who.bases, &x->who.address, &x->who.trace};
    x->who = *who;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        *fields[i] = str_copy(x->arena, *fields[i]);
        if (!fields[i]->ptr)
            *fields[i] = STR("");
    }
}

struct exchange *exchange_new(struct gateway *gateway, const struct ops_identity *who)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (!x || !(x->arena = arena_new(EXCHANGE_MEMORY))) {
        free(x);
        return NULL;
    }
    atomic_store(&x->refs, 1);
    x->gateway = gateway;
    pthread_mutex_init(&x->lock, NULL);
    copy_who(x, who);
    x->labels.arena = x->arena;
    x->begun_ns = time_mono_ns();
    atomic_fetch_add(&gateway->n_exchanges, 1);
    return x;
}

void exchange_ref(struct exchange *x)
{
    atomic_fetch_add(&x->refs, 1);
}

void exchange_unref(void *ctx)
{
    struct exchange *x = ctx;
    if (atomic_fetch_sub(&x->refs, 1) != 1)
        return;
    models_route_free(x->root);
    cache_give(x->cached);
    arena_free(x->call_arena);
    arena_free(x->arena);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

void exchange_drop(struct exchange *x)
{
    atomic_fetch_sub(&x->gateway->n_exchanges, 1);
    exchange_unref(x);
}

void exchange_gone(void *ctx)
{
    struct exchange *x = ctx;
    pthread_mutex_lock(&x->lock);
    x->gone = true;
    if (x->stage == STAGE_CALLING && x->asked) {
        http_asked_cancel(x->asked); /* on_end() settles */
    } else if (x->stage == STAGE_WAITING && place_drop(x)) {
        settle(x, METER_CANCELLED);
        exchange_unref(x); /* the line's */
    } else if (x->streaming && x->stage == STAGE_CALLING) {
        settle(x, METER_CANCELLED);
    }
    pthread_mutex_unlock(&x->lock);
}

/* ---- trying ---- */

void exchange_failed(struct exchange *x, bool again)
{
    if (x->gone)
        settle(x, METER_CANCELLED);
    else if (again)
        exchange_advance(x);
    else
        settle(x, x->fault.status == 504 ? METER_TIMED_OUT : METER_FAILED);
}

/* To the next of the fallbacks, with limits and prices of its own; false when there is none. */
static bool fall_back(struct exchange *x)
{
    while (x->n_fallback < x->root->n_fallbacks) {
        const struct models_route *route = x->root->fallbacks[x->n_fallback++];
        if (route->maintenance)
            continue;
        settle_drop(x);
        x->route = route;
        x->n_tried = 0;
        return settle_begin(x, false) == ERR_OK;
    }
    return false;
}

void exchange_advance(struct exchange *x)
{
    do {
        bool enough = x->n_tried >= x->gateway->limits.attempts;
        switch (enough ? PLACED_NOWHERE : place_find(x)) {
        case PLACED:
            upstream_call(x);
            return;
        case PLACED_LATER:
            return;
        case PLACED_NOWHERE:
            break;
        }
    } while (fall_back(x));
    if (!x->fault.status) {
        fault_set(&x->fault, 503, "no_upstream", "no server of the model \"%.*s\" is available",
                  STR_FMT(x->turn.model));
        x->fault.retry_after_s = 5;
    }
    settle(x, METER_FAILED);
}

/* ---- beginning ---- */

static bool does(enum models_modality modality, enum ask_door_id door)
{
    switch (door) {
    case ASK_CHAT:
    case ASK_RESPONSES:
        return modality == MODELS_CHAT || modality == MODELS_VISION;
    case ASK_COMPLETIONS:
        return modality == MODELS_CHAT || modality == MODELS_COMPLETION ||
               modality == MODELS_VISION;
    case ASK_EMBEDDINGS:
        return modality == MODELS_EMBEDDING;
    case ASK_RERANK:
        return modality == MODELS_RERANK;
    default:
        return true;
    }
}

static enum err find_route(struct exchange *x, struct why *why)
{
    struct models *models = x->gateway->opts.models;
    struct http_client *client; /* who has to wait for a place needs the keeper to run */
    enum err err = gateway_ready(x->gateway, &client, why);
    x->generation = models ? models_generation(models) : 0;
    if (!err)
        err = models ? models_resolve(models, x->who.tenant, x->ask.model, &x->root, why)
                     : ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND) {
        fault_set(&x->fault, 404, "model_not_found",
                  "the model \"%.80s\" does not exist or you may not use it", x->turn.model.ptr);
        (void)snprintf(x->fault.param, sizeof x->fault.param, "model");
        return err;
    }
    if (err) {
        fault_of(&x->fault, err, why, "model");
        return err;
    }
    x->route = x->root;
    if (!does(x->route->modality, x->ask.door->id)) {
        fault_set(&x->fault, 400, "unsupported", "the model \"%.80s\" is for %s, not for /v1/%s",
                  x->turn.model.ptr, models_modality_name(x->route->modality), x->ask.door->path);
        (void)snprintf(x->fault.param, sizeof x->fault.param, "model");
        return ERR_INVALID;
    }
    if (x->route->maintenance) {
        struct str words = x->route->maintenance_words;
        fault_set(&x->fault, 503, "maintenance", "the model \"%.80s\" is under maintenance%s%.*s",
                  x->turn.model.ptr, words.len ? ": " : "", STR_FMT(words));
        x->fault.retry_after_s = 60;
        return ERR_UNAVAILABLE;
    }
    return ERR_OK;
}

static enum err guards_before(struct exchange *x, struct str *body)
{
    for (size_t i = 0; i < x->gateway->n_guards; i++) {
        const struct gateway_guard *guard = &x->gateway->guards[i];
        struct why why = {0};
        x->n_before = i + 1;
        if (!guard->before)
            continue;
        enum err err =
            guard->before(guard->ctx, &x->turn, x->arena, body, &x->guard_state[i], &why);
        if (err) {
            fault_of(&x->fault, err, &why, NULL);
            struct str code = str_printf(x->arena, "guard_%s", guard->name);
            x->fault.code = code.ptr ? code.ptr : "guard";
            return err;
        }
    }
    return ERR_OK;
}

/* The same conversation, or else the same person, meets the same arm and the same target. */
static void set_choice(struct exchange *x)
{
    struct str tenant = x->who.tenant, who = x->ask.user.len ? x->ask.user : x->who.id;
    uint64_t seed = hash64(tenant.ptr, tenant.len, 0);
    uint64_t prefix = x->route->sticky ? ask_prefix(&x->ask) : 0;
    if (x->route->sticky)
        x->choice = hash64(&prefix, sizeof prefix, seed);
    else if (x->route->n_arms > 1 && who.len)
        x->choice = hash64(who.ptr, who.len, seed);
    else
        x->choice = hash64(&x->begun_ns, sizeof x->begun_ns, seed ^ (uintptr_t)x);
}

/* An answer that was kept is an answer: limited, counted on a line of its own, logged. */
static bool answer_from_cache(struct exchange *x, bool no_store)
{
    const struct models_route *route = x->route;
    if (!route->cache || no_store || x->ask.door->kind == METER_N_KINDS)
        return false;
    struct str scope =
        str_printf(x->arena, "%.*s\n%.*s\n%.*s\n%zu", STR_FMT(x->who.tenant), STR_FMT(route->name),
                   STR_FMT(route->version), arm_of(route, x->choice));
    ask_digest(&x->ask, scope, x->digest);
    x->keep = scope.ptr != NULL;
    x->cached = cache_take(x->gateway->cache, x->digest, time_mono_ns() / 1000000);
    if (!x->cached)
        return false;
    x->keep = false;
    x->served = x->cached->served;
    if (settle_begin(x, true)) {
        settle(x, METER_FAILED);
        return true;
    }
    x->usage = (struct reply_usage){
        .known = true, .prompt = x->cached->prompt, .completion = x->cached->completion};
    x->source = METER_UPSTREAM;
    x->reply = x->cached->stream ? STR_NONE : x->cached->body;
    struct why why = {0};
    enum err err = x->cached->stream ? upstream_replay(x, &why) : ERR_OK;
    if (err && err != ERR_FORBIDDEN)
        fault_of(&x->fault, err, &why, NULL);
    settle(x, err ? METER_FAILED : METER_OK);
    return true;
}

static enum err read(struct exchange *x, const struct ask_door *door, struct str body)
{
    char param[ASK_PARAM];
    struct why why = {0};
    enum err err = ask_read(door, body, x->arena, &x->ask, param, &why);
    x->ask.door = door;
    if (err) {
        fault_of(&x->fault, err, &why, param);
        return err;
    }
    struct str model = str_copy(x->arena, x->ask.model);
    x->ask.model = model.ptr ? model : STR("");
    x->turn = (struct gateway_turn){.who = &x->who,
                                    .path = str_c(door->path),
                                    .model = x->ask.model,
                                    .application = x->turn.application,
                                    .trace = x->who.trace,
                                    .stream = x->ask.stream,
                                    .labels = &x->labels};
    if (x->req && x->ask.priority == ASK_FIRST && !ops_may(&x->who, "model.priority"))
        x->ask.priority = ASK_NORMAL;
    return ERR_OK;
}

static enum err admit(struct exchange *x, const struct ask_door *door, struct str body)
{
    struct why why = {0};
    struct str before = body;
    /* Rooms that come through the door have asked for permissions of their own. */
    enum err err = x->req ? ops_need(&x->who, "model.use", &why) : ERR_OK;
    if (err) {
        fault_of(&x->fault, err, &why, NULL);
        return err;
    }
    err = read(x, door, body);
    if (!err)
        err = find_route(x, &why);
    if (!err)
        err = guards_before(x, &body);
    if (!err && body.ptr != before.ptr)
        err = read(x, door, body);
    return err;
}

void exchange_run(struct exchange *x, const struct ask_door *door, struct str body,
                  struct str application, bool no_store)
{
    pthread_mutex_lock(&x->lock);
    x->ask.door = door;
    x->turn.application = str_copy(x->arena, application);
    x->turn.model = STR("");
    body = str_copy(x->arena, body); /* it may be counted after the request has ended */
    if (!body.ptr)
        body = STR("");
    if (admit(x, door, body)) {
        settle(x, METER_FAILED);
    } else {
        set_choice(x);
        if (x->req)
            http_on_gone(x->req, exchange_gone, x);
        if (!answer_from_cache(x, no_store)) {
            if (settle_begin(x, false))
                settle(x, METER_FAILED);
            else
                exchange_advance(x);
        }
    }
    pthread_mutex_unlock(&x->lock);
}

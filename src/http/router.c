#include "http/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ROOMS 48

struct router {
    struct router_route *routes; /* n of them; literal segments before parameters */
    size_t n;
    size_t first[TARGET_MOST_SEGMENTS + 2]; /* where the routes with that many segments begin */
    size_t first_param[TARGET_MOST_SEGMENTS + 1]; /* and those of them whose first is a parameter */
    const struct http_table *tables;
    size_t n_tables;
};

/* ---- metrics of a room: made once a process, never freed, for they are registered for ever ----
 */

struct room_metrics *room_metrics(const char *room)
{
    static struct room_metrics all[MOST_ROOMS];
    static const char *names[MOST_ROOMS];
    static size_t n;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct room_metrics *found = NULL;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n && !found; i++)
        if (strcmp(names[i], room) == 0)
            found = &all[i];
    if (!found && n < MOST_ROOMS) {
        found = &all[n];
        names[n++] = room;
        for (int class = 1; class < 6; class ++) {
            (void)snprintf(found->labels[class], sizeof found->labels[class],
                           "room=\"%.40s\",code=\"%dxx\"", room, class);
            found->by_class[class] = (struct metric)METRIC_INIT(
                METRIC_COUNTER, "yicheng_http_requests_total",
                "Requests answered, by room and class of status", found->labels[class]);
        }
        (void)snprintf(found->time_labels, sizeof found->time_labels, "room=\"%.40s\"", room);
        found->seconds = (struct metric)METRIC_INIT(
            METRIC_HISTOGRAM, "yicheng_http_request_seconds",
            "Time from the request line to the answer being ready", found->time_labels);
    }
    pthread_mutex_unlock(&lock);
    return found ? found : &all[0];
}

/* ---- building ---- */

static bool is_param(struct str segment)
{
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

static int compare(const void *a, const void *b)
{
    const struct router_route *x = a, *y = b;
    if (x->n_segments != y->n_segments)
        return x->n_segments < y->n_segments ? -1 : 1;
    for (size_t i = 0; i < x->n_segments; i++) {
        bool px = is_param(x->segments[i]), py = is_param(y->segments[i]);
        int order = px || py ? px - py : str_cmp(x->segments[i], y->segments[i]);
        if (order)
            return order;
    }
    return strcmp(x->route->method, y->route->method);
}

static enum err split(struct router_route *r, struct why *why)
{
    struct str rest = str_c(r->route->path), part;
    if (rest.len == 0 || rest.ptr[0] != '/')
        return err_set(why, ERR_INVALID, "route \"%s\" does not begin with '/'", r->route->path);
    rest = rest.len > 1 ? str_from(rest, 1) : STR_NONE;
    while (str_next(&rest, '/', &part)) {
        if (r->n_segments == TARGET_MOST_SEGMENTS)
            return err_set(why, ERR_INVALID, "route \"%s\" has too many parts", r->route->path);
        r->segments[r->n_segments++] = part;
    }
    return ERR_OK;
}

static enum err add(struct router_route *r, const struct http_table *table,
                    const struct http_route *route, struct why *why)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    bool known = false;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        known |= strcmp(methods[i], route->method) == 0;
    if (!known)
        return err_set(why, ERR_INVALID, "route \"%s\" has the method \"%s\"", route->path,
                       route->method);
    if (route->quick && (route->access != HTTP_PUBLIC || route->body_to_file))
        return err_set(why, ERR_INVALID, "quick route \"%s\" is not public or takes a file",
                       route->path);
    if (!route->handle)
        return err_set(why, ERR_INVALID, "route \"%s\" has no handler", route->path);
    *r =
        (struct router_route){.route = route, .table = table, .metrics = room_metrics(table->room)};
    return split(r, why);
}

static enum err sort(struct router *router, struct why *why)
{
    qsort(router->routes, router->n, sizeof router->routes[0], compare);
    for (size_t i = 1; i < router->n; i++)
        if (compare(&router->routes[i - 1], &router->routes[i]) == 0)
            return err_set(why, ERR_INVALID, "two routes take %s %s",
                           router->routes[i].route->method, router->routes[i].route->path);
    for (size_t n = 0, i = 0; n < TARGET_MOST_SEGMENTS + 2; n++) {
        while (i < router->n && router->routes[i].n_segments < n)
            i++;
        router->first[n] = i;
    }
    for (size_t n = 1; n <= TARGET_MOST_SEGMENTS; n++) {
        size_t i = router->first[n + 1];
        while (i > router->first[n] && is_param(router->routes[i - 1].segments[0]))
            i--;
        router->first_param[n] = i;
    }
    return ERR_OK;
}

enum err router_new(const struct http_table *tables, size_t n, struct arena *arena,
                    struct router **out, struct why *why)
{
    struct router *router = arena_one(arena, struct router);
    size_t total = 0, at = 0;
    for (size_t t = 0; t < n; t++)
        total += tables[t].n;
    if (!router || !(router->routes = arena_array(arena, struct router_route, total + 1)))
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu routes", total);
    router->n = total;
    router->tables = tables;
    router->n_tables = n;
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < tables[t].n; i++) {
            enum err err = add(&router->routes[at++], &tables[t], &tables[t].routes[i], why);
            if (err)
                return err;
        }
    enum err err = sort(router, why);
    if (!err)
        *out = router;
    return err;
}

size_t router_count(const struct router *router)
{
    return router->n;
}

const struct router_route *router_at(const struct router *router, size_t i)
{
    return &router->routes[i];
}

/* ---- finding ---- */

/* An empty segment fits no parameter, so that "/api/jobs/" is not a job. */
static bool fits(const struct router_route *r, const struct target *target)
{
    for (size_t i = 0; i < r->n_segments; i++)
        if (is_param(r->segments[i]) ? target->segments[i].len == 0
                                     : !str_eq(r->segments[i], target->segments[i]))
            return false;
    return true;
}

static bool takes(const struct http_route *route, struct str method)
{
    return str_eq_c(method, route->method) ||
           (str_eq_c(method, "HEAD") && strcmp(route->method, "GET") == 0);
}

static void allow(struct router_match *out, const char *method)
{
    size_t len = strlen(out->allow);
    bool get = strcmp(method, "GET") == 0;
    if (!strstr(out->allow, method))
        (void)snprintf(out->allow + len, sizeof out->allow - len, "%s%s%s", len ? ", " : "", method,
                       get ? ", HEAD" : "");
}

/* Whose dialect an address that no route takes is answered in. */
static const struct http_table *owner(const struct router *router, struct str path)
{
    for (size_t t = 0; t < router->n_tables; t++)
        if (router->tables[t].prefix && str_starts(path, str_c(router->tables[t].prefix)))
            return &router->tables[t];
    return NULL;
}

/* Routes with that many segments, sorted by the first one, parameters last: where those begin that
 * are not before `first`. */
static size_t not_before(const struct router *router, size_t from, size_t to, struct str first)
{
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        struct str segment = router->routes[middle].segments[0];
        if (!is_param(segment) && str_cmp(segment, first) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

void router_find(const struct router *router, struct str method, const struct target *target,
                 struct router_match *out)
{
    size_t i = router->first[target->n_segments], end = router->first[target->n_segments + 1];
    struct str first = target->n_segments ? target->segments[0] : STR("");
    *out = (struct router_match){0};
    if (target->n_segments)
        i = not_before(router, i, end, first);
    for (; i < end; i++) {
        const struct router_route *r = &router->routes[i];
        if (target->n_segments && !is_param(r->segments[0]) && !str_eq(r->segments[0], first)) {
            if (router->first_param[target->n_segments] > i)
                i = router->first_param[target->n_segments] - 1;
            continue;
        }
        if (!fits(r, target))
            continue;
        out->table = r->table;
        if (takes(r->route, method)) {
            out->route = r;
            return;
        }
        allow(out, r->route->method);
    }
    if (!out->table)
        out->table = owner(router, target->path);
}

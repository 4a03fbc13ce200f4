/* yicheng meter: usage, bills and their proof, directly on a data directory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "main/command.h"

#define MEMORY    (64u << 20)
#define MOST_ROWS 10000
#define DAYS      30 /* of usage, when no day is named */

struct wanted {
    const char *tenant, *by, *step, *from, *to;
};

static enum err bits_of(const char *by, unsigned *out, struct why *why)
{
    static const char *const names[] = {"tenant", "model", "application", "key", "kind"};
    struct str rest = str_c(by), part;
    *out = 0;
    while (str_next(&rest, ',', &part)) {
        unsigned bit = 0;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (str_eq_c(part, names[i]))
                bit = 1u << i;
        if (!bit)
            return err_set(why, ERR_INVALID,
                           "--by is a list of tenant, model, application, key, kind");
        *out |= bit;
    }
    return ERR_OK;
}

static enum err day_option(const char *text, int32_t fallback, int32_t *out, struct why *why)
{
    *out = fallback;
    if (!text || day_parse(str_c(text), out))
        return ERR_OK;
    return err_set(why, ERR_INVALID, "\"%s\" is not a day, like 2026-11-22", text);
}

static enum err filter_of(const struct wanted *w, struct meter_filter *f, struct why *why)
{
    static const char *const steps[] = {"none", "hour", "day", "month"};
    int32_t from, to;
    *f = (struct meter_filter){.tenant = w->tenant, .limit = MOST_ROWS, .step = METER_STEP_DAY};
    enum err err = bits_of(w->by ? w->by : "model", &f->by, why);
    if (!err)
        err = day_option(w->to, day_today(), &to, why);
    if (!err)
        err = day_option(w->from, to - DAYS + 1, &from, why);
    if (err)
        return err;
    for (size_t i = 0; w->step && i <= sizeof steps / sizeof steps[0]; i++) {
        if (i == sizeof steps / sizeof steps[0])
            return err_set(why, ERR_INVALID, "--step is none, hour, day or month");
        f->step = (enum meter_step)i;
        if (strcmp(w->step, steps[i]) == 0)
            break;
    }
    f->from_ms = day_start_ms(from);
    f->to_ms = day_start_ms(to + 1);
    return ERR_OK;
}

static const char *when(const struct meter_filter *f, const struct meter_row *r,
                        char out[TIME_TEXT])
{
    if (f->step == METER_STEP_NONE)
        return "all";
    (void)time_format(r->at_ms, out);
    out[f->step == METER_STEP_HOUR ? 13 : f->step == METER_STEP_DAY ? 10 : 7] = '\0';
    return out;
}

static enum err print_json(const struct meter_filter *f, const struct meter_row *rows, size_t n,
                           struct arena *arena, struct why *why)
{
    struct buf buf;
    struct json_out out;
    char text[TIME_TEXT];
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_array(&out);
    for (size_t i = 0; i < n; i++) {
        const struct meter_sums *s = &rows[i].sums;
        json_begin_object(&out);
        json_kv_c(&out, "at", when(f, &rows[i], text));
        json_kv_str(&out, "tenant", rows[i].tenant);
        json_kv_str(&out, "model", rows[i].model);
        json_kv_str(&out, "application", rows[i].application);
        json_kv_str(&out, "key", rows[i].key);
        json_kv_str(&out, "kind", rows[i].kind);
        json_kv_int(&out, "calls", s->calls);
        json_kv_int(&out, "failed", s->failed);
        json_kv_int(&out, "prompt_tokens", s->prompt);
        json_kv_int(&out, "cached_tokens", s->cached);
        json_kv_int(&out, "completion_tokens", s->completion);
        json_kv_int(&out, "money_micro", s->money);
        json_end_object(&out);
    }
    json_end_array(&out);
    enum err err = buf_err(&buf, why);
    if (!err)
        printf("%.*s\n", STR_FMT(buf_str(&buf)));
    return err;
}

static void print_rows(const struct meter_filter *f, const struct meter_row *rows, size_t n)
{
    char text[TIME_TEXT];
    printf("%-13s %-40s %9s %7s %13s %13s %15s\n", "when", "what", "calls", "failed", "prompt",
           "completion", METER_CURRENCY);
    for (size_t i = 0; i < n; i++) {
        const struct meter_row *r = &rows[i];
        const struct str parts[] = {r->tenant, r->model, r->application, r->key, r->kind};
        char what[512] = "";
        size_t len = 0;
        for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++)
            if (parts[p].len && len < sizeof what - 1)
                len += (size_t)snprintf(what + len, sizeof what - len, "%s%.*s", len ? " " : "",
                                        STR_FMT(str_slice(parts[p], 0, 90)));
        printf("%-13s %-40s %9lld %7lld %13lld %13lld %8lld.%06lld\n", when(f, r, text), what,
               (long long)r->sums.calls, (long long)r->sums.failed, (long long)r->sums.prompt,
               (long long)r->sums.completion, (long long)(r->sums.money / METER_MICRO),
               (long long)(r->sums.money % METER_MICRO));
    }
}

static enum err usage(struct center *c, const struct wanted *w, struct arena *arena,
                      struct why *why)
{
    struct meter_filter f;
    struct meter_row *rows;
    size_t n;
    enum err err = filter_of(w, &f, why);
    if (!err)
        err = meter_usage_query(c->meter, &f, arena, &rows, &n, why);
    if (err)
        return err;
    if (c->opts->json)
        return print_json(&f, rows, n, arena, why);
    print_rows(&f, rows, n);
    return ERR_OK;
}

static enum err bill(struct center *c, const char *month, const struct wanted *w,
                     struct arena *arena, struct why *why)
{
    struct meter_bill b;
    struct buf buf;
    int64_t year = 0, number = 0;
    struct str text = str_c(month);
    if (text.len != 7 || text.ptr[4] != '-' || !str_to_i64(str_slice(text, 0, 4), &year) ||
        !str_to_i64(str_slice(text, 5, 7), &number))
        return err_set(why, ERR_INVALID, "\"%s\" is not a month, like 2026-11", month);
    buf_init(&buf, arena);
    enum err err = meter_bill_of(c->meter, w->tenant ? w->tenant : OPS_HOME,
                                 (int)(year * 100 + number), arena, &b, why);
    if (!err)
        err = c->opts->json ? meter_bill_json(&b, &buf, why) : meter_bill_csv(&b, &buf, why);
    if (!err)
        printf("%.*s%s", STR_FMT(buf_str(&buf)), c->opts->json ? "\n" : "");
    return err;
}

static void fault(void *ctx, const char *words)
{
    if (!*(const bool *)ctx)
        printf("FAULT %s\n", words);
}

static enum err check(struct center *c, bool *bad, struct why *why)
{
    struct meter_report r;
    bool quiet = c->opts->json;
    enum err err = meter_check(c->meter, fault, &quiet, &r, why);
    if (err)
        return err;
    *bad = r.n_faults > 0;
    if (c->opts->json)
        printf(
            "{\"faults\":%lld,\"lines\":%lld,\"batches\":%lld,\"bills\":%lld,\"expired_batches\":"
            "%lld,\"in_flight\":%lld}\n",
            (long long)r.n_faults, (long long)r.n_lines, (long long)r.n_batches,
            (long long)r.n_bills, (long long)r.n_expired, (long long)r.n_flight);
    else
        printf("%lld lines in %lld batches, %lld closed bills, %lld calls of dead processes\n%s\n",
               (long long)r.n_lines, (long long)r.n_batches, (long long)r.n_bills,
               (long long)r.n_flight, *bad ? "faults were found" : "everything fits");
    return ERR_OK;
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    bool bad = false;
    struct wanted w = {.tenant = command_option(&argc, argv, "--tenant"),
                       .by = command_option(&argc, argv, "--by"),
                       .step = command_option(&argc, argv, "--step"),
                       .from = command_option(&argc, argv, "--from"),
                       .to = command_option(&argc, argv, "--to")};
    bool is_usage = argc == 2 && strcmp(argv[1], "usage") == 0;
    bool is_bill = argc == 3 && strcmp(argv[1], "bill") == 0;
    bool is_check = argc == 2 && strcmp(argv[1], "check") == 0;
    if ((!is_usage && !is_bill && !is_check) || command_rest(argc, argv, 1, 2, &why))
        return command_usage(&command_meter);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (err)
        return command_fail("meter", err, &why);
    struct arena *arena = arena_new(MEMORY);
    if (is_check)
        err = check(&center, &bad, &why);
    else
        err = is_usage ? usage(&center, &w, arena, &why) : bill(&center, argv[2], &w, arena, &why);
    arena_free(arena);
    center_close(&center);
    return err ? command_fail("meter", err, &why) : bad;
}

const struct command command_meter = {
    .name = "meter",
    .usage = "usage [--tenant ID] [--by model,application,key,tenant,kind] [--step "
             "none|hour|day|month] [--from DAY] [--to DAY]\n"
             "bill MONTH [--tenant ID]\n"
             "check",
    .summary = "Show usage, print a bill (CSV, or JSON with --json), prove lines, sums and bills",
    .run = run,
};

/*
 * A project of 100,000 items with two people an item: what each call costs in the beginning and
 * near the end, when one person has done 99,900 of them. Prints the median and the 95th percentile.
 *
 *     BENCH_ITEMS=100000 bench_annotate
 */
#include <stdio.h>
#include <stdlib.h>

#include "annotate/desk.h"
#include "core/time.h"

#define ROUNDS 200

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void tell(const char *what, int64_t *ns, size_t n)
{
    qsort(ns, n, sizeof *ns, by_size);
    printf("%-46s median %8.2f ms   p95 %8.2f ms\n", what, (double)ns[n / 2] / 1e6,
           (double)ns[n * 95 / 100] / 1e6);
}

/* One way round of annotating: the next two, then a submission. */
static void measure_work(struct desk *d, int who, const char *when)
{
    int64_t work[ROUNDS], submit[ROUNDS];
    char title[64];
    size_t n = 0;
    for (; n < ROUNDS; n++) {
        int64_t start = time_mono_ns();
        if (desk_work(d, who, 2) == 0)
            break;
        work[n] = time_mono_ns() - start;
        struct str item = desk_item(d, 0);
        start = time_mono_ns();
        CHECK_OK(desk_submit(d, who, item, A), &d->why);
        submit[n] = time_mono_ns() - start;
    }
    if (n == 0)
        return;
    (void)snprintf(title, sizeof title, "next two items, %s", when);
    tell(title, work, n);
    (void)snprintf(title, sizeof title, "submit, %s", when);
    tell(title, submit, n);
}

static void measure_pages(struct desk *d, int64_t items)
{
    int64_t list[ROUNDS], show[ROUNDS], disputes[ROUNDS], stats[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        struct desk_call c;
        int64_t start = time_mono_ns();
        CHECK_OK(annotate_items(d->annotate, desk_ask(d, &c, &d->manager), str_c(d->project),
                                i % 2 ? STR("final") : STR(""), items * i / ROUNDS, 20, &d->why),
                 &d->why);
        list[i] = time_mono_ns() - start;
        start = time_mono_ns();
        CHECK_OK(
            annotate_show(d->annotate, desk_ask(d, &c, &d->manager), str_c(d->project), &d->why),
            &d->why);
        show[i] = time_mono_ns() - start;
        start = time_mono_ns();
        CHECK_OK(annotate_next_review(d->annotate, desk_ask(d, &c, &d->people[4]),
                                      str_c(d->project), true, &d->why),
                 &d->why);
        disputes[i] = time_mono_ns() - start;
        start = time_mono_ns();
        CHECK_OK(annotate_statistics(d->annotate, desk_ask(d, &c, &d->manager), str_c(d->project),
                                     &d->why),
                 &d->why);
        stats[i] = time_mono_ns() - start;
        if (i == 0)
            printf("%-46s        %8.2f ms\n", "statistics, computed (20,000 items)",
                   (double)stats[0] / 1e6);
    }
    tell("a page of 20 items, anywhere", list, ROUNDS);
    tell("the project page", show, ROUNDS);
    tell("the next disagreement", disputes, ROUNDS);
    tell("statistics, kept", stats, ROUNDS);
}

/* anna has done all but the last hundred, boris those below half: straight into the tables. */
static void fast_forward(struct desk *d, int64_t items)
{
    struct why why = {0};
    const struct str people[2] = {d->people[0].id, d->people[1].id};
    const int64_t upto[2] = {items - 100, items / 2};
    for (int p = 0; p < 2; p++)
        CHECK_OK(
            store_run(d->r.store,
                      "INSERT INTO annotate_labels (id, project, seq, user_id, purpose, state,"
                      " answer, pre, comment, verdict, reviewer, review_comment, fixed,"
                      " lease_ms, begun_ms, done_ms, spent_ms, review_ms, score)"
                      " SELECT project || '-' || seq || '-' || ?, project, seq, ?, 0, 1, ?, '',"
                      " '', '', '', '', '', 0, 1, 1, 4000, 0, -1.0 FROM annotate_items i"
                      " WHERE project = ? AND seq <= ? AND NOT EXISTS (SELECT 1 FROM"
                      " annotate_labels l WHERE l.project = i.project AND l.seq = i.seq"
                      " AND l.user_id = ?)",
                      STORE_ARGS(SV_STR(people[p]), SV_STR(people[p]), SV_C(A), SV_C(d->project),
                                 SV_INT(upto[p]), SV_STR(people[p])),
                      NULL, &why),
            &why);
    CHECK_OK(
        store_run(d->r.store,
                  "UPDATE annotate_items SET n_out = 0, n_done = CASE WHEN seq <= ? THEN 2"
                  " WHEN seq <= ? THEN 1 ELSE 0 END, open = CASE WHEN seq <= ? THEN 0 ELSE 1"
                  " END, state = CASE WHEN seq % 50 = 0 AND seq <= ? THEN 2 WHEN seq <= ? THEN"
                  " 3 ELSE 0 END, final = CASE WHEN seq <= ? AND seq % 50 > 0 THEN ? ELSE ''"
                  " END, changed_ms = seq WHERE project = ?",
                  STORE_ARGS(SV_INT(upto[1]), SV_INT(upto[0]), SV_INT(upto[1]), SV_INT(upto[1]),
                             SV_INT(upto[1]), SV_INT(upto[1]), SV_C(A), SV_C(d->project)),
                  NULL, &why),
        &why);
    CHECK_OK(store_run(d->r.store, "DELETE FROM annotate_labels WHERE state = 0", STORE_NO_ARGS,
                       NULL, &why),
             &why);
}

TEST(what_each_call_costs)
{
    const char *text = getenv("BENCH_ITEMS");
    int64_t items = text ? atoll(text) : 100000;
    DESK(d);
    int64_t start = time_mono_ns();
    desk_dataset(&d, "letters", (int)items);
    printf("%-46s        %8.0f ms\n", "import of the data set",
           (double)(time_mono_ns() - start) / 1e6);
    start = time_mono_ns();
    desk_project(&d, "letters", "\"overlap\":2");
    printf("%-46s        %8.0f ms\n", "making the items", (double)(time_mono_ns() - start) / 1e6);
    desk_places(&d);
    measure_work(&d, 0, "at the beginning");
    fast_forward(&d, items);
    measure_work(&d, 1, "halfway, half of it done by both");
    measure_work(&d, 2, "a third person, nothing done");
    measure_work(&d, 0, "the last hundred");
    measure_pages(&d, items);
    DESK_DONE(d);
}

TESTS_MAIN()

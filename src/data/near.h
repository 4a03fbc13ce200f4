/*
 * data/near - records that are alike: clusters from pairs, and which of a cluster stays.
 *
 * note() of an operator -> keys of tables (bands, blocks) -> [near]: records with the same key in a
 * table are compared, those that are alike are joined, of every cluster one stays -> apply()
 *
 * What hangs together by pairs that are alike is one cluster ("chain"), though its ends may be less
 * alike than the threshold; or it is parted so that each is alike to the one that stays ("star").
 * Who stays depends on the records alone, not on threads or tables.
 *
 * Memory: 12 bytes a record (a file of the run beyond an eighth of what decide() may hold), and
 * parts of the keys, which are sorted through files (spill.h).
 */
#ifndef DATA_NEAR_H
#define DATA_NEAR_H

#include "data/op.h"

/* The first parameters of every operator that finds what is alike. */
enum { NEAR_KEEP, NEAR_BY, NEAR_ORDER, NEAR_CLUSTER, NEAR_MODE, NEAR_INTO, NEAR_OWN };
#define NEAR_PARAMS                                                                                \
    [NEAR_KEEP] = {"keep",                                                                         \
                   DATA_CHOICE,                                                                    \
                   0,                                                                              \
                   0,                                                                              \
                   0,                                                                              \
                   "longest|first|newest|best|order",                                              \
                   "",                                                                             \
                   "Which of a cluster stays; newest, best and order look at the field \"by\"",    \
                   "每簇保留哪一条：最长、最先、最新（按日期字段）、数值最大、按给定次序"},        \
    [NEAR_BY] = {"by",                                                                             \
                 DATA_STRING,                                                                      \
                 0,                                                                                \
                 200,                                                                              \
                 0,                                                                                \
                 "",                                                                               \
                 "",                                                                               \
                 "Path of a date, a number or a value; \"source\" is the source",                  \
                 "日期、数值或取值所在的字段路径，source 表示来源"},                               \
    [NEAR_ORDER] = {"order",                                                                       \
                    DATA_STRINGS,                                                                  \
                    0,                                                                             \
                    1000,                                                                          \
                    0,                                                                             \
                    "",                                                                            \
                    "",                                                                            \
                    "Values of \"by\", the one to keep first",                                     \
                    "by 字段各取值的优先次序，排在前面的优先保留"},                                \
    [NEAR_CLUSTER] =                                                                               \
        {"cluster",                                                                                \
         DATA_CHOICE,                                                                              \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         "star|chain",                                                                             \
         "",                                                                                       \
         "star: each is alike to the one that stays; chain: alike to another that is",             \
         "star 每条都与保留的那条相似；chain 相似关系可以传递"},                                   \
    [NEAR_MODE] = {"mode",                                                                         \
                   DATA_CHOICE,                                                                    \
                   0,                                                                              \
                   0,                                                                              \
                   0,                                                                              \
                   "drop|mark",                                                                    \
                   "",                                                                             \
                   "drop: the others go; mark: all stay and get the member \"into\"",              \
                   "drop 去掉其余；mark 全部保留，只在 into 字段标出簇号和簇大小"},                \
    [NEAR_INTO] = {"into",                                                                         \
                   DATA_STRING,                                                                    \
                   0,                                                                              \
                   80,                                                                             \
                   0,                                                                              \
                   "duplicates",                                                                   \
                   "",                                                                             \
                   "Member for the mark: {\"cluster\", \"size\", \"keep\"}",                       \
                   "标记写入的字段：簇号、簇大小、是否保留"}

/* Checks them together. ERR_INVALID. */
ERR_MUST_USE enum err near_check(const struct data_arg *args, struct why *why);

/* How much a record is to be kept, larger is better, for its note: with `length` characters. A
 * record without the field comes last; of equals the first stays. */
uint64_t near_rank(const struct data_call *call, const struct record *record, uint64_t length);

/* ---- in decide() ---- */

struct near;
/* For about n_keys in all. ERR_TOO_LARGE from 2^32 records on. Free what it gives, also after an
 * error. */
ERR_MUST_USE enum err near_new(const struct data_whole *whole, uint64_t n_keys, struct near **out,
                               struct why *why);
void near_free(struct near *near);
/* Record i has this key in this table. One thread. */
ERR_MUST_USE enum err near_put(struct near *near, uint32_t table, uint32_t key, uint64_t i,
                               struct why *why);

/*
 * Compares records with the same key and joins those that are alike. Each is compared with the
 * `window` before it in its group, in the order of the data, but for those it is joined with
 * already. `same` is called from several threads; begin() makes what one of them keeps to itself
 * (freed by end()); both may be NULL.
 */
struct near_compare {
    enum err (*same)(void *ctx, void *own, uint64_t a, uint64_t b, bool *same, struct why *why);
    void *(*begin)(void *ctx);
    void (*end)(void *own);
    void *ctx;
    size_t window;
};
ERR_MUST_USE enum err near_join(struct near *near, const struct near_compare *compare,
                                struct why *why);
/* Pairs that were compared and that were alike, so far. */
void near_counts(const struct near *near, uint64_t *compared, uint64_t *alike);

/* One verdict for every record, after near_join(). `rank_of` gives near_rank() from a note, which
 * must have a size. A chain with more than NEAR_STARS stars keeps what is left of it. */
#define NEAR_STARS 100
ERR_MUST_USE enum err near_verdicts(struct near *near, const struct data_arg *args,
                                    uint64_t (*rank_of)(struct str note), struct why *why);

/* The apply() of these operators. */
ERR_MUST_USE enum err near_apply(const struct data_call *call, struct record *record,
                                 struct str verdict, struct data_out *out, struct why *why);

#endif

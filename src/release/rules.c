#include "release/rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

bool rules_good_enough(int64_t n, int64_t n_bad, int rate)
{
    return n > 0 && (n - n_bad) * 100 >= n * rate;
}

bool rules_too_bad(int64_t n, int64_t n_bad, int most)
{
    return n_bad * 100 > n * most;
}

int64_t rules_manual(int64_t n_records, int64_t asked)
{
    int64_t n = asked > RULES_MANUAL_LEAST ? asked : RULES_MANUAL_LEAST;
    return n < n_records ? n : n_records;
}

int64_t rules_automatic(int64_t n_records, double share)
{
    /* 0.1 is a little more than a tenth: 0.1 * 10 must not become 2. */
    double s = share < RULES_AUTO_SHARE ? RULES_AUTO_SHARE : share;
    int64_t n = (int64_t)ceil(s * (double)n_records - 1e-6);
    return n < n_records ? n : n_records;
}

/* ---- risks ---- */

static const struct risk risks[] = {
#define RELEASE_RISK(code, group, harmful, title, title_en) {code, group, harmful, title, title_en},
#include "release/risks.def"
#undef RELEASE_RISK
};

static const struct {
    const char *group, *title, *title_en;
} groups[] = {
    {"A1", "违反社会主义核心价值观", "Against core values and the law"},
    {"A2", "歧视", "Discrimination"},
    {"A3", "商业违法违规", "Breach of business law"},
    {"A4", "侵犯他人合法权益", "Infringes the rights of others"},
    {"A5", "不满足特定服务的安全需求", "Not fit for services with special needs"},
};

size_t rules_n_risks(void)
{
    return sizeof risks / sizeof risks[0];
}

const struct risk *rules_risk(size_t i)
{
    return i < rules_n_risks() ? &risks[i] : NULL;
}

const struct risk *rules_risk_find(struct str code)
{
    for (size_t i = 0; i < rules_n_risks(); i++)
        if (str_eq_c(code, risks[i].code))
            return &risks[i];
    return NULL;
}

const char *rules_group_title(struct str group, bool english)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (str_eq_c(group, groups[i].group))
            return english ? groups[i].title_en : groups[i].title;
    return "";
}

/* ---- drawing ---- */

struct claim {
    struct stratum *stratum;
    double rest;   /* what rounding down left */
    uint64_t turn; /* a hash: the order among equals */
};

static int by_turn(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    return x->turn < y->turn ? -1 : x->turn > y->turn;
}

static int by_rest(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    return x->rest > y->rest ? -1 : x->rest < y->rest ? 1 : by_turn(a, b);
}

enum err rules_share_out(struct stratum *strata, size_t n, int64_t most, uint64_t seed,
                         struct why *why)
{
    struct claim *claims = calloc(n + 1, sizeof *claims);
    int64_t all = 0, left = most;
    if (!claims)
        return err_set(why, ERR_NO_MEMORY, "could not share out the sample");
    for (size_t i = 0; i < n; i++) {
        strata[i].draws = 0;
        all += strata[i].size;
        claims[i] =
            (struct claim){&strata[i], 0, hash64(strata[i].name.ptr, strata[i].name.len, seed)};
    }
    if (left > all)
        left = all;
    int64_t draws = left;
    qsort(claims, n, sizeof *claims, by_turn);
    for (size_t i = 0; i < n && left > 0; i++)
        if (claims[i].stratum->size > 0) {
            claims[i].stratum->draws = 1;
            left--;
        }
    /* The rest by size: what one has beyond its first, of what all have. */
    int64_t rest = left;
    for (size_t i = 0; i < n && rest > 0; i++) {
        struct stratum *s = claims[i].stratum;
        double due = (double)s->size * (double)draws / (double)all - (double)s->draws;
        int64_t more = due > 0 ? (int64_t)floor(due) : 0;
        if (more > s->size - s->draws)
            more = s->size - s->draws;
        if (more > left)
            more = left;
        claims[i].rest = due - (double)more;
        s->draws += more;
        left -= more;
    }
    qsort(claims, n, sizeof *claims, by_rest);
    while (left > 0)
        for (size_t i = 0; i < n && left > 0; i++)
            if (claims[i].stratum->draws < claims[i].stratum->size) {
                claims[i].stratum->draws++;
                left--;
            }
    free(claims);
    return ERR_OK;
}

/* splitmix64: Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void picker_init(struct picker *picker, int64_t size, int64_t draws, uint64_t seed)
{
    *picker = (struct picker){seed, size, draws < size ? draws : size};
}

bool picker_take(struct picker *p)
{
    if (p->left <= 0)
        return false;
    double u = (double)(next(&p->state) >> 11) * 0x1p-53;
    bool take = u * (double)p->left < (double)p->draws;
    p->left--;
    p->draws -= take;
    return take;
}

/*
 * privacy - personal data: found in text, masked, kept under lock, shown again only with papers.
 *
 *     text -> scan -> findings -> mask: remove | partial | pseudonym | vault -> text
 *                                                          token of the vault -> reveal (audited)
 *
 * Scanning and masking are pure: no store, no clock, no state; they serve the operators of data,
 * the request log of the gateway and commands without a data directory. Keys are one set a tenant,
 * numbered by generations, sealed in privacy_keys under the master key <data>/privacy.key.
 *
 * What is personal is a matter of context: the telephone of an office, a hotline, the number of a
 * document, a case, an article or an order is not. A finding therefore has a confidence; the limit
 * that is used when none is given (PRIVACY_LEAST) is the one that the README's figures are for.
 *
 * Threads: a scanner and a set of keys are immutable and serve any thread, a `struct privacy` too.
 *
 * Owns the tables privacy_*.
 */
#ifndef PRIVACY_PRIVACY_H
#define PRIVACY_PRIVACY_H

#include "core/str.h"
#include "ops/ops.h"
#include "store/store.h"

struct arena;
struct http_table;
struct json_out;
struct privacy;
struct privacy_keys;
struct privacy_scanner;

/* ---- kinds ---- */

/* name: stable, stands in data sets and tokens. Order: of two findings in the same place the one
 * that stands first here is taken. */
#define PRIVACY_KIND_MAP(X)                                                                        \
    X(ID_NUMBER, "id_number", "居民身份证号", "Resident identity number")                          \
    X(CREDIT_CODE, "credit_code", "统一社会信用代码", "Unified social credit code")                \
    X(BANK_CARD, "bank_card", "银行卡号", "Bank card number")                                      \
    X(MOBILE, "mobile", "手机号", "Mobile number")                                                 \
    X(LANDLINE, "landline", "固定电话", "Landline number")                                         \
    X(PASSPORT, "passport", "护照号", "Passport number")                                           \
    X(OFFICER_CARD, "officer_card", "军官证号", "Officer card number")                             \
    X(HK_MACAU_PERMIT, "hk_macau_permit", "港澳居民来往内地通行证号",                              \
      "Mainland travel permit of Hong Kong and Macau residents")                                   \
    X(TAIWAN_PERMIT, "taiwan_permit", "台湾居民来往大陆通行证号",                                  \
      "Mainland travel permit of Taiwan residents")                                                \
    X(RESIDENCE_PERMIT, "residence_permit", "港澳台居民居住证号",                                  \
      "Residence permit of Hong Kong, Macau and Taiwan residents")                                 \
    X(PLATE, "plate", "车牌号", "Licence plate")                                                   \
    X(EMAIL, "email", "电子邮箱", "E-mail address")                                                \
    X(IPV4, "ipv4", "IPv4 地址", "IPv4 address")                                                   \
    X(IPV6, "ipv6", "IPv6 地址", "IPv6 address")                                                   \
    X(MAC, "mac", "MAC 地址", "MAC address")                                                       \
    X(ACCOUNT, "account", "网络账号", "Account name (WeChat, QQ ...)")                             \
    X(BIRTH_DATE, "birth_date", "出生日期", "Date of birth")                                       \
    X(ADDRESS, "address", "住址", "Postal address")                                                \
    X(NAME, "name", "姓名", "Personal name")

enum privacy_kind {
#define PRIVACY_ENUM(name, text, zh, en) PRIVACY_##name,
    PRIVACY_KIND_MAP(PRIVACY_ENUM)
#undef PRIVACY_ENUM
        PRIVACY_KINDS
};
#define PRIVACY_BIT(kind) (1u << (kind))
#define PRIVACY_ALL       ((1u << PRIVACY_KINDS) - 1)
/* What is found by its form, at the speed of reading; names and addresses need the tagger. */
#define PRIVACY_NUMBERS (PRIVACY_ALL & ~(PRIVACY_BIT(PRIVACY_ADDRESS) | PRIVACY_BIT(PRIVACY_NAME)))

const char *privacy_kind_name(enum privacy_kind kind);
const char *privacy_kind_title(enum privacy_kind kind, bool english);
/* PRIVACY_KINDS when there is none of that name. */
enum privacy_kind privacy_kind_find(struct str name);
/* Names parted by ',', '|' or ' '; "all" and "numbers" count as names. ERR_INVALID names the one
 * that is wrong. */
ERR_MUST_USE enum err privacy_kinds_parse(struct str names, unsigned *kinds, struct why *why);

/* ---- scanning ---- */

#define PRIVACY_LEAST 0.6F

struct privacy_scan_opts {
    unsigned kinds;  /* PRIVACY_BIT()s; 0: PRIVACY_ALL */
    float least;     /* confidence, 0 .. 1; 0: PRIVACY_LEAST */
    bool public_too; /* also offices' telephones and what else is public */
};

struct privacy_finding {
    enum privacy_kind kind;
    size_t start, end; /* bytes of the text, at borders of characters */
    struct str value;  /* half width, digits for numerals, nothing between; in the arena */
    float confidence;  /* 0 .. 1 */
};

struct privacy_findings {
    struct privacy_finding *items; /* n of them, in the order of the text, none over another */
    size_t n;
};

/* ERR_INVALID for unknown kinds or a limit outside 0 .. 1, ERR_NO_MEMORY. NULL opts: defaults. */
ERR_MUST_USE enum err privacy_scanner_new(const struct privacy_scan_opts *opts,
                                          struct privacy_scanner **out, struct why *why);
void privacy_scanner_free(struct privacy_scanner *scanner); /* NULL is fine */

/*
 * Finds personal data in `text`, in whatever dress: full width, marks or spaces or line breaks or
 * characters of no width between the digits, Chinese numerals, O and l for 0 and 1 where a check
 * digit confirms it. Bytes that are no UTF-8 part the text and are no error.
 *
 *   context  what stands before the text and tells of it: the name of a column, of a form's field;
 *            may be empty
 *   Owner    findings and their values live in `arena`
 *   Errors   ERR_NO_MEMORY
 *   Cost     one pass; figures for numbers and for names in the README
 */
ERR_MUST_USE enum err privacy_scan(const struct privacy_scanner *scanner, struct str text,
                                   struct str context, struct arena *arena,
                                   struct privacy_findings *out, struct why *why);

/* ---- masking ---- */

/*
 * remove     "" in place of it
 * partial    138****5678, 王**, 440***********002X: enough for a clerk to see which one is meant
 * pseudonym  another value of the same form, the same for the same value under the same key; never
 *            one that can belong to somebody (README, "Pseudonyms")
 * vault      a token that privacy_reveal() turns back: [yc:mobile:1:...]; the same for the same
 *            value under the same key
 */
#define PRIVACY_MODE_MAP(X)                                                                        \
    X(REMOVE, "remove")                                                                            \
    X(PARTIAL, "partial")                                                                          \
    X(PSEUDONYM, "pseudonym")                                                                      \
    X(VAULT, "vault")
enum privacy_mode {
#define PRIVACY_ENUM(name, text) PRIVACY_MODE_##name,
    PRIVACY_MODE_MAP(PRIVACY_ENUM)
#undef PRIVACY_ENUM
        PRIVACY_MODES
};
const char *privacy_mode_name(enum privacy_mode mode);
enum privacy_mode privacy_mode_find(struct str name); /* PRIVACY_MODES when there is none */

/*
 * Appends `text` to `out` with the findings (of that text) masked. `keys` may be NULL for remove
 * and partial. What is a token of the vault already is left alone.
 *   Errors  ERR_INVALID no keys where they are needed; ERR_NO_MEMORY
 */
ERR_MUST_USE enum err privacy_mask(struct str text, const struct privacy_findings *findings,
                                   enum privacy_mode mode, const struct privacy_keys *keys,
                                   struct buf *out, struct why *why);

/* ---- keys ---- */

#define PRIVACY_SECRET_BYTES 32
/* The keys that follow from a secret, as generation `number`; for tests and for the room itself. */
ERR_MUST_USE enum err privacy_keys_make(const uint8_t secret[PRIVACY_SECRET_BYTES], int64_t number,
                                        struct privacy_keys **out, struct why *why);
int64_t privacy_keys_number(const struct privacy_keys *keys);
void privacy_keys_free(struct privacy_keys *keys); /* wipes; NULL is fine */

/* ---- the room ---- */

extern const struct store_migration privacy_migrations[];
extern const size_t privacy_n_migrations;

struct privacy_opts {
    struct store *store;
    struct ops *ops;
    const char *data_dir; /* the master key is <data_dir>/privacy.key, made when it is needed */
};
ERR_MUST_USE enum err privacy_open(const struct privacy_opts *opts, struct privacy **out,
                                   struct why *why);
void privacy_close(struct privacy *privacy); /* NULL is fine */
const struct http_table *privacy_routes(struct privacy *privacy);

/*
 * The keys of a tenant: generation `number`, 0: the newest (the first one is made when there is
 * none). For jobs and operators that mask: asks for no permission, shows nothing.
 *   Errors  ERR_NOT_FOUND  no such generation, or it was destroyed
 *           ERR_CORRUPT    it does not open with this data directory's master key
 */
ERR_MUST_USE enum err privacy_keys_of(struct privacy *privacy, struct str tenant, int64_t number,
                                      struct privacy_keys **out, struct why *why);

/* privacy.manage. A new generation; tokens of older ones can still be revealed. */
ERR_MUST_USE enum err privacy_rotate(struct privacy *privacy, const struct ops_identity *who,
                                     int64_t *number, struct why *why);
/* privacy.manage. Destroys a generation that is not the newest, for good: its tokens can never be
 * revealed again. ERR_CONFLICT for the newest. */
ERR_MUST_USE enum err privacy_destroy(struct privacy *privacy, const struct ops_identity *who,
                                      int64_t number, struct str reason, struct why *why);
/* privacy.manage. {"items": [{"number", "state", "created_at", "created_by", "destroyed_at"?}]} */
ERR_MUST_USE enum err privacy_keys_json(struct privacy *privacy, const struct ops_identity *who,
                                        struct arena *arena, struct json_out *out, struct why *why);

#define PRIVACY_MOST_REVEAL 200 /* tokens in one call */
/*
 * privacy.reveal. `text` with the vault's tokens in it turned back, *n of them. The act, its reason
 * and the SHA-256 of every token are in the ledger before a value is given; a refusal too.
 *   Errors  ERR_INVALID    no token in the text; a reason shorter than 4 characters
 *           ERR_NOT_FOUND  a token of another tenant, changed, or of a destroyed generation:
 * nothing of the text is revealed then ERR_TOO_LARGE  more than PRIVACY_MOST_REVEAL tokens
 */
ERR_MUST_USE enum err privacy_reveal(struct privacy *privacy, const struct ops_identity *who,
                                     struct str text, struct str reason, struct arena *arena,
                                     struct str *out, size_t *n, struct why *why);

#endif

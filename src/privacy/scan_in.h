/*
 * privacy/scan_in - inside the scanner: characters, runs of cells, what the finders see. Private.
 *
 *     text -> hot characters -> run of cells (letters.c) -> finders -> scan.c keeps the best
 *
 * A run is digits and letters with at most a few marks or spaces between them, in half width. The
 * finders (find_*.c) look at runs only, never at spellings.
 */
#ifndef PRIVACY_SCAN_IN_H
#define PRIVACY_SCAN_IN_H

#include "privacy/privacy.h"

/* ---- characters ---- */

/* What stands between two cells; bits. */
enum {
    GAP_NOTHING = 1, /* characters of no width */
    GAP_SPACE = 2,
    GAP_LINE = 4,
    GAP_DASH = 8,
    GAP_DOT = 16,
    GAP_SLASH = 32, /* '_' too */
    GAP_COMMA = 64,
    GAP_BRACKET = 128
};
#define GAP_REAL (0xFF & ~GAP_NOTHING)

enum { CELL_HAN = 1, CELL_LOWER = 2, CELL_WIDE = 4 };

struct cell {
    size_t start, end;
    char c;        /* '0'..'9' or 'A'..'Z' */
    char digit;    /* c, or '0' for O and '1' for I and l; '\0' for other letters */
    uint8_t gap;   /* what stands before it */
    uint8_t flags; /* CELL_ bits */
};

#define RUN_CELLS 160

struct run {
    struct cell cells[RUN_CELLS];
    size_t n;
    size_t digits;   /* cells that are digits */
    size_t dots;     /* gaps that are one dot */
    bool open_left;  /* letters stand directly before it */
    bool open_right; /* it was cut, or letters stand directly behind it */
    uint8_t taken[RUN_CELLS];
};

/* The character at `at`, strictly; 0 when it is none. *next moves behind it. */
uint32_t letters_at(struct str text, size_t at, size_t *next);
/* The character before `at`, not before `floor`; 0 when there is none. *start is its place. */
uint32_t letters_before(struct str text, size_t at, size_t floor, size_t *start);
/* A character as a cell; false when it is none. */
bool letters_cell(uint32_t c, struct cell *out);
/* As what stands between cells; 0 when it does not. */
uint8_t letters_gap(uint32_t c);
/* Whether a run may begin here, or a sign of an address or an account stands here. */
bool letters_hot(uint32_t c);
/* The run around the digit at `at`, not reaching before `floor`. */
void letters_run(struct str text, size_t at, size_t floor, struct run *out);
bool letters_is_word(uint32_t c); /* a letter or digit of half or full width */

/* ---- words nearby ---- */

enum cue {
    CUE_OFFICE,  /* a public telephone: 咨询电话 */
    CUE_AGENCY,  /* an office: 局 */
    CUE_PERSON,  /* somebody: 本人, 家庭电话 */
    CUE_PHONE,   /* 电话, tel */
    CUE_ORDER,   /* numbers of things: 订单号 */
    CUE_ID,      /* 身份证 */
    CUE_CREDIT,  /* 信用代码 */
    CUE_CARD,    /* 银行卡, 账户 */
    CUE_PAPER,   /* 护照, 证件 */
    CUE_SOLDIER, /* 军官证 */
    CUE_HK,      /* 回乡证 */
    CUE_TAIWAN,  /* 台胞证 */
    CUE_PERMIT,  /* 居住证 */
    CUE_IP,
    CUE_VERSION, /* 版本 */
    CUE_MAC,
    CUE_BIRTH,
    CUES
};

/* How far before the place the nearest word of each sort ends, in bytes; CUE_FAR: there is none. */
#define CUE_FAR 1000
struct cues {
    int at[CUES];
};
/* Looks at some 40 characters before `at`, to the end of the sentence before; `context` counts as
 * standing before the text. */
void cues_init(void); /* once, before the first call */
void cues_before(struct str text, size_t at, struct str context, struct cues *out);
/* Whether a word of the sort begins within `most` bytes behind `at`. */
bool cues_after(struct str text, size_t at, enum cue sort, size_t most);
/* Whether a unit follows: 元, 万, 平方米 ... */
bool cues_unit(struct str text, size_t at);

/* ---- finding ---- */

struct scan {
    const struct privacy_scanner *scanner;
    struct str text, context;
    struct arena *arena;
    struct privacy_finding *items;
    size_t n, cap;
    bool failed;      /* memory ran out */
    bool last_public; /* the telephone before was an office's ... */
    size_t last_end;  /* ... and ended here; 0: none */
};

struct tagger;
struct gate;

struct privacy_scanner {
    unsigned kinds;
    float least;
    bool public_too;
    struct tagger *tagger; /* for names and addresses; NULL: neither is wanted */
    struct gate *gate;     /* where to ask it */
};

bool scan_wants(const struct scan *scan, enum privacy_kind kind);
/* Keeps a finding when its confidence is enough. `value` is copied. */
void scan_add(struct scan *scan, enum privacy_kind kind, size_t start, size_t end, struct str value,
              float confidence);
/* The cells first .. first + n - 1 as a finding with their own characters (digits when `digits`);
 * marks them as taken. */
void scan_add_cells(struct scan *scan, struct run *run, size_t first, size_t n, bool digits,
                    enum privacy_kind kind, float confidence);
/* What stands at the cells first .. first + n - 1, where nothing was found yet and a number may
 * begin and end; false when it may not. */
struct shape {
    char text[20]; /* the cells, '\0' behind */
    size_t n;
    uint8_t sizes[20]; /* of its groups */
    size_t groups;
    bool tidy; /* the gaps are alike, or one is a line break or a bracket */
    bool ones; /* a gap between all cells */
};
bool run_shape(const struct run *run, size_t first, size_t n, bool digits, struct shape *out);

void find_papers(struct scan *scan, struct run *run);  /* identity, credit code, bank card */
void find_phones(struct scan *scan, struct run *run);  /* mobile, landline */
void find_passes(struct scan *scan, struct run *run);  /* passport, officer, permits */
void find_plates(struct scan *scan, struct run *run);  /* licence plates */
void find_numbers(struct scan *scan, struct run *run); /* IPv4, MAC with dashes */
void find_birth(struct scan *scan, struct run *run);   /* dates of birth */
size_t find_mail_sign(struct str text, size_t at);     /* bytes of "@", "(at)" ... there; 0: none */
size_t find_mail(struct scan *scan, size_t at);        /* at '@'; where to go on */
size_t find_colons(struct scan *scan, size_t at);      /* at ':': IPv6, MAC */
size_t find_account(struct scan *scan, size_t at);     /* at a word such as 微信 */
void find_names(struct scan *scan);                    /* names and addresses: the whole text */

void names_init(void); /* once, before the first call */

/* The shipped tagger (learn/tagger.h) and its gate (learn/gate.h); the caller's. */
ERR_MUST_USE enum err names_tagger(struct tagger **out, struct why *why);
ERR_MUST_USE enum err names_gate(struct gate **out, struct why *why);

/* ---- arithmetic of the numbers ---- */

/* 0: no such region; else how sure: 1 a county of today, 0.9 a prefecture, 0.8 a province. */
float region_known(const char digits[6]);
bool check_id18(const char digits[18]); /* GB 11643: the last may be 'X' */
bool check_credit(const char code[18]); /* GB 32100 */
bool check_luhn(const char *digits, size_t n);
bool check_date(int year, int month, int day);
bool check_mobile(const char digits[11]); /* a prefix in use */
/* Length of the area code at the start of a landline number (3 or 4), 0 when it is none. */
size_t check_area(const char *digits, size_t n);
float check_card(const char *digits, size_t n); /* by the issuer's prefix: 0 none .. 1 known */

#endif

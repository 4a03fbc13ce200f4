/* Passwords: their rules, their hashing with few at a time, their history. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/time.h"
#include "core/utf8.h"
#include "ops/ops_in.h"

#define PLACE_WAIT_S 10 /* for one of the two places where hashing may go on */

/* Argon2id of a password that nobody knows, at the cost of secret_hash_password(): checked against
 * for unknown names, so that they take as long as known ones. */
static const char nobody[] = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRvZm5vYm9keQ$"
                             "Zm9yIG5vYm9keSBrbm93cyB0aGlzIHBhc3N3b3JkLiE";

static enum err enter(struct ops *ops, struct why *why)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PLACE_WAIT_S;
    while (sem_timedwait(&ops->hashing, &until) != 0)
        if (errno != EINTR)
            return err_set(why, ERR_BUSY, "too many sign-ins at this moment");
    return ERR_OK;
}

enum err ops_hash(struct ops *ops, struct str password, char out[SECRET_PASSWORD_HASH],
                  struct why *why)
{
    enum err err = enter(ops, why);
    if (err)
        return err;
    err = secret_hash_password(password, out, why);
    (void)sem_post(&ops->hashing);
    return err;
}

enum err ops_verify(struct ops *ops, struct str password, struct str hash, bool *right,
                    struct why *why)
{
    char text[SECRET_PASSWORD_HASH];
    bool real = hash.len > 0 && hash.len < sizeof text;
    memcpy(text, real ? hash.ptr : nobody, real ? hash.len : sizeof nobody);
    if (real)
        text[hash.len] = '\0';
    if (password.len > OPS_PASSWORD_MAX) /* none is so long; a megabyte would cost time */
        password = STR_NONE;
    enum err err = enter(ops, why);
    if (err)
        return err;
    *right = secret_verify_password(password, text) && real;
    (void)sem_post(&ops->hashing);
    return ERR_OK;
}

/* ---- rules ---- */

/* Letters in lower case, and the signs that stand for letters as those letters. */
static char folded(char c)
{
    static const char from[] = "@013457$!|";
    static const char to[] = "aoieastsii";
    if (c >= 'A' && c <= 'Z')
        return (char)(c + 32);
    const char *at = c ? strchr(from, c) : NULL;
    return at ? to[at - from] : c;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_common(struct str word)
{
    static const char *const words[] = {
#define COMMON(text) text,
#include "ops/common_passwords.def"
#undef COMMON
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_eq_c(word, words[i]))
            return true;
    return false;
}

/* The common words are looked for in three readings: without digits and signs at both ends and
 * folded inside ("P@ssw0rd123!"), letters only ("pass-word"), digits only ("123-456"). */
static bool reads_common(struct str p)
{
    char inner[OPS_PASSWORD_MAX], letters[OPS_PASSWORD_MAX], digits[OPS_PASSWORD_MAX];
    size_t start = 0, end = p.len, n_inner = 0, n_letters = 0, n_digits = 0;
    while (start < end && !is_letter(p.ptr[start]))
        start++;
    while (end > start && !is_letter(p.ptr[end - 1]))
        end--;
    for (size_t i = start; i < end; i++)
        inner[n_inner++] = folded(p.ptr[i]);
    bool plain = true; /* nothing but ASCII letters, digits and signs */
    for (size_t i = 0; i < p.len; i++) {
        plain = plain && (unsigned char)p.ptr[i] < 0x80;
        if (is_letter(p.ptr[i]))
            letters[n_letters++] = folded(p.ptr[i]);
        if (is_digit(p.ptr[i]))
            digits[n_digits++] = p.ptr[i];
    }
    if (!plain)
        return false;
    return is_common((struct str){inner, n_inner}) || is_common((struct str){letters, n_letters}) ||
           (n_letters == 0 && is_common((struct str){digits, n_digits}));
}

/* Whether most of it is one character repeated or neighbours in order (abcdef, 98765). */
static bool is_run(struct str p)
{
    size_t steps = 0;
    for (size_t i = 1; i < p.len; i++) {
        int d = (unsigned char)p.ptr[i] - (unsigned char)p.ptr[i - 1];
        steps += (unsigned char)p.ptr[i] < 0x80 && d >= -1 && d <= 1;
    }
    return p.len > 1 && steps * 2 > p.len;
}

static int n_kinds(struct str p)
{
    bool lower = false, upper = false, digit = false, other = false;
    for (size_t i = 0; i < p.len; i++) {
        char c = p.ptr[i];
        if (c >= 'a' && c <= 'z')
            lower = true;
        else if (c >= 'A' && c <= 'Z')
            upper = true;
        else if (is_digit(c))
            digit = true;
        else
            other = true;
    }
    return lower + upper + digit + other;
}

static bool holds(struct str p, struct str name)
{
    char low_p[OPS_PASSWORD_MAX], low_name[OPS_PASSWORD_MAX];
    if (name.len < 3 || name.len > p.len)
        return false;
    for (size_t i = 0; i < p.len; i++)
        low_p[i] = is_letter(p.ptr[i]) ? (char)(p.ptr[i] | 32) : p.ptr[i];
    for (size_t i = 0; i < name.len; i++)
        low_name[i] = is_letter(name.ptr[i]) ? (char)(name.ptr[i] | 32) : name.ptr[i];
    return str_find((struct str){low_p, p.len}, (struct str){low_name, name.len}) != STR_NPOS;
}

enum err ops_password_check(struct ops *ops, struct str password, struct str name,
                            struct str display_name, struct why *why)
{
    if (password.len > OPS_PASSWORD_MAX)
        return err_set(why, ERR_INVALID, "the password has more than %d bytes", OPS_PASSWORD_MAX);
    enum err err = ops_check_text("password", password, 0, OPS_PASSWORD_MAX, why);
    if (err)
        return err;
    if ((int64_t)utf8_count(password) < ops->password_min)
        return err_set(why, ERR_INVALID, "the password has fewer than %lld characters",
                       (long long)ops->password_min);
    if (n_kinds(password) < ops->password_kinds)
        return err_set(why, ERR_INVALID,
                       "the password must mix at least %lld of: lower case, upper case, digits, "
                       "other characters",
                       (long long)ops->password_kinds);
    if (holds(password, name) || holds(password, display_name))
        return err_set(why, ERR_INVALID, "the password contains the user's name");
    if (reads_common(password) || is_run(password))
        return err_set(why, ERR_INVALID, "the password is one of those that are guessed first");
    return ERR_OK;
}

/* 20 of 57 characters that are not mistaken for each other: 116 bits. One of each kind stands in
 * front of each five, so that the rules hold. */
const char *ops_first_password(char out[OPS_FIRST_PASSWORD])
{
    static const char kinds[4][27] = {"abcdefghijkmnpqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ",
                                      "23456789", "abcdefghijkmnpqrstuvwxyz"};
    uint32_t random[OPS_FIRST_PASSWORD - 1];
    random_bytes(random, sizeof random);
    for (size_t i = 0; i < OPS_FIRST_PASSWORD - 1; i++) {
        const char *kind = kinds[i % 4];
        out[i] = i % 5 == 4 && i < 19 ? '-' : kind[random[i] % strlen(kind)];
    }
    out[OPS_FIRST_PASSWORD - 1] = '\0';
    return out;
}

/* ---- change ---- */

enum err ops_password_set(struct store_tx *tx, struct str user, const char *hash, bool must_change,
                          struct why *why)
{
    char id[UUID_TEXT];
    enum err err = store_exec(tx,
                              "INSERT INTO ops_passwords (id, user_id, hash)"
                              " SELECT ?, id, password FROM ops_users WHERE id = ?",
                              STORE_ARGS(SV_C(uuid7(id)), SV_STR(user)), NULL, why);
    if (!err)
        err = store_exec(
            tx,
            "UPDATE ops_users SET password = ?, password_ms = ?, must_change = ?"
            " WHERE id = ?",
            STORE_ARGS(SV_C(hash), SV_INT(time_now_ms()), SV_INT(must_change), SV_STR(user)), NULL,
            why);
    /* With the one in force the last five are known. */
    if (!err)
        err =
            store_exec(tx,
                       "DELETE FROM ops_passwords WHERE user_id = ? AND id NOT IN (SELECT id FROM"
                       " ops_passwords WHERE user_id = ? ORDER BY id DESC LIMIT ?)",
                       STORE_ARGS(SV_STR(user), SV_STR(user), SV_INT(OPS_HISTORY - 1)), NULL, why);
    if (!err)
        err = store_exec(tx, "DELETE FROM ops_sessions WHERE user_id = ?", STORE_ARGS(SV_STR(user)),
                         NULL, why);
    return err;
}

/* Compares with the one in force and the four before it: each costs one Argon2id. */
static enum err check_history(struct ops *ops, const struct store_rows *old, struct str fresh,
                              struct why *why)
{
    for (size_t i = 0; i < old->n_rows; i++) {
        bool same;
        enum err err = ops_verify(ops, fresh, store_str(old, i, 0), &same, why);
        if (err)
            return err;
        if (same)
            return err_set(why, ERR_INVALID, "the password is one of the last %d of this user",
                           OPS_HISTORY);
    }
    return ERR_OK;
}

struct changing {
    struct store_rows user; /* password, name, display_name */
    struct store_rows history;
};

static enum err read_user(struct ops *ops, struct str id, struct arena *arena, struct changing *out,
                          struct why *why)
{
    enum err err =
        store_ask(ops->store, "SELECT password, name, display_name FROM ops_users WHERE id = ?",
                  STORE_ARGS(SV_STR(id)), arena, &out->user, why);
    if (!err && out->user.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such user");
    if (!err)
        err = store_ask(ops->store,
                        "SELECT hash FROM ops_passwords WHERE user_id = ? ORDER BY id DESC",
                        STORE_ARGS(SV_STR(id)), arena, &out->history, why);
    return err;
}

static enum err check_change(struct ops *ops, const struct ops_identity *who, struct str old,
                             struct str fresh, struct arena *arena, struct changing *was,
                             struct why *why)
{
    bool right;
    int64_t wait = limiter_take(ops->limiter, "password", who->id, 5, 5, 1, time_now_ms());
    if (wait > 0)
        return err_set(why, ERR_RATE_LIMITED,
                       "too many password changes are tried; again in %lld s",
                       (long long)(wait + 999) / 1000);
    enum err err = read_user(ops, who->id, arena, was, why);
    if (!err)
        err = ops_verify(ops, old, store_str(&was->user, 0, 0), &right, why);
    if (!err && !right)
        err = err_set(why, ERR_INVALID, "the old password is not right");
    if (!err)
        err = ops_password_check(ops, fresh, store_str(&was->user, 0, 1),
                                 store_str(&was->user, 0, 2), why);
    if (!err)
        err = check_history(ops, &was->user, fresh, why);
    return err ? err : check_history(ops, &was->history, fresh, why);
}

/* Nothing but the password that was checked may be replaced: two changes at once do not both win.
 */
static enum err still_the_same(struct store_tx *tx, struct str id, const struct changing *was,
                               struct arena *arena, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_query(tx, "SELECT 1 FROM ops_users WHERE id = ? AND password = ?",
                    STORE_ARGS(SV_STR(id), SV_STR(store_str(&was->user, 0, 0))), arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_CONFLICT, "the password was changed in the meantime");
    return err;
}

enum err ops_password_change(struct ops *ops, const struct ops_identity *who, struct str old,
                             struct str fresh, struct why *why)
{
    char hash[SECRET_PASSWORD_HASH];
    struct changing was;
    struct ops_act act = {0};
    if (!str_eq_c(who->kind, "user"))
        return err_set(why, ERR_FORBIDDEN, "only a signed-in user changes his password");
    struct arena *arena = arena_new(OPS_SCRATCH);
    enum err err = arena ? check_change(ops, who, old, fresh, arena, &was, why)
                         : err_set(why, ERR_NO_MEMORY, "could not change the password");
    if (!err)
        err = ops_hash(ops, fresh, hash, why);
    if (!err) {
        err = ops_act_begin(&act, ops, who, "ops.password.change", why);
        if (!err)
            err = still_the_same(act.tx, who->id, &was, arena, why);
        if (!err)
            err = ops_password_set(act.tx, who->id, hash, false, why);
        err = ops_act_end(&act, err, str_z(arena, who->id), STR_NONE, why);
    }
    arena_free(arena);
    return err;
}

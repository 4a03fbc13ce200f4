/*
 * The scanner, the masks and the reader of tokens over any bytes: findings lie in order inside the
 * text, what is vaulted comes back, and no bytes that look like a token open as one.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "privacy/vault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct privacy_scanner *scanner;
static struct privacy_keys *keys;

static void need(bool ok)
{
    if (!ok)
        abort();
}

static void check(struct str text, const struct privacy_findings *found)
{
    size_t last = 0;
    for (size_t i = 0; i < found->n; i++) {
        const struct privacy_finding *f = &found->items[i];
        need(f->start >= last && f->end > f->start && f->end <= text.len);
        need(f->confidence >= PRIVACY_LEAST && f->confidence <= 1);
        last = f->end;
    }
}

/* Every token of a masked text opens; those that were in it before need not. */
static size_t open_tokens(struct str text, struct arena *arena)
{
    size_t n = 0;
    for (size_t at = 0; (at = vault_next(text, at)) != STR_NPOS; at++) {
        struct vault_token token;
        struct str value;
        if (vault_read(text, at, arena, &token) == ERR_OK &&
            vault_open(keys, &token, arena, &value, NULL) == ERR_OK)
            n++;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secret[PRIVACY_SECRET_BYTES] = {1, 2, 3};
    struct str text = {(const char *)data, size};
    if (!scanner)
        need(!privacy_scanner_new(NULL, &scanner, NULL) &&
             !privacy_keys_make(secret, 1, &keys, NULL));
    struct arena *arena = arena_new((size_t)256 << 20);
    struct privacy_findings found = {0};
    need(!privacy_scan(scanner, text, STR("电话"), arena, &found, NULL));
    check(text, &found);
    size_t before = open_tokens(text, arena);
    for (int mode = 0; mode < PRIVACY_MODES; mode++) {
        struct buf out;
        buf_init(&out, arena);
        enum err err = privacy_mask(text, &found, (enum privacy_mode)mode, keys, &out, NULL);
        need(err == ERR_OK || err == ERR_TOO_LARGE);
        if (utf8_invalid(text) == STR_NPOS)
            need(err || utf8_invalid(buf_str(&out)) == STR_NPOS);
        if (!err && mode == PRIVACY_MODE_VAULT)
            need(open_tokens(buf_str(&out), arena) == before + found.n);
    }
    arena_free(arena);
    return 0;
}

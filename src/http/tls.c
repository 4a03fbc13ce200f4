/* TLS: the certificate, read anew on request. The only file that sees gnutls. */
#include "http/inside.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

#define MOST_CHAIN 16
#define MOST_BYTES ((size_t)1 << 20)

/* gnutls borrows a pair for the time of a handshake, so an old one stays until the server ends. */
struct pair {
    struct pair *before;
    gnutls_pcert_st chain[MOST_CHAIN];
    unsigned n;
    gnutls_privkey_t key;
};

struct tls {
    char *certificate, *key; /* paths */
    struct pair *pairs;      /* all that were ever used, newest first */
};

/* The callback gets no pointer of ours, so the pair in force is one for the process. */
static _Atomic(struct pair *) current;

static int retrieve(gnutls_session_t session, const gnutls_datum_t *req_ca, int n_reqs,
                    const gnutls_pk_algorithm_t *algos, int n_algos, gnutls_pcert_st **chain,
                    unsigned *n, gnutls_privkey_t *key)
{
    struct pair *pair = atomic_load(&current);
    (void)session, (void)req_ca, (void)n_reqs, (void)algos, (void)n_algos;
    if (!pair)
        return -1;
    *chain = pair->chain;
    *n = pair->n;
    *key = pair->key;
    return 0;
}

void *tls_callback(void)
{
    union {
        gnutls_certificate_retrieve_function2 *function;
        void *pointer;
    } callback = {.function = retrieve};
    return callback.pointer;
}

static void pair_free(struct pair *pair)
{
    for (unsigned i = 0; i < pair->n; i++)
        gnutls_pcert_deinit(&pair->chain[i]);
    if (pair->key)
        gnutls_privkey_deinit(pair->key);
    free(pair);
}

static enum err load_chain(struct pair *pair, const char *path, struct arena *arena,
                           struct why *why)
{
    struct str text;
    enum err err = file_read(path, MOST_BYTES, arena, &text, why);
    if (err)
        return err;
    gnutls_datum_t data = {(unsigned char *)(uintptr_t)text.ptr, (unsigned)text.len};
    unsigned n = MOST_CHAIN;
    int rc = gnutls_pcert_list_import_x509_raw(pair->chain, &n, &data, GNUTLS_X509_FMT_PEM, 0);
    if (rc < 0)
        return err_set(why, ERR_INVALID, "could not use the certificate \"%s\": %s", path,
                       gnutls_strerror(rc));
    pair->n = n;
    return ERR_OK;
}

static enum err load_key(struct pair *pair, const char *path, struct arena *arena, struct why *why)
{
    struct str text;
    enum err err = file_read(path, MOST_BYTES, arena, &text, why);
    if (err)
        return err;
    gnutls_datum_t data = {(unsigned char *)(uintptr_t)text.ptr, (unsigned)text.len};
    int rc = gnutls_privkey_init(&pair->key);
    if (rc >= 0)
        rc = gnutls_privkey_import_x509_raw(pair->key, &data, GNUTLS_X509_FMT_PEM, NULL, 0);
    explicit_bzero((char *)(uintptr_t)text.ptr, text.len);
    if (rc < 0)
        return err_set(why, ERR_INVALID, "could not use the key \"%s\": %s", path,
                       gnutls_strerror(rc));
    return ERR_OK;
}

/* A key of another certificate would fail every handshake, so it is found now. */
static enum err check_match(struct pair *pair, struct why *why)
{
    gnutls_pubkey_t ours = NULL;
    unsigned char a[64], b[64];
    size_t na = sizeof a, nb = sizeof b;
    int rc = gnutls_pubkey_init(&ours);
    if (rc >= 0)
        rc = gnutls_pubkey_import_privkey(ours, pair->key, 0, 0);
    if (rc >= 0)
        rc = gnutls_pubkey_get_key_id(ours, GNUTLS_KEYID_USE_SHA256, a, &na);
    if (rc >= 0)
        rc = gnutls_pubkey_get_key_id(pair->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, b, &nb);
    gnutls_pubkey_deinit(ours);
    if (rc < 0)
        return err_set(why, ERR_INVALID, "could not read the public key: %s", gnutls_strerror(rc));
    if (na != nb || memcmp(a, b, na) != 0)
        return err_set(why, ERR_INVALID, "the key does not belong to the certificate");
    return ERR_OK;
}

static enum err load(struct pair *pair, const struct tls *tls, struct why *why)
{
    struct arena *arena = arena_new(4 * MOST_BYTES);
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold the certificate");
    enum err err = load_chain(pair, tls->certificate, arena, why);
    if (!err)
        err = load_key(pair, tls->key, arena, why);
    if (!err)
        err = check_match(pair, why);
    arena_free(arena);
    return err;
}

enum err tls_reload(struct tls *tls, struct why *why)
{
    struct pair *pair = calloc(1, sizeof *pair);
    if (!pair)
        return err_set(why, ERR_NO_MEMORY, "could not hold the certificate");
    enum err err = load(pair, tls, why);
    if (err) {
        pair_free(pair);
        return err;
    }
    pair->before = tls->pairs;
    tls->pairs = pair;
    atomic_store(&current, pair);
    return ERR_OK;
}

enum err tls_open(const char *certificate, const char *key, struct tls **out, struct why *why)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (tls) {
        tls->certificate = strdup(certificate);
        tls->key = strdup(key);
    }
    if (!tls || !tls->certificate || !tls->key) {
        tls_close(tls);
        return err_set(why, ERR_NO_MEMORY, "could not hold the certificate");
    }
    enum err err = tls_reload(tls, why);
    if (err)
        tls_close(tls);
    else
        *out = tls;
    return err;
}

void tls_close(struct tls *tls)
{
    if (!tls)
        return;
    atomic_store(&current, NULL);
    while (tls->pairs) {
        struct pair *pair = tls->pairs;
        tls->pairs = pair->before;
        pair_free(pair);
    }
    free(tls->certificate);
    free(tls->key);
    free(tls);
}

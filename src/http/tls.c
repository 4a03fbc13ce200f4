/* TLS: the certificate, read anew on request. The only file that sees gnutls. */
#include "http/inside.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

#define MOST_CHAIN 16
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define MOST_BYTES ((size_t)1 << 20)

/* gnutls borrows a pair for the time of a handshake, so an old one stays until the server ends. */
struct pair {
    struct pair *before;
    gnutls_pcert_st chain[MOST_CHAIN];
    unsigned n;
    gnutls_privkey_t key;
};

struct tls {
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priorities;
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
    if (!err && (gnutls_certificate_allocate_credentials(&tls->credentials) < 0 ||
                 gnutls_priority_init(&tls->priorities, PRIORITIES, NULL) < 0))
        err = err_set(why, ERR_NO_MEMORY, "could not prepare TLS");
    if (!err)
        gnutls_certificate_set_retrieve_function2(tls->credentials, retrieve);
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
    if (tls->priorities)
        gnutls_priority_deinit(tls->priorities);
    if (tls->credentials)
        gnutls_certificate_free_credentials(tls->credentials);
    free(tls->certificate);
    free(tls->key);
    free(tls);
}

/* ---- one connection ---- */

struct tls_session {
    gnutls_session_t session;
    bool shaken;
};

struct tls_session *tls_session_new(struct tls *tls, int fd)
{
    struct tls_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    if (gnutls_init(&session->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
        free(session);
        return NULL;
    }
    if (gnutls_priority_set(session->session, tls->priorities) < 0 ||
        gnutls_credentials_set(session->session, GNUTLS_CRD_CERTIFICATE, tls->credentials) < 0) {
        tls_session_free(session);
        return NULL;
    }
    gnutls_transport_set_int(session->session, fd);
    return session;
}

static bool not_now(ssize_t rc)
{
    return rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED;
}

int tls_shake(struct tls_session *session)
{
    int rc;
    do {
        rc = gnutls_handshake(session->session);
    } while (rc < 0 && !not_now(rc) && !gnutls_error_is_fatal(rc));
    session->shaken = rc == GNUTLS_E_SUCCESS;
    return session->shaken ? 1 : not_now(rc) ? 0 : -1;
}

/* A client that would change its keys in the middle of a connection is gone for us. */
ssize_t tls_recv(struct tls_session *session, char *out, size_t most)
{
    ssize_t n;
    do {
        n = gnutls_record_recv(session->session, out, most);
    } while (n < 0 && !not_now(n) && n != GNUTLS_E_REHANDSHAKE && !gnutls_error_is_fatal((int)n));
    return n > 0 ? n : n < 0 && not_now(n) ? 0 : -1;
}

ssize_t tls_send(struct tls_session *session, const char *bytes, size_t len)
{
    ssize_t n = gnutls_record_send(session->session, bytes, len);
    return n > 0 ? n : n < 0 && not_now(n) ? 0 : -1;
}

void tls_session_bye(struct tls_session *session)
{
    if (session && session->shaken)
        (void)gnutls_bye(session->session, GNUTLS_SHUT_WR);
}

void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    gnutls_deinit(session->session);
    free(session);
}

/*
 * tests/support/pg_cluster - a throwaway PostgreSQL server for tests.
 *
 * It lives in a temporary folder, listens on a Unix socket there and nowhere else, and ends with
 * the program that started it, however that ends. As root it runs under the user "postgres", since
 * the server refuses root. fsync is off: tests kill processes, not the machine.
 */
#ifndef TESTS_SUPPORT_PG_CLUSTER_H
#define TESTS_SUPPORT_PG_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

struct pg_cluster;

/* Makes and starts a cluster; takes about a second. NULL when that cannot be done here: `words`
 * then says why ("PostgreSQL's server is not installed"), for SKIP. */
struct pg_cluster *pg_cluster_new(char *words, size_t n_words);
/* The same with fsync on, for measuring. */
struct pg_cluster *pg_cluster_new_durable(char *words, size_t n_words);
void pg_cluster_free(
    struct pg_cluster *cluster); /* stops it and removes the folder; NULL is fine */

/* Makes an empty database and writes its address, "postgresql://...", to url. */
bool pg_cluster_database(struct pg_cluster *cluster, const char *name, char *url, size_t n_url);
/* The same with its tables in `folder`, an empty one, which becomes the server's. */
bool pg_cluster_database_in(struct pg_cluster *cluster, const char *name, const char *folder,
                            char *url, size_t n_url);

/* Stops the server; with `crash` at once, without saving anything, so that the next start has to
 * recover from its log. */
void pg_cluster_stop(struct pg_cluster *cluster, bool crash);
bool pg_cluster_start(struct pg_cluster *cluster); /* after a stop; true when it answers */

#endif

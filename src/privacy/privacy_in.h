/* privacy_in - the room from inside. Private. */
#ifndef PRIVACY_PRIVACY_IN_H
#define PRIVACY_PRIVACY_IN_H

#include <pthread.h>

#include "core/secret.h"
#include "privacy/privacy.h"

struct http_table;

struct privacy {
    struct store *store;
    struct ops *ops;
    char path[512]; /* of the master key */
    pthread_mutex_t lock;
    struct secret_key master; /* once it is there */
    bool has_master;
    struct http_table *table;
    struct privacy_scanner *scanner; /* of the REST routes; under the lock */
};

#endif

/*
 * acquire/net - which addresses a collector may connect to. Pure but for the look-up of names.
 *
 * The centre stands inside the city's network. An address that somebody types in, or that a site
 * redirects to, must not reach what only the centre can reach: loopback, private and link-local
 * networks are refused unless the operator names them in acquire.networks.
 *
 * Source: RFC 6890 (special-purpose address registries), RFC 4193, RFC 4291, RFC 6052.
 */
#ifndef ACQUIRE_NET_H
#define ACQUIRE_NET_H

#include "core/str.h"

struct arena;
struct sockaddr;

#define NET_TEXT 64

struct net_range {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    int bits;          /* 0 .. 128 */
};
struct net_rules {
    struct net_range *allowed; /* n of them */
    size_t n;
};

/* Networks parted by ',' or ' ': "10.0.0.0/8, 127.0.0.1, fd00::/8". */
ERR_MUST_USE enum err net_rules_parse(struct str text, struct arena *arena, struct net_rules *out,
                                      struct why *why);
/* Whether a connection may be made: a public address, or one of an allowed network. For
 * http_call.may_connect with the rules as ctx. */
bool net_may_connect(const void *rules, const struct sockaddr *address);
/* The first address of the host that may be used, as text for a client that takes addresses.
 * ERR_FORBIDDEN when none may, ERR_UNAVAILABLE when the name is not known. */
ERR_MUST_USE enum err net_resolve(const struct net_rules *rules, const char *host, int port,
                                  char out[NET_TEXT], struct why *why);

#endif

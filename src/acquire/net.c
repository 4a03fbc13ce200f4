#include "acquire/net.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/arena.h"

/* What is not the public network. */
static const struct {
    const char *network;
    int bits;
} special[] = {
    {"0.0.0.0", 8},      {"10.0.0.0", 8},     {"100.64.0.0", 10},   {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12},  {"192.0.0.0", 24},    {"192.0.2.0", 24},
    {"192.168.0.0", 16}, {"198.18.0.0", 15},  {"198.51.100.0", 24}, {"203.0.113.0", 24},
    {"224.0.0.0", 4},    {"240.0.0.0", 4},    {"::", 128},          {"::1", 128},
    {"64:ff9b::", 96},   {"64:ff9b:1::", 48}, {"100::", 64},        {"2001::", 23},
    {"2001:db8::", 32},  {"2002::", 16},      {"fc00::", 7},        {"fe80::", 10},
    {"fec0::", 10},      {"ff00::", 8},
};

static bool read_address(const char *text, uint8_t out[16], bool *v4)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    *v4 = inet_pton(AF_INET, text, out + 12) == 1;
    if (*v4) {
        memcpy(out, mapped, sizeof mapped);
        return true;
    }
    return inet_pton(AF_INET6, text, out) == 1;
}

static bool within(const uint8_t address[16], const struct net_range *range)
{
    int whole = range->bits / 8, rest = range->bits % 8;
    if (memcmp(address, range->bytes, (size_t)whole) != 0)
        return false;
    return !rest || (address[whole] >> (8 - rest)) == (range->bytes[whole] >> (8 - rest));
}

static bool parse_range(struct str text, struct net_range *out)
{
    char address[NET_TEXT];
    size_t slash = str_find_char(text, '/');
    struct str host = str_slice(text, 0, slash == STR_NPOS ? text.len : slash);
    int64_t bits = -1;
    bool v4;
    if (host.len >= sizeof address)
        return false;
    (void)snprintf(address, sizeof address, "%.*s", STR_FMT(host));
    if (!read_address(address, out->bytes, &v4))
        return false;
    int most = v4 ? 32 : 128;
    if (slash != STR_NPOS && (!str_to_i64(str_from(text, slash + 1), &bits) || bits < 0))
        return false;
    if (bits > most)
        return false;
    out->bits = (int)(bits < 0 ? most : bits) + (v4 ? 96 : 0);
    return true;
}

enum err net_rules_parse(struct str text, struct arena *arena, struct net_rules *out,
                         struct why *why)
{
    struct net_rules rules = {.allowed = arena_array(arena, struct net_range, text.len / 2 + 1)};
    if (!rules.allowed)
        return err_set(why, ERR_NO_MEMORY, "could not read the networks");
    for (size_t i = 0; i < text.len;) {
        size_t from = i;
        while (i < text.len && text.ptr[i] != ',' && text.ptr[i] != ' ')
            i++;
        struct str part = str_slice(text, from, i++);
        if (!part.len)
            continue;
        if (!parse_range(part, &rules.allowed[rules.n]))
            return err_set(why, ERR_INVALID, "\"%.*s\" is no network", (int)part.len, part.ptr);
        rules.n++;
    }
    *out = rules;
    return ERR_OK;
}

static bool bytes_of(const struct sockaddr *address, uint8_t out[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        memcpy(out, mapped, sizeof mapped);
        memcpy(out + 12, &v4.sin_addr, 4);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        memcpy(out, &v6.sin6_addr, 16);
        return true;
    }
    return false;
}

static bool is_special(const uint8_t address[16])
{
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
        struct net_range range;
        bool v4 = false;
        if (!read_address(special[i].network, range.bytes, &v4))
            return true;
        range.bits = special[i].bits + (v4 ? 96 : 0);
        if (within(address, &range))
            return true;
    }
    return false;
}

bool net_may_connect(const void *ctx, const struct sockaddr *address)
{
    const struct net_rules *rules = ctx;
    uint8_t bytes[16];
    if (!bytes_of(address, bytes))
        return false;
    for (size_t i = 0; i < rules->n; i++)
        if (within(bytes, &rules->allowed[i]))
            return true;
    return !is_special(bytes);
}

enum err net_resolve(const struct net_rules *rules, const char *host, int port, char out[NET_TEXT],
                     struct why *why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char service[16];
    bool found = false;
    (void)snprintf(service, sizeof service, "%d", port);
    int failed = getaddrinfo(host, service, &hints, &list);
    if (failed)
        return err_set(why, ERR_UNAVAILABLE, "could not find the host \"%.100s\": %s", host,
                       gai_strerror(failed));
    for (struct addrinfo *a = list; a && !found; a = a->ai_next)
        found = net_may_connect(rules, a->ai_addr) &&
                getnameinfo(a->ai_addr, a->ai_addrlen, out, NET_TEXT, NULL, 0, NI_NUMERICHOST) == 0;
    freeaddrinfo(list);
    if (found)
        return ERR_OK;
    enum err err = err_set(why, ERR_FORBIDDEN,
                           "the host \"%.100s\" is in a network that collectors may not use", host);
    err_hint(why, "the operator can name the network in acquire.networks");
    return err;
}

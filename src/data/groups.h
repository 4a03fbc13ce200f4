/*
 * data/groups - records counted by the value of a field: what balance, frequency and stratify
 * share.
 */
#ifndef DATA_GROUPS_H
#define DATA_GROUPS_H

#include "data/op.h"

struct groups_note {
    uint64_t group;  /* of the value; records without one are a group, too */
    uint64_t number; /* of the record, by chance */
};
void groups_note(const struct data_call *call, const struct record *record, struct str path,
                 uint64_t salt, struct buf *note);

struct groups {
    struct groups_note *all; /* by group, then by number */
    size_t n;
};
/* Owner: groups_release(). ERR_NO_MEMORY past whole->memory. */
ERR_MUST_USE enum err groups_read(const struct data_whole *whole, struct groups *out,
                                  struct why *why);
void groups_release(struct groups *groups);
size_t groups_end(const struct groups *groups, size_t from);     /* of the group at `from` */
size_t groups_find(const struct groups *groups, uint64_t group); /* its first, which is there */
/* The verdicts where each group's first place in the list holds the bound of the numbers that stay:
 * "" for them, "d" for the others. Releases the groups. */
ERR_MUST_USE enum err groups_keep(const struct data_whole *whole, struct groups *groups,
                                  struct why *why);

#endif

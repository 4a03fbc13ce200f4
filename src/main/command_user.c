/* yicheng user: accounts from the command line, for the first start and for lost passwords. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "main/command.h"

static enum err list(struct center *c, struct why *why)
{
    struct ops_user *users;
    size_t n;
    enum err err = ops_user_list(c->ops, &c->system, NULL, "", 1000, c->arena, &users, &n, why);
    for (size_t i = 0; !err && i < n; i++) {
        printf("%-20.*s %-12.*s", STR_FMT(users[i].name), STR_FMT(users[i].display_name));
        for (size_t r = 0; r < users[i].n_roles; r++)
            printf(" %.*s", STR_FMT(users[i].roles[r]));
        printf("%s\n", users[i].disabled ? " (disabled)" : "");
    }
    return err;
}

static enum err reset(struct center *c, const char *name, struct why *why)
{
    struct ops_user user;
    struct str password;
    enum err err = ops_user_named(c->ops, &c->system, str_c(name), c->arena, &user, why);
    char *id = err ? NULL : str_z(c->arena, user.id);
    if (!err && !id)
        err = ERR_NO_MEMORY;
    if (!err)
        err = ops_user_reset(c->ops, &c->system, id, c->arena, &password, why);
    if (!err)
        printf("%.*s\n", STR_FMT(password));
    return err;
}

static enum err create(struct center *c, const char *name, const char *roles, struct why *why)
{
    struct str names[OPS_MOST_ROLES], rest = str_c(roles ? roles : ""), part, id, first;
    struct ops_user_form form = {.name = str_c(name), .roles = names};
    while (form.n_roles < OPS_MOST_ROLES && rest.len && str_next(&rest, ',', &part))
        names[form.n_roles++] = part;
    enum err err = ops_user_create(c->ops, &c->system, &form, c->arena, &id, &first, why);
    if (!err)
        printf("%.*s\n", STR_FMT(first));
    return err;
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    const char *roles = command_option(&argc, argv, "--roles");
    bool is_list = argc == 2 && strcmp(argv[1], "list") == 0;
    bool is_reset = argc == 3 && strcmp(argv[1], "reset") == 0;
    bool is_create = argc == 3 && strcmp(argv[1], "create") == 0;
    if (!is_list && !is_reset && !is_create)
        return command_usage(&command_user);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (err)
        return command_fail("user", err, &why);
    err = is_list    ? list(&center, &why)
          : is_reset ? reset(&center, argv[2], &why)
                     : create(&center, argv[2], roles, &why);
    center_close(&center);
    return err ? command_fail("user", err, &why) : 0;
}

const struct command command_user = {
    .name = "user",
    .usage = "list\nreset NAME\ncreate NAME --roles ROLE,ROLE",
    .summary = "List users, reset a password (a new one is printed once), make a user",
    .run = run,
};

/* Roles and permissions: the two tables and what is asked of them. */
#include <string.h>

#include "ops/ops_in.h"

static const struct ops_permission permissions[] = {
#define OPS_PERMISSION(name, id, for_keys, title, title_en) {name, title, title_en, for_keys},
#include "ops/permissions.def"
#undef OPS_PERMISSION
};
_Static_assert(OPS_I_COUNT <= 64, "permissions are bits of a uint64_t");

#define P(id)   OPS_P(id)
#define C(name) ((uint64_t)1 << OPS_CLASS_##name)
static const struct ops_role roles[] = {
#define OPS_ROLE(name, group, by_tenant, title, title_en, permissions, classes)                    \
    {name, title, title_en, group, by_tenant, permissions, classes},
#include "ops/roles.def"
#undef OPS_ROLE
};

#define N_ROLES (sizeof roles / sizeof roles[0])

size_t ops_n_permissions(void)
{
    return OPS_I_COUNT;
}

const struct ops_permission *ops_permission(size_t i)
{
    return i < OPS_I_COUNT ? &permissions[i] : NULL;
}

uint64_t ops_permission_bit(struct str name)
{
    for (size_t i = 0; i < OPS_I_COUNT; i++)
        if (str_eq_c(name, permissions[i].name))
            return (uint64_t)1 << i;
    return 0;
}

const struct ops_role *ops_role(size_t i)
{
    return i < N_ROLES ? &roles[i] : NULL;
}

const struct ops_role *ops_role_find(struct str name)
{
    for (size_t i = 0; i < N_ROLES; i++)
        if (str_eq_c(name, roles[i].name))
            return &roles[i];
    return NULL;
}

bool ops_may(const struct ops_identity *who, const char *permission)
{
    return who && (who->permissions & ops_permission_bit(str_c(permission))) != 0;
}

enum err ops_need(const struct ops_identity *who, const char *permission, struct why *why)
{
    if (ops_may(who, permission))
        return ERR_OK;
    err_hint(why, "a role with this permission is granted by the security administrator");
    return err_set(why, ERR_FORBIDDEN, "this needs the permission \"%s\"", permission);
}

bool ops_may_base(const struct ops_identity *who, struct str base)
{
    if (who->bases.len == 0)
        return true;
    struct str rest = who->bases, part;
    while (str_next(&rest, ' ', &part))
        if (str_eq(part, base))
            return true;
    return false;
}

enum err ops_matrix(struct buf *out, struct why *why)
{
    buf_add_c(out, "# 权限矩阵 Permission matrix\n\n"
                   "由 src/ops/roles.def 和 permissions.def 生成，请勿手改。\n"
                   "Generated from src/ops/roles.def and permissions.def; not edited by hand.\n\n"
                   "| 权限 Permission | 说明 |");
    for (size_t r = 0; r < N_ROLES; r++)
        buf_printf(out, " %s<br>%s |", roles[r].title, roles[r].name);
    buf_add_c(out, "\n|---|---|");
    for (size_t r = 0; r < N_ROLES; r++)
        buf_add_c(out, ":-:|");
    for (size_t p = 0; p < OPS_I_COUNT; p++) {
        buf_printf(out, "\n| `%s`%s | %s %s |", permissions[p].name,
                   permissions[p].for_keys ? " (key)" : "", permissions[p].title,
                   permissions[p].title_en);
        for (size_t r = 0; r < N_ROLES; r++)
            buf_add_c(out, roles[r].permissions >> p & 1 ? " ● |" : "  |");
    }
    static const char *const classes[] = {"公开 public", "工作人员 staff", "本部门 own department",
                                          "受限 restricted"};
    for (size_t c = 0; c < sizeof classes / sizeof classes[0]; c++) {
        buf_printf(out, "\n| 文档 documents | %s |", classes[c]);
        for (size_t r = 0; r < N_ROLES; r++)
            buf_add_c(out, roles[r].classes >> c & 1 ? " ● |" : "  |");
    }
    buf_add_c(out,
              "\n\n标 (key) 的权限可授予接口密钥。系统管理员、安全管理员、审计员互斥，且不得兼任"
              "其他角色；任何人不得给自己授权。\n"
              "Permissions marked (key) may be carried by an API key. The three "
              "administrators exclude each other and every other role; nobody grants roles "
              "to himself.\n");
    return buf_err(out, why);
}

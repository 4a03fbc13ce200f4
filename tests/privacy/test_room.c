/* Keys, masks, tokens, and revealing with papers; on either engine. */
#include "ops/centre.h"

#include "core/file.h"
#include "core/secret.h"
#include "privacy/privacy.h"

struct room {
    struct centre c;
    struct privacy *privacy;
    struct ops_identity steward, other, clerk; /* two tenants' and one without rights */
};

static uint64_t bits(const char *a, const char *b)
{
    return ops_permission_bit(str_c(a)) | ops_permission_bit(str_c(b));
}

static bool room_open(struct room *r)
{
    struct why why = {0};
    *r = (struct room){0};
    centre_more = privacy_migrations;
    centre_n_more = privacy_n_migrations;
    if (!centre_open(&r->c, NULL, 0))
        return false;
    struct privacy_opts opts = {r->c.store, r->c.ops, test_store_dir()};
    CHECK_OK(privacy_open(&opts, &r->privacy, &why), &why);
    r->steward = (struct ops_identity){.kind = STR("user"),
                                       .id = STR("u-1"),
                                       .user = STR("u-1"),
                                       .name = STR("steward"),
                                       .tenant = STR(OPS_HOME),
                                       .address = STR("10.0.0.1"),
                                       .permissions = bits("privacy.manage", "privacy.reveal")};
    r->other = r->steward;
    r->other.tenant = STR("another");
    r->clerk = r->steward;
    r->clerk.id = r->clerk.user = STR("u-2");
    r->clerk.permissions = bits("data.read", "data.read");
    return r->privacy != NULL;
}

static void room_close(struct room *r)
{
    privacy_close(r->privacy);
    centre_close(&r->c);
}

static struct str masked(struct room *r, struct str tenant, const char *text,
                         enum privacy_mode mode)
{
    struct privacy_scanner *scanner = NULL;
    struct privacy_keys *keys = NULL;
    struct privacy_findings found = {0};
    struct buf out;
    struct why why = {0};
    buf_init(&out, r->c.arena);
    CHECK_OK(privacy_scanner_new(NULL, &scanner, &why), &why);
    CHECK_OK(privacy_keys_of(r->privacy, tenant, 0, &keys, &why), &why);
    CHECK_OK(privacy_scan(scanner, str_c(text), STR(""), r->c.arena, &found, &why), &why);
    CHECK_OK(privacy_mask(str_c(text), &found, mode, keys, &out, &why), &why);
    privacy_keys_free(keys);
    privacy_scanner_free(scanner);
    return buf_str(&out);
}

static const char letter[] =
    "我叫王小明，身份证11010519491231002X，电话138 0013 8000，再打13800138000。";

TEST(what_was_vaulted_is_revealed_with_papers)
{
    struct room r;
    struct str text = STR(""), again;
    struct why why = {0};
    size_t n = 0;
    if (!room_open(&r))
        SKIP("no store");
    struct str vaulted = masked(&r, STR(OPS_HOME), letter, PRIVACY_MODE_VAULT);
    CHECK(str_find(vaulted, STR("13800138000")) == STR_NPOS);
    CHECK(str_find(vaulted, STR("王小明")) == STR_NPOS);
    /* Equal values, equal tokens; and what is masked already is left alone. */
    CHECK_STR(masked(&r, STR(OPS_HOME), letter, PRIVACY_MODE_VAULT), vaulted.ptr);
    again = masked(&r, STR(OPS_HOME), vaulted.ptr, PRIVACY_MODE_PARTIAL);
    CHECK_STR(again, vaulted.ptr);
    CHECK(!str_eq(masked(&r, STR("another"), letter, PRIVACY_MODE_VAULT), vaulted));
    CHECK_OK(privacy_reveal(r.privacy, &r.steward, vaulted, STR("核实诉求人"), r.c.arena, &text, &n,
                            &why),
             &why);
    CHECK_STR(text, "我叫王小明，身份证11010519491231002X，电话13800138000，再打13800138000。");
    CHECK_EQ(n, 4);
    CHECK_EQ(centre_acts(&r.c, "privacy.token.reveal", "ok"), 1);
    room_close(&r);
}

TEST(nobody_reveals_without_right_reason_or_the_right_tenant)
{
    struct room r;
    struct str text = {NULL, 0};
    size_t n = 99;
    if (!room_open(&r))
        SKIP("no store");
    struct str vaulted = masked(&r, STR(OPS_HOME), letter, PRIVACY_MODE_VAULT);
    CHECK_EQ(
        privacy_reveal(r.privacy, &r.clerk, vaulted, STR("核实诉求人"), r.c.arena, &text, &n, NULL),
        ERR_FORBIDDEN);
    CHECK_EQ(
        privacy_reveal(r.privacy, &r.steward, vaulted, STR("  看  "), r.c.arena, &text, &n, NULL),
        ERR_INVALID);
    CHECK_EQ(privacy_reveal(r.privacy, &r.steward, STR("no token"), STR("核实诉求人"), r.c.arena,
                            &text, &n, NULL),
             ERR_INVALID);
    struct privacy_keys *made = NULL;
    CHECK_OK(privacy_keys_of(r.privacy, STR("another"), 0, &made, NULL), NULL);
    privacy_keys_free(made);
    CHECK_EQ(
        privacy_reveal(r.privacy, &r.other, vaulted, STR("核实诉求人"), r.c.arena, &text, &n, NULL),
        ERR_NOT_FOUND);
    CHECK(text.ptr == NULL && n == 99);
    CHECK_EQ(centre_acts(&r.c, "privacy.token.reveal", "forbidden"), 1);
    CHECK_EQ(centre_acts(&r.c, "privacy.token.reveal", "not_found"), 1);
    CHECK_EQ(centre_acts(&r.c, "privacy.token.reveal", "ok"), 0);
    room_close(&r);
}

TEST(a_changed_token_reveals_nothing_of_the_text)
{
    struct room r;
    struct str text = {NULL, 0};
    size_t n = 0;
    if (!room_open(&r))
        SKIP("no store");
    struct str vaulted = masked(&r, STR(OPS_HOME), letter, PRIVACY_MODE_VAULT);
    char *copy = str_z(r.c.arena, vaulted);
    char *last = strrchr(copy, ']');
    last[-8] = last[-8] == 'a' ? 'b' : 'a';
    CHECK_EQ(privacy_reveal(r.privacy, &r.steward, str_c(copy), STR("核实诉求人"), r.c.arena, &text,
                            &n, NULL),
             ERR_NOT_FOUND);
    CHECK(text.ptr == NULL);
    room_close(&r);
}

TEST(keys_rotate_and_are_destroyed)
{
    struct room r;
    struct str text = STR("");
    struct why why = {0};
    int64_t number = 0;
    size_t n = 0;
    if (!room_open(&r))
        SKIP("no store");
    struct str old = masked(&r, STR(OPS_HOME), letter, PRIVACY_MODE_VAULT);
    CHECK_EQ(privacy_rotate(r.privacy, &r.clerk, &number, NULL), ERR_FORBIDDEN);
    CHECK_OK(privacy_rotate(r.privacy, &r.steward, &number, &why), &why);
    CHECK_EQ(number, 2);
    struct str fresh = masked(&r, STR(OPS_HOME), letter, PRIVACY_MODE_VAULT);
    CHECK(!str_eq(old, fresh) && str_find(fresh, STR("[yc:mobile:2:")) != STR_NPOS);
    struct str both = str_printf(r.c.arena, "%.*s%.*s", STR_FMT(old), STR_FMT(fresh));
    CHECK_OK(
        privacy_reveal(r.privacy, &r.steward, both, STR("核实诉求人"), r.c.arena, &text, &n, &why),
        &why);
    CHECK_EQ(n, 8);
    CHECK_EQ(privacy_destroy(r.privacy, &r.steward, 2, STR("到期销毁"), NULL), ERR_CONFLICT);
    CHECK_EQ(privacy_destroy(r.privacy, &r.steward, 1, STR(""), NULL), ERR_INVALID);
    CHECK_EQ(privacy_destroy(r.privacy, &r.steward, 7, STR("到期销毁"), NULL), ERR_NOT_FOUND);
    CHECK_OK(privacy_destroy(r.privacy, &r.steward, 1, STR("到期销毁"), &why), &why);
    CHECK_EQ(privacy_destroy(r.privacy, &r.steward, 1, STR("到期销毁"), NULL), ERR_NOT_FOUND);
    CHECK_EQ(
        privacy_reveal(r.privacy, &r.steward, old, STR("核实诉求人"), r.c.arena, &text, &n, NULL),
        ERR_NOT_FOUND);
    CHECK_OK(
        privacy_reveal(r.privacy, &r.steward, fresh, STR("核实诉求人"), r.c.arena, &text, &n, &why),
        &why);
    struct buf buf;
    struct json_out out;
    buf_init(&buf, r.c.arena);
    json_out_init(&out, &buf);
    CHECK_OK(privacy_keys_json(r.privacy, &r.steward, r.c.arena, &out, &why), &why);
    CHECK(str_find(buf_str(&buf), STR("\"state\":\"newest\"")) != STR_NPOS);
    CHECK(str_find(buf_str(&buf), STR("\"state\":\"destroyed\"")) != STR_NPOS);
    CHECK_EQ(centre_acts(&r.c, "privacy.key.create", "ok"), 1);
    CHECK_EQ(centre_acts(&r.c, "privacy.key.destroy", "ok"), 1);
    room_close(&r);
}

TEST(another_process_sees_the_same_keys_and_another_master_key_opens_none)
{
    struct room r;
    struct privacy *second = NULL;
    struct privacy_keys *keys = NULL;
    struct why why = {0};
    if (!room_open(&r))
        SKIP("no store");
    struct str first = masked(&r, STR(OPS_HOME), letter, PRIVACY_MODE_VAULT);
    struct privacy_opts opts = {r.c.store, r.c.ops, test_store_dir()};
    privacy_close(r.privacy);
    CHECK_OK(privacy_open(&opts, &r.privacy, &why), &why);
    CHECK_STR(masked(&r, STR(OPS_HOME), letter, PRIVACY_MODE_VAULT), first.ptr);
    opts.data_dir = "/tmp/yicheng-test-privacy-other";
    CHECK_OK(file_make_dirs(opts.data_dir, &why), &why);
    CHECK_OK(privacy_open(&opts, &second, &why), &why);
    /* Without the file nothing is made anew that would open nothing. */
    CHECK_EQ(privacy_keys_of(second, STR(OPS_HOME), 1, &keys, &why), ERR_UNAVAILABLE);
    CHECK(strstr(why.text, "privacy.key") != NULL && why.hint[0]);
    CHECK_EQ(privacy_keys_of(second, STR("a new tenant"), 0, &keys, NULL), ERR_UNAVAILABLE);
    CHECK(!file_exists("/tmp/yicheng-test-privacy-other/privacy.key"));
    why = (struct why){0};
    char other[SECRET_KEY_BYTES] = "another key";
    CHECK_OK(file_write("/tmp/yicheng-test-privacy-other/privacy.key",
                        (struct str){other, sizeof other}, 0600, &why),
             &why);
    CHECK_EQ(privacy_keys_of(second, STR(OPS_HOME), 1, &keys, NULL), ERR_CORRUPT);
    privacy_close(second);
    CHECK_OK(file_remove(opts.data_dir, &why), &why);
    room_close(&r);
}

TESTS_MAIN()

#include "formats/office.h"

#include <string.h>

#include "core/arena.h"
#include "formats/markup.h"
#include "formats/pack.h"
#include "formats/reader.h"

#define PART_BYTES ((size_t)512 << 20)

static void free_arena(void *arena)
{
    arena_free(arena);
}

enum err office_open(struct office *office, struct format_out *out, struct str bytes)
{
    *office = (struct office){.out = out, .scratch = arena_new(arena_limit(out->arena))};
    if (!office->scratch || arena_defer(out->arena, free_arena, office->scratch) != 0) {
        arena_free(office->scratch);
        return format_fail(out, ERR_NO_MEMORY, "the document needs more memory than the limit");
    }
    return out->err = pack_open(bytes, out->limits, office->scratch, &office->pack, out->why);
}

struct str office_bytes(struct office *office, const char *name)
{
    struct format_out *out = office->out;
    struct str bytes = STR_NONE;
    int64_t i = out->err ? -1 : pack_find(office->pack, name);
    if (i < 0)
        return STR_NONE;
    enum err err = pack_read(office->pack, (size_t)i, PART_BYTES, &office->expanded,
                             office->scratch, &bytes, out->why);
    if (err && !out->err) {
        err_prefix(out->why, "its part %s", name);
        out->err = err;
    }
    return err ? STR_NONE : bytes;
}

struct markup_node *office_tree(struct office *office, const char *name)
{
    struct str bytes = office_bytes(office, name);
    return bytes.len ? markup_tree(office->out, MARKUP_XML, bytes, office->scratch) : NULL;
}

/* "word/_rels/document.xml.rels" for "word/document.xml"; "_rels/.rels" for "". */
static char *relations_of(struct office *office, struct str base)
{
    size_t slash = base.len;
    while (slash > 0 && base.ptr[slash - 1] != '/')
        slash--;
    struct str name =
        str_printf(office->scratch, "%.*s_rels/%.*s.rels", STR_FMT(str_slice(base, 0, slash)),
                   STR_FMT(str_from(base, slash)));
    return (char *)name.ptr;
}

/* A target is relative to the folder of its base, or begins with '/'. */
static struct str resolve(struct office *office, struct str base, struct str target)
{
    size_t slash = base.len;
    if (str_starts(target, STR("/")))
        return str_copy(office->scratch, str_from(target, 1));
    while (slash > 0 && base.ptr[slash - 1] != '/')
        slash--;
    while (str_starts(target, STR("../"))) {
        target = str_from(target, 3);
        slash -= slash > 0;
        while (slash > 0 && base.ptr[slash - 1] != '/')
            slash--;
    }
    return str_printf(office->scratch, "%.*s%.*s", STR_FMT(str_slice(base, 0, slash)),
                      STR_FMT(target));
}

struct str office_related(struct office *office, struct str base, struct str id, const char *type)
{
    char *path = relations_of(office, base);
    struct markup_node *tree = path ? office_tree(office, path) : NULL;
    struct markup_node *list = markup_child(tree, "Relationships");
    for (struct markup_node *n = list ? list->first : NULL; n; n = n->next) {
        bool hit =
            type ? str_ends(markup_get(n, "Type"), str_c(type)) : str_eq(markup_get(n, "Id"), id);
        if (hit && !str_eq_c(markup_get(n, "TargetMode"), "External"))
            return resolve(office, base, markup_get(n, "Target"));
    }
    return STR_NONE;
}

void office_properties(struct office *office)
{
    static const struct {
        const char *element, *name;
    } wanted[] = {
        {"title", "title"},       {"creator", "author"},  {"subject", "subject"},
        {"keywords", "keywords"}, {"created", "created"}, {"modified", "modified"},
    };
    struct format_out *out = office->out;
    struct markup_node *props =
        markup_child(office_tree(office, "docProps/core.xml"), "coreProperties");
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct markup_node *node = markup_child(props, wanted[i].element);
        struct buf buf;
        buf_init(&buf, out->arena);
        if (node)
            markup_text(node, &buf);
        format_meta(out, str_c(wanted[i].name), format_squeeze(out, buf_str(&buf)));
    }
}

bool office_is(struct str bytes, const char *folder)
{
    struct arena *arena = pack_is(bytes) ? arena_new((size_t)64 << 20) : NULL;
    struct pack *pack;
    bool is = arena && pack_open(bytes, &format_limits_default, arena, &pack, NULL) == ERR_OK &&
              pack_find(pack, "[Content_Types].xml") >= 0 && pack_has_folder(pack, folder);
    arena_free(arena);
    return is;
}

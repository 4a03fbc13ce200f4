/* Any bytes as an archive: every entry is a document or a reason, and nothing is written. */
#include "reads.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/file.h"

static enum err each(void *ctx, const struct format_document *doc, struct str raw, struct why *why)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    (void)ctx, (void)raw, (void)why;
    check_text(doc->path);
    check_document(doc, arena);
    arena_free(arena);
    return ERR_OK;
}

static void failed(void *ctx, struct str path, enum err err, const struct why *why)
{
    (void)ctx;
    check_text(path);
    if (!err || !why->text[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct format_limits limits = format_limits_default;
    struct why why = {0};
    int fd = memfd_create("zip", 0);
    limits.ocr = false;
    limits.time_ms = 2000;
    limits.archive_files = 50;
    limits.expanded_bytes = (size_t)32 << 20;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd < 0 || file_write_fd(fd, (struct str){(const char *)data, size}, NULL))
        abort();
    if (format_read_file(path, STR("a.zip"), &limits, (size_t)128 << 20, each, failed, NULL, &why))
        abort();
    (void)close(fd);
    return 0;
}

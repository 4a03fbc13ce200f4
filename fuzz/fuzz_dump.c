/* dump: any bytes as a PostgreSQL backup file are read within their end, in order, or refused; what
 * the records say is checked before it is used. The bytes are tried as they are, and as records
 * between a good head and a good digest, which no mutation would find. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "store/store_dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct str payload, char kind, struct arena *arena)
{
    struct dump_migration step;
    struct dump_table table;
    if (kind == 'm' && dump_migration(payload, arena, &step, NULL) == ERR_OK &&
        (step.sql.len == 0 || strlen(step.sql.ptr) != step.sql.len || step.number < 1))
        abort();
    if (kind == 't' && dump_table(payload, arena, &table, NULL) == ERR_OK) {
        if (table.n_columns == 0 || table.name.len == 0 || table.name.len >= 64)
            abort();
        for (size_t i = 0; i < table.n_columns; i++)
            if (table.columns[i].len == 0 || memchr(table.columns[i].ptr, 0, table.columns[i].len))
                abort();
    }
}

static void read_all(struct str bytes)
{
    struct arena *arena = arena_new(16u << 20);
    struct dump_reader reader;
    struct dump_record record = {0};
    enum err err = ERR_OK, checked = dump_check(bytes, NULL);
    char last = 0;
    dump_reader_init(&reader, bytes);
    while (!err && record.kind != 'z' && (err = dump_next(&reader, &record, NULL)) == ERR_OK) {
        if (reader.at > bytes.len || record.payload.ptr < bytes.ptr ||
            record.payload.ptr + record.payload.len != bytes.ptr + reader.at)
            abort();
        if (record.kind == 'd' && last != 't' && last != 'd')
            abort();
        look(record.payload, record.kind, arena);
        last = record.kind;
    }
    if (err ? checked == ERR_OK : reader.at != bytes.len)
        abort();
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[16] = "yicheng dump 1\n", end[5] = {'z', HASH_BYTES, 0, 0, 0};
    read_all((struct str){(const char *)data, size});
    char *file = malloc(size + 16 + 5 + HASH_BYTES);
    if (!file)
        return 0;
    memcpy(file, head, 16);
    if (size)
        memcpy(file + 16, data, size);
    hash_of(HASH_SHA256, (struct str){file, size + 16}, (uint8_t *)file + size + 16 + 5);
    memcpy(file + size + 16, end, 5);
    read_all((struct str){file, size + 16 + 5 + HASH_BYTES});
    free(file);
    return 0;
}

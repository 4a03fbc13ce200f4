/* Any bytes as a segment, with the checksum of the header made right: opened or refused, then every
 * read that retrieval makes. And any bytes as a ranking model. */
#include "core/hash.h"
#include "knowledge/index.h"
#include "knowledge/index_file.h"
#include "knowledge/rank.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct index *index)
{
    struct index_passage p;
    struct index_facts facts;
    volatile uint64_t sum = 0; /* so that every byte is really read */
    (void)sum;
    for (uint32_t i = 0; i < index_n_passages(index); i++) {
        index_get(index, i, &p);
        index_facts(index, i, &facts);
        const struct str texts[] = {p.title, p.label, p.path, p.field, p.text};
        for (size_t t = 0; t < 5; t++)
            sum += hash64(texts[t].ptr, texts[t].len, 0);
        sum += index_version_id(index, p.version).len;
    }
    for (uint32_t i = 0; i < index_n_terms(index); i++) {
        struct index_postings postings;
        uint32_t passage, times, n = 0, before = 0;
        (void)index_find(index, index_term(index, i), &postings);
        for (; index_next(&postings, &passage, &times); n++) {
            if (passage >= index_n_passages(index) || (n && passage <= before))
                abort();
            before = passage;
        }
    }
    for (size_t i = 0; i < index_n_cited(index); i++) {
        uint64_t title;
        uint32_t times;
        index_cited_at(index, i, &title, &times);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t *bytes = malloc(size + 8); /* 8-aligned and of the exact size for ASan */
    if (!bytes)
        return 0;
    memcpy(bytes, data, size);
    struct index_header *header = (void *)bytes;
    if (size >= sizeof *header)
        header->hash = hash64(header, offsetof(struct index_header, hash), 0);
    struct index *index = NULL;
    struct why why = {0};
    enum err err = index_open_bytes(bytes, size, &index, &why);
    if (err && !why.text[0])
        abort();
    if (!err) {
        read_all(index);
        index_close(index);
    }
    struct rank_model *model = NULL;
    if (!rank_model_parse((struct str){(const char *)data, size}, &model, NULL)) {
        float x[RANK_N_FEATURES] = {0};
        (void)rank_score(model, x);
        rank_model_free(model);
    }
    free(bytes);
    return 0;
}

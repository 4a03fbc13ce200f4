/* Any bytes named .jsonl. */
#include "reads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_any((struct str){(const char *)data, size}, "a.jsonl");
    return 0;
}

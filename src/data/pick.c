#include "data/pick.h"

#include <stdlib.h>

#include "core/hash.h"

uint64_t pick_number(const struct data_call *call, struct str id, uint64_t salt)
{
    uint64_t h = hash64(id.ptr, id.len, call->seed * 0x9E3779B97F4A7C15u + salt);
    return h ? h : 1; /* 0 is the bound of nothing */
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

uint64_t pick_bound(uint64_t *numbers, size_t n, size_t k)
{
    if (k == 0)
        return 0;
    if (k >= n)
        return UINT64_MAX;
    qsort(numbers, n, sizeof *numbers, by_size);
    return numbers[k - 1];
}

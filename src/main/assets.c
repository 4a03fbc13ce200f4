#include "main/assets.h"

const struct asset *asset_find(struct str path)
{
    size_t low = 0, high = n_assets;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = str_cmp(path, str_c(assets[mid].path));
        if (order == 0)
            return &assets[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

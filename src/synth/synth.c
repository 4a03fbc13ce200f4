/* synth - opening and closing. */
#include <stdlib.h>

#include "synth/synth_in.h"

enum err synth_open(const struct synth_opts *opts, struct synth **out, struct why *why)
{
    struct synth *synth = calloc(1, sizeof *synth);
    if (!synth)
        return err_set(why, ERR_NO_MEMORY, "could not open the synthesis");
    synth->opts = *opts;
    *out = synth;
    return ERR_OK;
}

void synth_close(struct synth *synth)
{
    if (synth)
        free(synth->table);
    free(synth);
}

/*
 * formats/wire - a document, or why there is none, as bytes between the child process that parsed
 * it and the one that asked. Every length is checked when read: the child may have been taken over.
 */
#ifndef FORMATS_WIRE_H
#define FORMATS_WIRE_H

#include "formats/formats.h"

/* To the file descriptor, which is closed; `err` says which of doc and why counts. False when it
 * cannot be written. */
bool wire_write(int take_fd, enum err err, const struct format_document *doc,
                const struct why *why);

/* What wire_write wrote: its error and words, or the document, which borrows from `bytes` and lives
 * in `arena` besides. ERR_INVALID when the bytes are not whole. */
ERR_MUST_USE enum err wire_read(struct str bytes, struct arena *arena, struct format_document *doc,
                                struct why *why);

#endif

/*
 * data/talk - messages of a conversation in the shapes that trainers use, read and written.
 *
 *     openai     [{"role": "user", "content": "..."}, ...]
 *     sharegpt   [{"from": "human", "value": "..."}, ...]
 *     alpaca     {"instruction", "input"?, "output", "system"?, "history"?: [[question,
 * answer]...]}
 */
#ifndef DATA_TALK_H
#define DATA_TALK_H

#include "data/op.h"

#define TALK_MOST 4096 /* messages */

struct talk_message {
    struct str role, content; /* role as OpenAI names it: system, user, assistant, tool */
};

struct talk {
    struct talk_message *items; /* TALK_MOST of room */
    size_t n;
};

ERR_MUST_USE enum err talk_init(struct talk *chat, struct arena *arena, struct why *why);
/* ERR_TOO_LARGE. A content that is empty is not added. */
ERR_MUST_USE enum err talk_add(struct talk *chat, struct str role, struct str content,
                               struct why *why);
/* From a list of messages of either shape; ERR_INVALID for what has neither, or an unknown role. */
ERR_MUST_USE enum err talk_read(struct str raw, struct arena *arena, struct talk *chat,
                                struct why *why);
/* The member of a JSON object (a row) that is text, decoded; ptr NULL when it is not there. */
struct str talk_member(struct str object, const char *name, struct arena *arena);
struct str talk_member_raw(struct str object, const char *name, struct arena *arena);
/* instruction and input as one user message. */
struct str talk_instruction(struct str object, struct arena *arena);

/* What stands at `path` of a record as one text: "user", "assistant" or "system" are the messages
 * of that role, the last one alone with `last`; a list of messages at the path is joined; one
 * message is its content; all else as field_text(). ptr NULL when there is none. */
struct str talk_text(const struct record *record, struct str path, bool last);

/* As JSON lists. */
void talk_write(const struct talk *chat, struct buf *out);
void talk_write_sharegpt(const struct talk *chat, struct buf *out);

#endif

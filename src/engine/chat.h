/*
 * engine/chat - chat templates, grammars of JSON schemas, and the reading of what a model wrote.
 *
 * Place in the room: api -> guard -> [chat] -> run. The one door to llama.cpp's C++ `common`
 * library: its Jinja interpreter, its analysis of templates, its parsers of tool calls and
 * reasoning, its conversion of JSON schemas. No exception leaves it. It sets no limit on time,
 * memory or depth: what comes from outside goes through engine/guard, which calls it in a process
 * that can be killed. Requests and answers are JSON text, so that they cross that border as they
 * are.
 *
 *   Threads  one struct chat or chat_reader at a time by one thread; different ones from any
 *   Without llama.cpp (HAVE_LLAMA 0) everything that can fail says ERR_UNSUPPORTED
 *   Source   llama.cpp v0.5.0, common/chat.h, json-schema-to-grammar.h
 */
#ifndef ENGINE_CHAT_H
#define ENGINE_CHAT_H

#include "core/str.h"

struct chat;        /* a template, read */
struct chat_reader; /* what one answer says so far */

struct chat_source {
    struct str template_text; /* Jinja; empty: ChatML */
    struct str tool_template; /* the one for requests with tools; empty: the same */
    struct str bos, eos;      /* their texts, "" when the vocabulary has none */
};

/* ERR_INVALID: the template is not Jinja, or cannot be analysed (it is run with small messages). */
ERR_MUST_USE enum err chat_open(const struct chat_source *source, struct chat **out,
                                struct why *why);
void chat_close(struct chat *chat); /* NULL is fine */

/*
 * Writes a conversation out as the model wants to read it.
 *
 * `request` is a JSON object: "messages" as OpenAI has them, and where wanted "tools",
 * "tool_choice"
 * ("auto", "none", "required"), "parallel_tool_calls", "schema" (a JSON schema), "grammar" (GBNF),
 * "thinking" (bool), "template_kwargs" (object).
 * The answer is a JSON object: "prompt"; "generation_prompt" (its end, which the parser and a
 * grammar have to have seen); "grammar", "grammar_begun" (it wants to
 * see the generation prompt first), "grammar_lazy", "triggers" [{"kind": "word"|"pattern",
 * "value"}]; "preserved" (special tokens whose text the parser needs); "stops"; "format", "parser",
 * "thinking" (all three for chat_reader_open).
 *
 *   Errors  ERR_INVALID  the template refuses the messages, the schema cannot be a grammar, ...
 *           ERR_NO_MEMORY
 *   Cost    the template is run some dozens of times to learn its form: milliseconds
 */
ERR_MUST_USE enum err chat_render(struct chat *chat, struct str request, struct buf *out,
                                  struct why *why);

/* The grammar (GBNF) of a JSON schema. ERR_INVALID says what of it cannot be one. */
ERR_MUST_USE enum err chat_schema(struct str schema, struct buf *out, struct why *why);

/* Whether llama.cpp will take this grammar: ERR_INVALID when it is none, has no root, refers to
 * what is not there or grows beyond bounds. */
ERR_MUST_USE enum err chat_grammar(struct str grammar, struct why *why);

/* ---- reading an answer ---- */

enum chat_delta_kind { CHAT_CONTENT, CHAT_REASONING, CHAT_TOOL };

struct chat_delta {
    enum chat_delta_kind kind;
    struct str text;     /* what is new; of a tool call the new part of its arguments */
    size_t tool;         /* CHAT_TOOL: which call, from 0 */
    struct str id, name; /* of a tool call, once, with its first delta; else empty */
};

typedef enum err chat_delta_fn(void *ctx, const struct chat_delta *delta, struct why *why);

/* `rendered` is chat_render's answer. ERR_INVALID when it is none. */
ERR_MUST_USE enum err chat_reader_open(struct str rendered, bool tools, struct chat_reader **out,
                                       struct why *why);
void chat_reader_close(struct chat_reader *reader); /* NULL is fine */

/*
 * Takes more of the model's text and calls `fn` for what is new. Text that may yet turn out to be
 * the begin of a tool call is held back until `end`. What does not have the form of the template's
 * tool calls is content: nothing that the model wrote is lost.
 *
 *   Errors  ERR_TOO_LARGE  nested more than 256 deep outside of plain content; what `fn` returns
 *   Cost    the text so far is read anew: call it once for several pieces
 */
ERR_MUST_USE enum err chat_reader_feed(struct chat_reader *reader, struct str text, bool end,
                                       chat_delta_fn *fn, void *ctx, struct why *why);

#endif

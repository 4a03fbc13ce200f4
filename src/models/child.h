/*
 * models/child - one engine process: started, listened to until it is ready, asked to end, buried.
 *
 * `yicheng engine` writes one line of JSON to the descriptor that --ready-fd names once its model
 * is loaded and its port listens, or the reason why not. It ends on SIGTERM after what it answers,
 * and dies with the thread that started it (PR_SET_PDEATHSIG, and its own --with-parent).
 */
#ifndef MODELS_CHILD_H
#define MODELS_CHILD_H

#include <sys/types.h>

#include "core/secret.h"
#include "core/str.h"

#define CHILD_PATH       4096
#define CHILD_MOST_LORAS 16

struct child_opts {
    const char *program, *model, *alias, *kv_type, *modality;
    const char *loras[CHILD_MOST_LORAS]; /* "name=file" */
    size_t n_loras;
    int64_t threads, context, slots, queue, drain_s;
    int64_t remember_mb; /* -1: the engine's own measure */
    const char
        *token_path;      /* written here, mode 0600; holds the token that only the centre knows */
    const char *log_path; /* appended to */
};

struct child {
    pid_t pid; /* 0: none */
    int ready_fd;
    char token[SECRET_TOKEN_TEXT];
    char line[2048];
    size_t line_len;
};

/* Only on the thread that lives as long as the child may. */
ERR_MUST_USE enum err child_start(const struct child_opts *opts, struct child *out,
                                  struct why *why);

enum child_word {
    CHILD_SILENT,
    CHILD_READY,
    CHILD_REFUSED,
    CHILD_MUTE /* closed without a word */
};
struct child_ready {
    int port;
    int64_t context, slots;
    enum err err; /* CHILD_REFUSED: the code it gave */
    char words[300];
};
/* What it has said so far; never waits. */
enum child_word child_listen(struct child *child, struct child_ready *out);
/* Pure: the line itself. */
enum child_word child_read_line(struct str line, struct child_ready *out);

/* Whether it has ended; its group is then killed and it is buried. *words gets how it died. */
bool child_ended(struct child *child, char *words, size_t size);
void child_ask_to_end(const struct child *child);
void child_kill(const struct child *child);
int64_t child_rss(const struct child *child); /* resident bytes, 0 when not known */

#endif

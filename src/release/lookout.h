/*
 * release/lookout - what a program can see in a record by itself: words of a list, insult and hate
 * by a classifier, personal data. For the report's safety and the gate's automatic sample.
 *
 * Read-only after opening; from any thread.
 */
#ifndef RELEASE_LOOKOUT_H
#define RELEASE_LOOKOUT_H

#include "core/json.h"
#include "core/str.h"

struct arena;
struct release;

struct lookout;
/* The word list of release.words or the short one of the program; the classifier of data when it is
 * there. ERR_UNAVAILABLE when release.words names a file that is not there. */
ERR_MUST_USE enum err lookout_open(struct release *release, struct lookout **out, struct why *why);
void lookout_close(struct lookout *lookout); /* NULL is fine */

struct sighting {
    bool words;      /* a word of the list, in whatever dress */
    double toxic;    /* probability of insult or hate, below 0 when there is no classifier */
    bool hit;        /* words, or toxic at LOOKOUT_TOXIC and more */
    size_t personal; /* personal data found */
    unsigned kinds;  /* of them, PRIVACY_BIT()s */
};
#define LOOKOUT_TOXIC 0.9
ERR_MUST_USE enum err lookout_see(const struct lookout *lookout, struct str text, bool personal,
                                  struct arena *arena, struct sighting *out, struct why *why);
bool lookout_has_classifier(const struct lookout *lookout);
/* For people: the first word of the list that stands in the text as it is, or "". */
struct str lookout_word(const struct lookout *lookout, struct str text);
/* {"words": {"list", "n", "sha256"}, "classifier": name or null}: members of the open object. */
void lookout_put(const struct lookout *lookout, struct json_out *out);

#endif

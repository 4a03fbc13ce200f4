#include "knowledge/asked.h"

#include <math.h>
#include <pthread.h>

#include "core/log.h"
#include "knowledge/rank_shipped.h"
#include "learn/learn.h"

double asked_answered_by(const struct learn_model *model, struct str question)
{
    float p[LEARN_LABELS_MOST];
    size_t label;
    if (!learn_label_find(model, STR(ASKED_ANSWERED), &label))
        return 0;
    (void)learn_say(model, question, p);
    double odds = log((p[label] + 1e-6) / (1 - p[label] + 1e-6));
    return odds < -ASKED_MOST ? -ASKED_MOST : odds > ASKED_MOST ? ASKED_MOST : odds;
}

static struct learn_model *shipped;

static void read_shipped(void)
{
    struct why why = {0};
    struct str bytes = {(const char *)asked_shipped_begin,
                        /* cppcheck-suppress comparePointers */
                        (size_t)(asked_shipped_end - asked_shipped_begin)};
    if (learn_read(bytes, &shipped, &why))
        LOG_WARN("the shipped model of questions cannot be read", LOG_WHY(&why));
}

double asked_answered(struct str question)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, read_shipped);
    return shipped ? asked_answered_by(shipped, question) : 0;
}

/*
 * main/sample - loads a folder with a city (city.json, manifest.json, documents) at the first
 * start.
 */
#ifndef MAIN_SAMPLE_H
#define MAIN_SAMPLE_H

#include "main/center.h"

/* Makes the departments, the bases and their documents. A base that has documents already is left
 * alone, so that a second start costs nothing. Tells on stderr what it does. */
ERR_MUST_USE enum err sample_load(struct center *center, const char *folder, struct why *why);

#endif

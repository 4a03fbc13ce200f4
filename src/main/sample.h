/*
 * main/sample - loads a folder with a city (city.json, manifest.json, documents) at the first
 * start.
 */
#ifndef MAIN_SAMPLE_H
#define MAIN_SAMPLE_H

#include "main/center.h"

/* Makes the departments, the bases with their documents, the data sets and the pipelines, once: a
 * mark in the data directory says that all was loaded. Without it (a loading that was cut short, a
 * restored backup) what exists is taken as it is and what is missing is added. Tells on stderr what
 * it does. */
ERR_MUST_USE enum err sample_load(struct center *center, const char *folder, struct why *why);

#endif

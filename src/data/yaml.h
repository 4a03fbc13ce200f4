/*
 * data/yaml - one YAML document as JSON text (libyaml).
 *
 * Plain scalars are read by the core schema of YAML 1.2: null, true, false, integers, decimals;
 * all else is text. Anchors, aliases, tags and a second document are refused: what a spec needs is
 * JSON with fewer brackets, and an alias can blow a small file up.
 */
#ifndef DATA_YAML_H
#define DATA_YAML_H

#include "core/str.h"

#define YAML_MOST ((size_t)1 << 20) /* bytes */

/* ERR_INVALID says line and column. */
ERR_MUST_USE enum err yaml_to_json(struct str text, struct buf *out, struct why *why);

#endif

/*
 * data/import_picture - pictures with their captions: files beside each other, or a list of them.
 *
 *   one.jpg + one.txt             the text is the caption; one.json: its "caption" or "text"
 *   list.jsonl, list.csv          a picture's path ("image", "file", "file_name" ...) and "caption"
 *   captions.json of COCO         {"images": [{"id", "file_name"}], "annotations": [{"image_id",
 *                                 "caption"}]}: a record for each annotation
 *
 * A path in a list means a picture of the same import: relative to the list, or the only picture of
 * that name. Nothing else of the server is ever read for it.
 */
#ifndef DATA_IMPORT_PICTURE_H
#define DATA_IMPORT_PICTURE_H

#include "data/import.h"
#include "data/record.h"

bool import_is_picture(struct str path);
/* Whether the plan's first picture has a caption beside it, or a list of COCO is among the files.
 */
bool import_has_captions(const struct import_plan *plan, struct arena *arena);
/* For a plan of kind caption: where each picture is. */
ERR_MUST_USE enum err import_index_pictures(struct import_plan *plan, struct arena *arena,
                                            struct why *why);

/* What a file is in an import of captions. */
enum picture_part {
    PART_PICTURE, /* becomes a record when its caption stands beside it */
    PART_CAPTION, /* belongs to a picture: read with it */
    PART_COCO,
    PART_LIST /* lines or rows: read as in every import, each through import_caption_of() */
};
enum picture_part import_part(const struct import_task *task, const struct import_file *file,
                              struct str all, struct arena *arena);
/* The line of a record for the picture with what stands beside it; ptr NULL when there is nothing
 * (which is a fault only when no list names it). ERR_INVALID when it is no picture. */
ERR_MUST_USE enum err import_picture_line(struct import_task *task, const struct import_file *file,
                                          struct str bytes, struct str *line, struct why *why);
/* Calls `take` with the line of each annotation. */
ERR_MUST_USE enum err import_coco(struct import_task *task, const struct import_file *file,
                                  struct str all,
                                  enum err (*take)(struct import_task *task, struct str line,
                                                   int64_t place, struct why *why),
                                  struct why *why);
/* Puts the members of a listed record where a caption record has them: the picture's object into
 * "image", the words into "caption". ERR_INVALID names the path that is not there. */
ERR_MUST_USE enum err import_caption_of(struct import_task *task, const struct import_file *list,
                                        struct record *record, struct why *why);

#endif

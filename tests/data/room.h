/*
 * tests/data/room - a data room, and short words for importing and running in it.
 */
#ifndef TESTS_DATA_ROOM_H
#define TESTS_DATA_ROOM_H

#include "base.h"

/* A file below the directory of the room; its path in the room's arena. */
__attribute__((unused)) static const char *room_file(struct room *r, const char *name,
                                                     const char *text)
{
    const char *dir = file_join(r->arena, r->dir, "in");
    char *path = file_join(r->arena, dir, name);
    CHECK_EQ(file_make_dirs(dir, NULL), ERR_OK);
    CHECK_EQ(file_write(path, str_c(text), 0640, NULL), ERR_OK);
    return path;
}

/* Runs a queued job here; its result. */
__attribute__((unused)) static const struct json *room_job(struct room *r, const char *id)
{
    struct job_info info = {.state = JOB_FAILED};
    const struct json *result = NULL;
    struct why why = {0};
    CHECK_OK(job_run(r->compute, id, &why), &why);
    CHECK_OK(job_find(r->compute, id, r->arena, &info, &why), &why);
    CHECK_EQ(info.state, JOB_DONE);
    CHECK_EQ(json_parse(info.result, r->arena, &result, NULL), ERR_OK);
    return result;
}

__attribute__((unused)) static const struct json *room_import(struct room *r, const char *spec)
{
    char id[UUID_TEXT] = "";
    struct why why = {0};
    CHECK_OK(data_import(r->data, &r->who, str_c(spec), id, &why), &why);
    return room_job(r, id);
}

__attribute__((unused)) static const struct json *room_run(struct room *r, const char *spec)
{
    char id[UUID_TEXT] = "";
    struct why why = {0};
    CHECK_OK(data_run(r->data, &r->who, str_c(spec), id, &why), &why);
    return room_job(r, id);
}

#endif

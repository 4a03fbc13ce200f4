/* What Linux says about processes under /proc. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compute/compute_in.h"

struct stat_line {
    char state;
    long group;
    long long start;
    long long rss_pages;
};

/* /proc/<pid>/stat: the name stands in brackets and may hold anything, so from the last ')'. */
static bool read_stat(const char *pid, struct stat_line *out)
{
    char path[64], text[1024];
    if (snprintf(path, sizeof path, "/proc/%s/stat", pid) >= (int)sizeof path)
        return false;
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    return at && sscanf(at + 1,
                        " %c %*s %ld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                        "%*s %lld %*s %lld",
                        &out->state, &out->group, &out->start, &out->rss_pages) == 4;
}

int64_t proc_start(pid_t pid)
{
    char name[24];
    struct stat_line line;
    (void)snprintf(name, sizeof name, "%ld", (long)pid);
    if (pid <= 0 || !read_stat(name, &line) || line.state == 'Z' || line.state == 'X')
        return 0;
    return line.start;
}

int64_t proc_group_rss(pid_t group)
{
    int64_t pages = 0;
    DIR *dir = opendir("/proc");
    if (!dir)
        return 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        struct stat_line line;
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && read_stat(e->d_name, &line) &&
            line.group == (long)group && line.state != 'Z')
            pages += line.rss_pages;
    }
    (void)closedir(dir);
    return pages * sysconf(_SC_PAGESIZE);
}

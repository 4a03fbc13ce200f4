#include "support/pg_cluster.h"

#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "core/time.h"

struct pg_cluster {
    char bin[256];       /* folder of the server's programs */
    char dir[64];        /* ours: data and socket */
    struct passwd *user; /* NULL: run as we are */
    gid_t groups[64];    /* of the user */
    int n_groups;
    const char *fsync;
    pid_t server;
};

static bool find_programs(char *bin, size_t n)
{
    glob_t found;
    bool there = glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) == 0 ||
                 glob("/usr/pgsql-*/bin/postgres", 0, NULL, &found) == 0 ||
                 glob("/usr/local/pgsql/bin/postgres", 0, NULL, &found) == 0;
    if (there) {
        const char *path = found.gl_pathv[found.gl_pathc - 1];
        (void)snprintf(bin, n, "%.*s", (int)(strlen(path) - strlen("/postgres")), path);
    }
    globfree(&found);
    return there;
}

/* In the child: becomes the server's user, dies with the test, and is silent. Nothing here may take
 * memory: another thread of the test may have held the heap's lock at the fork. */
static void become(const struct pg_cluster *cluster, pid_t parent)
{
    if (cluster->user && (setgroups((size_t)cluster->n_groups, cluster->groups) != 0 ||
                          setgid(cluster->user->pw_gid) != 0 || setuid(cluster->user->pw_uid) != 0))
        _exit(126);
    (void)prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != parent)
        _exit(125);
    int nothing = open("/dev/null", O_RDONLY);
    if (chdir(cluster->dir) != 0)
        _exit(124);
    int log = open("log", O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (nothing < 0 || log < 0 || dup2(nothing, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
        _exit(124);
}

static pid_t launch(const struct pg_cluster *cluster, const char *program, const char *const *args)
{
    char path[320];
    (void)snprintf(path, sizeof path, "%s/%s", cluster->bin, program);
    (void)fflush(NULL);
    pid_t own = getpid(), pid = fork();
    if (pid == 0) {
        become(cluster, own);
        (void)execv(path, (char *const *)args);
        _exit(127);
    }
    return pid;
}

static bool run(const struct pg_cluster *cluster, const char *program, const char *const *args)
{
    pid_t pid = launch(cluster, program, args);
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

bool pg_cluster_start(struct pg_cluster *cluster)
{
    const char *const args[] = {
        "postgres",           "-D", "data",           "-k", cluster->dir,          "-c",
        "listen_addresses=",  "-c", cluster->fsync,   "-c", "shared_buffers=16MB", "-c",
        "max_connections=60", "-c", "autovacuum=off", NULL};
    const char *const ready[] = {"pg_isready", "-q", "-h", cluster->dir, NULL};
    cluster->server = launch(cluster, "postgres", args);
    for (int i = 0; cluster->server > 0 && i < 400; i++) {
        if (run(cluster, "pg_isready", ready))
            return true;
        if (waitpid(cluster->server, NULL, WNOHANG) == cluster->server)
            cluster->server = 0;
        time_sleep_ms(25);
    }
    return false;
}

void pg_cluster_stop(struct pg_cluster *cluster, bool crash)
{
    if (cluster->server <= 0)
        return;
    (void)kill(cluster->server, crash ? SIGQUIT : SIGINT);
    (void)waitpid(cluster->server, NULL, 0);
    cluster->server = 0;
}

bool pg_cluster_database(struct pg_cluster *cluster, const char *name, char *url, size_t n_url)
{
    const char *const args[] = {"createdb", "-h", cluster->dir, "-U", "yicheng", name, NULL};
    (void)snprintf(url, n_url, "postgresql://yicheng@/%s?host=%s", name, cluster->dir);
    return run(cluster, "createdb", args);
}

bool pg_cluster_database_in(struct pg_cluster *cluster, const char *name, const char *folder,
                            char *url, size_t n_url)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql, "CREATE TABLESPACE %s LOCATION '%s'", name, folder);
    const char *const space[] = {"psql", "-q",       "-h", cluster->dir, "-U", "yicheng",
                                 "-d",   "postgres", "-c", sql,          NULL};
    const char *const args[] = {"createdb", "-h", cluster->dir, "-U", "yicheng",
                                "-D",       name, name,         NULL};
    /* What stands in memory only would need room later, even for reading. */
    const char *const checkpoint[] = {"psql", "-q",       "-h", cluster->dir, "-U", "yicheng",
                                      "-d",   "postgres", "-c", "CHECKPOINT", NULL};
    (void)snprintf(url, n_url, "postgresql://yicheng@/%s?host=%s", name, cluster->dir);
    return (!cluster->user || chown(folder, cluster->user->pw_uid, cluster->user->pw_gid) == 0) &&
           run(cluster, "psql", space) && run(cluster, "createdb", args) &&
           run(cluster, "psql", checkpoint);
}

void pg_cluster_free(struct pg_cluster *cluster)
{
    if (!cluster)
        return;
    pg_cluster_stop(cluster, true); /* nobody needs its data any more */
    if (cluster->dir[0] && file_remove(cluster->dir, NULL))
        printf("# could not remove %s\n", cluster->dir);
    free(cluster);
}

static bool make(struct pg_cluster *cluster, char *words, size_t n_words)
{
    const char *const args[] = {"initdb", "-D", "data", "-U",         "yicheng",   "-A",
                                "trust",  "-E", "UTF8", "--locale=C", "--no-sync", NULL};
    if (geteuid() == 0 && !(cluster->user = getpwnam("postgres"))) {
        (void)snprintf(words, n_words, "PostgreSQL refuses root and there is no user postgres");
        return false;
    }
    cluster->n_groups = sizeof cluster->groups / sizeof cluster->groups[0];
    if (cluster->user && getgrouplist(cluster->user->pw_name, cluster->user->pw_gid,
                                      cluster->groups, &cluster->n_groups) < 0) {
        (void)snprintf(words, n_words, "the user postgres is in too many groups");
        return false;
    }
    (void)snprintf(cluster->dir, sizeof cluster->dir, "/tmp/yicheng-pg-XXXXXX");
    if (!mkdtemp(cluster->dir)) {
        cluster->dir[0] = '\0';
        (void)snprintf(words, n_words, "no temporary folder for PostgreSQL");
        return false;
    }
    if (cluster->user && chown(cluster->dir, cluster->user->pw_uid, cluster->user->pw_gid) != 0) {
        (void)snprintf(words, n_words, "could not give a folder to the user postgres");
        return false;
    }
    if (!run(cluster, "initdb", args) || !pg_cluster_start(cluster)) {
        (void)snprintf(words, n_words, "could not start PostgreSQL");
        return false;
    }
    return true;
}

static struct pg_cluster *new_with(const char *fsync, char *words, size_t n_words)
{
    struct pg_cluster *cluster = calloc(1, sizeof *cluster);
    if (!cluster || !find_programs(cluster->bin, sizeof cluster->bin)) {
        free(cluster);
        (void)snprintf(words, n_words, "PostgreSQL's server is not installed");
        return NULL;
    }
    cluster->fsync = fsync;
    if (make(cluster, words, n_words))
        return cluster;
    pg_cluster_free(cluster);
    return NULL;
}

struct pg_cluster *pg_cluster_new(char *words, size_t n_words)
{
    return new_with("fsync=off", words, n_words);
}

struct pg_cluster *pg_cluster_new_durable(char *words, size_t n_words)
{
    return new_with("fsync=on", words, n_words);
}

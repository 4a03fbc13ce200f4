/* How well faces and plates are found, in pictures whose boxes somebody drew:
 *     eval_image faces|plates LIST FOLDER [SET]     precision and recall over LIST
 * (bench/pictures.txt, or boxes.txt of make_plates) at an overlap of 0.4 eval_image faces|plates
 * draw OUT PICTURE...   each picture with frames round what would be covered */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/faces.h"
#include "data/image.h"
#include "data/plates.h"

#define ROOM    ((size_t)1 << 30)
#define LEAST   0.2 /* what is looked at; limits above it are counted */
#define LONGEST 2048
#define SAME    0.4
#define LIMITS  7

static const double limits[LIMITS] = {0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
static bool faces_wanted;

struct count {
    size_t right, wrong, missed;
};
static struct count counts[LIMITS];
static size_t pictures, pictures_wrong[LIMITS];
static double seconds;

static double cpu_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static enum err find(const char *path, double least, struct arena *arena, struct picture *picture,
                     struct image_boxes *out, struct why *why)
{
    const struct faces *faces = NULL;
    struct str bytes;
    enum err err = faces_wanted ? faces_shipped(&faces, why) : ERR_OK;
    if (!err)
        err = file_read(path, (size_t)64 << 20, arena, &bytes, why);
    if (!err)
        err = picture_decode(bytes, (size_t)100 << 20, arena, picture, why);
    double begin = cpu_now();
    if (!err)
        err = faces_wanted ? faces_find(faces, picture, &(struct faces_opts){least, LONGEST}, arena,
                                        out, why)
                           : plates_find(picture, least, LONGEST, arena, out, why);
    seconds += cpu_now() - begin;
    return err;
}

/* ---- counting ---- */

struct truth {
    char path[512];
    struct image_box boxes[256];
    size_t n;
};

static void count_one(const struct truth *truth, const struct image_boxes *found)
{
    for (int i = 0; i < LIMITS; i++) {
        bool used[256] = {false};
        size_t right = 0, n = 0;
        for (; n < found->n && found->items[n].sure >= limits[i]; n++) {
            double best = 0, of_smaller;
            size_t at = 0;
            for (size_t k = 0; k < truth->n; k++) {
                double shared = image_overlap(&found->items[n], &truth->boxes[k], &of_smaller);
                if (!used[k] && shared > best) {
                    best = shared;
                    at = k;
                }
            }
            if (best >= SAME) {
                used[at] = true;
                right++;
            }
        }
        counts[i].right += right;
        counts[i].wrong += n - right;
        counts[i].missed += truth->n - right;
        pictures_wrong[i] += n > right;
    }
}

static enum err judge(const struct truth *truth, const char *folder, struct why *why)
{
    struct arena *arena = arena_new(ROOM);
    struct picture picture;
    struct image_boxes found = {0};
    char *path = arena ? file_join(arena, folder, truth->path) : NULL;
    enum err err = path ? find(path, LEAST, arena, &picture, &found, why)
                        : err_set(why, ERR_NO_MEMORY, "no room for a picture");
    if (!err) {
        count_one(truth, &found);
        pictures++;
    }
    arena_free(arena);
    return err;
}

/* "set picture kind x y width height" or, as make_plates writes it, without the set. */
static bool parse(char *line, const char *set, char path[512], char kind[16], struct image_box *box)
{
    char own[32], rest[512];
    *box = (struct image_box){.sure = 1};
    if (line[0] == '#')
        return false;
    if (sscanf(line, "%511s %15s %d %d %d %d", path, kind, &box->x, &box->y, &box->width,
               &box->height) == 6)
        return true;
    int n = sscanf(line, "%31s %511s %15s %d %d %d %d", own, rest, kind, &box->x, &box->y,
                   &box->width, &box->height);
    memcpy(path, rest, sizeof rest);
    return (n == 7 || (n == 3 && strcmp(kind, "none") == 0)) && (!set || strcmp(set, own) == 0);
}

static enum err score(const char *list, const char *folder, const char *set, struct why *why)
{
    FILE *file = fopen(list, "r");
    char line[1024], path[512], kind[16];
    struct truth truth = {.n = 0};
    struct image_box box;
    enum err err = file ? ERR_OK : err_errno(why, "could not open file \"%s\"", list);
    while (!err && fgets(line, sizeof line, file)) {
        if (!parse(line, set, path, kind, &box))
            continue;
        if (strcmp(path, truth.path) != 0) { /* lines of one picture follow one another */
            if (truth.path[0])
                err = judge(&truth, folder, why);
            memcpy(truth.path, path, sizeof path);
            truth.n = 0;
        }
        if (strcmp(kind, faces_wanted ? "face" : "plate") == 0 && truth.n < 256)
            truth.boxes[truth.n++] = box;
    }
    if (!err && truth.path[0])
        err = judge(&truth, folder, why);
    if (file)
        (void)fclose(file);
    if (err)
        return err;
    printf("%zu pictures, %.2f s of processor a picture\n", pictures, seconds / (double)pictures);
    for (int i = 0; i < LIMITS; i++) {
        const struct count *c = &counts[i];
        printf("sure %.1f: right %zu wrong %zu (in %zu pictures) missed %zu; precision %.3f recall "
               "%.3f\n",
               limits[i], c->right, c->wrong, pictures_wrong[i], c->missed,
               (double)c->right / (double)(c->right + c->wrong + !(c->right + c->wrong)),
               (double)c->right / (double)(c->right + c->missed + !(c->right + c->missed)));
    }
    return ERR_OK;
}

/* ---- drawing ---- */

static void dot(struct picture *p, int x, int y)
{
    if (x < 0 || y < 0 || x >= p->width || y >= p->height)
        return;
    uint8_t *at = p->rgb + ((size_t)y * (size_t)p->width + (size_t)x) * 3;
    at[0] = 255;
    at[1] = at[2] = 0;
}

static void frame(struct picture *p, const struct image_box *b)
{
    for (int w = 0; w < 3; w++) {
        for (int x = b->x; x <= b->x + b->width; x++) {
            dot(p, x, b->y + w);
            dot(p, x, b->y + b->height - w);
        }
        for (int y = b->y; y <= b->y + b->height; y++) {
            dot(p, b->x + w, y);
            dot(p, b->x + b->width - w, y);
        }
    }
}

static enum err draw(const char *path, const char *folder, struct why *why)
{
    struct arena *arena = arena_new(ROOM);
    struct picture picture;
    struct image_boxes found = {0};
    struct str made;
    enum err err = arena ? find(path, faces_wanted ? 0.5 : 0.7, arena, &picture, &found, why)
                         : err_set(why, ERR_NO_MEMORY, "no room for a picture");
    for (size_t i = 0; !err && i < found.n; i++)
        frame(&picture, &found.items[i]);
    if (!err)
        err = picture_encode(&picture, PICTURE_JPEG, 85, arena, &made, why);
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    char *to = err ? NULL : str_z(arena, str_printf(arena, "%s/%s.jpg", folder, name));
    if (!err)
        err = to ? file_write(to, made, 0640, why) : ERR_NO_MEMORY;
    if (!err)
        printf("%s %d x %d: %zu\n", name, picture.width, picture.height, found.n);
    arena_free(arena);
    return err;
}

int main(int argc, char **argv)
{
    struct why why = {0};
    enum err err = ERR_OK;
    if (argc < 4)
        return 2;
    faces_wanted = strcmp(argv[1], "faces") == 0;
    if (strcmp(argv[2], "draw") == 0) {
        err = file_make_dirs(argv[3], &why);
        for (int i = 4; !err && i < argc; i++)
            err = draw(argv[i], argv[3], &why);
    } else {
        err = score(argv[2], argv[3], argc > 4 ? argv[4] : NULL, &why);
    }
    if (err)
        (void)fprintf(stderr, "eval_image: %s\n", why_text(&why, err));
    return err != ERR_OK;
}

/* tests/support/temp_dir.h - a folder of files for one test. Fails the test when the system does not play
 * along. */
#ifndef SENTINEL_TESTS_TEMP_DIR_H
#define SENTINEL_TESTS_TEMP_DIR_H

enum { TEMP_PATH_SIZE = 128 };

struct temp_dir {
    char path[64];
};

void temp_dir_open(struct temp_dir *dir);
/* Writes `text` to a file of the folder, at once for whoever reads it. `path` gets its whole name. */
void temp_dir_write(const struct temp_dir *dir, const char *name, const char *text,
                    char path[TEMP_PATH_SIZE]);
/* A new key and a certificate for `host` that is signed by itself: NAME.key and NAME.crt. */
void temp_dir_write_certificate(const struct temp_dir *dir, const char *name, const char *host);
/* Removes the folder with its files. */
void temp_dir_close(struct temp_dir *dir);

#endif

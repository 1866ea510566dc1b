#include "observe/host_directory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#include "base/alloc.h"

/* Names in the order in which they were met, and an open-addressing index over them that holds number + 1
 * (0: free). Nothing is ever removed, so a probe ends at the first free slot. */
struct host_directory {
    pthread_mutex_t lock;
    uint64_t hash_seed; /* secret, so that crafted names cannot be made to collide */
    char **names;
    uint32_t count, max_hosts, slot_count; /* slot_count is a power of two */
    uint32_t *slots;
};

enum { FIRST_SLOTS = 64 };

struct host_directory *host_directory_create(uint32_t max_hosts) {
    struct host_directory *directory = xcalloc(1, sizeof *directory);
    pthread_mutex_init(&directory->lock, NULL);
    if (getentropy(&directory->hash_seed, sizeof directory->hash_seed) != 0)
        abort(); /* never for 8 bytes (getentropy(3)) */
    directory->max_hosts = max_hosts;
    directory->slot_count = FIRST_SLOTS;
    directory->slots = xcalloc(FIRST_SLOTS, sizeof *directory->slots);
    directory->names = xcalloc(FIRST_SLOTS, sizeof *directory->names);
    return directory;
}

static uint32_t *find_slot(const struct host_directory *directory, const char *name) {
    uint32_t mask = directory->slot_count - 1;
    uint32_t at = (uint32_t)XXH3_64bits_withSeed(name, strlen(name), directory->hash_seed) & mask;
    while (directory->slots[at] && strcmp(directory->names[directory->slots[at] - 1], name) != 0)
        at = (at + 1) & mask;
    return &directory->slots[at];
}

/* Keeps the index at most half full. */
static void make_room(struct host_directory *directory) {
    if (directory->count < directory->slot_count / 2)
        return;
    directory->slot_count *= 2;
    directory->names = xrealloc(directory->names, directory->slot_count, sizeof *directory->names);
    free(directory->slots);
    directory->slots = xcalloc(directory->slot_count, sizeof *directory->slots);
    for (uint32_t host = 0; host < directory->count; host++)
        *find_slot(directory, directory->names[host]) = host + 1;
}

static enum status intern_locked(struct host_directory *directory, const char *name, uint32_t *host,
                                 struct error *err) {
    uint32_t *slot = find_slot(directory, name);
    if (*slot == 0) {
        if (directory->count == directory->max_hosts)
            return error_set(err, STATUS_TOO_LARGE,
                             "the limit of %u hosts is reached: raise it, or send fewer",
                             directory->max_hosts);
        make_room(directory);
        slot = find_slot(directory, name);
        directory->names[directory->count++] = xstrdup(name);
        *slot = directory->count;
    }
    *host = *slot - 1;
    return STATUS_OK;
}

enum status host_directory_intern(struct host_directory *directory, const char *name, uint32_t *host,
                                  struct error *err) {
    if (strlen(name) >= HOST_NAME_SIZE)
        return error_set(err, STATUS_TOO_LARGE, "a host name of %zu bytes is too long, the limit is %d",
                         strlen(name), HOST_NAME_SIZE - 1);
    pthread_mutex_lock(&directory->lock);
    enum status status = intern_locked(directory, name, host, err);
    pthread_mutex_unlock(&directory->lock);
    return status;
}

const char *host_directory_name(struct host_directory *directory, uint32_t host) {
    pthread_mutex_lock(&directory->lock);
    const char *name = host < directory->count ? directory->names[host] : NULL;
    pthread_mutex_unlock(&directory->lock);
    return name;
}

uint32_t host_directory_count(struct host_directory *directory) {
    pthread_mutex_lock(&directory->lock);
    uint32_t count = directory->count;
    pthread_mutex_unlock(&directory->lock);
    return count;
}

void host_directory_destroy(struct host_directory *directory) {
    if (!directory)
        return;
    for (uint32_t host = 0; host < directory->count; host++)
        free(directory->names[host]);
    free((void *)directory->names);
    free(directory->slots);
    pthread_mutex_destroy(&directory->lock);
    free(directory);
}

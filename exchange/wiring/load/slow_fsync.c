/* A disk that needs two milliseconds more for each flush: preload it in a process whose files lie on it.
 *
 * Data and order of flushes stay as they are; only who waits for one waits longer.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

static void wait_for_the_disk(void) {
    struct timespec left = {0, 2 * 1000 * 1000};
    while (nanosleep(&left, &left) != 0) continue;
}

#define SLOW(name) int name(int handle) { \
        static int (*real)(int); \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name); \
        wait_for_the_disk(); \
        return real(handle); \
    }
SLOW(fsync)
SLOW(fdatasync)

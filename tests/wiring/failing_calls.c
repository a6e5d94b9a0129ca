/* System calls that change files fail or kill on purpose: preloaded before a child process of the tests.
 *
 * Counts every call that changes something below one folder once `arm` was called, and lets the call of one
 * number fail with EIO without being done, fail with EIO although it was done, or end the process by SIGKILL
 * before it is done. What lies on a disk changes by such calls only, so they are all the steps there are;
 * memory shared between processes (SQLite's index of its log) dies with the last of them and is made again.
 * How many pages a commit writes differs between runs, so that a number is no name: with one, only the calls of
 * that name are counted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { COUNT, LOST, KEPT, KILL };

static char below[PATH_MAX], only[PATH_MAX + 64];
static long step_to_strike, taken;
static int how, told = -1, armed;

void arm(const char *folder, long step, int mode, int tell, const char *name) {
    snprintf(below, sizeof below, "%s", folder);
    snprintf(only, sizeof only, "%s", name);
    step_to_strike = step, how = mode, told = tell, taken = 0, armed = 1;
}

long disarm(void) {
    armed = 0;
    return taken;
}

static int strikes(const char *call, const char *path) {
    char line[PATH_MAX + 64];
    if (!armed || strncmp(path, below, strlen(below)) != 0) return COUNT;
    int length = snprintf(line, sizeof line, "%s %s\n", call, path + strlen(below));
    if (only[0] && strcmp(line, only) != 0) return COUNT;
    long step = taken++;
    if (told >= 0) {
        armed = 0; /* the telling is no step itself */
        if (write(told, line, (size_t)length) != length) _exit(99);
        armed = 1;
    }
    if (how == COUNT || step != step_to_strike) return COUNT;
    if (how == KILL) kill(getpid(), SIGKILL);
    return how;
}

static int strikes_at(const char *call, int handle) {
    char link[64], path[PATH_MAX];
    if (!armed) return COUNT;
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return COUNT;
    path[length] = 0;
    return strikes(call, path);
}

#define REAL(name) static __typeof__(&name) real; if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)
#define DONE(struck, result) do { \
        int struck_ = (struck); \
        if (struck_ == LOST) { errno = EIO; return -1; } \
        __typeof__(result) done_ = (result); \
        if (struck_ == KEPT) { errno = EIO; return -1; } \
        return done_; \
    } while (0)

ssize_t write(int handle, const void *from, size_t count) {
    REAL(write);
    DONE(strikes_at("write", handle), real(handle, from, count));
}
ssize_t pwrite(int handle, const void *from, size_t count, off_t at) {
    REAL(pwrite);
    DONE(strikes_at("write", handle), real(handle, from, count, at));
}
ssize_t pwrite64(int handle, const void *from, size_t count, off64_t at) {
    REAL(pwrite64);
    DONE(strikes_at("write", handle), real(handle, from, count, at));
}
int fsync(int handle) {
    REAL(fsync);
    DONE(strikes_at("sync", handle), real(handle));
}
int fdatasync(int handle) {
    REAL(fdatasync);
    DONE(strikes_at("sync", handle), real(handle));
}
int ftruncate(int handle, off_t length) {
    REAL(ftruncate);
    DONE(strikes_at("truncate", handle), real(handle, length));
}
int ftruncate64(int handle, off64_t length) {
    REAL(ftruncate64);
    DONE(strikes_at("truncate", handle), real(handle, length));
}
int rename(const char *from, const char *to) {
    REAL(rename);
    DONE(strikes("rename", to), real(from, to));
}
int unlink(const char *path) {
    REAL(unlink);
    DONE(strikes("remove", path), real(path));
}
int unlinkat(int folder, const char *path, int flags) {
    REAL(unlinkat);
    DONE(strikes_at("remove", folder), real(folder, path, flags));
}
int rmdir(const char *path) {
    REAL(rmdir);
    DONE(strikes("remove", path), real(path));
}
int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    DONE(strikes("make", path), real(path, mode));
}

/* Opening is a step only where it can make a file. */
#define OPENS(name) int name(const char *path, int flags, ...) { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & O_CREAT) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); } \
        int struck = flags & O_CREAT ? strikes("open", path) : COUNT; \
        int handle = struck == LOST ? -1 : real(path, flags, mode); \
        if (struck == COUNT) return handle; \
        if (handle >= 0) close(handle); /* the file was made; nobody was told its number */ \
        errno = EIO; \
        return -1; \
    }
OPENS(open)
OPENS(open64)

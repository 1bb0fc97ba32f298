/* Preloaded (LD_PRELOAD), lets the n-th thing that is written below a folder fail, in whatever part of a program and in
   its children too: what is counted, and what is to fail, stands in a file that all of them share. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* As tests/faults/shim.py packs it. */
struct control {
    int count, nth, number, for_good, failed;
    char what[236];
    char folder[1024];
};

static struct control *control;
static int told = -1; /* a file that takes a line for each thing counted */


__attribute__((constructor)) static void map_control(void) {
    const char *path = getenv("FAULTS_CONTROL");
    int handle = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (handle < 0) return;
    void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
    if (mapped != MAP_FAILED) control = mapped;
    close(handle);
    const char *list = getenv("FAULTS_TOLD");
    if (list) told = open(list, O_WRONLY | O_APPEND | O_CLOEXEC);
}

/* Whether the call fails: 1 with errno set. */
static int fails(const char *call, const char *path) {
    size_t length = strlen(control->folder);
    if (!length || strncmp(path, control->folder, length) || path[length] != '/') return 0;
    int count = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST), nth = control->nth;
    if (told >= 0) dprintf(told, "%d %s %s\n", count, call, path + length);
    if (!nth || !(count == nth || (control->for_good && count > nth))) return 0;
    if (!__atomic_exchange_n(&control->failed, 1, __ATOMIC_SEQ_CST))
        snprintf(control->what, sizeof control->what, "%s %s", call, path + length);
    errno = control->number;
    return 1;
}

static int fails_at(const char *call, int folder, const char *path) {
    char whole[2 * PATH_MAX], place[64], above[PATH_MAX];
    if (!control || !path) return 0;
    if (path[0] == '/') return fails(call, path);
    ssize_t length;
    if (folder == AT_FDCWD) {
        length = getcwd(above, sizeof above) ? (ssize_t)strlen(above) : -1;
    } else {
        snprintf(place, sizeof place, "/proc/self/fd/%d", folder);
        length = readlink(place, above, sizeof above - 1);
    }
    if (length < 0) return 0;
    above[length] = 0;
    snprintf(whole, sizeof whole, "%s/%s", above, path);
    return fails(call, whole);
}

static int fails_on(const char *call, int handle) {
    char place[64], path[PATH_MAX];
    if (!control) return 0;
    int before = errno;
    snprintf(place, sizeof place, "/proc/self/fd/%d", handle);
    ssize_t length = readlink(place, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

static int is_new(int folder, const char *path) {
    int before = errno, absent = faccessat(folder, path, F_OK, 0) != 0;
    errno = before;
    return absent;
}

/* What writes to an open file */

#define ON_HANDLE(result, name, parameters, arguments) \
    result name parameters {                           \
        static result(*real) parameters;               \
        if (!real) real = dlsym(RTLD_NEXT, #name);     \
        return fails_on(#name, handle) ? -1 : real arguments; \
    }

ON_HANDLE(ssize_t, write, (int handle, const void *data, size_t size), (handle, data, size))
ON_HANDLE(ssize_t, writev, (int handle, const struct iovec *parts, int count), (handle, parts, count))
ON_HANDLE(ssize_t, pwrite, (int handle, const void *data, size_t size, off_t at), (handle, data, size, at))
ON_HANDLE(ssize_t, pwrite64, (int handle, const void *data, size_t size, off64_t at), (handle, data, size, at))
ON_HANDLE(int, fsync, (int handle), (handle))
ON_HANDLE(int, fdatasync, (int handle), (handle))

/* What makes a file or gives it another name */

#define OPEN(name)                                                             \
    int name(const char *path, int flags, ...) {                               \
        static int (*real)(const char *, int, ...);                            \
        if (!real) real = dlsym(RTLD_NEXT, #name);                             \
        va_list more;                                                          \
        va_start(more, flags);                                                 \
        mode_t mode = va_arg(more, mode_t);                                    \
        va_end(more);                                                          \
        if ((flags & O_CREAT) && is_new(AT_FDCWD, path) && fails_at("create", AT_FDCWD, path)) return -1; \
        return real(path, flags, mode);                                        \
    }
#define OPENAT(name)                                                           \
    int name(int folder, const char *path, int flags, ...) {                   \
        static int (*real)(int, const char *, int, ...);                       \
        if (!real) real = dlsym(RTLD_NEXT, #name);                             \
        va_list more;                                                          \
        va_start(more, flags);                                                 \
        mode_t mode = va_arg(more, mode_t);                                    \
        va_end(more);                                                          \
        if ((flags & O_CREAT) && is_new(folder, path) && fails_at("create", folder, path)) return -1; \
        return real(folder, path, flags, mode);                                \
    }
#define FOPEN(name)                                                            \
    FILE *name(const char *path, const char *mode) {                           \
        static FILE *(*real)(const char *, const char *);                      \
        if (!real) real = dlsym(RTLD_NEXT, #name);                             \
        if (mode[0] != 'r' && is_new(AT_FDCWD, path) && fails_at("create", AT_FDCWD, path)) return NULL; \
        return real(path, mode);                                               \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
FOPEN(fopen)
FOPEN(fopen64)

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real) real = dlsym(RTLD_NEXT, "rename");
    return fails_at("rename", AT_FDCWD, to) ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode) {
    static int (*real)(const char *, mode_t);
    if (!real) real = dlsym(RTLD_NEXT, "mkdir");
    return is_new(AT_FDCWD, path) && fails_at("mkdir", AT_FDCWD, path) ? -1 : real(path, mode);
}

/* Records what a process does to the files below a folder: each write, truncation, sync, rename and removal.

   It is loaded before libc (LD_PRELOAD), so it sees the calls of SQLite as well as Python's own. A lock is held over the
   call and its record, so the records are in the order in which the calls took effect. What is written through a mapping
   (SQLite's -shm file) is not seen: that file is made anew after a crash.

   A record: kind, lengths of both paths (2 bytes each), offset and length (8 bytes each), the paths, and for a write its
   bytes. All numbers are little-endian. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *below;
static int records = -1;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("AGENTKEEP_RECORDS");
    below = getenv("AGENTKEEP_RECORD_BELOW");
    if (path != NULL && below != NULL)
        records = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* The absolute path of an open file, if it is below the folder. */
static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = records < 0 ? -1 : readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0 && strstr(path, " (deleted)") == NULL;
}

static int named(int folder, const char *name, char *path) {
    if (records < 0) return 0;
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
    } else {
        char base[PATH_MAX];
        if (folder == AT_FDCWD ? getcwd(base, sizeof base) == NULL : !path_of(folder, base)) return 0;
        if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    }
    return strncmp(path, below, strlen(below)) == 0;
}

static void put(char kind, const char *path, const char *other, uint64_t offset, const void *data, uint64_t length) {
    uint16_t lengths[2] = {(uint16_t)strlen(path), (uint16_t)strlen(other)};
    uint64_t numbers[2] = {offset, length};
    struct iovec parts[6] = {{&kind, 1},
                             {lengths, sizeof lengths},
                             {numbers, sizeof numbers},
                             {(void *)path, lengths[0]},
                             {(void *)other, lengths[1]},
                             {(void *)data, data == NULL ? 0 : length}};
    size_t total = 0;
    for (int i = 0; i < 6; i++) total += parts[i].iov_len;
    if (syscall(SYS_writev, records, parts, 6) != (long)total) abort(); /* a record with a hole proves nothing */
}

#define RECORDED(call, condition, record)      \
    do {                                       \
        pthread_mutex_lock(&lock);             \
        __typeof__(call) result = call;        \
        if ((condition) && result >= 0) record; \
        pthread_mutex_unlock(&lock);           \
        return result;                         \
    } while (0)

static int opened(int folder, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    int seen = (flags & (O_CREAT | O_TRUNC)) && named(folder, name, path);
    RECORDED((int)syscall(SYS_openat, folder, name, flags | O_LARGEFILE, mode), seen,
             put(flags & O_TRUNC ? 't' : 'c', path, "", 0, NULL, 0));
}

#define MODE(last)                                          \
    mode_t mode = 0;                                        \
    if (flags & (O_CREAT | O_TMPFILE)) {                    \
        va_list rest;                                       \
        va_start(rest, last);                               \
        mode = va_arg(rest, mode_t);                        \
        va_end(rest);                                       \
    }

int open(const char *name, int flags, ...) {
    MODE(flags)
    return opened(AT_FDCWD, name, flags, mode);
}
int open64(const char *name, int flags, ...) {
    MODE(flags)
    return opened(AT_FDCWD, name, flags, mode);
}
int openat(int folder, const char *name, int flags, ...) {
    MODE(flags)
    return opened(folder, name, flags, mode);
}
int openat64(int folder, const char *name, int flags, ...) {
    MODE(flags)
    return opened(folder, name, flags, mode);
}

ssize_t write(int fd, const void *data, size_t length) {
    char path[PATH_MAX];
    int seen = path_of(fd, path);
    RECORDED((ssize_t)syscall(SYS_write, fd, data, length), seen,
             put('w', path, "", (uint64_t)(lseek(fd, 0, SEEK_CUR) - result), data, (uint64_t)result));
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    char path[PATH_MAX];
    int seen = path_of(fd, path);
    RECORDED((ssize_t)syscall(SYS_pwrite64, fd, data, length, offset), seen,
             put('w', path, "", (uint64_t)offset, data, (uint64_t)result));
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    ssize_t written = 0;
    for (int i = 0; i < count; i++) {
        ssize_t part = write(fd, parts[i].iov_base, parts[i].iov_len);
        if (part < 0) return written > 0 ? written : part;
        written += part;
        if ((size_t)part < parts[i].iov_len) break;
    }
    return written;
}

int ftruncate64(int fd, off64_t length) {
    char path[PATH_MAX];
    int seen = path_of(fd, path);
    RECORDED((int)syscall(SYS_ftruncate, fd, length), seen, put('t', path, "", (uint64_t)length, NULL, 0));
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fsync(int fd) {
    char path[PATH_MAX];
    int seen = path_of(fd, path);
    RECORDED((int)syscall(SYS_fsync, fd), seen, put('s', path, "", 0, NULL, 0));
}
int fdatasync(int fd) {
    char path[PATH_MAX];
    int seen = path_of(fd, path);
    RECORDED((int)syscall(SYS_fdatasync, fd), seen, put('s', path, "", 0, NULL, 0));
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    char path[PATH_MAX], other[PATH_MAX];
    int seen = named(from_folder, from, path) && named(to_folder, to, other);
    RECORDED((int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0), seen, put('r', path, other, 0, NULL, 0));
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int unlinkat(int folder, const char *name, int flags) {
    char path[PATH_MAX];
    int seen = named(folder, name, path);
    RECORDED((int)syscall(SYS_unlinkat, folder, name, flags), seen, put('u', path, "", 0, NULL, 0));
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }

/* Makes calls of the C library fail in a process that is started with LD_PRELOAD, as a disk or a network does.
 *
 * INJECT is CALL:ERRNO:TEXT, such as opendir:116:checkpoints: every call of that name fails with that number where the path
 * contains the text. INJECT_TIMES is how many such calls fail, those after them work (default all). A file named by INJECT_LOG is
 * made when one fails.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long seen;

static long number(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? atol(text) : otherwise;
}

/* The number of the error with which this call is to fail, or 0. */
static int injected(const char *call, const char *path) {
    const char *inject = getenv("INJECT");
    size_t length = strlen(call);
    if (!inject || !path || strncmp(inject, call, length) || inject[length] != ':') return 0;
    char *text;
    long error = strtol(inject + length + 1, &text, 10);
    if (*text != ':' || !strstr(path, text + 1)) return 0;
    long times = number("INJECT_TIMES", -1);
    if (times >= 0 && atomic_fetch_add(&seen, 1) >= times) return 0;
    const char *log = getenv("INJECT_LOG");
    if (log) close(open(log, O_CREAT | O_WRONLY, 0600));
    return (int)error;
}

static int injected_at(const char *call, int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return injected(call, path);
}

#define FAIL(error, value) do { int e = (error); if (e) { errno = e; return (value); } } while (0)
#define REAL(name, ...) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))(__VA_ARGS__)

DIR *opendir(const char *path) {
    FAIL(injected("opendir", path), NULL);
    return REAL(opendir, path);
}

struct dirent64 *readdir64(DIR *folder) {
    FAIL(injected_at("readdir", dirfd(folder)), NULL);
    return REAL(readdir64, folder);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    FAIL(injected("open", path), -1);
    return REAL(open64, path, flags, mode);
}

int statx(int folder, const char *restrict path, int flags, unsigned mask, struct statx *restrict found) {
    FAIL(injected("stat", path), -1);
    return REAL(statx, folder, path, flags, mask, found);
}

int rename(const char *from, const char *to) {
    FAIL(injected("rename", to), -1);
    return REAL(rename, from, to);
}

int mkdir(const char *path, mode_t mode) {
    FAIL(injected("mkdir", path), -1);
    return REAL(mkdir, path, mode);
}

int fsync(int file) {
    FAIL(injected_at("fsync", file), -1);
    return REAL(fsync, file);
}

ssize_t read(int file, void *bytes, size_t count) {
    FAIL(injected_at("read", file), -1);
    return REAL(read, file, bytes, count);
}

ssize_t write(int file, const void *bytes, size_t count) {
    FAIL(injected_at("write", file), -1);
    return REAL(write, file, bytes, count);
}

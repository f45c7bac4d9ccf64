/* Preloaded into a node by tests/cluster/preload.rs: a disk that fails or stalls while a file exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* What a node that is away has in a snapshot of its own is shorter; what it is sent is longer. */
enum { LARGE = 64 << 10 };

/* Whether the file that the environment variable names is there. */
static int wanted(const char *variable)
{
    const char *path = getenv(variable);
    return path && access(path, F_OK) == 0;
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (wanted("TEST_FAIL_SYNC")) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int fsync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    if (wanted("TEST_FAIL_SYNC")) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

/* Whether the descriptor is of a snapshot that has no final name yet. */
static int unfinished_snapshot(int fd)
{
    char link[64], path[4096];
    ssize_t len;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof path - 1);
    if (len < 0)
        return 0;
    path[len] = 0;
    return strstr(path, ".snap.tmp") != NULL;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real)
        real = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    if (offset >= LARGE && wanted("TEST_STALL_SNAPSHOT") && unfinished_snapshot(fd)) {
        const struct timespec pause = {0, 2000000};
        const char *stalled = getenv("TEST_STALLED");
        if (stalled) {
            int mark = open(stalled, O_CREAT | O_WRONLY, 0600);
            if (mark >= 0)
                close(mark);
        }
        while (wanted("TEST_STALL_SNAPSHOT"))
            nanosleep(&pause, NULL);
    }
    return real(fd, bytes, count, offset);
}

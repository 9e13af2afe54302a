/*
 * Stands between a process and the file system (LD_PRELOAD), and makes chosen calls on the database fail or kills the
 * process in them. NORTHGATE_FAULTS names a directory with the file `plan`, which the test writes at any time, and
 * the file `log`, which tells every call on the database in order. Linux only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* CREATE is an open that makes a file, GROW a write beyond its end: on a disk without inodes or blocks only these fail. */
enum call { WRITE = 1, SYNC = 2, TRUNCATE = 4, UNLINK = 8, OPEN = 16, CREATE = 32, GROW = 64, MAP = 128 };
/* BESIDE is any other file of the data directory. */
enum file { DATABASE = 1, WAL = 2, BESIDE = 4, OTHER = 0 };
/* What happens to a chosen call, beside failing with an errno. */
enum action { PASS = 0, KILL = 1000, TEAR = 1001, HANG = 1002 };

/* The test knows this layout: faults/shim.rs. */
struct plan {
    uint32_t calls;  /* which calls are counted: bits of enum call */
    uint32_t files;  /* and on which files: bits of enum file */
    uint32_t action; /* an errno, or of enum action */
    uint32_t from;   /* the first counted call that is chosen, from 1 */
    uint32_t times;  /* how many are chosen from there */
    uint32_t seen;   /* how many were counted */
};

static struct plan *plan;
static int log_fd = -1;

__attribute__((constructor)) static void begin(void) {
    const char *directory = getenv("NORTHGATE_FAULTS");
    char path[PATH_MAX];
    if (!directory) return;
    snprintf(path, sizeof path, "%s/plan", directory);
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    void *memory = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    snprintf(path, sizeof path, "%s/log", directory);
    log_fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (memory == MAP_FAILED || log_fd < 0) _exit(70);
    plan = memory;
}

static int ends_with(const char *path, const char *end) {
    size_t length = strlen(path), of_end = strlen(end);
    return length >= of_end && !strcmp(path + length - of_end, end);
}

static enum file named(const char *path) {
    if (!plan) return OTHER;
    if (ends_with(path, "/northgate.db")) return DATABASE;
    if (ends_with(path, "/northgate.db-wal")) return WAL;
    int is_beside = ends_with(path, "/northgate.db-shm") || ends_with(path, "/northgate.db-journal") ||
                    ends_with(path, "/northgate.lock");
    return is_beside ? BESIDE : OTHER;
}

static enum file opened(int fd) {
    char link[64], path[PATH_MAX];
    if (!plan || fd == log_fd) return OTHER;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return OTHER;
    path[length] = 0;
    return named(path);
}

static void tell(const char *call, enum file file, int fd, long offset, long length, int failed) {
    char line[128];
    if (file == BESIDE) return;
    int size = snprintf(line, sizeof line, "%s %s %d %ld %ld %d\n", call, file == WAL ? "wal" : "db", fd, offset,
                        length, failed);
    syscall(SYS_write, log_fd, line, size);
}

/* What the plan wants of this call. */
static uint32_t chosen(enum call call, enum file file) {
    if (!(plan->calls & call) || !(plan->files & file)) return PASS;
    uint32_t count = __atomic_add_fetch(&plan->seen, 1, __ATOMIC_SEQ_CST);
    if (count < plan->from || count - plan->from >= plan->times) return PASS;
    /* Until the plan is another one; a process that ends does not wait for it. */
    while (plan->calls && plan->action == HANG) usleep(1000);
    return plan->action == HANG ? PASS : plan->action;
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

static ssize_t write_at(int fd, const void *bytes, size_t length, off_t offset) {
    return syscall(SYS_pwrite64, fd, bytes, length, offset);
}

static ssize_t on_write(enum file file, int fd, const void *bytes, size_t length, off_t offset) {
    uint32_t action = chosen(WRITE, file);
    struct stat now;
    if (action == PASS && !fstat(fd, &now) && offset + (off_t)length > now.st_size) action = chosen(GROW, file);
    if (action == KILL) die();
    if (action == TEAR) {
        tell("write", file, fd, offset, length, 0);
        write_at(fd, bytes, length / 2, offset);
        die();
    }
    /* Told before it is done, so that a write is never on the disk and not in the log. */
    tell("write", file, fd, offset, length, action);
    if (action == PASS) return write_at(fd, bytes, length, offset);
    errno = action;
    return -1;
}

static int on_call(enum call call, const char *name, enum file file, int fd, long length) {
    uint32_t action = chosen(call, file);
    if (action == KILL || action == TEAR) die();
    if (action == PASS) return 0;
    tell(name, file, fd, 0, length, action);
    errno = action;
    return -1;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    enum file file = opened(fd);
    if (!file) return syscall(SYS_write, fd, bytes, length);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t written = on_write(file, fd, bytes, length, offset);
    if (written > 0) lseek(fd, offset + written, SEEK_SET);
    return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    enum file file = opened(fd);
    return file ? on_write(file, fd, bytes, length, offset) : write_at(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

static int on_sync(int fd, long number) {
    enum file file = opened(fd);
    if (!file) return syscall(number, fd);
    if (on_call(SYNC, "sync", file, fd, 0)) return -1;
    int failed = syscall(number, fd);
    if (!failed) tell("sync", file, fd, 0, 0, 0);
    return failed;
}

int fsync(int fd) { return on_sync(fd, SYS_fsync); }

int fdatasync(int fd) { return on_sync(fd, SYS_fdatasync); }

int ftruncate64(int fd, off64_t length) {
    enum file file = opened(fd);
    if (file && on_call(TRUNCATE, "truncate", file, fd, length)) return -1;
    if (file) tell("truncate", file, fd, 0, length, 0);
    return syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int unlink(const char *path) {
    enum file file = named(path);
    if (file && on_call(UNLINK, "unlink", file, -1, 0)) return -1;
    if (file) tell("unlink", file, -1, 0, 0, 0);
    return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
    va_end(rest);
    enum file file = named(path);
    if (file && on_call(OPEN, "open", file, -1, 0)) return -1;
    int is_new = file && (flags & O_CREAT) && faccessat(AT_FDCWD, path, F_OK, 0);
    if (is_new && on_call(CREATE, "open", file, -1, 0)) return -1;
    int fd = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (file) tell("open", file, fd, 0, 0, fd < 0);
    return fd;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
    va_end(rest);
    return open64(path, flags, mode);
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    enum file file = fd < 0 ? OTHER : opened(fd);
    if (file && on_call(MAP, "map", file, fd, length)) return MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    return mmap64(at, length, protection, flags, fd, offset);
}

/* A disk for one process, preloaded between it and the C library: it writes down what is done to the files of one folder, with the bytes
   and in the order in which it was done, and fails where it is told to. All by the environment:

   DISK_FOLDER   the folder; nothing else is touched. Files that end in -shm are left alone: they are memory.
   DISK_TRACE    a file that gets a record of each step (see `disk.rs`).
   DISK_COUNT    a file that gets a byte for each step that may be made to fail: `w` for a write, `f` for a flush.
   DISK_FAULT    KIND:K, the K-th such step from 1 on fails: `write` with EIO, `short` with ENOSPC after 512 bytes, `flush` with EIO.
   DISK_FULL     while this file is there, no file grows: what would make it finds no room, and what is there can be written over.

   It leaves alone what our processes do not use on files of theirs: descriptors handed over, memory maps, asynchronous calls. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 65536

static char folder[PATH_MAX];
static const char *full;
static size_t length;
static int trace = -1, count = -1;
static char fault;
static long fault_at, writes, flushes;
static char *names[FILES];
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
  int (*opening)(const char *, int, ...) = (int (*)(const char *, int, ...))real("open");
  const char *text = getenv("DISK_FOLDER");
  if (!text || !realpath(text, folder)) return;
  length = strlen(folder);
  if ((text = getenv("DISK_TRACE"))) trace = opening(text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if ((text = getenv("DISK_COUNT"))) count = opening(text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  /* A copy: a server writes its titles over what it was given. */
  if ((text = getenv("DISK_FULL"))) full = strdup(text);
  if ((text = getenv("DISK_FAULT")) && strchr(text, ':')) {
    fault = text[0];
    fault_at = atol(strchr(text, ':') + 1);
  }
}

/* The name inside the folder; nothing of a file elsewhere. */
static char *inside(const char *path) {
  char whole[PATH_MAX], parent[PATH_MAX], found[PATH_MAX];
  if (!length || !path || snprintf(whole, sizeof whole, "%s", path) >= (int)sizeof whole) return NULL;
  if (!realpath(whole, found)) {
    char *slash = strrchr(whole, '/');
    const char *last = slash ? slash + 1 : whole;
    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - whole) : 1, slash ? whole : ".");
    if (!realpath(parent, found) || strlen(found) + strlen(last) + 2 > sizeof found) return NULL;
    strcat(strcat(found, "/"), last);
  }
  if (strncmp(found, folder, length) || (found[length] && found[length] != '/')) return NULL;
  size_t end = strlen(found);
  if (end > 4 && !strcmp(found + end - 4, "-shm")) return NULL;
  return strdup(found[length] ? found + length + 1 : "");
}

static void record(char kind, const char *name, uint64_t at, const void *bytes, uint32_t size) {
  if (trace < 0) return;
  char head[15] = {kind};
  uint16_t named = strlen(name);
  memcpy(head + 1, &named, 2), memcpy(head + 3, &at, 8), memcpy(head + 11, &size, 4);
  struct iovec parts[] = {{head, sizeof head}, {(void *)name, named}, {(void *)bytes, size}};
  /* In one go, since whoever drives the process writes to the same file. */
  if (REAL(ssize_t, writev, int, const struct iovec *, int)(trace, parts, 3) < 0) abort();
}

static const char *known(int fd) { return fd >= 0 && fd < FILES ? names[fd] : NULL; }

/* Whether this step fails, and how. */
static char failing(char step) {
  if (count >= 0 && REAL(ssize_t, write, int, const void *, size_t)(count, &step, 1) < 0) abort();
  if (step == 'w') return ++writes == fault_at && (fault == 'w' || fault == 's') ? fault : 0;
  return ++flushes == fault_at && fault == 'f' ? 'f' : 0;
}

static ssize_t no(int why) { errno = why; return -1; }

/* Whether there is no room for so many bytes; `at` is where they go, or -1 for where the file stands. */
static int no_room(int fd, size_t size, off64_t at) {
  struct stat64 file;
  if (!full || access(full, F_OK) || fstat64(fd, &file)) return 0;
  return (at < 0 ? lseek64(fd, 0, SEEK_CUR) : at) + (off64_t)size > file.st_size;
}

/* `at` is where it goes, or -1 for where the file stands. */
static ssize_t put(int fd, const void *bytes, size_t size, off64_t at) {
  const char *name = known(fd);
  ssize_t (*here)(int, const void *, size_t) = REAL(ssize_t, write, int, const void *, size_t);
  ssize_t (*there)(int, const void *, size_t, off64_t) = REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
  if (!name) return at < 0 ? here(fd, bytes, size) : there(fd, bytes, size, at);
  pthread_mutex_lock(&one_at_a_time);
  char how = failing('w');
  if (!how && no_room(fd, size, at)) how = 'x';
  ssize_t done = -1;
  int why = how == 'w' ? EIO : ENOSPC;
  if (how == 's' && size > 512) size = 512, how = 0, fault_at = writes + 1; /* the rest finds no room */
  if (!how) {
    done = at < 0 ? here(fd, bytes, size) : there(fd, bytes, size, at);
    why = errno;
    if (done > 0) record('w', name, at < 0 ? lseek64(fd, 0, SEEK_CUR) - done : at, bytes, done);
  }
  pthread_mutex_unlock(&one_at_a_time);
  return done < 0 ? no(why) : done;
}

ssize_t write(int fd, const void *bytes, size_t size) { return put(fd, bytes, size, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return put(fd, bytes, size, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) { return put(fd, bytes, size, at); }

/* The first part is enough: whoever writes parts goes on where it was cut short. */
ssize_t writev(int fd, const struct iovec *parts, int n) {
  return known(fd) && n > 0 ? put(fd, parts[0].iov_base, parts[0].iov_len, -1)
                            : REAL(ssize_t, writev, int, const struct iovec *, int)(fd, parts, n);
}
ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at) {
  return known(fd) && n > 0 ? put(fd, parts[0].iov_base, parts[0].iov_len, at)
                            : REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t)(fd, parts, n, at);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t at) { return pwritev(fd, parts, n, at); }

static int flush(int fd, int (*flushing)(int)) {
  const char *name = known(fd);
  if (!name) return flushing(fd);
  pthread_mutex_lock(&one_at_a_time);
  int why = EIO, done = failing('f') ? -1 : flushing(fd);
  record(done ? 'x' : 'f', name, 0, "", 0);
  pthread_mutex_unlock(&one_at_a_time);
  return done ? (int)no(why) : 0;
}

int fsync(int fd) { return flush(fd, REAL(int, fsync, int)); }
int fdatasync(int fd) { return flush(fd, REAL(int, fdatasync, int)); }

int posix_fallocate(int fd, off_t at, off_t size) {
  if (known(fd) && no_room(fd, size, at)) return ENOSPC;
  return REAL(int, posix_fallocate, int, off_t, off_t)(fd, at, size);
}
int posix_fallocate64(int fd, off64_t at, off64_t size) { return posix_fallocate(fd, at, size); }

static int cut(int fd, off64_t to) {
  const char *name = known(fd);
  if (name) pthread_mutex_lock(&one_at_a_time);
  int done = REAL(int, ftruncate64, int, off64_t)(fd, to);
  if (name && !done) record('t', name, to, "", 0);
  if (name) pthread_mutex_unlock(&one_at_a_time);
  return done;
}

int ftruncate(int fd, off_t to) { return cut(fd, to); }
int ftruncate64(int fd, off64_t to) { return cut(fd, to); }

static int opened(int (*opening)(const char *, int, ...), const char *path, int flags, mode_t mode) {
  char *name = inside(path);
  if (!name) return opening(path, flags, mode);
  pthread_mutex_lock(&one_at_a_time);
  int is_new = (flags & O_CREAT) && access(path, F_OK);
  int fd = opening(path, flags, mode), why = errno;
  if (fd >= 0 && fd < FILES) {
    free(names[fd]);
    names[fd] = name;
    if (is_new) record('c', name, 0, "", 0);
    else if (flags & O_TRUNC) record('t', name, 0, "", 0);
  } else free(name);
  pthread_mutex_unlock(&one_at_a_time);
  errno = why;
  return fd;
}

#define OPEN(call)                                                                                                                        \
  int call(const char *path, int flags, ...) {                                                                                           \
    va_list rest;                                                                                                                         \
    va_start(rest, flags);                                                                                                                \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                                              \
    va_end(rest);                                                                                                                         \
    return opened((int (*)(const char *, int, ...))real(#call), path, flags, mode);                                                      \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  if (known(fd)) {
    pthread_mutex_lock(&one_at_a_time);
    free(names[fd]);
    names[fd] = NULL;
    pthread_mutex_unlock(&one_at_a_time);
  }
  return REAL(int, close, int)(fd);
}

int unlink(const char *path) {
  char *name = inside(path);
  pthread_mutex_lock(&one_at_a_time);
  int done = REAL(int, unlink, const char *)(path), why = errno;
  if (name && !done) record('u', name, 0, "", 0);
  pthread_mutex_unlock(&one_at_a_time);
  free(name);
  errno = why;
  return done;
}

int rename(const char *from, const char *to) {
  char *old = inside(from), *new = inside(to);
  pthread_mutex_lock(&one_at_a_time);
  int done = REAL(int, rename, const char *, const char *)(from, to), why = errno;
  if (old && new && !done) record('r', old, 0, new, strlen(new));
  pthread_mutex_unlock(&one_at_a_time);
  free(old), free(new);
  errno = why;
  return done;
}

// Lets the shared runtime load with any glibc since 2.18 (2013), although it is
// linked against a newer one. The linker takes the newest version of a symbol;
// here are the few that became newer since, as hidden definitions that win over
// glibc's: those that only moved to another library call their old version, the
// rest is replaced. Linked into the shared library only.
#include <cstddef>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OLD_VERSION(name) __asm__(".symver old_" #name "," #name "@GLIBC_2.2.5")

extern "C" {

// Moved into libc.so.6 with version 2.34 (pthread_sigmask: 2.32).
OLD_VERSION(pthread_create);
int old_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                       void *);
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                   void *(*start)(void *), void *argument) noexcept {
  return old_pthread_create(thread, attributes, start, argument);
}

OLD_VERSION(pthread_join);
int old_pthread_join(pthread_t, void **);
int pthread_join(pthread_t thread, void **result) {
  return old_pthread_join(thread, result);
}

OLD_VERSION(pthread_once);
int old_pthread_once(pthread_once_t *, void (*)());
int pthread_once(pthread_once_t *control, void (*routine)()) {
  return old_pthread_once(control, routine);
}

OLD_VERSION(pthread_sigmask);
int old_pthread_sigmask(int, const sigset_t *, sigset_t *);
int pthread_sigmask(int how, const sigset_t *set, sigset_t *before) noexcept {
  return old_pthread_sigmask(how, set, before);
}

OLD_VERSION(dlopen);
void *old_dlopen(const char *, int);
void *dlopen(const char *path, int mode) noexcept {
  return old_dlopen(path, mode);
}

OLD_VERSION(dlsym);
void *old_dlsym(void *, const char *);
void *dlsym(void *library, const char *name) noexcept {
  return old_dlsym(library, name);
}

OLD_VERSION(dlclose);
int old_dlclose(void *);
int dlclose(void *library) noexcept { return old_dlclose(library); }

OLD_VERSION(dlerror);
char *old_dlerror();
char *dlerror() noexcept { return old_dlerror(); }

// libstdc++ asks by this whether the process has threads (weak). Present since
// 2.34 in every process, so the question is void: let it see our own.
OLD_VERSION(__pthread_key_create);
int old___pthread_key_create(unsigned *, void (*)(void *));
int __pthread_key_create(unsigned *key, void (*destructor)(void *)) {
  return old___pthread_key_create(key, destructor);
}

// Since 2.33; before, inline functions over __fxstat. The kernel's struct is
// glibc's on x86-64.
int fstat(int descriptor, struct stat *info) noexcept {
  return int(syscall(SYS_fstat, descriptor, info));
}
int fstat64(int descriptor, struct stat64 *info) noexcept {
  return int(syscall(SYS_fstat, descriptor, info));
}

// Since 2.32: true lets libstdc++ count references without atomics.
char __libc_single_threaded = 0;

// Since 2.35: the unwinder's table of loaded code. Nothing here catches
// exceptions (libstdc++ could only throw to end the process), so it may find
// none.
int _dl_find_object(void *, struct dl_find_object *) noexcept { return -1; }

} // extern "C"

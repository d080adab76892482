/* Keeps a socket locked: a thread calls send() with a page that userfaultfd keeps away. The lock also
 * ends with the program. */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { PAGE = 4096 };

static int locked, faults;
static char *page;
static pthread_t sender;

static inline void *send_the_page(void *unused) {
    check(send(locked, page, 1, 0) == 1, "send");
    return unused;
}

static inline void lock(int sock) {
    locked = sock;
    faults = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register missing = { { (unsigned long)page, PAGE }, UFFDIO_REGISTER_MODE_MISSING, 0 };
    check(faults >= 0 && page != MAP_FAILED && !ioctl(faults, UFFDIO_API, &api) &&
          !ioctl(faults, UFFDIO_REGISTER, &missing), "userfaultfd");
    check(!pthread_create(&sender, NULL, send_the_page, NULL), "pthread_create");
    struct pollfd is_waiting = { faults, POLLIN, 0 };
    check(poll(&is_waiting, 1, 5000) == 1, "the send that is to wait");
}

static inline void unlock(void) {
    struct uffdio_zeropage supply = { { (unsigned long)page, PAGE }, 0, 0 };
    check(!ioctl(faults, UFFDIO_ZEROPAGE, &supply), "UFFDIO_ZEROPAGE");
    check(!pthread_join(sender, NULL), "pthread_join");
}

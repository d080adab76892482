/* Reads and sets options of one TCP socket, which is chosen by its cookie: that of a subflow, or of any
 * other TCP socket.
 *
 * An iterator over the TCP sockets of a network namespace runs this program once for each of them, with the
 * socket locked. No other program that can be run on request may call bpf_setsockopt on a subflow.
 *
 * The cookie is unique on the host, so that the program reads no memory of the kernel and depends on no
 * layout: it needs no relocation but that of its map. It calls no helper that is reserved for the GPL. To
 * stop the walk it returns 1, which ends read(2) with EAGAIN.
 *
 * `../compile` writes program.rs from this file. The layout of the request is repeated in request.rs. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

/* The numbers of the kernel's helpers never change. */
static u64 (*bpf_get_socket_cookie)(void *sock) = (void *)46;
static long (*bpf_setsockopt)(void *sock, int level, int name, void *value, int length) = (void *)49;
static long (*bpf_getsockopt)(void *sock, int level, int name, void *value, int length) = (void *)57;
static void *(*bpf_skc_to_tcp_sock)(void *sock) = (void *)137;

/* The compiler neither merges nor rewrites the steps before and after this. */
#define KEEP(variable) __asm__ volatile("" : "+r"(variable))

#define STEPS 24
#define ROOM 32 /* a power of two */

struct step {
	u32 is_set;
	u32 level;
	u32 name;
	u32 length;
	int result; /* 0, or a negative error number */
	u32 reserved;
	u8 value[ROOM];
};

/* The only map, an array of one element: written before the walk, read after it. */
struct {
	u64 cookie;
	u32 count;
	u32 is_found;
	struct step steps[STEPS];
} request;

/* struct bpf_iter__tcp. */
struct context {
	void *meta;
	void *sock;
	u32 uid;
};

__attribute__((section("iter/tcp"), used)) int subflow_option(struct context *context)
{
	void *sock = context->sock;
	if (!sock || bpf_get_socket_cookie(sock) != request.cookie)
		return 0;
	/* NULL for what is not a full socket, such as one in TIME_WAIT. */
	void *tcp = bpf_skc_to_tcp_sock(sock);
	if (!tcp)
		return 0;
	for (u32 i = 0; i < STEPS; i++) {
		struct step *step = &request.steps[i];
		if (i >= request.count)
			break;
		/* The library passes 1 to ROOM, and this is the same number. Older verifiers follow no comparison
		 * with zero. */
		u64 length = step->length - 1;
		KEEP(length);
		length &= ROOM - 1;
		KEEP(length);
		length += 1;
		if (step->is_set)
			step->result = bpf_setsockopt(tcp, step->level, step->name, step->value, length);
		else
			step->result = bpf_getsockopt(tcp, step->level, step->name, step->value, length);
	}
	request.is_found = 1;
	return 1;
}

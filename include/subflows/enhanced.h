/* The enhanced socket API (draft-hesmans-mptcp-socket): the numbers and structures of the patched kernels of
 * 2016, for programs that were written for them. libsubflows answers these options on an unpatched kernel:
 *
 *     struct mptcp_sub_ids *ids = calloc(1, 64);
 *     socklen_t length = 64;
 *     if (subflows_enhanced_getsockopt(fd, IPPROTO_TCP, MPTCP_GET_SUB_IDS, ids, &length) == 0)
 *         printf("%d subflows\n", ids->sub_count);
 *
 * A program that calls socket(), getsockopt() and setsockopt() needs no change if it is compiled with
 * -DSUBFLOWS_ENHANCED_REPLACE -include subflows/enhanced.h and linked with -lsubflows.
 *
 * The drafts and the kernels differ. These are the structures of the kernels:
 *   - struct mptcp_sub_status has 2 bytes. The drafts have one flag, low_prio.
 *   - struct mptcp_close_sub_id has only the id. The drafts add `int how`.
 *   - The addresses of struct mptcp_sub_tuple begin at offset 1. Draft 00 has `prio` before them, drafts 02 and 03
 *     `int if_idx` after them. The length alone chooses the family: 33 is IPv4, 57 is IPv6.
 *   - MPTCP_OPEN_SUB_TUPLE writes the id of the new subflow, as the drafts specify; the published kernel did not.
 *   - MPTCP_GET_SUB_INFO (70) existed in a header only. It fails with ENOPROTOOPT.
 *
 * A program with definitions of its own defines SUBFLOWS_ENHANCED_NO_STRUCTS before this header.
 */
#ifndef SUBFLOWS_ENHANCED_H
#define SUBFLOWS_ENHANCED_H

#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Options at level IPPROTO_TCP: all are read by getsockopt(), except the last one. */
#ifndef MPTCP_GET_SUB_IDS
#define MPTCP_GET_SUB_IDS 66    /* struct mptcp_sub_ids: the subflows, newest first */
#define MPTCP_CLOSE_SUB_ID 67   /* struct mptcp_close_sub_id */
#define MPTCP_GET_SUB_TUPLE 68  /* struct mptcp_sub_tuple: the addresses of the subflow `id` */
#define MPTCP_OPEN_SUB_TUPLE 69 /* struct mptcp_sub_tuple: local and remote; writes `id` */
#define MPTCP_GET_SUB_INFO 70   /* in a header of that time only: ENOPROTOOPT */
#define MPTCP_SUB_GETSOCKOPT 71 /* struct mptcp_sub_getsockopt */
#define MPTCP_SUB_SETSOCKOPT 72 /* struct mptcp_sub_setsockopt, by setsockopt() */
#endif

#ifndef SUBFLOWS_ENHANCED_NO_STRUCTS

struct mptcp_sub_status {
	uint8_t id; /* 1 to 31; the initial subflow has 1 */
	/* Bits of the second byte, by their place. A bit-field of uint8_t keeps the size at 2. */
	uint8_t slave_sk : 1,          /* not the initial subflow */
	        fully_established : 1, /* carries data */
	        attached : 1,          /* has joined */
	        low_prio : 1,          /* is a backup */
	        pre_established : 1;   /* has joined, and the peer's confirmation is missing */
};

struct mptcp_sub_ids {
	uint8_t sub_count;
	uint8_t reserved;
	__extension__ struct mptcp_sub_status sub_status[0]; /* sub_count of them */
};

struct mptcp_close_sub_id {
	uint8_t id;
};

struct mptcp_sub_tuple {
	uint8_t id;
	__extension__ uint8_t addrs[0]; /* unaligned: the local struct sockaddr_in or sockaddr_in6, then the remote one */
};

struct mptcp_sub_getsockopt {
	uint8_t id;
	int level;
	int optname;
	char *optval;
	unsigned int *optlen;
};

struct mptcp_sub_setsockopt {
	uint8_t id;
	int level;
	int optname;
	char *optval;
	unsigned int optlen;
};

#endif /* SUBFLOWS_ENHANCED_NO_STRUCTS */

/* As the system's functions, with errno. See enhanced(3). */
int subflows_enhanced_socket(int domain, int kind, int protocol);
int subflows_enhanced_getsockopt(int fd, int level, int option, void *value, socklen_t *length);
int subflows_enhanced_setsockopt(int fd, int level, int option, const void *value, socklen_t length);

/* Programs in C only: in C++, members of classes have such names. */
#if defined(SUBFLOWS_ENHANCED_REPLACE) && !defined(__cplusplus)
#define socket(domain, kind, protocol) subflows_enhanced_socket(domain, kind, protocol)
#define getsockopt(fd, level, option, value, length) \
	subflows_enhanced_getsockopt(fd, level, option, value, length)
#define setsockopt(fd, level, option, value, length) \
	subflows_enhanced_setsockopt(fd, level, option, value, length)
#endif

#ifdef __cplusplus
}
#endif

#endif /* SUBFLOWS_ENHANCED_H */

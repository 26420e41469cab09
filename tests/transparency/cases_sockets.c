/* SPDX-License-Identifier: MIT */
/* cases_sockets.c: sockets of every type, addresses and what goes beside. */
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/if_alg.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "case.h"

static void
pair_close(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

static void
stream(void)
{
	int *pair = cell(2 * sizeof(*pair));
	unsigned char *from = cell_fill(50000, 1);
	unsigned char *to = cell(50000);
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CALL(send(pair[0], from, 50000, 0));
	CALL(recv(pair[1], to, 10000, MSG_PEEK));
	CALL(recv(pair[1], to, 50000, MSG_WAITALL));
	say("%d\n", memcmp(from, to, 50000));
	CALL(recv(pair[1], to, 50000, MSG_DONTWAIT));
	CALL(shutdown(pair[0], SHUT_WR));
	CALL(recv(pair[1], to, 50000, 0));
	pair_close(pair);
}

/* None is lost, and none is taken for another. */
static void
datagrams(int type)
{
	int pair[2];
	unsigned char *from = cell_fill(60000, 2);
	unsigned char *to = cell(60000);
	CALL(socketpair(AF_UNIX, type, 0, pair));
	CALL(send(pair[0], from, 60000, 0));
	CALL(send(pair[0], from, 10, 0));
	CALL(send(pair[0], from + 10, 3000, 0));
	CALL(recv(pair[1], to, 60000, 0));
	say("%d\n", memcmp(from, to, 60000));
	CALL(recv(pair[1], to, 4, MSG_TRUNC));
	CALL(recv(pair[1], to, 60000, MSG_PEEK));
	CALL(read(pair[1], to, 60000));
	say_bytes("to", to, 60000);
	CALL(recv(pair[1], to, 60000, MSG_DONTWAIT));
	pair_close(pair);
}

static void
datagram(void)
{
	datagrams(SOCK_DGRAM);
}

static void
seqpacket(void)
{
	datagrams(SOCK_SEQPACKET);
}

static int
local(int type, struct sockaddr_in *address)
{
	socklen_t *size = cell(sizeof(*size));
	int fd = socket(AF_INET, type, 0);
	*address = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	*size = sizeof(*address);
	CALL(bind(fd, (struct sockaddr *)address, sizeof(*address)));
	CALL(getsockname(fd, (struct sockaddr *)address, size));
	say("%u %d\n", *size, address->sin_port != 0);
	return fd;
}

static void
udp(void)
{
	unsigned char *from = cell_fill(40000, 3);
	unsigned char *to = cell(40000);
	struct sockaddr_in *there = cell(sizeof(*there));
	struct sockaddr_in *back = cell(sizeof(*back));
	struct sockaddr_in *whose = cell(sizeof(*whose));
	socklen_t *size = cell(sizeof(*size));
	int in = local(SOCK_DGRAM, there);
	int out = local(SOCK_DGRAM, back);
	struct sockaddr *to_address = (struct sockaddr *)there;
	CALL(sendto(out, from, 40000, 0, to_address, sizeof(*there)));
	CALL(sendto(out, from, 0, 0, to_address, sizeof(*there)));
	CALL(sendto(out, from, 77, 0, to_address, sizeof(*there)));
	*size = sizeof(*whose);
	CALL(recvfrom(in, to, 40000, 0, (struct sockaddr *)whose, size));
	say("%u %d %d\n", *size, whose->sin_port == back->sin_port,
	    memcmp(from, to, 40000));
	CALL(recvfrom(in, to, 40000, 0, NULL, NULL));
	*size = 6;
	memset(whose, 0, sizeof(*whose));
	CALL(recvfrom(in, to, 40000, 0, (struct sockaddr *)whose, size));
	say("%u %d\n", *size, whose->sin_addr.s_addr == 0);
	CALL(recvfrom(in, to, 40000, MSG_DONTWAIT, NULL, NULL));
	close(in);
	close(out);
}

static void
tcp(void)
{
	const size_t size = 90000;
	unsigned char *from = cell_fill(size, 4);
	unsigned char *to = cell(size);
	struct sockaddr_in *there = cell(sizeof(*there));
	struct sockaddr_in *peer = cell(sizeof(*peer));
	socklen_t *length = cell(sizeof(*length));
	struct tcp_info *info = cell(sizeof(*info));
	int in = local(SOCK_STREAM, there);
	int out = socket(AF_INET, SOCK_STREAM, 0);
	CALL(listen(in, 5));
	CALL(connect(out, (struct sockaddr *)there, sizeof(*there)));
	*length = sizeof(*peer);
	chill();
	int got = accept(in, (struct sockaddr *)peer, length);
	say("%d %u %d\n", got >= 0, *length, peer->sin_family);
	memset(peer, 0, sizeof(*peer));
	*length = sizeof(*peer);
	CALL(getpeername(out, (struct sockaddr *)peer, length));
	say("%d\n", peer->sin_port == there->sin_port);
	CALL(send(out, from, size, 0));
	CALL(recv(got, to, size, MSG_WAITALL));
	say("%d\n", memcmp(from, to, size));
	*length = sizeof(*info);
	CALL(getsockopt(out, IPPROTO_TCP, TCP_INFO, info, length));
	say("%d\n", info->tcpi_state);
	CALL(send(out, from, 1, MSG_OOB));
	CALL(recv(got, to, 1, MSG_OOB));
	close(out);
	CALL(recv(got, to, size, 0));
	close(got);
	close(in);
}

/* Nobody may be dropped for want of a place for the name. */
static void
accepting(void)
{
	struct sockaddr_un *name = cell(sizeof(*name));
	struct sockaddr_un *peer = cell(sizeof(*peer));
	socklen_t *size = cell(sizeof(*size));
	int in = socket(AF_UNIX, SOCK_STREAM, 0);
	name->sun_family = AF_UNIX;
	strcpy(name->sun_path, "./a socket");
	CALL(bind(in, (struct sockaddr *)name, sizeof(*name)));
	CALL(listen(in, 8));
	for (int i = 0; i < 3; i++) {
		int out = socket(AF_UNIX, SOCK_STREAM, 0);
		CALL(connect(out, (struct sockaddr *)name, sizeof(*name)));
		*size = sizeof(*peer);
		chill();
		int got =
		    accept4(in, (struct sockaddr *)peer, size, SOCK_CLOEXEC);
		say("%d %u %d\n", got >= 0, *size, peer->sun_family);
		*size = sizeof(*peer);
		CALL(getpeername(out, (struct sockaddr *)peer, size));
		say("%u %s\n", *size, peer->sun_path);
		close(got);
		close(out);
	}
	CALL(unlink(name->sun_path));
	close(in);
}

/* A message all of whose parts lie in places of their own. */
static struct msghdr *
message_new(struct iovec *vector, size_t count, size_t control)
{
	struct msghdr *message = cell(sizeof(*message));
	message->msg_iov = vector;
	message->msg_iovlen = count;
	if (control != 0) {
		message->msg_control = cell(control);
		message->msg_controllen = control;
	}
	return message;
}

static void
control_put(struct msghdr *message, int type, const void *data, size_t size)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = type;
	head->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(head), data, size);
}

static void
rights(void)
{
	enum { COUNT = 5 };
	int fds[COUNT];
	int pair[2];
	char byte[2] = { 0 };
	struct iovec *vector = cell(sizeof(*vector));
	*vector = (struct iovec){ cell_fill(700, 5), 700 };
	struct msghdr *out = message_new(vector, 1, CMSG_SPACE(sizeof(fds)));
	for (int i = 0; i < COUNT; i++) {
		fds[i] = file_new();
		byte[0] = (char)('a' + i);
		write(fds[i], byte, 1);
	}
	control_put(out, SCM_RIGHTS, fds, sizeof(fds));
	CALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	CALL(sendmsg(pair[0], out, 0));
	memset(out->msg_control, 0, out->msg_controllen);
	CALL(recvmsg(pair[1], out, 0));
	say("flags %x, control %zu\n", (unsigned)out->msg_flags,
	    (size_t)out->msg_controllen);
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(out)), sizeof(fds));
	for (int i = 0; i < COUNT; i++) {
		pread(fds[i], byte, 1, 0);
		say("%s", byte);
		close(fds[i]);
	}
	say("\n");
	pair_close(pair);
}

static void
credentials(void)
{
	int pair[2];
	int *on = cell(sizeof(*on));
	struct ucred who = { getpid(), getuid(), getgid() };
	struct iovec *vector = cell(sizeof(*vector));
	struct ucred *peer = cell(sizeof(*peer));
	socklen_t *size = cell(sizeof(*size));
	*vector = (struct iovec){ cell_fill(10, 6), 10 };
	struct msghdr *out = message_new(vector, 1, CMSG_SPACE(sizeof(who)));
	control_put(out, SCM_CREDENTIALS, &who, sizeof(who));
	CALL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	*on = 1;
	CALL(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, on, sizeof(*on)));
	CALL(sendmsg(pair[0], out, 0));
	memset(out->msg_control, 0, out->msg_controllen);
	CALL(recvmsg(pair[1], out, 0));
	memcpy(&who, CMSG_DATA(CMSG_FIRSTHDR(out)), sizeof(who));
	say("%d %d\n", who.pid == getpid(), who.uid == getuid());
	*size = sizeof(*peer);
	CALL(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, peer, size));
	say("%d %u\n", peer->pid == getpid(), *size);
	pair_close(pair);
}

static void
scattered(void)
{
	enum { COUNT = 30 };
	int pair[2];
	struct iovec *out = cell(COUNT * sizeof(*out));
	struct iovec *in = cell(COUNT * sizeof(*in));
	unsigned char *from = cell_fill(COUNT * 5000, 7);
	unsigned char *to = cell(COUNT * 5000);
	for (size_t i = 0; i < COUNT; i++) {
		out[i] = (struct iovec){ from + i * 5000, 100 + i };
		in[i] = (struct iovec){ to + i * 5000, 120 };
	}
	CALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	CALL(sendmsg(pair[0], message_new(out, COUNT, 0), 0));
	CALL(recvmsg(pair[1], message_new(in, COUNT, 0), 0));
	say_bytes("to", to, COUNT * 5000);
	pair_close(pair);
}

static void
several(void)
{
	enum { COUNT = 20 };
	int pair[2];
	struct mmsghdr *out = cell(COUNT * sizeof(*out));
	struct mmsghdr *in = cell(COUNT * sizeof(*in));
	struct iovec *vectors = cell(COUNT * sizeof(*vectors));
	struct iovec *back = cell(COUNT * sizeof(*back));
	struct timespec *timeout = cell(sizeof(*timeout));
	unsigned char *from = cell_fill(COUNT * 6000, 8);
	unsigned char *to = cell(COUNT * 6000);
	int sent = 0;
	int got = 0;
	for (size_t i = 0; i < COUNT; i++) {
		vectors[i] = (struct iovec){ from + i * 6000, 500 + i };
		back[i] = (struct iovec){ to + i * 6000, 700 };
		out[i].msg_hdr =
		    (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1 };
		in[i].msg_hdr =
		    (struct msghdr){ .msg_iov = &back[i], .msg_iovlen = 1 };
	}
	timeout->tv_sec = 10;
	CALL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	while (sent < COUNT) {
		chill();
		int n =
		    sendmmsg(pair[0], out + sent, COUNT - (unsigned)sent, 0);
		if (n <= 0)
			break;
		sent += n;
	}
	while (got < sent) {
		chill();
		int n = recvmmsg(pair[1], in + got, COUNT - (unsigned)got,
		    MSG_WAITFORONE, timeout);
		if (n <= 0)
			break;
		got += n;
	}
	say("%d %d %u %u\n", sent, got, out[7].msg_len, in[19].msg_len);
	say_bytes("to", to, COUNT * 6000);
	pair_close(pair);
}

static void
options(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct linger *linger = cell(sizeof(*linger));
	struct timeval *timeout = cell(sizeof(*timeout));
	char *text = cell(40);
	socklen_t *size = cell(sizeof(*size));
	linger->l_onoff = 1;
	linger->l_linger = 3;
	CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, linger, sizeof(*linger)));
	memset(linger, 0, sizeof(*linger));
	*size = sizeof(*linger);
	CALL(getsockopt(fd, SOL_SOCKET, SO_LINGER, linger, size));
	say("%d %d\n", linger->l_onoff, linger->l_linger);
	timeout->tv_sec = 5;
	CALL(
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeout, sizeof(*timeout)));
	*size = 3;
	CALL(getsockopt(fd, SOL_SOCKET, SO_TYPE, timeout, size));
	say("%u\n", *size);
	*size = 40;
	CALL(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, text, size));
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, text, *size));
	CALL(getsockopt(fd, 12345, 1, text, size));
	close(fd);
}

/* A filter, whose code the option points to. */
static void
filtered(void)
{
	struct sock_fprog *program = cell(sizeof(*program));
	struct sock_filter *code = cell(2 * sizeof(*code));
	char *byte = cell(1);
	int pair[2];
	code[0] = (struct sock_filter){ .code = 0x06, .k = 0 }; /* none */
	program->len = 1;
	program->filter = code;
	CALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	CALL(setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, program,
	    sizeof(*program)));
	CALL(send(pair[0], byte, 1, 0));
	CALL(recv(pair[1], byte, 1, MSG_DONTWAIT));
	CALL(setsockopt(pair[1], SOL_SOCKET, SO_DETACH_FILTER, program,
	    sizeof(*program)));
	CALL(send(pair[0], byte, 1, 0));
	CALL(recv(pair[1], byte, 1, MSG_DONTWAIT));
	pair_close(pair);
}

/* What the kernel tells beside a datagram: its destination, its time. */
static void
beside(void)
{
	struct sockaddr_in *there = cell(sizeof(*there));
	struct iovec *vector = cell(sizeof(*vector));
	int *on = cell(sizeof(*on));
	unsigned char *bytes = cell_fill(300, 9);
	int in = local(SOCK_DGRAM, there);
	int out = socket(AF_INET, SOCK_DGRAM, 0);
	*on = 1;
	*vector = (struct iovec){ bytes, 300 };
	struct msghdr *message = message_new(vector, 1, 256);
	CALL(setsockopt(in, IPPROTO_IP, IP_PKTINFO, on, sizeof(*on)));
	CALL(setsockopt(in, SOL_SOCKET, SO_TIMESTAMP, on, sizeof(*on)));
	CALL(sendto(out, bytes, 300, 0, (struct sockaddr *)there,
	    sizeof(*there)));
	message->msg_name = cell(sizeof(*there));
	message->msg_namelen = sizeof(*there);
	CALL(recvmsg(in, message, 0));
	say("%u %zu\n", message->msg_namelen, (size_t)message->msg_controllen);
	struct cmsghdr *head = CMSG_FIRSTHDR(message);
	for (; head != NULL; head = CMSG_NXTHDR(message, head))
		say("%d %d %zu\n", head->cmsg_level, head->cmsg_type,
		    (size_t)head->cmsg_len);
	close(in);
	close(out);
}

/* The error of a datagram that nobody wanted, with the datagram. */
static void
errors(void)
{
	struct sockaddr_in *there = cell(sizeof(*there));
	struct iovec *vector = cell(sizeof(*vector));
	int *on = cell(sizeof(*on));
	unsigned char *bytes = cell_fill(100, 10);
	int gone = local(SOCK_DGRAM, there);
	int out = socket(AF_INET, SOCK_DGRAM, 0);
	close(gone);
	*on = 1;
	CALL(setsockopt(out, IPPROTO_IP, IP_RECVERR, on, sizeof(*on)));
	CALL(connect(out, (struct sockaddr *)there, sizeof(*there)));
	CALL(send(out, bytes, 100, 0));
	*vector = (struct iovec){ bytes, 100 };
	struct msghdr *message = message_new(vector, 1, 256);
	CALL(recvmsg(out, message, 0));
	message->msg_controllen = 256;
	CALL(recvmsg(out, message, MSG_ERRQUEUE));
	say("%x\n", (unsigned)message->msg_flags);
	struct cmsghdr *head = CMSG_FIRSTHDR(message);
	if (head != NULL) {
		struct sock_extended_err error;
		memcpy(&error, CMSG_DATA(head), sizeof(error));
		say("%u %d %d\n", error.ee_errno, error.ee_origin,
		    error.ee_type);
	}
	close(out);
}

/* The list of links, asked for and told in messages with a head of theirs. */
static void
netlink(void)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
	} *request = cell(sizeof(*request));
	struct sockaddr_nl *kernel = cell(sizeof(*kernel));
	struct iovec *vector = cell(sizeof(*vector));
	char *reply = cell(16 * KIB);
	unsigned links = 0;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	kernel->nl_family = AF_NETLINK;
	request->head = (struct nlmsghdr){ .nlmsg_len = sizeof(*request),
		.nlmsg_type = RTM_GETLINK,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP };
	CALL(sendto(fd, request, sizeof(*request), 0, (struct sockaddr *)kernel,
	    sizeof(*kernel)));
	*vector = (struct iovec){ reply, 16 * KIB };
	struct msghdr *message = message_new(vector, 1, 0);
	for (bool more = true; more;) {
		chill();
		unsigned size = (unsigned)recvmsg(fd, message, 0);
		struct nlmsghdr *head = (struct nlmsghdr *)reply;
		more = (int)size > 0;
		for (; more && NLMSG_OK(head, size);
		     head = NLMSG_NEXT(head, size)) {
			more = more && head->nlmsg_type != NLMSG_DONE;
			links += head->nlmsg_type == RTM_NEWLINK;
		}
	}
	say("%d\n", links > 0);
	close(fd);
}

static void
interfaces(void)
{
	struct ifreq *request = cell(sizeof(*request));
	struct ifconf *list = cell(sizeof(*list));
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	strcpy(request->ifr_name, "lo");
	CALL(ioctl(fd, SIOCGIFFLAGS, request));
	say("%d\n", (request->ifr_flags & IFF_LOOPBACK) != 0);
	CALL(ioctl(fd, SIOCGIFINDEX, request));
	CALL(ioctl(fd, SIOCGIFMTU, request));
	list->ifc_len = 10 * (int)sizeof(*request);
	list->ifc_buf = cell(10 * sizeof(*request));
	CALL(ioctl(fd, SIOCGIFCONF, list));
	say("%d\n", list->ifc_len >= (int)sizeof(*request));
	CALL(if_nametoindex(cell_text("lo")));
	close(fd);
}

/* The kernel's ciphers, by a socket. */
static void
hashes(void)
{
	struct sockaddr_alg *name = cell(sizeof(*name));
	unsigned char *from = cell_fill(10000, 11);
	unsigned char *to = cell(32);
	int fd = socket(AF_ALG, SOCK_SEQPACKET, 0);
	name->salg_family = AF_ALG;
	strcpy((char *)name->salg_type, "hash");
	strcpy((char *)name->salg_name, "sha256");
	chill();
	if (fd < 0 || bind(fd, (struct sockaddr *)name, sizeof(*name)) != 0) {
		say_skipped("no AF_ALG here");
		close(fd);
		return;
	}
	int hash = accept(fd, NULL, NULL);
	CALL(send(hash, from, 10000, 0));
	CALL(read(hash, to, 32));
	say_bytes("to", to, 32);
	close(hash);
	close(fd);
}

struct sender {
	int fd;
	unsigned char *from;
};

static void *
sender_run(void *arg)
{
	const struct sender *sender = arg;
	for (unsigned i = 0; i < 200; i++) {
		chill();
		if (send(sender->fd, sender->from + i, 1000, 0) != 1000)
			return (void *)1;
	}
	return NULL;
}

/* Receiving waits while the pages that it named are taken away. */
static void
waiting(void)
{
	int pair[2];
	unsigned char *to = cell(1000);
	struct sender *sender = cell(sizeof(*sender));
	pthread_t thread;
	unsigned wrong = 0;
	void *failed;
	CALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	*sender = (struct sender){ pair[0], cell_fill(1200, 12) };
	pthread_create(&thread, NULL, sender_run, sender);
	for (unsigned i = 0; i < 200; i++) {
		memset(to, 0, 1000);
		wrong += recv(pair[1], to, 1000, 0) != 1000;
		wrong += memcmp(to, sender->from + i, 1000) != 0;
	}
	pthread_join(thread, &failed);
	say("%u wrong, %d\n", wrong, failed == NULL);
	pair_close(pair);
}

/* The buffer is larger than all that may be held in at once. */
static void
large_buffers(void)
{
	int pair[2];
	unsigned char *from = cell_fill(50000, 14);
	unsigned char *to = cell(6 * MIB);
	struct iovec *vector = cell(sizeof(*vector));
	CALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	for (int i = 0; i < 3; i++)
		CALL(send(pair[0], from + i, 40000, 0));
	CALL(recv(pair[1], to, 6 * MIB, 0));
	say("%d\n", memcmp(from, to, 40000));
	CALL(read(pair[1], to, 6 * MIB));
	say("%d\n", memcmp(from + 1, to, 40000));
	*vector = (struct iovec){ to, 6 * MIB };
	CALL(recvmsg(pair[1], message_new(vector, 1, 0), 0));
	say("%d\n", memcmp(from + 2, to, 40000));
	CALL(recv(pair[1], to, 6 * MIB, MSG_DONTWAIT));
	pair_close(pair);
}

static void *
large_send(void *arg)
{
	const struct sender *sender = arg;
	struct iovec *vector = cell(2 * sizeof(*vector));
	vector[0] = (struct iovec){ sender->from, 1000 };
	vector[1] = (struct iovec){ sender->from + 1000, 6 * MIB - 1000 };
	struct msghdr *message = message_new(vector, 2, CMSG_SPACE(4));
	int fd = 2;
	control_put(message, SCM_RIGHTS, &fd, sizeof(fd));
	chill();
	return (void *)sendmsg(sender->fd, message, 0);
}

/* A stream in one message, with a descriptor at its beginning. */
static void
large_messages(void)
{
	int pair[2];
	unsigned char *to = cell(6 * MIB);
	struct sender *sender = cell(sizeof(*sender));
	struct iovec *vector = cell(sizeof(*vector));
	pthread_t thread;
	void *sent;
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	*sender = (struct sender){ pair[0], cell_fill(6 * MIB, 15) };
	pthread_create(&thread, NULL, large_send, sender);
	*vector = (struct iovec){ to, 1000 };
	struct msghdr *message = message_new(vector, 1, 100);
	CALL(recvmsg(pair[1], message, 0));
	say("%zu %x\n", (size_t)message->msg_controllen,
	    (unsigned)message->msg_flags);
	*vector = (struct iovec){ to + 1000, 5 * MIB };
	message->msg_controllen = 100;
	CALL(recvmsg(pair[1], message, MSG_WAITALL));
	say("%zu\n", (size_t)message->msg_controllen);
	CALL(recv(pair[1], to + 1000 + 5 * MIB, MIB - 1000, MSG_WAITALL));
	pthread_join(thread, &sent);
	say("%ld %d\n", (long)sent, memcmp(to, sender->from, 6 * MIB));
	pair_close(pair);
}

/* Sent from where it lies; told when it may be changed. */
static void
without_copy(void)
{
	int *on = cell(sizeof(*on));
	struct sockaddr_in *there = cell(sizeof(*there));
	unsigned char *from = cell_fill(64 * KIB, 13);
	unsigned char *to = cell(64 * KIB);
	int in = local(SOCK_STREAM, there);
	int out = socket(AF_INET, SOCK_STREAM, 0);
	*on = 1;
	CALL(listen(in, 1));
	CALL(setsockopt(out, SOL_SOCKET, SO_ZEROCOPY, on, sizeof(*on)));
	CALL(connect(out, (struct sockaddr *)there, sizeof(*there)));
	int got = accept(in, NULL, NULL);
	CALL(send(out, from, 64 * KIB, MSG_ZEROCOPY));
	CALL(recv(got, to, 64 * KIB, MSG_WAITALL));
	say("%d\n", memcmp(from, to, 64 * KIB));
	close(got);
	close(out);
	close(in);
}

static const struct test_case cases[] = {
	{ "stream", stream, 0 },
	{ "datagram", datagram, 0 },
	{ "seqpacket", seqpacket, 0 },
	{ "udp", udp, 0 },
	{ "tcp", tcp, 0 },
	{ "accepting", accepting, 0 },
	{ "rights", rights, 0 },
	{ "credentials", credentials, 0 },
	{ "scattered", scattered, 0 },
	{ "several", several, 0 },
	{ "options", options, 0 },
	{ "filtered", filtered, 0 },
	{ "beside", beside, 0 },
	{ "errors", errors, 0 },
	{ "netlink", netlink, 0 },
	{ "interfaces", interfaces, 0 },
	{ "hashes", hashes, 0 },
	{ "waiting", waiting, CASE_HELD },
	{ "large_buffers", large_buffers, 0 },
	{ "large_messages", large_messages, CASE_HELD },
	{ "without_copy", without_copy, 0 },
	{ 0 },
};

const struct test_group sockets_group = { "sockets", cases, NULL };

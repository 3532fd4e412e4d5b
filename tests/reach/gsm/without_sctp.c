/* For kernels without SCTP: osmo-msc opens an SCTP socket for an interface these tests do not use (SGs), and does
 * not start without it. It gets a TCP socket instead; M3UA and GSUP run over TCP anyway.
 * Build: gcc -shared -fPIC -o without_sctp.so without_sctp.c -ldl   Use: LD_PRELOAD */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

typedef int (*open_function)(int, int, int);
typedef int (*write_function)(int, int, int, const void *, socklen_t);
typedef int (*read_function)(int, int, int, void *, socklen_t *);

int socket(int domain, int type, int protocol)
{
	open_function original = (open_function)dlsym(RTLD_NEXT, "socket");

	if (protocol != IPPROTO_SCTP)
		return original(domain, type, protocol);
	return original(domain, SOCK_STREAM, IPPROTO_TCP);
}

int setsockopt(int descriptor, int level, int option, const void *value, socklen_t size)
{
	write_function original = (write_function)dlsym(RTLD_NEXT, "setsockopt");

	return level == IPPROTO_SCTP ? 0 : original(descriptor, level, option, value, size);
}

int getsockopt(int descriptor, int level, int option, void *value, socklen_t *size)
{
	read_function original = (read_function)dlsym(RTLD_NEXT, "getsockopt");

	if (level != IPPROTO_SCTP)
		return original(descriptor, level, option, value, size);
	memset(value, 0, *size);
	return 0;
}

int sctp_bindx(int descriptor, struct sockaddr *addresses, int count, int flags)
{
	socklen_t size = sizeof(struct sockaddr_in);

	(void)count;
	(void)flags;
	if (addresses->sa_family == AF_INET6)
		size = sizeof(struct sockaddr_in6);
	return bind(descriptor, addresses, size);
}

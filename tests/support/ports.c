/* SPDX-License-Identifier: MIT */
/* ports N: N different TCP ports that nobody listens on at this moment, one a line. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1;

	/* all stay bound until the program ends, so that they differ */
	for (int i = 0; i < count; i++) {
		struct sockaddr_in address = { .sin_family = AF_INET };
		socklen_t size = sizeof(address);
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
		    getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
			perror("ports");
			return 1;
		}
		printf("%d\n", ntohs(address.sin_port));
	}
	return 0;
}

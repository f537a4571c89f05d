/* SPDX-License-Identifier: MIT */
/*
 *	spawn N COMMAND [ARGS…]
 * runs a command N times, its output discarded, and prints the minimum, median and 90th percentile of its time as a
 * whole process, in µs.
 *	spawn --memory COMMAND [ARGS…]
 * runs it once and prints its time in µs and the most memory that it held, in KiB.
 *	spawn --node N PORT LAUNCHER
 * starts a node in the foreground N times, sends it a request as soon as it accepts one, and stops it: one line for the
 * boot to the first answer, one for LAUNCHER stop.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { ROUNDS_MAX = 10000, BOOT_LIMIT_US = 10000000 };

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static pid_t start(char **command)
{
	posix_spawn_file_actions_t files;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	int error = posix_spawnp(&pid, command[0], &files, NULL, command, environ);
	posix_spawn_file_actions_destroy(&files);
	if (error) {
		fprintf(stderr, "spawn: %s: %s\n", command[0], strerror(error));
		exit(1);
	}
	return pid;
}

static void finish(pid_t pid, char **command)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "spawn: %s %s: failed\n", command[0], command[1] ? command[1] : "");
		exit(1);
	}
}

static double whole_process_us(char **command)
{
	double before = now_us();

	finish(start(command), command);
	return now_us() - before;
}

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static void print_times(double *times, unsigned count)
{
	qsort(times, count, sizeof(*times), by_value);
	printf("%.0f %.0f %.0f\n", times[0], times[count / 2], times[count * 9 / 10]);
}

/* One connection, one request, one reply. False while nobody listens. */
static bool answered(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	char reply[16];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = false;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		ok = send(fd, "CREATE bench\r\n", 14, MSG_NOSIGNAL) == 14 && recv(fd, reply, sizeof(reply), 0) > 0 &&
		     reply[0] == 'O';
	if (fd >= 0)
		close(fd);
	return ok;
}

static double boot_us(char **command, int port, pid_t *pid)
{
	double before = now_us();

	*pid = start(command);
	while (!answered(port)) {
		if (now_us() - before > BOOT_LIMIT_US || waitpid(*pid, NULL, WNOHANG) == *pid) {
			fprintf(stderr, "spawn: %s start: no answer on port %d\n", command[0], port);
			kill(*pid, SIGKILL);
			exit(1);
		}
		usleep(100);
	}
	return now_us() - before;
}

static int measure_node(unsigned rounds, int port, char *launcher)
{
	static double boots[ROUNDS_MAX], stops[ROUNDS_MAX];
	static char start_word[] = "start", stop_word[] = "stop";
	char *start_command[] = { launcher, start_word, NULL }, *stop_command[] = { launcher, stop_word, NULL };

	for (unsigned i = 0; i < rounds; i++) {
		pid_t pid;
		boots[i] = boot_us(start_command, port, &pid);
		stops[i] = whole_process_us(stop_command);
		finish(pid, start_command);
	}
	print_times(boots, rounds);
	print_times(stops, rounds);
	return 0;
}

static int measure_command(unsigned rounds, char **command)
{
	static double times[ROUNDS_MAX];

	for (unsigned i = 0; i < rounds; i++)
		times[i] = whole_process_us(command);
	print_times(times, rounds);
	return 0;
}

static int measure_memory(char **command)
{
	struct rusage used;
	double time_us = whole_process_us(command);

	if (getrusage(RUSAGE_CHILDREN, &used) < 0)
		return 1;
	printf("%.0f %ld\n", time_us, used.ru_maxrss);
	return 0;
}

static unsigned round_count(const char *text)
{
	long rounds = strtol(text, NULL, 10);

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "spawn: from 1 to %d rounds, not '%s'\n", ROUNDS_MAX, text);
		exit(2);
	}
	return (unsigned)rounds;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "--node") == 0)
		return measure_node(round_count(argv[2]), atoi(argv[3]), argv[4]);
	if (argc >= 3 && strcmp(argv[1], "--memory") == 0)
		return measure_memory(argv + 2);
	if (argc >= 3)
		return measure_command(round_count(argv[1]), argv + 2);
	fprintf(stderr,
		"usage: spawn N COMMAND [ARGS…] | spawn --memory COMMAND [ARGS…] | spawn --node N PORT LAUNCHER\n");
	return 2;
}

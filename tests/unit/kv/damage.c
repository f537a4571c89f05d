/* SPDX-License-Identifier: MIT */
/*
 * A data file with flipped bits, overwritten, zeroed and cut pages: whatever is damaged, the process goes on, and each
 * answer is the right one or an error that says what is damaged. That a key is not there is an answer too.
 *
 *	kv_damage [--trials N] [--seed N] [--only TRIAL]
 *
 * Each trial damages a copy of one store and opens it in a child, which reads every key, asks for keys that are not
 * there, lists the buckets, writes, and stops. A trial that went on although a page in use was hit has to be found by
 * pages_verify().
 */
#include "workload.h"

#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEYS = 1200, BUCKETS = 3, PAGE = 4096, CHILD_S = 20, KEY_BYTES = 700, VALUE_BYTES = 12000 };

static struct t_engine t;
static char dir[256], data_path[300], log_path[300];
static char *whole, *copy; /* the data file as it was, and as it is in this trial */
static size_t size, copy_size;
static unsigned seed = 1;

static struct {
	long refused, errors, answers, found;
} * sums; /* of all children */

/* ---- what the store holds ------------------------------------------------------------------------------------ */

static unsigned mix(unsigned number)
{
	number = (number ^ 61) ^ number >> 16;
	number = (number + (number << 3)) * 0x27d4eb2du;
	return number ^ number >> 15;
}

static struct kvrel_slice bucket_of(unsigned number)
{
	static const char *const names[BUCKETS] = { "bucket-a", "bucket-b", "bucket-c" };

	return (struct kvrel_slice){ names[number % BUCKETS], 8 };
}

/* Some keys are long, so that the tree is deep, and a few longer than LMDB's. */
static struct kvrel_slice key_of(unsigned number, char out[KEY_BYTES])
{
	unsigned random = mix(number), padding = random % 61 == 0 ? 600 : random % 3 == 0 ? random % 300 : random % 20;
	int length = snprintf(out, KEY_BYTES, "%05u%0*u", random % 100000, (int)padding + 1, number);

	return (struct kvrel_slice){ out, (size_t)length };
}

static struct kvrel_slice value_of(unsigned number, char out[VALUE_BYTES])
{
	unsigned random = mix(number + 7919), length = random % 97 == 0 ? 9000 : random % 13 == 0 ? 1500 : random % 90;

	for (unsigned i = 0; i < length; i++)
		out[i] = (char)('a' + (random + i * 7 + number) % 26);
	return (struct kvrel_slice){ out, length };
}

/* Every fifth was deleted. */
static bool is_there(unsigned number)
{
	return number % 5 != 4;
}

static void make_store(void)
{
	char key[KEY_BYTES], value[VALUE_BYTES];

	t_open(&t, dir, ENGINE_NONE);
	for (unsigned life = 0; life < 2; life++)
		for (unsigned i = 0; i < KEYS; i++) {
			struct kvrel_slice args[3] = { bucket_of(i), key_of(i, key), value_of(i, value) };

			if (life == 0)
				args[2].size /= 2;
			t_call_slices(&t, 0, "hset", args, 3);
		}
	for (unsigned i = 0; i < KEYS; i++)
		if (!is_there(i))
			t_call_slices(&t, 0, "hdel", (struct kvrel_slice[]){ bucket_of(i), key_of(i, key) }, 2);
	t_close(&t);
}

static void read_store(void)
{
	int fd = open(data_path, O_RDONLY);
	struct stat stat;

	workload_expect(fd >= 0 && fstat(fd, &stat) == 0, "cannot read the store", strerror(errno));
	size = (size_t)stat.st_size;
	whole = malloc(size);
	copy = malloc(size);
	workload_expect(whole != NULL && copy != NULL && read(fd, whole, size) == (ssize_t)size, "cannot read it", "");
	close(fd);
}

/* ---- damage -------------------------------------------------------------------------------------------------- */

static void flip(size_t at, unsigned *random)
{
	copy[at] = (char)(copy[at] ^ 1 << workload_random(random) % 8);
}

static size_t random_page(unsigned *random)
{
	return workload_random(random) % (size / PAGE) * PAGE;
}

/* A page that points to others, most of the time: they are few, and matter most. */
static size_t pointing_page(unsigned *random)
{
	for (int tries = 0; tries < 2000; tries++) {
		size_t page = random_page(random);

		if (page >= 2 * PAGE && whole[page + 10] == PAGE_BRANCH && whole[page + 11] == 0)
			return page;
	}
	return random_page(random);
}

static const char *damage(unsigned *random)
{
	size_t page = random_page(random), other = random_page(random);

	memcpy(copy, whole, size);
	copy_size = size;
	switch (workload_random(random) % 10) {
	case 0:
	case 1:
		flip(workload_random(random) % size, random);
		return "a bit";
	case 2:
		flip(page + workload_random(random) % PAGE_HEAD_BYTES, random);
		return "a bit of a page's head";
	case 3:
		flip(page + PAGE_HEAD_BYTES + workload_random(random) % 64, random);
		return "a bit of a page's pointers";
	case 4:
	case 5:
		flip(pointing_page(random) + workload_random(random) % PAGE, random);
		return "a bit of a page that points to others";
	case 6:
		page = pointing_page(random);
		for (int i = 0; i < 8; i++)
			copy[page + workload_random(random) % PAGE] = (char)workload_random(random);
		return "bytes of a page that points to others";
	case 7:
		memset(copy + page + workload_random(random) % 8 * 512, 0, 512);
		return "a sector, zeroed";
	case 8:
		memcpy(copy + page, whole + other, PAGE);
		return "a page, written to another's place";
	default:
		copy_size = workload_random(random) % size;
		return "the file's end";
	}
}

static void write_copy(void)
{
	int fd = open(data_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	workload_expect(fd >= 0 && write(fd, copy, copy_size) == (ssize_t)copy_size, "cannot write the copy", "");
	close(fd);
}

/* ---- one trial ----------------------------------------------------------------------------------------------- */

static void expect_damage_told(const char *answer)
{
	workload_expect(strncmp(answer, "ERROR kv store: ", 16) == 0 && strstr(answer, ": restore a backup") != NULL,
			"an error that does not say what is damaged", answer);
	__atomic_fetch_add(&sums->errors, 1, __ATOMIC_RELAXED);
}

/* The right answer, or an error that tells of damage. */
static void ask(const char *op, const struct kvrel_slice *args, uint32_t count, const char *right)
{
	const char *answer = t_call_slices(&t, 0, op, args, count);

	if (strncmp(answer, "ERROR", 5) == 0)
		expect_damage_told(answer);
	else
		workload_expect(strcmp(answer, right) == 0, "a wrong answer", answer);
	__atomic_fetch_add(&sums->answers, 1, __ATOMIC_RELAXED);
}

static void ask_for_keys(void)
{
	static char key[KEY_BYTES], value[VALUE_BYTES], right[VALUE_BYTES + 16];

	for (unsigned i = 0; i < KEYS; i++) {
		struct kvrel_slice args[2] = { bucket_of(i), key_of(i, key) }, held = value_of(i, value);

		if (is_there(i))
			snprintf(right, sizeof(right), "OK '%.*s'", (int)held.size, held.data);
		else
			snprintf(right, sizeof(right), "OK nil");
		ask("hget", args, 2, right);
		key[args[1].size / 2] ^= 1; /* another one, which is not there */
		ask("hget", args, 2, "OK nil");
	}
}

static unsigned count_items(const char *list)
{
	unsigned count = strcmp(list, "OK []") != 0;

	for (; *list != '\0'; list++)
		count += *list == ',';
	return count;
}

static void ask_for_lists(void)
{
	unsigned expected[BUCKETS] = { 0 };

	for (unsigned i = 0; i < KEYS; i++)
		expected[i % BUCKETS] += is_there(i);
	for (unsigned i = 0; i < BUCKETS; i++) {
		const struct kvrel_slice bucket = bucket_of(i);
		const char *answer = t_call_slices(&t, 0, "hkeys", &bucket, 1);

		if (strncmp(answer, "ERROR", 5) == 0)
			expect_damage_told(answer);
		else
			workload_expect(count_items(answer) == expected[i], "a list lacks keys", "");
	}
}

static void write_some(unsigned random)
{
	char key[KEY_BYTES], value[VALUE_BYTES];

	for (unsigned i = 0; i < 60; i++) {
		unsigned number = workload_random(&random) % KEYS;
		struct kvrel_slice args[3] = { bucket_of(number), key_of(number, key), value_of(i, value) };

		t_call_slices(&t, 0, i % 3 == 0 ? "hdel" : "hset", args, i % 3 == 0 ? 2 : 3);
	}
}

static bool verifies(void)
{
	struct pages pages = { 0 };
	struct kv_error err = { "" };
	bool fine = pages_open(&pages, dir, 1 << 30, 4, &err) == 0;

	if (fine)
		fine = pages_verify(&pages, &err) == 0;
	pages_close(&pages);
	if (!fine)
		__atomic_fetch_add(&sums->found, 1, __ATOMIC_RELAXED);
	return fine;
}

static void child(unsigned random)
{
	struct kv_error err = { "" };
	bool fine;

	alarm(CHILD_S);
	fine = verifies();
	memset(&t, 0, sizeof(t));
	t.options = t_options(&t, dir);
	if (engine_durable_open(&t.options, &t.engine, &err) != 0) {
		workload_expect(strstr(err.message, "restore a backup") != NULL, "refused without advice", err.message);
		__atomic_fetch_add(&sums->refused, 1, __ATOMIC_RELAXED);
		_exit(0);
	}
	long before = sums->errors;

	ask_for_keys();
	ask_for_lists();
	workload_expect(!fine || sums->errors == before, "damage that a look at everything did not find", "");
	write_some(random);
	t_close(&t);
	_exit(0);
}

static void trial(unsigned number)
{
	unsigned random = seed * 1000003u + number, status;
	const char *what = damage(&random);
	pid_t pid;

	t_remove(log_path);
	write_copy();
	pid = fork();
	if (pid == 0)
		child(random);
	waitpid(pid, (int *)&status, 0);
	if (status != 0) {
		size_t at = 0;

		while (at < copy_size && copy[at] == whole[at])
			at++;
		fprintf(stderr,
			"kv_damage: trial %u (seed %u), %s, from offset %zu of %zu on: ended with status 0x%x\n",
			number, seed, what, at, copy_size, status);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	unsigned trials = 100, only = UINT_MAX;

	for (int i = 1; i + 1 < argc; i += 2)
		*(strcmp(argv[i], "--trials") == 0 ? &trials
		  : strcmp(argv[i], "--only") == 0 ? &only
						   : &seed) = (unsigned)atoi(argv[i + 1]);
	sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	workload_expect(sums != MAP_FAILED, "no memory", "");
	t_make_dir(dir);
	snprintf(data_path, sizeof(data_path), "%s/data.mdb", dir);
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	make_store();
	workload_expect(verifies(), "the store is not sound to begin with", "");
	read_store();
	for (unsigned i = 0; i < trials; i++)
		if (only == UINT_MAX || only == i)
			trial(i);
	printf("kv_damage: %u trials on %zu pages: %ld refused at the start, %ld found by a look at everything; of %ld "
	       "answers %ld were errors, none was wrong\n",
	       trials, size / PAGE, sums->refused, sums->found, sums->answers, sums->errors);
	t_remove(dir);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * A store opens on a log folder of any bytes: it says which file it refuses, or holds what frames with right checksums
 * say and nothing else; and opens again, silently, on what it made of that.
 *
 * The input is a row of files: number, flags, position in units of 8 (2 bytes), size (2 bytes), bytes. Flags put
 * right what chance never would: WHOLE_HEADER writes one in front, RIGHT_FRAMES gives the frames that follow it their
 * positions and checksums.
 */
#include "fuzz.h"
#include "hash.h"
#include "log.h"
#include "pages.h"
#include "record.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	WHOLE_HEADER = 1,
	RIGHT_FRAMES = 2,
	FILES_MAX = 8,
	INPUT_MAX = 1 << 16,
	HEAD_BYTES = 6,
	SEGMENT_BYTES = 1 << 20
};

struct file {
	uint64_t number;
	bool begun;
	size_t size;
	char bytes[INPUT_MAX];
};

static char dir[256], log_dir[300];
static char *pages; /* the data file of a new store */
static size_t pages_size;
static uint64_t store_id[2];
static struct file files[FILES_MAX];
static size_t file_count;
static bool told, made_right;

/* The power does not fail here, and syncs would take nearly all of the time. */
int fsync(int fd)
{
	(void)fd;
	return 0;
}

int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

/* Inputs name positions: all stores begin at the lowest one. */
ssize_t getrandom(void *bytes, size_t size, unsigned flags)
{
	(void)flags;
	memset(bytes, 0, size);
	return (ssize_t)size;
}

/* ---- a store ------------------------------------------------------------------------------------------------- */

static void host_log(void *context, enum kvrel_log_level level, const char *message)
{
	(void)context, (void)level, (void)message;
	told = true;
}

static void host_failed(void *context, const char *message)
{
	(void)context;
	fuzz_fail(message, __FILE__, __LINE__);
}

static struct engine *open_store(struct kv_error *err)
{
	const struct engine_options options = { .dir = dir,
						.workers = 1,
						.durability = ENGINE_ALWAYS,
						.map_size = 1 << 26,
						.segment_size = SEGMENT_BYTES,
						.cache_size = 1 << 12,
						.list_max = 1 << 24,
						.checkpoint_ms = 3600 * 1000,
						.host = { NULL, host_log, host_failed, NULL } };
	struct engine *engine;

	told = false;
	return engine_durable_open(&options, &engine, err) == 0 ? engine : NULL;
}

static void write_file(const char *path, const char *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	FUZZ_CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

static void remove_files(const char *folder)
{
	DIR *all = opendir(folder);
	const struct dirent *entry;
	char path[600];

	while (all != NULL && (entry = readdir(all)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		unlink(path);
	}
	if (all != NULL)
		closedir(all);
}

static void remove_all(void)
{
	remove_files(log_dir);
	rmdir(log_dir);
	remove_files(dir);
	rmdir(dir);
}

/* Once: what all inputs begin with. */
static void make_store(void)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	struct pages state = { 0 };
	struct kv_error err;
	struct engine *engine;
	char path[300];
	struct stat stat;
	int fd;

	snprintf(dir, sizeof(dir), "%s/kvrel-fuzz-XXXXXX", base);
	FUZZ_CHECK(mkdtemp(dir) != NULL && atexit(remove_all) == 0);
	snprintf(log_dir, sizeof(log_dir), "%s/log", dir);
	engine = open_store(&err);
	FUZZ_CHECK(engine != NULL);
	engine->type->close(engine);
	FUZZ_CHECK(pages_open(&state, dir, 1 << 26, 4, &err) == 0);
	memcpy(store_id, state.state.store, sizeof(store_id));
	pages_close(&state);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && fstat(fd, &stat) == 0);
	pages_size = (size_t)stat.st_size;
	pages = malloc(pages_size);
	FUZZ_CHECK(pages != NULL && read(fd, pages, pages_size) == (ssize_t)pages_size);
	close(fd);
}

/* ---- the folder ---------------------------------------------------------------------------------------------- */

static void right_frames(struct file *file, uint64_t base)
{
	size_t at = sizeof(struct segment_header);

	while (at + sizeof(struct frame) <= file->size) {
		struct frame *frame = (struct frame *)(void *)(file->bytes + at);

		if (frame->size > file->size - at - sizeof(*frame))
			return;
		frame->position = base + at - sizeof(struct segment_header);
		frame->checksum = frame_checksum(frame, file->number);
		at += frame_size(frame->size);
	}
}

/* The bytes taken; 0: that was all. */
static size_t make_file(const uint8_t *data, size_t size)
{
	struct file *file = &files[file_count];
	struct segment_header header;
	size_t in_front, taken;
	uint64_t base;

	if (size < HEAD_BYTES || file_count == FILES_MAX)
		return 0;
	base = 64 + (uint64_t)(data[2] | data[3] << 8) * 8;
	taken = (size_t)(data[4] | data[5] << 8);
	taken = taken < size - HEAD_BYTES ? taken : size - HEAD_BYTES;
	in_front = data[1] & WHOLE_HEADER ? sizeof(header) : 0;
	if (taken > sizeof(file->bytes) - in_front)
		taken = sizeof(file->bytes) - in_front;
	file->number = data[0];
	segment_header_set(&header, file->number, base, store_id);
	memcpy(file->bytes, &header, in_front);
	memcpy(file->bytes + in_front, data + HEAD_BYTES, taken);
	file->size = in_front + taken;
	file->begun = in_front > 0;
	if (data[1] & RIGHT_FRAMES)
		right_frames(file, base);
	made_right |= (data[1] & RIGHT_FRAMES) != 0;
	file_count++;
	return HEAD_BYTES + taken;
}

/* Of two files with one number the later one stays. */
static bool is_overwritten(size_t at)
{
	for (size_t i = at + 1; i < file_count; i++)
		if (files[i].number == files[at].number)
			return true;
	return false;
}

static void make_folder(const uint8_t *data, size_t size)
{
	char path[400], name[SEGMENT_NAME_BYTES];

	remove_files(log_dir);
	mkdir(log_dir, 0700);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	write_file(path, pages, pages_size);
	file_count = 0;
	made_right = false;
	for (size_t taken; (taken = make_file(data, size)) > 0; size -= taken)
		data += taken;
	for (size_t i = 0; i < file_count; i++) {
		segment_name(files[i].number, name);
		snprintf(path, sizeof(path), "%s/%s", log_dir, name);
		write_file(path, files[i].bytes, files[i].size);
		/* one that is shorter is refused */
		FUZZ_CHECK(!files[i].begun || truncate(path, SEGMENT_BYTES) == 0);
	}
}

/* ---- what it holds ------------------------------------------------------------------------------------------- */

static bool says(const struct frame *frame, struct kvrel_slice key, struct kvrel_slice value)
{
	const char *at = (const char *)(frame + 1), *end = at + frame->size;

	while (end - at >= (ptrdiff_t)sizeof(struct record)) {
		const struct record *record = (const struct record *)(const void *)at;
		size_t size = record_size(record->key_size, record->value_size);

		if (size > (size_t)(end - at))
			return false;
		if (record_has_value(record) && record->key_size == key.size && record->value_size == value.size &&
		    memcmp(record->bytes, key.data, key.size) == 0 &&
		    (value.size == 0 || memcmp(record->bytes + key.size, value.data, value.size) == 0))
			return true;
		at += size;
	}
	return false;
}

/* Whether a frame whose checksum is right says so. */
static bool is_said(struct kvrel_slice key, struct kvrel_slice value)
{
	for (size_t i = 0; i < file_count; i++)
		for (size_t at = sizeof(struct segment_header);
		     !is_overwritten(i) && at + sizeof(struct frame) <= files[i].size; at += 8) {
			const struct frame *frame = (const struct frame *)(const void *)(files[i].bytes + at);

			if (frame->size <= files[i].size - at - sizeof(*frame) &&
			    frame->checksum == frame_checksum(frame, files[i].number) && says(frame, key, value))
				return true;
		}
	return false;
}

struct look {
	struct kvrel_call call;
	struct engine *engine;
	struct kvrel_slice bucket;
	uint64_t sum; /* of all there is */
};

static void add(struct look *look, struct kvrel_slice bytes)
{
	look->sum = look->sum * 31 + hash_bytes(bytes.data, bytes.size, 1);
}

static void look_at_keys(struct kvrel_call *call, const struct kvrel_result *result)
{
	struct look *look = (struct look *)call;

	if (made_right && result->status != KVREL_OK)
		return; /* a name that was given away, and the like */
	FUZZ_CHECK(result->status == KVREL_OK && result->kind == KVREL_PAIRS);
	for (size_t i = 0; i + 1 < result->count; i += 2) {
		FUZZ_CHECK(is_said(result->items[i].bytes, result->items[i + 1].bytes));
		add(look, result->items[i].bytes);
		add(look, result->items[i + 1].bytes);
	}
}

static void list(struct look *look, enum engine_what what,
		 void (*complete)(struct kvrel_call *, const struct kvrel_result *))
{
	const struct engine_request request = {
		.kind = ENGINE_LIST, .call = &look->call, .bucket = look->bucket, .scan = { .what = what }
	};

	look->call = (struct kvrel_call){ .worker = KVREL_NO_WORKER, .complete = complete };
	look->engine->type->submit(look->engine, &request);
}

struct names {
	struct look look;
	char *bytes;
	size_t *sizes, count;
};

static void keep_names(struct kvrel_call *call, const struct kvrel_result *result)
{
	struct names *names = (struct names *)call;
	size_t used = 0;

	FUZZ_CHECK(result->status == KVREL_OK && result->kind == KVREL_LIST);
	names->count = result->count;
	names->sizes = calloc(result->count + 1, sizeof(size_t));
	names->bytes = malloc(FILES_MAX * INPUT_MAX);
	FUZZ_CHECK(names->sizes != NULL && names->bytes != NULL);
	for (size_t i = 0; i < result->count; i++) {
		names->sizes[i] = result->items[i].bytes.size;
		memcpy(names->bytes + used, result->items[i].bytes.data, names->sizes[i]);
		used += names->sizes[i];
	}
}

static uint64_t look_at_all(struct engine *engine)
{
	struct names names = { .look = { .engine = engine } };
	struct look look = { .engine = engine };
	size_t at = 0;

	list(&names.look, ENGINE_BUCKETS, keep_names);
	for (size_t i = 0; i < names.count; at += names.sizes[i++]) {
		look.bucket = (struct kvrel_slice){ names.bytes + at, names.sizes[i] };
		add(&look, look.bucket);
		list(&look, ENGINE_PAIRS, look_at_keys);
	}
	free(names.bytes);
	free(names.sizes);
	return look.sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kv_error err = { "" };
	struct engine *engine;
	uint64_t before;

	crc32c_init();
	if (pages == NULL)
		make_store();
	make_folder(data, size);
	engine = open_store(&err);
	if (engine == NULL) {
		FUZZ_CHECK(strstr(err.message, log_dir) != NULL && strstr(err.message, ".log': ") != NULL);
		return 0;
	}
	before = look_at_all(engine);
	engine->type->close(engine);
	if (made_right) /* frames need not make sense, whatever their checksums */
		return 0;
	engine = open_store(&err);
	FUZZ_CHECK(engine != NULL && !told);
	FUZZ_CHECK(look_at_all(engine) == before);
	engine->type->close(engine);
	return 0;
}

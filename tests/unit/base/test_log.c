/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include "base/json.h"
#include "base/scope.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

static int fds[2];

static void begin(void)
{
	cr_assert_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	log_setup(fds[1], LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

TestSuite(log, .init = begin);

/* What was logged, behind the time when `after_time`. */
static const char *logged(void)
{
	static char text[65536];
	ssize_t size = read(fds[0], text, sizeof(text) - 1);

	text[size < 0 ? 0 : size] = '\0';
	return text;
}

static const char *after_time(void)
{
	const char *text = logged(), *end = strstr(text, "Z ");

	return end ? end + 2 : text;
}

Test(log, a_record_is_time_level_component_message_fields)
{
	log_info("kv_server", LOG_FIELDS(LOG_S("address", "0.0.0.0"), LOG_I("port", 4040)),
		 "Accepting connections on port %d", 4040);
	cr_assert_str_eq(after_time(),
			 "info  kv_server: Accepting connections on port 4040 address=0.0.0.0 port=4040\n");
}

Test(log, the_time_is_now_in_utc)
{
	time_t before = time(NULL), got;
	struct tm tm = { 0 };
	const char *text;

	setenv("TZ", "Asia/Tokyo", 1);
	log_info(NULL, LOG_NONE, "x");
	text = logged();
	cr_assert_eq(text[19], '.');
	cr_assert_eq(text[23], 'Z');
	cr_assert_not_null(strptime(text, "%Y-%m-%dT%H:%M:%S", &tm), "%s", text);
	got = timegm(&tm);
	cr_assert(got >= before && got <= before + 5, "%s", text);
	cr_assert_str_eq(text + 24, " info  x\n");
}

Test(log, levels_below_the_set_one_are_silent)
{
	log_debug("kv", LOG_NONE, "no");
	cr_assert_str_eq(logged(), "");
	log_set_level(LOG_LEVEL_ERROR);
	log_warn("kv", LOG_NONE, "no");
	log_notice("kv", LOG_NONE, "no");
	log_error("kv", LOG_NONE, "yes");
	cr_assert_str_eq(after_time(), "error kv: yes\n");
	cr_assert_eq(log_level(), LOG_LEVEL_ERROR);
}

Test(log, no_message_or_value_can_forge_a_record)
{
	log_info("kv", LOG_FIELDS(LOG_S("key", "a\nb c=\"d\\")), "evil\n2026 %s", "\033[2J\r\xc2\x9b\x80é");
	cr_assert_str_eq(after_time(), "info  kv: evil\\n2026 \\x1b[2J\\r\\x9b\\x80é key=\"a\\nb c=\\\"d\\\\\"\n");
}

Test(log, empty_values_are_quoted_and_plain_ones_not)
{
	log_info("kv", LOG_FIELDS(LOG_S("a", ""), LOG_S("b", "x:1"), LOG_B("c", SLICE("y\0z")), LOG_I("d", INT64_MIN)),
		 "m");
	cr_assert_str_eq(after_time(), "info  kv: m a=\"\" b=x:1 c=\"y\\x00z\" d=-9223372036854775808\n");
}

Test(log, json_records_are_json)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *record;
	struct error err;

	log_setup(fds[1], LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	log_warn("kv", LOG_FIELDS(LOG_B("key", SLICE("a\"\n\x01\xff")), LOG_I("n", -1)), "say \"%s\"", "hi");
	cr_assert_eq(json_parse(&arena, slice_of(logged()), "log", &record, &err), 0, "%s", err.message);
	cr_assert_str_eq(value_text(value_get(record, "level"), NULL), "warn");
	cr_assert_str_eq(value_text(value_get(record, "component"), NULL), "kv");
	cr_assert_str_eq(value_text(value_get(record, "message"), NULL), "say \"hi\"");
	cr_assert_str_eq(value_text(value_get(record, "key"), NULL), "a\"\n\x01\xef\xbf\xbd");
	cr_assert_eq(value_get(record, "n")->integer, -1);
}

Test(log, records_that_are_too_long_are_cut_and_stay_whole_lines)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *record;
	struct error err;
	char *huge = malloc(10000);

	/* every length in turn, so that the cut falls on every kind of place */
	for (size_t size = 3000; size < 5000; size++) {
		const char *text;

		memset(huge, size % 2 ? '\n' : 'x', size);
		huge[size] = '\0';
		log_setup(fds[1], LOG_LEVEL_INFO, LOG_FORMAT_JSON);
		log_info("kv", LOG_FIELDS(LOG_S("a", huge), LOG_S("b", huge), LOG_I("c", 1)), "%s", huge);
		text = logged();
		cr_assert_lt(strlen(text), 4097);
		cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1);
		cr_assert_eq(json_parse(&arena, slice_of(text), "log", &record, &err), 0, "%zu: %s", size, err.message);
		log_setup(fds[1], LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
		log_info("kv", LOG_FIELDS(LOG_S("a", huge), LOG_S("b", huge)), "%s", "short");
		text = logged();
		cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1);
		cr_assert(size < 4200 || strstr(text, "…"));
	}
	free(huge);
}

Test(log, characters_are_never_cut_in_half)
{
	char *euros = malloc(9001);

	for (int i = 0; i < 3000; i++)
		memcpy(euros + 3 * i, "€", 3);
	euros[9000] = '\0';
	for (size_t shift = 0; shift < 4; shift++) {
		const char *text;

		log_info("kvkv" + shift, LOG_FIELDS(LOG_S("a", euros)), "m");
		text = logged();
		cr_assert_eq(slice_utf8_prefix(slice_of(text)), strlen(text));
		log_info("kvkv" + shift, LOG_NONE, "%s", euros);
		text = logged();
		cr_assert_not_null(strstr(text, "€…"), "%s", text + strlen(text) - 30);
	}
	free(euros);
}

Test(log, a_log_that_cannot_be_written_harms_nobody)
{
	signal(SIGPIPE, SIG_IGN);
	errno = 42;
	log_setup(-1, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_info("kv", LOG_NONE, "nowhere");
	close(fds[0]);
	log_setup(fds[1], LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_info("kv", LOG_NONE, "nobody");
	cr_assert_eq(errno, 42);
}

static void *log_many(void *context)
{
	for (int i = 0; i < 200; i++)
		log_info("kv", LOG_FIELDS(LOG_I("i", i)), "thread %d of them", (int)(intptr_t)context);
	return NULL;
}

Test(log, records_of_several_threads_do_not_mix)
{
	pthread_t threads[4];
	FILE *lines;
	char line[256];
	int count = 0;

	fcntl(fds[0], F_SETFL, 0);
	fcntl(fds[1], F_SETFL, 0);
	fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, log_many, (void *)(intptr_t)i);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	close(fds[1]);
	lines = fdopen(fds[0], "r");
	for (; fgets(line, sizeof(line), lines); count++) {
		int thread, i;

		cr_assert_eq(sscanf(line + 24, " info  kv: thread %d of them i=%d", &thread, &i), 2, "%s", line);
	}
	cr_assert_eq(count, 800);
	fclose(lines);
}

Test(log, names_of_levels_and_formats_are_read)
{
	enum log_level level = LOG_LEVEL_DEBUG;
	enum log_format format = LOG_FORMAT_TEXT;

	cr_assert(log_level_parse("warn", &level) && level == LOG_LEVEL_WARN);
	cr_assert(log_level_parse("notice", &level) && level == LOG_LEVEL_NOTICE);
	cr_assert_not(log_level_parse("Warn", &level));
	cr_assert_not(log_level_parse("", &level));
	cr_assert_eq(level, LOG_LEVEL_NOTICE);
	cr_assert(log_format_parse("json", &format) && format == LOG_FORMAT_JSON);
	cr_assert_not(log_format_parse("xml", &format));
	cr_assert_str_eq(log_level_name(LOG_LEVEL_ERROR), "error");
}

/* SPDX-License-Identifier: MIT */
/*
 * kv_resp on a node of paper, over a store of paper: what is asked of the store, and what is answered to the client.
 * Each test has a component of its own, with one connection.
 */
#ifndef TEST_RESP_FRONT_H
#define TEST_RESP_FRONT_H

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTING_LISTEN, SETTING_PORT, SETTING_PASSWORD, SETTING_PROTECTED, SETTING_MAX_REQUEST, SETTINGS };

struct t_front;
extern struct t_front *t_resp;

/* With one setting changed; SETTINGS for none. NULL when it refuses to start: *why then says why. */
struct t_front *t_resp_start(unsigned index, const char *string, int64_t number, const char **why);
/* For suites: with the usual settings. */
void t_resp_init(void);
void t_resp_done(void);

void t_feed(const char *text);
/* The words of an inline command as an array of bulk strings, on a connection of their own. */
void t_words(const char *line);
const char *t_output(void);

#define EXPECT(line, reply) \
	do { \
		t_words(line); \
		cr_expect_str_eq(t_output(), (reply), "%s: got '%s'", (line), t_output()); \
	} while (0)

#define EXPECT_CALL(line, call) \
	do { \
		t_words(line); \
		cr_expect_str_eq(t_front_calls(t_resp), (call), "%s: got '%s'", (line), t_front_calls(t_resp)); \
	} while (0)

#define EXPECT_RAW(bytes, reply) \
	do { \
		t_front_connect(t_resp, "127.0.0.1:1"); \
		t_feed(bytes); \
		cr_expect_str_eq(t_output(), (reply), "%s: got '%s'", (bytes), t_output()); \
	} while (0)

#endif

#include "greeting.h"

#include <stdio.h>
#include <string.h>

static int failures;

static void expect(const char *greeting, const char *name, size_t room, const char *expected)
{
	char out[64] = "";
	size_t size = greeting_write(out, room, greeting, name, strlen(name));
	if (strcmp(out, expected) == 0 && (size <= room || out[0] == '\0'))
		return;
	fprintf(stderr, "'%s' and '%s' made '%s' instead of '%s'\n", greeting, name, out, expected);
	failures++;
}

int main(void)
{
	expect("hello", "world", 64, "hello, world!");
	expect("hello", "", 64, "hello, !");
	expect("hello", "world", 12, "");
	return failures > 0;
}

#include "greeting.h"

#include <string.h>

size_t greeting_write(char *out, size_t room, const char *greeting, const char *name, size_t name_size)
{
	size_t greeting_size = strlen(greeting);
	size_t size = greeting_size + 2 + name_size + 1;
	if (size > room)
		return size;
	memcpy(out, greeting, greeting_size);
	memcpy(out + greeting_size, ", ", 2);
	memcpy(out + greeting_size + 2, name, name_size);
	out[size - 1] = '!';
	return size;
}

/* SPDX-License-Identifier: MIT */
/*
 * A template is text or a mistake with a line; text without tags stays as it is. Of the code in it only the compiling
 * is tried: a tag in front returns at once, because random code with the whole of Lua's library is no good company.
 */
#include "base/scope.h"
#include "fuzz.h"
#include "script/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SCOPE(buf_done) struct buf text = { 0 };
	SCOPE(buf_done) struct buf out = { 0 };
	struct slice input = { (const char *)data, size };
	struct error err = { 0 };

	if (size == 0 || !memmem(data, size, "<%", 2)) {
		FUZZ_CHECK(template_render(input, "input", NULL, &out, NULL) == 0);
		FUZZ_CHECK(slice_equal(buf_slice(&out), input));
		return 0;
	}
	buf_append_string(&text, "<% do return end %>");
	buf_append_slice(&text, input);
	if (template_render(buf_slice(&text), "input", NULL, &out, &err) != 0)
		FUZZ_CHECK(slice_starts(slice_of(err.message), SLICE("input:")));
	FUZZ_CHECK(out.size == 0);
	return 0;
}

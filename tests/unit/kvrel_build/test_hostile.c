/* SPDX-License-Identifier: MIT */
/* Archives that somebody else made: none does harm, whatever it holds. */
#include "fixture.h"

#include "base/scope.h"

#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <sys/resource.h>

static struct project project;

static void setup(void)
{
	project_setup(&project);
}

static void teardown(void)
{
	project_teardown(&project);
}
TestSuite(hostile, .init = setup, .fini = teardown);

/* By verify and by inspect. */
static void refused(const char *path, const char *words)
{
	struct value *tree;
	cr_assert_eq(bundle_verify(&project.arena, path, NULL, NULL, &project.err), -(int)ERROR_INVALID, "%s",
		     project.err.message);
	cr_expect(strstr(project.err.message, words) != NULL, "'%s' lacks '%s'", project.err.message, words);
	cr_expect_eq(bundle_inspect(&project.arena, path, &tree, &project.err), -(int)ERROR_INVALID);
}

struct item {
	const char *path;
	mode_t type;
	const char *target;
	uint64_t size;
	mode_t mode;
};

static const char *make_archive(const struct item *items, size_t count)
{
	static char zeros[1 << 20];
	const char *path = project_file(&project, "hostile.tar.zst");
	struct archive *archive = archive_write_new();
	archive_write_add_filter_zstd(archive);
	archive_write_set_format_pax(archive);
	cr_assert_eq(archive_write_open_filename(archive, path), ARCHIVE_OK);
	for (size_t i = 0; i < count; i++) {
		struct archive_entry *entry = archive_entry_new();
		archive_entry_set_pathname(entry, items[i].path);
		archive_entry_set_filetype(entry, items[i].type);
		archive_entry_set_perm(entry, items[i].mode ? items[i].mode : 0644);
		archive_entry_set_size(entry, (la_int64_t)items[i].size);
		if (items[i].type == AE_IFLNK)
			archive_entry_set_symlink(entry, items[i].target);
		else if (items[i].target)
			archive_entry_set_hardlink(entry, items[i].target);
		cr_assert_eq(archive_write_header(archive, entry), ARCHIVE_OK, "%s", archive_error_string(archive));
		for (uint64_t left = items[i].size; left;) {
			size_t part = left < sizeof(zeros) ? (size_t)left : sizeof(zeros);
			cr_assert_eq(archive_write_data(archive, zeros, part), (la_ssize_t)part);
			left -= part;
		}
		archive_entry_free(entry);
	}
	cr_assert_eq(archive_write_free(archive), ARCHIVE_OK);
	return path;
}
#define ARCHIVE(...) \
	make_archive((const struct item[]){ __VA_ARGS__ }, \
		     sizeof((const struct item[]){ __VA_ARGS__ }) / sizeof(struct item))

Test(hostile, entries_that_lead_out_are_refused)
{
	refused(ARCHIVE({ "/etc/passwd", AE_IFREG }), "leads out of the folder");
	refused(ARCHIVE({ "a/../../b", AE_IFREG }), "leads out of the folder");
	refused(ARCHIVE({ "..", AE_IFDIR }), "leads out of the folder");
	refused(ARCHIVE({ "a", AE_IFLNK, "../b" }), "is a link that leads out");
	refused(ARCHIVE({ "a", AE_IFLNK, "/etc" }), "is a link that leads out");
	refused(ARCHIVE({ "b", AE_IFDIR }, { "a", AE_IFLNK, "b" }, { "a/x", AE_IFREG }), "lies under something");
}

Test(hostile, entries_that_are_no_plain_files_are_refused)
{
	refused(ARCHIVE({ "a", AE_IFCHR }), "is neither a file");
	refused(ARCHIVE({ "a", AE_IFBLK }), "is neither a file");
	refused(ARCHIVE({ "a", AE_IFIFO }), "is neither a file");
	refused(ARCHIVE({ "a", AE_IFREG }, { "b", AE_IFREG, "a" }), "is neither a file");
	refused(ARCHIVE({ "a", AE_IFREG, NULL, 0, 04755 }), "set-id");
	refused(ARCHIVE({ "a", AE_IFREG }, { "./a", AE_IFREG }), "is in it twice");
	refused(ARCHIVE({ ".", AE_IFREG }), "has no name");
	refused(ARCHIVE({ "a", AE_IFREG }), "is no bundle");
	refused(make_archive(NULL, 0), "is no bundle");
}

Test(hostile, an_archive_that_swells_without_end_is_refused_early)
{
	struct rusage before, after;
	const char *bomb = ARCHIVE({ "a", AE_IFREG, NULL, UINT64_C(4) << 30 });
	getrusage(RUSAGE_SELF, &before);
	refused(bomb, "swells");
	getrusage(RUSAGE_SELF, &after);
	cr_expect_lt(after.ru_maxrss - before.ru_maxrss, 64 << 10);
}

/* SPDX-License-Identifier: MIT */
/* Where the files of a bundle come from: sources that change, the cache, terms. */
#include "fixture.h"

#include "build/assemble.h"
#include "build/cache.h"
#include "build/licences.h"
#include "build/transform.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct project project;

static void setup(void)
{
	project_setup(&project);
}

static void teardown(void)
{
	project_teardown(&project);
}
TestSuite(sources, .init = setup, .fini = teardown);

Test(sources, a_source_that_is_rewritten_before_it_is_copied_is_noticed)
{
	struct plan plan = { .arena = &project.arena };
	struct staging staging;
	project_write(&project, "source", "one");
	struct plan_entry *entry = plan_add(&plan, PLAN_FILE, "etc", FROM_OVERLAY, "a test");
	entry->source = project_file(&project, "source");
	cr_assert_eq(plan_prepare(&plan, project.dir, NULL, &project.err), 0, "%s", project.err.message);
	cr_assert_eq(staging_begin(&project.arena, project.root, &staging, &project.err), 0, "%s", project.err.message);
	cr_expect_eq(staging_fill(&staging, &plan, 1, &project.err), 0, "%s", project.err.message);
	staging_end(&staging);
	usleep(20000); /* the clock of file systems is coarse */
	project_write(&project, "source", "two");
	cr_assert_eq(staging_begin(&project.arena, project.root, &staging, &project.err), 0, "%s", project.err.message);
	cr_expect_eq(staging_fill(&staging, &plan, 1, &project.err), -(int)ERROR_TRY_AGAIN);
	cr_expect(strstr(project.err.message, "build again") != NULL);
	staging_end(&staging);
}

static void age(const char *path, int64_t seconds)
{
	const struct timespec times[2] = { { .tv_sec = time(NULL) - seconds }, { .tv_sec = time(NULL) - seconds } };
	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

Test(sources, the_cache_forgets_what_no_build_used_for_a_month)
{
	enum { DAY = 24 * 60 * 60 };
	const char *used = project_file(&project, "cache/used"), *idle = project_file(&project, "cache/idle"),
		   *fresh = project_file(&project, "cache/fresh");
	project_write(&project, "cache/used", "x");
	project_write(&project, "cache/idle", "x");
	project_write(&project, "cache/fresh", "x");
	age(used, 40 * DAY);
	age(idle, 31 * DAY);
	age(fresh, 20 * DAY);
	cr_expect(cache_has(used));
	cr_expect(!cache_has(project_file(&project, "cache/none")));
	cache_prune(project_file(&project, "cache"));
	cr_expect(fs_exists(used) && fs_exists(fresh) && !fs_exists(idle));
}

Test(sources, a_component_named_like_a_package_keeps_its_terms)
{
	struct package packages[] = { { .name = "alpha", .copyright = "/usr/share/doc/alpha/copyright" } };
	const struct package_map map = { .packages = packages, .count = 1 };
	struct plan_licence *found;
	size_t count;
	project_write(&project, "core/alpha/LICENSE", "mine");
	licences_find(&project.arena, &project.spec, &project.release, &map, "/nowhere", &found, &count);
	cr_assert_geq(count, 2);
	cr_expect_str_eq(found[0].package, "alpha");
	cr_expect_str_eq(found[0].file, "/usr/share/doc/alpha/copyright");
	cr_expect_str_eq(found[1].package, "alpha-component");
	cr_expect(slice_ends(slice_of(found[1].file), SLICE("core/alpha/LICENSE")));
}

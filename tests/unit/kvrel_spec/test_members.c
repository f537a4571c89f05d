/* SPDX-License-Identifier: MIT */
/* Dependencies, modes and order. */
#include "t_project.h"

#include <criterion/criterion.h>

TestSuite(members, .init = t_begin, .fini = t_end);

#define RELEASE(components) "releases:\n  r: {version: \"1\", components: " components "}\n"

Test(members, dependencies_come_first_whatever_the_order_of_the_list)
{
	t_component("kv", "");
	t_component("kv_server", "kv");
	t_load_ok(RELEASE("{kv_server: permanent, kv: permanent}"));
	cr_assert_str_eq(t_members("r"), "kv=permanent kv_server=permanent");
}

Test(members, independent_components_stay_as_listed)
{
	t_component("a", "");
	t_component("b", "");
	t_component("c", "");
	t_load_ok(RELEASE("{c: permanent, a: temporary, b: none}"));
	cr_assert_str_eq(t_members("r"), "c=permanent a=temporary b=none");
}

Test(members, a_list_of_names_means_permanent)
{
	t_component("a", "");
	t_component("b", "");
	t_load_ok(RELEASE("[b, a]"));
	cr_assert_str_eq(t_members("r"), "b=permanent a=permanent");
}

Test(members, unlisted_dependencies_come_along_to_any_depth)
{
	t_component("top", "middle");
	t_component("middle", "bottom");
	t_component("bottom", "");
	t_component("unrelated", "");
	t_load_ok(RELEASE("{top: transient}"));
	cr_assert_str_eq(t_members("r"), "(bottom=transient) (middle=transient) top=transient");
}

Test(members, of_two_dependants_the_stronger_mode_wins)
{
	t_component("shared", "");
	t_component("weak", "shared");
	t_component("strong", "shared");
	t_load_ok(RELEASE("{weak: temporary, strong: permanent}"));
	cr_assert_str_eq(t_members("r"), "(shared=permanent) weak=temporary strong=permanent");
	t_load_ok(RELEASE("{strong: permanent, weak: load}"));
	cr_assert_str_eq(t_members("r"), "(shared=permanent) strong=permanent weak=load");
}

Test(members, a_dependency_of_what_is_only_loaded_is_only_loaded)
{
	t_component("kv", "");
	t_component("kv_server", "kv");
	t_load_ok(RELEASE("{kv_server: load}"));
	cr_assert_str_eq(t_members("r"), "(kv=load) kv_server=load");
	t_load_ok(RELEASE("{kv_server: none}"));
	cr_assert_str_eq(t_members("r"), "(kv=none) kv_server=none");
}

Test(members, a_listed_component_keeps_its_mode)
{
	t_component("kv", "");
	t_component("kv_server", "kv");
	t_load_ok(RELEASE("{kv_server: permanent, kv: temporary}"));
	cr_assert_str_eq(t_members("r"), "kv=temporary kv_server=permanent");
	t_load_ok(RELEASE("{kv_server: load, kv: none}"));
	cr_assert_str_eq(t_members("r"), "kv=none kv_server=load");
}

Test(members, a_mode_too_weak_for_a_dependant_names_both)
{
	t_component("kv", "");
	t_component("kv_server", "kv");
	t_expect(RELEASE("{kv_server: permanent, kv: load}"),
		 "releases.yaml:2:56: component 'kv' is 'load' in release 'r', but 'kv_server', which is 'permanent', "
		 "depends on it: make 'kv' at least 'temporary', or 'kv_server' 'load' or 'none'\n");
}

Test(members, the_check_goes_through_a_dependency_that_came_by_itself)
{
	t_component("top", "middle");
	t_component("middle", "bottom");
	t_component("bottom", "");
	t_expect(RELEASE("{top: temporary, bottom: none}"),
		 "releases.yaml:2:50: component 'bottom' is 'none' in release 'r', but 'middle', which is 'temporary', "
		 "depends on it: make 'bottom' at least 'temporary', or 'middle' 'load' or 'none'\n");
}

Test(members, a_cycle_is_shown_once_where_it_is_declared)
{
	t_component("a", "b");
	t_component("b", "c");
	t_component("c", "a");
	t_component("d", "a");
	t_expect(RELEASE("{d: permanent, a: permanent}"),
		 "core/a/component.yaml:3:15: dependency cycle: a -> b -> c -> a\n");
}

Test(members, a_component_that_depends_on_itself_is_a_cycle)
{
	t_component("a", "a");
	t_expect(RELEASE("{a: permanent}"), "core/a/component.yaml:3:15: dependency cycle: a -> a\n");
}

Test(members, an_unknown_dependency_is_reported_where_it_is_declared)
{
	t_component("kv", "");
	t_component("kv_server", "vk");
	t_expect(RELEASE("{kv: permanent}"),
		 "core/kv_server/component.yaml:3:16: unknown component 'vk' in the dependencies of 'kv_server' "
		 "(did you mean 'kv'?)\n");
}

Test(members, unknown_components_and_modes_get_a_suggestion)
{
	t_component("storage", "");
	t_expect(RELEASE("{storge: permanent, storage: permanant}"),
		 "releases.yaml:2:34: unknown component 'storge' in release 'r' (did you mean 'storage'?)\n"
		 "releases.yaml:2:62: unknown mode 'permanant' of component 'storage' in release 'r' "
		 "(did you mean 'permanent'?)\n");
}

Test(members, a_release_of_nothing_is_refused)
{
	t_component("kv", "");
	t_expect(RELEASE("{}"), "releases.yaml:2:33: release 'r' has no components\n");
	t_expect(RELEASE("3"), "releases.yaml:2:33: 'components' in release 'r' must be a map of components and modes, "
			       "not the number 3\n");
	t_expect(RELEASE("[kv, kv]"), "releases.yaml:2:38: component 'kv' is listed twice in release 'r'\n");
}

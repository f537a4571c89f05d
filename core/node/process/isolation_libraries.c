/* SPDX-License-Identifier: MIT */
/*
 * Libraries that look for a configuration or modules of their own in folders of the machine they were compiled for.
 * Those that a component brings along lie beside libkvnode.so; where the runtime is the host's they are the host's, and
 * are left as they are.
 */
#include "node/process/isolation.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The folder of a library with its last slash; false where it is not known. */
static bool folder_of(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');
	return slash && snprintf(out, size, "%.*s", (int)(slash - path + 1), path) < (int)size;
}

struct search {
	const char *folder; /* libkvnode.so's */
	const char *soname;
	char *path; /* found: the library's, as the loader knows it */
};

static int look(struct dl_phdr_info *info, size_t size, void *context)
{
	struct search *search = context;
	char folder[PATH_MAX];
	(void)size;
	if (!folder_of(info->dlpi_name, folder, sizeof(folder)) || strcmp(folder, search->folder) != 0 ||
	    strcmp(info->dlpi_name + strlen(folder), search->soname) != 0)
		return 0;
	snprintf(search->path, PATH_MAX, "%s", info->dlpi_name);
	return 1;
}

/* dlopen() with a soname that is not loaded would look for the file. */
static void *open_loaded(const char *folder, const char *soname)
{
	char path[PATH_MAX];
	struct search search = { folder, soname, path };
	return dl_iterate_phdr(look, &search) ? dlopen(path, RTLD_LAZY | RTLD_NOLOAD) : NULL;
}

/* ISO C has no cast from data to function pointers. */
static bool find(void *library, const char *name, void *function)
{
	void *symbol = dlsym(library, name);
	memcpy(function, &symbol, sizeof(symbol));
	return symbol != NULL;
}

/* Neither openssl.cnf, which may name code to load, nor providers. */
static void pin_openssl(void *library, const char *folder)
{
	int (*begin)(uint64_t options, const void *settings);
	int (*search_in)(void *context, const char *path);
	const uint64_t no_load_config = 0x80;
	char modules[PATH_MAX + sizeof("ossl-modules")];
	snprintf(modules, sizeof(modules), "%sossl-modules", folder);
	if (find(library, "OPENSSL_init_crypto", &begin))
		(void)begin(no_load_config, NULL);
	if (find(library, "OSSL_PROVIDER_set_default_search_path", &search_in))
		(void)search_in(NULL, modules);
}

static void pin_sasl(void *library, const char *folder)
{
	int (*set_path)(int kind, const char *path);
	const int plugins = 0;
	char modules[PATH_MAX + sizeof("sasl2")];
	snprintf(modules, sizeof(modules), "%ssasl2", folder);
	if (find(library, "sasl_set_path", &set_path))
		(void)set_path(plugins, modules);
}

void isolation_of_libraries(void)
{
	static const struct {
		const char *soname;
		void (*pin)(void *library, const char *folder);
	} known[] = { { "libcrypto.so.3", pin_openssl }, { "libsasl2.so.2", pin_sasl } };
	static const char inside_of_us;
	char folder[PATH_MAX];
	Dl_info us;
	if (dladdr(&inside_of_us, &us) == 0 || !folder_of(us.dli_fname, folder, sizeof(folder)))
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		void *library = open_loaded(folder, known[i].soname);
		if (!library)
			continue;
		known[i].pin(library, folder);
		dlclose(library);
	}
}

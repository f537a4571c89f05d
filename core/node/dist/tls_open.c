/* SPDX-License-Identifier: MIT */
/* Opens libkvdist.so when the first link by name is wanted. It stays open: OpenSSL does not like to be unloaded. */
#include "node/dist/tls.h"

#include "base/error.h"
#include "base/slice.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int tls_open(const char *path, struct slice cookie, const struct tls_api **api, struct tls_context **context,
	     struct error *err)
{
	char beside[4096];
	Dl_info info;
	if (path == NULL) {
		const char *own = dladdr((const void *)tls_open, &info) != 0 ? info.dli_fname : "";
		const char *slash = strrchr(own, '/');
		snprintf(beside, sizeof(beside), "%.*s" TLS_LIBRARY, slash != NULL ? (int)(slash + 1 - own) : 0, own);
		path = beside;
	}
	if (cookie.size == 0)
		return error_set(err, ERROR_FAILED,
				 "distribution 'name' needs a cookie; set RELEASE_COOKIE_FILE or RELEASE_COOKIE");
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL)
		return error_set(err, ERROR_FAILED, "cannot open the library for links by name: %s", dlerror());
	void *symbol = dlsym(handle, TLS_SYMBOL);
	if (symbol == NULL)
		return error_set(err, ERROR_FAILED, "%s has no function '%s'", path, TLS_SYMBOL);
	tls_api_fn *function;
	memcpy(&function, &symbol, sizeof(function)); /* ISO C has no cast from data to function pointers */
	*api = function();
	*context = (*api)->size == sizeof(**api) ? (*api)->context_new(cookie.data, cookie.size) : NULL;
	return *context != NULL ? 0 : error_set(err, ERROR_FAILED, "%s cannot be used for TLS 1.3", path);
}

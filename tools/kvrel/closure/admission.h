/* SPDX-License-Identifier: MIT */
/* What may not go into a bundle, however it was found. Internal to the closure. */
#ifndef KVREL_ADMISSION_H
#define KVREL_ADMISSION_H

#include "closure/library_search.h"

/* An object that is new to the closure. */
int admit_object(const struct library_search *search, const struct object *object, struct error *err);
/* `name`, for which `known` is in the closure already, is asked for once more. */
int admit_request(struct library_search *search, const char *name, const struct object *requester,
		  const struct object *known, struct error *err);

#endif

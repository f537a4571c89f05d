/* SPDX-License-Identifier: MIT */
/* Floating-point numbers as text, the same in every locale. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include "base/slice.h"

enum { NUMBER_BYTES = 40 };

/* The shortest decimal text that reads back as the same number; always with a '.' or an exponent ("1.0", "1e+300").
 * inf and nan are the caller's to write. Returns its length. */
size_t number_format(char out[NUMBER_BYTES], double number);
/* [-+] digits [. digits] [e [-+] digits]; at most 300 bytes. False on anything else and on overflow. */
bool number_parse(struct slice text, double *out);

#endif

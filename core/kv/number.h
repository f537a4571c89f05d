/* SPDX-License-Identifier: MIT */
/* Decimal integers as Redis reads them: the canonical form only, no blanks, no plus sign, no leading zeros. */
#ifndef KV_NUMBER_H
#define KV_NUMBER_H

#include "kvrel/component.h"

enum { NUMBER_TEXT_MAX = 21 };

bool number_parse(struct kvrel_slice text, int64_t *out);
bool number_parse_unsigned(struct kvrel_slice text, uint64_t *out);
/* Writes without a terminator; returns how many bytes. */
size_t number_print(int64_t number, char out[NUMBER_TEXT_MAX]);

#endif

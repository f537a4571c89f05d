/* SPDX-License-Identifier: MIT */
/*
 * Patterns of KEYS, SCAN and HSCAN, as Redis has them: * ? [abc] [^a-z] and \ before a character meant literally.
 * Bytes, not characters. Takes time proportional to pattern times text at worst: no pattern makes it explode.
 */
#ifndef KV_GLOB_H
#define KV_GLOB_H

#include "kvrel/component.h"

bool glob_match(struct kvrel_slice pattern, struct kvrel_slice text);

#endif

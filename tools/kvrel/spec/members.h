/* SPDX-License-Identifier: MIT */
/*
 * Which components a release holds, in which mode and order.
 *
 * Listed components keep their mode. What they depend on comes by itself, in the strongest mode of those that need it
 * (permanent > transient > temporary > load > none), so that no dependant is let down. A component that is started
 * needs the components it depends on started too: a listed one that is only loaded, or less, is a mistake.
 * The order is: dependencies first, otherwise as listed.
 */
#ifndef KVREL_MEMBERS_H
#define KVREL_MEMBERS_H

#include "spec/project.h"

/* Fills members and member_count of `release`. `listed` is the value of `components:`. */
void members_resolve(const struct reader *reader, const struct project *project, const struct value *listed,
		     struct spec_release *release);

#endif

/* SPDX-License-Identifier: MIT */
/* A provider with a thread of its own, whose answers come when a test wants them; see fixture.h for its operations. */
#ifndef TEST_NET_PROVIDER_H
#define TEST_NET_PROVIDER_H

#include "kvrel/component.h"

enum { T_OP_ECHO, T_OP_BIG, T_OP_LATER, T_OP_LATEBIG, T_OP_HELD, T_OP_HELDBIG, T_OP_TREE, T_OPS };
extern const struct kvrel_op t_provider_ops[T_OPS];

struct t_provider;
struct t_provider *t_provider_new(void);
/* Answers all and joins the thread. */
void t_provider_end(struct t_provider *provider);
void t_provider_free(struct t_provider *provider);

void t_provider_batch_end(void *state, uint32_t worker);
/* Lets the held calls go, from a thread of the provider's. */
void t_provider_release(struct t_provider *provider);
unsigned t_provider_held(struct t_provider *provider);
/* Calls that it was given. */
unsigned t_provider_ran(struct t_provider *provider);
/* Calls that prefetch() saw before the first run() of their batch, at most; and how often batch_end was called. */
unsigned t_provider_deepest_batch(struct t_provider *provider);
unsigned t_provider_batch_ends(struct t_provider *provider);

#endif

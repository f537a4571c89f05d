/* SPDX-License-Identifier: MIT */
/* The one symbol that libkvnode.so offers; everything else stays inside. */
#include "node/main.h"

__attribute__((visibility("default"))) int kvnode_main(int argc, char **argv)
{
	return node_main(argc, argv);
}

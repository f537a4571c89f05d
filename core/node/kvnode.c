/* SPDX-License-Identifier: MIT */
/*
 * The executable holds nothing: the bundled loader starts it by hand, and debuggers know the libraries of such a
 * process better than its main program.
 */
#include "node/main.h"

int main(int argc, char **argv)
{
	return kvnode_main(argc, argv);
}

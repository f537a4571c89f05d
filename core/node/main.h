/* SPDX-License-Identifier: MIT */
/* The entry of the runtime: what the command line of kvnode asks for. */
#ifndef NODE_MAIN_H
#define NODE_MAIN_H

/* What kvnode calls; exported by libkvnode.so. */
int kvnode_main(int argc, char **argv);
/* The same, inside the library. Returns the exit code of the process. */
int node_main(int argc, char **argv);

#endif

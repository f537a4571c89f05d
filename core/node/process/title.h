/* SPDX-License-Identifier: MIT */
#ifndef NODE_TITLE_H
#define NODE_TITLE_H

/*
 * Makes ps show "ROOT/bin/NAME COMMAND [NODE]" instead of the loader's command line, with as many bytes as that one
 * had. The words of argv are moved to where they stay, and argv[0] becomes the program's path. Changes nothing where
 * RELEASE_ROOT is not set or the kernel does not tell where the strings are. Call it before there are threads.
 */
void title_set(int argc, char **argv);

#endif

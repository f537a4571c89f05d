# Whose code is inside the programs that leave with a bundle: packages of static libraries have no file of their own there,
# so the bill of materials could not name them. The linker can: its maps list each archive that it took something from.
#
#	kvrel_static_parts(TARGET PATH)   the program at PATH in the runtime's folder is built by TARGET
#	kvrel_static_parts_map(PATH OUT)  for programs that are no CMake targets: the options to link with
#
# tools/kvrel writes runtime/static-parts from the maps (WriteStaticParts.cmake): program, package, version, architecture,
# source package, its version; and the packages' terms into share/kvrel/licenses. Without dpkg both stay empty.

function(kvrel_static_parts_map path out)
  string(REPLACE "/" "-" name ${path})
  set(map ${CMAKE_BINARY_DIR}/maps/${name}.map)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/maps)
  set_property(GLOBAL APPEND PROPERTY KVREL_STATIC_PARTS "${path}=${map}")
  set(${out} -Wl,-Map=${map} PARENT_SCOPE)
endfunction()

function(kvrel_static_parts target path)
  kvrel_static_parts_map(${path} options)
  target_link_options(${target} PRIVATE ${options})
  set_property(GLOBAL APPEND PROPERTY KVREL_STATIC_PARTS_TARGETS ${target})
endfunction()

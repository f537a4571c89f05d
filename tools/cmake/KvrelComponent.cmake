# kvrel_add_component(NAME SOURCES…): a component's shared object, at components/NAME/NAME.so of the build tree,
# where `kvrel build` looks for it. The folder that calls it holds component.yaml.
function(kvrel_add_component name)
  add_library(${name} MODULE ${ARGN})
  if(TARGET kvrel_options)
    target_link_libraries(${name} PRIVATE kvrel_options)
  endif()
  if(TARGET kvrel_component_api)
    target_link_libraries(${name} PRIVATE kvrel_component_api)
  else()
    target_link_libraries(${name} PRIVATE kvrel::component)
  endif()
  if(NOT KVREL_SANITIZE) # all that a component needs of the node comes in a table: a name that nobody defines is a mistake
    target_link_options(${name} PRIVATE -Wl,--no-undefined)
  endif()
  set_target_properties(${name} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden
    BUILD_RPATH_USE_ORIGIN ON # to the project's own libraries: a path that a bundle may hold, unlike this folder's
    LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/components/${name}")
endfunction()

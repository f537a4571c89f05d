# For projects that build components of their own against an installed kvrel:
#
#	find_package(kvrel REQUIRED)
#	kvrel_add_component(greeter greeter.c)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kvrel)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/core/include/kvrel DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS kvrel_component_api EXPORT kvrel)
set_target_properties(kvrel_component_api PROPERTIES EXPORT_NAME component)
install(EXPORT kvrel NAMESPACE kvrel:: FILE kvrelTargets.cmake DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/kvrelConfigVersion.cmake VERSION ${PROJECT_VERSION}
  COMPATIBILITY SameMajorVersion)
file(WRITE ${CMAKE_BINARY_DIR}/kvrelConfig.cmake
  "include(\"\${CMAKE_CURRENT_LIST_DIR}/kvrelTargets.cmake\")\ninclude(\"\${CMAKE_CURRENT_LIST_DIR}/KvrelComponent.cmake\")\n")
install(FILES ${CMAKE_BINARY_DIR}/kvrelConfig.cmake ${CMAKE_BINARY_DIR}/kvrelConfigVersion.cmake
  ${CMAKE_SOURCE_DIR}/tools/cmake/KvrelComponent.cmake DESTINATION ${package_dir})

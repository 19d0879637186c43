# cmake --install: the tools, the public headers and libraries, and what lets
# other projects find them (find_package(Tessera), pkg-config).
include(CMakePackageConfigHelpers)

# The installation may be moved: cmake --install --prefix.
file(RELATIVE_PATH prefix_from_pkgconfig
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Tessera)

# tessera_install_library(target exported-name "what it is"): a public shared
# library, for others Tessera::NAME and pkg-config tessera-NAME.
function(tessera_install_library target name description)
  target_include_directories(${target} INTERFACE
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    INSTALL_RPATH_USE_LINK_PATH ON)
  add_library(Tessera::${name} ALIAS ${target})
  install(TARGETS ${target} EXPORT TesseraTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  configure_file(${CMAKE_SOURCE_DIR}/tools/cmake/tessera.pc.in
    ${CMAKE_BINARY_DIR}/install/tessera-${name}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/install/tessera-${name}.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

# A program that runs models needs the runtime only; the compiler's library
# brings libMLIR.
tessera_install_library(tessera_runtime runtime
  "Loads and runs models that Tessera compiled")
if(NOT TESSERA_RUNTIME_ONLY)
  tessera_install_library(tessera_compiler compiler "Compiles ONNX models")
  set_target_properties(tessera tessera-opt PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS tessera tessera-opt RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/tessera
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# What a pass plugin includes: dialects/Graph/IR/Graph.h. The dialects themselves
# are in the tools that load it.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/dialects ${CMAKE_BINARY_DIR}/dialects
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tessera-mlir
  FILES_MATCHING PATTERN "*.h" PATTERN "*.td" PATTERN "*.h.inc"
  PATTERN "CMakeFiles" EXCLUDE PATTERN "Conversion" EXCLUDE)
add_library(tessera_plugin INTERFACE)
set_target_properties(tessera_plugin PROPERTIES EXPORT_NAME plugin)
target_include_directories(tessera_plugin INTERFACE
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/tessera-mlir>)
target_compile_features(tessera_plugin INTERFACE cxx_std_17)
install(TARGETS tessera_plugin EXPORT TesseraTargets)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/THIRD_PARTY_NOTICES.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT TesseraTargets NAMESPACE Tessera:: DESTINATION ${package_dir})
configure_package_config_file(
  ${CMAKE_SOURCE_DIR}/tools/cmake/TesseraConfig.cmake.in
  ${CMAKE_BINARY_DIR}/install/TesseraConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(
  ${CMAKE_BINARY_DIR}/install/TesseraConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_BINARY_DIR}/install/TesseraConfig.cmake
  ${CMAKE_BINARY_DIR}/install/TesseraConfigVersion.cmake
  ${CMAKE_SOURCE_DIR}/tools/cmake/TesseraPassPlugin.cmake
  DESTINATION ${package_dir})

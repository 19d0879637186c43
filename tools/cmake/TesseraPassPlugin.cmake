# Passes on Tessera's dialects that are built outside of it.
include(CMakeFindDependencyMacro)
find_dependency(MLIR CONFIG)
if(NOT LLVM_VERSION_MAJOR EQUAL 22)
  message(FATAL_ERROR "Tessera's plugins expect LLVM/MLIR 22 but got "
    "${LLVM_PACKAGE_VERSION}; set MLIR_DIR")
endif()
# MLIR finds op traits by the compiler's spelling of type names.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "Tessera's plugins are built by clang, as libMLIR was, "
    "not by ${CMAKE_CXX_COMPILER_ID}; set CMAKE_CXX_COMPILER")
endif()

# tessera_add_pass_plugin(name SOURCES a.cpp ...): the module NAME.so for
# --load-pass-plugin of tessera-opt and tessera. It links the shared libMLIR, as
# these do, and finds the dialects in the program that loads it.
function(tessera_add_pass_plugin name)
  cmake_parse_arguments(arg "" "" "SOURCES" ${ARGN})
  add_library(${name} MODULE ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES PREFIX "")
  target_include_directories(${name} SYSTEM PRIVATE
    ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  separate_arguments(definitions UNIX_COMMAND "${LLVM_DEFINITIONS}")
  target_compile_options(${name} PRIVATE ${definitions})
  target_link_libraries(${name} PRIVATE Tessera::plugin MLIR LLVM)
endfunction()

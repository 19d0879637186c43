# The kinds of target that the project is made of.

# tessera_library(Name SOURCES a.cpp ... [LINK other targets] [DEPENDS IncGen ...])
# A static library on MLIR with precompiled headers. Its public includes are
# the source and build roots: #include "dialects/Graph/IR/Graph.h". EXCEPTIONS:
# may catch what a library of others throws; then without precompiled headers.
function(tessera_library name)
  cmake_parse_arguments(arg "EXCEPTIONS" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE TesseraFlags PUBLIC ${arg_LINK} MLIR LLVM)
  if(NOT arg_EXCEPTIONS)
    target_compile_options(${name} PRIVATE -fno-exceptions)
    target_compile_options(${name} PRIVATE
    "SHELL:-include-pch ${TESSERA_PRECOMPILED}")
  endif()
  if(arg_DEPENDS)
    add_dependencies(${name} ${arg_DEPENDS})
  endif()
  # Generated headers of a dependency exist before we compile against them.
  foreach(lib ${arg_LINK})
    if(TARGET ${lib}IncGen)
      add_dependencies(${name} ${lib}IncGen)
    endif()
  endforeach()
  set_property(GLOBAL APPEND PROPERTY TESSERA_LIBRARIES ${name})
endfunction()

# tessera_dialect_tablegen(Graph [ATTRIBUTES] [TYPES] [ENUMS])
# In dialects/Graph/IR: generates GraphDialect, GraphOps, ... .h.inc/.cpp.inc
# from GraphOps.td, as target TesseraGraphIncGen.
function(tessera_dialect_tablegen name)
  cmake_parse_arguments(arg "ATTRIBUTES;TYPES;ENUMS;INTERFACES" "" "" ${ARGN})
  string(TOLOWER ${name} namespace)
  set(LLVM_TARGET_DEFINITIONS ${name}Ops.td)
  mlir_tablegen(${name}Dialect.h.inc -gen-dialect-decls -dialect=${namespace})
  mlir_tablegen(${name}Dialect.cpp.inc -gen-dialect-defs -dialect=${namespace})
  mlir_tablegen(${name}Ops.h.inc -gen-op-decls)
  mlir_tablegen(${name}Ops.cpp.inc -gen-op-defs)
  if(arg_ENUMS)
    mlir_tablegen(${name}Enums.h.inc -gen-enum-decls)
    mlir_tablegen(${name}Enums.cpp.inc -gen-enum-defs)
  endif()
  if(arg_ATTRIBUTES)
    mlir_tablegen(${name}Attributes.h.inc -gen-attrdef-decls -attrdefs-dialect=${namespace})
    mlir_tablegen(${name}Attributes.cpp.inc -gen-attrdef-defs -attrdefs-dialect=${namespace})
  endif()
  if(arg_INTERFACES)
    mlir_tablegen(${name}AttrInterfaces.h.inc -gen-attr-interface-decls)
    mlir_tablegen(${name}AttrInterfaces.cpp.inc -gen-attr-interface-defs)
  endif()
  add_public_tablegen_target(Tessera${name}IncGen)
endfunction()

# tessera_passes_tablegen(GraphTransforms)
# Generates Passes.h.inc in this folder from Passes.td, as target
# TesseraGraphTransformsIncGen.
function(tessera_passes_tablegen name)
  set(LLVM_TARGET_DEFINITIONS Passes.td)
  mlir_tablegen(Passes.h.inc -gen-pass-decls -name=${name})
  add_public_tablegen_target(Tessera${name}IncGen)
endfunction()

# tessera_tool(name SOURCES main.cpp ... LINK libraries)
function(tessera_tool name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE TesseraFlags ${arg_LINK} MLIR LLVM)
  target_compile_options(${name} PRIVATE -fno-exceptions)
endfunction()

# tessera_exports_dialects(tool): pass plugins find the dialects in this program,
# whose static libraries are the only copy. What is exported is what the
# dialects' headers declare visible.
function(tessera_exports_dialects tool)
  target_link_options(${tool} PRIVATE "-Wl,--export-dynamic-symbol=*7tessera*")
endfunction()

# tessera_unit_test(NameTest SOURCES ... LINK ...): a GoogleTest executable in
# bin/unit, run by tools/check.
function(tessera_unit_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE TesseraFlags ${arg_LINK} MLIR LLVM GTest::gtest_main)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/unit)
endfunction()

# LLVM/MLIR and the precompiled MLIR headers.

find_package(MLIR REQUIRED CONFIG)
if(NOT LLVM_VERSION_MAJOR EQUAL 22)
  message(FATAL_ERROR "Tessera expects LLVM/MLIR 22 but got "
    "${LLVM_PACKAGE_VERSION}; install libmlir-22-dev or set MLIR_DIR")
endif()
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
set(LLVM_RUNTIME_OUTPUT_INTDIR ${CMAKE_BINARY_DIR}/bin)
set(LLVM_LIBRARY_OUTPUT_INTDIR ${CMAKE_BINARY_DIR}/lib)
include(TableGen)
include(AddLLVM)
include(AddMLIR)

# mlir_tablegen takes its -I from the directory property, not from targets.
include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
include_directories(${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})

separate_arguments(TESSERA_LLVM_DEFINITIONS UNIX_COMMAND "${LLVM_DEFINITIONS}")

target_compile_definitions(TesseraFlags INTERFACE ${TESSERA_LLVM_DEFINITIONS})

# The precompiled MLIR headers lie outside the checkout, named by all that they
# depend on: every clone shares them, and ccache sees the same command line in
# each, so that a fresh clone finds what another one compiled.
set(precompiledSource ${CMAKE_SOURCE_DIR}/tools/cmake/precompiled.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${precompiledSource})
string(TOUPPER "${CMAKE_BUILD_TYPE}" buildType)
separate_arguments(precompiledFlags UNIX_COMMAND
  "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${buildType}}")
list(APPEND precompiledFlags ${TESSERA_LLVM_DEFINITIONS} -std=c++17 -fPIC
  -fvisibility=hidden -fvisibility-inlines-hidden -fno-exceptions)
if(TESSERA_SANITIZE)
  list(APPEND precompiledFlags -fsanitize=${TESSERA_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
endif()
file(SHA256 ${precompiledSource} precompiledHash)
string(SHA256 precompiledKey "${precompiledHash} ${precompiledFlags}
  ${LLVM_PACKAGE_VERSION} ${CMAKE_CXX_COMPILER} ${CMAKE_CXX_COMPILER_VERSION}")
string(SUBSTRING ${precompiledKey} 0 16 precompiledKey)
set(cacheHome $ENV{XDG_CACHE_HOME})
if(NOT cacheHome)
  set(cacheHome $ENV{HOME}/.cache)
endif()
set(TESSERA_PRECOMPILED ${cacheHome}/tessera/precompiled-${precompiledKey}/mlir.pch)
if(NOT EXISTS ${TESSERA_PRECOMPILED}.sum)
  message(STATUS "Precompiling the MLIR headers")
  get_filename_component(precompiledFolder ${TESSERA_PRECOMPILED} DIRECTORY)
  file(MAKE_DIRECTORY ${precompiledFolder})
  # The header itself is part of what is precompiled: it must not move.
  configure_file(${precompiledSource} ${precompiledFolder}/mlir.h COPYONLY)
  execute_process(
    COMMAND ${CMAKE_CXX_COMPILER} ${precompiledFlags} -isystem ${LLVM_INCLUDE_DIRS}
      -Xclang -fno-pch-timestamp -fpch-instantiate-templates
      -x c++-header ${precompiledFolder}/mlir.h -o ${TESSERA_PRECOMPILED}.part
    COMMAND_ERROR_IS_FATAL ANY)
  file(RENAME ${TESSERA_PRECOMPILED}.part ${TESSERA_PRECOMPILED})
  # Ccache hashes this instead of 100 MB.
  file(WRITE ${TESSERA_PRECOMPILED}.sum ${precompiledKey})
endif()

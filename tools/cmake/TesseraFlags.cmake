# The flags that every target shares, sanitizers and ccache.

include(CheckLinkerFlag)

find_program(TESSERA_CCACHE ccache)
if(TESSERA_CCACHE)
  # With these settings objects are found again whatever the clone's path.
  set(launcher ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_PCH_EXTSUM=1 ${TESSERA_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

add_library(TesseraFlags INTERFACE)
target_compile_options(TesseraFlags INTERFACE
  -Wall -Wextra -Wno-unused-parameter $<$<CXX_COMPILER_ID:Clang>:-Werror>
  $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Xclang=-fno-pch-timestamp>)
check_linker_flag(CXX -fuse-ld=lld TESSERA_HAS_LLD)
if(TESSERA_HAS_LLD)
  target_link_options(TesseraFlags INTERFACE -fuse-ld=lld)
endif()
# Not a generator expression: the list has a comma.
if(TESSERA_SANITIZE)
  target_compile_options(TesseraFlags INTERFACE -fsanitize=${TESSERA_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(TesseraFlags INTERFACE -fsanitize=${TESSERA_SANITIZE})
  if(TESSERA_SANITIZE MATCHES "address")
    # The shared sanitizer runtime, so that Python can load our libraries (with
    # this file in LD_PRELOAD, see tools/check.py) and start our programs.
    execute_process(
      COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libclang_rt.asan-x86_64.so
      OUTPUT_VARIABLE runtime OUTPUT_STRIP_TRAILING_WHITESPACE)
    set(TESSERA_SANITIZER_RUNTIME ${runtime} CACHE INTERNAL "")
    get_filename_component(runtime_dir ${runtime} DIRECTORY)
    target_link_options(TesseraFlags INTERFACE
      -shared-libasan -Wl,-rpath,${runtime_dir})
  endif()
endif()


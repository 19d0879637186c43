# The ONNX C++ library: static, lite, hidden, so that it cannot clash with
# another ONNX or Protobuf in a host process. Defines the target Tessera::onnx.
# A folder that links it compiles with exceptions; nothing else does.

set(TESSERA_ONNX_DIR "" CACHE PATH
    "ONNX as built by tools/third_party/build-onnx; built when empty")

set(onnx_dir ${TESSERA_ONNX_DIR})
if(NOT onnx_dir)
  # Fast when the cache has it; else it fetches and builds, some minutes.
  execute_process(
    COMMAND ${CMAKE_SOURCE_DIR}/tools/third_party/build-onnx
      --compiler ${CMAKE_CXX_COMPILER}
    OUTPUT_VARIABLE onnx_dir OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "tools/third_party/build-onnx failed: see above")
  endif()
endif()
foreach(file lib/libonnx.a lib/libprotobuf-lite.a include/onnx/onnx_pb.h)
  if(NOT EXISTS ${onnx_dir}/${file})
    message(FATAL_ERROR "expects ${file} in ${onnx_dir}; "
      "run tools/third_party/build-onnx or unset TESSERA_ONNX_DIR")
  endif()
endforeach()

find_package(Threads REQUIRED)
add_library(Tessera::onnx STATIC IMPORTED GLOBAL)
set_target_properties(Tessera::onnx PROPERTIES
  IMPORTED_LOCATION ${onnx_dir}/lib/libonnx.a
  INTERFACE_INCLUDE_DIRECTORIES ${onnx_dir}/include
  INTERFACE_COMPILE_DEFINITIONS
    "ONNX_NAMESPACE=onnx;ONNX_ML=1;ONNX_USE_LITE_PROTO=1"
  INTERFACE_LINK_LIBRARIES
    "${onnx_dir}/lib/libprotobuf-lite.a;Threads::Threads")

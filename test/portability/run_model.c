/* Runs a model, at the typical sizes of its symbols, on numbers that follow from
 * their places only, and writes the bytes of all outputs:
 *
 *   run-model MODEL > outputs
 *
 * Needs the C library and the runtime only. */
#include <tessera/runtime.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { mostPorts = 64, mostAxes = 16 };

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, tessera_error_message());
  return 1;
}

/* The size called `name`; 0 if there is none. */
static int64_t typicalSize(const TesseraSession *session, const char *name) {
  for (int64_t i = 0; i < tessera_session_symbol_count(session); ++i) {
    TesseraSymbolInfo info = {sizeof info};
    if (!tessera_session_symbol(session, i, &info) && !strcmp(info.name, name))
      return info.typical;
  }
  return 0;
}

static int64_t bytesOf(const TesseraTensor *tensor) {
  int64_t bytes = (tensor->type.bits + 7) / 8;
  for (int32_t axis = 0; axis < tensor->rank; ++axis)
    bytes *= tensor->shape[axis];
  return bytes;
}

/* Floats in [-1, 1), other elements 0 or 1. */
static void fill(TesseraTensor *tensor) {
  const int64_t size = (tensor->type.bits + 7) / 8;
  uint32_t state = 1;
  memset(tensor->data, 0, bytesOf(tensor));
  for (int64_t i = 0; i < bytesOf(tensor) / size; ++i) {
    state = state * 1664525u + 1013904223u;
    if (tensor->type.code == 2 && size == 4)
      ((float *)tensor->data)[i] = (float)(state >> 8) / (1 << 23) - 1.0f;
    else if (tensor->type.code != 2)
      ((char *)tensor->data)[i * size] = (char)(state >> 31);
  }
}

int main(int argc, char **argv) {
  static TesseraInputBinding inputs[mostPorts];
  static TesseraOutputBinding outputs[mostPorts];
  static TesseraTensor tensors[mostPorts];
  static int64_t shapes[mostPorts][mostAxes];
  TesseraSession *session;
  if (argc != 2 || tessera_session_open(argv[1], NULL, &session))
    return fail("open");
  const int64_t count = tessera_session_port_count(session, TESSERA_INPUTS);
  for (int64_t i = 0; i < count; ++i) {
    TesseraPortInfo info = {sizeof info};
    if (tessera_session_port(session, TESSERA_INPUTS, i, &info))
      return fail("port");
    for (int32_t axis = 0; axis < info.rank; ++axis)
      shapes[i][axis] = info.symbols[axis]
                            ? typicalSize(session, info.symbols[axis])
                            : info.dims[axis];
    tensors[i] = tessera_dense(NULL, info.type, info.rank, shapes[i]);
    tensors[i].data = malloc(bytesOf(&tensors[i]) + 1);
    fill(&tensors[i]);
    inputs[i].name = info.name;
    inputs[i].tensor = &tensors[i];
  }
  const int64_t wanted = tessera_session_port_count(session, TESSERA_OUTPUTS);
  if (tessera_session_run(session, inputs, count, outputs, wanted))
    return fail("run");
  for (int64_t i = 0; i < wanted; ++i) {
    const TesseraTensor *tensor = &outputs[i].tensor->tensor;
    fwrite(tensor->data, 1, bytesOf(tensor), stdout);
    tessera_tensor_release(outputs[i].tensor);
  }
  tessera_session_release(session);
  return 0;
}

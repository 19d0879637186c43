/* C API of the Tessera compiler: an ONNX model becomes a shared library that the
 * runtime (runtime.h) loads.
 *
 * Both functions take the options of the command line `tessera compile` by
 * name, without dashes, and return its exit code:
 *
 *   TesseraCompileOption options[] = {{"shape", "seq=1:128:512"},
 *                                     {"cpu", "x86-64-v3"}};
 *   status = tessera_compile_in_child("m.onnx", "m.so", options, 2, print, NULL);
 *
 * They may be called from several threads at once.
 */
#ifndef TESSERA_TESSERA_H
#define TESSERA_TESSERA_H

#include <stdint.h>

#if defined(__GNUC__)
#define TESSERA_COMPILER_API __attribute__((visibility("default")))
#else
#define TESSERA_COMPILER_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum TesseraCompileStatus {
  TESSERA_COMPILE_OK = 0,
  TESSERA_COMPILE_INVALID_OPTIONS = 2, /* an unknown option, a bad value, or a
                                          size that the model does not have */
  TESSERA_COMPILE_INVALID_INPUT = 3, /* the model is unreadable or contradicts
                                        itself */
  TESSERA_COMPILE_UNSUPPORTED = 4,   /* valid, but uses what is not supported */
  TESSERA_COMPILE_CANNOT_WRITE = 5,  /* the output or one of its helpers */
  TESSERA_COMPILE_CANNOT_START = 6,  /* the child process */
  TESSERA_COMPILE_CRASHED = 7,       /* the child process, by a signal */
  TESSERA_COMPILE_INTERNAL_ERROR = 70, /* a fault of the compiler */
  TESSERA_COMPILE_OUT_OF_MEMORY = 71   /* the child process */
} TesseraCompileStatus;

/* An option that the command line takes as --NAME=VALUE; may repeat:
 *   shape      NAME=SIZE or NAME=MIN:TYPICAL:MAX, for a symbol of the model
 *   opt-level  0 to 3 (3): 0 lowers every operation on its own
 *   cpu        native (default), x86-64-v3, znver4 …
 *   machine    JSON file with a measured machine, instead of the record of cpu
 *   emit       graph, kernel, buffer, llvm, asm, object or so (default)
 *   weights    section (default), file or none
 *   jobs       threads that make the code of a library: 0 (default) is all that
 *              this process may use
 *   save-states  folder that receives the IR at the end of each state
 *   report     file that receives a JSON report
 *   load-pass-plugin  shared library with MLIR passes; in a child process only
 *   run-passes STATE=PIPELINE: passes that run at the end of import, graph,
 *              kernel or buffer */
typedef struct TesseraCompileOption {
  const char *name, *value;
} TesseraCompileOption;

/* Receives one diagnostic: "error: node 'x' (Add, opset 17): …", without a line
 * break at its end. */
typedef void (*TesseraDiagnosticCallback)(void *user, const char *message);

/* Compiles in this process. A fatal error of LLVM, a stack overflow or a lack
 * of memory ends the process: prefer tessera_compile_in_child. `diagnostic` may
 * be NULL. */
TESSERA_COMPILER_API TesseraCompileStatus tessera_compile(
    const char *input, const char *output, const TesseraCompileOption *options,
    int64_t optionCount, TesseraDiagnosticCallback diagnostic, void *user);

/* Compiles in a child process, which runs the program `tessera`: the one that the
 * option "compiler" names, else the one in bin/ beside the folder of this
 * library, else the one in PATH. */
TESSERA_COMPILER_API TesseraCompileStatus tessera_compile_in_child(
    const char *input, const char *output, const TesseraCompileOption *options,
    int64_t optionCount, TesseraDiagnosticCallback diagnostic, void *user);

#ifdef __cplusplus
}
#endif
#endif /* TESSERA_TESSERA_H */

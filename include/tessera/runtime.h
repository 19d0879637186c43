/* C API of the Tessera runtime: load a compiled model and run it.
 *
 *   TesseraModel *model;
 *   TesseraSession *session;
 *   if (tessera_model_load("model.so", NULL, &model) ||
 *       tessera_session_create(model, NULL, &session))
 *     return puts(tessera_error_message());
 *
 * Every function that can fail returns a TesseraStatus; the message of the last
 * failure on the calling thread is tessera_error_message(). No function prints,
 * exits or throws. Options structs begin with their size, so that a program
 * built against an older header works with a newer library: set `size` to
 * sizeof the struct and zero what you do not use; NULL means all defaults.
 *
 * Threads: a model and a session may be used from several threads at once;
 * creating and releasing one object may not overlap with its use.
 */
#ifndef TESSERA_RUNTIME_H
#define TESSERA_RUNTIME_H

#include "tessera/abi.h"

#if defined(__GNUC__)
#define TESSERA_API __attribute__((visibility("default")))
#else
#define TESSERA_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* --- Errors --------------------------------------------------------------- */

typedef enum TesseraStatus {
  TESSERA_OK = 0,
  TESSERA_INVALID_ARGUMENT = 1, /* misuse of this API */
  TESSERA_INVALID_MODEL = 2,    /* the file is not a model, is damaged, or has
                                   another ABI version */
  TESSERA_UNSUPPORTED_MACHINE = 3, /* this CPU lacks what the model needs */
  TESSERA_INVALID_WEIGHTS = 4,     /* missing, damaged or of another model */
  TESSERA_INVALID_INPUT = 5, /* a tensor's name, type, shape, device or layout */
  TESSERA_OUT_OF_MEMORY = 6,
  TESSERA_RUN_FAILED = 7, /* a check in the model failed during the run */
  TESSERA_SYSTEM_ERROR = 8
} TesseraStatus;

/* Message of the last call that failed on this thread; "" if none did. Valid
 * until the next failing call on this thread. */
TESSERA_API const char *tessera_error_message(void);

/* "0.1.0". */
TESSERA_API const char *tessera_runtime_version(void);

/* --- Tensors -------------------------------------------------------------- */

/* A tensor in memory that somebody else owns. Same layout as DLTensor of DLPack
 * 1.x: a `DLTensor *` may be cast to a `TesseraTensor *` and back. */
typedef struct TesseraTensor {
  void *data;         /* may be NULL if the tensor has no elements */
  int32_t deviceType; /* DLDeviceType: 1 CPU, 3 and 11 pinned host memory */
  int32_t deviceId;
  int32_t rank;
  TesseraElementType type;
  uint16_t lanes;   /* 1 */
  int64_t *shape;   /* [rank]; may be NULL if rank is 0 */
  int64_t *strides; /* [rank], in elements; NULL: dense row-major */
  uint64_t byteOffset; /* from `data` to the first element */
} TesseraTensor;

#ifndef __cplusplus
#define TESSERA_FLOAT32 ((TesseraElementType){2, 32})
#define TESSERA_FLOAT64 ((TesseraElementType){2, 64})
#define TESSERA_INT32 ((TesseraElementType){0, 32})
#define TESSERA_INT64 ((TesseraElementType){0, 64})
#endif

/* Dense row-major host memory of the caller; `shape` has `rank` sizes and must
 * live as long as the tensor. */
static inline TesseraTensor tessera_dense(void *data, TesseraElementType type,
                                          int32_t rank, int64_t *shape) {
  TesseraTensor tensor = {data, 1, 0, rank, type, 1, shape, 0, 0};
  return tensor;
}

/* A tensor that owns its memory; `deleter(self)` gives it back and may be
 * called from any thread, also after the session is gone. Same layout as
 * DLManagedTensorVersioned of DLPack 1.x. */
typedef struct TesseraManagedTensor {
  uint32_t versionMajor, versionMinor; /* of DLPack: 1, 0 */
  void *managerContext;
  void (*deleter)(struct TesseraManagedTensor *self); /* may be NULL */
  uint64_t flags; /* 1: read only; 2: a copy by the producer; 4: elements narrower
                     than a byte take one each */
  TesseraTensor tensor;
} TesseraManagedTensor;

/* Another tensor on the same memory, which is freed when both are released: for
 * several consumers that each take ownership. `tensor` must come from a session
 * (TESSERA_INVALID_ARGUMENT). */
TESSERA_API TesseraStatus tessera_tensor_share(
    const TesseraManagedTensor *tensor, TesseraManagedTensor **shared);

/* Same layout as DLManagedTensor, the form before DLPack 1.0. */
typedef struct TesseraLegacyManagedTensor {
  TesseraTensor tensor;
  void *managerContext;
  void (*deleter)(struct TesseraLegacyManagedTensor *self);
} TesseraLegacyManagedTensor;

/* Calls the deleter; NULL is allowed. */
TESSERA_API void tessera_tensor_release(TesseraManagedTensor *tensor);

/* Wraps `tensor`, which then belongs to the result, for consumers of the form
 * before DLPack 1.0. Never NULL unless `tensor` is. */
TESSERA_API TesseraLegacyManagedTensor *
tessera_tensor_to_legacy(TesseraManagedTensor *tensor);

/* "float32", "bfloat16", "int64", "bool", "float8_e4m3fn" …; "unknown" for
 * what DLPack does not define. A static string. */
TESSERA_API const char *tessera_type_name(TesseraElementType type);

/* --- Models --------------------------------------------------------------- */

typedef struct TesseraModel TesseraModel;

/* How much of the weights is hashed at load. */
typedef enum TesseraVerify {
  TESSERA_VERIFY_DEFAULT = 0, /* a weight file in full; appended weights by their
                                 mark only; memory of the caller not at all */
  TESSERA_VERIFY_FULL = 1,
  TESSERA_VERIFY_MARK = 2 /* the stored hash must match, the bytes are not read */
} TesseraVerify;

typedef struct TesseraLoadOptions {
  uint32_t size;
  uint32_t verify; /* TesseraVerify */
  /* A weight file to use instead of where the model says its weights are. */
  const char *weightsPath;
  /* Or the weight bytes themselves, 64-byte aligned; they must outlive every
   * session of the model. */
  const void *weightsData;
  uint64_t weightsBytes;
} TesseraLoadOptions;

/* Loads the shared library at `path`: checks its ABI version and this CPU's
 * features before any of its code runs, and maps its weights. */
TESSERA_API TesseraStatus tessera_model_load(const char *path,
                                             const TesseraLoadOptions *options,
                                             TesseraModel **model);

/* As tessera_model_load, for a model that is linked into the program. The
 * table must outlive the model. Weights that are not given in `options` can only
 * be in a weight file named there. */
TESSERA_API TesseraStatus tessera_model_wrap(const TesseraModule *table,
                                             const TesseraLoadOptions *options,
                                             TesseraModel **model);

/* Sessions keep what they need of the model, so it may be released at once.
 * NULL is allowed. */
TESSERA_API void tessera_model_release(TesseraModel *model);

/* The model's table, valid as long as the model. */
TESSERA_API const TesseraModule *tessera_model_table(const TesseraModel *model);

/* JSON that the compiler wrote about itself: options, kernels, hashes. */
TESSERA_API const char *tessera_model_manifest(const TesseraModel *model);

/* What the model is, for people: producer, machine, weights and, for each entry,
 * inputs, outputs, sizes and storage. Valid as long as the model. */
TESSERA_API const char *tessera_model_describe(const TesseraModel *model);

/* --- Sessions ------------------------------------------------------------- */

typedef struct TesseraSession TesseraSession;

typedef struct TesseraSessionOptions {
  uint32_t size;
  /* Number of threads, the caller's included. 0: one per core that this process
   * may use, by its affinity mask and CPU quota. Sessions of equal number share
   * their threads. */
  int32_t threads;
  /* Name of the entry; NULL: the model's first. */
  const char *entry;
  /* The host's own threads, instead of ours. `worker` must be below maxWorkers,
   * and no two tasks may run at once with the same one. `pool` is handed back. */
  TesseraParallelFor parallelFor;
  void *pool;
  int64_t maxWorkers;
  /* For profiles: told on the calling thread, with `observer`, when a run begins
   * (call -1) and when each kernel call has ended. Of runs at the same time the
   * calls come mixed. */
  TesseraCallObserver afterCall;
  void *observer;
} TesseraSessionOptions;

TESSERA_API TesseraStatus tessera_session_create(
    TesseraModel *model, const TesseraSessionOptions *options,
    TesseraSession **session);

/* tessera_model_load and tessera_session_create, both with defaults but for
 * `options`, in one call. */
TESSERA_API TesseraStatus
tessera_session_open(const char *path, const TesseraSessionOptions *options,
                     TesseraSession **session);

/* Outputs that the session gave stay valid. NULL is allowed. */
TESSERA_API void tessera_session_release(TesseraSession *session);

/* Threads that a run uses, the caller's included. */
TESSERA_API int64_t tessera_session_threads(const TesseraSession *session);

typedef enum TesseraPortGroup {
  TESSERA_INPUTS = 0,
  TESSERA_OUTPUTS = 1,
  TESSERA_TAPS = 2 /* intermediates that a run gives if asked by name */
} TesseraPortGroup;

typedef struct TesseraPortInfo {
  uint32_t size; /* set by the caller */
  int32_t rank;
  const char *name;
  TesseraElementType type;
  const int64_t *dims; /* [rank]; -1 where the size is known at run time only */
  /* [rank]; NULL where the size is constant, else its name or, in outputs, its
   * expression: "seq", "past + seq". */
  const char *const *symbols;
  /* Output: number of the input that it extends along dimension `axis`, a cache;
   * input: number of the output that extends it; -1: none. See
   * tessera_session_run. */
  int32_t alias;
  int32_t axis;
} TesseraPortInfo;

TESSERA_API int64_t tessera_session_port_count(const TesseraSession *session,
                                               TesseraPortGroup group);

/* Fills `info`; what it points to is valid as long as the session. */
TESSERA_API TesseraStatus tessera_session_port(const TesseraSession *session,
                                               TesseraPortGroup group,
                                               int64_t index,
                                               TesseraPortInfo *info);

/* A size known at run time only, which the inputs bind. */
typedef struct TesseraSymbolInfo {
  uint32_t size; /* set by the caller */
  const char *name;
  int64_t min, typical, max; /* max: INT64_MAX if there is no limit */
} TesseraSymbolInfo;

TESSERA_API int64_t tessera_session_symbol_count(const TesseraSession *session);

/* Fills `info`; the name is valid as long as the session. */
TESSERA_API TesseraStatus tessera_session_symbol(const TesseraSession *session,
                                                 int64_t index,
                                                 TesseraSymbolInfo *info);

typedef struct TesseraInputBinding {
  const char *name; /* NULL: the input at this position */
  const TesseraTensor *tensor;
} TesseraInputBinding;

typedef struct TesseraOutputBinding {
  const char *name; /* of an output or a tap; NULL: the output at this position */
  /* Set by the run; the caller owns it (tessera_tensor_release). Must be NULL
   * before, or point to a tensor of the caller with the output's type and shape,
   * dense, which the run then fills. */
  TesseraManagedTensor *tensor;
} TesseraOutputBinding;

/* Runs the entry once. All inputs must be given, in any order; any of the
 * outputs may be asked for. An input that is not dense row-major, or not
 * aligned to its element, is copied first. Every tensor's type, rank and sizes
 * are checked, and each symbol must have the same size wherever it occurs.
 * When the run fails, no output is set. Memory of an output may not overlap an
 * input's.
 *
 * But for an output that extends an input (TesseraPortInfo.alias): its first
 * elements along `axis` are the input's. When its tensor begins at the input's
 * address with the input's strides, these elements stay where they are, neither
 * read nor written by a copy, and only the new ones are stored. Strides before
 * `axis` may leave room to grow; from there on the tensor is dense. */
TESSERA_API TesseraStatus tessera_session_run(TesseraSession *session,
                                              const TesseraInputBinding *inputs,
                                              int64_t inputCount,
                                              TesseraOutputBinding *outputs,
                                              int64_t outputCount);

/* The sizes of output `index` of a run with these inputs: `shape` has as many
 * elements as the output has dimensions. */
TESSERA_API TesseraStatus tessera_session_output_shape(
    const TesseraSession *session, const TesseraInputBinding *inputs,
    int64_t inputCount, int64_t index, int64_t *shape);

/* Bytes of storage that a run with these inputs takes beside inputs, outputs and
 * weights, and the lower bound: the most bytes alive at once. `symbols` has one
 * size for each symbol of the entry's table. Either result may be NULL. */
TESSERA_API TesseraStatus tessera_session_storage(const TesseraSession *session,
                                                  const int64_t *symbols,
                                                  int64_t symbolCount,
                                                  int64_t *bytes,
                                                  int64_t *lowerBound);

#ifdef __cplusplus
}
#endif
#endif /* TESSERA_RUNTIME_H */

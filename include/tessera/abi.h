/* The binary contract between a compiled model and the Tessera runtime.
 *
 * A compiled model is a shared library that exports one symbol,
 * `tessera_module`, a constant TesseraModule. Everything in it is data but
 * `TesseraEntry.run`. The runtime reads the table, binds symbols to the sizes of
 * the caller's tensors, plans storage from the values' size expressions, fills
 * a TesseraContext and calls `run`.
 *
 * Every struct begins with its own size in bytes, so that a newer runtime can
 * read an older model: a field beyond `size` is absent and means zero.
 * Pointers are never null unless said so; strings are UTF-8, NUL-terminated.
 */
#ifndef TESSERA_ABI_H
#define TESSERA_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a struct changes in a way that `size` cannot express. */
#define TESSERA_ABI_VERSION 3

/* Name of the exported symbol, of type TesseraModule. */
#define TESSERA_MODULE_SYMBOL "tessera_module"

/* Element types have DLPack's numbering (code, bits), lanes always 1. Booleans
 * are one byte each, 0 or 1; elements of types narrower than a byte take one
 * each, too, and have their bits in its low ones; the others do not matter. */
typedef struct TesseraElementType {
  uint8_t code; /* DLDataTypeCode: 0 int, 1 uint, 2 float, 4 bfloat, 6 bool,
                   7.. float8 and narrower */
  uint8_t bits;
} TesseraElementType;

/* A size as a program in postfix order over int64: the runtime evaluates it
 * with overflow checks. Symbols are indexed as in TesseraEntry.symbols. */
typedef enum TesseraSizeOp {
  TESSERA_SIZE_CONSTANT = 0, /* push the operand */
  TESSERA_SIZE_SYMBOL = 1,   /* push symbol[operand] */
  TESSERA_SIZE_ADD = 2,
  TESSERA_SIZE_MUL = 3,
  TESSERA_SIZE_FLOORDIV = 4,
  TESSERA_SIZE_CEILDIV = 5,
  TESSERA_SIZE_MOD = 6,
  TESSERA_SIZE_MIN = 7,
  TESSERA_SIZE_MAX = 8,
  TESSERA_SIZE_WORKERS =
      9, /* push TesseraContext.maxWorkers: scratch per worker
            in the arena. In values only, not in shapes */
  TESSERA_SIZE_SELECT_EQUAL = 10, /* pop d, c, b, a; push a == b ? c : d */
  TESSERA_SIZE_SELECT_LESS = 11,  /* pop d, c, b, a; push a < b ? c : d */
  /* A float is on the stack as the bits of an f64. Those that give one round it to
   * the width of the operand, 32 or 64. */
  TESSERA_SIZE_TO_FLOAT = 12, /* of an integer */
  TESSERA_SIZE_FLOAT_ADD = 13,
  TESSERA_SIZE_FLOAT_SUB = 14,
  TESSERA_SIZE_FLOAT_MUL = 15,
  TESSERA_SIZE_FLOAT_DIV = 16,
  TESSERA_SIZE_FLOAT_FLOOR = 17,
  TESSERA_SIZE_FLOAT_CEIL = 18,
  TESSERA_SIZE_FLOAT_ROUND = 19, /* to the nearest whole number, ties to even */
  TESSERA_SIZE_FLOAT_SQRT = 20,
  TESSERA_SIZE_FLOAT_LESS = 21, /* pop b, a; push a < b ? 1 : 0 */
  TESSERA_SIZE_TO_INTEGER = 22  /* cut towards zero */
} TesseraSizeOp;

typedef struct TesseraSizeStep {
  int64_t op; /* TesseraSizeOp */
  int64_t operand;
} TesseraSizeStep;

typedef struct TesseraSize {
  int64_t stepCount; /* at least 1 */
  const TesseraSizeStep *steps;
} TesseraSize;

/* What an input or output is. Tensors only, so far; the others are admitted so
 * that a runtime can refuse them by name. */
typedef enum TesseraKind {
  TESSERA_TENSOR = 0,
  TESSERA_SEQUENCE = 1,
  TESSERA_OPTIONAL = 2
} TesseraKind;

/* An input or output of an entry, or a tapped intermediate. */
typedef struct TesseraPort {
  uint32_t size;
  uint32_t kind; /* TesseraKind */
  const char *name;
  TesseraElementType type;
  uint16_t rank;
  /* Input: each dimension is one CONSTANT or one SYMBOL step, which binds or
   * checks that symbol. Output: any expression. */
  const TesseraSize *dims; /* [rank] */
  /* Output: the input that it extends, or -1: its first elements along `axis` are
   * the input's, new ones follow (a cache). Input: the output that extends it, or
   * -1. Both may then have one address, and the code leaves the input's elements
   * where they are. From `axis` on both are dense row-major; strides of the
   * dimensions before it are the caller's. */
  int32_t alias;
  int32_t axis;
  /* Output: the name of the node that makes it, for errors; null if unknown. */
  const char *node;
} TesseraPort;

/* A named size that inputs bind. */
typedef struct TesseraSymbol {
  uint32_t size;
  const char *name; /* the ONNX dim_param, or INPUT.AXIS */
  int64_t min, typical, max;
} TesseraSymbol;

/* A size that the runtime computes when the inputs are known: the value of
 * `program`, or, where `input` is not -1, element number `program` of this
 * input, a tensor of integers of at most one dimension; 0 if it has no such
 * element. Size i is symbol TesseraEntry.symbolCount + i in the programs that
 * come after and in TesseraContext.symbols. */
typedef struct TesseraComputedSize {
  uint32_t size;
  int32_t input;
  TesseraSize program;
  const char *node; /* a node whose result has it; null if unknown */
} TesseraComputedSize;

/* An intermediate buffer in the arena. Two values may share bytes when their
 * life times [firstUse, lastUse] (in numbers of kernel calls) do not overlap. */
typedef struct TesseraValue {
  uint32_t size;
  TesseraSize bytes;
  int64_t firstUse, lastUse;
  const char *node; /* that makes it; null if unknown */
} TesseraValue;

struct TesseraContext;

/* A task of a parallel loop: `worker` is below TesseraContext.maxWorkers and no
 * two tasks run at once with the same worker. */
typedef void (*TesseraTask)(void *captures, int64_t task, int64_t worker);

/* Runs task(captures, 0 .. tasks-1, worker), in any order and on any threads,
 * and returns when all have ended. May be called from inside a task. */
typedef void (*TesseraParallelFor)(void *pool, TesseraTask task, void *captures,
                                   int64_t tasks);

/* Told of each kernel call of an entry when it has ended: its number, from 0, in
 * the order in which the entry names its calls, as in the manifest. A call that is
 * skipped is not told of and keeps its number; one in a loop is told of in every
 * trip. */
typedef void (*TesseraCallObserver)(void *observer, int64_t call);

/* A unit beside the core's own that a system may refuse: TesseraContext.units. */
#define TESSERA_UNIT_MATRIX_TILES ((uint64_t)1) /* AMX */

/* One run of one entry. Filled by the runtime; read by generated code. The
 * order of the fields up to `errorMessage` is fixed. */
typedef struct TesseraContext {
  uint64_t size;
  const int64_t *symbols;     /* [symbolCount + computedCount] */
  void *const *inputs;        /* [inputCount], dense row-major data, but for
                                 strides that TesseraPort.alias allows */
  void *const *outputs;       /* [outputCount], as the inputs */
  const char *weights;        /* base of the weight bytes; null if none */
  char *arena;                /* 64-byte aligned */
  const int64_t *offsets;     /* [valueCount], byte offsets into the arena */
  TesseraParallelFor parallelFor;
  void *pool;                 /* first argument of parallelFor */
  int64_t maxWorkers;
  /* Set by generated code when a run-time check fails: a static string. */
  const char *errorMessage;
  const int64_t *const *inputStrides; /* [inputCount][rank], in elements */
  void *const *taps;          /* [tapCount], null where not wanted */
  void *device;               /* device function table; null on the CPU */
  void *stream;
  int64_t rank, world;
  /* Called on the thread that runs the entry; null: not. */
  TesseraCallObserver afterCall;
  void *observer; /* its first argument */
  const int64_t *const *outputStrides; /* [outputCount][rank], in elements */
  uint64_t units; /* TESSERA_UNIT_..., those that code may use */
} TesseraContext;

/* Returns 0, or non-zero with context->errorMessage set. */
typedef int32_t (*TesseraRun)(TesseraContext *context);

/* One callable function of the model. */
typedef struct TesseraEntry {
  uint32_t size;
  uint32_t inputCount, outputCount, symbolCount, valueCount, tapCount;
  const char *name;
  const TesseraPort *inputs;
  const TesseraPort *outputs;
  const TesseraSymbol *symbols;
  const TesseraValue *values;
  const TesseraPort *taps;
  TesseraRun run;
  int64_t computedCount;
  const TesseraComputedSize *computed; /* null if there is none */
  /* Whether the sizes are ones that the model can run with: reads `symbols` of the
   * context only. `run` begins with it; the runtime calls it before it plans storage
   * for new sizes. Null: any are. */
  TesseraRun check;
} TesseraEntry;

/* Where the weight bytes are. */
typedef enum TesseraWeightPlace {
  TESSERA_WEIGHTS_NONE = 0,   /* the caller gives them at load */
  TESSERA_WEIGHTS_APPENDED = 1, /* page-aligned, at the end of the library file */
  TESSERA_WEIGHTS_FILE = 2    /* beside it, in LIBRARY.weights */
} TesseraWeightPlace;

/* The trailer that ends a library with appended weights, and the header that
 * begins a weight file: 32 bytes, little-endian. */
#define TESSERA_WEIGHTS_MAGIC "TSRAWGT1"
typedef struct TesseraWeightsMark {
  char magic[8];
  uint64_t offset; /* of the first byte, from the start of the file; a multiple
                      of 4096 */
  uint64_t bytes;
  uint64_t hash;   /* XXH64 (seed 0) of the bytes; equals TesseraWeights.hash */
} TesseraWeightsMark;

typedef struct TesseraWeights {
  uint32_t size;
  uint32_t place; /* TesseraWeightPlace */
  uint64_t bytes; /* 0: the model has no weights */
  uint64_t hash;
} TesseraWeights;

/* What the code needs of the machine. */
typedef struct TesseraTarget {
  uint32_t size;
  const char *architecture; /* "x86-64" */
  const char *cpu;          /* as given to --cpu: "x86-64-v3", "znver4" … */
  /* LLVM names of the features needed, separated by commas: "avx2,fma". */
  const char *features;
  /* Features of units that a system may refuse: kernels that use them are there in a
   * second form that does not, and TesseraContext.units says which to take. Null:
   * none. */
  const char *optionalFeatures;
} TesseraTarget;

typedef struct TesseraModule {
  uint32_t size;
  uint32_t abiVersion; /* TESSERA_ABI_VERSION */
  const char *producer; /* "tessera 0.1.0" */
  uint32_t targetCount, entryCount;
  const TesseraTarget *targets;
  const TesseraEntry *entries; /* the first is the default */
  TesseraWeights weights;
  /* JSON: options, kernels by route, model hash. Nothing reads it to run. */
  const char *manifest;
  /* The same model compiled for other CPUs: tables with targets, entries and a
   * manifest of their own. Their weights are those of the exported table, whose
   * `weights` alone counts. Of this table and these, the runtime takes the one
   * that needs the most features among those whose targets the machine meets. */
  uint32_t alternateCount;
  const struct TesseraModule *const *alternates; /* may be null if there are none */
} TesseraModule;

#ifdef __cplusplus
}
#endif
#endif /* TESSERA_ABI_H */

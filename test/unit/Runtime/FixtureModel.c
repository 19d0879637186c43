/* A model written by hand, for the tests of the runtime. The FIXTURE_ macros
 * make damaged ones of it.
 *
 *   main(x: float32 (n, 4), y: float32 (n, 4)) -> z: float32 (n, 4)
 *     sum = x + y        in the arena, one task per row; also a tap
 *     z   = sum + w      w: 4 weights
 *   pick(x: float32 (n, 4), index: int64 ()) -> row: float32 (4)
 *     fails if index is not in [0, n)
 *   where(x: float32 (n, 4)) -> addresses: int64 (2)
 *     of the memory of x and of the output itself
 *   fill(shape: int64 (length)) -> y: float32 (at most 3, shape[1])
 *     sizes that the runtime computes, of elements of an input
 */
#include "tessera/abi.h"

#ifndef FIXTURE_ABI_VERSION
#define FIXTURE_ABI_VERSION TESSERA_ABI_VERSION
#endif
#ifndef FIXTURE_FEATURES
#define FIXTURE_FEATURES "sse2"
#endif
#ifndef FIXTURE_ARCHITECTURE
#define FIXTURE_ARCHITECTURE "x86-64"
#endif
#ifndef FIXTURE_WEIGHT_PLACE
#define FIXTURE_WEIGHT_PLACE TESSERA_WEIGHTS_APPENDED
#endif
#ifndef FIXTURE_SYMBOL
#define FIXTURE_SYMBOL tessera_module
#endif
#ifndef FIXTURE_KIND
#define FIXTURE_KIND TESSERA_TENSOR
#endif
#ifndef FIXTURE_LAST_USE
#define FIXTURE_LAST_USE 1
#endif

enum { columns = 4 };

struct AddCaptures {
  const float *left, *right;
  int64_t rightStride; /* 0: the same row for all */
  float *result;
};

static void addRow(void *captures, int64_t row, int64_t worker) {
  const struct AddCaptures *add = captures;
  (void)worker;
  for (int64_t i = 0; i < columns; ++i)
    add->result[row * columns + i] =
        add->left[row * columns + i] + add->right[row * add->rightStride + i];
}

static int32_t runMain(TesseraContext *context) {
  const int64_t rows = context->symbols[0];
  float *sum = (float *)(context->arena + context->offsets[0]);
  struct AddCaptures first = {context->inputs[0], context->inputs[1], columns,
                              sum};
  context->parallelFor(context->pool, addRow, &first, rows);
  struct AddCaptures second = {sum, (const float *)context->weights, 0,
                               context->outputs[0]};
  context->parallelFor(context->pool, addRow, &second, rows);
  float *tap = context->taps[0];
  for (int64_t i = 0; tap && i < rows * columns; ++i)
    tap[i] = sum[i];
  return 0;
}

static int32_t runPick(TesseraContext *context) {
  const int64_t index = *(const int64_t *)context->inputs[1];
  if (index < 0 || index >= context->symbols[0]) {
    context->errorMessage = "node 'pick' (Gather): index out of range";
    return 1;
  }
  const float *row = (const float *)context->inputs[0] + index * columns;
  for (int64_t i = 0; i < columns; ++i)
    ((float *)context->outputs[0])[i] = row[i];
  return 0;
}

static int32_t runWhere(TesseraContext *context) {
  int64_t *addresses = context->outputs[0];
  addresses[0] = (int64_t)context->inputs[0];
  addresses[1] = (int64_t)addresses;
  return 0;
}

/* Writes how many rows and columns it was given. */
static int32_t runFill(TesseraContext *context) {
  const int64_t rows = context->symbols[3], width = context->symbols[2];
  for (int64_t i = 0; i < rows * width; ++i)
    ((float *)context->outputs[0])[i] = (float)(10 * rows + width);
  return 0;
}

/* At most 9 columns. */
static int32_t checkFill(TesseraContext *context) {
  if (context->symbols[2] <= 9)
    return 0;
  context->errorMessage = "node 'fill' (Expand): the columns are too many";
  return 1;
}

#define FLOAT32 {2, 32}
#define INT64 {0, 64}
static const TesseraSizeStep symbolStep[] = {{TESSERA_SIZE_SYMBOL, 0}};
static const TesseraSizeStep columnsStep[] = {{TESSERA_SIZE_CONSTANT, columns}};
static const TesseraSizeStep sumBytes[] = {
    {TESSERA_SIZE_SYMBOL, 0},
    {TESSERA_SIZE_CONSTANT, columns * sizeof(float)},
    {TESSERA_SIZE_MUL, 0}};
static const TesseraSize rowsByColumns[] = {{1, symbolStep}, {1, columnsStep}};
static const TesseraSize oneRow[] = {{1, columnsStep}};
static const TesseraSizeStep twoStep[] = {{TESSERA_SIZE_CONSTANT, 2}};
static const TesseraSize two[] = {{1, twoStep}};

static const TesseraSymbol symbols[] = {
    {sizeof(TesseraSymbol), "n", 0, 8, 100000}};
static const TesseraValue values[] = {
    {sizeof(TesseraValue), {3, sumBytes}, 0, FIXTURE_LAST_USE, "add"}};

#define MATRIX(name)                                                           \
  {sizeof(TesseraPort), FIXTURE_KIND, name, FLOAT32, 2, rowsByColumns, -1, 0, 0}
static const TesseraPort mainInputs[] = {MATRIX("x"), MATRIX("y")};
static const TesseraPort mainOutputs[] = {MATRIX("z")};
static const TesseraPort mainTaps[] = {MATRIX("sum")};
static const TesseraPort pickInputs[] = {
    MATRIX("x"),
    {sizeof(TesseraPort), TESSERA_TENSOR, "index", INT64, 0, 0, -1, 0, 0}};
static const TesseraPort pickOutputs[] = {
    {sizeof(TesseraPort), TESSERA_TENSOR, "row", FLOAT32, 1, oneRow, -1, 0, 0}};

static const TesseraPort whereInputs[] = {MATRIX("x")};
static const TesseraPort whereOutputs[] = {
    {sizeof(TesseraPort), TESSERA_TENSOR, "addresses", INT64, 1, two, -1, 0, 0}};

/* Symbols: length; 1: shape[0], 2: shape[1], 3: select(shape[0] < 3, shape[0],
 * 3) */
static const TesseraSymbol fillSymbols[] = {
    {sizeof(TesseraSymbol), "length", 0, 2, 8}};
static const TesseraSizeStep zeroStep[] = {{TESSERA_SIZE_CONSTANT, 0}};
static const TesseraSizeStep oneStep[] = {{TESSERA_SIZE_CONSTANT, 1}};
static const TesseraSizeStep atMostThree[] = {{TESSERA_SIZE_SYMBOL, 1},
                                              {TESSERA_SIZE_CONSTANT, 3},
                                              {TESSERA_SIZE_SYMBOL, 1},
                                              {TESSERA_SIZE_CONSTANT, 3},
                                              {TESSERA_SIZE_SELECT_LESS, 0}};
static const TesseraComputedSize fillSizes[] = {
    {sizeof(TesseraComputedSize), 0, {1, zeroStep}, 0},
    {sizeof(TesseraComputedSize), 0, {1, oneStep}, 0},
    {sizeof(TesseraComputedSize), -1, {5, atMostThree}, 0}};
static const TesseraSizeStep widthStep[] = {{TESSERA_SIZE_SYMBOL, 2}};
static const TesseraSizeStep rowsStep[] = {{TESSERA_SIZE_SYMBOL, 3}};
static const TesseraSize rowsByWidth[] = {{1, rowsStep}, {1, widthStep}};
static const TesseraSize lengthSize[] = {{1, symbolStep}};
static const TesseraPort fillInputs[] = {
    {sizeof(TesseraPort), TESSERA_TENSOR, "shape", INT64, 1, lengthSize, -1, -1, 0}};
static const TesseraPort fillOutputs[] = {
    {sizeof(TesseraPort), TESSERA_TENSOR, "y", FLOAT32, 2, rowsByWidth, -1, -1, "fill"}};

static const TesseraEntry entries[] = {
    {sizeof(TesseraEntry), 2, 1, 1, 1, 1, "main", mainInputs, mainOutputs,
     symbols, values, mainTaps, runMain, 0, 0, 0},
    {sizeof(TesseraEntry), 2, 1, 1, 0, 0, "pick", pickInputs, pickOutputs,
     symbols, 0, 0, runPick, 0, 0, 0},
    {sizeof(TesseraEntry), 1, 1, 1, 0, 0, "where", whereInputs, whereOutputs,
     symbols, 0, 0, runWhere, 0, 0, 0},
    {sizeof(TesseraEntry), 1, 1, 1, 0, 0, "fill", fillInputs, fillOutputs,
     fillSymbols, 0, 0, runFill, 3, fillSizes, checkFill}};
static const TesseraTarget targets[] = {
    {sizeof(TesseraTarget), FIXTURE_ARCHITECTURE, "x86-64", FIXTURE_FEATURES, 0}};

__attribute__((visibility("default"))) const TesseraModule FIXTURE_SYMBOL = {
    sizeof(TesseraModule),
    FIXTURE_ABI_VERSION,
    "tessera by hand",
    1,
    4,
    targets,
    entries,
    /* XXH64 of the four floats 0.5, 1, -2, 4 */
    {sizeof(TesseraWeights), FIXTURE_WEIGHT_PLACE, 16, FIXTURE_WEIGHT_HASH},
    "{\"options\": {}}",
    0,
    0};

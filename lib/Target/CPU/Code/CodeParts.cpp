// A model's LLVM IR in parts, compiled on several threads; see the header.
#include "lib/Target/CPU/Code/CodeParts.h"
#include "lib/Target/CPU/Code/ObjectCode.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/IPO/DeadArgumentElimination.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>

using namespace llvm;

namespace tessera::cpu {
namespace {

/// Instructions, before optimisation, from which on a function that an entry calls is
/// not worth being inlined there, and from which on a part is not joined with the
/// next: 10 to 50 ms of a thread's time, where a part costs 2 or 3.
constexpr unsigned kLeastCut = 64;
constexpr unsigned kLeastPart = 2000;

using Globals = SetVector<const GlobalValue *>;

/// Adds what `constant` is made of.
void addReferences(const Constant *constant, Globals &found) {
  if (auto *global = dyn_cast<GlobalValue>(constant)) {
    found.insert(global);
    return;
  }
  for (const Use &operand : constant->operands())
    addReferences(cast<Constant>(operand), found);
}

/// Adds what the body or the value of `global` refers to.
void addReferencesOf(const GlobalValue &global, Globals &found) {
  if (auto *variable = dyn_cast<GlobalVariable>(&global)) {
    if (variable->hasInitializer())
      addReferences(variable->getInitializer(), found);
    return;
  }
  for (const BasicBlock &block : cast<Function>(global))
    for (const Instruction &instruction : block)
      for (const Use &operand : instruction.operands())
        if (auto *constant = dyn_cast<Constant>(operand))
          addReferences(constant, found);
}

/// `roots` and all that they need, but for what is in `others`.
Globals reach(ArrayRef<const GlobalValue *> roots, const Globals &others) {
  Globals reached(roots.begin(), roots.end());
  for (unsigned i = 0; i < reached.size(); ++i) {
    Globals found;
    addReferencesOf(*reached[i], found);
    for (const GlobalValue *global : found)
      if (!others.contains(global))
        reached.insert(global);
  }
  return reached;
}

unsigned instructionsOf(const Globals &globals) {
  unsigned count = 0;
  for (const GlobalValue *global : globals)
    if (auto *function = dyn_cast<Function>(global))
      count += function->getInstructionCount();
  return count;
}

/// Functions that the table has: constants refer to them, calls do not.
bool isEntry(const Function &function) {
  return !function.isDeclaration() &&
         any_of(function.users(),
                [](const User *user) { return isa<Constant>(user); });
}

/// What entries call and is large, in the order of the module.
Globals findCuts(const Module &code) {
  Globals called;
  for (const Function &entry : code)
    if (isEntry(entry))
      for (const BasicBlock &block : entry)
        for (const Instruction &instruction : block)
          if (auto *call = dyn_cast<CallInst>(&instruction))
            if (const Function *callee = call->getCalledFunction())
              called.insert(callee);
  Globals cuts;
  for (const Function &function : code)
    if (called.contains(&function) && !function.isDeclaration() &&
        !isEntry(function) &&
        instructionsOf(reach(&function, Globals())) >= kLeastCut)
      cuts.insert(&function);
  return cuts;
}

/// f(%x, 0, %y); f(%z, 0, %w)  ==>  0 in the body of f
///
/// Offsets and strides are such.
void fixArguments(Function &function) {
  for (Argument &argument : function.args()) {
    Constant *common = nullptr;
    bool isSame = all_of(function.users(), [&](const User *user) {
      auto *call = dyn_cast<CallInst>(user);
      if (!call || call->getCalledFunction() != &function)
        return false;
      auto *given = dyn_cast<Constant>(call->getArgOperand(argument.getArgNo()));
      if (!common)
        common = given;
      return given && given == common;
    });
    if (isSame && common)
      argument.replaceAllUsesWith(common);
  }
}

/// A module of `globals`; all else that they use is declared.
CodeBytes writePart(const Module &code, const Globals &globals) {
  ValueToValueMapTy map;
  std::unique_ptr<Module> part = CloneModule(
      code, map,
      [&](const GlobalValue *global) { return globals.contains(global); });
  for (Function &function : make_early_inc_range(*part))
    if (function.isDeclaration() && function.use_empty())
      function.eraseFromParent();
  for (GlobalVariable &variable : make_early_inc_range(part->globals()))
    if (variable.isDeclaration() && variable.use_empty())
      variable.eraseFromParent();
  CodeBytes bytes;
  raw_svector_ostream stream(bytes);
  WriteBitcodeToFile(*part, stream);
  return bytes;
}

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Expected<CodeBytes> compilePart(CodeBytes part, const CpuTarget &target,
                                unsigned optLevel, PartSeconds &seconds) {
  Clock::time_point start = Clock::now();
  LLVMContext context;
  auto code = parseBitcodeFile(
      MemoryBufferRef(StringRef(part.data(), part.size()), "model"), context);
  part = CodeBytes(); // its memory is of use below
  if (!code)
    return code.takeError();
  auto generator = CodeGenerator::create(target, optLevel);
  if (!generator)
    return generator.takeError();
  generator->optimize(**code);
  seconds.optimization = secondsSince(start);
  start = Clock::now();
  CodeBytes object;
  if (Error error =
          generator->emit(**code, CodeGenerator::Form::object, object))
    return std::move(error);
  seconds.codeGeneration = secondsSince(start);
  return object;
}

/// Numbers of parts, given out from both ends of their order by size.
class PartQueue {
public:
  explicit PartQueue(ArrayRef<CodeBytes> parts) {
    for (size_t i = 0; i < parts.size(); ++i)
      bySize.push_back(i);
    sort(bySize, [&](size_t a, size_t b) {
      return std::make_pair(parts[b].size(), a) <
             std::make_pair(parts[a].size(), b);
    });
  }

  std::optional<size_t> take(bool largest) {
    std::lock_guard<std::mutex> lock(mutex);
    if (bySize.empty())
      return std::nullopt;
    size_t part = largest ? bySize.front() : bySize.back();
    if (largest)
      bySize.pop_front();
    else
      bySize.pop_back();
    return part;
  }

private:
  std::mutex mutex;
  std::deque<size_t> bySize;
};

} // namespace

std::vector<CodeBytes> cutIntoParts(Module &code, StringRef suffix) {
  // What LLVM would see if all were in one module: arguments without a use.
  for (const GlobalValue *cut : findCuts(code))
    fixArguments(*code.getFunction(cut->getName()));
  ModuleAnalysisManager none;
  DeadArgumentEliminationPass().run(code, none);
  Globals cuts = findCuts(code);
  if (cuts.empty() || any_of(code.globals(), [](const GlobalVariable &variable) {
        return !variable.isConstant();
      }))
    return {};
  // The names are no longer unique in this module only, nor may a kernel be taken
  // for a function of the C library.
  for (Function &function : code)
    if (cuts.contains(&function)) {
      function.setLinkage(GlobalValue::ExternalLinkage);
      function.setVisibility(GlobalValue::HiddenVisibility);
      function.setDSOLocal(true);
      function.setName(function.getName() + suffix);
    }
  SmallVector<const GlobalValue *> first;
  for (const GlobalVariable &variable : code.globals())
    if (!variable.hasLocalLinkage())
      first.push_back(&variable);
  std::vector<CodeBytes> parts;
  parts.push_back(writePart(code, reach(first, cuts)));

  SmallVector<const GlobalValue *> roots;
  for (const GlobalValue *cut : cuts) {
    roots.push_back(cut);
    Globals others = cuts;
    for (const GlobalValue *root : roots)
      others.remove(root);
    Globals reached = reach(roots, others);
    if (instructionsOf(reached) < kLeastPart && cut != cuts.back())
      continue;
    parts.push_back(writePart(code, reached));
    roots.clear();
  }
  return parts;
}

Expected<std::vector<CodeBytes>>
compileParts(std::vector<CodeBytes> parts, const CpuTarget &target,
             unsigned optLevel, ThreadPoolInterface *threads,
             PartSeconds &seconds) {
  std::vector<std::optional<Expected<CodeBytes>>> objects(parts.size());
  std::vector<PartSeconds> times(parts.size());
  PartQueue queue(parts);
  auto compile = [&](bool largest) {
    while (std::optional<size_t> i = queue.take(largest))
      objects[*i].emplace(
          compilePart(std::move(parts[*i]), target, optLevel, times[*i]));
  };
  if (threads) {
    for (unsigned i = 0; i < threads->getMaxConcurrency(); ++i)
      threads->async([&, i] { compile(/*largest=*/i % 2 == 0); });
    threads->wait();
  } else {
    compile(/*largest=*/true);
  }
  std::vector<CodeBytes> made;
  Error failed = Error::success();
  for (auto [object, time] : zip(objects, times)) {
    seconds.optimization += time.optimization;
    seconds.codeGeneration += time.codeGeneration;
    if (*object)
      made.push_back(std::move(**object));
    else
      failed = joinErrors(std::move(failed), object->takeError());
  }
  if (failed)
    return std::move(failed);
  return made;
}

} // namespace tessera::cpu

// A model in buffer state, and what its library is looked at by.
#ifndef TESSERA_TEST_UNIT_PIPELINE_LIBRARYFIXTURE_H
#define TESSERA_TEST_UNIT_PIPELINE_LIBRARYFIXTURE_H

#include "Runtime/TemporaryFolder.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/Kernel.h"
#include "lib/CostModel/ModuleMachine.h"
#include "lib/Pipeline/WriteArtifact.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Parser/Parser.h"

#include <dlfcn.h>
#include <fstream>
#include <gtest/gtest.h>

namespace tessera {

/// y[n, 4] = x[n, 4] + w[4], the weights transposed from a file's [2, 2].
inline const char *const source = R"(
func.func private @add(%ctx: !llvm.ptr, %x: memref<?x4xf32>, %w: memref<4xf32>, %y: memref<?x4xf32>, %n: index) {
  %zero = arith.constant 0 : index
  kernel.parallel_for (%task, %worker) in (%n) of %ctx {
    %a = vector.load %x[%task, %zero] : memref<?x4xf32>, vector<4xf32>
    %b = vector.load %w[%zero] : memref<4xf32>, vector<4xf32>
    %c = arith.addf %a, %b : vector<4xf32>
    vector.store %c, %y[%task, %zero] : memref<?x4xf32>, vector<4xf32>
    kernel.end
  }
  return
}
func.func @main(%ctx: !llvm.ptr) {
  %n = kernel.symbol %ctx 0
  %x = kernel.storage %ctx input 0 sizes(%n) : memref<?x4xf32>
  %w = kernel.storage %ctx weights 64 : memref<4xf32>
  %t = kernel.storage %ctx value 0 sizes(%n) : memref<?x4xf32>
  %y = kernel.storage %ctx output 0 sizes(%n) : memref<?x4xf32>
  call @add(%ctx, %x, %w, %t, %n) : (!llvm.ptr, memref<?x4xf32>, memref<4xf32>, memref<?x4xf32>, index) -> ()
  call @add(%ctx, %t, %w, %y, %n) : (!llvm.ptr, memref<?x4xf32>, memref<4xf32>, memref<?x4xf32>, index) -> ()
  return
}
graph.weights @flags : tensor<3xi1> from dense<[true, false, true]> : tensor<3xi1> as tensor<3xi1>
graph.weights @w : tensor<4xf32> from #graph.file<"WEIGHTS", 3, 16> as tensor<2x2xf32>
  recipe [#graph.transpose<[1, 0]>, #graph.reshape<[4]>]
kernel.entry @main_entry runs @main
  inputs [#kernel.port<"x", f32, ()[s0, s1] -> (s0, 4)>, #kernel.port<"mask", ui8, ()[s0, s1] -> (s1), alias 0>]
  outputs [#kernel.port<"y", f32, ()[s0, s1] -> (s0 * 2 + s1 floordiv 3, 4)>]
  symbols [#kernel.named_size<"rows", 0, 3, 100>, #kernel.named_size<"length", 1, 2, 9>]
  values [#kernel.value<()[s0, s1] -> (s0 * 16), 0, 1>]
  weights [#kernel.weight_place<@flags, 0>, #kernel.weight_place<@w, 64>] bytes 128
)";

inline const std::vector<float> fileWeights = {1, 2, 3, 4};
/// After the transpose.
inline const std::vector<float> weights = {1, 3, 2, 4};

class LibraryTest : public testing::Test {
protected:
  void SetUp() override {
    mlir::DialectRegistry registry;
    registry.insert<mlir::arith::ArithDialect, mlir::func::FuncDialect,
                    mlir::memref::MemRefDialect, mlir::scf::SCFDialect,
                    mlir::vector::VectorDialect, graph::GraphDialect,
                    kernel::KernelDialect>();
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    options.outputPath = file("model.so");
    // The weights begin at an odd offset.
    std::string bytes = "abc";
    bytes.append(reinterpret_cast<const char *>(fileWeights.data()), 16);
    folder.write("weights.bin", bytes);
  }

  void TearDown() override {
    if (handle)
      dlclose(handle);
  }

  std::string file(const std::string &name) { return folder.path + "/" + name; }

  /// `module` for the CPU, whatever the kernels are made for.
  CodeForCpu codeFor(mlir::ModuleOp module, llvm::StringRef cpu,
                     std::string manifest = "{}") {
    Machine machine;
    machine.cpu = machine.tuneCpu = cpu.str();
    setMachine(module, machine);
    return {module, std::move(manifest)};
  }

  mlir::LogicalResult write(mlir::ArrayRef<CodeForCpu> codes) {
    return mlir::success(writeArtifact(codes, options).status ==
                   ArtifactResult::Written);
  }

  /// Compiles `source`; its diagnostics go to `messages`.
  mlir::LogicalResult compile() {
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
      messages += diagnostic.str() + "\n";
      return mlir::success();
    });
    std::string text = source;
    text.replace(text.find("WEIGHTS"), 7, file("weights.bin"));
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return mlir::failure();
    return write({codeFor(*module, "x86-64-v3", R"({"test": true})")});
  }

  const TesseraModule *load() {
    handle = dlopen(options.outputPath.c_str(), RTLD_NOW | RTLD_LOCAL);
    EXPECT_TRUE(handle) << dlerror();
    return static_cast<const TesseraModule *>(
        dlsym(handle, TESSERA_MODULE_SYMBOL));
  }

  std::string read(const std::string &path) {
    std::ifstream stream(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  }

  /// The weight bytes as they must be.
  std::string expectedBytes() {
    std::string bytes(128, '\0');
    bytes[0] = bytes[2] = 1;
    std::memcpy(&bytes[64], weights.data(), 16);
    return bytes;
  }

  TemporaryFolder folder;
  mlir::MLIRContext context;
  ArtifactOptions options;
  std::string messages;
  void *handle = nullptr;
};

} // namespace tessera

#endif // TESSERA_TEST_UNIT_PIPELINE_LIBRARYFIXTURE_H

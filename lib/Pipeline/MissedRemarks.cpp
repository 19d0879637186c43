// What passes could not do with a quantized model; see the header.
#include "lib/Pipeline/MissedRemarks.h"

#include "lib/Pipeline/Diagnostics.h"

#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace tessera;

class MissedRemarks::Streamer : public remark::detail::MLIRRemarkStreamerBase {
public:
  explicit Streamer(std::shared_ptr<Collected> collected)
      : collected(std::move(collected)) {}

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    // The text is an argument of its own, among what the engine adds.
    std::string reason;
    for (const remark::detail::Remark::Arg &argument : remark.getArgs())
      if (argument.key == "Remark")
        reason += argument.val;
    std::lock_guard<std::mutex> lock(collected->mutex);
    collected->remarks.push_back(
        {describeLocation(remark.getLocation()), std::move(reason)});
  }

private:
  std::shared_ptr<Collected> collected;
};

void MissedRemarks::listen(MLIRContext &context) {
  remark::RemarkCategories categories;
  categories.missed = "quantization";
  LogicalResult isFirst = remark::enableOptimizationRemarks(
      context, std::make_unique<Streamer>(collected),
      std::make_unique<remark::RemarkEmittingPolicyAll>(), categories);
  assert(succeeded(isFirst) && "the context has another listener");
  (void)isFirst;
}

llvm::json::Array MissedRemarks::describe() const {
  llvm::json::Array remarks;
  for (auto &[node, reason] : collected->remarks)
    remarks.push_back(llvm::json::Object{{"node", node}, {"reason", reason}});
  return remarks;
}

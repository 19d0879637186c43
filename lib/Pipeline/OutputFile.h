// Text that is written to a file in full or not at all.
#ifndef TESSERA_LIB_PIPELINE_OUTPUTFILE_H
#define TESSERA_LIB_PIPELINE_OUTPUTFILE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <string>

namespace tessera {

/// Writes `path` by `write`: the file has its old bytes until the new ones are all
/// there, after errors and signals, too. "-" is standard output.
std::error_code writeOutput(const std::string &path,
                            llvm::function_ref<void(llvm::raw_ostream &)> write);

/// Whether `path` is there and no file: a device or pipe, which is not replaced.
bool isNoRegularFile(const std::string &path);

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_OUTPUTFILE_H

// A folder that lives as long as its object.
#ifndef TESSERA_TEST_TEMPORARYFOLDER_H
#define TESSERA_TEST_TEMPORARYFOLDER_H

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

struct TemporaryFolder {
  TemporaryFolder() {
    std::string name =
        (std::filesystem::temp_directory_path() / "tessera-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  TemporaryFolder(const TemporaryFolder &) = delete;

  /// Writes a file below the folder, makes folders as needed; returns its path.
  std::string write(const std::string &name, const std::string &bytes) const {
    std::filesystem::path file = std::filesystem::path(path) / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
    return file.string();
  }

  std::string path;
};

#endif // TESSERA_TEST_TEMPORARYFOLDER_H

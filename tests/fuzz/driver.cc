// Runs a fuzz target without libFuzzer: seeds as they are, then mutations of them, always the same ones.
//   fuzz_NAME SEED_FOLDER COUNT

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t kMaxInputBytes = 1 << 16;

void Run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

std::vector<std::string> ReadSeeds(const std::filesystem::path& folder) {
  std::vector<std::string> seeds = {std::string()};
  if (!std::filesystem::is_directory(folder)) return seeds;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& seeds) : seeds_(seeds) {}

  std::string Next() {
    std::string input = seeds_[Below(seeds_.size())];
    const size_t changes = 1 + Below(8);
    for (size_t i = 0; i < changes; ++i) Change(&input);
    return input;
  }

 private:
  size_t Below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }
  char Byte() { return static_cast<char>(random_() & 0xff); }

  void Change(std::string* input) {
    const size_t at = Below(input->size() + 1);
    switch (Below(6)) {
      case 0:
        if (at < input->size()) (*input)[at] = static_cast<char>((*input)[at] ^ (1 << Below(8)));
        break;
      case 1:
        if (at < input->size()) (*input)[at] = Byte();
        break;
      case 2:
        if (input->size() < kMaxInputBytes) input->insert(at, Below(16) + 1, Byte());
        break;
      case 3:
        input->erase(at, Below(32) + 1);
        break;
      case 4: {  // splice a piece of another seed
        const std::string& other = seeds_[Below(seeds_.size())];
        if (input->size() < kMaxInputBytes && !other.empty()) {
          input->insert(at, other, Below(other.size()), Below(64) + 1);
        }
        break;
      }
      default:
        input->resize(at);
    }
  }

  const std::vector<std::string>& seeds_;
  std::mt19937_64 random_{20240415};  // the same mutations in every run, on purpose
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: " << argv[0] << " SEED_FOLDER COUNT\n";
    return 2;
  }
  const std::vector<std::string> seeds = ReadSeeds(argv[1]);
  for (const std::string& seed : seeds) Run(seed);
  const long count = std::strtol(argv[2], nullptr, 10);
  Mutator mutator(seeds);
  for (long i = 0; i < count; ++i) Run(mutator.Next());
  std::cout << "ran " << seeds.size() << " seeds and " << count << " mutations\n";
  return 0;
}

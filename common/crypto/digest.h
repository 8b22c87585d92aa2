#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace cordon {

inline constexpr size_t kSha256Bytes = 32;
inline constexpr size_t kMd5Bytes = 16;

// SHA-256 of `bytes`: 32 raw bytes.
std::string Sha256(std::string_view bytes);

struct DigestContext;

// SHA-256 over parts. Not thread-safe; one object per thread.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;

  void Update(std::string_view bytes);
  // Big-endian, for the layouts of docs/protocol.md.
  void UpdateU32(uint32_t value);
  void UpdateU64(uint64_t value);
  // The 32 bytes; the object then starts anew.
  std::string Finish();

 private:
  std::unique_ptr<DigestContext> context_;
};

// MD5 over parts: only to find files that others have published the MD5 of. It proves nothing.
class Md5Stream {
 public:
  Md5Stream();
  ~Md5Stream();
  Md5Stream(const Md5Stream&) = delete;
  Md5Stream& operator=(const Md5Stream&) = delete;

  void Update(std::string_view bytes);
  // The 16 bytes; the object then starts anew.
  std::string Finish();

 private:
  std::unique_ptr<DigestContext> context_;
};

// Compares without telling by its time where the difference is; false when the lengths differ.
bool ConstantTimeEquals(std::string_view a, std::string_view b);

}  // namespace cordon

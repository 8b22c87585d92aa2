#include "common/wire/enrollment_file.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static_cast<void>(cordon::ReadEnrollmentFile(input));
  // Behind the armour and the check, which stop most mutations: the fields themselves.
  cordon::v1::EnrollmentFile file;
  if (file.ParseFromArray(data, static_cast<int>(size))) {
    const auto read = cordon::ReadEnrollmentFile(cordon::WriteEnrollmentFile(file));
    if (read.ok() && read->format() != 1) std::abort();
  }
  return 0;
}

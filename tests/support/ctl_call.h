#pragma once

#include <cstdint>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "controller/cordonctl/run.h"

namespace cordon::testing {

struct CtlResult {
  int status = -1;
  std::string out;
  std::string err;
};

// cordonctl with this identity file. `typed`: what a person at a terminal answers; empty: there is nobody.
inline CtlResult CallCtl(const std::string& identity, std::vector<std::string> args, const std::string& typed,
                         std::function<int64_t()> now_unix_nanos) {
  std::istringstream in(typed);
  std::ostringstream out;
  std::ostringstream err;
  const bool person = !typed.empty();
  const ctl::Environment world{.in = in,
                               .out = out,
                               .err = err,
                               .input_is_terminal = person,
                               .output_is_terminal = person,
                               .error_is_terminal = person,
                               .getenv = [](const char*) -> const char* { return nullptr; },
                               .now_unix_nanos = std::move(now_unix_nanos)};
  args.insert(args.begin(), {"--identity", identity});
  const int status = ctl::Run(std::move(args), world);
  return {status, out.str(), err.str()};
}

}  // namespace cordon::testing

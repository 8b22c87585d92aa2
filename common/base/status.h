#pragma once

// The one error system: absl::Status. A message says what failed, on what, and what to do.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string_view>
#include <utility>

#include "common/base/strings.h"

namespace cordon {

// The message, as the standard's string_view.
inline std::string_view Message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

// The same code, with `context` and ": " before the message. OK stays OK.
inline absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), StrCat(context, ": ", Message(status)));
}

}  // namespace cordon

#define CORDON_CONCAT_INNER(a, b) a##b
#define CORDON_CONCAT(a, b) CORDON_CONCAT_INNER(a, b)

#define CORDON_RETURN_IF_ERROR_INNER(status, expression)                 \
  do {                                                                   \
    if (absl::Status status = (expression); !status.ok()) return status; \
  } while (false)
#define CORDON_RETURN_IF_ERROR(expression) \
  CORDON_RETURN_IF_ERROR_INNER(CORDON_CONCAT(cordon_status_, __LINE__), expression)

#define CORDON_ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                          \
  if (!result.ok()) return std::move(result).status();                 \
  declaration = *std::move(result)

// CORDON_ASSIGN_OR_RETURN(auto value, MayFail());
#define CORDON_ASSIGN_OR_RETURN(declaration, expression) \
  CORDON_ASSIGN_OR_RETURN_INNER(CORDON_CONCAT(cordon_result_, __LINE__), declaration, expression)

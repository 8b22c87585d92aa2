#pragma once

namespace cordon::platform {

inline constexpr const wchar_t* kServiceName = L"CordonAgent";

}  // namespace cordon::platform

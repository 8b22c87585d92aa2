#include "common/base/text.h"

#include <absl/time/clock.h>
#include <absl/time/time.h>

#include <algorithm>
#include <array>
#include <limits>

#include "common/base/strings.h"

namespace cordon {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kTenYears = 3652LL * 24 * 3600 * kSecond;

struct Unit {
  std::string_view name;
  int64_t nanos;
};

constexpr std::array<Unit, 4> kUnits = {
    {{"d", 24 * 3600 * kSecond}, {"h", 3600 * kSecond}, {"m", 60 * kSecond}, {"s", kSecond}}};

absl::Status NotADuration(std::string_view text) {
  return absl::InvalidArgumentError(StrCat("'", Printable(text), "' is not a time like 90s, 15m, 4h or 7d"));
}

// Length of the valid UTF-8 sequence at the start of `text`; 0 when there is none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 && lead <= 0xf4  ? 4
                        : lead >= 0xe0 && lead < 0xf0 ? 3
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                                                      : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;  // overlong
  if (lead == 0xed && byte(1) > 0x9f) return 0;  // surrogates
  if (lead == 0xf0 && byte(1) < 0x90) return 0;  // overlong
  if (lead == 0xf4 && byte(1) > 0x8f) return 0;  // past U+10FFFF
  return length;
}

bool IsControl(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

}  // namespace

absl::StatusOr<int64_t> ParseDuration(std::string_view text) {
  int64_t total = 0;
  size_t next_unit = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    int64_t number = 0;
    size_t digits = 0;
    while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9') {
      if (digits == 9) return NotADuration(text);
      number = number * 10 + (rest[digits++] - '0');
    }
    if (digits == 0 || digits == rest.size()) return NotADuration(text);
    size_t unit = next_unit;
    while (unit < kUnits.size() && kUnits[unit].name[0] != rest[digits]) ++unit;
    if (unit == kUnits.size()) return NotADuration(text);
    next_unit = unit + 1;
    if (number > kTenYears / kUnits[unit].nanos) return NotADuration(text);
    total += number * kUnits[unit].nanos;
    rest.remove_prefix(digits + 1);
  }
  if (total <= 0 || total > kTenYears) return NotADuration(text);
  return total;
}

std::string FormatDuration(int64_t nanos) {
  if (nanos < 0)
    return StrCat(
        "-", FormatDuration(nanos == std::numeric_limits<int64_t>::min() ? std::numeric_limits<int64_t>::max()
                                                                         : -nanos));
  if (nanos < kSecond) return StrCat(nanos / 1'000'000, "ms");
  for (size_t i = 0; i < kUnits.size(); ++i) {
    if (nanos < kUnits[i].nanos) continue;
    std::string text = StrCat(nanos / kUnits[i].nanos, kUnits[i].name);
    if (i + 1 < kUnits.size()) {
      const int64_t rest = nanos % kUnits[i].nanos / kUnits[i + 1].nanos;
      if (rest > 0) StrAppend(&text, rest, kUnits[i + 1].name);
    }
    return text;
  }
  return "0s";
}

std::string FormatTime(int64_t unix_nanos) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixNanos(unix_nanos), absl::UTCTimeZone());
}

std::string FormatBytes(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kNames = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t i = 0;
  while (value >= 1024 && i + 1 < kNames.size()) {
    value /= 1024;
    ++i;
  }
  return i == 0 ? StrCat(bytes, " B") : fmt::format("{:.1f} {}", value, kNames[i]);
}

bool IsPlainText(std::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes) return false;
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0 || IsControl(text[0])) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool IsName(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  for (const char c : text) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
  }
  return true;
}

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0 || IsControl(text[0])) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
    } else {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return out;
}

namespace {

// The value of a lower-case hexadecimal digit, or -1.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// True when `text` starts with \xNN.
bool StartsWithEscape(std::string_view text) {
  return text.size() >= 4 && text[0] == '\\' && text[1] == 'x' && HexDigit(text[2]) >= 0 &&
         HexDigit(text[3]) >= 0;
}

// Nothing in it can need an escape.
bool IsPlainAscii(std::string_view bytes) {
  return std::ranges::none_of(bytes,
                              [](char c) { return c == '\\' || static_cast<unsigned char>(c) >= 0x80; });
}

}  // namespace

std::string EscapeToUtf8(std::string_view bytes) {
  if (IsPlainAscii(bytes)) return std::string(bytes);  // nearly always
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t length = Utf8Length(bytes);
    if (length == 0 || StartsWithEscape(bytes)) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(bytes[0]));
      bytes.remove_prefix(1);
    } else {
      out.append(bytes.substr(0, length));
      bytes.remove_prefix(length);
    }
  }
  return out;
}

std::string IntoUtf8(std::string bytes) {
  if (IsPlainAscii(bytes)) return bytes;
  return EscapeToUtf8(bytes);
}

std::string UnescapeFromUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    if (StartsWithEscape(text)) {
      out.push_back(static_cast<char>(HexDigit(text[2]) * 16 + HexDigit(text[3])));
      text.remove_prefix(4);
    } else {
      out.push_back(text[0]);
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace cordon

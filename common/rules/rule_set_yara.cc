#include <yara.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/rules/rule_set.h"

namespace cordon {
namespace {

// They read the content, and nothing else. Off are those that read a report beside it (cuckoo), a database
// (magic), or write (console).
constexpr std::array<std::string_view, 7> kModules = {"pe",   "elf",    "math",  "hash",
                                                      "time", "string", "dotnet"};
constexpr std::chrono::seconds kTryOutTimeout(5);

using CompilerPtr =
    std::unique_ptr<YR_COMPILER, decltype([](YR_COMPILER* compiler) { yr_compiler_destroy(compiler); })>;

absl::Status StatusOf(int error) {
  switch (error) {
    case ERROR_SUCCESS:
      return absl::OkStatus();
    case ERROR_SCAN_TIMEOUT:
      return absl::DeadlineExceededError("the rules took too long");
    case ERROR_INSUFFICIENT_MEMORY:
      return absl::ResourceExhaustedError("the rules need more memory than they may have");
    default:
      return absl::InternalError(StrCat("the rules failed (YARA's error ", error, ")"));
  }
}

struct FirstError {
  const RuleText& file;
  std::string text = {};
};

void NoteError(int level, const char* /*file*/, int line, const YR_RULE* /*rule*/, const char* message,
               void* user_data) {
  auto& first = *static_cast<FirstError*>(user_data);
  if (level != YARA_ERROR_LEVEL_ERROR || !first.text.empty()) return;
  // At the end of the text YARA tells no line.
  const auto last = 1 + static_cast<int>(std::ranges::count(first.file.text, '\n'));
  first.text = StrCat(first.file.file, ":", line > 0 ? line : last, ": ", Printable(message));
}

// The compiler is of no use after an error, so each file that comes later is tried by one of its own.
absl::Status AddFile(YR_COMPILER* compiler, const RuleText& file) {
  if (const size_t zero = file.text.find('\0'); zero != std::string_view::npos) {
    const auto line = 1 + std::ranges::count(file.text.substr(0, zero), '\n');
    return absl::InvalidArgumentError(StrCat(file.file, ":", line, ": a zero byte; rules are text"));
  }
  FirstError first{.file = file};
  yr_compiler_set_callback(compiler, NoteError, &first);
  yr_compiler_set_include_callback(compiler, nullptr, nullptr, nullptr);
  const std::string text(file.text);
  if (yr_compiler_add_string(compiler, text.c_str(), file.file.c_str()) == 0) return absl::OkStatus();
  if (first.text.empty()) first.text = StrCat(file.file, ": cannot be compiled");
  return absl::InvalidArgumentError(first.text);
}

absl::StatusOr<CompilerPtr> MakeCompiler() {
  YR_COMPILER* compiler = nullptr;
  CORDON_RETURN_IF_ERROR(StatusOf(yr_compiler_create(&compiler)));
  return CompilerPtr(compiler);
}

absl::Status ErrorsOf(std::span<const RuleText> files) {
  std::string errors;
  for (const RuleText& file : files) {
    CORDON_ASSIGN_OR_RETURN(const CompilerPtr compiler, MakeCompiler());
    const absl::Status added = AddFile(compiler.get(), file);
    if (!added.ok()) StrAppend(&errors, errors.empty() ? "" : "; ", Message(added));
  }
  return absl::InvalidArgumentError(errors);
}

int LineOfImport(std::string_view text, std::string_view module) {
  const size_t at = text.find(StrCat("import \"", module, "\""));
  if (at == std::string_view::npos) return 0;
  return 1 + static_cast<int>(std::ranges::count(text.substr(0, at), '\n'));
}

absl::Status RefuseModule(std::span<const RuleText> files, std::string_view module) {
  for (const RuleText& file : files) {
    if (const int line = LineOfImport(file.text, module); line > 0) {
      return absl::InvalidArgumentError(
          StrCat(file.file, ":", line, ": the module \"", Printable(module), "\" is off"));
    }
  }
  return absl::InvalidArgumentError(StrCat("the rules import \"", Printable(module), "\", which is off"));
}

struct Found {
  std::vector<std::string> rules;
  std::string refused_module;
};

int NoteMatch(YR_SCAN_CONTEXT* /*context*/, int message, void* data, void* user_data) {
  auto& found = *static_cast<Found*>(user_data);
  if (message == CALLBACK_MSG_RULE_MATCHING) {
    const auto* rule = static_cast<const YR_RULE*>(data);
    if (found.rules.size() < RuleSet::kMaxMatches) {
      found.rules.push_back(StrCat(rule->ns->name, ":", rule->identifier));
    }
  } else if (message == CALLBACK_MSG_IMPORT_MODULE) {
    const std::string_view module = static_cast<const YR_MODULE_IMPORT*>(data)->module_name;
    if (std::ranges::find(kModules, module) == kModules.end()) {
      found.refused_module = module;
      return CALLBACK_ERROR;
    }
  }
  return CALLBACK_CONTINUE;
}

}  // namespace

// libyara counts its users itself.
RuleLibrary::RuleLibrary() : ready_(yr_initialize() == ERROR_SUCCESS) {}

RuleLibrary::~RuleLibrary() {
  if (ready_) yr_finalize();
}

struct RuleSet::Compiled {
  RuleLibrary library;
  std::unique_ptr<YR_RULES, decltype([](YR_RULES* rules) { yr_rules_destroy(rules); })> rules;
};

RuleSet::RuleSet(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
RuleSet::RuleSet(RuleSet&&) noexcept = default;
RuleSet& RuleSet::operator=(RuleSet&&) noexcept = default;
RuleSet::~RuleSet() = default;

absl::StatusOr<RuleSet> RuleSet::Compile(std::span<const RuleText> files) {
  std::set<std::string_view> names;
  for (const RuleText& file : files) {
    if (!names.insert(file.file).second) {
      return absl::InvalidArgumentError(StrCat(file.file, ": two rule files have this name"));
    }
  }
  auto compiled = std::make_unique<Compiled>();
  if (!compiled->library.Ready()) return absl::InternalError("YARA cannot be set up");
  {
    CORDON_ASSIGN_OR_RETURN(const CompilerPtr compiler, MakeCompiler());
    for (const RuleText& file : files) {
      if (!AddFile(compiler.get(), file).ok()) return ErrorsOf(files);
    }
    YR_RULES* rules = nullptr;
    CORDON_RETURN_IF_ERROR(StatusOf(yr_compiler_get_rules(compiler.get(), &rules)));
    compiled->rules.reset(rules);
  }
  // Which modules they ask for shows when they run, and they do so for any content.
  Found found;
  const int error = yr_rules_scan_mem(compiled->rules.get(), reinterpret_cast<const uint8_t*>(""), 0, 0,
                                      NoteMatch, &found, static_cast<int>(kTryOutTimeout.count()));
  if (!found.refused_module.empty()) return RefuseModule(files, found.refused_module);
  CORDON_RETURN_IF_ERROR(Annotate(StatusOf(error), "the rules cannot be used"));
  return RuleSet(std::move(compiled));
}

absl::StatusOr<std::vector<std::string>> RuleSet::Scan(std::string_view content,
                                                       std::chrono::seconds timeout) const {
  Found found;
  const int error = yr_rules_scan_mem(
      compiled_->rules.get(), reinterpret_cast<const uint8_t*>(content.data()), content.size(),
      SCAN_FLAGS_REPORT_RULES_MATCHING, NoteMatch, &found, static_cast<int>(timeout.count()));
  CORDON_RETURN_IF_ERROR(StatusOf(error));
  return std::move(found.rules);
}

}  // namespace cordon

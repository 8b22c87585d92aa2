// The table in the registry, and the service that reads it.

#include <array>
#include <utility>

#include "common/base/status.h"
#include "platform/windows/resolvers/nrpt_client.h"
#include "platform/windows/system/registry.h"
#include "platform/windows/system/security.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform::nrpt {
namespace {

constexpr const wchar_t* kLocalTable =
    L"SYSTEM\\CurrentControlSet\\Services\\Dnscache\\Parameters\\DnsPolicyConfig";
constexpr const wchar_t* kPolicies = L"SOFTWARE\\Policies\\Microsoft\\Windows NT\\DNSClient";
constexpr const wchar_t* kPolicyTable =
    L"SOFTWARE\\Policies\\Microsoft\\Windows NT\\DNSClient\\DnsPolicyConfig";
constexpr const wchar_t* kClient = L"Dnscache";
constexpr DWORD kMostValues = 64;
constexpr DWORD kMostRules = 1'000;
constexpr DWORD kMostBytes = 64 * 1024;
constexpr size_t kMostNameUnits = 256;  // a key's name has 255 at most; longer names of values are not ours

class Key {
 public:
  Key() = default;
  Key(Key&& other) noexcept : key_(std::exchange(other.key_, nullptr)) {}
  Key& operator=(Key&& other) noexcept {
    std::swap(key_, other.key_);
    return *this;
  }
  ~Key() {
    if (key_ != nullptr) RegCloseKey(key_);
  }
  HKEY Get() const { return key_; }
  HKEY* Out() { return &key_; }

 private:
  HKEY key_ = nullptr;
};

absl::Status Failed(LSTATUS error, std::string_view what) {
  return WindowsError(static_cast<DWORD>(error), StrCat(what, " the rule for names in the registry"));
}

std::wstring RulePath() {
  return std::wstring(kLocalTable) + L"\\" + Wide(kRuleName);
}

// Texts end in a null, lists in two; whoever wrote them may have left them out.
std::vector<std::string> Texts(std::wstring_view units) {
  std::vector<std::string> texts;
  while (!units.empty() && units.front() != L'\0') {
    const size_t end = std::min(units.find(L'\0'), units.size());
    texts.push_back(Narrow(units.substr(0, end)));
    units.remove_prefix(std::min(end + 1, units.size()));
  }
  return texts;
}

Data ToData(DWORD type, const std::vector<BYTE>& bytes) {
  std::wstring units(bytes.size() / sizeof(wchar_t), L'\0');
  std::copy_n(bytes.begin(), units.size() * sizeof(wchar_t), reinterpret_cast<BYTE*>(units.data()));
  if (type == REG_MULTI_SZ) return Texts(units);
  if (type == REG_SZ) return Narrow(units.substr(0, units.find(L'\0')));
  uint32_t number = 0;
  if (type != REG_DWORD || bytes.size() != sizeof(number)) return std::monostate();
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<BYTE*>(&number));
  return number;
}

std::pair<DWORD, std::vector<BYTE>> ToBytes(const Data& data) {
  DWORD type = REG_SZ;
  std::wstring units;
  if (const auto* number = std::get_if<uint32_t>(&data)) {
    const auto* first = reinterpret_cast<const BYTE*>(number);
    return {REG_DWORD, {first, first + sizeof(*number)}};
  }
  if (const auto* text = std::get_if<std::string>(&data)) units = Wide(*text);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&data)) {
    type = REG_MULTI_SZ;
    for (const std::string& text : *texts) units += Wide(text) + L'\0';
  }
  units += L'\0';
  const auto* first = reinterpret_cast<const BYTE*>(units.data());
  return {type, {first, first + units.size() * sizeof(wchar_t)}};
}

Rule ReadValues(HKEY key) {
  Rule rule;
  for (DWORD i = 0; i < kMostValues; ++i) {
    std::array<wchar_t, kMostNameUnits> name{};
    DWORD name_units = kMostNameUnits;
    DWORD type = REG_NONE;
    std::vector<BYTE> bytes(kMostBytes);
    auto size = static_cast<DWORD>(bytes.size());
    const LSTATUS read = RegEnumValueW(key, i, name.data(), &name_units, nullptr, &type, bytes.data(), &size);
    if (read == ERROR_NO_MORE_ITEMS) break;
    bytes.resize(read == ERROR_SUCCESS ? size : 0);
    rule.push_back({read == ERROR_SUCCESS ? Narrow({name.data(), name_units}) : "?", ToData(type, bytes)});
  }
  return rule;
}

bool Exists(const wchar_t* path) {
  Key key;
  return RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_READ, key.Out()) == ERROR_SUCCESS;
}

// Namespaces of the local table's rules that are not Cordon's.
std::vector<std::string> ForeignNames() {
  std::vector<std::string> names;
  Key table;
  if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, kLocalTable, 0, KEY_READ, table.Out()) != ERROR_SUCCESS) return names;
  for (DWORD i = 0; i < kMostRules; ++i) {
    std::array<wchar_t, kMostNameUnits> name{};
    DWORD units = kMostNameUnits;
    if (RegEnumKeyExW(table.Get(), i, name.data(), &units, nullptr, nullptr, nullptr, nullptr) !=
        ERROR_SUCCESS)
      break;
    Key rule;
    if (_wcsicmp(name.data(), Wide(kRuleName).c_str()) == 0 ||
        RegOpenKeyExW(table.Get(), name.data(), 0, KEY_READ, rule.Out()) != ERROR_SUCCESS)
      continue;
    for (const Value& value : ReadValues(rule.Get())) {
      const auto* texts = std::get_if<std::vector<std::string>>(&value.data);
      if (value.name == "Name" && texts != nullptr) names.insert(names.end(), texts->begin(), texts->end());
    }
  }
  return names;
}

class Service {
 public:
  explicit Service(DWORD access)
      : manager_(OpenSCManagerW(nullptr, nullptr, SC_MANAGER_CONNECT)),
        service_(manager_ == nullptr ? nullptr : OpenServiceW(manager_, kClient, access)) {}
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service() {
    if (service_ != nullptr) CloseServiceHandle(service_);
    if (manager_ != nullptr) CloseServiceHandle(manager_);
  }
  SC_HANDLE Get() const { return service_; }

 private:
  SC_HANDLE manager_;
  SC_HANDLE service_;
};

// Of dnsapi.dll, as `ipconfig /flushdns` calls it; no header has it.
void Flush() {
  HMODULE const library = LoadLibraryExW(L"dnsapi.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (library == nullptr) return;
  // Entries of before lapse by themselves: that it is not there is no error.
  if (const FARPROC found = GetProcAddress(library, "DnsFlushResolverCache"))
    reinterpret_cast<BOOL(WINAPI*)()>(reinterpret_cast<void*>(found))();
  FreeLibrary(library);
}

class RegistryTable final : public Table {
 public:
  absl::StatusOr<std::optional<Rule>> Read() override {
    Key key;
    const LSTATUS opened = RegOpenKeyExW(HKEY_LOCAL_MACHINE, RulePath().c_str(), 0, KEY_READ, key.Out());
    if (opened == ERROR_FILE_NOT_FOUND) return std::nullopt;
    if (opened != ERROR_SUCCESS) return Failed(opened, "cannot read");
    return ReadValues(key.Get());
  }

  absl::Status Write(const Rule& rule) override {
    CORDON_RETURN_IF_ERROR(Delete());  // what is not the rule's goes too
    CORDON_ASSIGN_OR_RETURN(const auto rights, SecurityDescriptor::Parse(kMachineKeyRights));
    Key key;
    const LSTATUS made = RegCreateKeyExW(HKEY_LOCAL_MACHINE, RulePath().c_str(), 0, nullptr, 0, KEY_WRITE,
                                         rights->Attributes(), key.Out(), nullptr);
    if (made != ERROR_SUCCESS) return Failed(made, "cannot make");
    for (const Value& value : rule) {
      const auto [type, bytes] = ToBytes(value.data);
      const LSTATUS set = RegSetValueExW(key.Get(), Wide(value.name).c_str(), 0, type, bytes.data(),
                                         static_cast<DWORD>(bytes.size()));
      if (set != ERROR_SUCCESS) return Failed(set, "cannot write");
    }
    return ProtectMachineKey(RulePath());  // also where the system gives a new key its own
  }

  absl::Status Delete() override {
    const LSTATUS gone = RegDeleteTreeW(HKEY_LOCAL_MACHINE, RulePath().c_str());
    if (gone == ERROR_SUCCESS || gone == ERROR_FILE_NOT_FOUND) return absl::OkStatus();
    return Failed(gone, "cannot delete");
  }

  absl::Status Reload() override {
    const Service client(SERVICE_PAUSE_CONTINUE);
    const DWORD error = client.Get() == nullptr ? GetLastError() : NO_ERROR;
    if (error == ERROR_SERVICE_DOES_NOT_EXIST) return absl::OkStatus();
    if (error != NO_ERROR) return WindowsError(error, "cannot open the service Dnscache");
    SERVICE_STATUS status{};
    if (ControlService(client.Get(), SERVICE_CONTROL_PARAMCHANGE, &status) == 0 &&
        GetLastError() != ERROR_SERVICE_NOT_ACTIVE)
      return LastError("cannot tell the service Dnscache to read its table");
    Flush();
    return absl::OkStatus();
  }

  Surroundings Look() override {
    Surroundings around;
    const Service client(SERVICE_QUERY_STATUS);
    SERVICE_STATUS status{};
    around.client_runs = client.Get() != nullptr && QueryServiceStatus(client.Get(), &status) != 0 &&
                         status.dwCurrentState == SERVICE_RUNNING;
    around.group_policy = Exists(kPolicyTable);
    around.foreign_names = ForeignNames();
    DWORD size = sizeof(around.doh_policy);
    RegGetValueW(HKEY_LOCAL_MACHINE, kPolicies, L"DoHPolicy", RRF_RT_REG_DWORD, nullptr, &around.doh_policy,
                 &size);
    return around;
  }
};

}  // namespace

std::unique_ptr<Table> MakeRegistryTable() {
  return std::make_unique<RegistryTable>();
}

}  // namespace cordon::platform::nrpt

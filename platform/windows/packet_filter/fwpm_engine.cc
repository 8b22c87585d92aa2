// The filter engine over WFP's own calls.

#include <map>
#include <memory>
#include <utility>

#include "common/base/status.h"
#include "platform/windows/packet_filter/filter_engine.h"
#include "platform/windows/packet_filter/fwpm_convert.h"
#include "platform/windows/system/service_control.h"
#include "platform/windows/system/text.h"

namespace cordon::platform::wfp {
namespace {

constexpr DWORD kWaitForOthersMillis = 5'000;  // for a transaction of somebody else
constexpr UINT32 kPiece = 256;
constexpr UINT16 kTopWeight = 0xffff;
wchar_t kCordon[] = L"Cordon";  // not const: WFP's structures want it so

bool IsText(const wchar_t* text, std::wstring_view expected) {
  return text != nullptr && text == expected;
}

absl::Status Result(DWORD result, std::string_view what) {
  switch (result) {
    case ERROR_SUCCESS:
      return absl::OkStatus();
    case static_cast<DWORD>(FWP_E_TXN_ABORTED):
    case static_cast<DWORD>(FWP_E_SESSION_ABORTED):
      return absl::AbortedError(StrCat(what, ": the filtering engine ended the transaction"));
    case RPC_S_CANNOT_SUPPORT:  // wine
      return absl::UnimplementedError(
          StrCat(what, ": WFP is not available on this system: it has no filtering engine (", result, ")"));
    case EPT_S_NOT_REGISTERED:
    case RPC_S_SERVER_UNAVAILABLE:
    case RPC_S_CALL_FAILED:
    case RPC_S_UNKNOWN_IF:
    case RPC_S_PROTSEQ_NOT_SUPPORTED:
      return absl::UnavailableError(StrCat(
          what, ": WFP is not available on this system: its service (BFE) does not answer (", result, ")"));
    case static_cast<DWORD>(FWP_E_ALREADY_EXISTS):
      return absl::AlreadyExistsError(StrCat(what, ": somebody has one of that name in WFP"));
    case static_cast<DWORD>(FWP_E_IN_USE):
      return absl::FailedPreconditionError(StrCat(what, ": somebody's filters stand in it"));
    default:
      return WindowsError(result, what);
  }
}

struct FreeWfp {
  template <typename T>
  void operator()(T* memory) const {
    void* untyped = memory;
    FwpmFreeMemory0(&untyped);
  }
};

class FwpmEngine final : public FilterEngine {
 public:
  explicit FwpmEngine(HANDLE engine) : engine_(engine) {}
  FwpmEngine(const FwpmEngine&) = delete;
  FwpmEngine& operator=(const FwpmEngine&) = delete;
  ~FwpmEngine() override {
    if (subscription_ != nullptr) FwpmFilterUnsubscribeChanges0(engine_, subscription_);
    FwpmEngineClose0(engine_);  // ends a transaction that is open, and nothing that was committed
  }

  absl::Status Begin() override { return Result(FwpmTransactionBegin0(engine_, 0), "begin"); }
  absl::Status Commit() override { return Result(FwpmTransactionCommit0(engine_), "commit"); }
  absl::Status Abort() override { return Result(FwpmTransactionAbort0(engine_), "abort"); }

  absl::Status AddSublayer() override {
    std::wstring service = kServiceName;
    FWPM_PROVIDER0 provider{};
    provider.providerKey = kProvider;
    provider.displayData.name = kCordon;
    provider.flags = kProviderPersistent;
    // ISO-5: at its start the engine disables the filters of a provider that names no service that starts by
    // itself.
    provider.serviceName = service.data();
    CORDON_RETURN_IF_ERROR(AddedOrThere(FwpmProviderAdd0(engine_, &provider, nullptr), "provider"));
    GUID provider_key = kProvider;
    FWPM_SUBLAYER0 sublayer{};
    sublayer.subLayerKey = kSublayer;
    sublayer.displayData.name = kCordon;
    sublayer.flags = kSublayerPersistent;
    sublayer.providerKey = &provider_key;
    sublayer.weight = kTopWeight;
    return AddedOrThere(FwpmSubLayerAdd0(engine_, &sublayer, nullptr), "sub-layer");
  }

  absl::Status DeleteSublayer() override {
    CORDON_RETURN_IF_ERROR(GoneOrNever(FwpmSubLayerDeleteByKey0(engine_, &kSublayer), "sub-layer"));
    return GoneOrNever(FwpmProviderDeleteByKey0(engine_, &kProvider), "provider");
  }

  absl::Status AddFilter(const Filter& filter, const FilterKey& key) override {
    CORDON_ASSIGN_OR_RETURN(const auto native, NativeFilter::Make(filter, key));
    return Result(FwpmFilterAdd0(engine_, &native->Get(), nullptr, nullptr), "add");
  }

  absl::Status DeleteFilter(const FilterKey& key) override {
    const GUID guid = ToGuid(key);
    return Result(FwpmFilterDeleteByKey0(engine_, &guid), "delete");
  }

  absl::StatusOr<std::vector<HeldFilter>> ListFilters() override {
    std::vector<HeldFilter> filters;
    sublayers_.clear();
    for (const Stage stage : kStages)
      for (const bool v6 : {false, true}) CORDON_RETURN_IF_ERROR(ListLayer({stage, v6}, &filters));
    return filters;
  }

  absl::StatusOr<bool> HasSublayer() override {
    CORDON_ASSIGN_OR_RETURN(const bool has_provider, HasProvider());
    if (!has_provider) return false;
    FWPM_SUBLAYER0* found = nullptr;
    const DWORD result = FwpmSubLayerGetByKey0(engine_, &kSublayer, &found);
    if (result == static_cast<DWORD>(FWP_E_SUBLAYER_NOT_FOUND)) return false;
    CORDON_RETURN_IF_ERROR(Result(result, "read the sub-layer"));
    const std::unique_ptr<FWPM_SUBLAYER0, FreeWfp> own(found);
    return own->weight == kTopWeight && (own->flags & kSublayerPersistent) != 0;
  }

  absl::StatusOr<std::string> ProgramOf(const std::string& path) override {
    FWP_BYTE_BLOB* blob = nullptr;
    CORDON_RETURN_IF_ERROR(Result(FwpmGetAppIdFromFileName0(Wide(path).c_str(), &blob),
                                  StrCat("cannot name the program ", path)));
    const std::unique_ptr<FWP_BYTE_BLOB, FreeWfp> own(blob);
    std::wstring text(own->size / sizeof(wchar_t), L'\0');
    std::copy_n(own->data, text.size() * sizeof(wchar_t), reinterpret_cast<UINT8*>(text.data()));
    while (!text.empty() && text.back() == L'\0') text.pop_back();
    return Narrow(text);
  }

  absl::Status Subscribe(std::function<void()> changed) override {
    changed_ = std::move(changed);
    FWPM_FILTER_SUBSCRIPTION0 subscription{};
    subscription.flags = kNotifyOnAdd | kNotifyOnDelete;
    return Result(
        FwpmFilterSubscribeChanges0(engine_, &subscription, &FwpmEngine::OnChange, this, &subscription_),
        "subscribe to changes");
  }

 private:
  static void CALLBACK OnChange(void* context, const FWPM_FILTER_CHANGE0* /*change*/) {
    static_cast<FwpmEngine*>(context)->changed_();
  }

  absl::StatusOr<bool> HasProvider() {
    FWPM_PROVIDER0* found = nullptr;
    const DWORD result = FwpmProviderGetByKey0(engine_, &kProvider, &found);
    if (result == static_cast<DWORD>(FWP_E_PROVIDER_NOT_FOUND)) return false;
    CORDON_RETURN_IF_ERROR(Result(result, "read the provider"));
    const std::unique_ptr<FWPM_PROVIDER0, FreeWfp> own(found);
    return (own->flags & (kProviderPersistent | kProviderDisabled)) == kProviderPersistent &&
           IsText(own->serviceName, kServiceName);
  }

  static absl::Status AddedOrThere(DWORD result, std::string_view what) {
    return result == static_cast<DWORD>(FWP_E_ALREADY_EXISTS) ? absl::OkStatus() : Result(result, what);
  }

  static absl::Status GoneOrNever(DWORD result, std::string_view what) {
    const bool never = result == static_cast<DWORD>(FWP_E_SUBLAYER_NOT_FOUND) ||
                       result == static_cast<DWORD>(FWP_E_PROVIDER_NOT_FOUND);
    return never ? absl::OkStatus() : Result(result, what);
  }

  absl::Status ListLayer(Layer layer, std::vector<HeldFilter>* filters) {
    FWPM_FILTER_ENUM_TEMPLATE0 wanted{};
    wanted.layerKey = LayerGuid(layer);
    wanted.enumType = FWP_FILTER_ENUM_OVERLAPPING;
    wanted.flags = FWP_FILTER_ENUM_FLAG_INCLUDE_BOOTTIME | FWP_FILTER_ENUM_FLAG_INCLUDE_DISABLED;
    wanted.actionMask = kAnyAction;
    HANDLE list = nullptr;
    CORDON_RETURN_IF_ERROR(Result(FwpmFilterCreateEnumHandle0(engine_, &wanted, &list), "list filters"));
    absl::Status status;
    UINT32 got = kPiece;
    while (status.ok() && got == kPiece) {
      FWPM_FILTER0** entries = nullptr;
      status = Result(FwpmFilterEnum0(engine_, list, kPiece, &entries, &got), "list filters");
      if (!status.ok()) break;
      const std::unique_ptr<FWPM_FILTER0*, FreeWfp> own(entries);
      for (UINT32 at = 0; at < got; ++at) {
        HeldFilter each = ToHeld(*entries[at], layer);
        if (!each.disabled || each.of_cordon) filters->push_back(std::move(each));
      }
    }
    FwpmFilterDestroyEnumHandle0(engine_, list);
    return status;
  }

  HeldFilter ToHeld(const FWPM_FILTER0& native, Layer layer) {
    const auto& [weight, name] = SublayerOf(native.subLayerKey);
    return {.key = ToKey(native.filterKey),
            .filter = FromNative(native, layer),
            .of_cordon = IsEqualGUID(native.subLayerKey, kSublayer) != 0,
            .disabled = (native.flags & kFilterDisabled) != 0,
            .provider = native.providerKey == nullptr ? "" : ProviderName(*native.providerKey),
            .sublayer_weight = weight,
            .sublayer = name};
  }

  const std::pair<uint16_t, std::string>& SublayerOf(const GUID& key) {
    const auto [at, is_new] = sublayers_.try_emplace(ToKey(key));
    if (!is_new) return at->second;
    FWPM_SUBLAYER0* found = nullptr;
    if (FwpmSubLayerGetByKey0(engine_, &key, &found) != ERROR_SUCCESS) {
      at->second = {kTopWeight, "unknown"};  // the worst it can be
      return at->second;
    }
    const std::unique_ptr<FWPM_SUBLAYER0, FreeWfp> own(found);
    at->second = {own->weight, own->displayData.name == nullptr ? "" : Narrow(own->displayData.name)};
    return at->second;
  }

  std::string ProviderName(const GUID& key) {
    FWPM_PROVIDER0* found = nullptr;
    if (FwpmProviderGetByKey0(engine_, &key, &found) != ERROR_SUCCESS) return "an unknown provider";
    const std::unique_ptr<FWPM_PROVIDER0, FreeWfp> own(found);
    return own->displayData.name == nullptr ? "a provider without a name" : Narrow(own->displayData.name);
  }

  HANDLE engine_;
  HANDLE subscription_ = nullptr;
  std::function<void()> changed_;
  std::map<FilterKey, std::pair<uint16_t, std::string>> sublayers_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FilterEngine>> OpenFilterEngine() {
  FWPM_SESSION0 session{};
  session.displayData.name = kCordon;
  session.txnWaitTimeoutInMSec = kWaitForOthersMillis;
  HANDLE engine = nullptr;
  CORDON_RETURN_IF_ERROR(Result(FwpmEngineOpen0(nullptr, RPC_C_AUTHN_WINNT, nullptr, &session, &engine),
                                "cannot open the filtering engine"));
  return std::make_unique<FwpmEngine>(engine);
}

}  // namespace cordon::platform::wfp

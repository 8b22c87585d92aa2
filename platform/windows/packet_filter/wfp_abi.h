#pragma once

// What Debian 12's mingw headers lack of WFP, as Microsoft's SDK has it (fwpmu.h, fwpmtypes.h), and checks of
// what they have: nothing here can be tried under wine, so sizes and offsets are compared with those of the
// SDK at compile time.

#include <cstddef>

#include "platform/windows/system/windows.h"

namespace cordon::platform::wfp {

inline constexpr GUID kLayerConnectV4 = {
    0xc38d57d1, 0x05a7, 0x4c33, {0x90, 0x4f, 0x7f, 0xbc, 0xee, 0xe6, 0x0e, 0x82}};
inline constexpr GUID kLayerConnectV6 = {
    0x4a72393b, 0x319f, 0x44bc, {0x84, 0xc3, 0xba, 0x54, 0xdc, 0xb3, 0xb6, 0xb4}};
inline constexpr GUID kLayerAcceptV4 = {
    0xe1cd9fe7, 0xf4b5, 0x4273, {0x96, 0xc0, 0x59, 0x2e, 0x48, 0x7b, 0x86, 0x50}};
inline constexpr GUID kLayerAcceptV6 = {
    0xa3b42c97, 0x9f04, 0x4672, {0xb8, 0x7e, 0xce, 0xe9, 0xc4, 0x83, 0x25, 0x7f}};
inline constexpr GUID kLayerOutTransportV4 = {
    0x09e61aea, 0xd214, 0x46e2, {0x9b, 0x21, 0xb2, 0x6b, 0x0b, 0x2f, 0x28, 0xc8}};
inline constexpr GUID kLayerOutTransportV6 = {
    0xe1735bde, 0x013f, 0x4655, {0xb3, 0x51, 0xa4, 0x9e, 0x15, 0x76, 0x2d, 0xf0}};
inline constexpr GUID kLayerInTransportV4 = {
    0x5926dfc8, 0xe3cf, 0x4426, {0xa2, 0x83, 0xdc, 0x39, 0x3f, 0x5d, 0x0f, 0x9d}};
inline constexpr GUID kLayerInTransportV6 = {
    0x634a869f, 0xfc23, 0x4b90, {0xb0, 0xc1, 0xbf, 0x62, 0x0a, 0x36, 0xae, 0x6f}};
inline constexpr GUID kLayerForwardV4 = {
    0xa82acc24, 0x4ee1, 0x4ee1, {0xb4, 0x65, 0xfd, 0x1d, 0x25, 0xcb, 0x10, 0xa4}};
inline constexpr GUID kLayerForwardV6 = {
    0x7b964818, 0x19c7, 0x493a, {0xb7, 0x1f, 0x83, 0x2c, 0x36, 0x84, 0xd2, 0x8c}};

inline constexpr GUID kFieldFlags = {
    0x632ce23b, 0x5167, 0x435c, {0x86, 0xd7, 0xe9, 0x03, 0x68, 0x4a, 0xa8, 0x0c}};
inline constexpr GUID kFieldRemoteAddress = {
    0xb235ae9a, 0x1d64, 0x49b8, {0xa4, 0x4c, 0x5f, 0xf3, 0xd9, 0x09, 0x50, 0x45}};
inline constexpr GUID kFieldSourceAddress = {
    0xae96897e, 0x2e94, 0x4bc9, {0xb3, 0x13, 0xb2, 0x7e, 0xe8, 0x0e, 0x57, 0x4d}};
inline constexpr GUID kFieldDestinationAddress = {
    0x2d79133b, 0xb390, 0x45c6, {0x86, 0x99, 0xac, 0xac, 0xea, 0xaf, 0xed, 0x33}};
inline constexpr GUID kFieldLocalPort = {
    0x0c1ba1af, 0x5765, 0x453f, {0xaf, 0x22, 0xa8, 0xf7, 0x91, 0xac, 0x77, 0x5b}};
inline constexpr GUID kFieldRemotePort = {
    0xc35a604d, 0xd22b, 0x4e1a, {0x91, 0xb4, 0x68, 0xf6, 0x74, 0xee, 0x67, 0x4b}};
inline constexpr GUID kFieldProtocol = {
    0x3971ef2b, 0x623e, 0x4f9a, {0x8c, 0xb1, 0x6e, 0x79, 0xb8, 0x06, 0xb9, 0xa7}};
inline constexpr GUID kFieldProgram = {
    0xd78e1e87, 0x8644, 0x4ea5, {0x94, 0x37, 0xd8, 0x09, 0xec, 0xef, 0xc9, 0x71}};
inline constexpr GUID kFieldUser = {
    0xaf043a0a, 0xb34d, 0x4f86, {0x97, 0x9c, 0xc9, 0x03, 0x71, 0xaf, 0x6e, 0x66}};

// Cordon's own objects; made once, never changed.
inline constexpr GUID kProvider = {
    0x5b0c9a5e, 0x6d0e, 0x4a1b, {0x8f, 0x51, 0x2e, 0x6a, 0x0d, 0x39, 0x77, 0x11}};
inline constexpr GUID kSublayer = {
    0x1f7c2e84, 0x93d6, 0x4c5a, {0xb0, 0x7d, 0x4c, 0x11, 0x8e, 0x52, 0xaa, 0x63}};

inline constexpr UINT32 kProviderPersistent = 0x1;
inline constexpr UINT32 kProviderDisabled = 0x10;
inline constexpr UINT16 kSublayerPersistent = 0x1;
inline constexpr UINT32 kFilterPersistent = 0x1;
inline constexpr UINT32 kFilterBootTime = 0x2;
inline constexpr UINT32 kFilterClearActionRight = 0x8;
inline constexpr UINT32 kFilterDisabled = 0x20;
inline constexpr UINT32 kNotifyOnAdd = 0x1;
inline constexpr UINT32 kNotifyOnDelete = 0x2;
inline constexpr UINT32 kAnyAction = 0xffffffff;

static_assert(sizeof(void*) == 8, "the agent is built for 64 bits alone");
static_assert(sizeof(FWP_VALUE0) == 16 && offsetof(FWP_VALUE0, uint8) == 8);
static_assert(sizeof(FWP_CONDITION_VALUE0) == 16 && offsetof(FWP_CONDITION_VALUE0, uint8) == 8);
static_assert(sizeof(FWP_RANGE0) == 32 && sizeof(FWP_BYTE_BLOB) == 16);
static_assert(sizeof(FWP_V4_ADDR_AND_MASK) == 8 && sizeof(FWP_V6_ADDR_AND_MASK) == 17);
static_assert(sizeof(FWPM_DISPLAY_DATA0) == 16 && sizeof(FWPM_ACTION0) == 20);
static_assert(sizeof(FWPM_FILTER_CONDITION0) == 40 && offsetof(FWPM_FILTER_CONDITION0, matchType) == 16 &&
              offsetof(FWPM_FILTER_CONDITION0, conditionValue) == 24);
static_assert(sizeof(FWPM_FILTER0) == 200 && offsetof(FWPM_FILTER0, flags) == 32 &&
              offsetof(FWPM_FILTER0, providerKey) == 40 && offsetof(FWPM_FILTER0, layerKey) == 64 &&
              offsetof(FWPM_FILTER0, subLayerKey) == 80 && offsetof(FWPM_FILTER0, weight) == 96 &&
              offsetof(FWPM_FILTER0, numFilterConditions) == 112 &&
              offsetof(FWPM_FILTER0, filterCondition) == 120 && offsetof(FWPM_FILTER0, action) == 128 &&
              offsetof(FWPM_FILTER0, rawContext) == 152 && offsetof(FWPM_FILTER0, filterId) == 176 &&
              offsetof(FWPM_FILTER0, effectiveWeight) == 184);
// The SDK's flags have 32 bits, mingw's 16 and two bytes of padding: the same for numbers below 2^16.
static_assert(sizeof(FWPM_SUBLAYER0) == 72 && offsetof(FWPM_SUBLAYER0, providerKey) == 40 &&
              offsetof(FWPM_SUBLAYER0, weight) == 64);
static_assert(sizeof(FWPM_PROVIDER0) == 64 && offsetof(FWPM_PROVIDER0, serviceName) == 56);
static_assert(sizeof(FWPM_SESSION0) == 72 && sizeof(FWPM_FILTER_ENUM_TEMPLATE0) == 72);
static_assert(FWP_ACTION_BLOCK == 0x1001 && FWP_ACTION_PERMIT == 0x1002);

}  // namespace cordon::platform::wfp
